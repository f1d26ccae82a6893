#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""GET_REGION_INFO: sizes, capabilities, and the descriptors of what can be mapped (contract C11 to C15)."""
import errno
import mmap
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR1, BAR2, BAR3, BAR4, BAR5, CONFIG, GET_REGION_INFO, NO_REPLY, OWN, ROM, VGA, default_caps, device,  # noqa: E402
                 expect)

READ, WRITE, MMAP, CAPS = 1, 2, 4, 8
CAP_SPARSE, CAP_TYPE = 1, 2
RAM_SIZE = 1 << 20
AREAS = [(0, 0x4000), (0x8000, RAM_SIZE - 0x8000)]


def close(info):
    while info.fds:
        os.close(info.fds.pop())


def test_each_region():
    """C11: size and flags come from the info alone."""
    expected = {
        BAR0: (4096, READ | WRITE), BAR1: (32, READ | WRITE), BAR2: (RAM_SIZE, READ | WRITE | MMAP), BAR4: (16384, READ | WRITE),
        ROM: (2048, READ), CONFIG: (4096, READ | WRITE), OWN: (8192, READ | WRITE | MMAP),
    }
    with device() as d:
        c = d.connect()
        for index in range(10):
            info = c.region_info(index)
            assert info.index == index
            assert (info.size, info.flags & ~CAPS) == expected.get(index, (0, 0)), f"region {index}: {info.size}, {info.flags}"
            assert len(info.fds) == (1 if info.flags & MMAP else 0)
            assert info.argsz == len(info.body)
            close(info)


def test_absent():
    """C15: not an error: size 0, flags 0. A 64-bit BAR's upper half is one of those."""
    with device() as d:
        c = d.connect()
        for index in (BAR3, BAR5, VGA):
            info = c.region_info(index)
            assert (info.argsz, info.flags, info.cap_offset, info.size) == (32, 0, 0, 0) and not info.fds
    with device(kind="plain") as d:
        c = d.connect()
        for index in (BAR1, BAR2, BAR3, BAR4, BAR5, ROM, VGA):
            assert (c.region_info(index).size, c.region_info(index).flags) == (0, 0)
        assert c.region_info(CONFIG).size == 256 and c.region_info(BAR0).size == 4096


def test_no_such_region():
    with device() as d:
        c = d.connect()
        for index in (10, 11, 255, 1 << 31, 0xFFFFFFFF):
            expect(errno.EINVAL, lambda index=index: c.region_info(index))
    with device(kind="plain") as d:
        c = d.connect()
        expect(errno.EINVAL, lambda: c.region_info(OWN))


def test_sparse_areas():
    """C13: what may be mapped is part of the region, on page borders, in order, and does not overlap."""
    with device() as d:
        info = d.connect().region_info(BAR2)
        assert info.flags & CAPS and info.cap_offset >= 32
        [(ident, version, data)] = info.caps
        assert (ident, version) == (CAP_SPARSE, 1)
        assert struct.unpack_from("=2I", data) == (2, 0) and info.areas() == AREAS
        close(info)


def test_type_of_an_own_region():
    """Who knows the type knows the region."""
    with device() as d:
        info = d.connect().region_info(OWN)
        types = [(version, data) for ident, version, data in info.caps if ident == CAP_TYPE]
        assert types == [(1, struct.pack("=2I", 1 << 31 | 0x1AF4, 1))]
        assert info.areas() == [(0, 8192)]
        close(info)


def test_argsz_too_small():
    """C12: success, the fixed part, and the size that is needed; asked again with that it is all there."""
    with device() as d:
        c = d.connect()
        for index in (BAR2, OWN):
            whole = c.region_info(index)
            for argsz in (32, 33, 40, whole.argsz - 1):
                info = c.region_info(index, argsz=argsz)
                assert info.argsz == whole.argsz and len(info.body) == 32 and info.cap_offset == 0
                assert info.size == whole.size and info.flags & MMAP and len(info.fds) == 1
                close(info)
            again = c.region_info(index, argsz=whole.argsz)
            assert again.body == whole.body
            close(again)
            close(whole)


def test_argsz_below_the_fixed_part():
    with device() as d:
        c = d.connect()
        for argsz in (0, 1, 16, 31):
            for index in (BAR0, BAR2, BAR5):
                expect(errno.EINVAL, lambda: c.region_info(index, argsz=argsz))


def test_argsz_that_is_huge():
    with device() as d:
        c = d.connect()
        info = c.region_info(BAR2, argsz=0xFFFFFFFF)
        assert info.argsz == len(info.body) and info.areas() == AREAS
        close(info)


def test_other_fields_are_ignored():
    with device() as d:
        c = d.connect()
        reply = c.ask(GET_REGION_INFO, struct.pack("=4I2Q", 4096, 0xFF, BAR4, 77, 88, 99))
        assert reply.body == c.region_info(BAR4).body


def test_mapping_is_the_memory():
    """Written through the mapping, read by a message, and the other way round; in each area, at its offset in the file."""
    with device() as d:
        c = d.connect().enable()
        for index in (BAR2, OWN):
            info = c.region_info(index)
            for start, size in info.areas():
                with mmap.mmap(info.fds[0], size, offset=info.offset + start) as m:
                    for at in (0, 1, 4095, size // 2, size - 8):
                        m[at:at + 1] = b"\x5a"
                        assert c.region_read(index, start + at, 1) == b"\x5a"
                        c.region_write(index, start + at, b"\xa5")
                        assert m[at:at + 1] == b"\xa5"
            close(info)


def test_hole_is_memory_too():
    """C13: where nothing may be mapped, messages reach the same kind of memory."""
    with device() as d:
        c = d.connect().enable()
        data = os.urandom(0x6000)
        c.region_write(BAR2, 0x3000, data)      # from one area over the hole into the other
        assert c.region_read(BAR2, 0x3000, 0x6000) == data
        info = c.region_info(BAR2)
        with mmap.mmap(info.fds[0], 0x4000, offset=info.offset) as m:
            assert m[0x3000:] == data[:0x1000]
        with mmap.mmap(info.fds[0], 0x4000, offset=info.offset + 0x8000) as m:
            assert m[:0x1000] == data[0x5000:]
        close(info)


def test_regions_do_not_share_memory():
    with device() as d:
        c = d.connect().enable()
        c.region_write(BAR2, 0, b"ram!")
        assert c.region_read(OWN, 0, 4) == bytes(4)


def test_descriptor_cannot_hurt():
    """C28: who has it cannot take the memory away from under the device, which would end by SIGBUS."""
    with device() as d:
        c = d.connect().enable()
        for index in (BAR2, OWN):
            info = c.region_info(index)
            for size in (0, 4096, 1 << 30):
                try:
                    os.ftruncate(info.fds[0], size)
                    raise AssertionError("the memory can be made shorter or longer")
                except OSError as error:
                    assert error.errno in (errno.EPERM, errno.EINVAL)
            c.region_write(index, info.size - 4, b"last")
            assert c.region_read(index, info.size - 4, 4) == b"last"
            close(info)


def test_mapping_outlives_the_connection():
    """It is the memory of the device, which is kept (C27)."""
    with device() as d:
        c = d.connect().enable()
        m = vfu.map_region(c.region_info(BAR2))
        m[0:4] = b"mine"
        c.close()
        c = d.connect()
        assert c.region_read(BAR2, 0, 4) == b"mine"
        m[0:4] = b"next"
        assert c.region_read(BAR2, 0, 4) == b"next"
        m.close()


def test_mapping_after_a_reset():
    with device() as d:
        c = d.connect().enable()
        m = vfu.map_region(c.region_info(BAR2))
        m[0:4] = b"mine"
        c.reset()
        assert m[0:4] == bytes(4)
        m[0:4] = b"more"
        assert c.enable().region_read(BAR2, 0, 4) == b"more"
        m.close()


def test_descriptors_are_not_lost():
    with device() as d:
        c = d.connect()
        with vfu.same_fds(d):
            for _ in range(50):
                close(c.region_info(BAR2))
                c.send(GET_REGION_INFO, struct.pack("=4I2Q", 4096, 0, OWN, 0, 0, 0), flags=NO_REPLY)
            c.device_info()


def test_each_reply_has_its_own_descriptor():
    """Many at once: none is joined to another message's bytes."""
    with device() as d:
        c = d.connect()
        for _ in range(40):
            c.send(GET_REGION_INFO, struct.pack("=4I2Q", 4096, 0, BAR2, 0, 0, 0))
            c.send(GET_REGION_INFO, struct.pack("=4I2Q", 4096, 0, BAR0, 0, 0, 0))
        for _ in range(40):
            with_one, without = c.receive(), c.receive()
            assert len(with_one.fds) == 1 and not without.fds
            with_one.close()


def test_descriptor_without_capabilities():
    """D8: a region that is mapped as a whole needs no list, but a descriptor."""
    with device() as d:
        c = d.connect(caps=default_caps(max_msg_fds=1))
        for index in (BAR2, OWN):
            info = c.region_info(index, argsz=32)
            assert info.flags & MMAP and len(info.fds) == 1
            close(info)


if __name__ == "__main__":
    vfu.main()
