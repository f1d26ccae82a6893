#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""REGION_WRITE_MULTI: many small writes in one message, as if each had come in its own (D8: others lack it)."""
import errno
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import BAR0, BAR1, BAR2, BAR3, CONFIG, NO_REPLY, ROM, WRITE_MULTI, default_caps, device, expect, refused  # noqa: E402

SCRATCH, COUNTER, LAST, REJECT, STORAGE = 0x04, 0x08, 0x1C, 0x4C, 0x80


def entry(region, offset, data, count=None):
    return struct.pack("=QII8s", offset, region, len(data) if count is None else count, data)


def ask(c, entries, count=None):
    """How many the server says that it has written."""
    reply = c.ask(WRITE_MULTI, struct.pack("=Q", len(entries) if count is None else count) + b"".join(entries))
    assert len(reply.body) == 8
    return struct.unpack("=Q", reply.body)[0]


def test_posted():
    """C24: in order, and before a later read."""
    with device() as d:
        c = d.connect().enable()
        for i in range(100):
            c.write_multi([(BAR0, SCRATCH, struct.pack("=I", 10 * i + j)) for j in range(10)])
            assert c.read32(BAR0, LAST) == 10 * i + 9
        c.write_multi([(BAR0, COUNTER, b"\0\0\0\0")] * 200)     # as many as QEMU gathers
        assert c.read32(BAR0, COUNTER) == 200 and c.is_alive()


def test_with_reply():
    with device() as d:
        c = d.connect().enable()
        assert ask(c, [entry(BAR0, SCRATCH, b"\1\0\0\0"), entry(BAR0, SCRATCH, b"\2\0\0\0")]) == 2
        assert c.read32(BAR0, SCRATCH) == 2
        assert ask(c, []) == 0


def test_each_size():
    with device() as d:
        c = d.connect().enable()
        mirror = bytearray(128)
        for count in range(9):
            for at in range(0, 100, 9):
                data = bytes((at + count + i) % 256 for i in range(count))
                c.write_multi([(BAR0, STORAGE + at, data)])
                mirror[at:at + count] = data
        assert c.region_read(BAR0, STORAGE, 128) == mirror


def test_bytes_behind_the_count_are_ignored():
    with device() as d:
        c = d.connect().enable()
        assert ask(c, [entry(BAR0, STORAGE, b"abcdefgh", count=2)]) == 1
        assert c.region_read(BAR0, STORAGE, 8) == b"ab\0\0\0\0\0\0"


def test_several_regions():
    with device() as d:
        c = d.connect()
        c.write_multi([(CONFIG, 4, b"\7\0"), (BAR0, STORAGE, b"bar0"), (BAR1, 4, b"bar1"), (BAR2, (1 << 20) - 4, b"bar2"),
                       (CONFIG, 0x3C, b"\x55")])
        assert c.region_read(BAR0, STORAGE, 4) == b"bar0" and c.region_read(BAR1, 4, 4) == b"bar1"
        assert c.region_read(BAR2, (1 << 20) - 4, 4) == b"bar2" and c.region_read(CONFIG, 0x3C, 1) == b"\x55"


def test_one_that_fails():
    """Those before and behind are done; the reply says how many."""
    with device() as d:
        c = d.connect().enable()
        wrong = [(BAR0, REJECT, b"\1\0\0\0"), (BAR0, 4096, b"\1"), (BAR3, 0, b"\1"), (99, 0, b"\1"), (BAR0, 2 ** 64 - 1, b"\1\1"),
                 (ROM, 0, b"\1")]
        for i, one in enumerate(wrong):
            right = struct.pack("=I", 100 + i)
            assert ask(c, [entry(BAR0, STORAGE, right), entry(*one), entry(BAR0, STORAGE + 4, right)]) == 2
            assert c.region_read(BAR0, STORAGE, 8) == right * 2
            refused(lambda: ask(c, [entry(*one)]), errno.EPERM, errno.EINVAL, errno.EACCES)
            c.write_multi([one])
        assert c.is_alive()


def test_memory_is_off():
    with device() as d:
        c = d.connect()
        expect(errno.EIO, lambda: ask(c, [entry(BAR0, SCRATCH, b"\1\0\0\0")]))
        assert c.enable().read32(BAR0, SCRATCH) == 0


def test_wrong_count():
    """Nothing is written then."""
    with device() as d:
        c = d.connect().enable()
        one = entry(BAR0, SCRATCH, b"\1\0\0\0")
        for entries, count in (([one], 0), ([one], 2), ([], 1), ([one] * 3, 2), ([one], 1 << 32), ([one], (1 << 32) + 1),
                               ([one], 2 ** 64 - 1), ([], 2 ** 61), ([one], 2 ** 63 // 12 + 1), ([one[:23]], 1), ([one + b"\0"], 1)):
            expect(errno.EINVAL, lambda: ask(c, entries, count))
        assert c.read32(BAR0, SCRATCH) == 0 and c.is_alive()


def test_count_of_a_write():
    with device() as d:
        c = d.connect().enable()
        for count in (9, 16, 256, 1 << 31, 0xFFFFFFFF):
            expect(errno.EINVAL, lambda: ask(c, [entry(BAR0, STORAGE, b"\1" * 8), entry(BAR0, STORAGE, b"\1" * 8, count=count)]))
        assert c.region_read(BAR0, STORAGE, 8) == bytes(8)


def test_short():
    with device() as d:
        c = d.connect()
        for length in range(8):
            expect(errno.EINVAL, lambda: c.ask(WRITE_MULTI, b"\0" * length))
            c.send(WRITE_MULTI, b"\0" * length, flags=NO_REPLY)
        assert c.is_alive()


def test_very_many():
    with device() as d:
        c = d.connect().enable()
        count = 40000
        assert ask(c, [entry(BAR0, COUNTER, b"\1\0\0\0")] * count) == count
        assert c.read32(BAR0, COUNTER) == count


def test_not_agreed():
    """C23: who does not say that it can is not taken for one that can."""
    with device() as d:
        for caps in (default_caps(write_multiple=False), {}):
            c = d.connect(caps=caps).enable()
            refused(lambda: ask(c, [entry(BAR0, SCRATCH, b"\1\0\0\0")]))
            c.write_multi([(BAR0, SCRATCH, b"\1\0\0\0")])
            assert c.is_alive() and c.read32(BAR0, SCRATCH) == 0
            c.close()


if __name__ == "__main__":
    vfu.main()
