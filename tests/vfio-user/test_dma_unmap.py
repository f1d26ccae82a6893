#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DMA_UNMAP: one map, all of them, with the bits of what was written; and every way of asking for it wrongly."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR2, DMA_UNMAP, NO_REPLY, PAGE, REPLY, UNMAP_ALL, UNMAP_BITMAP, device, eventually,  # noqa: E402
                 expect, memfd, refused, same_fds)

BASE = 0x100000
STORE = 2


def body(address=BASE, size=8 * PAGE, flags=0, argsz=None, bitmap=None, more=b""):
    data = struct.pack("=IIQQ", 24 if argsz is None else argsz, flags, address, size)
    return data + (struct.pack("=2Q", *bitmap) if bitmap else b"") + more


def bits(c, pgsize=PAGE, size=8, pages=8, argsz=None, address=BASE):
    """Unmaps with a bitmap; the bits."""
    argsz = 40 + size if argsz is None else argsz
    reply = c.ask(DMA_UNMAP, body(address, pages * PAGE, UNMAP_BITMAP, argsz, (pgsize, size)))
    assert reply.body[:40] == body(address, pages * PAGE, UNMAP_BITMAP, argsz, (pgsize, size))
    assert len(reply.body) == 40 + size
    return reply.body[40:]


def is_mapped(d, name):
    with open(f"/proc/{d.process.pid}/maps", encoding="utf-8") as maps:
        return f"/memfd:{name} " in maps.read()


def test_reply():
    """The request again; the memory is out of reach and out of the process."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(8 * PAGE, "unmap-me")
        with same_fds(d):
            c.dma_map(BASE, 8 * PAGE, fd)
            assert c.dma(BASE, 64) == 0 and is_mapped(d, "unmap-me")
            c.send(DMA_UNMAP, body(), ident=9)
            reply = c.receive()
            assert (reply.ident, reply.command, reply.flags, reply.body) == (9, DMA_UNMAP, REPLY, body())
            assert not is_mapped(d, "unmap-me")
        assert c.dma(BASE, 64) == errno.EFAULT
        os.close(fd)


def test_only_what_was_mapped():
    """ENOENT unless it is exactly one map; and nothing is lost of it."""
    with device() as d:
        c = d.connect().enable()
        for pages in (8, 16):
            c.dma_map(BASE + (pages - 8) * PAGE, 8 * PAGE, None)
        for at, pages in ((0, 7), (1, 7), (0, 9), (-1, 9), (0, 16), (2, 2), (16, 8), (-8, 8), (4, 8), (0, 1 << 40), (0, 0)):
            number = refused(lambda: c.dma_unmap(BASE + at * PAGE, pages * PAGE), errno.ENOENT, errno.EINVAL)
            assert number == errno.ENOENT or not pages
        refused(lambda: c.dma_unmap((1 << 64) - PAGE, 2 * PAGE))
        refused(lambda: c.dma_unmap(BASE + 1, 8 * PAGE))
        refused(lambda: c.dma_unmap(BASE, 8 * PAGE - 1))
        c.dma_unmap(BASE, 8 * PAGE)
        expect(errno.ENOENT, lambda: c.dma_unmap(BASE, 8 * PAGE))
        c.dma_unmap(BASE + 8 * PAGE, 8 * PAGE)


def test_wrong_sizes():
    with device() as d:
        c = d.connect()
        c.dma_map(BASE, 8 * PAGE)
        for size in (0, 1, 8, 16, 23):
            expect(errno.EINVAL, lambda: c.ask(DMA_UNMAP, body()[:size]))
        for more in (1, 8, 16, 4096):
            expect(errno.EINVAL, lambda: c.ask(DMA_UNMAP, body(more=bytes(more))))
        for argsz in (0, 8, 23):
            expect(errno.EINVAL, lambda: c.ask(DMA_UNMAP, body(argsz=argsz)))
        for size in (24, 32, 39):
            expect(errno.EINVAL, lambda: c.ask(DMA_UNMAP, body(flags=UNMAP_BITMAP, argsz=48, bitmap=(PAGE, 8))[:size]))
        c.dma_unmap(BASE, 8 * PAGE)


def test_flags():
    with device() as d:
        c = d.connect()
        c.dma_map(BASE, 8 * PAGE)
        for flags in (4, 8, 1 << 31, UNMAP_ALL | 4):
            expect(errno.EINVAL, lambda: c.dma_unmap(BASE, 8 * PAGE, flags))
        for address, size in ((BASE, 8 * PAGE), (0, PAGE), (PAGE, 0)):
            expect(errno.EINVAL, lambda: c.dma_unmap(address, size, UNMAP_ALL))
        expect(errno.EINVAL, lambda: c.ask(DMA_UNMAP, body(0, 0, UNMAP_ALL | UNMAP_BITMAP, 48, (PAGE, 8))))
        c.dma_unmap(BASE, 8 * PAGE)


def test_descriptors_are_closed():
    with device() as d:
        c = d.connect()
        fd = memfd(PAGE)
        c.dma_map(BASE, 8 * PAGE)
        with same_fds(d):
            try:
                c.ask(DMA_UNMAP, body(), [fd, fd])
            except vfu.Refused:
                c.dma_unmap(BASE, 8 * PAGE)
            assert c.is_alive()
        os.close(fd)


def test_all():
    with device() as d:
        c = d.connect().enable()
        fd = memfd(64 * PAGE, "one-of-all")
        with same_fds(d):
            c.dma_unmap(0, 0, UNMAP_ALL)
            for i in range(64):
                c.dma_map(i * 3 * PAGE, PAGE, fd if i % 2 else None, i % 2 * i * PAGE)
            c.dma_map(1 << 40, PAGE, fd, flags=vfu.MAP_READ | vfu.MAP_FILE_IO)
            c.dma_unmap(0, 0, UNMAP_ALL)
            assert not is_mapped(d, "one-of-all")
        expect(errno.ENOENT, lambda: c.dma_unmap(0, PAGE))
        assert c.dma(3 * PAGE, 4) == errno.EFAULT
        c.dma_map(0, 64 * PAGE, fd)
        assert c.dma(3 * PAGE, 4) == 0
        os.close(fd)


def test_another_file_takes_its_place():
    with device() as d:
        c = d.connect().enable()
        for i in range(20):
            fd = memfd(PAGE, f"turn-{i}")
            os.pwrite(fd, b"turn %2d" % i, 0)
            c.dma_map(BASE, PAGE, fd, flags=3 | (vfu.MAP_FILE_IO if i % 3 == 0 else 0))
            os.close(fd)
            assert c.dma(BASE, 7) == 0 and c.region_read(BAR2, 0, 7) == b"turn %2d" % i
            c.dma_unmap(BASE, PAGE)


def test_without_a_reply():
    with device() as d:
        c = d.connect()
        c.dma_map(BASE, 8 * PAGE)
        c.send(DMA_UNMAP, body(), flags=NO_REPLY)
        c.send(DMA_UNMAP, body(), flags=NO_REPLY)
        assert c.is_silent()
        expect(errno.ENOENT, lambda: c.dma_unmap(BASE, 8 * PAGE))


def test_bitmap():
    """C22: the pages that the device wrote since the last report, and no others."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(8 * PAGE)
        for pgsize, size, want in ((PAGE, 8, 0b01100010), (PAGE, 64, 0b01100010), (2 * PAGE, 8, 0b1101), (8 * PAGE, 8, 1)):
            c.dma_map(BASE, 8 * PAGE, fd)
            c.log_start()
            for page in (1, 5):
                assert c.dma(BASE + page * PAGE + 5, 4, command=STORE) == 0
            assert c.dma(BASE + 6 * PAGE - 2, 4, command=STORE) == 0
            assert c.dma(BASE + 7 * PAGE, 4) == 0       # read only
            assert bits(c, pgsize, size) == want.to_bytes(size, "little")
            c.log_stop()
        os.close(fd)


def test_bitmap_without_a_log():
    """It cannot be known, so it is refused, and the map stays."""
    with device() as d:
        c = d.connect()
        c.dma_map(BASE, 8 * PAGE)
        refused(lambda: bits(c))
        c.dma_unmap(BASE, 8 * PAGE)
    with device(kind="plain") as d:
        c = d.connect()
        c.dma_map(BASE, 8 * PAGE)
        refused(lambda: bits(c))
        c.dma_unmap(BASE, 8 * PAGE)


def test_wrong_bitmaps():
    """Refused, the map and the log untouched."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(128 * PAGE)
        c.dma_map(BASE, 128 * PAGE, fd)
        c.log_start()
        assert c.dma(BASE + 100 * PAGE, 4, command=STORE) == 0
        for pgsize in (0, 1, 512, 2048, PAGE + 1, 3 * PAGE, 1 << 63, (1 << 64) - PAGE):
            expect(errno.EINVAL, lambda: bits(c, pgsize, 16, 128))
        for size, argsz in ((0, 40), (8, 48), (15, 55), (16, 55), (16, 40), (16, 0), (16, 24)):
            expect(errno.EINVAL, lambda: bits(c, PAGE, size, 128, argsz))
        for size in (1 << 32, 1 << 63, (1 << 64) - 1, (1 << 64) - 40):
            refused(lambda: bits(c, PAGE, size, 128, 0xFFFFFFFF), errno.EINVAL, errno.E2BIG)
        refused(lambda: bits(c, PAGE, 0xFFFFFF00, 128, 0xFFFFFFFF), errno.EINVAL, errno.E2BIG, errno.ENOMEM)
        expect(errno.ENOENT, lambda: bits(c, PAGE, 16, 127))
        assert bits(c, PAGE, 16, 128) == (1 << 100).to_bytes(16, "little")
        os.close(fd)


def test_disconnect_is_the_same():
    """C27: the maps of a client that leaves are gone."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(8 * PAGE, "of-the-first")
        c.dma_map(BASE, 8 * PAGE, fd)
        c.dma_map(BASE + 16 * PAGE, PAGE, fd, flags=3 | vfu.MAP_FILE_IO)
        c.close()
        eventually(lambda: not is_mapped(d, "of-the-first"), "the map is gone")
        c = d.connect()
        expect(errno.ENOENT, lambda: c.dma_unmap(BASE, 8 * PAGE))
        assert c.dma(BASE, 4) == errno.EFAULT
        c.dma_map(BASE, 8 * PAGE, fd)
        assert c.dma(BASE, 4) == 0
        os.close(fd)


if __name__ == "__main__":
    vfu.main()
