#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""GET_REGION_IO_FDS: writes that a client can turn into signals by itself."""
import errno
import mmap
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR1, BAR2, BAR3, BAR4, CONFIG, GET_REGION_IO_FDS, NO_REPLY, OWN, ROM, VGA, default_caps, device, expect,  # noqa: E402
                 eventually)

DOORBELL, DOORBELL2, RINGS = 0x40, 0x44, 0x48
MATCH = 7
ENTRY = struct.Struct("=QQIIIIQQ")
IOEVENTFD, SHADOW, DATAMATCH = 0, 2, 1


def ask(c, index=BAR0, argsz=4096, flags=0, count=0):
    """((argsz, flags, index, count), entries, reply)"""
    reply = c.ask(GET_REGION_IO_FDS, struct.pack("=4I", argsz, flags, index, count))
    fixed = struct.unpack_from("=4I", reply.body)
    assert fixed[2] == index and (len(reply.body) - 16) % ENTRY.size == 0
    return fixed, [ENTRY.unpack_from(reply.body, at) for at in range(16, len(reply.body), ENTRY.size)], reply


def rings(c):
    """(signals of DOORBELL, of DOORBELL2) since init"""
    value = c.read32(BAR0, RINGS)
    return value & 0xFFFF, value >> 16


def ring(fd):
    os.write(fd, (1).to_bytes(8, "little"))


def test_list():
    with device() as d:
        c = d.connect()
        (argsz, flags, _, count), entries, reply = ask(c)
        assert (argsz, flags, count) == (len(reply.body), 0, 2) and argsz == 16 + 2 * ENTRY.size
        plain, matched = sorted(entries)
        assert plain[:2] == (DOORBELL, 4) and plain[3:5] == (IOEVENTFD, 0)
        assert matched[:2] == (DOORBELL2, 4) and matched[3:5] == (SHADOW, DATAMATCH) and matched[7] == MATCH
        numbers = [plain[2], matched[2], matched[5]]
        assert sorted(numbers) == [0, 1, 2] and len(reply.fds) == 3
        reply.close()


def test_others_have_none():
    """C15: an absent region, too."""
    with device() as d:
        c = d.connect()
        for index in (BAR1, BAR2, BAR3, BAR4, ROM, CONFIG, VGA, OWN):
            (argsz, _, _, count), entries, reply = ask(c, index)
            assert (argsz, count) == (16, 0) and not entries and not reply.fds


def test_argsz():
    """C12."""
    with device() as d:
        c = d.connect()
        for argsz in (0, 8, 15):
            expect(errno.EINVAL, lambda: ask(c, argsz=argsz))
        for argsz in (16, 17, 64, 111):
            (needed, _, _, _), entries, reply = ask(c, argsz=argsz)
            assert needed == 112 and not entries and not reply.fds
        _, entries, reply = ask(c, argsz=112)
        assert len(entries) == 2
        reply.close()


def test_wrong():
    with device() as d:
        c = d.connect()
        for index in (10, 255, 0xFFFFFFFF):
            expect(errno.EINVAL, lambda: ask(c, index))
        expect(errno.EINVAL, lambda: ask(c, flags=1))
        expect(errno.EINVAL, lambda: ask(c, count=1))
        assert c.is_alive()


def test_signal_rings():
    """What the client signals by itself is what the device hears."""
    with device() as d:
        c = d.connect().enable()
        _, entries, reply = ask(c)
        plain, matched = sorted(entries)
        assert rings(c) == (0, 0)
        ring(reply.fds[plain[2]])
        assert rings(c) == (1, 0)
        ring(reply.fds[plain[2]])
        ring(reply.fds[plain[2]])
        ring(reply.fds[matched[2]])
        assert rings(c) == (3, 1)
        reply.close()


def test_message_rings_too():
    """A client that does not ask for descriptors misses nothing: any value, of the right size."""
    with device() as d:
        c = d.connect().enable()
        for i, value in enumerate((0, 1, 0xFFFFFFFF)):
            c.write32(BAR0, DOORBELL, value)
            assert rings(c) == (i + 1, 0)
        c.post(BAR0, DOORBELL, b"\1\1\1\1")
        c.write_multi([(BAR0, DOORBELL, b"\1\1\1\1")] * 10)
        assert rings(c) == (14, 0)
        for at, data in ((DOORBELL, b"\1"), (DOORBELL, b"\1\1"), (DOORBELL + 2, b"\1\1"), (DOORBELL, b"\1" * 8), (DOORBELL - 2, b"\1" * 4)):
            c.region_write(BAR0, at, data)
        assert rings(c) == (14, 0)


def test_datamatch():
    with device() as d:
        c = d.connect().enable()
        for value in (0, 6, 8, 7 << 8, 1 << 31 | 7, 7 << 24):
            c.write32(BAR0, DOORBELL2, value)
        c.region_write(BAR0, DOORBELL2, b"\7")
        c.region_write(BAR0, DOORBELL2, b"\7\0")
        c.region_write(BAR0, DOORBELL2, b"\7\0\0\0\0\0\0\0")
        assert rings(c) == (0, 0)
        c.write32(BAR0, DOORBELL2, MATCH)
        assert rings(c) == (0, 1)


def test_shadow_memory():
    """The value is there before the signal, at the offset that the list says."""
    with device() as d:
        c = d.connect().enable()
        _, entries, reply = ask(c)
        matched = max(entries)
        with mmap.mmap(reply.fds[matched[5]], 4096) as shadow:
            at = matched[6]
            assert at % 4 == 0 and shadow[at:at + 4] == bytes(4)
            c.write32(BAR0, DOORBELL2, 8)
            assert shadow[at:at + 4] == bytes(4)
            c.write32(BAR0, DOORBELL2, MATCH)
            assert shadow[at:at + 4] == b"\7\0\0\0" and rings(c) == (0, 1)
            assert not any(shadow[:at]) and not any(shadow[at + 4:])
        reply.close()


def test_shadow_cannot_hurt():
    """C28: its holder cannot make it shorter."""
    with device() as d:
        c = d.connect().enable()
        _, entries, reply = ask(c)
        try:
            os.ftruncate(reply.fds[max(entries)[5]], 0)
            raise AssertionError("the shadow memory can be made shorter")
        except OSError as error:
            assert error.errno in (errno.EPERM, errno.EINVAL)
        c.write32(BAR0, DOORBELL2, MATCH)
        assert rings(c) == (0, 1)
        reply.close()


def test_full_counter():
    """An eventfd that cannot count higher, or that another reads, makes nobody wait."""
    with device() as d:
        c = d.connect().enable()
        _, entries, reply = ask(c)
        os.write(reply.fds[min(entries)[2]], (2 ** 64 - 2).to_bytes(8, "little"))
        c.write32(BAR0, DOORBELL, 1)
        assert c.is_alive()
        reply.close()


def test_descriptor_that_blocks():
    """C28: a client may set the flags of what it shares with the device, which waits neither to ring nor to look."""
    with device() as d:
        c = d.connect().enable()
        _, entries, reply = ask(c)
        for _, _, number, *_ in entries:
            os.set_blocking(reply.fds[number], True)
        assert rings(c) == (0, 0)
        os.write(reply.fds[min(entries)[2]], (2 ** 64 - 2).to_bytes(8, "little"))
        c.write32(BAR0, DOORBELL, 1)
        assert c.is_alive() and rings(c)[0] and rings(c)[1] == 0
        reply.close()


def test_memory_is_off():
    """C17: a message does not ring then."""
    with device() as d:
        c = d.connect()
        expect(errno.EIO, lambda: c.write32(BAR0, DOORBELL, 1))
        c.enable()
        assert rings(c) == (0, 0)


def test_no_more_descriptors_than_the_client_takes():
    """C23: they are offers; those that do not fit are left out."""
    with device() as d:
        for most, count, fds in ((0, 0, 0), (1, 1, 1), (2, 1, 1), (3, 2, 3), (8, 2, 3)):
            c = d.connect(caps=default_caps(max_msg_fds=most))
            fixed, entries, reply = ask(c)
            assert fixed[3] == len(entries) == count and len(reply.fds) == fds
            reply.close()
            c.close()


def test_descriptors_are_not_lost():
    with device() as d:
        c = d.connect()
        with vfu.same_fds(d):
            for _ in range(20):
                ask(c)[2].close()
                ask(c, argsz=16)[2].close()
                c.send(GET_REGION_IO_FDS, struct.pack("=4I", 4096, 0, BAR0, 0), flags=NO_REPLY)
            c.device_info()


def test_after_the_connection():
    """A client that has left can ring still, which is harmless, and the next one gets the same doorbell."""
    with device() as d:
        c = d.connect().enable()
        _, entries, reply = ask(c)
        c.close()
        c = d.connect()
        ring(reply.fds[min(entries)[2]])
        eventually(lambda: rings(c) == (1, 0), "the doorbell was heard")
        reply.close()


if __name__ == "__main__":
    vfu.main()
