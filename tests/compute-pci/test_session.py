#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sessions of a guest: windows, memory and what is charged for it, kernels, interrupts and doorbells, loss and close."""
import errno
import os
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from guest import (AWAKE, BUFFER, CHANNEL, CONTEXT_CREATE, CONTEXT_DESTROY, GIB, MEMORY_QUERY, MIB, OUTPUT_SET, PAGE,  # noqa: E402
                   PENDING, R_BELL_CHANNEL, R_PROBE_LEN, R_PROBE_OFFSET, SEGMENT_CREATE, SEGMENT_DESTROY, SERVICE, SESSION_CLOSE,
                   SESSION_OPEN, SVM, buffer_create, build, client_command, device, eventually, expect, handle, kernel_create,
                   ndrange, queue_create, take_pending, user_event_create, user_event_set)

ADD = "kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }"
FOREVER = "kernel void forever(global volatile int *a) { a[2] = 1; while (a[0] == 0) ; a[1] = 1; }"
CRASH = "kernel void crash(global int *a) { *(volatile int *)16 = 1; }"
BUFFERS = 16 * MIB
Q, K, B, P = handle(1), handle(1), handle(1), handle(1)


def session_with_kernel(g, number=1, source=ADD, **choice):
    """Service memory, a context, a queue, a program, its kernel, a page of a buffer."""
    s = g.open(number, **choice)
    s.segment(0, 8 * MIB, SERVICE)
    s.segment(BUFFERS, MIB)
    c = s.context(0)
    build(s, P, source)
    c.send(queue_create(Q, handle(0), s.seq), buffer_create(B, BUFFERS, PAGE, s.seq), kernel_create(K, P))
    return s, c


def run_forever(s, c):
    c.send(ndrange(Q, 1, K, 1, [B]))
    eventually(lambda: s.read(BUFFERS + 8, 4) == struct.pack("<I", 1), "the kernel runs", 60)


def executor_of(d):
    """The executor that has a context: the one with the aperture mapped."""
    found = []
    for pid, name, _ in d.executors():
        if not name.startswith("tranche-execut"):
            continue
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
                sizes = [int(a, 16) for line in f if "(deleted)" in line and "rw-s" in line
                         for a in [line.split()[0]] for a in [hex(int(a.split("-")[1], 16) - int(a.split("-")[0], 16))]]
        except (FileNotFoundError, ProcessLookupError):
            continue    # it has ended meanwhile
        if any(size >= GIB for size in sizes):
            found.append(pid)
    return found


def test_memory_is_bounded_and_goes_back():
    with device() as d:
        g = d.guest()
        empty = d.blocks()
        assert empty == 2 * MIB
        s = g.open()
        assert s.quota == GIB and s.service == 256 * MIB and s.ident
        assert g.read(R_PROBE_LEN) == s.probe_len > 1000
        at = g.read(R_PROBE_OFFSET)
        assert any(g.memory[at:at + s.probe_len])
        assert s.segment(0, 4 * MIB, SERVICE) == 4 * MIB
        assert d.blocks() == empty + 4 * MIB, "service memory is there at once"
        assert s.segment(BUFFERS, 512 * MIB) == 512 * MIB
        assert d.blocks() == empty + 4 * MIB, "a buffer's memory comes when it is touched"
        s.write(BUFFERS, b"\xaa" * (64 * MIB))
        assert d.blocks() == empty + 68 * MIB
        assert expect(errno.ENOSPC, lambda: s.segment(GIB, 513 * MIB)).name == "QuotaExceeded"
        assert expect(errno.ENOSPC, lambda: s.segment(GIB, 253 * MIB, SERVICE)).name == "QuotaExceeded"
        assert s.memory_query() == (GIB, 512 * MIB, 512 * MIB, 4 * MIB)
        assert s.destroy(BUFFERS) == 0
        assert d.blocks() == empty + 4 * MIB
        assert s.segment(BUFFERS, MIB) == MIB
        assert not any(s.read(BUFFERS, MIB)), "zero to the next user"
        s.write(BUFFERS, b"\xbb" * MIB)
        s.close()
        assert d.blocks() == empty
        s = g.open()
        s.segment(BUFFERS, MIB)
        assert not any(s.read(BUFFERS, MIB))


def test_windows():
    with device() as d:
        g = d.guest()
        a = g.open(3)
        first, size = g.windows_offset, g.window_size

        def refused(number, **choice):
            return expect(errno.EINVAL, lambda: g.open(number, **choice))

        assert expect(errno.EEXIST, lambda: g.open(3)).name == "SessionExists"
        assert expect(errno.EEXIST, lambda: g.open(4, window=a.window)).name == "WindowOverlaps"
        assert expect(errno.EEXIST, lambda: g.open(4, window=a.window - size + 2 * MIB)).name == "WindowOverlaps"
        refused(4, window=0)
        refused(4, window=2 * MIB)
        refused(4, window=first - 2 * MIB)
        refused(4, window=first + PAGE)
        refused(4, size=0)
        refused(4, size=PAGE, window=first)
        refused(4, window=32 * GIB - 2 * MIB)
        refused(4, window=2**64 - 2 * MIB)
        refused(4, window=first, size=2**64 - 2 * MIB)
        refused(4, base=MIB)
        refused(4, features=SVM)
        refused(4, features=SVM, base=123)
        refused(4, features=4)
        refused(4, vector=9)
        refused(4, reserved=1)
        refused(4, cwd=b"x" * 1024)
        for number in (65, 256, 2**32 - 1):
            expect(errno.ENOENT, lambda n=number: g.open(n, window=first, size=2 * MIB))
        small = g.open(4, window=first, size=64 * MIB)
        expect(errno.ERANGE, lambda: small.segment(64 * MIB, PAGE))
        expect(errno.ERANGE, lambda: small.segment(63 * MIB, 2 * MIB))
        small.segment(63 * MIB, MIB)
        a.close()
        expect(errno.ENOENT, a.close)
        g.open(3, window=a.window)


def test_kernel_and_interrupt():
    with device() as d:
        g = d.guest()
        s, c = session_with_kernel(g, vector=5)
        s.write(BUFFERS, struct.pack("<256i", *range(256)))
        for irq in g.irqs:
            irq.count()
        c.sleep(wake_at=2)
        c.send(ndrange(Q, 1, K, 256, [B], values=[7]))
        eventually(lambda: c.commands == 1, "the first command is complete", 60)
        assert not g.irqs[5].count(0.2), "the sleeper waits for two"
        c.send(ndrange(Q, 2, K, 256, [B], values=[7]))
        assert g.irqs[5].count(60)
        assert take_pending(g, 5) == 1 and c.asleep == AWAKE
        assert c.commands == 2 and c.refused == 0
        assert struct.unpack("<256i", s.read(BUFFERS, 1024)) == tuple(i + 14 for i in range(256))
        assert not any(g.irqs[i].count() for i in (1, 2, 3, 4, 6, 7, 8))


def test_no_interrupt_for_nobody():
    with device() as d:
        g = d.guest()
        s, c = session_with_kernel(g)
        g.irqs[1].count()
        for i in range(1, 20):
            c.send(ndrange(Q, i, K, 256, [B], values=[1]))
        eventually(lambda: c.commands == 19, "all commands are complete", 60)
        assert not g.irqs[1].count(0.1)
        assert s.read(BUFFERS, 4) == struct.pack("<I", 19)


def test_attention_wakes():
    with device() as d:
        g = d.guest()
        s, c = session_with_kernel(g)
        before = c.attention
        c.sleep()
        c.send(client_command(Q, 1, handle(1)))
        assert g.irqs[1].count(10)
        assert take_pending(g, 1) == 1 and c.asleep == AWAKE
        assert c.attention > before
        c.sleep(wake_at=1)
        c.send(user_event_set(handle(1)))
        assert g.irqs[1].count(10) and c.commands == 1


def test_doorbell_wakes_the_host():
    with device() as d:
        g = d.guest()
        s, c = session_with_kernel(g)
        number = 0

        def sleeps_on():
            nonlocal number
            number += 1
            eventually(c.host_sleeps, "the host sleeps", 60)
            c.send(ndrange(Q, number, K, 64, [B], values=[1]), bell=False)
            time.sleep(0.3)
            if c.commands != number - 1 or not c.host_sleeps():
                eventually(lambda: c.commands == number, "the command is complete", 60)
                return False
            return True

        # It says that it sleeps, and looks once more before it does: now and then it sees the command by that.
        assert any(sleeps_on() for _ in range(5)), "nobody has told it"
        assert c.bell()
        eventually(lambda: c.commands == number, "the command is complete", 60)
        # Those that ring for nobody.
        for value in (0, 0xFFFFFFFF, 1 << 8, 1 << 8 | 64, 1 << 8 | 65, 65 << 8, 64 << 8 | 1, 0xFF << 8):
            g.write(R_BELL_CHANNEL, value)
        assert s.memory_query()[0] == GIB


def test_lost_executor():
    with device() as d:
        g = d.guest()
        empty = d.blocks()
        s, c = session_with_kernel(g)
        other, co = session_with_kernel(g, 2, vector=2)
        victim = executor_of(d)[0]
        c.sleep()
        co.sleep()
        for irq in g.irqs:
            irq.count()
        before = [c.attention, co.attention]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: c.lost or co.lost, "a context is lost", 10)
        if co.lost:
            s, c, other, co, before = other, co, s, c, before[::-1]
        text = g.lost(s.number)
        assert "killed" in text, text
        assert c.lost == 1 and c.attention > before[0] and co.lost == 0
        assert g.irqs[s.number].count(5) and take_pending(g, s.number) == 1 << (s.number - 1)
        expect(errno.ESHUTDOWN, lambda: s.memory_query())
        expect(errno.EEXIST, lambda: g.open(s.number))
        expect(errno.EEXIST, lambda: g.open(9, window=s.window, size=2 * MIB))
        assert other.memory_query()[:2] == (GIB, 2 * MIB), "what a lost session has is charged until it is closed"
        s.write(BUFFERS, b"x" * MIB)
        s.close()
        assert other.memory_query()[:2] == (GIB, MIB)
        other.close()
        assert d.blocks() == empty
        s, c = session_with_kernel(g)
        c.send(ndrange(Q, 1, K, 64, [B], values=[1]))
        eventually(lambda: c.commands == 1, "a new session works", 60)


def test_requests_of_a_lost_session_are_answered():
    with device() as d:
        g = d.guest()
        s, c = session_with_kernel(g, source=FOREVER)
        run_forever(s, c)
        waiting = s.post(CONTEXT_DESTROY, struct.pack("<II", 1, 0))
        held = s.post(SEGMENT_DESTROY, struct.pack("<QIIQ", BUFFERS, 0, 0, 0))
        assert g.take(0.3) is None
        os.kill(executor_of(d)[0], signal.SIGKILL)
        expect(errno.ESHUTDOWN, lambda: g.wait(waiting))
        expect(errno.ESHUTDOWN, lambda: g.wait(held))
        g.lost(1)
        s.close()


def test_crash_of_a_kernel():
    with device() as d:
        g = d.guest()
        s, c = session_with_kernel(g, source=CRASH)
        c.send(ndrange(Q, 1, K, 1, [B]))
        assert "crashed" in g.lost(1, 60)
        assert c.lost == 1
        s.close()


def test_close_with_work_in_flight():
    with device() as d:
        g = d.guest()
        empty = d.blocks()
        s, c = session_with_kernel(g, source=FOREVER)
        run_forever(s, c)
        waiting = s.post(CONTEXT_DESTROY, struct.pack("<II", 1, 0))
        s.close()
        expect(errno.ESHUTDOWN, lambda: g.wait(waiting))
        assert d.blocks() == empty and not executor_of(d)
        assert not any(r.kind == guest.SESSION_LOST for r in g.replies)


def test_each_request_is_answered_once():
    with device() as d:
        g = d.guest()
        for pause in (0, 0.01, 0.03, 0.1):
            s = g.open()
            s.segment(0, 8 * MIB, SERVICE)
            s.segment(BUFFERS, 256 * MIB)
            s.context(0)
            for at in range(0, 256 * MIB, 64 * MIB):
                s.write(BUFFERS + at, b"x" * (64 * MIB))
            ids = [s.post(SEGMENT_DESTROY, struct.pack("<QIIQ", BUFFERS, 0, 0, 0)), s.post(CONTEXT_DESTROY, struct.pack("<II", 1, 0))]
            ids += [s.post(MEMORY_QUERY) for _ in range(4)]
            time.sleep(pause)
            ids.append(s.post(SESSION_CLOSE))
            answered = []
            while ids[-1] not in answered:
                reply = g.take(60)
                assert reply, (pause, answered, ids)
                answered.append(reply.ident)
            assert sorted(answered) == ids, (pause, answered, ids)
            assert g.take(0.05) is None
            assert d.blocks() == 2 * MIB


def test_close_before_it_is_open():
    with device() as d:
        g = d.guest()
        body, _, _ = g.open_body(1)
        opened = g.post(1, SESSION_OPEN, body, bell=False)      # both are there before the device looks
        closed = g.post(1, SESSION_CLOSE)
        expect(errno.ESHUTDOWN, lambda: g.wait(opened))
        assert g.wait(closed) == b""
        g.open(1).close()


def test_sessions_to_the_limit():
    with device(arguments=["--aperture", "64G"]) as d:
        g = d.guest()
        ids = [g.post(n, SESSION_OPEN, g.open_body(n, size=256 * MIB)[0]) for n in range(1, 65)]
        for ident in ids:
            g.wait(ident, SESSION_OPEN, 120)
        refusal = expect(errno.ENOENT, lambda: g.open(65, size=256 * MIB))
        assert refusal.name == "NoSession"
        for n in range(1, 65):
            g.ask(n, MEMORY_QUERY)
        # Service memory has a limit of all together.
        for n in range(1, 5):
            g.ask(n, SEGMENT_CREATE, struct.pack("<QQII", 0, 200 * MIB, SERVICE, 0))
        expect(errno.ENOSPC, lambda: g.ask(7, SEGMENT_CREATE, struct.pack("<QQII", 0, 248 * MIB, SERVICE, 0)))
        ids = [g.post(n, SESSION_CLOSE) for n in range(1, 65)]
        for ident in ids:
            g.wait(ident, SESSION_CLOSE, 120)
        assert d.blocks() == 2 * MIB


def test_two_sessions_have_one_quota():
    with device() as d:
        g = d.guest()
        a, b = g.open(1), g.open(2)
        a.segment(0, 700 * MIB)
        expect(errno.ENOSPC, lambda: b.segment(0, 400 * MIB))
        assert b.segment(0, 300 * MIB) == 1000 * MIB
        a.close()
        assert b.segment(512 * MIB, 700 * MIB) == 1000 * MIB


def test_svm():
    with device() as d:
        g = d.guest()
        base = 0x200000000000
        s, c = session_with_kernel(g, features=SVM, base=base)
        assert s.flags & 2, "the window stands there"
        expect(errno.EINVAL, lambda: g.open(2, features=SVM, base=2**64 - PAGE))


def writable_memory(pid):
    """The bytes of a process that are its own."""
    found = b""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            place, rights = line.split()[:2]
            start, end = (int(a, 16) for a in place.split("-"))
            if rights == "rw-p" and end - start <= 64 * MIB:
                try:
                    mem.seek(start)
                    found += mem.read(end - start)
                except OSError:
                    pass
    return found


def test_environment_of_the_host():
    """An executor's memory, which a guest's programs can read, has nothing of what the device process was started with."""
    with device(env={"DATABASE_PASSWORD": "open-sesame-4711", "POCL_TEST_MARK": "kept-4711"}) as d:
        s, _ = session_with_kernel(d.guest())
        pid = executor_of(d)[0]
        memory = writable_memory(pid)
        assert b"kept-4711" in memory
        assert b"open-sesame-4711" not in memory
        s.close()


def test_text_of_kernels():
    with device() as d:
        g = d.guest()
        s = g.open()
        s.segment(0, 8 * MIB, SERVICE)
        s.segment(BUFFERS, MIB)
        output = 6 * MIB
        s.ask(OUTPUT_SET, struct.pack("<QIIQ", output, PAGE, 0, s.seq))
        c = s.context(0)
        build(s, P, 'kernel void say(global int *a) { printf("%d is what it has\\n", a[0]); }')
        c.send(queue_create(Q, handle(0), s.seq), buffer_create(B, BUFFERS, PAGE, s.seq), kernel_create(K, P))
        c.sleep()
        c.send(ndrange(Q, 1, K, 1, [B]))
        assert g.irqs[1].count(60), "text is attention"
        eventually(lambda: g.get64(s.at(output)) > 0, "text", 60)
        assert s.read(output + PAGE, 9) == b"0 is what"
        g.write(R_BELL_CHANNEL, 1 << 8)


if __name__ == "__main__":
    guest.vfu.main()
