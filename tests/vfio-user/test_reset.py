#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DEVICE_RESET: in every state, back to what the device was after init; what the client has set up stays (contract C18)."""
import errno
import os
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR1, BAR2, BAR4, CONFIG, DEVICE_RESET, ERR, INTX, MSI, MSIX, NO_REPLY, OWN, PAGE, REPLY, STATES, Irq,  # noqa: E402
                 device, expect)

SCRATCH, COUNTER, FIRE, LEVEL, ERROR, RESETS, LAST, RINGS = 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x48
DMA_ADDR, DMA_LEN, DMA_OFFSET, DMA_CMD, DMA_STATUS = 0x20, 0x28, 0x2C, 0x30, 0x34


def test_reply():
    with device() as d:
        c = d.connect()
        c.send(DEVICE_RESET, ident=5)
        reply = c.receive()
        assert (reply.ident, reply.command, reply.flags, reply.body) == (5, DEVICE_RESET, REPLY, b"")


def test_payload():
    """It has none: refused, and nothing is reset."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, SCRATCH, 5)
        for body in (b"\0", b"\0\0\0\0", bytes(16)):
            expect(errno.EINVAL, lambda: c.ask(DEVICE_RESET, body))
        assert c.read32(BAR0, SCRATCH) == 5 and c.read32(BAR0, RESETS) == 0


def test_registers_and_memory():
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, SCRATCH, 5)
        c.write32(BAR0, COUNTER, 0)
        c.write32(BAR0, 0x40, 1)
        c.region_write(BAR0, 0x80, b"\xff" * 128)
        c.region_write(BAR1, 0, b"\xff" * 32)
        c.region_write(BAR2, 0, b"\xff" * (1 << 20))
        c.reset()
        expect(errno.EIO, lambda: c.read32(BAR0, 0))
        c.enable()
        assert [c.read32(BAR0, at) for at in (0, SCRATCH, COUNTER, LAST, RINGS)] == [vfu.ID, 0, 0, 0, 0]
        assert c.region_read(BAR0, 0x80, 128) == bytes(128) and c.region_read(BAR1, 0, 32) == bytes(32)
        assert c.region_read(BAR2, 0, 1 << 20) == bytes(1 << 20)
        assert c.read32(BAR0, RESETS) == 1


def test_configuration_space():
    """Memory, I/O and master are off, BARs and messages forgotten: all bytes are those of a new device."""
    with device() as d:
        c = d.connect()
        new = c.region_read(CONFIG, 0, 4096)
        c.region_write(CONFIG, 0, os.urandom(4096))
        c.enable(0x547)
        assert c.region_read(CONFIG, 0, 4096) != new
        c.reset()
        assert c.region_read(CONFIG, 0, 4096) == new


def test_msix_table():
    with device() as d:
        c = d.connect().enable()
        new = c.region_read(BAR4, 0, 128)
        c.region_write(BAR4, 0, b"\xff" * 128)
        c.reset()
        assert c.enable().region_read(BAR4, 0, 128) == new


def test_wiring_stays():
    """C18: whoever has wired interrupts does not do so again."""
    with device() as d:
        c = d.connect().enable()
        irqs = [Irq() for _ in range(9)]
        c.wire(MSIX, [i.fd for i in irqs[:8]])
        c.wire(ERR, [irqs[8].fd])
        with vfu.same_fds(d):
            for _ in range(3):
                c.reset()
        c.enable()
        for vector in range(8):
            c.write32(BAR0, FIRE, vector)
            assert c.read32(BAR0, FIRE) == 0
        c.write32(BAR0, ERROR, 1)
        assert [i.count() for i in irqs] == [1] * 9
        expect(errno.EINVAL, lambda: c.wire(MSI, [irqs[0].fd]))
        for i in irqs:
            i.close()


def test_pin():
    """Its level falls, its mask is gone, its wiring stays."""
    with device() as d:
        c = d.connect().enable()
        irq = Irq()
        c.wire(INTX, [irq.fd])
        c.write32(BAR0, LEVEL, 1)
        assert irq.count(20) == 1
        c.reset()
        c.enable()
        assert not c.config16(6) & 8 and irq.count() == 0
        c.write32(BAR0, LEVEL, 1)
        assert irq.count(20) == 1
        irq.close()


def test_pending_messages_are_forgotten():
    with device() as d:
        c = d.connect().enable()
        irqs = [Irq(), Irq()]
        c.wire(MSIX, [irqs[0].fd])
        c.write32(BAR0, FIRE, 5)
        assert c.region_read(BAR4, 0x2000, 1) == b"\x20"
        c.reset()
        assert c.enable().region_read(BAR4, 0x2000, 1) == b"\0"
        c.wire(MSIX, [irqs[1].fd], start=5)
        assert irqs[1].count() == 0
        for i in irqs:
            i.close()


def copy_in(c, address, length):
    """The device reads memory of the client into BAR2."""
    for at, value in ((DMA_ADDR, address), (DMA_ADDR + 4, 0), (DMA_LEN, length), (DMA_OFFSET, 0), (DMA_CMD, 1)):
        c.write32(BAR0, at, value)
    vfu.eventually(lambda: c.read32(BAR0, DMA_STATUS) != 1, "the copy has ended")
    return c.read32(BAR0, DMA_STATUS)


def test_memory_of_the_client_stays():
    """C18: what was mapped is mapped."""
    with device() as d:
        c = d.connect().enable()
        memory = vfu.memfd(PAGE)
        os.pwrite(memory, b"here I am", 0)
        c.dma_map(0x10000, PAGE, memory)
        for _ in range(2):
            c.reset()
            c.enable()
            assert copy_in(c, 0x10000, PAGE) == 2
            assert c.region_read(BAR2, 0, 9) == b"here I am"
        expect(errno.EEXIST, lambda: c.dma_map(0x10000, PAGE, memory))
        c.dma_unmap(0x10000, PAGE)
        os.close(memory)


WAYS = {
    vfu.S_RUNNING: [], vfu.S_RUNNING_P2P: [vfu.S_RUNNING_P2P], vfu.S_STOP: [vfu.S_STOP], vfu.S_STOP_COPY: [vfu.S_STOP_COPY],
    vfu.S_RESUMING: [vfu.S_RESUMING], vfu.S_PRE_COPY: [vfu.S_PRE_COPY], vfu.S_PRE_COPY_P2P: [vfu.S_PRE_COPY, vfu.S_PRE_COPY_P2P],
}


def test_in_each_state():
    """C18, D3, D5: possible in all of them, and the device runs afterwards."""
    with device() as d:
        c = d.connect()
        assert set(WAYS) == set(range(8)) - {vfu.S_ERROR}
        for number, (state, way) in enumerate(WAYS.items(), 1):
            c.enable()
            c.write32(BAR0, SCRATCH, 5)
            for step in way:
                c.go(step)
            assert c.state() == state, STATES[state]
            c.reset()
            assert c.state() == vfu.S_RUNNING, STATES[state]
            c.enable()
            assert c.read32(BAR0, SCRATCH) == 0 and c.read32(BAR0, RESETS) == number
            irq = Irq()
            c.wire(MSIX, [irq.fd])
            c.write32(BAR0, FIRE, 0)
            assert irq.count(20) >= 1        # it is active, not quiet
            c.unwire(MSIX)
            irq.close()


def test_while_a_stream_is_read():
    """C18: what was begun is given up; another time it is whole."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, SCRATCH, 5)
        c.go(vfu.S_STOP_COPY)
        assert c.mig_read(100)
        c.reset()
        expect(errno.EINVAL, lambda: c.mig_read(100))
        c.enable()
        c.write32(BAR0, SCRATCH, 6)
        stream = c.save()
        c.reset()
        c.load(stream)
        c.go(vfu.S_RUNNING)
        assert c.read32(BAR0, SCRATCH) == 6


def test_while_a_stream_is_written():
    """C18: half a state changes nothing."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, SCRATCH, 5)
        stream = c.save()
        c.go(vfu.S_RESUMING)
        c.mig_write(stream[:len(stream) // 2])
        c.reset()
        expect(errno.EINVAL, lambda: c.mig_write(stream[len(stream) // 2:]))
        assert c.enable().read32(BAR0, SCRATCH) == 0
        c.load(stream)
        c.go(vfu.S_RUNNING)
        assert c.read32(BAR0, SCRATCH) == 5


def test_after_a_stream_that_was_refused():
    """C18, C19: whatever state that leaves."""
    with device() as d:
        c = d.connect()
        c.go(vfu.S_RESUMING)
        try:
            c.mig_write(b"\xff" * 4096)
            c.go(vfu.S_STOP)
            raise AssertionError("noise was taken for a state")
        except vfu.Refused as error:
            assert error.errno == errno.EINVAL
        c.reset()
        assert c.state() == vfu.S_RUNNING and c.enable().read32(BAR0, 0) == vfu.ID


def test_posted():
    """Its place in the order is that of any command (C24)."""
    with device() as d:
        c = d.connect()
        for i in range(1, 100):
            c.post(CONFIG, 4, b"\7\0")
            c.post(BAR0, SCRATCH, b"\1\1\1\1")
            c.send(DEVICE_RESET, flags=NO_REPLY)
            c.post(CONFIG, 4, b"\7\0")
            assert c.read32(BAR0, SCRATCH) == 0 and c.read32(BAR0, RESETS) == i


def test_own_region():
    """It can be reached after the reset as before, without the command register."""
    with device() as d:
        c = d.connect()
        c.region_write(OWN, 0, b"own!")
        c.reset()
        assert c.region_read(OWN, 0, 4) in (b"own!", bytes(4))


def test_plain():
    with device(kind="plain") as d:
        c = d.connect().enable()
        c.write32(BAR0, SCRATCH, 5)
        c.reset()
        assert c.enable().read32(BAR0, SCRATCH) == 0


if __name__ == "__main__":
    vfu.main()
