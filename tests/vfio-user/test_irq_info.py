#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""GET_IRQ_INFO: what a device has, and what is true of it."""
import errno
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (ERR, GET_IRQ_INFO, INTX, IRQ_AUTOMASKED, IRQ_EVENTFD, IRQ_MASKABLE, IRQ_NORESIZE, MSI, MSIX, REQ, device, expect)  # noqa: E402


def test_flags_are_true():
    """C16, D1: INTx is MASKABLE and AUTOMASKED, MSI cannot be made larger in use; the table of the contract. MSI-X may say so or not."""
    with device() as d:
        c = d.connect()
        assert c.irq_info(INTX) == (IRQ_EVENTFD | IRQ_MASKABLE | IRQ_AUTOMASKED, 1)
        assert c.irq_info(MSI) == (IRQ_EVENTFD | IRQ_NORESIZE, 4)
        flags, count = c.irq_info(MSIX)
        assert count == 8 and flags & ~IRQ_NORESIZE == IRQ_EVENTFD
        assert c.irq_info(ERR) == (IRQ_EVENTFD | IRQ_NORESIZE, 1)
        assert c.irq_info(REQ) == (IRQ_EVENTFD | IRQ_NORESIZE, 1)


def test_msix_grows_if_it_says_so():
    """C16: without NORESIZE vectors can be added in use."""
    with device() as d:
        c = d.connect().enable()
        irqs = [vfu.Irq() for _ in range(2)]
        c.wire(MSIX, [irqs[0].fd])
        if not c.irq_info(MSIX)[0] & IRQ_NORESIZE:
            c.wire(MSIX, [irqs[1].fd], start=7)
            c.write32(vfu.BAR0, 0x0C, 7)
            assert irqs[1].count(20) == 1 and irqs[0].count() == 0
        for irq in irqs:
            irq.close()


def test_kinds_that_the_device_lacks():
    with device(kind="plain") as d:
        c = d.connect()
        for index in range(5):
            assert c.irq_info(index)[1] == 0


def test_no_such_kind():
    with device() as d:
        c = d.connect()
        for index in (5, 6, 255, 1 << 31, 0xFFFFFFFF):
            expect(errno.EINVAL, lambda: c.irq_info(index))


def test_argsz():
    """C12."""
    with device() as d:
        c = d.connect()
        for argsz in (0, 4, 15):
            expect(errno.EINVAL, lambda: c.ask(GET_IRQ_INFO, struct.pack("=4I", argsz, 0, INTX, 0)))
        for argsz in (16, 17, 4096, 0xFFFFFFFF):
            body = c.ask(GET_IRQ_INFO, struct.pack("=4I", argsz, 0, MSI, 0)).body
            assert struct.unpack("=4I", body) == (16, IRQ_EVENTFD | IRQ_NORESIZE, MSI, 4)


def test_other_fields_are_ignored():
    with device() as d:
        body = d.connect().ask(GET_IRQ_INFO, struct.pack("=4I", 16, 0xFFFFFFFF, MSI, 99)).body
        assert struct.unpack("=4I", body) == (16, IRQ_EVENTFD | IRQ_NORESIZE, MSI, 4)


def test_short():
    with device() as d:
        c = d.connect()
        for length in range(16):
            expect(errno.EINVAL, lambda: c.ask(GET_IRQ_INFO, struct.pack("=4I", 16, 0, INTX, 0)[:length]))


def test_in_each_state():
    """C21, D3."""
    with device() as d:
        c = d.connect()
        for state in (vfu.S_RUNNING_P2P, vfu.S_STOP, vfu.S_STOP_COPY, vfu.S_RESUMING):
            c.go(state)
            assert c.irq_info(MSIX)[1] == 8


if __name__ == "__main__":
    vfu.main()
