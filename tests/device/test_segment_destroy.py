#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""SEGMENT_DESTROY: memory counts as free when nobody has it any more, whoever says what."""
import errno
import mmap
import os
import struct
import sys
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import MIB, PAGE, SEGMENT_CREATE, SEGMENT_DESTROY, SERVICE, device, eventually, expect_refusal, segment_body  # noqa: E402


def destroy_body(offset, context=0, pos=0, reserved=0):
    return struct.pack("<QIIQ", offset, context, reserved, pos)


def test_answer():
    with device() as d:
        c = d.start()
        c.grab(0, MIB)
        c.grab(MIB, MIB)
        assert c.destroy(0) == MIB
        assert c.destroy(MIB) == 0
        c.grab(0, 2 * MIB)


def test_unknown():
    with device() as d:
        c = d.start()
        c.grab(PAGE, 2 * PAGE)
        for offset in (0, 2 * PAGE, 3 * PAGE, 1, (1 << 64) - PAGE):
            expect_refusal(lambda o=offset: c.destroy(o), errno.ENOENT, "NoSegment")
        expect_refusal(lambda: c.destroy(PAGE, reserved=1), errno.EINVAL)
        expect_refusal(lambda: c.destroy(PAGE, context=65), errno.EINVAL)
        c.destroy(PAGE, context=64, pos=1 << 60)
        expect_refusal(lambda: c.destroy(PAGE), errno.ENOENT)


def test_twice():
    with device(fake="deaf") as d:
        c = d.start()
        c.grab(0, PAGE)
        c.send(SEGMENT_DESTROY, destroy_body(0))
        expect_refusal(lambda: c.destroy(0), errno.EALREADY)
        expect_refusal(lambda: c.ask(SEGMENT_CREATE, segment_body(0, PAGE)), errno.EEXIST)


def test_same_id():
    with device(fake="deaf") as d:
        c = d.start()
        c.grab(0, PAGE)
        c.grab(PAGE, PAGE)
        ident = c.send(SEGMENT_DESTROY, destroy_body(0))
        expect_refusal(lambda: c.ask(SEGMENT_DESTROY, destroy_body(PAGE), ident=ident), errno.EEXIST, "IdInUse")


def test_channel_is_in_use():
    with device() as d:
        c = d.start()
        c.context(1, 0)
        expect_refusal(lambda: c.destroy(0), errno.EBUSY, "SegmentInUse")
        c.ask(wire.CONTEXT_DESTROY, struct.pack("<II", 1, 0))
        assert c.destroy(0) == 0


def is_answered_meanwhile():
    with device(memory="512M") as d:
        c = d.start()
        fd, _, _ = c.segment(0, 400 * MIB)
        m = mmap.mmap(fd, 400 * MIB)
        os.close(fd)
        for i in range(0, 400 * MIB, PAGE):
            m[i] = 1
        m.close()
        ident = c.send(SEGMENT_DESTROY, destroy_body(0))
        answered = 0
        while not any(reply.ident == ident for reply in c.early):
            c.memory()
            answered += 1
        c.wait(ident)
        assert d.memory_bytes() == 0 and c.memory()[1] == 0
        return answered > 4


def test_big_goes_to_the_worker():
    wire.one_of_several(is_answered_meanwhile, "the loop goes on while the worker gives the memory back")


def held(how, memory="8M"):
    """A client that keeps what it was given stays charged for it, until it lets go."""
    with device(memory=memory) as d:
        c = d.start()
        fd, _, _ = c.segment(0, 6 * MIB)
        kept = how(fd)
        ident = c.send(SEGMENT_DESTROY, destroy_body(0))
        assert c.is_silent(0.3)
        assert c.memory()[1] == 6 * MIB
        kept()
        c.wait(ident)
        assert c.memory()[1] == 0


def keep_mapping(access):
    def how(fd):
        m = mmap.mmap(fd, 6 * MIB, access=access)
        os.close(fd)
        return m.close
    return how


def test_client_keeps_a_mapping():
    held(keep_mapping(mmap.ACCESS_WRITE))


def test_client_keeps_a_mapping_to_read():
    """Reading it would bring pages back."""
    def how(fd):
        again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
        os.close(fd)
        m = mmap.mmap(again, 6 * MIB, prot=mmap.PROT_READ)
        os.close(again)
        return m.close
    held(how)


def test_client_keeps_the_descriptor():
    held(lambda fd: lambda: os.close(fd))


def test_executor_keeps_a_mapping():
    with device(memory="8M", fake="keep") as d:
        c = d.start()
        c.grab(0, 6 * MIB)
        c.send(SEGMENT_DESTROY, destroy_body(0))
        assert c.is_silent(0.3)
        assert c.memory()[1] == 6 * MIB
        other = d.start()
        expect_refusal(lambda: other.ask(SEGMENT_CREATE, segment_body(0, 3 * MIB)), errno.ENOSPC)
        c.close()
        eventually(lambda: other.memory()[1] == 0, "the end of the session frees it")


def test_kept_beyond_the_session():
    """The quota cannot be passed by connecting again and again."""
    with device(memory="8M") as d:
        c = d.start()
        fd, _, _ = c.segment(0, 6 * MIB)
        c.close()
        d.expect_clean()
        other = d.start()
        assert other.memory()[1] == 6 * MIB
        expect_refusal(lambda: other.ask(SEGMENT_CREATE, segment_body(0, 3 * MIB)), errno.ENOSPC)
        os.close(fd)
        eventually(lambda: other.memory()[1] == 0, "given back when it was let go")
        other.grab(0, 8 * MIB)


def test_request_waits_for_free():
    """Over the quota, but a free is under way: decided after it."""
    with device(memory="8M") as d:
        c = d.start()
        fd, _, _ = c.segment(0, 6 * MIB)
        free = c.send(SEGMENT_DESTROY, destroy_body(0))
        create = c.send(SEGMENT_CREATE, segment_body(16 * MIB, 8 * MIB))
        too_much = c.send(SEGMENT_CREATE, segment_body(32 * MIB, 9 * MIB))
        expect_refusal(lambda: c.wait(too_much), errno.ENOSPC, "QuotaExceeded")
        assert c.is_silent()
        os.close(fd)
        c.wait(free)
        reply = c.wait(create)
        assert struct.unpack("<QQ", reply.body) == (2, 8 * MIB)


def test_request_does_not_wait_for_ever():
    with device(memory="8M", fake="deaf") as d:
        c = d.start()
        c.grab(0, 6 * MIB)
        c.send(SEGMENT_DESTROY, destroy_body(0))
        start = time.monotonic()
        create = c.send(SEGMENT_CREATE, segment_body(16 * MIB, 8 * MIB))
        expect_refusal(lambda: c.wait(create), errno.ENOSPC, "QuotaExceeded")
        assert 4 < time.monotonic() - start < 15


def test_request_waits_for_another_program():
    """What one program has freed is there for the next one, however busy the machine is."""
    with device(memory="8M") as d:
        c, other = d.start(), d.start()
        fd, _, _ = c.segment(0, 6 * MIB)
        expect_refusal(lambda: other.ask(SEGMENT_CREATE, segment_body(0, 8 * MIB)), errno.ENOSPC, "QuotaExceeded")
        free = c.send(SEGMENT_DESTROY, destroy_body(0))
        assert c.memory()[1] == 6 * MIB, "the device has read it"
        create = other.send(SEGMENT_CREATE, segment_body(0, 8 * MIB))
        assert other.is_silent(0.3)
        os.close(fd)
        c.wait(free)
        assert struct.unpack("<QQ", other.wait(create).body) == (1, 8 * MIB)


def test_request_waits_for_the_end_of_another_program():
    with device(memory="8M") as d:
        c, other = d.start(), d.start()
        fd, _, _ = c.segment(0, 6 * MIB)
        c.close()
        eventually(lambda: len(d.executors()) == 1, "the executor of the session that ended is gone")
        create = other.send(SEGMENT_CREATE, segment_body(0, 8 * MIB))
        assert other.is_silent(0.3)
        os.close(fd)
        assert struct.unpack("<QQ", other.wait(create).body) == (1, 8 * MIB)


def test_request_does_not_wait_long_for_another_program():
    with device(memory="8M", fake="deaf") as d:
        c, other = d.start(), d.start()
        c.grab(0, 6 * MIB)
        c.send(SEGMENT_DESTROY, destroy_body(0))
        assert c.memory()[1] == 6 * MIB, "the device has read it"
        start = time.monotonic()
        create = other.send(SEGMENT_CREATE, segment_body(0, 8 * MIB))
        expect_refusal(lambda: other.ask(SEGMENT_CREATE, segment_body(16 * MIB, 9 * MIB)), errno.ENOSPC, "QuotaExceeded")
        assert not other.early, "more than anybody's end would bring is refused before"
        expect_refusal(lambda: other.wait(create), errno.ENOSPC, "QuotaExceeded")
        assert 1 < time.monotonic() - start < 5


def test_deaf_executor_does_not_wedge_the_end():
    with device(fake="deaf") as d:
        c = d.start()
        c.grab(0, MIB)
        c.send(SEGMENT_DESTROY, destroy_body(0))
        c.close()
        d.expect_clean()
        assert d.start().memory()[1] == 0


def test_no_wakeups_when_idle():
    with device() as d:
        c = d.start()
        c.grab(0, MIB, SERVICE)
        c.destroy(0)
        time.sleep(0.2)

        def switches():
            with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
                return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)

        def is_idle():
            before = switches()
            time.sleep(1)
            return switches() - before <= 1

        wire.one_of_several(is_idle, "it sleeps for a second")


if __name__ == "__main__":
    wire.main()
