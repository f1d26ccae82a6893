# SPDX-License-Identifier: MIT
"""A small tranched without devices: answers the API's requests from tables in memory, over a Unix socket.

python3 fake_api.py SOCKET [--definitions N]: for trying things by hand.
"""
import copy
import http.server
import json
import os
import socketserver
import sys
import threading
import time
import urllib.parse

GIB = 1 << 30
UUIDS = ["7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f", "7f3c0a99-1111-4222-8333-444455556666", "c0ffee00-0000-4000-8000-000000000001"]

CPU = {
    "name": "cpu0", "driver": "compute", "state": "up",
    "host_device": {"index": 0, "kind": "cpu", "name": "pthread-example", "vendor": "GenuineIntel", "driver": "3.1",
                    "version": "OpenCL 3.0 PoCL", "platform": "Portable Computing Language", "memory": 6 * GIB, "units": 2},
    "capacity": {"memory": 4 * GIB, "time": 1000}, "left": {"memory": 5 * GIB // 2, "time": 700}, "devices": 2,
    "schedule": {"policy": "equal", "slice_ms": 5.0}, "use": 0.75, "pid": 4711,
    "types": ["compute-256m", "compute-1g", "compute-custom"]}
MTTY = {
    "name": "serial0", "driver": "mtty", "state": "up", "host_device": None, "capacity": {"units": 24}, "left": {"units": 24},
    "devices": 0, "schedule": None, "use": None, "pid": None, "types": ["mtty-1", "mtty-2"]}


def make_type(parent, name, pretty, text, left, cost, api="compute", adjustable=()):
    return {"parent": parent, "name": name, "pretty_name": pretty, "description": text, "device_api": api,
            "available_instances": left, "cost": cost, "adjustable": list(adjustable)}


TYPES = [
    make_type("cpu0", "compute-256m", "256 MiB", "virtual compute device with 256 MiB", 10, {"memory": GIB // 4}, adjustable=["time"]),
    make_type("cpu0", "compute-1g", "1 GiB", "virtual compute device with 1 GiB", 2, {"memory": GIB}, adjustable=["time"]),
    make_type("cpu0", "compute-custom", "custom", "virtual compute device of any size", 2, {"memory": GIB}, adjustable=["memory", "time"]),
    make_type("serial0", "mtty-1", "Single port serial", "one serial port", 24, {"units": 1}, "vfio-pci"),
    make_type("serial0", "mtty-2", "Dual port serial", "two serial ports", 12, {"units": 2}, "vfio-pci"),
]

# Of a compute parent, too, and served to virtual machines.
PCI_TYPE = make_type("cpu0", "compute-pci", "any size, for a virtual machine", "for a guest", 2, {"memory": GIB}, "vfio-pci",
                     adjustable=["memory", "time"])
GUEST_STATS = {"traps": 77, "doorbells": 5, "interrupts": 1234}

STATS = {"sessions_now": 1, "sessions": 3, "used": 300 << 20, "peak": 400 << 20, "granted": GIB, "refused": 0, "behind": 0,
         "executors_now": 1, "executors_lost": 0, "commands": 123456, "compiled": 1, "stored": 2, "busy_ns": 12_500_000_000,
         "wait_ns": 1_000_000_000, "slices": 9, "stops": 0, "longest_wait_ns": 5_000_000, "cpu_ns": 13_000_000_000, "share": 0.5}


def make_definition(uuid, parent="cpu0", kind="compute-1g", **more):
    return {"uuid": uuid, "parent": parent, "type": kind, "start": "manual", "memory": None, "time": None, "owner": None, "vm": None,
            "attrs": [], "options": {}, "running": False, **more}


def make_device(uuid, kind, runtime, **more):
    return {"uuid": uuid, "parent": "cpu0", "type": kind, "device_api": "compute", "state": "running", "defined": False,
            "lifetime": "until-stopped", "memory": GIB, "time": None, "owner": "alice", "vm": "", "attrs": [], "options": {}, "pid": 4712,
            "socket": f"{runtime}/{uuid}.sock", "started": "2026-01-02T03:04:05Z", "in_use": False, "stats": dict(STATS), **more}


class Refusal(Exception):
    def __init__(self, status, name, message, hint="", errno="EINVAL"):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"name": name, "message": message, "hint": hint, "errno": errno}}


class Model:
    """What there is, and the verbs on it. One lock for all."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.lock = threading.Condition()
        self.parents = {p["name"]: copy.deepcopy(p) for p in (CPU, MTTY)}
        self.types = copy.deepcopy(TYPES)
        self.definitions, self.devices = {}, {}
        self.events, self.requests, self.made = [], [], 0
        self.delay = 0
        self.nr_hang_ups = 0  # streams of events that began before one end with it
        self.nr_followed = 0  # streams of events that have begun
        self.frozen = {}  # answers that were made before, by path
        self.is_frozen = False
        self.problems = []

    def fill(self):
        """Two definitions, one of them running, and an ad-hoc device."""
        self.definitions[UUIDS[0]] = make_definition(UUIDS[0], start="auto", time=40, owner="alice", running=True)
        self.definitions[UUIDS[2]] = make_definition(UUIDS[2], "serial0", "mtty-2", vm="web1", options={"line0": "pty:/x"},
                                                     attrs=[{"vm": "web1"}])
        self.devices[UUIDS[0]] = make_device(UUIDS[0], "compute-1g", self.runtime, defined=True, time=40, in_use=True)
        self.devices[UUIDS[1]] = make_device(UUIDS[1], "compute-custom", self.runtime, memory=GIB // 2,
                                             stats={**STATS, "used": 10 << 20, "share": 0.25, "sessions_now": 0, "commands": 7})
        return self

    def freeze(self):
        """From now on nothing changes, and answers take no time."""
        self.is_frozen = True

    def say(self, kind, what):
        self.events.append((len(self.events) + 1, kind, what))
        self.lock.notify_all()

    def find(self, table, what, uuid):
        if uuid not in table:
            raise Refusal(404, "NoSuch" + what.capitalize(), f"there is no {what} {uuid}", "see \"tranche list\"", "ENOENT")
        return table[uuid]

    def new_uuid(self):
        self.made += 1
        return f"00000000-0000-4000-8000-{self.made:012x}"

    # The API's requests: method, the words of the path.

    def get(self, words, query):
        if not words:
            return {"name": "tranched", "version": "0.1.0", "api": 1, "pid": os.getpid(), "started": "2026-01-02T03:04:05Z",
                    "user": "alice", "uid": os.getuid(), "rights": "admin", "runtime_dir": self.runtime,
                    "definitions_dir": self.runtime, "config": None, "ready": True, "problems": self.problems}
        kind = words[0]
        if kind == "types":
            found = [t for t in self.types if query.get("parent", t["parent"]) == t["parent"]]
            if len(words) == 3:
                found = [t for t in found if [t["parent"], t["name"]] == words[1:]]
                if not found:
                    raise Refusal(404, "NoSuchType", f"parent {words[1]} has no type {words[2]}", "", "ENOENT")
                return found[0]
            return {"types": found}
        table = {"parents": self.parents, "definitions": self.definitions, "devices": self.devices}.get(kind)
        if table is None:
            raise Refusal(404, "NoSuchPath", f"there is nothing at /v1/{'/'.join(words)}", "", "ENOENT")
        if len(words) == 1:
            return {kind: [table[k] for k in (sorted(table) if kind == "definitions" else table)]}
        found = self.find(table, kind[:-1], words[1])
        return found["schedule"] if words[2:] == ["schedule"] else found

    def check_type(self, parent, kind):
        self.find(self.parents, "parent", parent)
        for t in self.types:
            if (t["parent"], t["name"]) == (parent, kind):
                return t
        raise Refusal(400, "NoSuchType", f"parent {parent} has no type {kind}", f"see \"tranche types -p {parent}\"")

    def start(self, fields, **more):
        uuid = fields["uuid"]
        if uuid in self.devices:
            raise Refusal(409, "Exists", f"device {uuid} is running already", "", "EEXIST")
        t = self.check_type(fields["parent"], fields["type"])
        if t["available_instances"] == 0:
            raise Refusal(507, "NoCapacity", f"parent {fields['parent']} has no room for {fields['type']}",
                          "stop a device, or choose a smaller type", "EUSERS")
        d = make_device(uuid, fields["type"], self.runtime, **more)
        d.update({k: v for k, v in fields.items() if v is not None and k in d})
        d.update(device_api=t["device_api"], stats={k: 0 for k in STATS})
        if d["memory"] is None or "memory" not in fields or fields["memory"] is None:
            d["memory"] = t["cost"].get("memory")
        self.devices[uuid] = d
        self.say("device-added", d)
        return 201, d

    def post(self, words, body):
        if words == ["definitions"]:
            uuid = body.pop("uuid", None) or self.new_uuid()
            if uuid in self.definitions:
                raise Refusal(409, "Exists", f"device {uuid} is defined already", "change it with \"tranche modify\"", "EEXIST")
            unknown = set(body) - set(make_definition(""))
            if unknown or not body.get("parent") or not body.get("type"):
                raise Refusal(400, "BadField", f"unknown or missing fields: {sorted(unknown)}")
            self.check_type(body["parent"], body["type"])
            self.definitions[uuid] = {**make_definition(uuid), **body}
            self.say("definition-added", self.definitions[uuid])
            return 201, self.definitions[uuid]
        if words[:1] == ["definitions"] and words[2:] == ["start"]:
            d = self.find(self.definitions, "definition", words[1])
            answer = self.start(d, defined=True)
            d["running"] = True
            return answer
        if words == ["devices"]:
            body.setdefault("uuid", self.new_uuid())
            parents = [t["parent"] for t in self.types if t["name"] == body.get("type")]
            if body.get("type") == "compute":
                body["type"], parents = "compute-custom", ["cpu0"]
            body.setdefault("parent", parents[0] if parents else "")
            return self.start(body)
        if words == ["parents"]:
            self.parents[body["name"]] = {**copy.deepcopy(MTTY), **{k: v for k, v in body.items() if k in MTTY}}
            return 201, self.parents[body["name"]]
        if words == ["reload"]:
            return 204, None
        raise Refusal(405, "NotAllowed", "that cannot be done", "", "EOPNOTSUPP")

    def patch(self, words, body):
        if words[:1] == ["parents"] and words[2:] == ["schedule"]:
            self.find(self.parents, "parent", words[1])["schedule"].update(body)
            return 200, self.parents[words[1]]["schedule"]
        table = {"definitions": self.definitions, "devices": self.devices}[words[0]]
        found = self.find(table, words[0][:-1], words[1])
        found.update(body)
        self.say(words[0][:-1] + "-changed", found)
        return 200, found

    def delete(self, words, query):
        table = {"definitions": self.definitions, "devices": self.devices, "parents": self.parents}[words[0]]
        found = self.find(table, words[0][:-1], words[1])
        policy = query.get("policy", "refuse")
        if found.get("in_use") and policy == "refuse":
            raise Refusal(409, "Busy", f"device {words[1]} is in use by clinfo (pid 99, alice)",
                          "wait for its users with --wait, or stop it with --force", "EBUSY")
        if policy == "ask":
            limit = int(query.get("timeout_ms", "0")) / 1000 or None
            if not self.lock.wait_for(lambda: not found.get("in_use"), limit):
                raise Refusal(504, "TimedOut", f"device {words[1]} is still in use by clinfo (pid 99, alice)", "", "ETIMEDOUT")
        table.pop(words[1], None)
        if words[0] == "devices" and words[1] in self.definitions:
            self.definitions[words[1]]["running"] = False
        key = "name" if words[0] == "parents" else "uuid"
        self.say(words[0][:-1] + "-removed", {key: words[1], "why": "stopped"})
        return 204, None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None

    def log_message(self, *_):
        pass

    def address_string(self):
        return "local"

    def answer(self, status, value):
        data = self.model.frozen.get(self.path) or (b"" if value is None else json.dumps(value).encode())
        if self.model.is_frozen:
            self.model.frozen[self.path] = data
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, since):
        m = self.model
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with m.lock:
            at = since if since is not None else len(m.events)
            nr_hang_ups = m.nr_hang_ups
            m.nr_followed += 1
        while True:
            with m.lock:
                m.lock.wait_for(lambda: len(m.events) > at or m.nr_hang_ups > nr_hang_ups, 10)
                if m.nr_hang_ups > nr_hang_ups:
                    return
                new, at = m.events[at:], len(m.events)
            self.wfile.write(b": here\n\n")
            for seq, kind, what in new:
                self.wfile.write(f"id: {seq}\nevent: {kind}\ndata: {json.dumps(what)}\n\n".encode())
            self.wfile.flush()

    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        words = [urllib.parse.unquote(w) for w in url.path.strip("/").split("/")]
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        m = self.model
        try:
            if words[:1] != ["v1"]:
                raise Refusal(404, "NoSuchPath", f"there is nothing at {url.path}", "", "ENOENT")
            body = json.loads(text) if text else {}
            m.requests.append((self.command, self.path, copy.deepcopy(body)))
            time.sleep(m.delay)
            if words == ["v1", "events"]:
                return self.stream(int(query["since"]) if "since" in query else None)
            with m.lock:
                if self.command == "GET":
                    status, value = 200, m.get(words[1:], query)
                elif self.command == "DELETE":
                    status, value = m.delete(words[1:], query)
                else:
                    status, value = getattr(m, self.command.lower())(words[1:], body)
            self.answer(status, value)
        except Refusal as refusal:
            self.answer(refusal.status, refusal.body)
        except BrokenPipeError:
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (BrokenPipeError, ConnectionResetError)):
            super().handle_error(request, client_address)


def serve(path, model):
    """Starts to serve, in a thread. Returns the server: shutdown() ends it."""
    server = Server(path, type("Bound", (Handler,), {"model": model}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    model = Model(os.path.dirname(os.path.abspath(sys.argv[1]))).fill()
    if sys.argv[2:3] == ["--definitions"]:
        for _ in range(int(sys.argv[3])):
            uuid = model.new_uuid()
            model.definitions[uuid] = make_definition(uuid)
    serve(sys.argv[1], model)
    threading.Event().wait()


if __name__ == "__main__":
    main()
