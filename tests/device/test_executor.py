#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What an executor may do wrong: its session is lost with a sentence, and nothing else is touched."""
import errno
import os
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import MIB, PROGRAM_BUILD, SEGMENT_CREATE, SEGMENT_DESTROY, SERVICE, SESSION_CREATE, device, expect_gone, expect_refusal, segment_body  # noqa: E402

BUILD = struct.pack("<IIQQQQQQ", 1, 0, 1 << 32, MIB, 64, MIB + 4096, 4096, 0)


def refused_start(fake, status, text):
    with device(fake=fake) as d:
        def is_told_at_once():
            c = d.connect().hello()
            start = time.monotonic()
            refused = expect_refusal(lambda: c.ask(SESSION_CREATE, c.create_body()), status)
            seconds = time.monotonic() - start
            assert text.replace("session 1 ", f"session {len(d.clients)} ") in refused.text, refused
            expect_gone(c)
            d.expect_clean()
            return seconds < 2

        wire.one_of_several(is_told_at_once, "it is told at once")


def test_refuses():
    refused_start("refuse", errno.ENODEV, "the fake host has no device")


def test_crashes_at_start():
    refused_start("crash", errno.ESHUTDOWN, "the executor of session 1 was killed by signal 11 (Segmentation fault)")


def test_exits_at_start():
    refused_start("exit", errno.ESHUTDOWN, "the executor of session 1 ended with status 3")


def test_closes_at_start():
    refused_start("close", errno.ESHUTDOWN, "closed its connection")


def test_sends_no_probe():
    refused_start("no-probe", errno.EPROTO, "no usable record")


def lost(fake, text):
    """Nonsense after READY."""
    with device(fake=fake) as d:
        c = d.connect().hello()
        c.send(SESSION_CREATE, c.create_body())
        assert text in expect_gone(c)
        d.expect_clean()
        assert d.stats()["executors_lost"] == 1


def test_sends_garbage():
    lost("garbage", "sent a packet that is no message")


def test_sends_a_short_packet():
    lost("short", "sent a packet that is no message")


def test_sends_a_long_packet():
    lost("long", "sent a packet that is no message")


def test_answers_what_nobody_asked():
    lost("unknown", "sent a message that makes no sense")


def test_gets_ready_twice():
    lost("twice", "sent a message that makes no sense")


def during_build(fake, text, status=errno.ESHUTDOWN):
    """The build is answered, and so is everything else that is open; another session goes on."""
    with device(fake=fake) as d:
        other, c = d.start(), d.start()
        other.grab(0, MIB)
        channel = c.context()
        c.grab(MIB, MIB, SERVICE)
        c.grab(8 * MIB, MIB)
        ident = c.send(PROGRAM_BUILD, BUILD)
        refused = expect_refusal(lambda: c.wait(ident), status)
        farewell = expect_gone(c)
        assert text in farewell, farewell
        assert refused.status == errno.ESHUTDOWN
        assert struct.unpack_from("<I", channel, 4096 + 64)[0] == 1
        channel.close()
        wire.eventually(lambda: other.memory()[1] == MIB, "the lost session's memory is free")
        again = d.start()
        assert again.number == 3
        again.grab(0, 63 * MIB)


def test_crashes_in_a_build():
    during_build("build-crash", "the executor of session 2 was killed by signal 11 (Segmentation fault): a kernel crashed")


def test_answers_with_an_impossible_length():
    during_build("build-huge", "sent a message that makes no sense")


def test_answers_with_another_type():
    during_build("build-type", "sent a message that makes no sense")


def test_answers_too_much():
    during_build("build-long", "sent a message that makes no sense")


def test_answers_with_an_impossible_status():
    during_build("build-status", "sent a message that makes no sense")


def is_told_of_all_kinds_of_requests():
    with device(fake="deaf build-hang", memory="8M") as d:
        c = d.start()
        channel = c.context()
        c.grab(MIB, MIB, SERVICE)
        c.grab(8 * MIB, 6 * MIB)
        opened = [c.send(PROGRAM_BUILD, BUILD), c.send(SEGMENT_DESTROY, struct.pack("<QIIQ", 8 * MIB, 0, 0, 0)),
                  c.send(SEGMENT_CREATE, segment_body(32 * MIB, 4 * MIB))]
        assert c.is_silent()
        os.kill(d.executors()[0], signal.SIGKILL)
        start = time.monotonic()
        for ident in opened:
            expect_refusal(lambda i=ident: c.wait(i), errno.ESHUTDOWN, "ExecutorLost")
        assert "killed by signal 9 (Killed)" in expect_gone(c)
        seconds = time.monotonic() - start
        assert struct.unpack_from("<I", channel, 4096 + 64)[0] == 1
        return seconds < 1


def test_killed_with_all_kinds_of_requests_open():
    wire.one_of_several(is_told_of_all_kinds_of_requests, "all are told at once")


def test_killed_in_between():
    """At any moment of a busy session."""
    with device() as d:
        for pause in (0, 0.001, 0.003, 0.01, 0.02):
            c = d.start()
            c.context()
            pid = d.executors()[0]
            for i in range(200):
                c.send(SEGMENT_CREATE, segment_body(i << 20, MIB if i % 2 else 4096))
                c.send(SEGMENT_DESTROY, struct.pack("<QIIQ", i << 20, 0, 0, 0))
            time.sleep(pause)
            os.kill(pid, signal.SIGKILL)
            said = drain(c)
            assert "killed by signal 9" in said, repr(said)
            c.close()
            d.expect_clean()
        c = d.start()
        wire.eventually(lambda: c.memory()[1] == 0, "all memory is free")


def drain(c):
    while True:
        try:
            for fd in c.receive().fds:
                os.close(fd)
        except wire.Gone as gone:
            return str(gone)


def test_stopped_executor_can_be_ended():
    with device() as d:
        c = d.start()
        os.kill(d.executors()[0], signal.SIGSTOP)
        c.close()
        d.expect_clean()


def test_executor_that_reads_nothing():
    """The client is slowed down, the device's memory is not filled; another session goes on."""
    with device(fake="slow") as d:
        c, other = d.start(), d.start()
        c.sock.settimeout(0.3)
        sent = 0
        try:
            while sent < 200000:
                c.send(SEGMENT_DESTROY, struct.pack("<QIIQ", 0, 0, 0, 0))
                c.send(SEGMENT_CREATE, segment_body(sent * 4096, 4096, SERVICE))
                sent += 1
                while c.sock in __import__("select").select([c.sock], [], [], 0)[0]:
                    for fd in c.receive().fds:
                        os.close(fd)
        except (TimeoutError, BlockingIOError):
            pass
        assert other.memory()
        with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
            rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        assert rss < 200 << 10, f"{rss} KiB"


if __name__ == "__main__":
    wire.main()
