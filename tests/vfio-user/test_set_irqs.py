#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""SET_IRQS: all of VFIO's grammar (C16 of docs/contract.md).  Over a socket there is no descriptor -1: who takes vectors
away sends DATA_EVENTFD for them with no descriptors at all."""
import errno
import os
import select
import socket
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR4, CONFIG, DATA_BOOL, DATA_EVENTFD, DATA_NONE, ERR, INTX, MASK, MSI, MSIX, NO_REPLY, REQ, SET_IRQS,  # noqa: E402
                 TRIGGER, UNMASK, Irq, device, expect, refused)

FIRE, LEVEL, ERROR = 0x0C, 0x10, 0x14
PBA = 0x2000
COUNTS = {INTX: 1, MSI: 4, MSIX: 8, ERR: 1, REQ: 1}


class Irqs(list):
    """Some eventfds, closed at the end."""

    def __init__(self, count):
        super().__init__(Irq() for _ in range(count))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for irq in self:
            irq.close()

    @property
    def fds(self):
        return [irq.fd for irq in self]

    def counts(self):
        return [irq.count() for irq in self]


def fire(c, vector):
    """What trn_pci_fire() said: 0 or a negative errno."""
    c.write32(BAR0, FIRE, vector)
    return struct.unpack("=i", c.region_read(BAR0, FIRE, 4))[0]


def level(c, value):
    c.write32(BAR0, LEVEL, value)


def silent(*irqs):
    """By now a signal would be there: the device is asked after it."""
    return not any(irq.count() for irq in irqs)


# --- The form of the message ---

def test_short():
    with device() as d:
        c = d.connect()
        for length in range(20):
            expect(errno.EINVAL, lambda: c.ask(SET_IRQS, struct.pack("=5I", 20, DATA_NONE | TRIGGER, MSI, 0, 0)[:length]))


def test_argsz():
    with device() as d:
        c = d.connect()
        for argsz in (0, 1, 19):
            expect(errno.EINVAL, lambda: c.ask(SET_IRQS, struct.pack("=5I", argsz, DATA_NONE | TRIGGER, MSI, 0, 0)))


def test_flags():
    """One kind of data, one action, nothing else."""
    with device() as d, Irqs(1) as irqs:
        c = d.connect()
        kinds, actions = (DATA_NONE, DATA_BOOL, DATA_EVENTFD), (MASK, UNMASK, TRIGGER)
        wrong = {0, 64, 1 << 31, DATA_NONE | TRIGGER | 64, DATA_NONE | TRIGGER | 1 << 31}
        wrong |= set(kinds) | set(actions)
        wrong |= {a | b | TRIGGER for a in kinds for b in kinds if a != b}
        wrong |= {DATA_NONE | a | b for a in actions for b in actions if a != b}
        wrong |= {63, 7 | TRIGGER, DATA_NONE | 56}
        for flags in wrong:
            expect(errno.EINVAL, lambda: c.set_irqs(MSIX, flags, 0, 1, b"\1"))
            expect(errno.EINVAL, lambda: c.set_irqs(MSIX, flags, 0, 1, fds=irqs.fds))
        assert c.is_alive()


def test_no_such_kind():
    with device() as d, Irqs(1) as irqs:
        c = d.connect()
        for index in (5, 6, 1 << 31, 0xFFFFFFFF):
            expect(errno.EINVAL, lambda: c.set_irqs(index, DATA_NONE | TRIGGER))
            expect(errno.EINVAL, lambda: c.wire(index, irqs.fds))


def test_range():
    """start + count is inside what GET_IRQ_INFO says, for each kind of data and action; also where the sum overflows."""
    with device() as d, Irqs(8) as irqs:
        c = d.connect()
        for index, count in COUNTS.items():
            for start, number in ((count, 1), (0, count + 1), (count - 1, 2), (0xFFFFFFFF, 1), (0xFFFFFFFF, 2), (1, 0xFFFFFFFF),
                                  (2, 0xFFFFFFFE), (0, 0xFFFFFFFF), (1 << 31, 1 << 31)):
                for action in (MASK, UNMASK, TRIGGER):
                    expect(errno.EINVAL, lambda: c.set_irqs(index, DATA_NONE | action, start, number))
                    expect(errno.EINVAL, lambda: c.set_irqs(index, DATA_BOOL | action, start, number, b"\1" * 16))
                    expect(errno.EINVAL, lambda: c.set_irqs(index, DATA_EVENTFD | action, start, number))
                    if number <= 8:
                        expect(errno.EINVAL, lambda: c.set_irqs(index, DATA_EVENTFD | action, start, number, fds=irqs.fds[:number]))
        assert c.is_alive()


def test_kinds_that_the_device_lacks():
    with device(kind="plain") as d, Irqs(1) as irqs:
        c = d.connect()
        for index in COUNTS:
            expect(errno.EINVAL, lambda: c.wire(index, irqs.fds))
            expect(errno.EINVAL, lambda: c.set_irqs(index, DATA_NONE | TRIGGER, 0, 1))


def test_number_of_descriptors():
    """C23: as many as the count, or none; nothing is wired and nothing kept otherwise."""
    with device() as d, Irqs(6) as irqs:
        c = d.connect().enable()
        with vfu.same_fds(d):
            for count, fds in ((1, 2), (2, 1), (4, 3), (4, 5), (0, 1), (8, 1), (1, 6)):
                expect(errno.EINVAL, lambda: c.set_irqs(MSIX, DATA_EVENTFD | TRIGGER, 0, count, fds=irqs.fds[:fds]))
        assert fire(c, 0) == -errno.ENOTCONN and silent(*irqs)


def test_number_of_bools():
    with device() as d, Irqs(4) as irqs:
        c = d.connect()
        c.wire(MSI, irqs.fds)
        for data in (b"", b"\1", b"\1\1\1"):
            expect(errno.EINVAL, lambda: c.set_irqs(MSI, DATA_BOOL | TRIGGER, 0, 4, data))
        assert silent(*irqs)


def test_what_is_no_eventfd():
    """C28: a descriptor that a device could wait for or write to is refused, and none beside it is wired."""
    with device() as d, Irqs(1) as irqs, tempfile.TemporaryFile() as file:
        c = d.connect().enable()
        pipe, pair = os.pipe(), socket.socketpair()
        folder = os.open("/", os.O_RDONLY)
        null = os.open("/dev/null", os.O_RDWR)
        memory = vfu.memfd(4096)
        with vfu.same_fds(d):
            for fd in (*pipe, pair[0].fileno(), file.fileno(), folder, null, memory):
                expect(errno.EINVAL, lambda: c.wire(MSIX, [irqs[0].fd, fd]))
                expect(errno.EINVAL, lambda: c.wire(INTX, [fd]))
        assert fire(c, 0) == -errno.ENOTCONN and silent(*irqs)
        c.wire(INTX, irqs.fds)
        expect(errno.EINVAL, lambda: c.set_irqs(INTX, DATA_EVENTFD | UNMASK, 0, 1, fds=[pipe[0]]))
        for fd in (*pipe, folder, null, memory):
            os.close(fd)
        for end in pair:
            end.close()


# --- Wiring ---

def test_msix():
    with device() as d, Irqs(8) as irqs:
        c = d.connect().enable()
        c.wire(MSIX, irqs.fds)
        for vector in (0, 7, 3, 3):
            assert fire(c, vector) == 0
        assert irqs.counts() == [1, 0, 0, 2, 0, 0, 0, 1]
        assert fire(c, 8) == -errno.EINVAL and fire(c, 0xFFFFFFFF) == -errno.EINVAL
        assert silent(*irqs)


def test_msi():
    with device() as d, Irqs(4) as irqs:
        c = d.connect().enable()
        c.wire(MSI, irqs.fds)
        for vector in (1, 2, 2):
            assert fire(c, vector) == 0
        assert irqs.counts() == [0, 1, 2, 0]
        assert fire(c, 4) == -errno.EINVAL


def test_nothing_in_use():
    with device() as d:
        c = d.connect().enable()
        assert fire(c, 0) == -errno.ENOTCONN and fire(c, 99) == -errno.EINVAL


def test_in_pieces():
    """As QEMU wires: max_msg_fds at a time, in any order, with gaps."""
    with device() as d, Irqs(8) as irqs:
        c = d.connect().enable()
        for start in (6, 0, 3):
            c.wire(MSIX, irqs.fds[start:start + 2], start=start)
        c.set_irqs(MSIX, DATA_NONE | TRIGGER, 0, 8)
        assert irqs.counts() == [1, 1, 0, 1, 1, 0, 1, 1]


def test_unwire_all():
    """DATA_NONE, TRIGGER and a count of 0 end the use of a kind; every descriptor is closed."""
    with device() as d, Irqs(8) as irqs:
        c = d.connect().enable()
        with vfu.same_fds(d):
            c.wire(MSIX, irqs.fds)
            c.unwire(MSIX)
        assert fire(c, 0) == -errno.ENOTCONN and silent(*irqs)
        c.unwire(MSIX)      # twice is harmless
        c.unwire(MSI)


def test_unwire_a_part():
    """D2: start to start + count, not to count: those are unwired and closed, the others go on."""
    with device() as d, Irqs(8) as irqs:
        c = d.connect().enable()
        for start, count in ((2, 3), (5, 3), (7, 1), (0, 1), (1, 6)):
            c.wire(MSIX, irqs.fds)
            wired = d.fds()
            c.set_irqs(MSIX, DATA_EVENTFD | TRIGGER, start, count)
            assert d.fds() == wired - count
            irqs.counts()
            c.set_irqs(MSIX, DATA_NONE | TRIGGER, 0, 8)
            assert irqs.counts() == [0 if start <= i < start + count else 1 for i in range(8)]
            for vector in range(8):
                assert fire(c, vector) == 0
            assert irqs.counts() == [0 if start <= i < start + count else 1 for i in range(8)]
            c.unwire(MSIX)


def test_unwire_what_is_not_wired():
    """With no descriptors: skipped, as VFIO does with -1."""
    with device() as d, Irqs(2) as irqs:
        c = d.connect().enable()
        c.wire(MSIX, irqs.fds)
        c.set_irqs(MSIX, DATA_EVENTFD | TRIGGER, 4, 4)
        assert fire(c, 1) == 0 and irqs.counts() == [0, 1]


def test_replace():
    """The old descriptor is closed and hears no more. One message that the old one may have missed is told again (no more)."""
    with device() as d, Irqs(2) as irqs:
        c = d.connect().enable()
        c.wire(MSIX, irqs.fds[:1], start=3)
        with vfu.same_fds(d):
            c.wire(MSIX, irqs.fds[1:], start=3)
        assert irqs.counts() == [0, 0]
        assert fire(c, 3) == 0 and irqs.counts() == [0, 1]
        c.wire(MSIX, irqs.fds[:1], start=3)
        assert irqs[0].count() <= 1
        assert fire(c, 3) == 0 and irqs.counts() == [1, 0]


def test_message_before_the_wiring():
    """A vector that is in use, but not wired yet, is not lost: its pending bit, then the signal."""
    with device() as d, Irqs(2) as irqs:
        c = d.connect().enable()
        c.wire(MSIX, irqs.fds[:1])
        assert fire(c, 5) == 0 and c.region_read(BAR4, PBA, 8) == b"\x20\0\0\0\0\0\0\0"
        c.wire(MSIX, irqs.fds[1:], start=5)
        assert irqs.counts() == [0, 1] and c.region_read(BAR4, PBA, 8) == bytes(8)


def test_one_mode_at_a_time():
    """C16: INTx, MSI and MSI-X exclude each other until the one in use is given up."""
    with device() as d, Irqs(2) as irqs:
        c = d.connect().enable()
        for used in (INTX, MSI, MSIX):
            c.wire(used, irqs.fds[:1])
            before = d.fds()
            for other in (INTX, MSI, MSIX):
                if other != used:
                    expect(errno.EINVAL, lambda: c.wire(other, irqs.fds[1:]))
                    expect(errno.EINVAL, lambda: c.set_irqs(other, DATA_NONE | TRIGGER, 0, 1))
            assert d.fds() == before
            c.set_irqs(used, DATA_NONE | TRIGGER, 0, 1)
            assert irqs.counts() == [1, 0]
            c.unwire(used)


def test_err_and_req_beside_them():
    with device() as d, Irqs(3) as irqs:
        c = d.connect().enable()
        c.wire(MSIX, irqs.fds[:1])
        c.wire(ERR, irqs.fds[1:2])
        c.wire(REQ, irqs.fds[2:])
        c.write32(BAR0, ERROR, 1)
        assert irqs.counts() == [0, 1, 0]
        c.set_irqs(REQ, DATA_NONE | TRIGGER, 0, 1)
        assert irqs.counts() == [0, 0, 1]
        c.unwire(ERR)
        c.unwire(REQ)
        c.write32(BAR0, ERROR, 1)
        assert fire(c, 0) == 0 and irqs.counts() == [1, 0, 0]


# --- Loop-back ---

def test_loop_back():
    """NONE and BOOL with TRIGGER fire what is wired, without the device."""
    with device() as d, Irqs(8) as irqs:
        c = d.connect()
        c.wire(MSIX, irqs.fds)
        c.set_irqs(MSIX, DATA_NONE | TRIGGER, 0, 8)
        assert irqs.counts() == [1] * 8
        c.set_irqs(MSIX, DATA_NONE | TRIGGER, 3, 2)
        assert irqs.counts() == [0, 0, 0, 1, 1, 0, 0, 0]
        c.set_irqs(MSIX, DATA_BOOL | TRIGGER, 2, 5, b"\1\0\x80\0\xff")
        assert irqs.counts() == [0, 0, 1, 0, 1, 0, 1, 0]
        c.set_irqs(MSIX, DATA_BOOL | TRIGGER, 0, 8, bytes(8))
        assert silent(*irqs)


def test_loop_back_of_each_kind():
    with device() as d, Irqs(1) as irqs:
        c = d.connect()
        for index in COUNTS:
            c.wire(index, irqs.fds)
            c.set_irqs(index, DATA_NONE | TRIGGER, 0, 1)
            c.set_irqs(index, DATA_BOOL | TRIGGER, 0, 1, b"\1")
            assert irqs.counts() == [2]
            c.unwire(index)


def test_loop_back_of_what_is_not_wired():
    with device() as d, Irqs(1) as irqs:
        c = d.connect()
        for index in (INTX, MSI, MSIX):
            expect(errno.EINVAL, lambda: c.set_irqs(index, DATA_NONE | TRIGGER, 0, 1))
        c.wire(MSIX, irqs.fds, start=1)
        c.set_irqs(MSIX, DATA_NONE | TRIGGER, 0, 8)
        assert irqs.counts() == [1]


def test_loop_back_without_reply():
    with device() as d, Irqs(1) as irqs:
        c = d.connect()
        c.send(SET_IRQS, struct.pack("=5I", 20, DATA_EVENTFD | TRIGGER, MSI, 0, 1), irqs.fds, flags=NO_REPLY)
        c.send(SET_IRQS, struct.pack("=5I", 20, DATA_NONE | TRIGGER, MSI, 0, 1), flags=NO_REPLY)
        assert c.is_alive() and irqs.counts() == [1]


# --- INTx ---

def test_automask():
    """C16: it fires once and is masked then, until it is unmasked; the level is looked at again."""
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        c.wire(INTX, [irq.fd])
        level(c, 1)
        assert irq.count(20) == 1
        level(c, 1)
        level(c, 0)
        level(c, 1)
        assert silent(irq)
        c.set_irqs(INTX, DATA_NONE | UNMASK, 0, 1)
        assert irq.count(20) == 1        # still asserted
        level(c, 0)
        c.set_irqs(INTX, DATA_NONE | UNMASK, 0, 1)
        assert silent(irq)
        level(c, 1)
        assert irq.count(20) == 1


def test_level_before_the_wiring():
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        level(c, 1)
        c.wire(INTX, [irq.fd])
        assert irq.count(20) == 1


def test_mask():
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        c.wire(INTX, [irq.fd])
        for data, body in ((DATA_NONE, b""), (DATA_BOOL, b"\1")):
            c.set_irqs(INTX, data | MASK, 0, 1, body)
            level(c, 1)
            assert silent(irq)
            c.set_irqs(INTX, data | UNMASK, 0, 1, body)
            assert irq.count(20) == 1
            level(c, 0)
            c.set_irqs(INTX, DATA_NONE | UNMASK, 0, 1)
        assert silent(irq)


def test_bool_that_is_false():
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        c.wire(INTX, [irq.fd])
        c.set_irqs(INTX, DATA_BOOL | MASK, 0, 1, b"\0")
        level(c, 1)
        assert irq.count(20) == 1
        c.set_irqs(INTX, DATA_BOOL | UNMASK, 0, 1, b"\0")
        assert silent(irq)


def test_mask_while_masked_by_itself():
    """What it did itself and what it was told are one mask: unmask ends both."""
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        c.wire(INTX, [irq.fd])
        level(c, 1)
        assert irq.count(20) == 1
        c.set_irqs(INTX, DATA_NONE | MASK, 0, 1)
        c.set_irqs(INTX, DATA_NONE | UNMASK, 0, 1)
        assert irq.count(20) == 1


def test_unmask_by_eventfd():
    """As KVM's resample descriptor: each signal unmasks."""
    with device() as d, Irqs(2) as [irq, unmask]:
        c = d.connect().enable()
        c.wire(INTX, [irq.fd])
        c.set_irqs(INTX, DATA_EVENTFD | UNMASK, 0, 1, fds=[unmask.fd])
        level(c, 1)
        for _ in range(3):
            assert irq.count(20) == 1
            os.write(unmask.fd, (1).to_bytes(8, "little"))
        assert irq.count(20) == 1
        level(c, 0)
        os.write(unmask.fd, (1).to_bytes(8, "little"))
        vfu.eventually(lambda: not select.select([unmask.fd], [], [], 0)[0], "the device takes the signal")
        assert irq.count(0.1) == 0
        c.set_irqs(INTX, DATA_EVENTFD | UNMASK, 0, 1)       # no descriptor: it is taken away
        level(c, 1)
        assert irq.count(20) == 1
        os.write(unmask.fd, (1).to_bytes(8, "little"))
        assert irq.count(0.1) == 0
        c.set_irqs(INTX, DATA_NONE | UNMASK, 0, 1)
        assert irq.count(20) == 1
        d.fds_at_start += 1     # what wakes the thread that waits stays for the next time


def test_unmask_by_another_eventfd():
    with device() as d, Irqs(3) as [irq, old, new]:
        c = d.connect().enable()
        c.wire(INTX, [irq.fd])
        for fd in (old.fd, new.fd):
            c.set_irqs(INTX, DATA_EVENTFD | UNMASK, 0, 1, fds=[fd])
        level(c, 1)
        assert irq.count(20) == 1
        os.write(old.fd, (1).to_bytes(8, "little"))
        assert irq.count(0.1) == 0
        os.write(new.fd, (1).to_bytes(8, "little"))
        assert irq.count(20) == 1
        c.unwire(INTX)
        c.close()       # with the descriptor still there
        d.fds_at_start += 1


def test_mask_by_eventfd():
    """C16: that does not exist."""
    with device() as d, Irqs(2) as [irq, mask]:
        c = d.connect()
        c.wire(INTX, [irq.fd])
        expect(errno.ENOTTY, lambda: c.set_irqs(INTX, DATA_EVENTFD | MASK, 0, 1, fds=[mask.fd]))


def test_mask_of_messages():
    """C16: the vectors of the others are not masked by SET_IRQS."""
    with device() as d, Irqs(1) as [irq]:
        c = d.connect()
        for index in (MSI, MSIX, ERR, REQ):
            c.wire(index, [irq.fd])
            for action in (MASK, UNMASK):
                expect(errno.ENOTTY, lambda: c.set_irqs(index, DATA_NONE | action, 0, 1))
                expect(errno.ENOTTY, lambda: c.set_irqs(index, DATA_BOOL | action, 0, 1, b"\1"))
                expect(errno.ENOTTY, lambda: c.set_irqs(index, DATA_EVENTFD | action, 0, 1, fds=[irq.fd]))
            c.unwire(index)


def test_mask_of_intx_that_is_not_in_use():
    with device() as d, Irqs(1) as [irq]:
        c = d.connect()
        for action in (MASK, UNMASK):
            expect(errno.EINVAL, lambda: c.set_irqs(INTX, DATA_NONE | action, 0, 1))
        expect(errno.EINVAL, lambda: c.set_irqs(INTX, DATA_EVENTFD | UNMASK, 0, 1, fds=[irq.fd]))


def test_intx_is_unwired():
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        with vfu.same_fds(d):
            c.wire(INTX, [irq.fd])
            c.set_irqs(INTX, DATA_EVENTFD | TRIGGER, 0, 1)
        level(c, 1)
        assert silent(irq)
        c.wire(INTX, [irq.fd])
        assert irq.count(20) == 1
        c.unwire(INTX)
        level(c, 0)
        level(c, 1)
        assert silent(irq)


def test_intx_disable_of_the_command_register():
    """The level is there, the guest does not want to hear of it: STATUS tells it."""
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable(7 | 1 << 10)
        c.wire(INTX, [irq.fd])
        level(c, 1)
        assert silent(irq) and c.config16(6) & 8
        c.enable(7)
        assert irq.count(20) == 1
        level(c, 0)
        assert not c.config16(6) & 8


# --- Around them ---

def test_full_counter():
    """C28: an eventfd that would make the writer wait makes nobody wait."""
    with device() as d, Irqs(2) as irqs:
        c = d.connect().enable()
        c.wire(MSIX, irqs.fds)
        os.write(irqs[0].fd, (2 ** 64 - 2).to_bytes(8, "little"))
        os.set_blocking(irqs[0].fd, True)
        assert fire(c, 0) == 0 and fire(c, 1) == 0
        c.set_irqs(MSIX, DATA_NONE | TRIGGER, 0, 2)
        assert c.is_alive() and irqs[1].count() == 2


def test_in_each_state():
    """C21, D3: a stopped device can be wired; what it has to say waits until it runs."""
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        for state in (vfu.S_RUNNING_P2P, vfu.S_STOP, vfu.S_STOP_COPY, vfu.S_RESUMING):
            c.go(state)
            for index in (MSIX, MSI, INTX, ERR):
                c.wire(index, [irq.fd])
                c.set_irqs(index, DATA_NONE | TRIGGER, 0, 1)
                assert irq.count() >= 1
                c.unwire(index)
        c.reset()       # nothing was loaded, so there is no other way out of RESUMING
        c.enable()
        c.wire(MSIX, [irq.fd])
        irq.count()
        assert fire(c, 0) == 0 and irq.count(20) == 1


def test_quiet_device():
    """C19: in RUNNING_P2P it starts no interrupt; afterwards it is not lost."""
    with device() as d, Irqs(1) as [irq]:
        c = d.connect().enable()
        c.wire(MSIX, [irq.fd])
        c.go(vfu.S_RUNNING_P2P)
        assert fire(c, 0) == 0 and silent(irq)
        c.go(vfu.S_RUNNING)
        assert irq.count(20) == 1
        c.unwire(MSIX)
        c.wire(INTX, [irq.fd])
        c.go(vfu.S_RUNNING_P2P)
        level(c, 1)
        assert silent(irq)
        c.go(vfu.S_RUNNING)
        assert irq.count(20) == 1


def test_disconnect():
    """C27: the descriptors of one who leaves are closed, and the next one wires anew."""
    with device() as d, Irqs(8) as irqs:
        for index in (MSIX, MSI, INTX):
            c = d.connect().enable()
            c.wire(index, irqs.fds[:COUNTS[index]])
            c.wire(ERR, irqs.fds[:1])
            c.close()
            vfu.eventually(lambda: d.fds() <= d.fds_at_start, "the descriptors are closed")
        c = d.connect()
        c.write32(BAR0, ERROR, 1)
        assert silent(*irqs)
        irqs.counts()
        c.wire(MSI, irqs.fds[:1])
        assert fire(c, 0) == 0 and irqs[0].count() >= 1


def test_wire_a_thousand_times():
    with device() as d, Irqs(8) as irqs:
        c = d.connect()
        with vfu.same_fds(d):
            for i in range(1000):
                body = struct.pack("=5I", 20, DATA_EVENTFD | TRIGGER, MSIX, i % 4, 4)
                c.send(SET_IRQS, body, irqs.fds[:4], flags=NO_REPLY)
            c.unwire(MSIX)


def test_what_is_refused_changes_nothing():
    with device() as d, Irqs(2) as irqs:
        c = d.connect().enable()
        c.wire(MSIX, irqs.fds)
        refused(lambda: c.set_irqs(MSIX, DATA_EVENTFD | TRIGGER, 0, 9))
        refused(lambda: c.set_irqs(MSIX, DATA_EVENTFD | TRIGGER, 0, 2, fds=irqs.fds[:1]))
        refused(lambda: c.set_irqs(MSIX, DATA_NONE | MASK, 0, 2))
        refused(lambda: c.wire(MSI, irqs.fds))
        assert fire(c, 0) == 0 and fire(c, 1) == 0 and irqs.counts() == [1, 1]
        assert c.region_read(CONFIG, 0, 4) == b"\xf4\x1a\xf0\x10"


if __name__ == "__main__":
    vfu.main()
