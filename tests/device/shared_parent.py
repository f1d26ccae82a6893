# SPDX-License-Identifier: MIT
"""tranche-parent --listen over its socket: a process of it, devices that join, and managers."""
import contextlib
import errno
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import eventually  # noqa: E402
from wire import ERROR, HEAD, REPLY, Gone, Refused, message, text_of  # noqa: E402

PARENT = os.environ.get("TRANCHE_TEST_PARENT", "build/src/parent/tranche-parent")
LOAD = os.environ.get("TRANCHE_TEST_LOAD", "build/tests/device/gate-load")
MIB = 1 << 20

START, COUNTS, JOIN, ENDED, UPDATE, PROBE, MANAGE, SCHEDULE, ACCOUNTS, QUIT = range(96, 106)
BEST_EFFORT, EQUAL, FIXED = range(3)
WANTS, RUNS, STOPPED = 1, 2, 4
INFO = struct.Struct("<IIiIIIQQQQ")
ACCOUNT = struct.Struct("<16sQQQQQQQIIII")
CLD_EXITED, CLD_KILLED, CLD_DUMPED = 1, 2, 3


class Ended:
    def __init__(self, body):
        self.pid, self.code, self.status, _, self.cpu_ns = struct.unpack("<iiiIQ", body)


class Info:
    def __init__(self, body):
        (self.policy, self.slice_us, self.pid, self.devices, self.executors, self.time_joined, self.memory,
         self.memory_joined, self.compiled, self.stored) = INFO.unpack(body)


class Account:
    def __init__(self, body):
        (self.uuid, self.busy_ns, self.wait_ns, self.cpu_ns, self.slices, self.stops, self.longest_wait_ns,
         self.memory_behind, self.executors, self.time, self.flags, _) = ACCOUNT.unpack(body)


class Connection:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.sock.connect(path)
        self.last_id = 0
        self.early = []

    def close(self):
        self.sock.close()

    def send_raw(self, packet, fds=()):
        socket.send_fds(self.sock, [packet], list(fds))

    def receive(self):
        """The next packet: (type, id, body, fds)."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 1 << 18, 4)
        except ConnectionResetError:
            data, fds = b"", []
        if not data:
            raise Gone("")
        kind, length, ident, status, flags = HEAD.unpack_from(data)
        assert length == len(data) and flags == 0
        if status:
            raise Refused(status, *(text_of(f) for f in ERROR.unpack_from(data, HEAD.size)))
        return kind, ident, data[HEAD.size:], fds

    def call(self, kind, body=b"", fds=(), **wrong):
        self.last_id += 1
        ident = wrong.pop("ident", self.last_id)
        self.send_raw(message(kind, ident, body, **wrong), fds)
        while True:
            got = self.receive()
            if got[0] == kind | REPLY and got[1] == ident:
                return got[2], got[3]
            self.early.append(got)

    def refused(self, error, kind, body=b"", fds=(), **wrong):
        try:
            self.call(kind, body, fds, **wrong)
        except Refused as refusal:
            assert refusal.status == error, f"{refusal}, not {errno.errorcode[error]}"
            assert refusal.text and not refusal.text.endswith("."), refusal.text
            return refusal
        raise AssertionError(f"{kind} was not refused")


class Device(Connection):
    """A device process, as far as tranche-parent can tell."""

    def __init__(self, parent, memory=MIB, time=0, ident=None):
        super().__init__(parent.path)
        self.folder = parent.folder
        self.uuid = ident or uuid.uuid4().bytes
        self.joined = self.call(JOIN, struct.pack("<16sQII", self.uuid, memory, time, 1))
        self.pids = []
        self.sessions = []

    def start(self, load="idle", out=None, env=()):
        """An executor: its number. Its session's socket closes with close()."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        strings = [f"GATE_LOAD={load}", f"GATE_LOAD_OUT={out or ''}", *env]
        text = b"".join(s.encode() + b"\0" for s in strings)
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        body, fds = self.call(START, struct.pack("<II", len(strings), len(text)) + text, [theirs.fileno(), folder])
        os.close(folder)
        theirs.close()
        for fd in fds:
            os.close(fd)
        assert len(fds) == 1
        self.sessions.append(ours)
        self.pids.append(struct.unpack("<iI", body)[0])
        return self.pids[-1]

    def ended(self):
        while True:
            kind, _, body, _ = self.early.pop(0) if self.early else self.receive()
            if kind == ENDED:
                return Ended(body)

    def close(self):
        super().close()
        for s in self.sessions:
            s.close()


class Manager(Connection):
    def __init__(self, parent):
        super().__init__(parent.path)
        self.info = Info(self.call(MANAGE)[0])

    def schedule(self, policy, slice_us=0):
        return Info(self.call(SCHEDULE, struct.pack("<II", policy, slice_us))[0])

    def accounts(self):
        body = self.call(ACCOUNTS)[0]
        nr, _, self.now, self.busy_ns = struct.unpack_from("<IIQQ", body)
        assert len(body) == 24 + nr * ACCOUNT.size
        all_of = [Account(body[24 + i * ACCOUNT.size:][:ACCOUNT.size]) for i in range(nr)]
        return {a.uuid: a for a in all_of}

    def account(self, device):
        return self.accounts()[device.uuid]


class Parent:
    def __init__(self, folder, arguments):
        self.folder = folder
        self.path = os.path.join(folder, "s")
        self.lock = os.path.join(folder, "lock")
        self.arguments = [PARENT, "--listen", self.path, "--name", "cpu", "--host-device", "0", "--memory", str(1024 * MIB),
                          "--lock", self.lock, "--executor", LOAD, "--no-fork", "--store", "none", *arguments]
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL)
        eventually(self.answers, "it listens", within=20)

    def answers(self):
        assert self.process.poll() is None, "tranche-parent has ended"
        with contextlib.suppress(OSError):
            Connection(self.path).close()
            return True
        return False

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()


@contextlib.contextmanager
def parent(*arguments):
    with tempfile.TemporaryDirectory(prefix="tp-") as folder:
        p = Parent(folder, arguments)
        try:
            yield p
        finally:
            p.end()
        assert p.process.returncode in (0, -9), f"tranche-parent ended with {p.process.returncode}"


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def shares(manager, devices, seconds, warm=0.5):
    """What part of the busy time of all each device had."""
    time.sleep(warm)
    before = manager.accounts()
    time.sleep(seconds)
    after = manager.accounts()
    used = [after[d.uuid].busy_ns - before[d.uuid].busy_ns for d in devices]
    return [u / max(1, sum(used)) for u in used], sum(used) / (seconds * 1e9)
