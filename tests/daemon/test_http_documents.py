#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""openapi.json against the routes and the answers, the metrics against other people's parsers, the status page in a browser.

TRANCHE_TEST_API: the socket of a tranched that runs; the answers of that one are looked at then, too.
"""
import base64
import hashlib
import html.parser
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib

from http_fake import FAKE, UUID, Connection, Fake, at_a_port
from tap import main

try:
    import jsonschema
except ImportError:
    jsonschema = None
try:
    from prometheus_client import parser as text_parser
    from prometheus_client.openmetrics import parser as openmetrics_parser
except ImportError:
    openmetrics_parser = None

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
READS = {"/v1": "About", "/v1/parents": "Parents", "/v1/parents/cpu0": "Parent", "/v1/parents/cpu0/schedule": "Schedule", "/v1/types": "Types",
         "/v1/types?parent=cpu0": "Types", "/v1/types/cpu0/compute-2g": "Type", "/v1/definitions": "Definitions", f"/v1/definitions/{UUID}": "Definition",
         "/v1/devices": "Devices", f"/v1/devices/{UUID}": "Device", "/v1/history": "History", "/nothing": "Error", f"/v1/history?uuid={UUID}": "History"}


def document():
    with Fake() as f:
        return f.ask("GET", "/openapi.json")[2]


def test_every_route_is_described():
    """And the other way round."""
    text = subprocess.run([FAKE, "--routes"], capture_output=True, text=True, check=True).stdout
    described = {f"{method.upper()} {re.sub('{[a-z]+}', '*', path)}" for path, item in document()["paths"].items() for method in item if method != "parameters"}
    assert set(text.splitlines()) == described, set(text.splitlines()) ^ described


def walk(node, where=""):
    yield where, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, f"{where}/{key}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from walk(value, f"{where}/{i}")


def test_document_is_sound():
    doc = document()
    assert doc["openapi"].startswith("3.1.")
    seen = set()
    for where, node in walk(doc):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            target = doc
            for word in node["$ref"][2:].split("/"):
                assert word in target, f"{where}: {node['$ref']} leads nowhere"
                target = target[word]
            seen.add(node["$ref"])
    for kind in ("schemas", "parameters", "responses"):
        unused = [name for name in doc["components"][kind] if f"#/components/{kind}/{name}" not in seen]
        assert not unused, f"{kind} that nothing uses: {unused}"
    ids = []
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            ids.append(operation["operationId"])
            assert operation["x-right"] in ("read", "use", "admin") and operation["summary"] and {"403", "405", "503"} <= set(operation["responses"]), (path, method)
            named = re.findall("{([a-z]+)}", path)
            assert [p["name"] for p in item.get("parameters", [])] == named, path
    assert len(ids) == len(set(ids))


def validator(doc, name):
    schema = {"$ref": f"#/components/schemas/{name}", "components": doc["components"]}
    return jsonschema.Draft202012Validator(schema)


def check(doc, name, value):
    problems = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator(doc, name).iter_errors(value)]
    assert not problems, f"{name}: {problems}: {json.dumps(value)}"


def test_examples_fit():
    if not jsonschema:
        return
    doc = document()
    for name, schema in doc["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name
    for item in doc["paths"].values():
        for operation in item.values():
            content = operation["requestBody"]["content"]["application/json"] if isinstance(operation, dict) and "requestBody" in operation else None
            if content:
                check(doc, content["schema"]["$ref"].split("/")[-1], content["example"])


def test_answers_fit():
    if not jsonschema:
        return
    doc = document()
    with Fake() as f:
        for path, name in READS.items():
            check(doc, name, f.ask("GET", path)[2])
        check(doc, "Device", f.ask("POST", "/v1/devices", {"type": "slow"})[2])
        check(doc, "Error", f.ask("POST", "/v1/devices", {"type": "refuse"})[2])
        check(doc, "Schedule", f.ask("PATCH", "/v1/parents/cpu0/schedule", {})[2])


def test_answers_of_tranched_fit():
    path = os.environ.get("TRANCHE_TEST_API")
    if not jsonschema or not path:
        return
    doc, c = document(), Connection(path)
    for where, name in [("/v1", "About"), ("/v1/parents", "Parents"), ("/v1/types", "Types"), ("/v1/definitions", "Definitions"), ("/v1/devices", "Devices"),
                        ("/v1/history", "History"), ("/v1/parents/none", "Error")]:
        check(doc, name, c.ask("GET", where)[2])
    for parent in c.ask("GET", "/v1/parents")[2]["parents"]:
        check(doc, "Parent", c.ask("GET", f"/v1/parents/{parent['name']}")[2])
        if parent["schedule"]:
            check(doc, "Schedule", c.ask("GET", f"/v1/parents/{parent['name']}/schedule")[2])
        for kind in parent["types"]:
            check(doc, "Type", c.ask("GET", f"/v1/types/{parent['name']}/{kind}")[2])
    for device in c.ask("GET", "/v1/devices")[2]["devices"]:
        check(doc, "Device", c.ask("GET", f"/v1/devices/{device['uuid']}")[2])
    check_metrics(c)


# ------------------------------------------------------------ metrics

def check_metrics(c):
    """Both forms, by the parsers that Prometheus' client library has; the families of the newer one."""
    _, headers, data = c.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0"), headers["Content-Type"]
    assert data.endswith(b"\n# EOF\n")
    assert c.ask("GET", "/metrics")[1]["Content-Type"] == headers["Content-Type"]
    _, headers, text = c.ask("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4") and b"# EOF" not in text
    if not openmetrics_parser:
        return {}
    list(text_parser.text_string_to_metric_families(text.decode()))
    promtool = shutil.which("promtool")
    if promtool:
        lint = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        assert lint.returncode == 0, lint.stderr.decode()
    return {family.name: family for family in openmetrics_parser.text_string_to_metric_families(data.decode())}


def test_metrics():
    with Fake() as f, f.connect() as c:
        c.ask("GET", "/nothing")
        families = check_metrics(c)
        if not families:
            return

        def value(family, sample=None, **labels):
            found = [s.value for s in families[family].samples if s.name == (sample or family) and labels.items() <= s.labels.items()]
            assert len(found) == 1, (family, labels, families[family].samples)
            return found[0]

        parent, device = c.ask("GET", "/v1/parents/cpu0")[2], c.ask("GET", f"/v1/devices/{UUID}")[2]
        assert value("tranche_parent_capacity_bytes", parent="cpu0") == parent["capacity"]["memory"]
        assert value("tranche_parent_left_bytes", parent="cpu0") == parent["left"]["memory"]
        assert value("tranche_parent_left_time_ratio", parent="cpu0") == 0.75
        assert value("tranche_device_memory_used_bytes", uuid=UUID, parent="cpu0") == device["stats"]["used"]
        assert value("tranche_device_memory_quota_bytes", uuid=UUID) == device["memory"]
        assert value("tranche_device_busy_seconds", "tranche_device_busy_seconds_total", uuid=UUID) == 1.5
        assert value("tranche_device_commands", "tranche_device_commands_total", uuid=UUID) == 123456
        assert value("tranche_device", "tranche_device_info", uuid=UUID, vm=device["vm"], owner="root", state="running") == 1
        assert value("tranche_http_requests", "tranche_http_requests_total", code="404") == 1
        assert value("tranche_definitions") == 1 and value("process_open_fds") > 5
        assert value("process_resident_memory_bytes") > 1 << 20
        with open("/proc/uptime", encoding="ascii") as uptime:
            assert 0 < value("process_start_time_seconds") and float(uptime.read().split()[0]) > 0


# --------------------------------------------------------------- page

class Page(html.parser.HTMLParser):
    """What the page shows, by the names that it gives its figures."""

    def __init__(self, text):
        super().__init__()
        self.figures, self.elements = {}, []
        self.row = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append(tag)
        if tag in ("tr", "article"):
            self.row = attrs.get("data-uuid") or attrs.get("data-parent")
        if "data-field" in attrs:
            self.figures[attrs.get("data-uuid", self.row), attrs["data-field"]] = attrs["data-value"]


def browse(folder, url, *options):
    """With a profile of its own: the last one's processes may still write to theirs."""
    profile = tempfile.mkdtemp(prefix="browser-", dir=folder)
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--virtual-time-budget=4000",
             "--window-size=1200,800", *options, url + "#still"]
    return subprocess.run(words, capture_output=True, timeout=100, check=True).stdout.decode()


def colours_of(path):
    """How many different rows a PNG of 8 bits a colour has: a blank picture has one."""
    with open(path, "rb") as f:
        data = f.read()
    at, packed, width, height = 8, b"", *struct.unpack(">II", data[16:24])
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    raw = zlib.decompress(packed)
    return width, height, len({raw[i:i + len(raw) // height] for i in range(0, len(raw), len(raw) // height)})


def test_page_is_self_contained():
    with Fake() as f:
        status, headers, data = f.ask("GET", "/")
        text = data.decode()
        assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and policy.count("'sha256-") == 2, policy
        for tag, word in [("style", "style-src"), ("script", "script-src")]:
            digest = hashlib.sha256(re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S).group(1).encode()).digest()
            assert f"{word} 'sha256-{base64.b64encode(digest).decode()}'" in policy, (word, policy)
        assert not re.search(r"(src|href)=\"(?!data:,|/)", text) and "innerHTML" not in text and " style=" not in text and not re.search(r" on[a-z]+=", text)


def test_page_in_a_browser():
    if not BROWSER:
        return
    with at_a_port() as (f, port), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        url = f"http://127.0.0.1:{port}/"
        page = Page(browse(folder, url, "--dump-dom"))
        device, parent = f.ask("GET", f"/v1/devices/{UUID}")[2], f.ask("GET", "/v1/parents/cpu0")[2]
        wanted = {"used": device["stats"]["used"], "quota": device["memory"], "share": device["stats"]["share"], "sessions": 1, "state": "running",
                  "owner": "root", "vm": device["vm"], "time": 25, "memory-part": device["memory"], "time-part": 25}
        for field, value in wanted.items():
            assert page.figures[UUID, field] == str(value), (field, value, page.figures)
        assert page.figures["cpu0", "use"] == str(parent["use"])
        assert page.figures["cpu0", "memory-left"] == str(parent["left"]["memory"])
        assert page.figures["cpu0", "time-left"] == "75"
        # What somebody chose did not become markup.
        assert page.elements.count("script") == 1 and "b" in page.elements and page.elements.count("svg") == 2
        picture = os.path.join(folder, "page.png")
        browse(folder, url, f"--screenshot={picture}")
        width, height, rows = colours_of(picture)
        assert (width, height) == (1200, 800) and rows > 100, (width, height, rows)
        browse(folder, url, f"--screenshot={picture}", "--window-size=400,800")


if __name__ == "__main__":
    main()
