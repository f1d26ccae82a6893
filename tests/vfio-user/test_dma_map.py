#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DMA_MAP: what may be offered, and every way of offering it wrongly."""
import errno
import os
import socket
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR2, DMA_MAP, MAP_FILE_IO, MAP_MMAP, MAP_READ, MAP_WRITE, NO_REPLY, PAGE, REPLY, device,  # noqa: E402
                 expect, memfd, refused, same_fds)

RW = MAP_READ | MAP_WRITE
TOP = 1 << 64


def body(address=0, size=PAGE, offset=0, flags=RW, argsz=32):
    return struct.pack("=IIQQQ", argsz, flags, offset, address, size)


def content(c, address, size=16):
    """What the device finds there."""
    assert c.dma(address, size) == 0
    return c.region_read(BAR2, 0, size)


def test_reply():
    """A header alone, and the device reaches the memory."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(2 * PAGE)
        os.pwrite(fd, b"hello from there", PAGE)
        c.send(DMA_MAP, body(0x10000, 2 * PAGE), [fd], ident=77)
        reply = c.receive()
        assert (reply.ident, reply.command, reply.flags, reply.body, reply.fds) == (77, DMA_MAP, REPLY, b"", [])
        os.close(fd)
        assert content(c, 0x10000 + PAGE) == b"hello from there"


def test_wrong_sizes():
    with device() as d:
        c = d.connect()
        whole = body()
        for size in (0, 1, 4, 8, 16, 24, 28, 31):
            expect(errno.EINVAL, lambda: c.ask(DMA_MAP, whole[:size]))
        for more in (1, 4, 8, 4096):
            expect(errno.EINVAL, lambda: c.ask(DMA_MAP, whole + bytes(more)))
        for argsz in (0, 1, 16, 31):
            expect(errno.EINVAL, lambda: c.ask(DMA_MAP, body(argsz=argsz)))
        c.ask(DMA_MAP, body(argsz=0xFFFFFFFF))
        assert c.is_alive()


def test_overlaps():
    """EEXIST for anything that touches a map; neighbours are welcome."""
    with device() as d:
        c = d.connect()
        fd = memfd(64 * PAGE)
        for kind in (fd, None):
            c.dma_map(0x100000, 8 * PAGE, fd)
            with same_fds(d):
                for at, pages in ((0, 8), (0, 1), (7, 1), (2, 3), (-1, 2), (7, 2), (-1, 10), (0, 9), (-1, 9), (-8, 9)):
                    expect(errno.EEXIST, lambda: c.dma_map(0x100000 + at * PAGE, pages * PAGE, kind))
            c.dma_map(0x100000 - PAGE, PAGE, kind)
            c.dma_map(0x100000 + 8 * PAGE, PAGE, kind)
            c.dma_unmap(0, 0, vfu.UNMAP_ALL)
        os.close(fd)


def test_wraps():
    with device() as d:
        c = d.connect()
        fd = memfd(4 * PAGE)
        for address, size in ((TOP - PAGE, 2 * PAGE), (PAGE, TOP - PAGE), (2 * PAGE, TOP - PAGE), (TOP - 2 * PAGE, 3 * PAGE)):
            for kind in (fd, None):
                expect(errno.EINVAL, lambda: c.dma_map(address, size, kind))
        for offset, size in ((TOP - PAGE, 2 * PAGE), (TOP - PAGE, PAGE), ((1 << 63) - PAGE, PAGE), (1 << 63, PAGE)):
            expect(errno.EINVAL, lambda: c.dma_map(0, size, fd, offset))
        os.close(fd)
        assert c.is_alive()


def test_alignment_and_nothing():
    with device() as d:
        c = d.connect()
        fd = memfd(4 * PAGE)
        for address, size, offset in ((1, PAGE, 0), (0, 1, 0), (0, PAGE, 1), (2048, PAGE, 0), (0, PAGE + 2048, 0),
                                      (0, PAGE, 2048), (0, 0, 0), (PAGE, 0, PAGE)):
            expect(errno.EINVAL, lambda: c.dma_map(address, size, fd, offset))
        expect(errno.EINVAL, lambda: c.dma_map(0x1001, PAGE))
        expect(errno.EINVAL, lambda: c.dma_map(0, 0))
        os.close(fd)


def test_page_sizes_of_both():
    """C23: a client that has no pages of 4 KiB gives none."""
    with device() as d:
        c = d.connect(caps=vfu.default_caps(pgsizes=65536 | 1 << 21))
        page = 65536 if c.caps["pgsizes"] & 65536 else PAGE
        c.dma_map(0, page)
        expect(errno.EINVAL, lambda: c.dma_map(page + page // 2, page))


def test_flags():
    with device() as d:
        c = d.connect()
        fd = memfd(PAGE)
        with same_fds(d):
            for flags in (0, MAP_MMAP, MAP_FILE_IO, RW | 16, RW | 1 << 31, RW | MAP_MMAP | MAP_FILE_IO, 0xFFFFFFFF):
                expect(errno.EINVAL, lambda: c.dma_map(0, PAGE, fd, flags=flags))
            for flags in (0, 16 | RW, RW | MAP_MMAP, RW | MAP_FILE_IO):
                expect(errno.EINVAL, lambda: c.dma_map(0, PAGE, flags=flags))
            for flags in (MAP_READ, MAP_WRITE, RW, RW | MAP_MMAP, RW | MAP_FILE_IO):
                c.dma_map(0, PAGE, fd, flags=flags)
                c.dma_unmap(0, PAGE)
        os.close(fd)


def test_too_many_descriptors():
    """One map, one file; what came too much is closed."""
    with device() as d:
        c = d.connect()
        fd = memfd(PAGE)
        with same_fds(d):
            for count in (2, 3, 16):
                expect(errno.EINVAL, lambda: c.ask(DMA_MAP, body(), [fd] * count))
            refused(lambda: c.ask(DMA_MAP, body(), [fd] * 17))
            assert c.is_alive()
        os.close(fd)


def test_file_that_is_too_short():
    """No SIGBUS later: the map must lie in the file."""
    with device() as d, tempfile.TemporaryFile() as file:
        c = d.connect()
        file.truncate(3 * PAGE + 100)
        short = memfd(2 * PAGE - 1, sealed=False)
        empty = memfd(0, sealed=False)
        with same_fds(d):
            for fd, size, offset in ((short, 2 * PAGE, 0), (short, PAGE, PAGE), (short, PAGE, 8 * PAGE), (empty, PAGE, 0),
                                     (file.fileno(), 4 * PAGE, 0), (file.fileno(), PAGE, 3 * PAGE), (file.fileno(), 1 << 40, 0)):
                for flags in (RW, RW | MAP_FILE_IO):
                    expect(errno.EINVAL, lambda: c.dma_map(0, size, fd, offset, flags))
        c.dma_map(0, PAGE, short)
        c.dma_map(PAGE, 3 * PAGE, file.fileno())
        os.close(short)
        os.close(empty)


def test_files_that_are_no_memory():
    with device() as d, tempfile.TemporaryDirectory() as folder:
        c = d.connect()
        ends = socket.socketpair()
        pipe = os.pipe()
        odd = [vfu.Irq().fd, ends[0].detach(), ends[1].detach(), *pipe, os.open(folder, os.O_RDONLY),
               os.open(folder, os.O_PATH), os.open("/dev/null", os.O_RDWR), os.open("/proc/self/status", os.O_RDONLY)]
        with same_fds(d):
            for fd in odd:
                for flags in (RW, MAP_READ, RW | MAP_FILE_IO):
                    refused(lambda: c.dma_map(0, PAGE, fd, flags=flags))
            assert c.is_alive()
        for fd in odd:
            os.close(fd)


def test_rights_of_the_file():
    """EACCES where the file is not open for what the flags allow."""
    with device() as d, tempfile.NamedTemporaryFile() as file:
        c = d.connect().enable()
        file.write(b"read-only bytes." + bytes(PAGE))
        file.flush()
        readable, writable = os.open(file.name, os.O_RDONLY), os.open(file.name, os.O_WRONLY)
        path = os.open(file.name, os.O_PATH)
        with same_fds(d):
            for extra in (0, MAP_FILE_IO):
                for flags in (MAP_WRITE, RW):
                    expect(errno.EACCES, lambda: c.dma_map(0, PAGE, readable, flags=flags | extra))
                for flags in (MAP_READ, RW):
                    expect(errno.EACCES, lambda: c.dma_map(0, PAGE, writable, flags=flags | extra))
                refused(lambda: c.dma_map(0, PAGE, path, flags=RW | extra))
        c.dma_map(0, PAGE, readable, flags=MAP_READ)
        c.dma_map(PAGE, PAGE, writable, flags=MAP_WRITE)
        assert content(c, 0) == b"read-only bytes."
        assert c.dma(PAGE, 4, command=2) == 0
        file.seek(0)
        assert file.read(4) == b"read"
        for fd in (readable, writable, path):
            os.close(fd)


def test_as_many_as_was_said():
    """C23: max_dma_maps of the server is what it takes, to the last one; ENOSPC behind."""
    with device() as d:
        c = d.connect()
        most = c.caps["max_dma_maps"]
        for start in range(0, most, 1000):
            c.send_raw(b"".join(vfu.message(DMA_MAP, body(i * PAGE), flags=NO_REPLY) for i in range(start, min(start + 1000, most))))
        with same_fds(d):
            expect(errno.ENOSPC, lambda: c.dma_map(most * PAGE, PAGE))
        expect(errno.EEXIST, lambda: c.dma_map((most - 1) * PAGE, PAGE))
        expect(errno.EEXIST, lambda: c.dma_map(0, PAGE))
        c.dma_unmap(7 * PAGE, PAGE)
        c.dma_map(7 * PAGE, PAGE)
        expect(errno.ENOSPC, lambda: c.dma_map(most * PAGE, PAGE))
        c.dma_unmap(0, 0, vfu.UNMAP_ALL)
        c.dma_map(most * PAGE, PAGE)


def test_larger_than_8_tib():
    """D9."""
    with device() as d:
        c = d.connect().enable()
        size = 16 << 40
        fd = memfd(size)
        c.dma_map(1 << 50, size, fd)
        assert c.dma((1 << 50) + size - PAGE, 16) == 0
        c.region_write(BAR2, 0, b"at the other end")
        assert c.dma((1 << 50) + size - 16, 16, command=2) == 0
        assert os.pread(fd, 16, size - 16) == b"at the other end"
        os.close(fd)


def test_memory_of_the_device_itself():
    """A VM with another passed-through device offers our BAR like any memory."""
    with device() as d:
        c = d.connect().enable()
        info = c.region_info(BAR2)
        c.dma_map(0x80000000, 0x4000, info.fds[0], info.offset)
        os.close(info.fds.pop())
        c.region_write(BAR2, 0x100, b"from itself")
        assert c.dma(0x80000100, 11, 0x9000) == 0
        assert c.region_read(BAR2, 0x9000, 11) == b"from itself"
        assert c.dma(0x80000200, 11, 0x9000, command=2) == 0
        assert c.region_read(BAR2, 0x200, 11) == b"from itself"


def test_without_a_reply():
    """Posted, done, and a refusal is not said either."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(PAGE)
        os.pwrite(fd, b"posted", 0)
        c.send(DMA_MAP, body(), [fd], flags=NO_REPLY)
        c.send(DMA_MAP, body(), [fd], flags=NO_REPLY)
        os.close(fd)
        assert c.is_silent()
        assert content(c, 0, 6) == b"posted"


def test_device_without_dma():
    """It takes what it will never touch."""
    with device(kind="plain") as d:
        c = d.connect()
        fd = memfd(PAGE)
        c.dma_map(0, PAGE, fd)
        expect(errno.EEXIST, lambda: c.dma_map(0, PAGE))
        c.dma_unmap(0, PAGE)
        os.close(fd)


def test_device_that_never_touches_memory():
    """Nothing of it is mapped or open in the device's process, and the rules of the protocol hold all the same."""
    with device(parent="mtty", kind="mtty-1") as d:
        c = d.connect()
        fd, fds = os.memfd_create("holder"), d.fds()
        os.truncate(fd, 16 * PAGE)
        c.dma_map(0, 16 * PAGE, fd)
        assert d.fds() == fds and not d.has_mapped("holder")
        expect(errno.EEXIST, lambda: c.dma_map(PAGE, PAGE))
        c.dma_unmap(0, 16 * PAGE)
        expect(errno.ENOENT, lambda: c.dma_unmap(0, 16 * PAGE))
        os.close(fd)


if __name__ == "__main__":
    vfu.main()
