# SPDX-License-Identifier: MIT
"""A tranched of a test's own: runtime, definitions and configuration in a folder that is gone afterwards; and its API."""
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402,F401
from tap import eventually  # noqa: E402

BUILD = pathlib.Path(os.environ.get("TRANCHE_BUILD", "build"))
TRANCHED = os.environ.get("TRANCHE_TEST_TRANCHED", str(BUILD / "src/daemon/tranched"))
CONFIG = """[daemon]
find-opencl = no

[parent null0]
driver = null

[parent null1]
driver = null
"""


class Refused(Exception):
    """An answer of 400 or more."""

    def __init__(self, status, error):
        super().__init__(f"{status}: {error}")
        self.status, self.error = status, error
        self.errno, self.name = error.get("errno"), error.get("name")
        self.message, self.hint = error.get("message", ""), error.get("hint", "")


class Gone(Exception):
    """The connection ended before there was an answer: nobody knows whether it was done."""


class Api:
    """One kept connection, one thread."""

    def __init__(self, path, timeout=30):
        self.path, self.timeout, self.sock, self.rest = path, timeout, None, b""

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock, self.rest = None, b""

    def _connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def _more(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise Gone("connection closed")
        self.rest += data

    def _line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def _bytes(self, n):
        while len(self.rest) < n:
            self._more()
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def _headers(self):
        status = int(self._line().split()[1])
        headers = {}
        while line := self._line():
            name, value = line.split(b":", 1)
            headers[name.strip().lower().decode()] = value.strip().decode()
        return status, headers

    def _body(self, headers):
        if headers.get("transfer-encoding") == "chunked":
            data = b""
            while size := int(self._line().split(b";")[0], 16):
                data += self._bytes(size)
                self._line()
            self._line()
            return data
        return self._bytes(int(headers.get("content-length", 0)))

    def send(self, method, path, body=None):
        """The request alone; Gone when the daemon went away."""
        try:
            if self.sock is None:
                self._connect()
            data = b"" if body is None else json.dumps(body).encode()
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
            if body is not None:
                head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            self.sock.sendall(head.encode() + b"\r\n" + data)
        except OSError as gone:
            self.close()
            raise Gone(f"{method} {path}: {gone}") from gone

    def is_read(self):
        """Has the daemon taken all that was sent?"""
        return struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0" * 4))[0] == 0

    def raw(self, method, path, body=None):
        """(status, headers, bytes); Gone when the daemon went away."""
        self.send(method, path, body)
        return self.receive(method, path)

    def receive(self, method, path):
        """The answer to what was sent."""
        try:
            status, headers = self._headers()
            answer = b"" if status == 204 or method == "HEAD" else self._body(headers)
            if headers.get("connection", "").lower() == "close":
                self.close()
            return status, headers, answer
        except (OSError, Gone) as gone:
            self.close()
            raise Gone(f"{method} {path}: {gone}") from gone

    def call(self, method, path, body=None):
        """The answer's object, None when there is none; Refused; Gone."""
        self.send(method, path, body)
        return self.result(method, path)

    def result(self, method, path):
        """The same of what was sent before."""
        status, _, answer = self.receive(method, path)
        value = json.loads(answer) if answer else None
        if status >= 400:
            raise Refused(status, (value or {}).get("error", {}))
        return value

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None):
        return self.call("POST", path, {} if body is None else body)

    def patch(self, path, body):
        return self.call("PATCH", path, body)

    def delete(self, path):
        return self.call("DELETE", path)


class Events(threading.Thread):
    """The event stream, noted down: (seq, kind, object)."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.seen, self.api, self.error = [], Api(path, timeout=3600), None
        self.api._connect()
        self.api.sock.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, self.headers = self.api._headers()
        assert status == 200, status
        self.start()

    def _blocks(self):
        text = b""
        chunked = self.headers.get("transfer-encoding") == "chunked"
        while True:
            if chunked:
                size = int(self.api._line().split(b";")[0], 16)
                if not size:
                    return
                text += self.api._bytes(size)
                self.api._line()
            else:
                text += self.api._bytes(len(self.api.rest)) if self.api.rest else (self.api._more() or b"")
            while b"\n\n" in text:
                block, text = text.split(b"\n\n", 1)
                yield block.decode()

    def run(self):
        try:
            for block in self._blocks():
                fields = {}
                for line in block.splitlines():
                    if not line.startswith(":"):
                        name, _, value = line.partition(":")
                        fields[name] = fields.get(name, "") + value.strip()
                if "event" in fields:
                    self.seen.append((int(fields.get("id", 0)), fields["event"], json.loads(fields.get("data", "{}") or "{}")))
        except (OSError, Gone) as gone:
            self.error = gone

    def of(self, *kinds):
        return [e for e in list(self.seen) if e[1] in kinds]

    def catch_up(self):
        """All that has happened until now was told of, and is in seen: something more was done, and that is there."""
        mark = str(uuid.uuid4())
        with contextlib.closing(Api(self.api.path)) as api:
            kind = api.get("/v1/types")["types"][0]
            api.post("/v1/definitions", {"uuid": mark, "parent": kind["parent"], "type": kind["name"]})
            api.delete(f"/v1/definitions/{mark}")
        eventually(lambda: [e for e in self.of("definition-removed") if e[2]["uuid"] == mark], "the events have come", within=30)

    def stop(self):
        with contextlib.suppress(OSError):
            self.api.sock.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self.api.close()


class Tranched:
    """The daemon, which can be started, killed and started again; as a context manager it leaves nothing behind."""

    def __init__(self, config=CONFIG, name="t", wrapper=(), env=None):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=os.environ.get("TRANCHE_TEST_SCRATCH", "/var/tmp")))
        self.run, self.definitions = self.top / "r", self.top / "d"
        self.config, self.log = self.top / "c", self.top / "log"
        self.config.write_text(config, encoding="utf-8")
        self.wrapper, self.env, self.process = tuple(wrapper), dict(os.environ, **(env or {})), None
        self.socket = str(self.run / "api.sock")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.destroy()

    def start(self, wait=True, within=60):
        argv = [*self.wrapper, TRANCHED, "--config", str(self.config), "--runtime-dir", str(self.run), "--definitions-dir",
                str(self.definitions)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        if wait:
            self.wait_ready(within)
        return self

    def wait_ready(self, within=60):
        def ready():
            assert self.process.poll() is None, f"tranched ended with {self.process.returncode}: {self.log_text()}"
            api = Api(self.socket)
            try:
                return api.get("/v1")["ready"]
            except (Gone, Refused):
                return False
            finally:
                api.close()
        eventually(ready, "tranched is ready: " + self.log_text(), within=within)

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.log.exists() else ""

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(20)

    def api(self, timeout=30):
        return Api(self.socket, timeout)

    def processes(self):
        """{pid: command line} of all processes that were started for this daemon's devices and parents."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                line = pathlib.Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state = pathlib.Path("/proc", pid, "stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()[0]
                if str(self.run) + "/" in line and state != "Z" and (not self.process or int(pid) != self.process.pid):
                    found[int(pid)] = line.strip()
        return found

    def device_processes(self):
        return {pid: line for pid, line in self.processes().items() if "tranche-device" in line.split()[0]}

    def destroy(self):
        if self.process and self.process.poll() is None:
            with contextlib.suppress(Gone, Refused, OSError, AssertionError):
                api = self.api(timeout=10)
                for device in api.get("/v1/devices")["devices"]:
                    with contextlib.suppress(Refused):
                        api.delete(f"/v1/devices/{device['uuid']}?policy=force")
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            end = time.monotonic() + 3
            while self.processes() and time.monotonic() < end:
                time.sleep(0.02)
        assert str(self.top).startswith(os.environ.get("TRANCHE_TEST_SCRATCH", "/var/tmp") + "/")
        shutil.rmtree(self.top, ignore_errors=True)
