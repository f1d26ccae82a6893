#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""mdevctl, unmodified, on the tree: Debian 12's, which has /sys built in, where it believes to be in /sys, and Debian 13's below another
root.  What it says is compared with golden/."""
import contextlib
import json
import os
import stat

import mdevctl
import mdevctl_newer
import treefs
from treefs import OTHER, UUID, FakeApi

import tap

DEFINITION = {"mdev_type": "mtty-2", "start": "auto", "attrs": [{"vm": "web2"}, {"time": "25"}]}
CALLOUT = """#!/usr/bin/python3
# Writes down how it is called, tells what it can, gives and sets attributes of devices that run.
import json, os, sys

root = os.path.abspath(os.path.join(os.path.dirname(sys.argv[0]), *[".."] * 5))
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
event, action, device = words["-e"], words["-a"], os.path.join(root, "sys/bus/mdev/devices", words["-u"])
given = json.loads(sys.stdin.read() or "{}")
with open(os.path.join(root, "calls"), "a") as f:
    f.write(" ".join(sys.argv[1:]) + "\\n")
if action == "capabilities":
    print(json.dumps({"supports": given["provides"]}))
elif event == "get":
    print(json.dumps([{name: open(os.path.join(device, name)).read().strip()} for name in ("vm", "time")]))
elif event == "live":
    for attribute in given["attrs"]:
        for name, value in attribute.items():
            with open(os.path.join(device, name), "w") as f:
                f.write(value)
"""


@contextlib.contextmanager
def place():
    with treefs.folder() as f:
        definition = os.path.join(f, "definition.json")
        with open(definition, "w", encoding="utf-8") as file:
            json.dump(DEFINITION, file)
        yield f, definition


@contextlib.contextmanager
def older():
    with place() as (f, definition):
        api = FakeApi(os.path.join(f, "api.sock")).start()
        s = mdevctl.older(api, os.path.join(f, "etc"))
        s.replaced.append((f, "FOLDER"))
        try:
            yield s, api, definition
        finally:
            api.stop()


@contextlib.contextmanager
def newer():
    with place() as (f, definition):
        os.mkdir(os.path.join(f, "sys"))
        s = mdevctl.newer(f)
        api = FakeApi(os.path.join(f, "api.sock")).start()
        p = treefs.start(os.path.join(f, "sys"), api.path)
        try:
            yield s, api, definition, f
        finally:
            status = treefs.end(p)
            p.stderr.close()
            api.stop()
        assert status == 0


def reason_older():
    version = mdevctl.older_version()
    if not version:
        return "there is no mdevctl"
    if not version.startswith("mdevctl 1.2."):
        return f"golden output is of mdevctl 1.2, not of {version}"
    return None if os.path.isdir("/etc/mdevctl.d") else "there is no /etc/mdevctl.d"


def reason_newer():
    try:
        mdevctl_newer.command()
    except mdevctl_newer.Skip as skip:
        return str(skip)
    return None


def skips(reason):
    """Left out, and why, in the test's own words."""
    def decorate(test):
        def run():
            why = reason()
            if why:
                print(f"# left out: {why}")
                run.was_skipped = why
            else:
                test()
        return run
    return decorate


@skips(reason_older)
def test_C29_1_2_everyday():
    with older() as (s, api, definition):
        mdevctl.everyday(s, definition)
        treefs.compare_golden("mdevctl-1.2-everyday.txt", s.text)
        assert not api.devices and ("PATCH", f"/v1/devices/{UUID}") in api.requests


@skips(reason_older)
def test_C29_1_2_refusals():
    with older() as (s, api, _):
        mdevctl.refusals(s, api)
        treefs.compare_golden("mdevctl-1.2-refusals.txt", s.text)


@skips(reason_older)
def test_C29_1_2_writes_no_file_of_this_machine():
    def state():
        return sorted((e.name, e.stat().st_mtime_ns) for e in os.scandir("/etc/mdevctl.d"))

    before = state()
    with older() as (s, _, _):
        s.run("define", "--uuid", OTHER, "--parent", "mtty", "--type", "mtty-2")
        assert "mtty-2 manual" in s.run("list", "-d")
    assert state() == before


@skips(reason_newer)
def test_C29_1_4_everyday():
    with newer() as (s, api, definition, _):
        mdevctl.everyday(s, definition)
        treefs.compare_golden("mdevctl-1.4-everyday.txt", s.text)
        assert not api.devices and ("PATCH", f"/v1/devices/{UUID}") in api.requests


@skips(reason_newer)
def test_C29_1_4_refusals():
    with newer() as (s, api, _, _):
        mdevctl.refusals(s, api)
        treefs.compare_golden("mdevctl-1.4-refusals.txt", s.text)


@skips(reason_newer)
def test_C29_1_4_callouts_and_live():
    with newer() as (s, api, definition, f):
        script = os.path.join(f, "usr/lib/mdevctl/scripts.d/callouts/tranche")
        with open(script, "w", encoding="utf-8") as file:
            file.write(CALLOUT)
        os.chmod(script, stat.S_IRWXU)
        s.run("define", "--uuid", UUID, "--parent", "mtty", "--jsonfile", definition)
        s.run("start", "--uuid", UUID)
        s.run("list", "-v")
        live = json.dumps({**DEFINITION, "attrs": [{"vm": "web3"}, {"time": "50"}]})
        s.run("modify", "--uuid", UUID, "--live", "--jsonfile", "/dev/stdin", stdin=live)
        assert api.devices[UUID]["vm"] == "web3" and api.devices[UUID]["time"] == "50", "C29: the running device has changed"
        s.run("list", "-v")
        s.run("list", "-d", "-v")
        s.run("stop", "--uuid", UUID)
        s.run("undefine", "--uuid", UUID)
        with open(os.path.join(f, "calls"), encoding="utf-8") as file:
            s.text += "".join(f"# called with {line}" for line in file)
        treefs.compare_golden("mdevctl-1.4-callouts.txt", s.text)


@skips(reason_newer)
def test_C29_1_4_starts_what_is_to_start():
    """What its udev rule calls when a parent appears."""
    with newer() as (s, api, _, _):
        for uuid, how in (UUID, ["--auto"]), (OTHER, []):
            s.run("define", "--uuid", uuid, "--parent", "mtty", "--type", "mtty-2", *how)
        s.run("start-parent-mdevs", "mtty")
        assert list(api.devices) == [UUID], s.text


def why_not():
    return treefs.why_not() or (reason_older() and reason_newer())


if __name__ == "__main__":
    tap.main(120, why_not)
