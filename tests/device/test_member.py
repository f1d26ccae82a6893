#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Devices that share a tranche-parent: they join it, it starts their executors, and it may go and come back."""
import contextlib
import errno
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import shared_parent  # noqa: E402
import wire  # noqa: E402
from control import KEEP, managed  # noqa: E402
from fake_parent import ENDED, JOIN, PROBE, START, UPDATE, FakeParent, refusal  # noqa: E402
from wire import DEVICE, FAKE, HEAD, MIB, REPLY, eventually, expect_gone, expect_refusal, is_running, message  # noqa: E402

PARENT = os.environ.get("TRANCHE_TEST_PARENT", "build/src/parent/tranche-parent")


@contextlib.contextmanager
def real(memory="256M"):
    """The real one, which starts fake executors."""
    with tempfile.TemporaryDirectory(prefix="parent-") as folder:
        yield Real(folder, memory)


class Real:
    def __init__(self, folder, memory):
        self.path, self.folder, self.memory, self.process = folder + "/s", folder, memory, None
        self.start()

    def start(self):
        self.process = subprocess.Popen([PARENT, "--listen", self.path, "--name", "cpu0", "--host-device", "0", "--memory",
                                         str(256 * MIB), "--lock", self.folder + "/lock", "--executor", FAKE, "--no-fork", "--store",
                                         "none"], stdin=subprocess.DEVNULL, env={**os.environ, "FAKE": ""})
        eventually(lambda: os.path.exists(self.path), "it listens")

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def parent(kind, **options):
    with tempfile.TemporaryDirectory(prefix="parent-") as folder:
        p = Real(folder, "") if kind == "real" else FakeParent(folder + "/s", **options)
        try:
            yield p
        finally:
            p.kill() if kind == "real" else p.close()


def member(p, memory="64M", **options):
    arguments = ["--parent-socket", p.path, *(["--memory", memory] if memory else []), *options.pop("arguments", [])]
    return managed(arguments=arguments, **options)


def executors(d, count):
    return eventually(lambda: d.control.stats()["executors_now"] == count, f"{count} executors")


def started(p):
    """Executors of the real one, which has a process for its own work, too."""
    return [pid for pid in wire.children_of(p.process.pid) if wire.name_of(pid) != "tranche-parent"]


def has_record(p):
    """Has the real one a probe's record, which it hands to those who join?"""
    with contextlib.closing(shared_parent.Device(p)) as d:
        body, fds = d.joined
        for fd in fds:
            os.close(fd)
        return struct.unpack("<QQ", body)[0]


def test_executor_is_the_parents_child():
    for kind in ("fake", "real"):
        with parent(kind) as p, member(p) as d:
            c = d.session()
            c.grab(0, MIB)
            assert not wire.children_of(d.process.pid), "it starts nothing itself"
            executors(d, 1)
            if kind == "real":
                child, = started(p)
                assert os.getpgid(child) == child
            c.close()
            executors(d, 0)
            eventually(lambda d=d: not [n for n in os.listdir(d.folder) if n.startswith("session-")], "no folder is left")
            eventually(lambda d=d: d.control.stats()["sessions_now"] == 0, "the session is gone")
            assert d.control.stats()["executors_lost"] == 0
            if kind == "real":
                eventually(lambda: not is_running(child), "it was ended")
            d.session().grab(0, MIB)


def test_executor_that_dies():
    for kind in ("fake", "real"):
        with parent(kind) as p, member(p) as d:
            for number, text in ((signal.SIGKILL, "signal 9"), (signal.SIGSEGV, "a kernel crashed")):
                c = d.session()
                executors(d, 1)
                # It is known before it has been executed.
                pid = eventually(lambda p=p: started(p), "an executor")[0] if kind == "real" else list(p.children.values())[-1].pid
                os.kill(pid, number)
                said = expect_gone(c)
                assert text in said, said
                executors(d, 0)
            assert d.control.stats()["executors_lost"] == 2 and (kind == "real" or d.control.stats()["cpu_ns"] >= 5000000)


def test_no_spare():
    with parent("real") as p, member(p) as d:
        time.sleep(0.6)
        assert not started(p) and not os.listdir("/proc/%d/task" % d.process.pid)[1:]
        d.session()
        time.sleep(0.6)
        executors(d, 1)


def test_probe_is_handed_up():
    """The first device's record serves the second, which has never started an executor."""
    with parent("real") as p, member(p, memory=None) as first:
        assert first.hello.memory == 0
        first.session()
        quota = first.control.hello().memory
        assert quota
        eventually(lambda: has_record(p), "the record has been handed up")
        with member(p, memory=None) as second:
            assert second.hello.memory == quota, "known before any program came"
            c = wire.Client(second.path).hello()
            os.kill(p.process.pid, signal.SIGSTOP)      # it is answered all the same, at once
            try:
                c.ask(wire.SESSION_CREATE, c.create_body())
            finally:
                os.kill(p.process.pid, signal.SIGCONT)
            c.close()


def test_join_carries_what_was_taken():
    with parent("fake") as p:
        with member(p, memory="48M", arguments=["--time", "300"]) as d:
            assert struct.unpack("<16sQII", p.bodies(JOIN)[0]) == (d.uuid.bytes, 48 * MIB, 300, 1)
            assert not p.bodies(PROBE)
            d.session()
            d.session()
            eventually(lambda: p.bodies(PROBE), "the record is handed up")
            assert len(p.bodies(PROBE)) == 1
        with member(p, memory="0") as d:
            assert struct.unpack("<16sQII", p.bodies(JOIN)[1])[1:] == (0, 0, 1)


def failed(p_path, *more):
    with tempfile.TemporaryDirectory() as f:
        start = time.monotonic()
        result = subprocess.run([DEVICE, "--uuid", "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f", "--socket-path", f + "/s",
                                 "--parent-socket", p_path, "--ended", f + "/ended", *more], capture_output=True, text=True, timeout=30)
        assert result.returncode == 1 and sorted(os.listdir(f)) == ["ended"], (result, os.listdir(f))
        return result.stderr, time.monotonic() - start


def is_told_soon(path, text):
    said, seconds = failed(path, "--memory", "64M")
    assert text in said, said
    return seconds < 3


def test_join_refused():
    for answer, text in ((errno.EUSERS, "the fake one says no"), (errno.EEXIST, "the fake one says no"), (b"x", "join"),
                         (b"\xff" * 60, "join"),
                         (message(JOIN | REPLY, 1, b"short8__"), "language"),
                         (message(JOIN | REPLY, 1, struct.pack("<QQ", 1000, 0)), "record")):
        with parent("fake", answers={JOIN: answer}) as p:
            wire.one_of_several(lambda p=p, text=text: is_told_soon(p.path, text), "a refusal is told at once")
    with parent("fake", answers={JOIN: None}) as p:
        said, seconds = failed(p.path)
        assert "does not answer" in said and 4 < seconds < 20, (said, seconds)
    with parent("real") as p, member(p, memory="200M") as d:
        said, _ = failed(p.path, "--memory", "64M")
        assert "left" in said and "memory" in said, said
        assert d.control.stats()


def test_parent_that_is_late():
    with tempfile.TemporaryDirectory(prefix="parent-") as folder:
        process = subprocess.Popen([DEVICE, "--uuid", "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f", "--socket-path", folder + "/face",
                                    "--parent-socket", folder + "/s"], stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        assert not os.path.exists(folder + "/face")
        p = FakeParent(folder + "/s")
        eventually(lambda: os.path.exists(folder + "/face"), "it is served")
        process.terminate()
        assert process.wait(20) == 0
        p.close()
        said, seconds = failed(folder + "/none")
        assert "none" in said and 1.5 < seconds < 15


def test_parent_goes_and_comes_back():
    with parent("real") as p, member(p) as d:
        c = d.session()
        c.grab(0, MIB)
        executors(d, 1)
        p.kill()
        assert "tranche-parent" in expect_gone(c)
        executors(d, 0)
        waiting = wire.Client(d.path).hello()
        ident = waiting.send(wire.SESSION_CREATE, waiting.create_body())
        waiting.wait(ident)     # the record is known: it is answered before it has an executor
        p.start()
        executors(d, 1)
        assert not wire.children_of(d.process.pid), "who came meanwhile has waited for it"
        waiting.close()
        d.session().grab(0, MIB)


def test_parent_stays_away():
    """After two seconds a program counts for more than its share."""
    with parent("real") as p, member(p) as d:
        d.session().close()             # the record is known: sessions are answered before they have an executor
        eventually(lambda: d.control.stats()["sessions_now"] == 0, "it is gone")
        p.kill()
        gone = wire.Client(d.path).start()
        c = d.session()
        gone.close()                    # its executor is not started at all
        eventually(lambda: wire.children_of(d.process.pid), "it has its own", within=8)
        c.grab(0, MIB)
        assert len(wire.children_of(d.process.pid)) == 1
        expect_refusal(lambda: d.control.set(32 * MIB), errno.EAGAIN, "ParentLost")
        assert d.control.stats()["quota"] == 64 * MIB
        p.start()
        eventually(lambda: not_refused(d), "it has joined again", within=12)
        c.grab(MIB, MIB)
        other = d.session()
        eventually(lambda: started(p), "the next one is the parent's")
        other.close()


def not_refused(d):
    with contextlib.suppress(wire.Refused):
        d.control.set(48 * MIB)
        return True
    return False


def test_set_asks_the_parent():
    with parent("fake") as p, member(p) as d:
        d.control.set(32 * MIB, 700)
        assert struct.unpack("<QII", p.bodies(UPDATE)[-1]) == (32 * MIB, 700, 0)
        p.answers[UPDATE] = errno.EUSERS
        refused = expect_refusal(lambda: d.control.set(128 * MIB), errno.EUSERS)
        assert "the fake one says no" in refused.text and refused.hint == "do it better"
        assert d.control.hello().memory == 32 * MIB and d.control.hello().time == 700
        expect_refusal(lambda: d.control.set(16 * MIB), errno.EUSERS)
        assert d.control.hello().memory == 32 * MIB
        c = d.session()
        c.grab(0, 20 * MIB)
        before = len(p.bodies(UPDATE))
        expect_refusal(lambda: d.control.set(16 * MIB), errno.EBUSY)
        assert len(p.bodies(UPDATE)) == before, "it is not even asked"
        p.answers[UPDATE] = None
        ident = d.control.send(130 + 5, struct.pack("<QII", 24 * MIB, KEEP, 0))
        other = d.connect()
        assert d.control.is_silent()
        expect_refusal(lambda: other.set(), errno.EALREADY)
        expect_refusal(lambda: c.grab(32 * MIB, 8 * MIB), errno.ENOSPC)     # the smaller one counts meanwhile
        p.hang_up()
        expect_refusal(lambda: d.control.wait(ident), errno.EAGAIN)
        assert d.control.hello().memory == 32 * MIB
    with parent("real") as p, member(p) as d, member(p) as other:
        expect_refusal(lambda: d.control.set(200 * MIB), errno.EUSERS)
        d.control.set(192 * MIB)
        expect_refusal(lambda: other.control.set(65 * MIB), errno.EUSERS)
        other.control.set(0, 600)
        expect_refusal(lambda: d.control.set(0, 401), errno.EUSERS)
        d.control.set(0, 400)


def test_parent_that_speaks_nonsense():
    """It is a lost connection: executors are lost, and the device comes back."""
    for packet in (b"x", b"\xff" * 200, message(ENDED, 1, b"short8__"), message(START | REPLY, 77), message(UPDATE | REPLY, 5),
                   message(JOIN | REPLY, 1, struct.pack("<QQ", 0, 0))):
        with parent("fake") as p, member(p) as d:
            c = d.session()
            executors(d, 1)
            p.conns[0].send(packet)
            assert "tranche-parent" in expect_gone(c)
            eventually(lambda: len(p.bodies(JOIN)) == 2, "it joins again")
            d.session().grab(0, MIB)
    with parent("fake") as p, member(p) as d:
        c = d.session()
        p.conns[0].send(message(ENDED, 4711, struct.pack("<iiiIQ", 1, 1, 0, 0, 0)))     # of nobody we know
        c.grab(0, MIB)


def test_start_is_refused():
    with parent("fake", answers={START: errno.ENOMEM}) as p, member(p) as d:
        d.session().grab(0, MIB)        # then by ourselves
        assert len(wire.children_of(d.process.pid)) == 1


def test_stop_with_sessions():
    for kind in ("fake", "real"):
        with parent(kind) as p, member(p) as d:
            clients = [d.session() for _ in range(3)]
            executors(d, 3)
            d.control.stop(2)
            assert d.ended()[1]["name"] == "Stopped"
            for c in clients:
                expect_gone(c)
            if kind == "real":
                eventually(lambda: not started(p), "no executor is left")


def test_device_killed():
    with parent("real") as p, member(p) as d:
        d.session()
        executors(d, 1)
        pid, = started(p)
        d.process.kill()
        d.process.wait()
        eventually(lambda: not is_running(pid), "its executors end with it")
        os.unlink(d.control_path)
        os.unlink(d.path)
        for name in os.listdir(d.folder):
            if name.startswith("session-"):
                subprocess.run(["rm", "-r", os.path.join(d.folder, name)], check=True)


def test_idle_memory():
    """An idle device that shares its parent has at most 8 MiB, and does not wake up."""
    with parent("fake") as p, member(p) as d:
        with open(f"/proc/{d.process.pid}/maps", encoding="utf-8") as f:
            if "asan" in f.read():
                return
        time.sleep(0.3)

        def switches():
            with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
                return int(f.read().split("\nvoluntary_ctxt_switches:")[1].split()[0])

        def sleeps():
            before = switches()
            time.sleep(2)
            return switches() == before

        wire.one_of_several(sleeps, "it does not wake up")
        with open(f"/proc/{d.process.pid}/smaps_rollup", encoding="ascii") as f:
            pss = next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        print(f"# PSS {pss} KiB")
        assert pss <= 8192


if __name__ == "__main__":
    wire.main()
