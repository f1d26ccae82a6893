#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The status page in a browser, /metrics by other people's parsers and openapi.json, all against the real tranched: their numbers are the API's
(contract point C33)."""
import contextlib
import os
import socket
import tempfile

import real
import test_http_documents as documents
import tranched
from http_fake import Connection
from real import SMALL, U, device, in_use
from tap import eventually
from tranched import Tranched

MIB = 1 << 20
CONFIG = """[daemon]
find-opencl = no
listen = 127.0.0.1:%d

[parent null0]
driver = null

[parent cpu0]
driver = compute
host-device = 0
memory = 1G
"""


@contextlib.contextmanager
def world():
    """Two devices, of which one is in use, and one more where the host has OpenCL."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with Tranched(CONFIG % port, name="web") as t:
        t.start(within=40)
        t.url, api = f"http://127.0.0.1:{port}/", t.api()
        t.has_compute = any(p["name"] == "cpu0" and p["host_device"] for p in api.get("/v1/parents")["parents"])
        used = device(api, U[0], vm="web<b>1</b>")
        device(api, U[1])
        if t.has_compute:
            device(api, U[2], "cpu0", "compute-custom", memory=192 * MIB, time=25, vm="web2")
        api.post("/v1/definitions", {"uuid": U[3], "parent": "null0", "type": SMALL})
        api.post("/v1/definitions", {"uuid": U[0], "parent": "null0", "type": SMALL})
        with in_use(used["socket"]):
            path = f"/v1/devices/{U[0]}"
            eventually(lambda: (d := api.get(path))["in_use"] and d["stats"]["sessions_now"] == 1, "it is in use", within=20)
            yield t, api


def is_shown(figures, u, field, value):
    got = figures.get((u, field))
    assert got == str(value), f"{field} of {u} is {got!r} on the page, {value!r} in the API: { {k: v for k, v in figures.items() if k[0] == u} }"


def test_page_shows_what_the_api_says():
    if not documents.BROWSER:
        print("# left out: there is no browser")
        return
    with world() as (t, api), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = documents.Page(documents.browse(folder, t.url, "--dump-dom"))
        devices = {d["uuid"]: d for d in api.get("/v1/devices")["devices"]}
        parents = {p["name"]: p for p in api.get("/v1/parents")["parents"]}
        assert devices[U[0]]["in_use"] and not devices[U[1]]["in_use"]
        for u, d in devices.items():
            is_shown(page.figures, u, "state", d["state"])
            is_shown(page.figures, u, "owner", d["owner"])
            is_shown(page.figures, u, "vm", d["vm"] or "")
            is_shown(page.figures, u, "sessions", d["stats"]["sessions_now"])
        assert devices[U[0]]["stats"]["sessions_now"] == 1 and devices[U[1]]["stats"]["sessions_now"] == 0
        shown = {u for u, _ in page.figures}
        assert set(devices) <= shown, shown
        if t.has_compute:
            d, p = devices[U[2]], parents["cpu0"]
            for field, value in ("quota", d["memory"]), ("memory-part", d["memory"]), ("time", 25), ("time-part", 25), ("used", d["stats"]["used"]):
                is_shown(page.figures, U[2], field, value)
            is_shown(page.figures, "cpu0", "memory-left", p["left"]["memory"])
            is_shown(page.figures, "cpu0", "time-left", 75)
            assert p["left"]["memory"] == p["capacity"]["memory"] - 192 * MIB
        assert page.elements.count("script") == 1, "what somebody called a VM became markup"
        picture = os.path.join(folder, "page.png")
        documents.browse(folder, t.url, f"--screenshot={picture}")
        width, height, rows = documents.colours_of(picture)
        assert (width, height) == (1200, 800) and rows > 100, (width, height, rows)


def test_c33_metrics_are_the_apis_figures():
    with world() as (t, api):
        families = documents.check_metrics(Connection(t.socket))
        if not families:
            print("# left out: there is no prometheus-client")
            return

        def value(family, sample=None, **labels):
            found = [s.value for s in families[family].samples if s.name == (sample or family) and labels.items() <= s.labels.items()]
            assert len(found) == 1, (family, labels, families[family].samples)
            return found[0]
        devices = {d["uuid"]: d for d in api.get("/v1/devices")["devices"]}
        for u, d in devices.items():
            assert value("tranche_device", "tranche_device_info", uuid=u, parent=d["parent"], owner=d["owner"], vm=d["vm"] or "", state="running", type=d["type"]) == 1
            assert value("tranche_device_sessions", uuid=u) == d["stats"]["sessions_now"]
            assert value("tranche_device_commands", "tranche_device_commands_total", uuid=u) == d["stats"]["commands"]
        assert value("tranche_definitions") == 2
        if t.has_compute:
            parent = api.get("/v1/parents/cpu0")
            assert value("tranche_parent_capacity_bytes", parent="cpu0") == parent["capacity"]["memory"] == 1 << 30
            assert value("tranche_parent_left_bytes", parent="cpu0") == parent["left"]["memory"] == (1 << 30) - 192 * MIB
            assert value("tranche_parent_left_time_ratio", parent="cpu0") == 0.75
            assert value("tranche_device_memory_quota_bytes", uuid=U[2]) == 192 * MIB
        assert value("process_open_fds") > 5 and value("tranche_events", "tranche_events_total") > 4
        # A device that is gone is gone here, too.
        api.delete(f"/v1/devices/{U[1]}")
        text = Connection(t.socket).ask("GET", "/metrics")[2].decode()
        assert U[1] not in text and U[0] in text


def test_openapi_describes_the_answers():
    if not documents.jsonschema:
        print("# left out: there is no jsonschema")
        return
    with world() as (t, api):
        doc = api.get("/openapi.json")
        documents.document = lambda: doc
        os.environ["TRANCHE_TEST_API"] = t.socket
        documents.test_answers_of_tranched_fit()
        # What changes answers with, too; and what events tell.
        events = tranched.Events(t.socket)
        for method, path, body, schema in [
                ("POST", "/v1/definitions", {"uuid": U[5], "parent": "null0", "type": SMALL, "vm": "x", "attrs": [{"vm": "y"}]}, "Definition"),
                ("PATCH", f"/v1/definitions/{U[5]}", {"start": "auto"}, "Definition"), ("POST", f"/v1/definitions/{U[5]}/start", {}, "Device"),
                ("PATCH", f"/v1/devices/{U[5]}", {"attrs": [{"vm": "z"}]}, "Device"), ("POST", "/v1/parents", {"name": "n2", "driver": "null"}, "Parent"),
                ("POST", "/v1/devices", {"uuid": U[6], "parent": "n2", "type": SMALL}, "Device")]:
            documents.check(doc, schema, api.call(method, path, body))
        api.delete("/v1/parents/n2")
        eventually(lambda: events.of("parent-removed"), "all are told of")
        for _, kind, what in events.seen:
            if kind.endswith(("-added", "-changed")):
                documents.check(doc, kind.split("-")[0].capitalize(), what)
            elif kind.endswith("-removed"):
                assert set(what) <= {"uuid", "name", "parent", "why"} and (what.get("uuid") or what.get("name")), what
        events.stop()
        for call in (lambda: api.get("/v1/devices/x"), lambda: device(api, U[0]), lambda: api.delete(f"/v1/devices/{U[0]}")):
            documents.check(doc, "Error", {"error": real.refused(call, "EINVAL", "EEXIST", "EBUSY").error})


if __name__ == "__main__":
    tranched.tap.main(seconds=120)
