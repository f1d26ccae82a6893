# SPDX-License-Identifier: MIT
"""Devices as tranched starts them, and the control socket's client (include/tranche/wire/control.h)."""
import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

sys.dont_write_bytecode = True
import wire  # noqa: E402
from tap import eventually  # noqa: E402
from wire import DEVICE, ERROR, FAKE, HEAD, REPLY, Client, Refused, message, text_of  # noqa: E402

HELLO, CONFIRM, STATS, HOLD, RELEASE, STOP, CANCEL, SET, HOLDERS, CHANGED = range(128, 138)
REFUSE, ASK, FORCE = range(3)
CONFIRMED, HELD, STOPPING = 1, 2, 4
KEEP = 0xFFFFFFFF
HELLO_BODY = struct.Struct("<16s16sQQQIiII32s")
STATS_BODY = struct.Struct("<18QQ")
STATS_NAMES = ("uptime_ns sessions_now sessions quota used peak granted refused behind executors_now executors_lost commands compiled "
               "stored cpu_ns traps doorbells interrupts").split()
NOBODY = 65534


class Hello:
    def __init__(self, body):
        (self.uuid, self.boot_id, self.start_ticks, self.started_ns, self.memory, self.time, self.pid, self.flags, zero,
         version) = HELLO_BODY.unpack(body)
        assert zero == 0
        self.version = text_of(version)


def stats_of(body):
    assert len(body) == 152
    values = STATS_BODY.unpack(body)
    assert not any(values[18:])
    return dict(zip(STATS_NAMES, values))


class Control:
    """One connection to a control socket."""

    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        end = time.monotonic() + 5
        while True:
            try:
                self.sock.connect(path)
                break
            except (ConnectionRefusedError, FileNotFoundError):     # one that a killed device has left, and that is about to be replaced
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
        self.last_id = 0
        self.early, self.changes = [], []

    def close(self):
        self.sock.close()

    def send_raw(self, packet):
        self.sock.send(packet)

    def send(self, kind, body=b"", **wrong):
        self.last_id += 1
        self.send_raw(message(kind, wrong.pop("ident", self.last_id), body, **wrong))
        return self.last_id

    def receive(self):
        """(type, id, body or Refused); changes are collected, and None is returned for one."""
        data = self.sock.recv(8192)
        if not data:
            raise wire.Gone("")
        kind, length, ident, status, flags = HEAD.unpack_from(data)
        assert length == len(data) and length % 8 == 0 and flags == 0, (kind, length, len(data))
        body = data[HEAD.size:]
        if kind == CHANGED:
            assert ident == 0 and status == 0
            self.changes.append(stats_of(body))
            return None
        assert kind & REPLY
        if status:
            name, text, hint = map(text_of, ERROR.unpack(body))
            assert name and text and hint, (name, text, hint)
            body = Refused(status, name, text, hint)
        return kind & ~REPLY, ident, body

    def wait(self, ident):
        while True:
            for reply in self.early:
                if reply[1] == ident:
                    self.early.remove(reply)
                    if isinstance(reply[2], Refused):
                        raise reply[2]
                    return reply[2]
            reply = self.receive()
            if reply:
                self.early.append(reply)

    def ask(self, kind, body=b"", **wrong):
        ident = wrong.get("ident")
        sent = self.send(kind, body, **wrong)
        return self.wait(sent if ident is None else ident)

    def hello(self):
        return Hello(self.ask(HELLO))

    def stats(self):
        return stats_of(self.ask(STATS))

    def holders(self):
        """(names, how many there are)"""
        body = self.ask(HOLDERS)
        nr, total = struct.unpack_from("<II", body)
        names = body[8:].split(b"\0")[:nr]
        assert len(names) == nr
        return [name.decode() for name in names], total

    def leave(self, kind, policy=REFUSE, timeout_ms=0):
        return self.send(kind, struct.pack("<Ii", policy, timeout_ms))

    def hold(self, policy=REFUSE, timeout_ms=0):
        return self.wait(self.leave(HOLD, policy, timeout_ms))

    def stop(self, policy=REFUSE, timeout_ms=0):
        return self.wait(self.leave(STOP, policy, timeout_ms))

    def cancel(self, ident):
        self.send(CANCEL, struct.pack("<Q", ident), ident=0)

    def set(self, memory=0, share=KEEP):
        return self.ask(SET, struct.pack("<QII", memory, share, 0))

    def is_silent(self, seconds=0.15):
        end = time.monotonic() + seconds
        while True:
            if self.early or not select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
                return not self.early
            if self.receive():
                return False


class Managed:
    """A device process in a folder of its own, with all files that it makes."""

    def __init__(self, folder, parent="compute", confirm=True, arguments=(), env=None, fake="", command=(), user=None, wait=True):
        self.folder = folder
        self.uuid = uuid.uuid4()
        self.path = os.path.join(folder, "face")
        self.control_path = os.path.join(folder, "control.sock")
        self.ended_path = os.path.join(folder, "ended")
        self.start_path = os.path.join(folder, "start")
        lines = ["--parent", parent, "--uuid", str(self.uuid), "--socket-path", self.path, "--lock", os.path.join(folder, "lock"),
                 "--ended", self.ended_path, "--control-socket", self.control_path, *(["--unconfirmed"] if confirm else []),
                 *(["--executor", FAKE] if parent == "compute" else []), *arguments]
        with open(self.start_path, "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in lines))
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([DEVICE, "--start-file", self.start_path, *command], stderr=self.log, stdin=subprocess.DEVNULL,
                                        user=user, env={**os.environ, "FAKE": fake, "TRANCHE_LOG": "info", **(env or {})})
        self.control = None
        self.clients = []
        if wait:
            eventually(lambda: os.path.exists(self.control_path) or self.process.poll() is not None, "the control socket is there",
                       within=20)
            assert self.process.poll() is None, self.said()
            self.control = self.connect()
            self.hello = self.control.hello()
            if confirm:
                self.control.ask(CONFIRM)

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def connect(self):
        return Control(self.control_path)

    def session(self):
        self.clients.append(Client(self.path).start())
        return self.clients[-1]

    def ended(self, within=15):
        """(exit status, what the file "ended" says)"""
        code = self.process.wait(within)
        try:
            with open(self.ended_path, encoding="utf-8") as f:
                text = f.read()
        except FileNotFoundError:
            return code, None
        assert text.count("\n") == 1 and text.endswith("\n")
        return code, json.loads(text)

    def left(self):
        """Files that are still there, but for those that shall be."""
        return sorted(set(os.listdir(self.folder)) - {"lock", "ended", "start", "log"})

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for c in [*self.clients, self.control]:
            if c:
                c.close()
        self.log.close()


@contextlib.contextmanager
def managed(*args, **options):
    with tempfile.TemporaryDirectory(prefix="control-", dir=options.pop("dir", None)) as folder:
        d = Managed(folder, *args, **options)
        try:
            yield d
            if d.process.poll() is None:
                d.process.send_signal(signal.SIGTERM)
                code, why = d.ended()
                assert code == 0 and why["name"] == "Signal", (code, why)
            assert not d.left(), d.left()
        except BaseException:
            print("# " + d.said().replace("\n", "\n# "))
            raise
        finally:
            d.kill()
