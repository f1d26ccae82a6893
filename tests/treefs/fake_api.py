# SPDX-License-Identifier: MIT
"""A tranched that keeps everything in memory: parents, types, devices and the stream of events, over a Unix socket."""
import contextlib
import http.server
import json
import os
import select
import socket
import socketserver
import threading
import urllib.parse

STATUS = {"EINVAL": 400, "EACCES": 403, "ENOENT": 404, "ENODEV": 410, "EEXIST": 409, "EBUSY": 409, "EAGAIN": 409, "EUSERS": 507,
          "ENOSPC": 507, "EIO": 500, "ETIMEDOUT": 504, "ECANCELED": 499, "ENOMEM": 500}
ATTRIBUTES = {"memory", "time", "owner", "vm"}


class Refused(Exception):
    def __init__(self, errno, message):
        super().__init__(message)
        self.errno = errno


def make_type(parent, name, available, **more):
    return {"parent": parent, "name": name, "pretty_name": f"Pretty {name}", "description": f"What {name} is", "device_api": "vfio-pci",
            "available_instances": available, "cost": {}, "adjustable": [], **more}


class FakeApi:
    """Answers at {path}. All of its state may be changed while {lock} is held; then say what happened with event()."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Condition()
        self.parents, self.types, self.devices = {}, [], {}
        self.refuse = {}        # (method, path before "?"): Refused, for tests of error numbers
        self.in_use = set()     # UUIDs that DELETE waits for, or refuses
        self.leaving = {}       # UUID: requests that wait for it
        self.is_ready = True
        self.requests, self.events, self.cancelled = [], [], []
        self.born = 0
        self.server = None
        self.add_parent("mtty", "mtty")
        self.types += [make_type("mtty", "mtty-1", 24), make_type("mtty", "mtty-2", 12)]
        self.add_parent("cpu0", "compute")
        self.types.append(make_type("cpu0", "compute-1g", 2, device_api="compute", pretty_name="", description="memory=1073741824"))

    def add_parent(self, name, driver):
        self.parents[name] = {"name": name, "driver": driver, "state": "up", "types": [], "devices": 0}

    def type_of(self, parent, name):
        return next((t for t in self.types if t["parent"] == parent and t["name"] == name), None)

    def event(self, kind, what):
        self.events.append((kind, what))
        self.lock.notify_all()

    # --- what requests do; the lock is held ---

    def create(self, body):
        unknown = set(body) - {"parent", "type", "uuid", "attrs"}
        assert not unknown, unknown
        kind = self.type_of(body["parent"], body["type"])
        if body["parent"] not in self.parents:
            raise Refused("ENODEV", f"the parent {body['parent']} leaves")
        if kind is None:
            raise Refused("ENOENT", f"{body['parent']} has no type {body['type']}")
        if body["uuid"] in self.devices:
            raise Refused("EEXIST", f"the UUID {body['uuid']} is in use")
        if kind["available_instances"] == 0:
            raise Refused("EUSERS", f"{kind['name']} has no instance left")
        kind["available_instances"] -= 1
        self.born += 1
        device = {"uuid": body["uuid"], "parent": body["parent"], "type": body["type"], "device_api": kind["device_api"],
                  "state": "running", "defined": False, "lifetime": "until-stopped", "memory": None, "time": None, "owner": "root",
                  "vm": "", "attrs": [], "options": {}, "pid": 4710 + self.born, "socket": f"/run/x/{body['uuid']}.sock", "in_use": False,
                  "started": f"2026-11-21T00:00:{self.born:02}Z"}
        self.devices[device["uuid"]] = device
        self.event("device-added", device)
        return device

    def change(self, uuid, body):
        device = self.devices.get(uuid)
        if device is None:
            raise Refused("ENOENT", f"there is no device {uuid}")
        for attr in body["attrs"]:
            (name, value), = attr.items()
            if name not in ATTRIBUTES or value == "bad":
                raise Refused("EINVAL", f"{name} cannot be {value}")
            device[name] = value
        self.event("device-changed", device)
        return device

    def drop(self, uuid):
        device = self.devices.pop(uuid)
        kind = self.type_of(device["parent"], device["type"])
        if kind:
            kind["available_instances"] += 1
        self.event("device-removed", {"uuid": uuid, "why": "stopped"})

    def remove(self, uuid, policy, is_gone):
        if uuid not in self.devices:
            raise Refused("ENOENT", f"there is no device {uuid}")
        if uuid in self.in_use and policy == "refuse":
            raise Refused("EBUSY", f"the device {uuid} is in use by a test")
        self.leaving[uuid] = self.leaving.get(uuid, 0) + 1
        self.lock.notify_all()
        try:
            while uuid in self.in_use and uuid in self.devices:
                self.lock.wait(0.02)
                if is_gone():
                    self.cancelled.append(uuid)
                    raise Refused("ECANCELED", "given up")
        finally:
            self.leaving[uuid] -= 1
            self.lock.notify_all()
        if uuid in self.devices:
            self.drop(uuid)

    def remove_parent(self, name):
        """A parent goes with all that it has, as tranched does it: devices first."""
        with self.lock:
            for uuid in [u for u, d in self.devices.items() if d["parent"] == name]:
                self.drop(uuid)
            self.types = [t for t in self.types if t["parent"] != name]
            del self.parents[name]
            self.event("parent-removed", {"name": name})

    def get(self, path):
        lists = {"/v1/parents": ("parents", list(self.parents.values())), "/v1/types": ("types", self.types),
                 "/v1/devices": ("devices", list(self.devices.values()))}
        if path == "/v1":
            return {"name": "tranched", "ready": self.is_ready}
        if path not in lists:
            raise Refused("ENOENT", f"there is no {path}")
        return dict([lists[path]])

    def answer(self, method, path, query, body, is_gone):
        """Return: status, object."""
        with self.lock:
            self.requests.append((method, path))
            if (method, path) in self.refuse:
                raise self.refuse[method, path]
            if method == "GET":
                return 200, self.get(path)
            if method == "POST" and path == "/v1/devices":
                return 201, self.create(body)
            uuid = path.rpartition("/")[2]
            if method == "PATCH":
                return 200, self.change(uuid, body)
            self.remove(uuid, query.get("policy", ["refuse"])[0], is_gone)
            return 204, None

    # --- the server ---

    def start(self):
        api = self

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass

        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.connections = []
        self.server = Server(self.path, type("Handler", (Handler,), {"api": api}))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self):
        """As if it were killed: nobody listens, and all connections end."""
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.path)
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.lock.notify_all()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False
    api = None

    def setup(self):
        self.api.connections.append(self.request)
        super().setup()

    def address_string(self):
        return "peer"

    def log_message(self, format, *args):
        pass

    def is_gone(self):
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def send(self, status, what):
        data = b"" if what is None else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if url.path == "/v1/events":
            self.follow()
            return
        try:
            status, what = self.api.answer(self.command, url.path, urllib.parse.parse_qs(url.query), body, self.is_gone)
        except Refused as r:
            status, what = STATUS[r.errno], {"error": {"name": "Refused", "message": str(r), "hint": "none", "errno": r.errno}}
        self.send(status, what)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any

    def follow(self):
        api = self.api
        with api.lock:
            at = len(api.events)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while not self.is_gone():
                with api.lock:
                    if len(api.events) == at:
                        api.lock.wait(0.2)
                    new, first, at = api.events[at:], at, len(api.events)
                    text = "".join(f"id: {first + i + 1}\nevent: {kind}\ndata: {json.dumps(what)}\n\n"
                                   for i, (kind, what) in enumerate(new))
                self.wfile.write(text.encode())
