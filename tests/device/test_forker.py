#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tranche-parent, which starts executors: what it is told, and what happens when it, they or the device are killed.

No OpenCL here: it is told to start the fake executor where it would be one itself.
"""
import contextlib
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import HEAD, MIB, REPLY, SESSION_CREATE, eventually, expect_gone, is_running, links_of, text_of  # noqa: E402

PARENT = os.environ.get("TRANCHE_TEST_PARENT", "build/src/parent/tranche-parent")
START = 96


def device(fake="", arguments=("--fork-server", PARENT), **options):
    return wire.device(fake=fake, arguments=arguments, **options)


def parent_of(d):
    return next((pid for pid in wire.children_of(d.process.pid) if wire.name_of(pid) == "tranche-parent"), None)


def test_executor_is_the_devices_child():
    with device() as d:
        pid = parent_of(d)
        assert pid, "tranche-parent is started with the device"
        c = d.start()
        c.grab(0, MIB)
        executor, = d.executors()
        assert os.getpgid(executor) == executor
        files = links_of(executor)
        assert all(fd <= 4 or "memfd:" in link for fd, link in files.items()), files
        assert files[4].startswith("socket:"), files
        with open(f"/proc/{executor}/environ", "rb") as f:
            env = dict(item.split(b"=", 1) for item in f.read().split(b"\0") if item)
        folder = os.path.join(d.run_dir, os.listdir(d.run_dir)[0]).encode()
        assert env[b"POCL_CACHE_DIR"] == env[b"TMPDIR"] == folder
        assert env[b"TRANCHE_EXECUTOR"] == b"1" and b"OCL_ICD_PLATFORM_SORT" not in env
        assert parent_of(d) == pid
        assert set(os.listdir(f"/proc/{pid}/fd")) >= {"3"}
        eventually(lambda: not any("session-" in link for link in links_of(pid).values()), "it has closed the session's folder")


def test_many_sessions():
    with device() as d:
        clients = [d.start() for _ in range(8)]
        eventually(lambda: len(d.executors()) == 8, "eight executors")
        for c in clients:
            c.close()
        d.expect_clean()
        assert parent_of(d)


def test_executor_killed():
    with device() as d:
        pid = parent_of(d)
        for sig, text in ((signal.SIGKILL, "killed by signal 9"), (signal.SIGSEGV, "a kernel crashed")):
            c = d.start()
            eventually(d.executors, "its executor is known")
            os.kill(d.executors()[0], sig)
            said = expect_gone(c)
            assert text in said, said
        assert parent_of(d) == pid
        d.start()


def test_strays_are_killed_and_the_parent_is_not():
    with device(fake="stray") as d:
        c = d.start()
        eventually(lambda: len(d.executors()) == 2, "the stray is ours")
        c.close()
        d.expect_clean()
        assert parent_of(d)


def test_parent_killed_between_sessions():
    with device() as d:
        d.start().close()
        d.expect_clean()
        first = parent_of(d)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not is_running(first), "it is dead")
        d.start()                       # by itself, or by the next one
        d.start()
        eventually(lambda: parent_of(d) not in (None, first), "there is another one")
        d.start()


def test_parent_killed_in_a_session():
    with device() as d:
        c = d.start()
        os.kill(parent_of(d), signal.SIGKILL)
        eventually(lambda: not parent_of(d), "it is reaped")
        c.grab(0, MIB)
        assert c.is_silent()
        assert d.start().memory()[1] == MIB


def test_parent_killed_while_it_is_asked():
    with device() as d:
        pid = parent_of(d)
        os.kill(pid, signal.SIGSTOP)
        clients = [d.connect().hello() for _ in range(3)]
        asked = [c.send(SESSION_CREATE, c.create_body()) for c in clients]
        assert clients[0].is_silent()
        assert not d.executors()
        os.kill(pid, signal.SIGKILL)
        for c, ident in zip(clients, asked):
            c.wait(ident)
        eventually(lambda: len(d.executors()) == 3, "each has an executor")
        assert d.stats()["executors_lost"] == 0


def test_client_leaves_while_the_parent_is_asked():
    for what in (signal.SIGKILL, signal.SIGCONT):
        with device() as d:
            pid = parent_of(d)
            os.kill(pid, signal.SIGSTOP)
            c = d.connect().hello()
            c.send(SESSION_CREATE, c.create_body())
            assert c.is_silent()
            c.close()
            os.kill(pid, what)
            d.expect_clean()


def test_parent_killed_at_any_moment():
    """A session begins all the same, or is told that it is lost; nothing is left over."""
    with device() as d:
        for i in range(12):
            pid = eventually(lambda: parent_of(d) or d.start() and None, "there is a tranche-parent")
            c = d.connect().hello()
            ident = c.send(SESSION_CREATE, c.create_body())
            subprocess.run(["sleep", str(i * 0.0005)], check=True)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            try:
                c.wait(ident)
            except (wire.Refused, wire.Gone) as lost:
                assert "executor" in str(lost), lost
        for c in d.clients:
            c.close()
        d.expect_clean()


def test_device_killed():
    for fake in ("", "hang"):
        with tempfile.TemporaryDirectory(prefix="device-") as folder:
            d = wire.Device(folder, fake=fake, arguments=("--fork-server", PARENT))
            c = d.connect().hello()
            c.send(SESSION_CREATE, c.create_body())
            pids = eventually(lambda d=d: d.executors() and parent_of(d) and wire.children_of(d.process.pid), "an executor")
            assert len(pids) == 2, pids
            d.kill()
            eventually(lambda: not any(map(is_running, pids)), f"nobody of {pids} is left")


def test_hostile_executor():
    """What comes from its descriptor 4 concerns nobody else."""
    for fake in ("broker-garbage", "broker-flood", "broker-close"):
        with device(fake=fake) as d:
            pid = parent_of(d)
            c, other = d.start(), d.start()
            assert other.memory() and c.memory()
            d.start().close()
            assert parent_of(d) == pid


def test_no_parent():
    for arguments in (("--no-fork-server",), ("--fork-server", "/nonexistent/tranche-parent"), ("--fork-server", "/bin/true"),
                      ("--fork-server", "/bin/false")):
        with device(arguments=arguments) as d:
            for _ in range(5):
                d.start().grab(0, 4096)
                d.clients[-1].close()


SPARE = ("--fork-server", PARENT, "--spare", "1")


def spare_of(d):
    """The executor that no session has yet."""
    found = eventually(d.executors, "there is a spare executor")
    assert len(found) == 1, found
    return found[0]


def test_spare_is_taken():
    with device(arguments=SPARE) as d:
        spare = spare_of(d)
        assert d.stats()["sessions"] == 0
        c = d.start()
        assert spare in d.executors()   # the session has it, which is seen below; there may be the next one by now
        other = d.start()               # at once: it has one that is made for it
        eventually(lambda: len(d.executors()) == 3, "and there is a spare again")
        assert c.memory() and other.memory()
        os.kill(spare, signal.SIGKILL)
        assert "killed by signal 9" in expect_gone(c)
        other.close()
        eventually(lambda: len(os.listdir(d.run_dir)) == 1, "folders of sessions are gone, the spare's is there")
        d.control.close()               # as when "tranche run" was killed
        assert d.process.wait(20) == 0


def test_spare_killed():
    """It is nobody's loss, and the next session starts its own."""
    with device(arguments=SPARE) as d:
        os.kill(spare_of(d), signal.SIGKILL)
        eventually(lambda: not d.executors(), "it is reaped")
        eventually(lambda: not os.listdir(d.run_dir), "so is its folder")
        d.start().grab(0, MIB)
        assert d.stats()["executors_lost"] == 0
        d.process.send_signal(signal.SIGTERM)
        assert d.process.wait(20) == 0


def test_spare_that_speaks():
    with device(fake="speaks-first", arguments=SPARE) as d:
        eventually(lambda: not d.executors() and not os.listdir(d.run_dir), "it was ended")


def test_end_with_a_spare():
    """Also while tranche-parent has yet to fork it."""
    for stop in (False, True):
        with device(arguments=SPARE) as d:
            pid = parent_of(d)
            if stop:
                os.kill(pid, signal.SIGSTOP)
            else:
                spare_of(d)
            d.process.send_signal(signal.SIGTERM)
            assert d.process.wait(20) == 0
            eventually(lambda: not is_running(pid), "it has nothing more to do")
            assert not os.path.exists(d.run_dir) or not os.listdir(d.run_dir)


class Direct:
    """tranche-parent, asked by this program."""

    def __init__(self, folder):
        self.folder = folder
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.process = subprocess.Popen([PARENT, "--executor", wire.FAKE, "--no-fork"], pass_fds=[3],
                                        preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()

    def ask(self, packet, fds):
        socket.send_fds(self.sock, [packet], fds)
        data, fds, _, _ = socket.recv_fds(self.sock, 4096, 4)
        kind, length, ident, status, _ = HEAD.unpack_from(data)
        assert length == len(data) and kind == START | REPLY
        return ident, status, text_of(data[HEAD.size:][:48]) if status else data[HEAD.size:], fds


@contextlib.contextmanager
def direct():
    with tempfile.TemporaryDirectory(prefix="parent-") as folder, open("/dev/null", "rb") as null:
        placeholder = os.dup2(null.fileno(), 3) if not os.path.exists("/proc/self/fd/3") else None
        p = Direct(folder)
        try:
            yield p
            p.sock.close()
            assert p.process.wait(20) == 0
        finally:
            p.process.kill()
            p.process.wait()
            if placeholder:
                os.close(placeholder)


def start_message(env=(b"A=b",), ident=1, nr=None, tail=b"", env_len=None, kind=START):
    text = b"".join(item + b"\0" for item in env) + tail
    body = struct.pack("<II", len(env) if nr is None else nr, len(text) if env_len is None else env_len) + text
    return wire.message(kind, ident, body)


def test_messages():
    with direct() as p:
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = os.open(p.folder, os.O_PATH | os.O_DIRECTORY)
        both = [b.fileno(), folder]
        for packet, fds, status, name in (
                (b"x", both, errno.EBADMSG, "BadPacket"),
                (start_message()[:30], both, errno.EBADMSG, "BadPacket"),
                (start_message() + b"\0", both, errno.EBADMSG, "BadPacket"),
                (start_message(kind=5), both, errno.EOPNOTSUPP, "UnknownMessage"),
                (start_message(ident=0), both, errno.EINVAL, "BadMessage"),
                (start_message(), [], errno.EINVAL, "BadDescriptors"),
                (start_message(), both[:1], errno.EINVAL, "BadDescriptors"),
                (start_message(), both + both[:1], errno.EINVAL, "BadDescriptors"),
                (start_message(), [b.fileno(), b.fileno()], errno.ENOTDIR, "BadDescriptors"),
                (start_message(tail=b"C=d"), both, errno.EINVAL, "BadEnvironment"),
                (start_message(nr=2, tail=b"C=d"), both, errno.EINVAL, "BadEnvironment"),
                (start_message(nr=0), both, errno.EINVAL, "BadEnvironment"),
                (start_message(nr=2), both, errno.EINVAL, "BadEnvironment"),
                (start_message(nr=1 << 31), both, errno.EINVAL, "BadLength"),
                (start_message(env_len=3), both, errno.EINVAL, "BadLength"),
                (start_message(env_len=(1 << 32) - 1), both, errno.EINVAL, "BadLength")):
            _, got, said, _ = p.ask(packet, fds)
            assert (got, said) == (status, name), f"{packet[:40]}: {got}, {said}, not {status}, {name}"
        p.sock.send(b"\0" * 150000)     # no message at all: an answer, and it goes on
        assert p.sock.recv(4096)
        ident, status, body, fds = p.ask(start_message([b"FAKE=exit", b"N=" + b"x" * 60000], ident=77), both)
        assert (ident, status, len(fds)) == (77, 0, 1)
        pid, zero = struct.unpack("<iI", body)
        assert pid > 0 and zero == 0
        b.close()
        os.close(folder)
        for fd in fds:
            os.close(fd)


if __name__ == "__main__":
    wire.main()
