#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Disks that are full or read-only, and definitions that are damaged, over the real tranched: what is wrong is named, the rest works,
and nothing is lost.

File systems of their own are mounted in a private mount namespace of this program."""
import contextlib
import ctypes
import json
import os
import signal
import socket
import stat
import subprocess

import real
import tranched
from real import SMALL, U, device, refused, uuids
from tap import eventually
from tranched import Events, Refused, Tranched

CLONE_NEWNS = 0x20000
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def why_not():
    if os.getuid():
        return "mounts need root"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    return None if subprocess.run(["mount", "--make-rprivate", "/"], check=False).returncode == 0 else "mounts cannot be made private"


@contextlib.contextmanager
def small_disk(path, options):
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def remount(path, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


def defined(api):
    return {d["uuid"]: d["vm"] for d in api.get("/v1/definitions")["definitions"]}


def define(api, u, vm="a", **more):
    return api.post("/v1/definitions", {"uuid": u, "parent": "null0", "type": SMALL, "vm": vm, **more})


def on_disk(folder):
    return {f[:-5]: json.loads((folder / f).read_text())["vm"] for f in os.listdir(folder) if f.endswith(".json")}


def expect_defined(t, api, wanted):
    """In memory, on the disk, and after a restart; and no half-written file."""
    assert defined(api) == wanted and on_disk(t.definitions) == wanted, (defined(api), on_disk(t.definitions), wanted)
    assert not [f for f in os.listdir(t.definitions) if not f.endswith(".json")], os.listdir(t.definitions)


def test_definitions_on_a_full_disk():
    with Tranched(name="full") as t, small_disk(t.definitions, "size=16k,mode=0755"):
        t.start()
        api, wanted = t.api(), {}
        events = Events(t.socket)
        for i in range(20):
            try:
                define(api, U[i])
                wanted[U[i]] = "a"
            except Refused as r:
                assert (r.status, r.errno, r.name) == (507, "ENOSPC", "NoSpace") and str(t.definitions) in r.message and r.hint, r
                break
        assert 2 <= len(wanted) < 10, wanted
        expect_defined(t, api, wanted)
        # A definition that is there is changed or stays, and is never torn.
        refused(lambda: api.patch(f"/v1/definitions/{U[0]}", {"vm": "b"}), "ENOSPC")
        refused(lambda: define(api, U[50]), "ENOSPC")
        expect_defined(t, api, wanted)
        # Everything else goes on.
        assert api.post(f"/v1/definitions/{U[0]}/start")["state"] == "running"
        device(api, U[51])
        api.delete(f"/v1/definitions/{U[1]}")
        del wanted[U[1]]
        api.patch(f"/v1/definitions/{U[0]}", {"vm": "b"})
        wanted[U[0]] = "b"
        expect_defined(t, api, wanted)
        eventually(lambda: events.of("definition-changed"), "the one that worked is told of")
        eventually(lambda: len([e for e in events.of("definition-changed") if e[2]["vm"] == "b"]) == 1, "one change was told")
        assert len(events.of("definition-added")) == len(wanted) + 1
        events.stop()
        api.close()
        t.kill()
        t.start()
        api = t.api()
        expect_defined(t, api, wanted)
        assert uuids(api) == {U[0], U[51]}


def test_definitions_on_a_read_only_disk():
    with Tranched(name="ro") as t, small_disk(t.definitions, "size=1m,mode=0755"):
        t.start()
        api = t.api()
        define(api, U[0])
        define(api, U[1])
        remount(t.definitions, "ro")
        wanted = {U[0]: "a", U[1]: "a"}
        for _ in range(2):      # also as tranched finds it when it starts
            for call in (lambda: define(api, U[2]), lambda: api.patch(f"/v1/definitions/{U[1]}", {"vm": "b"}),
                         lambda: api.delete(f"/v1/definitions/{U[1]}")):
                r = refused(call, "EROFS", status=500)
                assert str(t.definitions) in r.message and "nothing was changed" in r.hint, r
            expect_defined(t, api, wanted)
            if U[1] not in uuids(api):
                api.post(f"/v1/definitions/{U[1]}/start")
            api.close()
            t.kill()
            t.start()
            api = t.api()
        assert uuids(api) == {U[1]}
        remount(t.definitions, "rw")
        api.patch(f"/v1/definitions/{U[1]}", {"vm": "b"})
        expect_defined(t, api, dict(wanted, **{U[1]: "b"}))


def test_a_folder_that_tranched_may_not_write():
    """As another user than root, who may write everything; below a folder of root alone that one cannot start programs."""
    program = str(tranched.BUILD / "src/device/tranche-device")
    if os.geteuid() == 0 and subprocess.run(["/bin/sh", "-c", 'test -x "$0"', os.path.abspath(program)], user=NOBODY, check=False).returncode:
        print("# left out: nobody cannot start the programs of this build")
        return
    with Tranched(name="acc", wrapper=AS_NOBODY) as t:
        os.chmod(t.top, 0o755)
        t.run.mkdir()
        t.definitions.mkdir()
        os.chown(t.run, NOBODY, NOBODY)
        t.log.touch()
        (t.definitions / f"{U[0]}.json").write_text(json.dumps({"uuid": U[0], "parent": "null0", "type": SMALL, "vm": "a"}))
        (t.definitions / f"{U[1]}.json").write_text(json.dumps({"uuid": U[1], "parent": "null0", "type": SMALL}))
        os.chmod(t.definitions / f"{U[1]}.json", 0)
        t.start()
        api = t.api()
        # Where nobody may not look into the build's folder, programs that cannot be started are named, too.
        problems = [p for p in api.get("/v1")["problems"] if (p.get("file") or "").startswith(str(t.definitions))]
        assert [p["file"] for p in problems] == [str(t.definitions / f"{U[1]}.json")] and "Permission denied" in problems[0]["message"], problems
        r = refused(lambda: define(api, U[2]), "EACCES", status=403)
        assert "Permission denied" in r.message and "let the user of tranched write there" in r.hint, r
        refused(lambda: api.delete(f"/v1/definitions/{U[0]}"), "EACCES")
        assert defined(api) == {U[0]: "a"}
        api.post(f"/v1/definitions/{U[0]}/start")
        # A folder that cannot even be listed: what was known stays.
        os.chmod(t.definitions, 0o700)
        api.post("/v1/reload")
        eventually(lambda: any(p["file"] == str(t.definitions) for p in api.get("/v1")["problems"]), "it is told of")
        assert defined(api) == {U[0]: "a"}


def test_no_folder_for_definitions():
    """A file is where the folder should be: tranched says so and works, but for definitions."""
    with Tranched(name="nod") as t:
        t.definitions.write_text("x")
        t.start()
        api = t.api()
        assert any(p["file"] == str(t.definitions) for p in api.get("/v1")["problems"]), api.get("/v1")["problems"]
        r = refused(lambda: define(api, U[0]), "ENOTDIR")
        assert str(t.definitions) in r.message
        device(api, U[0])
        assert t.definitions.read_text() == "x"


def test_a_full_runtime_directory():
    """C3: a start that has no room for its files leaves nothing, and the next one works."""
    with Tranched(name="rfull") as t, small_disk(t.run, "size=512k,mode=0755"):
        t.start()
        api = t.api()
        device(api, U[0])
        with contextlib.suppress(OSError), open(t.run / "filler", "wb", buffering=0) as f:
            while True:
                f.write(b"x" * 4096)
        before = real.Whole(t, api)
        r = refused(lambda: device(api, U[1]), "ENOSPC", status=507)
        assert str(t.run) in r.message and "space" in r.hint, r
        real.expect_same(t, api, before)
        api.delete(f"/v1/devices/{U[0]}")
        os.unlink(t.run / "filler")
        device(api, U[1])
        device(api, U[0])


# ------------------------------------------------------------ damage

def damages(folder):
    """Makes one damaged file each: {name: a word that must be in what is said of it}."""
    good = {"parent": "null0", "type": SMALL, "vm": "a"}
    made, numbers = {}, iter(range(10, 60))

    def put(data, word, name=None, change=None):
        u = U[next(numbers)]
        name = name(u) if name else f"{u}.json"
        if change is not None:
            data = json.dumps({**good, "uuid": u, **change})
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        made[name] = word
        return folder / name
    put("", "JSON")
    put('{"uuid": "5ea1', "JSON")
    put(os.urandom(300), "JSON")
    put(b"\0" * 4096, "JSON")
    put("[" * 30000, "JSON")
    put("null", "JSON")
    put("[]", "array")
    put('{"parent":"null0","parent":"null0"}', "JSON")
    put(None, "memory", change={"memory": "much"})
    put(None, "time", change={"time": 1000})
    put(None, "vm", change={"vm": ["a"]})
    put(None, "start", change={"start": 1})
    put(None, "frobnicate", change={"frobnicate": 1})
    put(None, "attribute", change={"attrs": [{"nonsense": "1"}]})
    put(None, "parent", change={"parent": "../../etc"})
    put(None, U[62], change={"uuid": U[62]})
    put(json.dumps(good), "device")
    put(json.dumps({"uuid": U[61]}), "parent", name=lambda _: f"{U[61]}.json")
    put(None, "lower case", name=lambda u: f"{u.upper()}.json", change={})
    put(None, "UUID", name=lambda u: f"{u}.json~", change={})
    put("hello", "UUID", name=lambda _: "README")
    put("x" * 70000, "64 KiB")
    os.truncate(put("{}", "64 KiB"), 1 << 30)
    (folder / f"{U[1]}.json").write_text(json.dumps({**good, "uuid": U[1]}))
    for number, make, word in [(50, lambda p: os.symlink(folder / f"{U[1]}.json", p), "regular"), (51, lambda p: os.symlink("/nowhere", p), "regular"),
                               (52, os.mkdir, "regular"), (53, os.mkfifo, "regular"), (54, bind, "regular"),
                               (55, lambda p: os.mknod(p, stat.S_IFCHR | 0o666, os.makedev(1, 5)), "regular")]:
        make(folder / f"{U[number]}.json")
        made[f"{U[number]}.json"] = word
    return made


def bind(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))


def states(folder):
    """Name, kind, size and bytes of all small files: nothing that is damaged is touched, it may be all that somebody has."""
    found = {}
    for name in os.listdir(folder):
        st = os.lstat(folder / name)
        data = (folder / name).read_bytes() if stat.S_ISREG(st.st_mode) and st.st_size < 1 << 20 else b""
        found[name] = (stat.S_IFMT(st.st_mode), st.st_size, data)
    return found


def test_damaged_definitions_are_named_and_left_out():
    with Tranched(name="dam") as t:
        t.definitions.mkdir()
        (t.definitions / f"{U[0]}.json").write_text(json.dumps({"uuid": U[0], "parent": "null0", "type": SMALL, "vm": "a", "start": "auto"}))
        made = damages(t.definitions)
        (t.definitions / ".new-x").write_text("half")     # of a power cut
        before = states(t.definitions)
        del before[".new-x"]
        t.start(within=30)
        api = t.api()
        problems = {os.path.basename(p["file"]): p for p in api.get("/v1")["problems"]}
        assert set(problems) == set(made), (set(problems) ^ set(made))
        for name, word in made.items():
            p = problems[name]
            assert p["name"] and name[:60] in p["message"] and p["hint"] and p["file"] == str(t.definitions / name), p
            assert word in p["message"].replace(name, ""), f"not a word of {word!r}: {p}"
        assert defined(api) == {U[0]: "a", U[1]: "a"}
        eventually(lambda: uuids(api) == {U[0]}, "the good one starts by itself")
        assert states(t.definitions) == before, "nothing was touched"
        api.post(f"/v1/definitions/{U[1]}/start")
        refused(lambda: api.get(f"/v1/definitions/{U[10]}"), "ENOENT")

        # One is mended, one is taken away, one good one is damaged while it runs.
        events = Events(t.socket)
        (t.definitions / f"{U[10]}.json").write_text(json.dumps({"uuid": U[10], "parent": "null0", "type": SMALL, "vm": "mended"}))
        os.unlink(t.definitions / f"{U[11]}.json")
        (t.definitions / f"{U[1]}.json").write_text("{")
        t.process.send_signal(signal.SIGHUP)
        eventually(lambda: events.of("reloaded"), "it has read them again")
        problems = {os.path.basename(p["file"]) for p in api.get("/v1")["problems"]}
        assert problems == set(made) - {f"{U[10]}.json", f"{U[11]}.json"} | {f"{U[1]}.json"}, problems ^ set(made)
        assert defined(api) == {U[0]: "a", U[10]: "mended"} and uuids(api) == {U[0], U[1]}, "what runs goes on"
        assert [e[2]["uuid"] for e in events.of("definition-added")] == [U[10]]
        events.stop()


def test_defining_where_a_damaged_file_is():
    """What is damaged may be all that somebody has: it is not written over."""
    with Tranched(name="over") as t:
        t.definitions.mkdir()
        damaged = t.definitions / f"{U[0]}.json"
        damaged.write_text('{"uuid": "5ea1')
        t.start()
        api = t.api()
        r = refused(lambda: define(api, U[0]), "EEXIST", status=409)
        assert str(damaged) in r.message and r.hint, r
        assert damaged.read_text() == '{"uuid": "5ea1' and not defined(api)
        os.unlink(damaged)
        define(api, U[0])
        assert defined(api) == {U[0]: "a"} and not api.get("/v1")["problems"], api.get("/v1")["problems"]


if __name__ == "__main__":
    tranched.tap.main(seconds=55, why_not=why_not)
