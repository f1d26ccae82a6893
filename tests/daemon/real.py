# SPDX-License-Identifier: MIT
"""What the tests of the real daemon (test_real_*.py) share: holders of devices, refusals, moments that are hard to meet."""
import contextlib
import errno
import json
import os
import signal
import socket
import sys
import threading
import time

import tranched
from tap import eventually
from tranched import Api, Gone, Refused

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vfio-user"))
import vfu  # noqa: E402

U = [f"5ea1{i:04x}-0000-4000-8000-{i:012x}" for i in range(64)]
SMALL = "null-small"


def refused(call, *codes, status=None):
    """The refusal, which must be one of these numbers, and be complete: name, sentence, hint."""
    try:
        got = call()
    except Refused as r:
        assert r.errno in codes, f"{r}, not {codes}"
        assert status is None or r.status == status, f"{r}, not {status}"
        assert set(r.error) == {"name", "message", "hint", "errno"} and all(r.error.values()), r
        return r
    raise AssertionError(f"not refused with {codes}: {got}")


def device(api, u, parent="null0", kind=SMALL, **more):
    return api.post("/v1/devices", {"uuid": u, "parent": parent, "type": kind, **more})


def uuids(api):
    return {d["uuid"] for d in api.get("/v1/devices")["devices"]}


@contextlib.contextmanager
def in_use(path):
    """A virtual machine, as far as the device knows."""
    c = vfu.Client(path)
    try:
        assert c.is_alive()
        yield c
    finally:
        c.close()


class Later(threading.Thread):
    """A request of its own connection, which can be given up."""

    def __init__(self, t, method, path, body=None):
        super().__init__(daemon=True)
        self.api, self.other, self.what = Api(t.socket, timeout=40), t.api(), (method, path)
        self.value = self.error = None
        self.api.send(method, path, body)
        self.start()

    def arrived(self):
        """tranched has it: what is asked from now on is asked later."""
        sock = self.api.sock
        if sock:
            with contextlib.suppress(OSError):      # closed: it was even answered
                eventually(self.api.is_read, f"{self.what} is read", within=30)
        self.other.get("/v1")
        self.other.close()
        return self

    def run(self):
        try:
            self.value = self.api.result(*self.what)
        except (Refused, Gone) as error:
            self.error = error
        finally:
            self.api.close()

    def give_up(self):
        self.api.sock.shutdown(socket.SHUT_RDWR)
        self.join(5)

    def get(self):
        self.join(40)
        assert not self.is_alive(), f"no answer to {self.what}"
        if self.error:
            raise self.error
        return self.value


def stop_new_process(t, before, u):
    """Its pid; None: it was there and gone."""
    path, end = f"/proc/{t.process.pid}/task/{t.process.pid}/children", time.monotonic() + 10
    while time.monotonic() < end:
        with open(path, encoding="ascii") as f:
            for pid in set(map(int, f.read().split())) - before:
                with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as line:
                    if u.encode() in line.read():
                        os.kill(pid, signal.SIGSTOP)
                        return pid
    return None


def states_of(pid):
    """Of all its threads."""
    states = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/stat", encoding="ascii", errors="replace") as f:
            states.add(f.read().rsplit(")", 1)[1].split()[0])
    return states


def is_starting(api, u):
    """Also after whatever its process had said before has been read."""
    for _ in range(3):
        try:
            api.get(f"/v1/devices/{u}")
            return False
        except Refused as r:
            if r.errno != "EAGAIN":
                return False
    return True


def stop_in_the_middle(t, begin, u):
    """Stops the process of device u before it is ready; (pid, what begin() gave). On a busy machine it may take some tries."""
    with contextlib.closing(t.api()) as api:
        for _ in range(50):
            before = set(t.device_processes())
            began = begin()
            pid = stop_new_process(t, before, u)
            if pid:
                eventually(lambda pid=pid: states_of(pid) <= {"T"}, "it stands still", within=20)
                if is_starting(api, u):
                    return pid, began
                os.kill(pid, signal.SIGCONT)
            began.get()
            api.delete(f"/v1/devices/{u}?policy=force")
    raise AssertionError("it was always too fast")


def tree(folder):
    """Every path below it."""
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, folders, files in os.walk(folder) for name in folders + files)


class Whole:
    """Everything that a start could leave behind."""

    def __init__(self, t, api):
        self.now = {
            "files": [f for f in tree(t.run) if not f.startswith("kept")],
            "processes": sorted(t.processes()),
            "devices": sorted(uuids(api)),
            "parents": {p["name"]: (p["left"], p["devices"]) for p in api.get("/v1/parents")["parents"]},
            "definitions": sorted(os.listdir(t.definitions)) if t.definitions.exists() else [],
            "defined": api.get("/v1/definitions")["definitions"],
            "available": {(k["parent"], k["name"]): k["available_instances"] for k in api.get("/v1/types")["types"]},
            "fds": len(os.listdir(f"/proc/{t.process.pid}/fd")),
        }

    def differences(self, other):
        return {k: (v, other.now[k]) for k, v in self.now.items() if v != other.now[k]}


def expect_same(t, api, before, within=10):
    """Processes end a moment after they are gone for everybody."""
    end = time.monotonic() + within
    while different := before.differences(Whole(t, api)):
        assert time.monotonic() < end, f"left behind: {different}"
        time.sleep(0.05)


def by_other(function, uid=65534, gid=65534, groups=()):
    """What function() gives (JSON) in a process of another user."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(list(groups))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            value = {"value": function()}
        except BaseException as error:      # pylint: disable=broad-except
            value = {"error": f"{type(error).__name__}: {error}"}
        os.write(write, json.dumps(value).encode())
        os._exit(0)
    os.close(write)
    data = b""
    while piece := os.read(read, 65536):
        data += piece
    os.close(read)
    os.waitpid(pid, 0)
    value = json.loads(data)
    assert "error" not in value, value["error"]
    return value["value"]


def outcome(api_socket, method, path, body=None):
    """[status, object]: of one request on a connection of its own."""
    api = tranched.Api(api_socket)
    try:
        status, _, data = api.raw(method, path, body)
        try:
            return [status, json.loads(data) if data else None]
        except ValueError:
            return [status, data.decode(errors="replace")]
    finally:
        api.close()


def errno_name(error):
    return errno.errorcode.get(error.errno, str(error))
