#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""REGION_WRITE: any length and alignment, with a reply or posted, always in order."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR1, BAR2, BAR3, BAR4, BAR5, CONFIG, NO_REPLY, OWN, REGION_READ, REGION_WRITE, REPLY, ROM, VGA, device,  # noqa: E402
                 expect, message, refused)

SCRATCH, COUNTER, LAST, REJECT, STORAGE = 0x04, 0x08, 0x1C, 0x4C, 0x80
SIZES = {BAR0: 4096, BAR1: 32, BAR2: 1 << 20, BAR4: 16384, OWN: 8192}


def access(region, offset, data, count=None):
    return struct.pack("=QII", offset, region, len(data) if count is None else count) + data


def test_reply():
    """The request again, without the data."""
    with device() as d:
        c = d.connect().enable()
        c.send(REGION_WRITE, access(BAR0, SCRATCH, b"abcd"), ident=3)
        reply = c.receive()
        assert (reply.ident, reply.command, reply.flags) == (3, REGION_WRITE, REPLY)
        assert reply.body == struct.pack("=QII", SCRATCH, BAR0, 4)


def test_any_size_and_alignment():
    with device() as d:
        c = d.connect().enable()
        mirror = bytearray(128)
        for at in range(0, 20):
            for count in range(1, 20):
                data = os.urandom(count)
                c.region_write(BAR0, STORAGE + at, data)
                mirror[at:at + count] = data
                assert c.region_read(BAR0, STORAGE, 128) == mirror
        c.region_write(BAR0, STORAGE, bytes(range(128)))
        assert c.region_read(BAR0, STORAGE, 128) == bytes(range(128))


def test_parts_of_registers():
    with device() as d:
        c = d.connect().enable()
        for i in range(4):
            c.region_write(BAR0, SCRATCH + i, bytes([0x11 * (i + 1)]))
        assert c.read32(BAR0, SCRATCH) == 0x44332211 == c.read32(BAR0, LAST)
        c.region_write(BAR0, SCRATCH + 1, b"\xaa\xbb")
        assert c.read32(BAR0, SCRATCH) == 0x44BBAA11
        before = c.read32(BAR0, COUNTER)
        c.region_write(BAR0, SCRATCH, b"\1\0\0\0\2\0\0\0")      # two registers in one access
        assert c.read32(BAR0, SCRATCH) == 1 and c.read32(BAR0, COUNTER) == before + 1


def test_storage_of_each_region():
    with device() as d:
        c = d.connect().enable()
        for region, at, size in ((BAR0, 0x80, 128), (BAR1, 0, 32), (BAR2, 0, 1 << 20), (BAR4, 0x2100, 0x1F00), (OWN, 0, 8192)):
            data = os.urandom(size)
            c.region_write(region, at, data)
            assert c.region_read(region, at, size) == data


def test_ends_of_regions():
    with device() as d:
        c = d.connect().enable()
        for region, size in {**SIZES, CONFIG: 4096}.items():
            for count in (1, 2, 3, 4, 8):
                c.region_write(region, size - count, bytes(count))
                for at in (size - count + 1, size - 1 + (count == 1), size, size + 1):
                    expect(errno.EINVAL, lambda: c.region_write(region, at, bytes(count)))
        assert c.is_alive()


def test_nothing_is_written_across_the_end():
    with device() as d:
        c = d.connect().enable()
        expect(errno.EINVAL, lambda: c.region_write(BAR2, (1 << 20) - 4, b"\xff" * 8))
        expect(errno.EINVAL, lambda: c.region_write(BAR1, 28, b"\xff" * 8))
        assert c.region_read(BAR2, (1 << 20) - 4, 4) == bytes(4) == c.region_read(BAR1, 28, 4)


def test_overflow():
    with device() as d:
        c = d.connect().enable()
        for region in SIZES:
            for offset, count in ((2 ** 64 - 1, 1), (2 ** 64 - 1, 2), (2 ** 64 - 4, 4), (2 ** 64 - 4, 8), (2 ** 63, 4), (2 ** 32, 4)):
                expect(errno.EINVAL, lambda: c.region_write(region, offset, b"\xff" * count))
        assert c.read32(BAR0, 0) == vfu.ID and c.region_read(BAR2, 0, 8) == bytes(8)


def test_no_such_region():
    with device() as d:
        c = d.connect().enable()
        for region in (BAR3, BAR5, VGA, 10, 11, 1 << 31, 0xFFFFFFFF):
            expect(errno.EINVAL, lambda: c.region_write(region, 0, b"\0\0\0\0"))


def test_count_and_data():
    """What the header says and what the message brings are one number."""
    with device() as d:
        c = d.connect().enable()
        for count, data in ((4, b""), (4, b"\1\1\1"), (4, b"\1" * 5), (0, b"\1"), (8, b"\1" * 4), (1 << 31, b"\1" * 4),
                            (0xFFFFFFFF, b"\1" * 4), (0xFFFFFFF0, b"\1" * 4)):
            refused(lambda: c.ask(REGION_WRITE, access(BAR0, SCRATCH, data, count)), errno.EINVAL, errno.E2BIG)
        assert c.read32(BAR0, SCRATCH) == 0 and c.is_alive()
        c.region_write(BAR0, SCRATCH, b"")
        assert c.read32(BAR0, COUNTER) == 0


def test_large():
    """C23."""
    with device() as d:
        c = d.connect().enable()
        most = c.caps["max_data_xfer_size"]
        c.region_write(BAR2, 0, b"\x77" * most)
        refused(lambda: c.region_write(BAR2, 0, b"\x88" * (most + 1)), errno.E2BIG, errno.EINVAL)
        assert c.region_read(BAR2, 0, most) == b"\x77" * most


def test_memory_is_off():
    """C17: refused, and nothing is written."""
    with device() as d:
        c = d.connect().enable()
        for region in (BAR0, BAR1, BAR2, BAR4):
            at = 0x2100 if region == BAR4 else 4
            c.region_write(region, at, b"\1\2\3\4")
            c.enable(2 if region == BAR1 else 1)
            expect(errno.EIO, lambda: c.region_write(region, at, b"\5\6\7\x08"))
            c.enable()
            assert c.region_read(region, at, 4) == b"\1\2\3\4"
        c.enable(0)
        c.region_write(OWN, 0, b"here")
        assert c.region_read(OWN, 0, 4) == b"here"


def test_device_refuses():
    with device() as d:
        c = d.connect().enable()
        for at, count in ((REJECT, 4), (REJECT, 1), (REJECT + 3, 2), (REJECT - 1, 2)):
            expect(errno.EPERM, lambda: c.region_write(BAR0, at, b"\1" * count))
        assert c.is_alive()


def test_rom_is_read_only():
    with device() as d:
        c = d.connect().enable()
        rom = c.region_read(ROM, 0, 2048)
        for at, data in ((0, b"\0\0"), (100, b"\xff"), (0, b"\0" * 2048)):
            refused(lambda: c.region_write(ROM, at, data), errno.EACCES, errno.EINVAL, errno.EPERM)
            c.post(ROM, at, data)
        assert c.region_read(ROM, 0, 2048) == rom


def test_posted_before_read():
    """C24: what was posted has been done when a later read is answered."""
    with device() as d:
        c = d.connect().enable()
        for i in range(500):
            c.post(BAR0, SCRATCH, struct.pack("=I", i))
            if i % 7 == 0:
                assert c.read32(BAR0, LAST) == i
        assert c.read32(BAR0, LAST) == 499


def test_posted_in_order():
    """C24: among each other, too, whatever region and however they arrive."""
    with device() as d:
        c = d.connect().enable()
        data = b""
        for i in range(2000):
            data += message(REGION_WRITE, access(BAR0, COUNTER if i % 2 else SCRATCH, struct.pack("=I", i)), flags=NO_REPLY)
            data += message(REGION_WRITE, access(BAR2, 8 * i, struct.pack("=Q", i)), flags=NO_REPLY)
            if i % 100 == 99:
                data += message(REGION_READ, struct.pack("=QII", LAST, BAR0, 4), ident=i)
        c.send_raw(data)
        for i in range(99, 2000, 100):
            reply = c.receive()
            assert reply.ident == i and reply.body[16:] == struct.pack("=I", i)
        assert c.read32(BAR0, COUNTER) == 1000
        assert c.region_read(BAR2, 0, 16000) == struct.pack("=2000Q", *range(2000))


def test_posted_before_command_register():
    """C24: a write to a BAR and the one that turns memory off do not pass each other."""
    with device() as d:
        c = d.connect().enable()
        for i in range(50):
            c.post(BAR0, SCRATCH, struct.pack("=I", i + 1))
            c.post(CONFIG, 4, b"\0\0")
            c.post(BAR0, SCRATCH, b"\xff\xff\xff\xff")
            c.post(CONFIG, 4, b"\7\0")
            assert c.read32(BAR0, SCRATCH) == i + 1


def test_posted_that_fails():
    """Nobody hears of it."""
    with device() as d:
        c = d.connect().enable()
        for region, offset, data in ((BAR0, REJECT, b"\1" * 4), (BAR0, 1 << 40, b"\1" * 4), (99, 0, b"\1"), (ROM, 0, b"\1"), (BAR3, 0, b"\1")):
            c.post(region, offset, data)
        c.send(REGION_WRITE, access(BAR0, SCRATCH, b"\1\1", 4), flags=NO_REPLY)
        c.send(REGION_WRITE, b"", flags=NO_REPLY)
        assert c.is_alive() and c.read32(BAR0, SCRATCH) == 0


def test_in_each_state():
    """C21: a stopped device takes writes that only store."""
    with device() as d:
        c = d.connect().enable()
        for i, state in enumerate((vfu.S_RUNNING_P2P, vfu.S_STOP, vfu.S_RUNNING)):
            c.go(state)
            c.region_write(BAR2, 16 * i, b"more")
            assert c.region_read(BAR2, 16 * i, 4) == b"more"


if __name__ == "__main__":
    vfu.main()
