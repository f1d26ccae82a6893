# SPDX-License-Identifier: MIT
"""http_fake, started for a test: the daemon's HTTP layer on a manager that only pretends; and clients of it."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FAKE = os.environ.get("TRANCHE_TEST_HTTP_FAKE", "build/tests/daemon/http_fake")
UUID = "11111111-2222-3333-4444-555555555555"
JSON = {"Content-Type": "application/json"}
NOBODY = 65534


class Connection(http.client.HTTPConnection):
    """One over a Unix socket, kept."""

    def __init__(self, path, timeout=20):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers, and the body: parsed if it is JSON."""
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body), {**JSON, **(headers or {})}
        self.request(method, path, body, headers or {})
        return read_answer(self.getresponse())


def read_answer(answer):
    data = answer.read()
    if data and answer.headers.get("Content-Type") == "application/json":
        data = json.loads(data)
    return answer.status, answer.headers, data


class Fake:
    def __init__(self, *options, mode="0666"):
        self.folder = tempfile.mkdtemp(prefix="http-")
        os.chmod(self.folder, 0o755)
        self.socket = os.path.join(self.folder, "api.sock")
        self.command = [FAKE, "--mode", mode, *options, self.socket]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line != "ready\n":
            self.process.communicate()
            shutil.rmtree(self.folder, ignore_errors=True)
        assert line == "ready\n", f"http_fake did not start: {line!r}"
        return self

    def __exit__(self, *why):
        try:
            last = self.stop()
            assert why[0] or self.process.returncode == 0, f"http_fake ended with {self.process.returncode}: {last}"
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        """What it says at its end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise

    @contextlib.contextmanager
    def connect(self, **kw):
        c = Connection(self.socket, **kw)
        try:
            yield c
        finally:
            c.close()

    def ask(self, method, path, body=None, headers=None):
        with self.connect() as c:
            return c.ask(method, path, body, headers)

    def about(self):
        return self.ask("GET", "/v1")[2]

    def raw(self, timeout=20):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.socket)
        return s


@contextlib.contextmanager
def at_a_port():
    """One that listens at a TCP port, too; and the port. Somebody else may take it first: then it is another one."""
    for _ in range(5):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        f = Fake("--listen", f"127.0.0.1:{port}")
        try:
            f.__enter__()
            break
        except AssertionError as error:
            print(f"# port {port}: {error}")
    else:
        raise AssertionError("it listens at no port")
    with contextlib.ExitStack() as stack:
        stack.push(f)
        yield f, port


def read_all(s):
    """Until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := s.recv(65536):
            data += piece
    return data


def error_of(answer):
    """Checks that it is a refusal as documented; its name."""
    status, headers, body = answer
    assert status >= 400, answer
    assert headers["Content-Type"] == "application/json", dict(headers)
    assert set(body) == {"error"} and set(body["error"]) == {"name", "message", "hint", "errno"}, body
    assert body["error"]["name"] and body["error"]["message"] and body["error"]["errno"].startswith("E"), body
    return body["error"]["name"]


def as_nobody(function):
    """Runs function() as another user, who is in no group; what it returned (JSON)."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(write, json.dumps(function()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as f:
        text = f.read()
    assert os.waitpid(pid, 0)[1] == 0, "the other user's process failed"
    return json.loads(text)
