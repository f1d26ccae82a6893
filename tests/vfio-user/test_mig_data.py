#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""MIG_DATA_READ and MIG_DATA_WRITE, and the stream that goes through them: in pieces of any size, and refused whole (C20)."""
import errno
import os
import random
import struct
import sys
import time
import zlib

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR2, MIG_DATA_READ, MIG_DATA_WRITE, NO_REPLY, PAGE, S_PRE_COPY, S_PRE_COPY_P2P,  # noqa: E402
                 S_RESUMING, S_RUNNING, S_RUNNING_P2P, S_STOP, S_STOP_COPY, device, expect, memfd, refused, same,
                 same_fds)

MAGIC = b"trn-pci\n"


def is_refused(c, stream, piece=1 << 20):
    """In the write, and then at the end, too, or at the end; leaves it in RESUMING, where a stream can begin anew."""
    c.go(S_RESUMING)
    failed = False
    try:
        for at in range(0, len(stream), piece):
            c.mig_write(stream[at:at + piece])
    except vfu.Refused as error:
        assert error.errno in (errno.EINVAL, errno.EFBIG), error
        failed = True
    try:
        c.go(S_STOP)
    except vfu.Refused as error:
        assert error.errno in (errno.EINVAL, errno.EFBIG), error
        assert c.state() == S_RESUMING
        return True
    assert not failed, "refused in the write, and taken in the end"
    return False


def test_only_where_there_is_a_stream():
    with device() as d:
        c = d.connect()
        stream = c.save()
        for state in (S_RUNNING, S_STOP, S_RUNNING_P2P, S_RESUMING):
            c.go(state)
            expect(errno.EINVAL, lambda: c.mig_read(100))
        c.mig_write(stream)
        for state in (S_RUNNING, S_STOP, S_RUNNING_P2P, S_PRE_COPY, S_PRE_COPY_P2P, S_STOP_COPY):
            c.go(state)
            expect(errno.EINVAL, lambda: c.mig_write(stream))


def test_the_same_in_pieces_of_any_size():
    with device() as d:
        c = d.connect()
        c.scribble()
        c.enable(0)
        whole = c.save()
        assert whole.startswith(MAGIC)
        for piece in (1 << 20, 65536, 4096, 4095, 1000, 77, 13):
            c.go(S_STOP)
            assert c.save(piece) == whole, f"pieces of {piece}"
        c.go(S_STOP)
        c.go(S_STOP_COPY)
        mixed = b""
        while piece := c.mig_read(random.randint(1, 3000)):
            mixed += piece
        assert mixed == whole


def test_true_lengths():
    """D6: as many bytes come as the reply says; fewer only at the end, and then none, as often as one asks."""
    with device() as d:
        c = d.connect()
        c.scribble()
        size = len(c.save())
        c.go(S_STOP)
        c.go(S_STOP_COPY)
        piece = 4000
        lengths = []
        while not lengths or lengths[-1]:
            reply = c.ask(MIG_DATA_READ, struct.pack("=II", 8 + piece, piece))
            argsz, got = struct.unpack_from("=II", reply.body)
            assert got == len(reply.body) - 8 and argsz == 8 + got
            lengths.append(got)
        assert lengths == [piece] * (size // piece) + [size % piece, 0]
        for _ in range(3):
            assert c.mig_read() == b""


def test_wrong_reads():
    with device() as d:
        c = d.connect(caps=vfu.default_caps(max_data_xfer_size=5000))
        whole = c.save(5000)
        c.go(S_STOP)
        c.go(S_STOP_COPY)
        for body in (b"", bytes(4), struct.pack("=II", 108, 100)[:7], struct.pack("=III", 112, 100, 0)):
            expect(errno.EINVAL, lambda: c.ask(MIG_DATA_READ, body))
        for argsz, size in ((0, 100), (7, 0), (100, 100), (107, 100), (8, 1), (8, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 1 << 31)):
            expect(errno.EINVAL, lambda: c.ask(MIG_DATA_READ, struct.pack("=II", argsz, size)))
        # C23: what the client said it takes.
        expect(errno.EINVAL, lambda: c.ask(MIG_DATA_READ, struct.pack("=II", 1 << 20, 5001)))
        assert c.drain(5000) == whole, "a refused read has taken something out"
    with device() as d:
        c = d.connect(caps=vfu.default_caps(max_data_xfer_size=1 << 30))
        c.go(S_STOP_COPY)
        most = c.caps["max_data_xfer_size"]
        expect(errno.EINVAL, lambda: c.ask(MIG_DATA_READ, struct.pack("=II", most + 9, most + 1)))
        assert c.mig_read(most)


def test_wrong_writes():
    with device() as d:
        c = d.connect()
        stream = c.save()
        c.go(S_RESUMING)
        for body in (b"", bytes(7), struct.pack("=II", 16, 8) + bytes(7), struct.pack("=II", 16, 8) + bytes(9),
                     struct.pack("=II", 16, 0) + bytes(8), struct.pack("=II", 8, 0xFFFFFFFF), struct.pack("=II", 8, 1 << 31) + bytes(8)):
            expect(errno.EINVAL, lambda: c.ask(MIG_DATA_WRITE, body))
        most = c.caps["max_data_xfer_size"]
        refused(lambda: c.mig_write(bytes(most + 1)), errno.EINVAL, errno.E2BIG)
        fd = memfd(PAGE)
        with same_fds(d):
            try:
                c.ask(MIG_DATA_WRITE, struct.pack("=II", 8, 0), [fd])
            except vfu.Refused:
                pass
        os.close(fd)
        c.mig_write(b"")
        c.mig_write(stream)         # nothing of all that was taken in
        c.mig_write(b"")
        c.go(S_STOP)


def test_written_in_pieces():
    """Of one byte, too; posted, too."""
    with device() as d, device() as e:
        c, there = d.connect(), e.connect()
        stream = c.save()
        there.load(stream, 1)
        there.go(S_RUNNING)
        c.go(S_RUNNING)
        before = c.scribble()
        stream = c.save()
        for piece in (16, 999, 4096, 1 << 20):
            there.reset()
            there.load(stream, piece)
            same(before, there.snapshot())
            there.go(S_RUNNING)
        there.reset()
        there.go(S_RESUMING)
        for at in range(0, len(stream), 500):
            part = stream[at:at + 500]
            there.send(MIG_DATA_WRITE, struct.pack("=II", 8 + len(part), len(part)) + part, flags=NO_REPLY)
        there.go(S_STOP)
        same(before, there.snapshot())


def test_resets_are_not_moved():
    """They are counted of this device."""
    with device() as d, device() as e:
        c, there = d.connect().enable(), e.connect()
        for _ in range(3):
            c.reset()
        c.enable()
        there.resume(c.save())
        assert there.read32(0, 0x18) == 0


def test_pre_copy():
    """ENOMSG: nothing more for the moment. What is written meanwhile comes again; the last word is said in STOP_COPY."""
    with device() as d, device() as e:
        c, there = d.connect(), e.connect()
        c.scribble()
        info = c.region_info(BAR2)
        os.close(info.fds[0])
        c.go(S_PRE_COPY)
        stream = c.drain()
        assert c.mig_read() is None
        expect(errno.ENOMSG, lambda: c.ask(MIG_DATA_READ, struct.pack("=II", 9, 1)))
        for page in (3, 200):
            c.region_write(BAR2, page * PAGE, os.urandom(PAGE))
            more = c.drain()
            assert PAGE <= len(more) < 3 * PAGE, f"{len(more)} bytes for one page"
            stream += more
        c.go(S_PRE_COPY_P2P)
        c.region_write(BAR2, 5 * PAGE, b"last moment")
        stream += c.drain()
        c.region_write(BAR2, 5 * PAGE + 100, b"really")
        c.go(S_STOP_COPY)
        stream += c.drain()
        before = c.snapshot()
        there.load(stream)
        same(before, there.snapshot())


def test_pages_that_became_zero():
    """Of the destination's own memory nothing shines through."""
    with device() as d, device() as e:
        c, there = d.connect(), e.connect()
        there.scribble()
        there.region_write(BAR2, 0, os.urandom(1 << 20))
        c.scribble()
        c.go(S_PRE_COPY)
        stream = c.drain()
        c.region_write(BAR2, 0, bytes(1 << 20))
        c.region_write(BAR2, 40 * PAGE, b"x")
        c.go(S_STOP_COPY)
        stream += c.drain()
        there.load(stream)
        same(c.snapshot(), there.snapshot())


def test_truncated():
    """C20: at each place of the start, and at many others. The next stream begins anew."""
    with device() as d, device() as e:
        c, there = d.connect(), e.connect()
        c.scribble()
        stream = c.save()
        before = there.scribble()
        places = {*range(0, 100), *range(len(stream) - 30, len(stream)), *random.sample(range(len(stream)), 70)}
        for number, place in enumerate(sorted(places)):
            assert is_refused(there, stream[:place]), f"{place} bytes of {len(stream)} were taken"
            if number % 20 == 0:
                same(before, there.snapshot())
        same(before, there.snapshot())
        there.load(stream)
        same(c.snapshot(), there.snapshot())


def test_corrupt():
    """C20: each bit counts."""
    with device() as d, device() as e:
        c, there = d.connect(), e.connect()
        c.scribble()
        stream = c.save()
        before = there.scribble()
        places = {*range(0, 64), *range(len(stream) - 30, len(stream)), *random.sample(range(len(stream)), 120)}
        for number, place in enumerate(sorted(places)):
            bad = bytearray(stream)
            bad[place] ^= 1 << random.randrange(8)
            assert is_refused(there, bytes(bad)), f"a damaged byte {place} was not noticed"
            if number % 20 == 0:
                same(before, there.snapshot())
        same(before, there.snapshot())
        for bad in (stream + b"\0", stream + stream, stream[:-24], stream[8:], b"\0" * 100, b"\xff" * 100, b"", MAGIC):
            assert is_refused(there, bad)
        same(before, there.snapshot())
        there.load(stream)


def test_corrupt_with_a_sum_that_is_right():
    """Made by somebody who knows the format: taken or refused, never half; the device goes on."""
    with device() as d, device() as e:
        c, there = d.connect(), e.connect()
        c.scribble()
        stream = c.save()
        end = time.monotonic() + 1.5
        taken = 0
        assert struct.unpack("=I", stream[-8:-4])[0] == zlib.crc32(stream[:-8])
        while time.monotonic() < end:
            bad = bytearray(stream[:-8])
            # Numbers more often than the content of pages.
            for _ in range(random.randint(1, 3)):
                place = random.choice((random.randrange(len(bad)), random.randrange(1200), random.randrange(len(bad) - 6000, len(bad))))
                bad[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF, bad[place] ^ 1 << random.randrange(8)))
            bad += struct.pack("=II", zlib.crc32(bytes(bad)), 0)
            before = there.region_read(vfu.CONFIG, 0, 4096)
            if is_refused(there, bytes(bad)):
                assert there.region_read(vfu.CONFIG, 0, 4096) == before
            else:
                taken += 1
                there.go(S_RUNNING)
                there.enable()
                there.write32(0, 4, 7)
                assert there.read32(0, 4) == 7
            assert there.is_alive()
        there.load(stream)
        same(c.snapshot(), there.snapshot())


def test_of_another_device():
    """C20: the head says what it is, and is looked at before anything else."""
    kinds = [{}, {"parent": "mtty", "kind": "1"}, {"parent": "mtty", "kind": "2"}, {"parent": "bochs", "kind": "small"},
             {"parent": "bochs", "kind": "medium"}, {"parent": "asked"}]
    streams = []
    for kind in kinds:
        with device(**kind) as d:
            c = d.connect().enable()
            c.go(S_STOP_COPY)
            streams.append(c.drain())
    for number, kind in enumerate(kinds):
        with device(**kind) as d:
            c = d.connect().enable()
            before = c.scribble() if not kind else c.region_read(vfu.CONFIG, 0, 256)
            for other, stream in enumerate(streams):
                if other == number:
                    continue
                assert is_refused(c, stream), f"{kind} takes the state of {kinds[other]}"
                expect(errno.EINVAL, lambda: c.mig_write(stream[:4000]))
                expect(errno.EINVAL, lambda: c.mig_write(streams[number]))      # not before the end of that one
                expect(errno.EINVAL, lambda: c.go(S_STOP))
                now = c.snapshot() if not kind else c.region_read(vfu.CONFIG, 0, 256)
                assert before == now
            c.reset()
            c.resume(streams[number])


def test_left_in_the_middle():
    """C27: with half a stream taken in the client is gone; the device is as it was, and nothing is kept."""
    with device() as d, device() as e:
        c, there = d.connect(), e.connect()
        c.scribble()
        c.region_write(BAR2, 0, os.urandom(1 << 20))
        before = there.scribble()
        stream = c.save()
        for _ in range(5):
            there.go(S_RESUMING)
            there.mig_write(stream[:len(stream) // 2])
            there.close()
            there = e.connect()
            assert there.state() == S_RUNNING
            same(before, there.snapshot())
        there.load(stream)
        same(c.snapshot(), there.snapshot())


if __name__ == "__main__":
    vfu.main()
