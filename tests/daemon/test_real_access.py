#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may do what at the real tranched, and who may connect to a device: clients of other users and groups see and get what docs/api.md says,
and nothing more."""
import grp
import json
import os
import socket
import time

import real
import tranched
from real import SMALL, U, by_other, device, outcome
from tap import eventually
from tranched import Tranched

NOBODY, OTHER = 65534, 54321    # OTHER: a user that has no name
USE, ADMIN = grp.getgrgid(2), grp.getgrgid(3)       # groups that every Debian has; nobody is in neither
CONFIG = f"""[daemon]
find-opencl = no
socket-mode = 0666
use-group = {USE.gr_name}
admin-group = {ADMIN.gr_name}
others-read = OTHERS

[parent null0]
driver = null
"""
READS = ["/v1", "/v1/parents", "/v1/parents/null0", "/v1/types", f"/v1/types/null0/{SMALL}", "/v1/definitions", f"/v1/definitions/{U[0]}", "/v1/devices",
         f"/v1/devices/{U[0]}", "/v1/history", "/metrics", "/", "/openapi.json"]
MINE, FREE, FREE2 = U[30], U[31], U[32]


def why_not():
    return "other users are root's to become" if os.getuid() else None


def world(others="yes"):
    t = Tranched(CONFIG.replace("OTHERS", others), name="acc")
    os.chmod(t.top, 0o755)
    t.start()
    api = t.api()
    device(api, U[0])                                   # root's
    api.post("/v1/definitions", {"uuid": U[0], "parent": "null0", "type": SMALL})
    return t


def as_user(t, calls, groups=(), uid=NOBODY):
    """[[status, object]] of these calls as another user."""
    return by_other(lambda: [outcome(t.socket, *call) for call in calls], uid=uid, gid=uid, groups=groups)


USES = [     # what needs "use", and what of it is only an owner's
    ("POST", "/v1/devices", {"uuid": FREE, "parent": "null0", "type": SMALL}),
    ("POST", "/v1/definitions", {"uuid": FREE2, "parent": "null0", "type": SMALL}),
]
OTHERS_THINGS = [
    ("PATCH", f"/v1/devices/{U[0]}", {"attrs": [{"vm": "mine"}]}),
    ("DELETE", f"/v1/devices/{U[0]}"),
    ("DELETE", f"/v1/devices/{U[0]}?policy=force"),
    ("PATCH", f"/v1/definitions/{U[0]}", {"vm": "mine"}),
    ("PATCH", f"/v1/definitions/{U[0]}", {"owner": NOBODY}),
    ("DELETE", f"/v1/definitions/{U[0]}"),
    ("POST", f"/v1/definitions/{U[0]}/start"),
    ("POST", "/v1/devices", {"parent": "null0", "type": SMALL, "owner": 0}),
    ("POST", "/v1/devices", {"parent": "null0", "type": SMALL, "attrs": [{"owner": "root"}]}),
    ("POST", "/v1/definitions", {"parent": "null0", "type": SMALL, "owner": "root"}),
    ("POST", "/v1/definitions", {"parent": "null0", "type": SMALL, "attrs": [{"owner": "root"}]}),
]
ADMINS = [
    ("POST", "/v1/parents", {"name": "null7", "driver": "null"}),
    ("DELETE", "/v1/parents/null0?policy=force"),
    ("PATCH", "/v1/parents/null0/schedule", {"policy": "equal"}),
    ("POST", "/v1/reload"),
]


def expect_refused(t, calls, answers, *words):
    for call, (status, body) in zip(calls, answers):
        assert status == 403 and body["error"]["errno"] in ("EACCES", "EPERM") and body["error"]["message"] and body["error"]["hint"], (call, status, body)
        text = json.dumps(body)
        for word in words:
            assert word not in text, f"{call}: {word!r} is told in {text}"
    api = t.api()
    now = api.get(f"/v1/devices/{U[0]}")
    assert now["owner"] == "root" and not now["vm"] and now["state"] == "running", now
    assert not api.get(f"/v1/definitions/{U[0]}")["vm"] and {d["uuid"] for d in api.get("/v1/devices")["devices"]} == {U[0]}
    assert len(api.get("/v1/definitions")["definitions"]) == 1 and len(api.get("/v1/parents")["parents"]) == 1


def test_others_may_read_and_nothing_else():
    with world() as t:
        answers = as_user(t, [("GET", path) for path in READS])
        assert [status for status, _ in answers] == [200] * len(READS), answers
        about = answers[0][1]
        assert about["rights"] == "read", about
        # They see what an administrator sees, and nothing that looks like another process's secret.
        assert answers[7][1]["devices"][0]["uuid"] == U[0]
        calls = USES + OTHERS_THINGS + ADMINS
        expect_refused(t, calls, as_user(t, calls))
        expect_refused(t, calls, as_user(t, calls, uid=OTHER))


def test_others_see_nothing_when_they_may_not():
    with world("no") as t:
        calls = [("GET", path) for path in READS + ["/v1/events"]] + USES + OTHERS_THINGS + ADMINS
        answers = as_user(t, calls)
        # Not even what there is: a thing that is there and one that is not are refused alike.
        expect_refused(t, calls, answers, "null0 has", "root", str(t.definitions), '"pid"')
        there, not_there = as_user(t, [("GET", f"/v1/devices/{U[0]}"), ("GET", f"/v1/devices/{U[9]}")])
        assert there[1]["error"]["message"].replace(U[0], "") == not_there[1]["error"]["message"].replace(U[9], ""), (there, not_there)
        assert as_user(t, [("GET", "/v1/devices")], groups=(USE.gr_gid,))[0][0] == 200


def test_who_cannot_open_the_socket_gets_nothing():
    with world() as t:
        os.chmod(t.socket, 0o600)
        for groups in (), (USE.gr_gid,):
            said = by_other(lambda: str(connect(t.socket, socket.SOCK_STREAM)), groups=groups)
            assert said == "EACCES", said


def connect(path, kind=socket.SOCK_STREAM):
    """What connecting and a first word say: an errno's name, "closed", "open"."""
    with socket.socket(socket.AF_UNIX, kind) as s:
        s.settimeout(5)
        try:
            s.connect(path)
            s.sendall(real.vfu.message(real.vfu.VERSION, real.vfu.version_body(), ident=1))
            return "open" if s.recv(4096) else "closed"
        except ConnectionResetError:
            return "closed"
        except BrokenPipeError:
            return "closed"
        except OSError as error:
            return real.errno_name(error)


def test_who_may_use_has_its_own_things_alone():
    with world() as t:
        use = (USE.gr_gid,)
        about, made, defined = as_user(t, [("GET", "/v1"), *USES], groups=use)
        assert about[1]["rights"] == "use" and made[0] == 201 and defined[0] == 201, (about, made, defined)
        assert made[1]["owner"] == "nobody" == defined[1]["owner"], (made, defined)
        # Its own: change, start, stop, undefine.
        own = [("PATCH", f"/v1/definitions/{FREE2}", {"vm": "web1"}), ("POST", f"/v1/definitions/{FREE2}/start"),
               ("PATCH", f"/v1/devices/{FREE2}", {"attrs": [{"vm": "web2"}]}), ("DELETE", f"/v1/devices/{FREE2}"), ("DELETE", f"/v1/definitions/{FREE2}"),
               ("DELETE", f"/v1/devices/{FREE}")]
        answers = as_user(t, own, groups=use)
        assert [s for s, _ in answers] == [200, 201, 200, 204, 204, 204], answers
        # Others': nothing; what administrators do: nothing.
        expect_refused(t, OTHERS_THINGS + ADMINS, as_user(t, OTHERS_THINGS + ADMINS, groups=use))
        # Giving away what is one's own is not possible, either: an owner is what administrators say.
        as_user(t, USES, groups=use)
        gifts = [("PATCH", f"/v1/definitions/{FREE2}", {"owner": 0}), ("PATCH", f"/v1/definitions/{FREE2}", {"attrs": [{"owner": "root"}]}),
                 ("PATCH", f"/v1/devices/{FREE}", {"attrs": [{"owner": "root"}]})]
        answers = as_user(t, gifts, groups=use)
        assert [s for s, _ in answers] == [403, 403, 400], answers
        # Another one of the same group cannot touch them.
        theirs = [("DELETE", f"/v1/devices/{FREE}"), ("DELETE", f"/v1/devices/{FREE}?policy=force"), ("DELETE", f"/v1/definitions/{FREE2}"),
                  ("POST", f"/v1/definitions/{FREE2}/start")]
        answers = as_user(t, theirs, groups=use, uid=OTHER)
        assert [s for s, _ in answers] == [403] * 4, answers
        # An administrator can.
        answers = as_user(t, theirs[1:3], groups=(ADMIN.gr_gid,), uid=OTHER)
        assert [s for s, _ in answers] == [204, 204], answers


def test_administrators():
    with world() as t:
        admin = (ADMIN.gr_gid,)
        about, made = as_user(t, [("GET", "/v1"), ("POST", "/v1/devices", {"uuid": MINE, "parent": "null0", "type": SMALL, "owner": OTHER})], groups=admin)
        assert about[1]["rights"] == "admin" and made[1]["owner"] == OTHER, (about, made)
        answers = as_user(t, [("POST", "/v1/parents", {"name": "null7", "driver": "null"}), ("DELETE", "/v1/parents/null7"), ("POST", "/v1/reload"),
                              ("DELETE", f"/v1/devices/{U[0]}")], groups=admin)
        assert [s for s, _ in answers] == [201, 204, 204, 204], answers
        # Whose it is may use it without being in any group: but not change it.
        assert as_user(t, [("DELETE", f"/v1/devices/{MINE}")], uid=OTHER)[0][0] == 403
        assert as_user(t, [("DELETE", f"/v1/devices/{MINE}")], uid=OTHER, groups=(USE.gr_gid,))[0][0] == 204


def test_a_device_is_its_owners_alone():
    """The socket of a device: its owner, root; nobody else, whatever groups it is in."""
    with world() as t:
        api = t.api()
        mine, roots = device(api, MINE, owner="nobody"), api.get(f"/v1/devices/{U[0]}")
        outcomes = {
            "owner": by_other(lambda: connect(mine["socket"])),
            "owner, root's": by_other(lambda: connect(roots["socket"])),
            "other": by_other(lambda: connect(mine["socket"]), uid=OTHER, gid=OTHER),
            "of the group": by_other(lambda: connect(mine["socket"]), uid=OTHER, gid=OTHER, groups=(USE.gr_gid, ADMIN.gr_gid, 0)),
            "root": connect(mine["socket"]),
        }
        assert outcomes["owner"] == outcomes["root"] == "open", outcomes
        assert {outcomes[k] for k in ("owner, root's", "other", "of the group")} <= {"EACCES", "EPERM", "closed"}, outcomes
        print(f"# {outcomes}")
        # Control sockets, records and locks are tranched's alone.
        reachable = by_other(lambda: [p for p in real.tree(t.run) if p.count("/") and os.access(t.run / p, os.R_OK)])
        assert not reachable, reachable
        said = by_other(lambda: [str(p) for p in (t.run / "devices", t.run / "kept", t.run / "parents") if p.exists() and os.access(p, os.W_OK)])
        assert not said, said
        # Who could not come in did not disturb who is in.
        vm = real.vfu.Client(mine["socket"])
        for _ in range(20):
            by_other(lambda: connect(mine["socket"]), uid=OTHER, gid=OTHER)
        assert vm.is_alive()
        vm.close()


def test_an_owner_that_changes():
    with world() as t:
        api = t.api()
        d = device(api, MINE, owner=NOBODY)
        eventually(lambda: by_other(lambda: connect(d["socket"])) == "open", "its owner comes in")
        api.post("/v1/definitions", {"uuid": FREE, "parent": "null0", "type": SMALL, "owner": OTHER})
        other = api.post(f"/v1/definitions/{FREE}/start")
        assert other["owner"] == OTHER
        assert by_other(lambda: connect(other["socket"]), uid=OTHER, gid=OTHER) == "open"
        assert by_other(lambda: connect(other["socket"])) != "open"
        # And after a restart of tranched.
        t.kill()
        t.start()
        assert t.api().get(f"/v1/devices/{FREE}")["owner"] == OTHER
        assert as_user(t, [("DELETE", f"/v1/devices/{FREE}")], groups=(USE.gr_gid,))[0][0] == 403
        assert as_user(t, [("DELETE", f"/v1/devices/{FREE}")], groups=(USE.gr_gid,), uid=OTHER)[0][0] == 204


def test_a_device_that_ends_with_its_client():
    """lifetime "process" of another user: it goes when that process does, and not before."""
    with world() as t:
        made = by_other(lambda: [outcome(t.socket, "POST", "/v1/devices", {"uuid": MINE, "parent": "null0", "type": SMALL, "lifetime": "process"}),
                                 time.sleep(0.3) or outcome(t.socket, "GET", f"/v1/devices/{MINE}")], groups=(USE.gr_gid,))
        assert made[0][0] == 201 and made[1][1]["state"] == "running", made
        eventually(lambda: {d["uuid"] for d in t.api().get("/v1/devices")["devices"]} == {U[0]}, "it has gone")


if __name__ == "__main__":
    tranched.tap.main(seconds=55, why_not=why_not)
