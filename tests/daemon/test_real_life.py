#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Life of devices and parents over the real tranched and real device processes (contract points C1 to C10).

The moments that matter, such as a create that has begun, are held by stopping the device's process."""
import errno
import os
import re
import signal
import time

import real
import tranched
import vfu
from real import SMALL, U, Later, Whole, device, expect_same, in_use, refused, uuids
from tap import eventually
from tranched import Events, Refused, Tranched

CONFIG = """[daemon]
find-opencl = no

[parent null0]
driver = null

[parent null1]
driver = null

[parent serial0]
driver = mtty
"""


def started(name="life"):
    return Tranched(CONFIG, name=name)


def warm_up(api):
    """The first start opens what stays open."""
    device(api, U[63])
    api.delete(f"/v1/devices/{U[63]}")


def kinds(events, u=None):
    return [kind for _, kind, what in events.seen if u is None or what.get("uuid") == u]


def test_c01_core_and_daemon_know_neither_pci_nor_opencl():
    """C1: by what the core's sources include, and by what is loaded into tranched and into a device of another kind."""
    source = os.path.join(os.path.dirname(tranched.__file__), "..", "..", "src", "core")
    for name in os.listdir(source):
        if name.endswith((".c", ".h")):
            with open(os.path.join(source, name), encoding="utf-8") as f:
                for include in re.findall(r'#include ["<]([^">]+)', f.read()):
                    assert not re.search(r"pci|vfio|opencl|CL/", include, re.I), f"{name} includes {include}"
    with started() as t:
        t.start()
        d = device(t.api(), U[0], "serial0", "mtty-1")
        for pid in t.process.pid, d["pid"]:
            with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
                loaded = {line.split()[-1] for line in f if ".so" in line}
            assert loaded and not [lib for lib in loaded if re.search(r"opencl|pocl|llvm|vfio", os.path.basename(lib), re.I)], loaded


def test_c02_a_uuid_is_unique_while_it_starts_runs_and_ends():
    """C2: over all parents, and from the moment it is asked for until its process is gone."""
    with started() as t:
        t.start()
        api = t.api()
        pid, first = real.stop_in_the_middle(t, lambda: Later(t, "POST", "/v1/devices", {"uuid": U[0], "parent": "null0", "type": SMALL}), U[0])
        assert refused(lambda: device(api, U[0], "null1"), "EEXIST").message.count(U[0])
        refused(lambda: device(api, U[0].upper(), "serial0", "mtty-1"), "EEXIST")
        os.kill(pid, signal.SIGCONT)
        assert first.get()["state"] == "running"
        for parent, kind in ("null0", SMALL), ("null1", SMALL), ("serial0", "mtty-2"):
            refused(lambda parent=parent, kind=kind: device(api, U[0], parent, kind), "EEXIST", status=409)
        for _ in range(10):     # a process that does not answer is killed after some seconds: a busy machine may be too late
            os.kill(pid, signal.SIGSTOP)
            last = Later(t, "DELETE", f"/v1/devices/{U[0]}?policy=force").arrived()
            try:
                pid = device(api, U[0], "null1")["pid"]
                assert not last.get(), "its process was gone by then"
            except Refused as r:
                assert r.errno == "EEXIST", r
                break
        else:
            raise AssertionError("it was never refused")
        last.get()
        assert device(api, U[0], "null1")["parent"] == "null1"


def test_c03_nobody_sees_a_device_that_is_not_ready():
    """C3: not listed, not connectable, not counted as a device; its place is taken already."""
    with started() as t:
        t.start()
        api, events = t.api(), Events(t.socket)
        before = api.get("/v1/parents/null0")
        pid, first = real.stop_in_the_middle(t, lambda: Later(t, "POST", "/v1/devices", {"uuid": U[0], "parent": "null0", "type": SMALL}), U[0])
        assert not uuids(api)
        assert refused(lambda: api.get(f"/v1/devices/{U[0]}"), "EAGAIN", status=409).name == "NotReady"
        refused(lambda: api.delete(f"/v1/devices/{U[0]}"), "EAGAIN")
        refused(lambda: api.patch(f"/v1/devices/{U[0]}", {"time": 5}), "EAGAIN")
        now = api.get("/v1/parents/null0")
        assert now["left"]["units"] == before["left"]["units"] - 1 and now["devices"] == 0, now
        events.catch_up()
        assert len(events.of("device-added")) == len(events.of("device-removed"))
        nr = len(events.of("device-added"))
        os.kill(pid, signal.SIGCONT)
        assert first.get()["uuid"] == U[0]
        eventually(lambda: len(events.of("device-added")) > nr, "it is told of")
        assert [told["state"] for _, _, told in events.of("device-added")] == ["running"] * (nr + 1), events.seen
        events.stop()


def failing_starts(t, api):
    """(what, how it is done, numbers): starts that cannot work, or are killed on their way."""
    yield "an option that the driver does not know", lambda: device(api, U[0], "serial0", "mtty-1", options={"nonsense": "x"}), ("EINVAL",)
    yield "a place that there is not", lambda: device(api, U[0], "serial0", "mtty-1", options={"line0": "unix:/nowhere/at/all"}), \
        ("EINVAL", "ENOENT", "EIO")

    def killed():
        pid, first = real.stop_in_the_middle(t, lambda: Later(t, "POST", "/v1/devices", {"uuid": U[0], "parent": "null0", "type": SMALL}), U[0])
        os.kill(pid, signal.SIGKILL)
        return first.get()
    yield "its process is killed", killed, ("EIO", "ENODEV", "ECONNRESET")

    def folder_in_the_way():
        (t.run / f"{U[0]}.sock").mkdir()
        try:
            return device(api, U[0])
        finally:
            (t.run / f"{U[0]}.sock").rmdir()
    yield "a folder is where its socket belongs", folder_in_the_way, ("EEXIST", "EADDRINUSE", "EIO", "EISDIR", "EBUSY")


def test_c03_a_start_that_fails_leaves_nothing():
    """C3: no process, folder, socket, capacity, event, descriptor; and the UUID can be used at once."""
    with started() as t:
        t.start()
        api = t.api()
        warm_up(api)
        events = Events(t.socket)
        for what, begin, numbers in failing_starts(t, api):
            events.catch_up()
            before, nr = Whole(t, api), len(events.seen)
            r = refused(begin, *numbers)
            print(f"# {what}: {r.message} ({r.hint})")
            assert U[0] in r.message and r.message.count("device 5ea1") <= 1, r.message
            expect_same(t, api, before)
            events.catch_up()
            # What was too fast to be stopped on its way was told of, of course.
            added = [e for e in events.seen[nr:] if e[1] == "device-added"]
            assert not added or what == "its process is killed", (what, added)
            assert device(api, U[0])["state"] == "running"
            api.delete(f"/v1/devices/{U[0]}")
        events.stop()


def test_c03_a_start_that_hangs_is_given_up():
    """C3: a process that says nothing for ten seconds is ended, and leaves nothing."""
    with started() as t:
        t.start()
        api = t.api(timeout=40)
        warm_up(api)
        before = Whole(t, api)
        pid, first = real.stop_in_the_middle(t, lambda: Later(t, "POST", "/v1/devices", {"uuid": U[0], "parent": "null0", "type": SMALL}), U[0])
        refused(first.get, "ETIMEDOUT", status=504)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), "its process is gone")
        expect_same(t, api, before)
        device(api, U[0])


def test_c03_capacity_is_all_or_nothing():
    """C3, C4: who does not fit takes nothing; what was taken comes back exactly."""
    with started() as t:
        t.start()
        api = t.api()
        total = api.get("/v1/parents/serial0")["capacity"]["units"]
        made = []
        for i in range(total):
            try:
                device(api, U[i], "serial0", "mtty-2")
                made.append(U[i])
            except Refused as r:
                assert r.errno == "EUSERS" and r.status == 507 and "serial0" in r.message, r
                break
        assert len(made) == total // 2
        before = Whole(t, api)
        refused(lambda: device(api, U[40], "serial0", "mtty-1"), "EUSERS")
        expect_same(t, api, before)
        for u in made:
            api.delete(f"/v1/devices/{u}")
        now = api.get("/v1/parents/serial0")
        assert now["left"] == now["capacity"]


def test_c04_capacity_comes_back_when_the_process_is_gone():
    """C4: not when the remove was asked for, and the answer comes after it."""
    with started() as t:
        t.start()
        api = t.api()
        full = api.get("/v1/parents/null0")["capacity"]["units"]
        for _ in range(10):     # a process that does not answer is killed after some seconds: a busy machine may look too late
            pid = device(api, U[0])["pid"]
            os.kill(pid, signal.SIGSTOP)
            last = Later(t, "DELETE", f"/v1/devices/{U[0]}?policy=force").arrived()
            seen = []
            while last.is_alive():
                left = api.get("/v1/parents/null0")["left"]["units"]
                seen.append(left)
                if left == full:
                    # A zombie that we cannot see any more is gone, too.
                    assert not any(str(pid) == p for p in map(str, t.device_processes())), "given back while the process is there"
                time.sleep(0.02)
            last.get()
            assert not os.path.exists(f"/proc/{pid}"), seen
            if seen and seen[0] == full - 1:
                break
        else:
            raise AssertionError(f"it was never seen to be taken: {seen}")
        assert api.get("/v1/parents/null0")["left"]["units"] == full
        assert not os.path.exists(t.run / f"{U[0]}.sock") and not os.listdir(t.run / "devices")


def test_c04_a_device_that_dies_gives_all_back():
    """C4: a device whose process was killed goes with an event that says why, its share and its files."""
    with started() as t:
        t.start()
        api = t.api()
        warm_up(api)
        events = Events(t.socket)
        before = Whole(t, api)
        pid = device(api, U[0])["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: events.of("device-removed"), "it is told of")
        assert "kill" in str(events.of("device-removed")[0][2]["why"]).lower(), events.seen
        assert refused(lambda: api.get(f"/v1/devices/{U[0]}"), "ENOENT")
        expect_same(t, api, before)
        events.stop()


def test_c05_unregister_waits_for_a_create_and_keeps_others_out():
    """C5: the create that is under way succeeds; later ones are told ENODEV; its device goes once, with the parent."""
    with started() as t:
        t.start()
        api, events = t.api(), Events(t.socket)
        device(api, U[1])
        pid, first = real.stop_in_the_middle(t, lambda: Later(t, "POST", "/v1/devices", {"uuid": U[0], "parent": "null0", "type": SMALL}), U[0])
        leaving = Later(t, "DELETE", "/v1/parents/null0").arrived()
        assert leaving.is_alive(), leaving.error
        for call in (lambda: device(api, U[2]), lambda: api.delete(f"/v1/devices/{U[1]}")):
            assert refused(call, "ENODEV", status=410).name == "ParentLeaving"
        also = Later(t, "DELETE", "/v1/parents/null0").arrived()
        device(api, U[3], "null1")
        os.kill(pid, signal.SIGCONT)
        assert first.get()["state"] == "running"
        leaving.get()
        also.get()
        eventually(lambda: events.of("parent-removed"), "it is told of")
        refused(lambda: api.get("/v1/parents/null0"), "ENOENT")
        assert uuids(api) == {U[3]}
        for u in U[0], U[1]:
            told = [k for k in kinds(events, u) if k in ("device-added", "device-removed")]
            assert told == ["device-added", "device-removed"] * (len(told) // 2) and told, events.seen
        order = [k for k in kinds(events) if k.endswith("removed")][-3:]
        assert order == ["device-removed", "device-removed", "parent-removed"], order
        eventually(lambda: len(t.device_processes()) == 1, "one process is left")
        events.stop()


def test_c05_unregister_is_all_or_nothing_when_busy():
    """C5, C6: one device in use, and the parent keeps all of its devices."""
    with started() as t:
        t.start()
        api, events = t.api(), Events(t.socket)
        made = [device(api, u) for u in U[:4]]
        with in_use(made[2]["socket"]) as vm:
            eventually(lambda: api.get(f"/v1/devices/{U[2]}")["in_use"], "it is in use")
            r = refused(lambda: api.delete("/v1/parents/null0"), "EBUSY", status=409)
            assert U[2] in r.message, r
            refused(lambda: api.delete("/v1/parents/null0?policy=ask&timeout_ms=300"), "ETIMEDOUT", status=504)
            asking = Later(t, "DELETE", "/v1/parents/null0?policy=ask").arrived()
            refused(lambda: device(api, U[9]), "ENODEV")
            asking.give_up()
            eventually(lambda: device_or_not(api), "given up, the parent makes devices again")
            assert uuids(api) == {*U[:4], U[9]} and vm.is_alive()
            assert not events.of("device-removed"), events.seen
            # All of them can still be used: nobody was left held.
            for d in made[0], made[1], made[3]:
                with in_use(d["socket"]):
                    pass
            api.delete("/v1/parents/null0?policy=force")
            assert vm.is_gone()
        assert not uuids(api)
        eventually(lambda: not t.device_processes(), "no process is left")
        events.stop()


def device_or_not(api):
    try:
        return device(api, U[9])
    except Refused as r:
        assert r.errno == "ENODEV", r
        return None


def test_c06_busy_refuse_ask_force():
    """C6: EBUSY names the holder; who asks waits, is told, and can be interrupted; the device is as usable as before."""
    with started() as t:
        t.start()
        api, events = t.api(), Events(t.socket)
        d = device(api, U[0])
        path = f"/v1/devices/{U[0]}"
        with in_use(d["socket"]) as vm:
            eventually(lambda: api.get(path)["in_use"], "it is in use")
            r = refused(lambda: api.delete(path), "EBUSY", status=409)
            assert f"process {os.getpid()}" in r.message, f"no holder in {r.message!r}"
            assert "force" in r.hint and "ask" in r.hint, r.hint
            assert vm.is_alive() and api.get(path)["state"] == "running"

            start = time.monotonic()
            refused(lambda: api.delete(path + "?policy=ask&timeout_ms=400"), "ETIMEDOUT", status=504)
            assert 0.35 < time.monotonic() - start < 5

            asking = Later(t, "DELETE", path + "?policy=ask")
            eventually(lambda: api.get(path)["state"] == "stopping", "it says that it is asked for")
            assert vm.is_alive(), "who uses it goes on"
            asking.give_up()
            eventually(lambda: api.get(path)["state"] == "running", "given up")
            assert vm.is_alive()
        eventually(lambda: not api.get(path)["in_use"], "nobody uses it")
        with in_use(d["socket"]):       # it can be used anew
            pass
        with in_use(d["socket"]) as vm:
            eventually(lambda: api.get(path)["in_use"], "it is in use")
            asking = Later(t, "DELETE", path + "?policy=ask")
            eventually(lambda: api.get(path)["state"] == "stopping", "it is asked for")
            assert asking.is_alive()
            vm.close()                  # who was asked leaves
            assert asking.get() is None
        refused(lambda: api.get(path), "ENOENT")
        d = device(api, U[0])
        with in_use(d["socket"]) as vm:
            api.delete(path + "?policy=force")
            assert vm.is_gone()
        eventually(lambda: len(events.of("device-removed")) == 2, "each was told of once")
        events.stop()


def test_c06_an_ask_that_is_overtaken_by_force():
    """C6, C7: two who want it gone share the outcome."""
    with started() as t:
        t.start()
        api = t.api()
        d = device(api, U[0])
        with in_use(d["socket"]):
            eventually(lambda: api.get(f"/v1/devices/{U[0]}")["in_use"], "it is in use")
            asking = Later(t, "DELETE", f"/v1/devices/{U[0]}?policy=ask")
            eventually(lambda: api.get(f"/v1/devices/{U[0]}")["state"] == "stopping", "it is asked for")
            api.delete(f"/v1/devices/{U[0]}?policy=force")
            assert asking.get() is None


def test_c07_removing_twice_is_harmless():
    """C7: at the same time both hear of success, afterwards ENOENT; one event; another device of the same UUID is not touched."""
    with started() as t:
        t.start()
        api, events = t.api(), Events(t.socket)
        for _ in range(10):
            pid = device(api, U[0])["pid"]
            os.kill(pid, signal.SIGSTOP)
            two = [Later(t, "DELETE", f"/v1/devices/{U[0]}").arrived() for _ in range(4)]
            os.kill(pid, signal.SIGCONT)
            outcomes = []
            for one in two:
                try:
                    outcomes.append(one.get())
                except Refused as r:
                    outcomes.append(r.errno)
            assert None in outcomes and set(outcomes) <= {None, "ENOENT"}, outcomes
            refused(lambda: api.delete(f"/v1/devices/{U[0]}"), "ENOENT", status=404)
        events.catch_up()
        assert len(events.of("device-removed")) == len(events.of("device-added")) == 10
        assert api.get("/v1/parents/null0")["left"] == api.get("/v1/parents/null0")["capacity"]
        events.stop()


def test_c08_events_come_when_all_is_complete():
    """C8: on device-added a connect works at once, and on device-removed nothing of it is there."""
    with started() as t:
        t.start()
        api, events, wrong = t.api(), Events(t.socket), []
        for i in range(20):
            later = Later(t, "POST", "/v1/devices", {"uuid": U[i], "parent": "null0", "type": SMALL})
            (_, _, told), = eventually(lambda i=i: [e for e in events.of("device-added") if e[2]["uuid"] == U[i]], "added", every=0.001)
            sock = vfu.socket.socket(vfu.socket.AF_UNIX, vfu.socket.SOCK_STREAM)
            sock.settimeout(5)
            code = sock.connect_ex(told["socket"])
            sock.close()
            if code:
                wrong.append(("added", errno.errorcode[code]))
            if api.get(f"/v1/devices/{U[i]}")["state"] != "running" or told["state"] != "running" or told["pid"] not in t.device_processes():
                wrong.append(("added", told))
            assert later.get()["uuid"] == U[i]
        for i in range(20):
            later = Later(t, "DELETE", f"/v1/devices/{U[i]}?policy=ask")
            eventually(lambda i=i: [e for e in events.of("device-removed") if e[2]["uuid"] == U[i]], "removed", every=0.001)
            if os.path.exists(t.run / f"{U[i]}.sock") or os.path.exists(t.run / "devices" / U[i]):
                wrong.append(("removed", "files are there"))
            refused(lambda i=i: api.get(f"/v1/devices/{U[i]}"), "ENOENT")
            device(api, U[i])           # its UUID is free already
            api.delete(f"/v1/devices/{U[i]}?policy=force")
            later.get()
        assert not wrong, wrong
        numbers = [seq for seq, _, _ in events.seen]
        assert numbers == sorted(set(numbers))
        events.stop()


def test_c08_events_of_definitions_and_parents():
    """C8: what an event shows is what GET gives from then on, in the order of what happened."""
    with started() as t:
        t.start()
        api, events = t.api(), Events(t.socket)
        api.post("/v1/parents", {"name": "late", "driver": "null"})
        api.post("/v1/definitions", {"uuid": U[0], "parent": "late", "type": SMALL})
        api.patch(f"/v1/definitions/{U[0]}", {"vm": "web1"})
        api.post(f"/v1/definitions/{U[0]}/start")
        api.delete(f"/v1/definitions/{U[0]}")
        api.delete("/v1/parents/late")
        wanted = ["parent-added", "definition-added", "definition-changed", "device-added", "definition-removed", "device-removed", "parent-removed"]
        eventually(lambda: events.of("parent-removed"), "all are told of")
        seen = iter(kinds(events))
        assert all(kind in seen for kind in wanted), f"{kinds(events)}, not in the order of {wanted}"
        assert events.of("definition-changed")[0][2]["vm"] == "web1"
        events.stop()


def test_c09_numbers():
    """C9: each refusal has the number that the kernel's mdev gives for it; the tree hands the same on (tests/treefs)."""
    with started() as t:
        t.start()
        api = t.api()
        device(api, U[0])
        table = [
            ("EEXIST", lambda: device(api, U[0])),
            ("EINVAL", lambda: device(api, "no-uuid")),
            ("EINVAL", lambda: device(api, U[1] + "0")),
            ("ENOENT", lambda: device(api, U[1], "null9")),
            ("ENOENT", lambda: device(api, U[1], "null0", "null-huge")),
            ("ENOENT", lambda: api.delete(f"/v1/devices/{U[5]}")),
            ("ENOENT", lambda: api.delete("/v1/parents/null9")),
            ("EEXIST", lambda: api.post("/v1/parents", {"name": "null0", "driver": "null"})),
            ("EINVAL", lambda: device(api, U[1], memory=-1)),
            ("EINVAL", lambda: api.patch(f"/v1/devices/{U[0]}", {"attrs": [{"nonsense": "1"}]})),
            ("EOPNOTSUPP", lambda: api.get("/v1/parents/null0/schedule")),
        ]
        for number, call in table:
            refused(call, number)


def test_c10_names_of_types_are_stable():
    """C10: driver, hyphen, type; the same after a restart, whatever the parents are called; a definition's type is still there."""
    with started() as t:
        t.start()
        api = t.api()
        names = {(k["parent"], k["name"]) for k in api.get("/v1/types")["types"]}
        drivers = {p["name"]: p["driver"] for p in api.get("/v1/parents")["parents"]}
        for parent, name in names:
            driver, hyphen, rest = name.partition("-")
            assert driver == drivers[parent] and hyphen and rest, (parent, name)
            assert api.get(f"/v1/types/{parent}/{name}")["name"] == name
        for p in api.get("/v1/parents")["parents"]:
            assert {(p["name"], k) for k in p["types"]} == {n for n in names if n[0] == p["name"]}
        device(api, U[0], "serial0", "mtty-2")
        t.kill()
        t.start()
        api = t.api()
        assert {(k["parent"], k["name"]) for k in api.get("/v1/types")["types"]} == names
        assert api.get(f"/v1/devices/{U[0]}")["type"] == "mtty-2"


if __name__ == "__main__":
    tranched.tap.main(seconds=120)
