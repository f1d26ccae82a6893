#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Logging of what the device writes (C22): ranges, pages, and reports that forget what they have said."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR2, F_LOG_REPORT, F_LOG_START, GET, PAGE, S_PRE_COPY, S_RUNNING, S_STOP, S_STOP_COPY,  # noqa: E402
                 SET, device, expect, memfd, refused)

STORE = 2
BASE = 0x10000000
TOP = 1 << 64


def start_body(page=PAGE, ranges=(), count=None, reserved=0):
    return struct.pack("=QII", page, len(ranges) if count is None else count, reserved) + b"".join(struct.pack("=2Q", *r) for r in ranges)


def attach(d, pages=64, **options):
    c = d.connect(**options).enable()
    fd = memfd(pages * PAGE)
    c.dma_map(BASE, pages * PAGE, fd)
    os.close(fd)
    return c


def store(c, page, size=4, offset=0):
    assert c.dma(BASE + page * PAGE + offset, size, 0, STORE) == 0


def test_pages_that_were_written():
    with device() as d:
        c = attach(d)
        store(c, 1)
        c.log_start()
        assert c.log_report(BASE, 64 * PAGE) == []
        store(c, 3)
        store(c, 5, 2 * PAGE, 100)
        store(c, 10, PAGE)
        store(c, 63, 1, PAGE - 1)
        assert c.dma(BASE + 20 * PAGE, PAGE) == 0      # only read
        assert c.log_report(BASE, 64 * PAGE) == [3, 5, 6, 7, 10, 63]
        assert c.log_report(BASE, 64 * PAGE) == []
        store(c, 3)
        assert c.log_report(BASE, 64 * PAGE) == [3]


def test_a_report_forgets_only_what_it_says():
    with device() as d:
        c = attach(d)
        c.log_start([(BASE, 64 * PAGE)])
        store(c, 0, 64 * PAGE)
        assert c.log_report(BASE + 8 * PAGE, 4 * PAGE) == [0, 1, 2, 3]
        assert c.log_report(BASE, 16 * PAGE) == [*range(8), *range(12, 16)]
        assert c.log_report(BASE + 63 * PAGE, PAGE) == [0]
        assert c.log_report(BASE, 64 * PAGE) == list(range(16, 63))


def test_only_in_its_ranges():
    """D7."""
    with device() as d:
        c = attach(d)
        c.log_start([(BASE + 40 * PAGE, 2 * PAGE), (BASE + 8 * PAGE, 8 * PAGE), (BASE + 16 * PAGE, PAGE)])
        store(c, 0, 64 * PAGE)
        assert c.log_report(BASE, 64 * PAGE) == [*range(8, 17), 40, 41]
        for page in (0, 7, 17, 39, 42):
            store(c, page, PAGE)
        assert c.log_report(BASE, 64 * PAGE) == []
        store(c, 7, 2 * PAGE)
        assert c.log_report(BASE, 64 * PAGE) == [8]


def test_larger_pages():
    with device() as d:
        c = attach(d)
        for page in (PAGE, 2 * PAGE, 16 * PAGE, 1 << 16, 1 << 21, 1 << 30):
            c.log_start([], page)
            store(c, 3)
            store(c, 62)
            size = max(64 * PAGE, page)
            start = BASE // page * page
            got = c.log_report(start, size, page)
            assert got == sorted({(BASE - start + n * PAGE) // page for n in (3, 62)}), f"pages of {page}"
            c.log_stop()


def test_start_wrong():
    with device() as d:
        c = attach(d)

        def start(number, *arguments, **more):
            expect(number, lambda: c.feature(SET | F_LOG_START, start_body(*arguments, **more)))

        for page in (0, 3, 100, PAGE + 1, PAGE - 1, 3 * PAGE, TOP - 1):
            start(errno.EINVAL, page)
        for ranges in ([(BASE, 0)], [(BASE + 1, PAGE)], [(BASE, PAGE + 1)], [(BASE, 2048)], [(BASE, PAGE), (BASE, PAGE)],
                       [(BASE, 4 * PAGE), (BASE + 3 * PAGE, PAGE)], [(BASE + PAGE, PAGE), (BASE, 3 * PAGE)],
                       [(BASE, PAGE), (0, 0)]):
            start(errno.EINVAL, PAGE, ranges)
        for ranges in ([(TOP - PAGE, 2 * PAGE)], [(2 * PAGE, TOP - PAGE)], [(TOP - 2 * PAGE, TOP - PAGE)]):
            start(errno.EOVERFLOW, PAGE, ranges)
        for count in (0, 1, 3, 1 << 28, 0xFFFFFFFF):
            start(errno.EINVAL, PAGE, [(BASE, PAGE), (BASE + PAGE, PAGE)], count=count)
        start(errno.EINVAL, PAGE, [(BASE, PAGE)], reserved=1)
        for size in (0, 8, 15):
            expect(errno.EINVAL, lambda: c.feature(SET | F_LOG_START, start_body()[:size]))
        expect(errno.EINVAL, lambda: c.log_report(BASE, PAGE))      # none of these has started it
        c.log_start()


def test_as_many_ranges_as_a_page_holds():
    """And more; E2BIG for what is beyond all reason."""
    with device() as d:
        c = attach(d)
        c.log_start([(BASE + 2 * i * PAGE, PAGE) for i in range(256)])
        store(c, 0, 64 * PAGE)
        assert c.log_report(BASE, 64 * PAGE) == list(range(0, 64, 2))
        c.log_stop()
        for count in (65537, 100000):
            refused(lambda: c.log_start([(BASE + 2 * i * PAGE, PAGE) for i in range(count)]), errno.E2BIG)
        c.log_start()


def test_started_twice():
    with device() as d:
        c = attach(d)
        c.log_start([(BASE, PAGE)])
        store(c, 0)
        expect(errno.EINVAL, lambda: c.log_start())
        assert c.log_report(BASE, PAGE) == [0], "the refused start has changed the log"


def test_stop():
    """As often as one likes; then nothing is known any more, and a new start knows nothing of before."""
    with device() as d:
        c = attach(d)
        c.log_stop()
        for _ in range(3):
            c.log_start()
            store(c, 0, 8 * PAGE)
            c.log_stop()
            c.log_stop()
            expect(errno.EINVAL, lambda: c.log_report(BASE, PAGE))
            c.log_start()
            assert c.log_report(BASE, 64 * PAGE) == []
            c.log_stop()


def test_report_wrong():
    with device() as d:
        c = attach(d)
        expect(errno.EINVAL, lambda: c.log_report(BASE, PAGE))
        c.log_start()
        store(c, 0, 64 * PAGE)

        def report(address, length, page, argsz=1 << 20):
            return c.feature(GET | F_LOG_REPORT, struct.pack("=3Q", address, length, page), argsz=argsz)

        for page in (0, 1, 512, 2048, PAGE + 1, 3 * PAGE, TOP - 1):
            expect(errno.EINVAL, lambda: report(BASE, 64 * PAGE, page))
        for address, length in ((BASE + 1, PAGE), (BASE + 2048, PAGE), (BASE, PAGE + 1), (BASE, 100), (BASE, 0)):
            expect(errno.EINVAL, lambda: report(address, length, PAGE))
        expect(errno.EINVAL, lambda: report(BASE + PAGE, 2 * PAGE, 2 * PAGE))
        refused(lambda: report(TOP - PAGE, 2 * PAGE, PAGE), errno.EOVERFLOW, errno.EINVAL)
        for argsz in (0, 8, 31, 32, 39):
            expect(errno.EINVAL, lambda: report(BASE, 64 * PAGE, PAGE, argsz))
        for length in (1 << 40, 1 << 60, TOP - PAGE):
            refused(lambda: report(0, length, PAGE, 0xFFFFFFFF), errno.EINVAL, errno.E2BIG, errno.EOVERFLOW, errno.ENOMEM)
        for size in (0, 8, 23):
            expect(errno.EINVAL, lambda: c.feature(GET | F_LOG_REPORT, struct.pack("=3Q", BASE, PAGE, PAGE)[:size], argsz=4096))
        assert c.log_report(BASE, 64 * PAGE) == list(range(64)), "a refused report has forgotten something"


def test_what_goes_by_messages():
    """Marked by the server like all else."""
    with device() as d:
        c = d.connect(caps=vfu.default_caps(max_data_xfer_size=PAGE)).enable()
        memory = bytearray(16 * PAGE)
        c.dma_map(BASE, 16 * PAGE)
        c.log_start()
        c.dma_start(BASE + 2 * PAGE, 3 * PAGE, 0, STORE)
        for _ in range(3):
            c.answer(c.command(), memory, BASE)
        assert c.dma_end() == 0 and c.log_report(BASE, 16 * PAGE) == [2, 3, 4]


def test_what_was_written_in_part():
    """A DMA that fails may have written: its pages count, or are as they were."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(2 * PAGE, sealed=False)
        c.dma_map(BASE, PAGE, fd)
        c.dma_map(BASE + PAGE, PAGE, fd, PAGE)
        c.region_write(BAR2, 0, b"\xff" * 2 * PAGE)
        c.log_start()
        os.ftruncate(fd, PAGE)
        assert c.dma(BASE, 2 * PAGE, 0, STORE) == errno.EFAULT
        if os.pread(fd, PAGE, 0) != bytes(PAGE):
            assert 0 in c.log_report(BASE, 2 * PAGE)
        os.close(fd)


def test_last_report_in_stop():
    """What was written until the device stopped is said then."""
    with device() as d:
        c = attach(d)
        c.log_start()
        c.go(S_PRE_COPY)
        store(c, 9)
        assert c.log_report(BASE, 64 * PAGE) == [9]
        store(c, 11)
        c.go(S_STOP_COPY)
        assert c.log_report(BASE, 64 * PAGE) == [11]
        assert c.dma(BASE, 4, 0, STORE) == errno.EPERM
        assert c.log_report(BASE, 64 * PAGE) == []
        c.go(S_STOP)
        c.log_stop()
        c.log_start()
        c.go(S_RUNNING)
        store(c, 12)
        assert c.log_report(BASE, 64 * PAGE) == [12]


def test_gone_with_the_client():
    """C27: the next one begins its own."""
    with device() as d:
        c = attach(d)
        c.log_start()
        store(c, 0)
        c.close()
        c = attach(d)
        expect(errno.EINVAL, lambda: c.log_report(BASE, PAGE))
        c.log_start()
        assert c.log_report(BASE, PAGE) == []


def test_addresses_far_away():
    with device() as d:
        c = d.connect().enable()
        fd = memfd(PAGE)
        for address in (0, 1 << 27, (1 << 52) - PAGE, 1 << 63, TOP - 2 * PAGE):
            c.dma_map(address, PAGE, fd)
            c.log_start()
            assert c.dma(address, PAGE, 0, STORE) == 0
            assert c.log_report(address, PAGE) == [0]
            c.log_stop()
            c.dma_unmap(address, PAGE)
        os.close(fd)


if __name__ == "__main__":
    vfu.main()
