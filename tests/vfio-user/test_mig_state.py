#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""States of migration: the whole table of arcs (C19), what a device does in each, and what can be said to it there (C18, C21)."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR2, CONFIG, F_LOG_STOP, F_MIG_STATE, INTX, MSIX, PAGE, PROBE, S_ERROR,  # noqa: E402
                 S_PRE_COPY, S_PRE_COPY_P2P, S_RESUMING, S_RUNNING, S_RUNNING_P2P, S_STOP, S_STOP_COPY, SET, STATES,
                 device, expect, memfd)

ALL = range(1, 8)
REFUSED = {(S_STOP_COPY, S_PRE_COPY), (S_STOP_COPY, S_PRE_COPY_P2P)}
MAGIC = b"trn-pci\n"
BASE = 0x100000


def enter(c, state, stream):
    """From wherever it is to a state; in RESUMING a whole stream has been written."""
    if c.state() == S_RESUMING:
        c.reset()
        c.enable()
    c.go(S_RUNNING)
    c.go(state)
    if state == S_RESUMING:
        c.mig_write(stream)
    assert c.state() == state


def name(*arc):
    return " -> ".join(STATES[state] for state in arc)


def test_every_arc():
    """C19: 49 pairs; two of them are refused, and leave all as it was."""
    with device() as d:
        c = d.connect()
        c.scribble()
        stream = c.save()
        for old in ALL:
            for new in ALL:
                enter(c, old, stream)
                if (old, new) in REFUSED:
                    expect(errno.EINVAL, lambda: c.go(new))
                    assert c.state() == old, name(old, new)
                    whole = c.drain()
                    c.go(S_STOP)
                    assert whole == c.save()
                else:
                    c.go(new)
                    assert c.state() == new, name(old, new)
        enter(c, S_RUNNING, stream)


def test_arcs_of_a_device_without_pre_copy():
    """What it cannot do is refused, and its way leads round."""
    with device(parent="asked") as d:
        c = d.connect()
        stream = c.save()
        optional = {S_PRE_COPY, S_PRE_COPY_P2P}
        for old in set(ALL) - optional:
            for new in ALL:
                enter(c, old, stream)
                if new in optional:
                    expect(errno.EINVAL, lambda: c.go(new))
                    assert c.state() == old
                else:
                    c.go(new)
                    assert c.state() == new, name(old, new)


def test_no_such_state():
    """Numbers behind the table (D4), and ERROR, which nobody can ask for."""
    with device() as d:
        c = d.connect()
        stream = c.save()
        for old in ALL:
            enter(c, old, stream)
            for new in (S_ERROR, 8, 9, 10, 16, 31, 32, 33, 64, 255, 256, 257, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF):
                expect(errno.EINVAL, lambda: c.go(new))
                assert c.state() == old
            if old == S_STOP_COPY:
                assert c.drain().startswith(MAGIC)


def test_a_stream_goes_on_or_begins_anew():
    """Which shows the hops between: a stream lives from pre-copy to STOP_COPY, and ends where its states are left."""
    with device() as d:
        c = d.connect()
        c.scribble()
        for way in ((S_PRE_COPY, S_STOP_COPY), (S_PRE_COPY, S_PRE_COPY_P2P, S_STOP_COPY), (S_PRE_COPY_P2P, S_STOP_COPY),
                    (S_PRE_COPY_P2P, S_PRE_COPY, S_PRE_COPY_P2P, S_STOP_COPY)):
            c.go(S_RUNNING)
            stream = b""
            for state in way:
                c.go(state)
                stream += c.mig_read(100) or b""
            stream += c.drain()
            assert stream.count(MAGIC) == 1 and stream.startswith(MAGIC)
        for old, new in ((S_PRE_COPY, S_RUNNING_P2P), (S_PRE_COPY, S_STOP), (S_PRE_COPY_P2P, S_STOP), (S_PRE_COPY_P2P, S_RUNNING),
                         (S_STOP_COPY, S_STOP), (S_STOP_COPY, S_RUNNING)):
            c.go(S_RUNNING)
            c.go(old)
            assert c.mig_read(100)
            c.go(new)
            expect(errno.EINVAL, lambda: c.mig_read(100))
            c.go(old)
            assert c.mig_read(8) == MAGIC
        # To itself is no way at all: nothing begins anew.
        c.go(S_RUNNING)
        c.go(S_STOP_COPY)
        stream = c.mig_read(100)
        c.go(S_STOP_COPY)
        stream += c.drain()
        c.go(S_STOP)
        c.go(S_STOP_COPY)
        assert c.drain() == stream


def test_failure_leaves_a_state_that_can_be_read():
    """C19: nothing was written while RESUMING; the device stays there until a stream comes, or a reset."""
    with device() as d:
        c = d.connect()
        before = c.scribble()
        stream = c.save()
        c.go(S_RESUMING)
        for new in (S_STOP, S_RUNNING, S_RUNNING_P2P, S_STOP_COPY, S_PRE_COPY, S_PRE_COPY_P2P):
            expect(errno.EINVAL, lambda: c.go(new))
            assert c.state() == S_RESUMING
        vfu.same(before, c.snapshot())
        c.mig_write(stream)
        c.go(S_RUNNING)
        vfu.same(before, c.snapshot())


def test_reset_in_every_state():
    """C18: it runs afterwards (D5), with its DMA maps and interrupts as they were wired."""
    with device() as d:
        c = d.connect().enable()
        stream = c.save()
        fd, irq = memfd(PAGE), vfu.Irq()
        c.dma_map(BASE, PAGE, fd)
        os.close(fd)
        c.wire(MSIX, [irq.fd])
        for state in ALL:
            enter(c, state, stream)
            c.reset()
            assert c.state() == S_RUNNING, STATES[state]
            expect(errno.EINVAL, lambda: c.mig_read(100))
            expect(errno.EINVAL, lambda: c.mig_write(stream))
            c.enable()
            assert c.dma(BASE, 16) == 0
            irq.count(0.01)
            c.set_irqs(MSIX, vfu.DATA_NONE | vfu.TRIGGER, 0, 1)
            assert irq.count(20) == 1
        irq.close()


def test_commands_in_every_state():
    """C21, D3."""
    with device() as d:
        c = d.connect().enable()
        stream = c.save()
        for state in ALL:
            enter(c, state, stream)
            assert c.is_alive()
            for index in range(10):
                info = c.region_info(index)
                while info.fds:
                    os.close(info.fds.pop())
            for index in range(5):
                c.irq_info(index)
            fd, irq = memfd(PAGE), vfu.Irq()
            c.dma_map(BASE, PAGE, fd)
            expect(errno.EEXIST, lambda: c.dma_map(BASE, PAGE))
            c.wire(MSIX, [irq.fd] * 3)
            c.set_irqs(MSIX, vfu.DATA_EVENTFD | vfu.TRIGGER, 0, 1, fds=[irq.fd])
            c.unwire(MSIX)
            c.wire(INTX, [irq.fd])
            c.set_irqs(INTX, vfu.DATA_NONE | vfu.MASK, 0, 1)
            c.set_irqs(INTX, vfu.DATA_NONE | vfu.UNMASK, 0, 1)
            c.unwire(INTX)
            c.log_start([(BASE, PAGE)])
            assert c.log_report(BASE, PAGE) == []
            c.feature(SET | F_LOG_STOP)
            c.feature(PROBE | F_MIG_STATE)
            c.dma_unmap(BASE, PAGE)
            assert c.region_read(CONFIG, 0, 4) == struct.pack("=HH", 0x1AF4, 0x10F0)
            assert c.read32(BAR0, 0) == vfu.ID
            c.ask(vfu.GET_REGION_IO_FDS, struct.pack("=4I", 4096, 0, BAR0, 0)).close()
            assert c.state() == state, f"a command has changed the state {STATES[state]}"
            os.close(fd)
            irq.close()


def test_wired_while_stopped():
    """C21: interrupts and memory that were given in STOP are those of the running device."""
    with device() as d:
        c = d.connect().enable()
        c.go(S_STOP)
        fd, irq = memfd(PAGE), vfu.Irq()
        os.pwrite(fd, b"given in STOP", 0)
        c.dma_map(BASE, PAGE, fd)
        c.wire(INTX, [irq.fd])
        c.go(S_RUNNING)
        irq.count(0.01)
        c.write32(BAR0, 0x10, 1)
        assert irq.count(20) == 1
        c.write32(BAR0, 0x10, 0)
        assert c.dma(BASE, 13) == 0 and c.region_read(BAR2, 0, 13) == b"given in STOP"
        irq.close()
        os.close(fd)


def test_quiet_and_stopped_devices_interrupt_nobody():
    """P2P answers accesses and starts nothing; what waited comes when it runs."""
    with device() as d:
        c = d.connect().enable()
        irq = vfu.Irq()
        c.wire(INTX, [irq.fd])
        irq.count(0.1)
        for state in (S_RUNNING_P2P, S_PRE_COPY_P2P, S_STOP):
            c.go(state)
            c.write32(BAR0, 0x04, 0x55)
            assert c.read32(BAR0, 0x04) == 0x55
            c.write32(BAR0, 0x10, 1)
            assert irq.count(0.05) == 0, STATES[state]
            c.go(S_RUNNING)
            assert irq.count(20) == 1
            c.write32(BAR0, 0x10, 0)
            c.set_irqs(INTX, vfu.DATA_NONE | vfu.UNMASK, 0, 1)
            assert irq.count(0.05) == 0
        irq.close()


def test_the_next_client_finds_it_running():
    """C27: whatever state the last one left it in; registers stay."""
    with device() as d:
        c = d.connect()
        before = c.scribble()
        stream = c.save()
        for state in ALL:
            enter(c, state, stream)
            c.close()
            c = d.connect()
            assert c.state() == S_RUNNING, STATES[state]
            vfu.same(before, c.snapshot())


if __name__ == "__main__":
    vfu.main()
