#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""CONTEXT_CREATE and CONTEXT_DESTROY: checks, and what a loss writes to the channel."""
import errno
import os
import signal
import struct
import sys

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import CHANNEL, CONTEXT_CREATE, CONTEXT_DESTROY, MIB, PAGE, RING, SERVICE, context_body, device, expect_refusal  # noqa: E402

LOST = 4096 + 64


def lost(channel):
    return struct.unpack_from("<I", channel, LOST)[0]


def create(c, *body, **more):
    return c.ask(CONTEXT_CREATE, context_body(*body, **more))


def test_answer():
    with device() as d:
        c = d.start()
        channel = c.context(1, 0)
        assert lost(channel) == 0
        assert c.ask(CONTEXT_DESTROY, struct.pack("<II", 1, 0)).body == b""
        create(c, 1, 0)


def test_all_numbers():
    with device() as d:
        c = d.start()
        c.grab(0, MIB, SERVICE)
        for number in range(1, 65):
            create(c, number, 0)
        for number in (0, 65, 1 << 31):
            expect_refusal(lambda n=number: create(c, n, 0), errno.EINVAL)
        expect_refusal(lambda: create(c, 7, 0), errno.EEXIST)


def test_bad_fields():
    with device() as d:
        c = d.start()
        seq = c.grab(0, 32 * MIB, SERVICE)
        for ring in (0, 1, RING // 2, RING + 1, RING + 4096, 32 * MIB, (1 << 32) - 1):
            expect_refusal(lambda r=ring: create(c, 1, 0, r), errno.EINVAL)
        for more in (dict(flags=1), dict(reserved=1), dict(seq=seq + 1), dict(seq=(1 << 64) - 1)):
            expect_refusal(lambda m=more: create(c, 1, 0, **m), errno.EINVAL)
        for offset in (1, 8, PAGE + 8):
            expect_refusal(lambda o=offset: create(c, 1, o), errno.EINVAL)
        create(c, 1, PAGE, 16 * MIB, seq=seq)


def test_channel_lies_elsewhere():
    with device(memory="64M") as d:
        c = d.start()
        size = (CHANNEL + PAGE - 1) // PAGE * PAGE
        c.grab(0, size, SERVICE)
        c.grab(size, size, SERVICE)
        c.grab(2 * size, size)
        for offset in (PAGE, size - PAGE, 2 * size, 3 * size, 1 << 40, (1 << 64) - PAGE, (1 << 64) - size):
            expect_refusal(lambda o=offset: create(c, 1, o), errno.EINVAL, "BadContext")
        expect_refusal(lambda: create(c, 1, 0, 2 * RING), errno.EINVAL, "BadContext")
        create(c, 1, size)


def test_destroy_refused():
    with device() as d:
        c = d.start()
        c.context(3, 0)
        for number in (0, 1, 64, 65, 1 << 31):
            expect_refusal(lambda n=number: c.ask(CONTEXT_DESTROY, struct.pack("<II", n, 0)), errno.ENOENT)
        expect_refusal(lambda: c.ask(CONTEXT_DESTROY, struct.pack("<II", 3, 1)), errno.EINVAL)
        for body in (b"", b"\0" * 16, b"\0" * 800):
            expect_refusal(lambda b=body: c.ask(CONTEXT_DESTROY, b), errno.EINVAL, "BadLength")


def test_refused_by_the_executor():
    with device(fake="context-refuse") as d:
        c = d.start()
        c.grab(0, MIB, SERVICE)
        for _ in range(2):
            refused = expect_refusal(lambda: create(c, 1, 0), errno.ENOMEM, "FakeRefusal")
            assert refused.text == "no room for a context" and refused.hint == "do it better"
        c.destroy(0)


def test_lost():
    """Marked at once, every sleeper woken, then told why."""
    with device() as d:
        c = d.start()
        channels = [c.context(n, n << 24) for n in (1, 2, 64)]
        for channel in channels:
            struct.pack_into("<I", channel, 128, 1)     # user_asleep
        os.kill(d.executors()[0], signal.SIGKILL)
        assert "killed by signal 9" in wire.expect_gone(c)
        assert all(lost(channel) == 1 for channel in channels), "the contexts were lost before"
        assert all(struct.unpack_from("<I", channel, 128)[0] == 0 for channel in channels)


def test_lost_wakes_a_sleeper():
    import ctypes
    import threading

    libc = ctypes.CDLL(None, use_errno=True)
    with device() as d:
        c = d.start()
        channel = c.context()
        word = ctypes.c_uint32.from_buffer(channel, 128)
        word.value = 1
        woken = []

        def sleep():
            limit = struct.pack("<qq", 40, 0)
            libc.syscall(202, ctypes.byref(word), 0, 1, limit, None, 0)
            woken.append(lost(channel))

        thread = threading.Thread(target=sleep, daemon=True)
        thread.start()
        wire.eventually(lambda: "S" in open(f"/proc/self/task/{thread.native_id}/stat", encoding="ascii").read(), "it sleeps")
        os.kill(d.executors()[0], signal.SIGSEGV)
        thread.join(20)
        assert woken == [1]
        del word


if __name__ == "__main__":
    wire.main()
