#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a client of the real tranched can rely on (contract points C9, C30, C31, C32, C33): every refusal says why and what to do, sizes can be
mixed and are seen, a VM is whom its owner says it is, time and memory are accounted for each tenant and shared by a schedule that can be
changed."""
import itertools
import json
import os
import re
import socket
import subprocess
import sys

import real
import tranched
from real import SMALL, U, device, in_use, refused
from tap import eventually
from tranched import Events, Refused, Tranched

MIB = 1 << 20
CONFIG = """[daemon]
find-opencl = no

[parent null0]
driver = null

[parent cpu0]
driver = compute
host-device = 0
memory = 1G
"""
STATUS = {400: {"EINVAL"}, 403: {"EACCES", "EPERM"}, 404: {"ENOENT"}, 405: {"EOPNOTSUPP"}, 409: {"EEXIST", "EBUSY", "EAGAIN", "EALREADY"}, 410: {"ENODEV"},
          413: {"E2BIG", "EMSGSIZE"}, 415: {"EINVAL"}, 499: {"ECANCELED"}, 500: {"EIO", "EROFS"}, 501: {"EOPNOTSUPP"}, 504: {"ETIMEDOUT"}, 507: {"EUSERS", "ENOSPC"}}
WORDS = ["", "x", "null0", "../../etc", "%2e%2e%2f", "%00", "%ff%fe", "a" * 300, U[0], U[9], U[9].upper(), U[9] + "0", "%20", "*", "null%0a0"]
VALUES = [None, True, 0, -1, 1.5, 1e308, 2 ** 63 - 1, -2 ** 63, "", "x", "a" * 5000, "\u0000", "\u001b[31m", "\U0001f600", [], [1], {}, {"a": {"b": []}}]
FIELDS = {
    "/v1/parents": {"name": "p1", "driver": "null", "host_device": 0, "memory": 1 << 30, "options": {}},
    "/v1/definitions": {"uuid": U[20], "parent": "null0", "type": SMALL, "start": "manual", "memory": None, "time": None, "owner": 0, "vm": "a", "attrs": [],
                        "options": {}},
    "/v1/devices": {"uuid": U[21], "parent": "null0", "type": SMALL, "memory": None, "time": None, "owner": 0, "vm": "a", "attrs": [], "options": {},
                    "lifetime": "until-stopped"},
    f"/v1/definitions/{U[0]}": {"vm": "b", "start": "auto", "memory": None, "time": None, "attrs": []},
    f"/v1/devices/{U[0]}": {"memory": None, "time": None, "attrs": []},
    "/v1/parents/cpu0/schedule": {"policy": "equal", "slice_ms": 5},
}


def check(method, path, status, headers, answer, seen):
    """A success, or a whole refusal with the status that its number has."""
    where = f"{method} {path[:80]}: {status} {answer[:300]!r}"
    if status < 400:
        return
    assert headers.get("content-type") == "application/json", where
    body = json.loads(answer)
    assert set(body) == {"error"} and set(body["error"]) == {"name", "message", "hint", "errno"}, where
    error = body["error"]
    assert all(isinstance(v, str) for v in error.values()), where
    incomplete = seen.setdefault("incomplete", {})
    if not all(v.strip() for v in error.values()):
        incomplete.setdefault((error["name"], error["message"][:30]), where)
    assert re.fullmatch(r"[A-Z][A-Za-z]+", error["name"]) and re.fullmatch(r"E[A-Z0-9]+", error["errno"]), where
    assert error["errno"] in STATUS.get(status, ()), f"a status that does not fit: {where}"
    assert len(error["message"]) < 400 and not re.search(r"[\x00-\x1f\x7f]", error["message"] + error["hint"]), where
    assert error["hint"] != error["message"], where
    seen.setdefault((error["name"], error["errno"]), where)


def routes(api):
    doc = api.get("/openapi.json")
    return [(method.upper(), path) for path, item in doc["paths"].items() for method in item if method != "parameters"]


def paths_of(path):
    names = re.findall("{[a-z]+}", path)
    for words in itertools.product(WORDS, repeat=len(names)) if len(names) < 2 else zip(WORDS, reversed(WORDS)):
        full = path
        for name, word in zip(names, words):
            full = full.replace(name, word)
        yield full


def test_c31_every_refusal_of_every_route():
    """C31, C9: names that are no names, queries and bodies of any shape: name, sentence, hint, number, always."""
    with Tranched(CONFIG, name="api") as t:
        t.start()
        api, seen, nr = t.api(), {}, 0
        device(api, U[0])
        api.post("/v1/definitions", {"uuid": U[0], "parent": "null0", "type": SMALL})

        def ask(method, path, body=None):
            nonlocal nr
            nr += 1
            check(method, path, *api.raw(method, path, body), seen)
        found = routes(api)
        assert len(found) > 20
        for method, path in found:
            if path == "/v1/events":
                continue
            for full in paths_of(path):
                if method == "DELETE" and full.endswith((U[0], "null0")):
                    continue
                ask(method, full, {} if method in ("POST", "PATCH") else None)
            for query in ("?nonsense=1", "?policy=maybe", "?timeout_ms=x", "?timeout_ms=99999999999", "?policy=ask&policy=force", "?%zz", "?parent=%00", "?uuid=x"):
                if method in ("GET", "DELETE"):
                    ask(method, path.replace("{uuid}", U[9]).replace("{name}", "none").replace("{parent}", "none").replace("{type}", "x") + query)
        for path, good in FIELDS.items():
            method = "PATCH" if U[0] in path or path.endswith("schedule") else "POST"
            for value in VALUES:
                ask(method, path, value)
            for field in [*good, "nonsense", "", "a" * 200]:
                for value in VALUES:
                    if method == "POST":
                        for u in good.get("uuid"), "":
                            api.raw("DELETE", f"{path}/{u or good.get('name', 'x')}" + ("" if "definitions" in path else "?policy=force"))
                    ask(method, path, {**good, field: value})
            for field in good:
                ask(method, path, {k: v for k, v in good.items() if k != field})
        incomplete = seen.pop("incomplete")
        assert not incomplete, f"something is empty: {incomplete}"
        for name, value in [("memory", "9" * 30 + "G"), ("memory", "-1"), ("memory", "1e9"), ("time", "101"), ("time", "nan"), ("time", "inf"), ("time", "0"),
                            ("owner", "nobody-at-all"), ("owner", "-1"), ("owner", "4294967295"), ("nonsense", "1"), ("", "")]:
            for method, path in ("PATCH", f"/v1/devices/{U[0]}"), ("PATCH", f"/v1/definitions/{U[0]}"), ("POST", "/v1/devices"), ("POST", "/v1/definitions"):
                body = {"attrs": [{name: value}], **({"parent": "null0", "type": SMALL} if method == "POST" else {})}
                r = refused(lambda: api.call(method, path, body), "EINVAL", status=400)
                assert r.message, (name, value)
        print(f"# {nr} requests, refusals: " + ", ".join(sorted(f"{name} ({number})" for name, number in seen)))
        assert len(seen) >= 12, seen
        assert not [p for p in api.get("/v1")["problems"] if "nonsense" in p["message"]]
        assert t.process.poll() is None and api.get(f"/v1/devices/{U[0]}")["state"] == "running"


def raw_request(path, data, seconds=15):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(seconds)
        s.connect(path)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while piece := s.recv(65536):
                got += piece
        except OSError:
            pass
        return got


def test_c31_refusals_of_what_is_no_request():
    """C31: bodies that are no JSON, too large, of another type, twice the same key, too deep; methods that there are not."""
    head = "POST /v1/devices HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    json_type = "Content-Type: application/json\r\n"
    cases = [
        (400, json_type, b"{"), (400, json_type, b""), (400, json_type, b"\xff\xfe"), (400, json_type, b'{"a":1,"a":2}'), (400, json_type, b"[" * 1000 + b"]" * 1000),
        (400, json_type, b'{"type":"x"} {"type":"y"}'), (413, json_type, b'{"vm":"' + b"x" * 70000 + b'"}'), (415, "Content-Type: text/plain\r\n", b"{}"),
    ]
    with Tranched(CONFIG, name="api") as t:
        t.start()
        api, seen = t.api(), {}
        for wanted, headers, body in cases:
            got = raw_request(t.socket, (head + headers + f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
            lines, _, answer = got.partition(b"\r\n\r\n")
            status = int(lines.split()[1])
            assert status == wanted, (wanted, body[:40], got[:300])
            check("POST", repr(body[:20]), status, {"content-type": "application/json" if b"application/json" in lines else ""}, answer, seen)
        for method in "PUT", "FROB", "TRACE":
            status, headers, answer = api.raw(method, "/v1/devices")
            assert status == 405 and "GET" in headers["allow"], (method, status)
            check(method, "/v1/devices", status, headers, answer, seen)
        assert not seen["incomplete"], f"something is empty: {seen['incomplete']}"


def test_c31_the_command_prints_sentence_and_hint():
    """C31: and exits with 1."""
    tranche = tranched.BUILD / "src/cli/tranche"
    if not os.access(tranched.BUILD / "src/ctl/tranche-ctl", os.X_OK):
        print("# left out: no tranche-ctl was built")
        return
    with Tranched(CONFIG, name="api") as t:
        t.start()
        d = device(t.api(), U[0])
        with in_use(d["socket"]):
            eventually(lambda: t.api().get(f"/v1/devices/{U[0]}")["in_use"], "it is in use")
            for arguments in (["stop", U[0]], ["start", U[9]], ["define", "-p", "null0", "-t", "nonsense"], ["start", "-p", "none", "-t", SMALL]):
                p = subprocess.run([tranche, arguments[0], "--socket", t.socket, *arguments[1:]],
                                   capture_output=True, text=True, timeout=30, check=False)
                lines = p.stderr.strip().splitlines()
                assert p.returncode == 1 and len(lines) == 2 and lines[1].startswith("tranche: hint: ") and not p.stdout, (arguments, p)
            assert f"process {os.getpid()}" in subprocess.run([tranche, "stop", "--socket", t.socket, U[0]], capture_output=True, text=True, timeout=30,
                                                              check=False).stderr


def test_c30_a_vm_is_what_was_said():
    """C30: the VM is a parameter, whatever the holder's command line and name claim to be; nothing of it is guessed."""
    claim = "-name guest=other,debug-threads=on -uuid 11111111-2222-3333-4444-555555555555"
    with Tranched(CONFIG, name="api") as t:
        t.start()
        api = t.api()
        d = device(api, U[0], vm="web1")
        bare = device(api, U[1])
        code = ("import sys, time; sys.path.insert(0, sys.argv[1]); import vfu; c = vfu.Client(sys.argv[2]); d = vfu.Client(sys.argv[3]); "
                "print('here', flush=True); time.sleep(60)")
        holder = subprocess.Popen(["qemu-system-x86_64", "-c", code, os.path.dirname(real.vfu.__file__), d["socket"], bare["socket"], *claim.split()],
                                  executable=sys.executable, stdout=subprocess.PIPE, text=True)
        try:
            assert holder.stdout.readline() == "here\n"
            eventually(lambda: all(x["in_use"] for x in api.get("/v1/devices")["devices"]), "they are in use")
            devices = {x["uuid"]: x for x in api.get("/v1/devices")["devices"]}
            assert devices[U[0]]["vm"] == "web1" and not devices[U[1]]["vm"], devices
            for u in U[0], U[1]:
                r = refused(lambda u=u: api.delete(f"/v1/devices/{u}"), "EBUSY")
                assert f"process {holder.pid}" in r.message and "guest" not in str(r) and "11111111" not in str(r), r
            everything = json.dumps([api.get(p) for p in ("/v1", "/v1/devices", "/v1/definitions", "/v1/parents", "/v1/history")])
            assert "guest=other" not in everything and "11111111-2222" not in everything
        finally:
            holder.kill()
            holder.wait()
        api.post("/v1/definitions", {"uuid": U[2], "parent": "null0", "type": SMALL, "vm": "web2"})
        assert api.post(f"/v1/definitions/{U[2]}/start")["vm"] == "web2"


def test_c30_nothing_reads_command_lines():
    """C30: no program of ours opens /proc/PID/cmdline, comm or environ of another process."""
    for folder in "daemon", "device", "parent", "parents", "core", "vfio-user", "treefs":
        top = os.path.join(os.path.dirname(tranched.__file__), "..", "..", "src", folder)
        for at, _, files in os.walk(top):
            for name in files:
                if name.endswith((".c", ".h")):
                    with open(os.path.join(at, name), encoding="utf-8") as f:
                        assert not re.search(r"/(cmdline|environ)\b", f.read()), f"{at}/{name}"


def has_compute(api):
    there = any(p["name"] == "cpu0" and p["host_device"] for p in api.get("/v1/parents")["parents"])
    if not there:
        print("# left out: this host has no OpenCL device")
    return there


def expect_placement(api, sizes):
    """What is given away and what is left add up, and the types say what still fits."""
    parent = api.get("/v1/parents/cpu0")
    devices = {d["uuid"]: d for d in api.get("/v1/devices")["devices"] if d["parent"] == "cpu0"}
    assert {u: d["memory"] for u, d in devices.items()} == sizes
    assert parent["left"]["memory"] == parent["capacity"]["memory"] - sum(sizes.values()) and parent["devices"] == len(sizes), parent
    for kind in api.get("/v1/types?parent=cpu0")["types"]:
        assert kind["available_instances"] == parent["left"]["memory"] // kind["cost"]["memory"], (kind, parent["left"])


def test_c32_sizes_mixed_on_one_parent():
    """C32: any mix of sizes; what each has and what is left are seen; what does not fit is refused with both figures."""
    with Tranched(CONFIG, name="api") as t:
        t.start(within=40)
        api = t.api()
        if not has_compute(api):
            return
        sizes = {}
        for i, (kind, memory) in enumerate([("compute-256m", None), ("compute-custom", 100 * MIB), ("compute-512m", None), ("compute-custom", 60 * MIB)]):
            device(api, U[i], "cpu0", kind, **({"memory": memory} if memory else {}))
            sizes[U[i]] = memory or int(kind.split("-")[1][:-1]) * MIB
            expect_placement(api, sizes)
        r = refused(lambda: device(api, U[9], "cpu0", "compute-256m"), "EUSERS", status=507)
        assert "96 MiB" in r.message or str(96 * MIB) in r.message, f"how much is left? {r}"
        expect_placement(api, sizes)
        api.patch(f"/v1/devices/{U[1]}", {"memory": 150 * MIB})
        sizes[U[1]] = 150 * MIB
        expect_placement(api, sizes)
        refused(lambda: api.patch(f"/v1/devices/{U[1]}", {"memory": 800 * MIB}), "EUSERS")
        expect_placement(api, sizes)
        api.delete(f"/v1/devices/{U[2]}")
        del sizes[U[2]]
        expect_placement(api, sizes)
        device(api, U[5], "cpu0", "compute-512m")
        expect_placement(api, {**sizes, U[5]: 512 * MIB})


def test_c33_schedule_and_promises_change_while_devices_run():
    """C33: policy and slice at run time, told of, kept over a restart; promised time never exceeds the whole; figures for each tenant."""
    with Tranched(CONFIG, name="api") as t:
        t.start(within=40)
        api, events = t.api(), Events(t.socket)
        if not has_compute(api):
            return
        a = device(api, U[0], "cpu0", "compute-custom", memory=64 * MIB, time=70)
        device(api, U[1], "cpu0", "compute-custom", memory=64 * MIB, time=20.5)
        assert api.get("/v1/parents/cpu0")["left"]["time"] == 95
        for policy, slice_ms in ("equal", 2.5), ("fixed", 10), ("best-effort", 5):
            got = api.patch("/v1/parents/cpu0/schedule", {"policy": policy, "slice_ms": slice_ms})
            assert got == api.get("/v1/parents/cpu0/schedule") == api.get("/v1/parents/cpu0")["schedule"] == {"policy": policy, "slice_ms": slice_ms}
        api.patch("/v1/parents/cpu0/schedule", {"policy": "equal"})
        eventually(lambda: len([e for e in events.of("parent-changed") if e[2]["schedule"]["policy"] == "equal"]) >= 2, "changes are told of")
        r = refused(lambda: api.patch(f"/v1/devices/{U[0]}", {"time": 90}), "EUSERS")
        assert r.message and api.get(f"/v1/devices/{U[0]}")["time"] == 70
        api.patch(f"/v1/devices/{U[0]}", {"time": 79.5})
        assert api.get("/v1/parents/cpu0")["left"]["time"] == 0
        keys = {"sessions_now", "sessions", "used", "peak", "granted", "refused", "behind", "executors_now", "executors_lost", "commands", "compiled", "stored",
                "busy_ns", "wait_ns", "slices", "stops", "longest_wait_ns", "cpu_ns", "share"}
        for d in api.get("/v1/devices")["devices"]:
            assert keys <= set(d["stats"]), keys - set(d["stats"])
        t.kill()
        t.start()
        api = t.api()
        assert api.get("/v1/parents/cpu0/schedule") == {"policy": "equal", "slice_ms": 5}
        again = api.get(f"/v1/devices/{U[0]}")
        assert (again["pid"], again["time"]) == (a["pid"], 79.5) and api.get("/v1/parents/cpu0")["left"]["time"] == 0
        for wrong in {"policy": "fair"}, {"slice_ms": 0}, {"slice_ms": 1e9}, {"slice_ms": "5"}, {"nonsense": 1}:
            refused(lambda wrong=wrong: api.patch("/v1/parents/cpu0/schedule", wrong), "EINVAL")
        assert api.get("/v1/parents/cpu0/schedule") == {"policy": "equal", "slice_ms": 5}
        events.stop()


if __name__ == "__main__":
    tranched.tap.main(seconds=55)
