# SPDX-License-Identifier: MIT
"""A client of the compute device's wire in a few lines, and the device process to try it on.

Tests are functions test_*() of a program that ends with wire.main(); each starts a device process of its own, so that
sanitizers see it and nothing of one test is left for the next.  The executor is tests/device/fake_executor.py unless
the test says executor=REAL: it needs no OpenCL, starts at once, and does wrong on request.
"""
import contextlib
import errno
import mmap
import os
import pathlib
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402
from tap import eventually  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
FAKE = str(HERE / "fake_executor.py")
REAL = None
DEVICE = os.environ.get("TRANCHE_TEST_DEVICE", "build/src/device/tranche-device")

MIB = 1 << 20
PAGE = 4096
MAGIC = 0x434E5254
MSG_MAX = 4096
REPLY = 0x80000000

(HELLO, SESSION_CREATE, SEGMENT_CREATE, SEGMENT_DESTROY, CONTEXT_CREATE, CONTEXT_DESTROY, EVENT_BLOCK_ADD, OUTPUT_SET,
 PROGRAM_BUILD, PROGRAM_QUERY, MEMORY_QUERY, SESSION_LOST) = range(1, 13)
BUFFER, SERVICE = 1, 2
RING = 16384
CHANNEL = 12288 + RING + 4096 * 64
SERVICE_ALLOWANCE = 256 * MIB

HEAD = struct.Struct("<IIQII")
ERROR = struct.Struct("<48s240s240s")


class Refused(Exception):
    def __init__(self, status, name, text, hint):
        super().__init__(f"{name} ({errno.errorcode.get(status, status)}): {text}")
        self.status, self.name, self.text, self.hint = status, name, text, hint


class Gone(Exception):
    """The connection ended; the exception's text is what the device said of it, or empty."""


def text_of(field):
    return field.split(b"\0", 1)[0].decode()


def message(kind, ident, body=b"", length=None, status=0, flags=0):
    return HEAD.pack(kind, HEAD.size + len(body) if length is None else length, ident, status, flags) + body


def segment_body(offset, size, kind=BUFFER, flags=0):
    return struct.pack("<QQII", offset, size, kind, flags)


def context_body(number, channel, ring=RING, flags=0, reserved=0, seq=0):
    return struct.pack("<IIQIIQ", number, flags, channel, ring, reserved, seq)


class Reply:
    def __init__(self, kind, ident, body, fds):
        self.kind, self.ident, self.body, self.fds = kind, ident, body, fds


class Client:
    """One connection."""

    def __init__(self, path, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        end = time.monotonic() + 5
        while True:
            try:
                self.sock.connect(path)
                break
            except ConnectionRefusedError:      # the file is there a moment before anybody listens
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
        self.last_id = 0
        self.early = []         # replies that came before others that were waited for

    def close(self):
        """Nothing is kept: memory whose descriptor somebody has stays charged."""
        for reply in self.early:
            while reply.fds:
                os.close(reply.fds.pop())
        self.sock.close()

    def send_raw(self, packet, fds=()):
        if fds:
            socket.send_fds(self.sock, [packet], list(fds))
        else:
            self.sock.send(packet)

    def send(self, kind, body=b"", fds=(), **wrong):
        self.last_id += 1
        self.send_raw(message(kind, wrong.pop("ident", self.last_id), body, **wrong), fds)
        return self.last_id

    def receive(self):
        """The next packet, whichever it is; Refused and Gone are returned for what they are raised for elsewhere."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, MSG_MAX, 4)
        except ConnectionResetError:
            data, fds = b"", []
        if not data:
            raise Gone("")
        kind, length, ident, status, flags = HEAD.unpack_from(data)
        assert length == len(data), f"a packet of {len(data)} bytes says that it has {length}"
        assert flags == 0
        body = data[HEAD.size:]
        if kind == SESSION_LOST:
            assert ident == 0 and len(body) == ERROR.size
            raise Gone(text_of(ERROR.unpack(body)[1]))
        assert kind & REPLY, f"message {kind} is no reply"
        if status:
            assert len(body) == ERROR.size, f"a refusal of {len(body)} bytes"
            assert not fds
            name, text, hint = map(text_of, ERROR.unpack(body))
            assert name and text
            return Reply(kind & ~REPLY, ident, Refused(status, name, text, hint), fds)
        return Reply(kind & ~REPLY, ident, body, fds)

    def wait(self, ident):
        """The reply to one request, as {Reply}; a refusal is raised."""
        for reply in self.early:
            if reply.ident == ident:
                self.early.remove(reply)
                break
        else:
            while True:
                reply = self.receive()
                if reply.ident == ident:
                    break
                self.early.append(reply)
        if isinstance(reply.body, Refused):
            raise reply.body
        return reply

    def ask(self, kind, body=b"", fds=(), **wrong):
        self.send(kind, body, fds, **wrong)
        return self.wait(wrong.get("ident", self.last_id))

    def is_silent(self, seconds=0.2):
        return not self.early and not select.select([self.sock], [], [], seconds)[0]

    # --- the conversation of an ordinary client ---

    def hello(self):
        reply = self.ask(HELLO, struct.pack("<II", MAGIC, 0))
        magic, self.version, _, _, self.features, self.uuid, self.window = struct.unpack("<IIIIQ16sQ", reply.body)
        assert magic == MAGIC
        return self

    def create_body(self, version=1, reserved=0, features=0, base=0, cwd=b"/"):
        return struct.pack("<IIQQ1024s", version, reserved, features, base, cwd)

    def start(self):
        self.hello()
        reply = self.ask(SESSION_CREATE, self.create_body())
        self.number, self.quota, self.service, self.flags, self.probe_len, zero = struct.unpack("<6Q", reply.body)
        assert zero == 0
        self.probe = os.pread(reply.fds[0], self.probe_len, 0)
        for fd in reply.fds:
            os.close(fd)
        return self

    def segment(self, offset, size, kind=BUFFER):
        """Return: (descriptor, control_seq, used)"""
        reply = self.ask(SEGMENT_CREATE, segment_body(offset, size, kind))
        assert len(reply.fds) == 1
        return (reply.fds[0], *struct.unpack("<QQ", reply.body))

    def grab(self, offset, size, kind=BUFFER):
        """A segment whose descriptor is closed at once; returns the control number."""
        fd, seq, _ = self.segment(offset, size, kind)
        os.close(fd)
        return seq

    def destroy(self, offset, context=0, pos=0, reserved=0):
        reply = self.ask(SEGMENT_DESTROY, struct.pack("<QIIQ", offset, context, reserved, pos))
        return struct.unpack("<QQ", reply.body)[1]

    def context(self, number=1, offset=1 << 30):
        """A context with its channel in a service segment of its own; returns the mapped channel."""
        size = (CHANNEL + PAGE - 1) // PAGE * PAGE
        fd, seq, _ = self.segment(offset, size, SERVICE)
        channel = mmap.mmap(fd, size)
        os.close(fd)
        self.ask(CONTEXT_CREATE, context_body(number, offset, seq=seq))
        return channel

    def memory(self):
        """(quota, used, of this session, service)"""
        return struct.unpack("<4Q", self.ask(MEMORY_QUERY).body)


def expect_refusal(call, status, name=None):
    try:
        call()
    except Refused as refused:
        assert refused.status == status, f"refused with {refused}, not {errno.errorcode[status]}"
        assert name is None or refused.name == name, f"refused with {refused}, not {name}"
        return refused
    raise AssertionError("not refused")


def expect_gone(client, within=5):
    """What the device said when it ended the connection."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            client.receive()
        except Gone as gone:
            return str(gone)
    raise AssertionError("the connection still lives")


def is_let_in(d):
    try:
        d.connect().hello()
    except (Gone, OSError):
        return False
    return True


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(word) for word in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def name_of(pid):
    """As the process calls itself, 15 letters of it; empty when it has ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid):
    """It may end and be reaped at any moment, also between open() and read()."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def links_of(pid):
    """What a process has open, by number; what it closes meanwhile is left out."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


def one_of_several(check, what, tries=10):
    """For what is quick: a busy machine may be slow at it now and then, not each time."""
    assert any(check() for _ in range(tries)), f"not once in {tries} tries: {what}"


def is_quick(call, seconds):
    start = time.monotonic()
    call()
    return time.monotonic() - start < seconds


class Device:
    def __init__(self, folder, memory="64M", executor=FAKE, fake="", arguments=(), env=None, preexec=None):
        self.folder = folder
        self.run_dir = os.path.join(folder, "run")
        self.path = os.path.join(folder, "socket")
        os.mkdir(self.run_dir, 0o700)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(10)
        self.uuid = uuid.uuid4()
        command = [DEVICE, "--uuid", str(self.uuid), "--socket-path", self.path, "--runtime-dir", self.run_dir,
                   "--control-fd", str(theirs.fileno()), *arguments]
        if memory:
            command += ["--memory", memory]
        if executor:
            command += ["--executor", executor]
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stderr=self.log, stdin=subprocess.DEVNULL, preexec_fn=preexec,
                                        pass_fds=[theirs.fileno()], env={**os.environ, "FAKE": fake, "TRANCHE_LOG": "info",
                                                                         **(env or {})})
        theirs.close()
        eventually(lambda: os.path.exists(self.path) or self.process.poll() is not None, "the socket is there", within=20)
        assert self.process.poll() is None, f"the device ended: {self.said()}"
        self.clients = []

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def connect(self):
        self.clients.append(Client(self.path))
        return self.clients[-1]

    def start(self):
        return self.connect().start()

    def executors(self):
        return [pid for pid in children_of(self.process.pid) if name_of(pid) not in ("", "tranche-parent")]

    def stats(self):
        self.control.send(struct.pack("<II", 1, 0))
        names = ["sessions", "quota", "peak", "granted", "refused", "executors_lost", "commands", "cpu_ns",
                 "compiled", "stored"]
        return dict(zip(names, struct.unpack("<10Q", self.control.recv(4096))))

    def memory_bytes(self):
        """Shared memory that belongs to the device's segments, as the kernel counts it."""
        total = 0
        for fd in os.listdir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(OSError):
                if "tranche-segment" in os.readlink(f"/proc/{self.process.pid}/fd/{fd}"):
                    total += os.stat(f"/proc/{self.process.pid}/fd/{fd}").st_blocks * 512
        return total

    def expect_clean(self):
        """Sessions have ended and left nothing: no process, no file, no descriptor of a segment."""
        eventually(lambda: not self.executors(), "no executor is left", within=20)
        eventually(lambda: not os.path.exists(self.run_dir) or not os.listdir(self.run_dir), "no folder is left", within=20)

    def end(self):
        for client in self.clients:
            client.close()
        self.expect_clean()
        self.control.close()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the device does not end") from None
        assert code == 0, f"the device ended with {code}: {self.said()}"
        assert not os.path.exists(self.run_dir) or not os.listdir(self.run_dir), "files are left"
        assert not os.path.exists(self.path), "the socket is still there"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.control.close()
        self.log.close()


@contextlib.contextmanager
def device(**options):
    """A running device; at the end it must have left nothing behind."""
    with tempfile.TemporaryDirectory(prefix="device-") as folder:
        d = Device(folder, **options)
        try:
            yield d
            d.end()
        except BaseException:
            print("# " + d.said().replace("\n", "\n# "))
            raise
        finally:
            d.kill()


def why_not():
    return None if hasattr(socket, "recv_fds") and os.path.exists("/proc/self/task") else "needs Linux and Python 3.9"


def main():
    tap.main(120, why_not)
