#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The tree over a real tranched: null and mtty parents, and a compute parent where the host has OpenCL."""
import contextlib
import errno
import os
import sys
import threading

import treefs
from treefs import OTHER, UUID, Tree, Writer, errno_of, eventually

sys.path.insert(0, os.path.join(treefs.HERE, "..", "daemon"))
import tranched  # noqa: E402

import mdevctl  # noqa: E402
import mdevctl_newer  # noqa: E402
import tap  # noqa: E402

CONFIG = """[daemon]
find-opencl = no

[parent null0]
driver = null

[parent serial0]
driver = mtty
"""
COMPUTE = CONFIG + """
[parent cpu0]
driver = compute
host-device = 0
memory = 1G
"""


@contextlib.contextmanager
def real(*options, config=CONFIG):
    with tranched.Tranched(config, name="tf") as d, treefs.folder() as f:
        d.start()
        mnt = os.path.join(f, "sys")
        os.mkdir(mnt)
        p = treefs.start(mnt, d.socket, *options)
        t = Tree(mnt, None, p)
        t.daemon, t.root = d, f
        t.api = d.api()
        try:
            yield t
        finally:
            status = treefs.end(p) if p.poll() is None else p.returncode
            lines = p.stderr.read().splitlines()
            print("".join(f"# log: {line}\n" for line in lines[:10]) + f"# {len(lines)} lines of log")
            p.stderr.close()
            t.api.close()
        assert status == 0


def types(t, parent):
    return {name: t.available(parent, name) for name in sorted(os.listdir(t.path("devices", parent, "mdev_supported_types")))}


def test_what_tranched_has_is_there():
    with real() as t:
        assert sorted(os.listdir(t.path("class/mdev_bus"))) == ["null0", "serial0"]
        for kind in t.api.get("/v1/types")["types"]:
            assert kind["name"].startswith({"null0": "null-", "serial0": "mtty-"}[kind["parent"]]), kind["name"]
            assert t.available(kind["parent"], kind["name"]) == kind["available_instances"]
            assert t.read(t.type(kind["parent"], kind["name"], "device_api")) == kind["device_api"] + "\n"


def a_type(t, parent):
    """One that has an instance left."""
    return next(name for name, left in types(t, parent).items() if left)


def test_C2_C4_C9_life():
    with real() as t:
        for parent in "null0", "serial0":
            name = a_type(t, parent)
            before = types(t, parent)
            t.create(UUID, parent, name)
            assert t.read(t.device(UUID, "tranche/state")) == "running\n" and types(t, parent) != before
            assert [d["uuid"] for d in t.api.get("/v1/devices")["devices"]] == [UUID]
            assert errno_of(t.write, t.type(parent, name, "create"), UUID.upper()) == errno.EEXIST
            assert t.write(t.device(UUID, "remove"), "0") == 1 and t.has()
            t.remove()
            assert not t.has() and types(t, parent) == before and not t.api.get("/v1/devices")["devices"]


def test_C4_all_instances():
    with real() as t:
        name = min(types(t, "serial0"), key=lambda n: types(t, "serial0")[n] or 1000)
        left = t.available("serial0", name)
        uuids = [f"00000000-0000-4000-8000-{i:012x}" for i in range(left)]
        for i, uuid in enumerate(uuids):
            t.create(uuid, "serial0", name)
            assert t.available("serial0", name) == left - i - 1
        assert errno_of(t.write, t.type("serial0", name, "create"), UUID) == errno.EUSERS
        for uuid in uuids:
            t.remove(uuid)
        assert t.available("serial0", name) == left


def test_attributes():
    with real() as t:
        t.create(UUID, "null0", a_type(t, "null0"))
        assert t.write(t.device(UUID, "vm"), "web1") == 4
        assert t.read(t.device(UUID, "vm")) == "web1\n" and t.api.get(f"/v1/devices/{UUID}")["vm"] == "web1"
        assert errno_of(t.write, t.device(UUID, "time"), "nonsense") == errno.EINVAL
        t.remove()


def test_by_others():
    with real() as t:
        t.api.post("/v1/devices", {"parent": "null0", "type": a_type(t, "null0"), "uuid": UUID})
        eventually(t.has, "a device that was made by the API")
        t.api.delete(f"/v1/devices/{UUID}")
        eventually(lambda: not t.has(), "it has gone")


def test_C5_parent_leaves():
    with real() as t:
        t.create(UUID, "null0", a_type(t, "null0"))
        t.create(OTHER, "serial0", a_type(t, "serial0"))
        t.api.delete("/v1/parents/null0?policy=force")
        eventually(lambda: not os.path.lexists(t.path("class/mdev_bus/null0")), "the parent has gone")
        assert not os.path.lexists(t.path("devices/null0")) and os.listdir(t.path("bus/mdev/devices")) == [OTHER]
        t.remove(OTHER)


def test_C7_races():
    """Who makes and removes the same devices at the same time gets the kernel's numbers, and counts stay exact."""
    allowed = {errno.EEXIST, errno.EUSERS, errno.EAGAIN, errno.ENODEV, errno.ENOENT}
    with real() as t:
        name = a_type(t, "serial0")
        before = types(t, "serial0")
        wrong, end = [], treefs.now() + 5

        def work():
            while treefs.now() < end and not wrong:
                for path, data in (t.type("serial0", name, "create"), UUID), (t.device(UUID, "remove"), "1"):
                    try:
                        t.write(path, data)
                    except OSError as e:
                        if e.errno not in allowed:
                            wrong.append(e)

        workers = [threading.Thread(target=work) for _ in range(6)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        assert not wrong, wrong
        if t.has():
            t.remove()
        eventually(lambda: types(t, "serial0") == before, "all has come back")
        assert not t.api.get("/v1/devices")["devices"]


def test_tranched_is_killed_and_comes_back():
    with real() as t:
        t.create(UUID, "null0", a_type(t, "null0"))
        ino = os.stat(t.device(UUID)).st_ino
        t.daemon.kill()
        eventually(lambda: not os.path.exists(t.device(UUID)), "nothing is known")
        assert errno_of(os.listdir, t.path("bus/mdev/devices")) == errno.EIO
        t.daemon.start()
        eventually(t.has, "the device that went on is known again", within=10)
        assert os.stat(t.device(UUID)).st_ino == ino, "it is the same"
        t.remove()


def test_C29_mdevctl_1_4():
    if mdevctl_reason():
        print(f"# left out: {mdevctl_reason()}")
        return
    with real() as t:
        everyday(mdevctl.newer(t.root), t, "serial0")


def test_C29_mdevctl_1_2():
    if not (mdevctl.older_version() or "").startswith("mdevctl 1.2."):
        print("# left out: there is no mdevctl 1.2")
        return
    with real() as t:
        t.api.path = t.daemon.socket
        everyday(mdevctl.older(t.api, os.path.join(t.root, "etc")), t, "serial0")


def everyday(s, t, parent, attribute=("vm", "web1")):
    name = a_type(t, parent)
    assert name in s.run("types")
    s.run("define", "--uuid", UUID, "--parent", parent, "--type", name)
    s.run("modify", "--uuid", UUID, "--addattr", attribute[0], "--value", attribute[1])
    s.run("start", "--uuid", UUID)
    assert f"{UUID} {parent} {name}" in s.run("list"), s.text
    device = t.api.get(f"/v1/devices/{UUID}")
    assert str(device[attribute[0]]) == attribute[1], device
    s.run("stop", "--uuid", UUID)
    assert UUID not in s.run("list")
    s.run("undefine", "--uuid", UUID)
    assert UUID not in s.run("list", "-d") and "exit status" not in s.text, s.text


def has_opencl():
    with tranched.Tranched(COMPUTE, name="tf") as d:
        d.start()
        api = d.api()
        try:
            return any(p["name"] == "cpu0" and p["host_device"] for p in api.get("/v1/parents")["parents"]), d.log_text()
        finally:
            api.close()


def test_compute():
    there, why = has_opencl()
    if not there:
        print(f"# left out: no compute parent here: {why[-300:]!r}")
        return
    with real("--remove=wait", config=COMPUTE) as t:
        assert "compute-256m" in types(t, "cpu0"), types(t, "cpu0")
        assert t.read(t.type("cpu0", "compute-256m", "device_api")) == "compute\n"
        left = t.available("cpu0", "compute-256m")
        t.create(UUID, "cpu0", "compute-256m")
        assert t.read(t.device(UUID, "memory")) == f"{256 << 20}\n" and t.available("cpu0", "compute-256m") == left - 1
        assert os.path.exists(t.read(t.device(UUID, "tranche/socket")).strip())
        t.write(t.device(UUID, "time"), "25")
        assert t.read(t.device(UUID, "time")) == "25\n" and t.api.get(f"/v1/devices/{UUID}")["time"] == 25
        assert Writer(t.device(UUID, "remove"), "1").finish() == (1, 0) and not t.has()
        assert t.available("cpu0", "compute-256m") == left
        if not mdevctl_reason():
            everyday(mdevctl.newer(t.root), t, "cpu0", ("time", "50"))


def mdevctl_reason():
    try:
        mdevctl_newer.command()
    except mdevctl_newer.Skip as skip:
        return str(skip)
    return None


if __name__ == "__main__":
    tap.main(120, lambda: treefs.why_not() or (None if os.access(tranched.TRANCHED, os.X_OK) else "there is no tranched"))
