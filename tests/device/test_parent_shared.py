#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tranche-parent --listen: who joins, what it is promised, what becomes of executors, and who gets the time.

No OpenCL here: tests/device/gate_load.c is told to be an executor.
"""
import contextlib
import errno
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

sys.dont_write_bytecode = True
import shared_parent as sp  # noqa: E402
import tap  # noqa: E402
from shared_parent import (ACCOUNTS, BEST_EFFORT, CLD_EXITED, CLD_KILLED, EQUAL, FIXED, JOIN, MANAGE, MIB, PROBE, QUIT, RUNS, SCHEDULE,  # noqa: E402
                           START, STOPPED, UPDATE, WANTS, Connection, Device, Info, Manager, is_running, parent, shares, state_of)
from tap import eventually  # noqa: E402
from wire import HEAD, Gone, Refused, links_of, message, one_of_several  # noqa: E402


def join_body(memory=MIB, when=0, ident=None, version=1):
    return struct.pack("<16sQII", ident or uuid.uuid4().bytes, memory, when, version)


# ------------------------------------------------------------------ joining

def test_join_and_leave():
    with parent() as p:
        m = Manager(p)
        assert (m.info.pid, m.info.devices, m.info.memory, m.info.policy) == (p.process.pid, 0, 1024 * MIB, BEST_EFFORT)
        assert m.info.slice_us == 5000
        d = Device(p, 100 * MIB, 250)
        body, fds = d.joined
        assert struct.unpack("<QQ", body) == (0, 0) and not fds
        info = m.schedule(BEST_EFFORT)
        assert (info.devices, info.memory_joined, info.time_joined) == (1, 100 * MIB, 250)
        d.close()
        eventually(lambda: m.schedule(BEST_EFFORT).devices == 0, "it has left")
        assert m.schedule(BEST_EFFORT).memory_joined == 0


def test_capacity():
    with parent() as p:
        first = Device(p, 600 * MIB, 700)
        c = Connection(p.path)
        assert "bytes" in c.refused(errno.EUSERS, JOIN, join_body(425 * MIB)).text
        c.refused(errno.EUSERS, JOIN, join_body((1 << 64) - 1))
        assert "thousandths" in c.refused(errno.EUSERS, JOIN, join_body(MIB, 301)).text
        c.refused(errno.EUSERS, JOIN, join_body(MIB, (1 << 32) - 1))
        c.refused(errno.EEXIST, JOIN, join_body(ident=first.uuid))
        c.refused(errno.EPROTONOSUPPORT, JOIN, join_body(version=99))
        c.call(JOIN, join_body(424 * MIB, 300))     # all that is left, on the same connection
        c.close()
        eventually(lambda: Manager(p).info.devices == 1, "it has left")
        Device(p, 424 * MIB, 300)


def test_update():
    with parent() as p:
        a, b = Device(p, 500 * MIB, 500), Device(p, 500 * MIB, 500)
        a.refused(errno.EUSERS, UPDATE, struct.pack("<QII", 525 * MIB, 500, 0))
        a.refused(errno.EUSERS, UPDATE, struct.pack("<QII", 500 * MIB, 501, 0))
        a.refused(errno.EINVAL, UPDATE, struct.pack("<QII", 500 * MIB, 500, 1))
        m = Manager(p)
        assert (m.info.memory_joined, m.info.time_joined) == (1000 * MIB, 1000)
        a.call(UPDATE, struct.pack("<QII", 524 * MIB, 400, 0))
        b.call(UPDATE, struct.pack("<QII", 1 * MIB, 600, 0))
        info = m.schedule(BEST_EFFORT)
        assert (info.memory_joined, info.time_joined) == (525 * MIB, 1000)
        assert m.account(b).time == 600


def test_probe():
    with parent() as p:
        a = Device(p)
        fd = os.memfd_create("probe", os.MFD_ALLOW_SEALING)
        os.write(fd, b"record..")
        a.send_raw(message(PROBE, 0, struct.pack("<QQ", 8, 3)), [fd])     # not sealed: refused
        try:
            a.receive()
            raise AssertionError("a record that can change was taken")
        except Refused as refusal:
            assert refusal.status == errno.EINVAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
        for length in (0, 9):
            a.send_raw(message(PROBE, 0, struct.pack("<QQ", length, 3)), [fd])
            with contextlib.suppress(Refused):
                a.receive()
                raise AssertionError("a length that is none was taken")
        a.send_raw(message(PROBE, 0, struct.pack("<QQ", 8, 3)), [fd])
        body, fds = eventually(lambda: (lambda joined: joined[1] and joined)(Device(p).joined), "the record is handed on")
        assert struct.unpack("<QQ", body) == (8, 3)
        assert os.pread(fds[0], 8, 0) == b"record.."


# ---------------------------------------------------------------- executors

def test_executors_are_children_of_the_parent():
    with parent() as p:
        d = Device(p)
        pid = d.start()
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        assert int(status["PPid"]) == p.process.pid and os.getpgid(pid) == pid
        eventually(lambda: "gate-load" in os.readlink(f"/proc/{pid}/exe"), "it has begun")
        # The loader has a library open for a moment.
        eventually(lambda: set(links_of(pid)) == {0, 1, 2, 3, 4, 5}, "it has these descriptors and no others")
        assert "tranche-gate" in links_of(pid)[5]
        assert Manager(p).info.executors == 1
        d.sessions[0].close()       # it ends by itself
        e = d.ended()
        assert (e.pid, e.code, e.status) == (pid, CLD_EXITED, 0)
        assert Manager(p).info.executors == 0


def processor_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_ended():
    with parent() as p:
        d = Device(p)
        for load, code, status in (("exit", CLD_EXITED, 7), ("crash", CLD_KILLED, signal.SIGSEGV)):
            pid = d.start(load)
            e = d.ended()
            assert (e.pid, e.status) == (pid, status) and (e.code == code or load == "crash"), vars(e)
        pid = d.start("kernels:1000")
        eventually(lambda: processor_ticks(pid) * 1000 >= 30 * os.sysconf("SC_CLK_TCK"), "it has used 30 ms", within=20)
        os.kill(pid, signal.SIGKILL)
        e = d.ended()
        assert (e.pid, e.code, e.status) == (pid, CLD_KILLED, signal.SIGKILL)
        assert e.cpu_ns > 20_000_000, "what it used is told"
        assert Manager(p).account(d).cpu_ns >= e.cpu_ns, "and stays in the account"


def test_strays():
    with parent() as p:
        d = Device(p)
        pid = d.start("stray")
        e = d.ended()
        assert e.pid == pid and e.cpu_ns > 10_000_000, "what was left behind is charged"
        with open(f"/proc/{p.process.pid}/task/{p.process.pid}/children", encoding="ascii") as f:
            assert len(f.read().split()) == 1, "the mould alone is left"


def test_device_dies():
    with parent() as p:
        a, b = Device(p), Device(p)
        pids = [a.start("kernels:1000"), a.start("children:1000"), a.start()]
        other = b.start()
        a.close()
        eventually(lambda: not any(is_running(pid) for pid in pids), "its executors are ended")
        assert is_running(other)
        eventually(lambda: (lambda info: (info.executors, info.devices) == (1, 1))(Manager(p).info), "and forgotten")
        Device(p, ident=a.uuid)     # and may come back
        b.start()


def test_parent_killed():
    with parent() as p:
        devices = [Device(p), Device(p)]
        pids = [d.start(load) for d, load in zip(devices, ("kernels:1000", "idle"))]
        p.process.kill()
        p.process.wait()
        eventually(lambda: not any(is_running(pid) for pid in pids), "executors end with it")


def test_mould_killed():
    with parent() as p:
        d = Device(p)
        first = d.start()
        with open(f"/proc/{p.process.pid}/task/{p.process.pid}/children", encoding="ascii") as f:
            mould, = (int(pid) for pid in f.read().split() if int(pid) != first)
        os.kill(mould, signal.SIGKILL)
        eventually(lambda: not is_running(mould), "it is dead")
        second = d.start()
        assert is_running(first) and is_running(second)


def test_ends():
    with parent() as p:
        m, d = Manager(p), Device(p)
        pid = d.start()
        m.refused(errno.EBUSY, QUIT)
        d.close()
        eventually(lambda: not is_running(pid), "the executor is ended")
        eventually(lambda: (lambda info: not info.executors and not info.devices)(m.schedule(BEST_EFFORT)), "and forgotten")
        m.call(QUIT)
        assert p.process.wait(10) == 0 and not os.path.exists(p.path)
    with parent() as p:
        pid = Device(p).start("kernels:1000")
        p.process.terminate()
        assert p.process.wait(10) == 0 and not is_running(pid) and not os.path.exists(p.path)


def test_one_at_a_time():
    with parent() as p:
        second = subprocess.run(p.arguments, stderr=subprocess.PIPE, timeout=10, check=False, text=True)
        assert second.returncode == 1 and "lock" in second.stderr, second.stderr
        Manager(p)
        p.process.kill()
        p.process.wait()
        p.process = subprocess.Popen(p.arguments)      # what the killed one has left is no hindrance
        eventually(p.answers, "it listens again")


def test_start_file():
    with parent() as p, tempfile.TemporaryDirectory(prefix="tp-") as folder:
        path = os.path.join(folder, "start")
        lines = [a.replace(p.folder, folder) for a in p.arguments[1:]]
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        other = sp.Parent.__new__(sp.Parent)
        other.path = os.path.join(folder, "s")
        other.process = subprocess.Popen([sp.PARENT, "--start-file", path])
        eventually(other.answers, "it listens")
        assert Manager(other).info.memory == 1024 * MIB
        other.end()
        for text in ("--listen", "--memory\nmuch\n", "--start-file\n" + path + "\n", "word\n"):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            assert subprocess.run([sp.PARENT, "--start-file", path], stderr=subprocess.DEVNULL, timeout=10, check=False).returncode == 2


# ------------------------------------------------------------------ its own end

def test_ends_when_nobody_is_connected():
    with parent("--linger", "2") as p:
        device = Device(p)
        with_device = time.monotonic() + 2.5
        while time.monotonic() < with_device:
            assert p.process.poll() is None, "it ends although a device has joined"
            time.sleep(0.1)
        m = Manager(p)
        device.close()
        time.sleep(2.5)
        assert p.process.poll() is None, "it ends although it is managed"
        m.close()
        assert p.process.wait(20) == 0
        assert not os.path.exists(p.path)


def test_goes_on_without_linger():
    with parent() as p:
        Device(p).close()
        time.sleep(1.5)
        assert p.process.poll() is None


# ------------------------------------------------------------------ accounts of all

def test_busy_time_of_those_that_have_left():
    with parent() as p:
        m, d = Manager(p), Device(p)
        d.start("kernels:1000")
        eventually(lambda: m.account(d).busy_ns > 20_000_000, "it has used something")
        account = m.account(d).busy_ns
        assert m.busy_ns >= account
        d.close()
        eventually(lambda: not m.accounts(), "it has left")
        before = m.busy_ns
        assert before >= account
        assert not m.accounts() and m.busy_ns == before


# ------------------------------------------------------------------ refusals

def test_who_may_say_what():
    with parent() as p:
        c, d, m = Connection(p.path), Device(p), Manager(p)
        for kind in (START, UPDATE, SCHEDULE, ACCOUNTS, QUIT):
            c.refused(errno.EPERM, kind)
        for kind in (JOIN, MANAGE, SCHEDULE, ACCOUNTS, QUIT):
            d.refused(errno.EPERM, kind)
        for kind in (JOIN, MANAGE, START, UPDATE):
            m.refused(errno.EPERM, kind)
        d.start()
        assert m.schedule(BEST_EFFORT).executors == 1


def test_bad_schedules():
    with parent() as p:
        m = Manager(p)
        for policy, slice_us in ((3, 0), (EQUAL, 499), (EQUAL, 100001), (EQUAL, (1 << 32) - 1)):
            m.refused(errno.EINVAL, SCHEDULE, struct.pack("<II", policy, slice_us))
        assert (m.schedule(EQUAL, 500).slice_us, m.schedule(FIXED, 100000).slice_us) == (500, 100000)
        info = m.schedule(EQUAL)
        assert (info.policy, info.slice_us) == (EQUAL, 100000)


def test_hostile_packets():
    with parent() as p:
        good, m = Device(p), Manager(p)
        c = Connection(p.path)
        body = join_body()
        for packet in (b"x", b"\0" * 23, message(JOIN, 1, body, length=55), message(JOIN, 1, body[:-1]), message(JOIN, 1, body + b"\0"),
                       message(JOIN, 0, body), message(JOIN, 1, body, status=1), message(JOIN, 1, body, flags=1), message(4711, 1),
                       message(MANAGE, 1, b"12345678"), b"\0" * (1 << 17)):
            c.send_raw(packet)
            try:
                c.receive()
                raise AssertionError(f"taken: {packet[:40]}")
            except Refused as refusal:
                assert refusal.text
        c.send_raw(message(JOIN, 1, body), [0])
        with contextlib.suppress(Refused):
            c.receive()
            raise AssertionError("descriptors were taken")
        text = b"A=1\0"
        folder = os.open("/tmp", os.O_PATH)
        theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for start, fds in ((struct.pack("<II", 1, 4) + text, []), (struct.pack("<II", 1, 4) + text, [folder]),
                           (struct.pack("<II", 1, 4) + text, [folder] * 3), (struct.pack("<II", 2, 4) + text, [theirs[0].fileno(), folder]),
                           (struct.pack("<II", 1, 4) + text, [theirs[0].fileno(), theirs[1].fileno()]), (b"", [0, folder])):
            try:
                good.call(START, start, fds)
                raise AssertionError(f"taken: {start}")
            except Refused as refusal:
                assert refusal.status in (errno.EINVAL, errno.ENOTDIR, errno.EBADMSG), refusal
        dice = random.Random(7)
        for _ in range(300):
            packet = bytearray(message(dice.randrange(90, 120), dice.randrange(3), dice.randbytes(dice.randrange(64))))
            if dice.random() < 0.3:
                packet[dice.randrange(len(packet))] ^= 1 << dice.randrange(8)
            one = Connection(p.path)
            with contextlib.suppress(Refused, Gone, BrokenPipeError):
                one.send_raw(bytes(packet), [folder] * dice.randrange(3))
                one.sock.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    one.receive()
            one.close()
        good.start()
        assert m.schedule(BEST_EFFORT).executors == 1


def test_one_that_does_not_read():
    with parent() as p:
        m, deaf = Manager(p), Manager(p)
        deaf.sock.settimeout(20)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            for _ in range(20000):
                deaf.send_raw(message(ACCOUNTS, 1))
        m.accounts()


# -------------------------------------------------------------------- shares

def two(p, first, second, times=(0, 0)):
    devices = [Device(p, MIB, t) for t in times]
    for d, loads in zip(devices, (first, second)):
        for load in loads.split("+"):
            d.start(load)
    return devices


def expect(got, wanted, within):
    assert all(abs(g - w) <= within for g, w in zip(got, wanted)), f"shares {got}, not {wanted}"


def test_best_effort_holds_nobody_back():
    with parent() as p:
        m = Manager(p)
        devices = two(p, "kernels:2000", "kernels:2000")
        shares(m, devices, 1)
        for d in devices:
            a = m.account(d)
            assert a.flags & RUNS and a.flags & WANTS and not a.flags & STOPPED
            assert (a.slices, a.wait_ns, a.stops) == (0, 0, 0) and a.cpu_ns > 0 and a.executors == 1


def test_equal_share():
    with parent() as p:
        m = Manager(p)
        devices = two(p, "kernels:1000+kernels:1000+kernels:1000", "kernels:4000")
        m.schedule(EQUAL)
        got, _ = shares(m, devices, 3)
        expect(got, (0.5, 0.5), 0.15)
        a = m.account(devices[1])
        assert a.slices > 50 and a.wait_ns > 1e9 and a.longest_wait_ns < 1e9, vars(a)


def test_equal_share_of_those_who_begin_later():
    with parent() as p:
        m = Manager(p)
        devices = two(p, "late:1000", "late:1000")
        m.schedule(EQUAL)       # nobody wants anything yet, and all gates have been open
        shares(m, devices, 1, warm=1)
        assert all(m.account(d).slices > 20 for d in devices)


def test_one_alone_is_not_held_back():
    with parent() as p:
        m = Manager(p)
        devices = two(p, "kernels:1000", "idle")
        m.schedule(EQUAL)
        got, _ = shares(m, devices, 1)
        a = m.account(devices[0])
        assert got[0] > 0.95 and a.slices == 0 and a.wait_ns < 1e8, (got, vars(a))


def test_fixed_share():
    with parent() as p:
        m = Manager(p)
        devices = two(p, "kernels:1000", "kernels:3000", (700, 300))
        m.schedule(FIXED)
        got, _ = shares(m, devices, 3)
        expect(got, (0.7, 0.3), 0.15)


def test_fixed_share_gives_no_more_than_promised():
    with parent() as p:
        m = Manager(p)
        devices = two(p, "kernels:1000", "idle", (300, 700))
        m.schedule(FIXED)
        time.sleep(0.5)
        before = m.account(devices[0])
        start = m.now
        time.sleep(3)
        after = m.account(devices[0])
        part = (after.busy_ns - before.busy_ns) / (m.now - start)
        assert 0.01 < part < 0.37, part


@contextlib.contextmanager
def against(load):
    with parent() as p:
        m = Manager(p)
        m.schedule(EQUAL)
        devices = two(p, load, "kernels:1000")
        yield m, devices


def test_endless_kernel():
    with against("endless") as (m, devices):
        got, _ = shares(m, devices, 4)
        expect(got, (0.5, 0.5), 0.2)
        assert m.account(devices[0]).stops > 2


def test_greedy():
    with against("greedy:1000") as (m, devices):
        got, _ = shares(m, devices, 4)
        expect(got, (0.5, 0.5), 0.2)


def test_silent():
    with against("silent:1000+silent:1000+silent:1000") as (m, devices):
        got, _ = shares(m, devices, 4, warm=1)
        assert got[1] > 0.33, got


def test_children():
    with against("children:1000") as (m, devices):
        got, _ = shares(m, devices, 4, warm=1)
        assert got[1] > 0.33, got
        assert m.account(devices[0]).stops > 0


def test_schedules_change_while_devices_run():
    with parent() as p:
        m = Manager(p)
        devices = two(p, "kernels:1000", "endless", (800, 200))
        for policy, slice_us, wanted in ((EQUAL, 2000, (0.5, 0.5)), (FIXED, 5000, (0.8, 0.2)), (EQUAL, 10000, (0.5, 0.5))):
            m.schedule(policy, slice_us)
            got, _ = shares(m, devices, 2)
            expect(got, wanted, 0.2)
        m.schedule(BEST_EFFORT)
        eventually(lambda: not any(a.flags & STOPPED for a in m.accounts().values()), "nobody is stopped any more")
        for d in devices:
            assert state_of(d.pids[0]) != "T"


def test_stopped_ones_go_on_when_others_leave():
    with against("endless") as (m, devices):
        eventually(lambda: m.account(devices[0]).stops > 2, "it was stopped")
        devices[1].close()
        eventually(lambda: not m.account(devices[0]).flags & STOPPED, "it goes on")
        time.sleep(0.1)
        assert state_of(devices[0].pids[0]) != "T"


def test_memory_behind():
    with parent() as p:
        m, d = Manager(p), Device(p)
        d.start()
        d.start("kernels:1000")
        a = eventually(lambda: (lambda x: x.memory_behind > 100000 and x)(m.account(d)), "their private memory is counted")
        assert a.executors == 2 and a.memory_behind < 100 * MIB


def test_idle_ones_wake_nobody():
    with parent() as p:
        m = Manager(p)
        two(p, "idle", "idle")
        m.schedule(EQUAL)
        time.sleep(1)

        def switches():
            with open(f"/proc/{p.process.pid}/status", encoding="utf-8") as f:
                return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)

        def sleeps():
            before = switches()
            time.sleep(2)
            return switches() - before <= 2

        one_of_several(sleeps, "it sleeps for two seconds")


if __name__ == "__main__":
    tap.main(60)
