#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The compile broker, and executors that do their worst on descriptor 4: it concerns nobody but themselves.

No OpenCL here: the executor that tranche-parent starts is a script that hands over its descriptor 4, or, as a compile
helper, does what its source says.
"""
import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import HEAD, REPLY, eventually  # noqa: E402

PARENT = os.environ.get("TRANCHE_TEST_PARENT", "build/src/parent/tranche-parent")
START, COMPILE, USED = 96, 112, 113
MIB = 1 << 20

SCRIPT = r"""#!/usr/bin/python3 -IS
import os, socket, struct, sys, time
if "--build" not in sys.argv:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=3)
    socket.send_fds(sock, [b"x"], [4])
    os.close(4)
    sock.recv(1)
    sys.exit()
text = os.pread(3, 1 << 30, 0)
if b"BADFUNCTION" in text and struct.unpack_from("<I", text, 4)[0]:
    go = text[text.find(b"BADFUNCTION"):].split(b";")[0].split()[1]
    while not os.path.exists(go):
        time.sleep(0.01)
    os.kill(os.getpid(), 11)
if b"HANG" in text:
    time.sleep(1000)
at = text.find(b"FILES")
if at >= 0:
    nr, size = text[at:].split(b";")[0].split()[1:]
    folder = os.environ["POCL_CACHE_DIR"] + "/AB/CDEF"
    os.makedirs(folder)
    for name in ["program.bc"] + ["%d.so" % i for i in range(int(nr) - 1)]:
        with open(folder + "/" + name, "wb") as f:
            f.truncate(int(size))
os.ftruncate(3, 0)
os.pwrite(3, struct.pack("<III4x", 32, 4, 0), 0)
"""


def item(tag, data):
    return struct.pack("<II", tag, len(data)) + data + bytes(-len(data) % 8)


def compile_message(ident, source, nr_variants=0, extra=b""):
    body = struct.pack("<4I", 0, nr_variants, 0, 0) + item(16, struct.pack("<I", 1)) + item(17, source) + extra
    return wire.message(COMPILE, ident, body)


def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith(name + ":")).split()[1])


class Peer:
    """An executor's end of its descriptor 4."""

    def __init__(self, parent):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(10)
        folder = os.open(parent.folder, os.O_PATH | os.O_DIRECTORY)
        body = struct.pack("<II", 1, 4) + b"A=b\0"
        socket.send_fds(parent.sock, [wire.message(START, 1, body)], [theirs.fileno(), folder])
        theirs.close()
        os.close(folder)
        data, fds, _, _ = parent.receive(START | REPLY)
        assert HEAD.unpack_from(data)[3] == 0
        for fd in fds:
            os.close(fd)
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        self.executor = ours
        self.sock = socket.socket(fileno=fds[0])
        self.sock.settimeout(30)

    def ask(self, ident, source, **more):
        self.sock.sendall(compile_message(ident, source, **more))

    def read(self, length):
        data = b""
        while len(data) < length:
            got, fds, _, _ = socket.recv_fds(self.sock, length - len(data), 64)
            for fd in fds:
                os.close(fd)
            if not got:
                raise EOFError
            data += got
        return data

    def answer(self):
        """(id, status, number of files)"""
        _, length, ident, status, _ = HEAD.unpack(self.read(HEAD.size))
        body = self.read(length - HEAD.size)
        return ident, status, 0 if status else struct.unpack_from("<I", body)[0]

    def is_open(self):
        with contextlib.suppress(OSError, EOFError):
            while True:
                self.read(1)
        return False

    def close(self):
        self.sock.close()
        self.executor.close()


class Parent:
    def __init__(self, folder):
        self.folder = folder
        script = os.path.join(folder, "executor")
        with open(script, "w", encoding="ascii") as f:
            f.write(SCRIPT)
        os.chmod(script, 0o700)
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        env = {**os.environ, "TRANCHE_STORE": folder + "/store", "TMPDIR": folder}
        self.process = subprocess.Popen([PARENT, "--executor", script, "--no-fork"], pass_fds=[3], env=env,
                                        preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        self.peers = []

    def receive(self, kind):
        while True:
            got = socket.recv_fds(self.sock, 4096, 4)
            assert got[0], "tranche-parent has ended"
            if HEAD.unpack_from(got[0])[0] == kind:
                return got

    def peer(self):
        self.peers.append(Peer(self))
        return self.peers[-1]

    def nr_fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def workers(self):
        return [pid for pid in wire.children_of(self.process.pid) if wire.name_of(pid) == "tranche-broker"]

    def expect_use(self, peer=None, within=40):
        """Somebody else's program is compiled."""
        p = peer or self.peer()
        p.sock.settimeout(within)
        p.ask(1000, b"FILES 3 10; honest %d" % time.monotonic_ns())
        assert p.answer() == (1000, 0, 3)
        if not peer:
            p.close()


@contextlib.contextmanager
def parent():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)     # PR_SET_CHILD_SUBREAPER, as the device process: executors are our children
    with tempfile.TemporaryDirectory(prefix="broker-") as folder, open("/dev/null", "rb") as null:
        placeholder = os.dup2(null.fileno(), 3) if not os.path.exists("/proc/self/fd/3") else None
        p = Parent(folder)
        try:
            yield p
            for peer in p.peers:
                peer.close()
            p.sock.close()
            assert p.process.wait(20) == 0
        finally:
            p.process.kill()
            p.process.wait()
            if placeholder:
                os.close(placeholder)


def test_answers():
    with parent() as p:
        a = p.peer()
        a.ask(7, b"FILES 900 100;")
        assert a.answer() == (7, 0, 900)
        for i in range(20):
            a.ask(100 + i, b"FILES 2 5; %d" % i)
        assert sorted(a.answer() for _ in range(20)) == [(100 + i, 0, 2) for i in range(20)]
        a.ask(8, b"x", nr_variants=1)
        assert a.answer()[:2] == (8, 22)
        before = p.nr_fds()
        a.close()
        eventually(lambda: p.nr_fds() < before, "its socket is closed")


def test_peer_that_never_reads():
    """Replies and their descriptors do not pile up."""
    with parent() as p:
        a, honest = p.peer(), p.peer()
        for i in range(60):
            a.ask(1 + i, b"FILES 1000 10; %d" % i)
        most, end = 0, time.monotonic() + 6
        while time.monotonic() < end:
            most = max(most, p.nr_fds())
            time.sleep(0.2)
        assert most < 8000, f"{most} descriptors"
        p.expect_use(honest)
        p.expect_use()


def test_refusals_that_nobody_reads():
    with parent() as p:
        a, before = p.peer(), status_of(p.process.pid, "VmRSS")
        a.sock.settimeout(30)
        bad = b"".join(compile_message(1 + i, b"x", nr_variants=1) for i in range(1000))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(300):
                a.sock.sendall(bad)
        assert status_of(p.process.pid, "VmRSS") < before + 100 * 1024
        p.expect_use()


def test_compiles_that_never_end():
    """One peer does not take the places of all others."""
    with parent() as p:
        a, b = p.peer(), p.peer()
        for i in range(40):
            a.ask(1 + i, b"HANG %d" % i)
            b.ask(1 + i, b"HANG too %d" % i)
        p.expect_use()
        a.close()
        b.close()
        p.expect_use()
        eventually(lambda: not p.workers(), "workers have ended", within=20)


def test_requests_without_end():
    """A peer's requests that wait take no more memory than one may."""
    with parent() as p:
        a = p.peer()
        big = bytes(24 * MIB)
        for i in range(20):
            a.ask(1 + i, b"HANG" + big)
        refused = [a.answer()[1] for _ in range(8)]
        assert refused == [12] * 8, refused
        assert status_of(p.process.pid, "VmRSS") < 600 * 1024
        p.expect_use()


def test_strange_streams():
    for data in (b"\xff" * 64, HEAD.pack(COMPILE, 10, 1, 0, 0), HEAD.pack(COMPILE, (256 << 20) + 1, 1, 0, 0),
                 HEAD.pack(COMPILE, HEAD.size, 1, 0, 0), HEAD.pack(COMPILE, HEAD.size + 40, 0, 0, 0) + bytes(40),
                 HEAD.pack(USED, HEAD.size + 8, 1, 0, 0) + bytes(8), HEAD.pack(START, HEAD.size, 1, 0, 0),
                 wire.message(USED, 1, struct.pack("<QII", 1, 3, 0) + bytes(32)),
                 wire.message(USED, 1, struct.pack("<QII", 1, 0xFFFFFFFF, 0))):
        with parent() as p:
            a = p.peer()
            a.sock.sendall(data)
            assert not a.is_open()
            p.expect_use()
    with parent() as p:
        a, b = p.peer(), p.peer()
        for byte in compile_message(5, b"FILES 1 1;"):
            a.sock.send(bytes([byte]))
        assert a.answer() == (5, 0, 1)
        a.sock.sendall(compile_message(6, b"x")[:30])   # half a message, and the end
        b.sock.sendall(HEAD.pack(COMPILE, 256 << 20, 1, 0, 0))
        socket.send_fds(b.sock, [b"x" * 100], [0, 1, 2])
        a.close()
        p.expect_use()
        assert status_of(p.process.pid, "VmRSS") < 200 * 1024
        assert p.nr_fds() < 40


def eventually_or_not(what):
    try:
        return eventually(what, "it happens")
    except AssertionError:
        return None


def leftovers(p):
    folder = p.folder + "/store/tmp"
    return os.listdir(folder) if os.path.isdir(folder) else []


def test_askers_that_go():
    """Folders of helpers that were killed do not pile up."""
    with parent() as p:
        for _ in range(6):
            a = p.peer()
            a.ask(1, b"HANG")
            eventually(p.workers, "it is compiled")
            time.sleep(0.2)
            a.close()
            eventually(lambda: not p.workers(), "it is not compiled any more")
        p.expect_use()
        eventually(lambda: len(leftovers(p)) <= 1, "what the dead left is removed")


def stored(p):
    return [name for _, folders, files in os.walk(p.folder + "/store/entries") for name in folders + files if len(name) > 8]


def test_functions_that_cannot_be_made():
    """They are not tried again whenever the program runs."""
    with parent() as p:
        a = p.peer()
        go = os.path.join(p.folder, "go")       # it fails when it has been seen that it is remembered
        a.ask(5, b"FILES 2 5; BADFUNCTION %s;" % go.encode())
        assert a.answer() == (5, 0, 2)
        if not eventually_or_not(lambda: stored(p)):
            return                      # without a host's OpenCL nothing is stored
        eventually(lambda: not p.workers(), "it is written down")
        a.sock.sendall(wire.message(USED, 5, struct.pack("<QII", 5, 1, 0) + struct.pack("<IIQQQ", 0, 0, 1, 1, 1)))
        eventually(lambda: any(name.endswith(".wants") for name in stored(p)), "it is remembered", within=20)
        with open(go, "wb"):
            pass
        eventually(lambda: not any(name.endswith(".wants") for name in stored(p)), "it was tried, and is forgotten", within=20)
        p.expect_use(a)


def test_worker_killed():
    with parent() as p:
        a = p.peer()
        a.ask(1, b"HANG")
        os.kill(eventually(p.workers, "a worker")[0], signal.SIGKILL)
        assert a.answer()[1]
        p.expect_use(a)


if __name__ == "__main__":
    wire.main()
