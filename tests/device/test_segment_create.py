#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""SEGMENT_CREATE: its checks, the memory that it makes, and its charges."""
import errno
import fcntl
import mmap
import os
import struct
import sys

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import BUFFER, MIB, PAGE, SEGMENT_CREATE, SERVICE, device, expect_refusal, segment_body  # noqa: E402


def ask(c, *body):
    return c.ask(SEGMENT_CREATE, segment_body(*body))


def test_answer():
    with device() as d:
        c = d.start()
        fd, seq, used = c.segment(0, MIB)
        assert seq == 1 and used == MIB
        assert os.fstat(fd).st_size == MIB
        assert fcntl.fcntl(fd, 1034) & 6 == 6, "sealed against growing and shrinking"
        m = mmap.mmap(fd, MIB)
        assert m[:] == b"\0" * MIB
        m[:4] = b"test"
        assert c.segment(MIB, PAGE, SERVICE)[1:] == (2, PAGE)
        assert c.memory() == (64 * MIB, MIB, MIB, PAGE)


def test_alignment_and_size():
    with device() as d:
        c = d.start()
        for offset, size in [(1, PAGE), (PAGE - 8, PAGE), (0, 1), (0, PAGE + 1), (0, 0), (PAGE, 0), (0, (1 << 64) - 1)]:
            expect_refusal(lambda o=offset, s=size: ask(c, o, s), errno.EINVAL, "BadSegment")
        assert c.memory()[1] == 0


def test_outside_of_the_window():
    with device() as d:
        c = d.start()
        top = (1 << 64) - PAGE
        for offset, size in [(c.window, PAGE), (c.window - PAGE, 2 * PAGE), (top, PAGE), (top, 2 * PAGE), (PAGE, top),
                             (1 << 63, 1 << 63), (0, 1 << 63)]:
            expect_refusal(lambda o=offset, s=size: ask(c, o, s), errno.ERANGE)
        c.grab(c.window - PAGE, PAGE)
        assert c.memory()[1] == PAGE


def test_kind_and_flags():
    with device() as d:
        c = d.start()
        for kind in (0, 3, 0xFFFFFFFF):
            expect_refusal(lambda k=kind: ask(c, 0, PAGE, k), errno.EINVAL)
        for flags in (1, 1 << 31):
            expect_refusal(lambda f=flags: ask(c, 0, PAGE, BUFFER, f), errno.EINVAL)


def test_overlap():
    with device() as d:
        c = d.start()
        c.grab(4 * PAGE, 4 * PAGE)
        c.grab(16 * PAGE, 4 * PAGE, SERVICE)
        for offset, size in [(4, 4), (4, 1), (7, 1), (3, 2), (7, 2), (0, 32), (3, 6), (5, 2), (19, 10), (8, 9), (16, 4)]:
            for kind in (BUFFER, SERVICE):
                expect_refusal(lambda o=offset, s=size, k=kind: ask(c, o * PAGE, s * PAGE, k), errno.EEXIST)
        c.grab(0, 4 * PAGE)
        c.grab(8 * PAGE, 8 * PAGE)
        assert c.memory()[1] == 16 * PAGE
        other = d.start()
        other.grab(4 * PAGE, 4 * PAGE)


def test_wrong_length():
    with device() as d:
        c = d.start()
        for body in (b"", segment_body(0, PAGE)[:16], segment_body(0, PAGE) + b"\0" * 8):
            expect_refusal(lambda b=body: c.ask(SEGMENT_CREATE, b), errno.EINVAL, "BadLength")


def test_descriptor_sent_along():
    with device() as d:
        c = d.start()
        c.ask(SEGMENT_CREATE, segment_body(0, PAGE), fds=[0])
        assert c.memory()[1] == PAGE


def test_quota():
    with device(memory="8M") as d:
        c = d.start()
        refused = expect_refusal(lambda: ask(c, 0, 8 * MIB + PAGE), errno.ENOSPC, "QuotaExceeded")
        assert "8 MiB" in refused.text
        c.grab(0, 6 * MIB)
        expect_refusal(lambda: ask(c, 16 * MIB, 2 * MIB + PAGE), errno.ENOSPC, "QuotaExceeded")
        c.grab(16 * MIB, 2 * MIB)
        expect_refusal(lambda: ask(c, 32 * MIB, PAGE), errno.ENOSPC, "QuotaExceeded")
        assert c.memory()[:2] == (8 * MIB, 8 * MIB)
        c.grab(32 * MIB, PAGE, SERVICE)
        stats = d.stats()
        assert stats["peak"] == 8 * MIB and stats["refused"] == 3 and stats["granted"] == 8 * MIB


def test_quota_is_shared():
    with device(memory="8M") as d:
        one, two = d.start(), d.start()
        one.grab(0, 5 * MIB)
        expect_refusal(lambda: ask(two, 0, 4 * MIB), errno.ENOSPC, "QuotaExceeded")
        two.grab(0, 3 * MIB)
        assert one.memory()[1:3] == (8 * MIB, 5 * MIB) and two.memory()[1:3] == (8 * MIB, 3 * MIB)
        one.close()
        wire.eventually(lambda: two.memory()[1] == 3 * MIB, "the end of a session frees its memory")
        two.grab(16 * MIB, 5 * MIB)


def test_service_allowance():
    with device(memory="8M") as d:
        one, two = d.start(), d.start()
        one.grab(0, wire.SERVICE_ALLOWANCE, SERVICE)
        expect_refusal(lambda: ask(one, 1 << 32, PAGE, SERVICE), errno.ENOSPC, "QuotaExceeded")
        two.grab(0, wire.SERVICE_ALLOWANCE, SERVICE)
        assert one.destroy(0) == 0
        one.grab(1 << 32, PAGE, SERVICE)


def test_many_segments():
    """In an order that makes a naive table slow, and as many as there can be descriptors for."""
    with device(memory="64M") as d:
        c = d.start()
        for i in reversed(range(2000)):
            c.grab(2 * i * PAGE, PAGE)
        expect_refusal(lambda: ask(c, 0, 3 * PAGE), errno.EEXIST)
        for i in range(2000):
            c.send(wire.SEGMENT_DESTROY, struct.pack("<QIIQ", 2 * i * PAGE, 0, 0, 0))
        for i in range(2000):
            c.wait(c.last_id - 1999 + i)
        assert c.memory()[1] == 0


def test_no_descriptors_left():
    """An error for that request, and the device goes on."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    with device(preexec=limit) as d:
        c = d.start()
        made = 0
        try:
            while made < 100:
                c.grab(made * PAGE, PAGE)
                made += 1
        except wire.Refused as refused:
            assert refused.status == errno.ENOMEM, refused
        assert 10 < made < 64
        late = [d.connect() for _ in range(6)]
        assert wire.expect_gone(late[-1]) == "", "turned away"
        for i in range(made):
            c.destroy(i * PAGE)
        assert c.memory()[1] == 0
        for client in late:
            client.close()
        wire.eventually(lambda: wire.is_let_in(d), "there is room again")


if __name__ == "__main__":
    wire.main()
