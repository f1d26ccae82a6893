# SPDX-License-Identifier: MIT
"""tranched as a service of systemd: activation, devices that outlive it, ends, rights, sandboxes, a reboot."""
import functools
import json
import os
import re

import guest
from system import PACKAGES, System

BUILD = os.environ.get("TRANCHE_TEST_BUILD", "build")
CONFIG = """[daemon]
find-opencl = no

[parent null0]
driver = null

[parent serial0]
driver = mtty
"""
U = [f"1f0e4c52-6f5b-4c56-9d2c-00000000000{n}" for n in range(10)]
AUTO, MANUAL, KILLED, BY_HAND, OF_ALICE, BAD, SERIAL = U[:7]
SCORES = {"tranched.service": 4.5, f"tranche-device@{AUTO}.service": 4.0, "tranche-parent@cpu0.service": 4.5}     # at most


@functools.cache
def the_system():
    """The one of all tests: running, configured, nothing of ours started."""
    system = System(BUILD, modules=["fuse"])
    system.boot()
    return system


def unit(uuid):
    return f"tranche-device@{uuid}.service"


@functools.cache
def configured():
    system = the_system()
    if system.run("test -e /etc/tranche/tranched.conf")[0]:
        system.install()
        system.ok(f"mkdir -p /etc/tranche && cat >/etc/tranche/tranched.conf <<END\n{CONFIG}END\n"
                  "systemctl enable -q --now tranched.socket tranched.service && sed -i 's/^tranche:.*:$/&alice/' /etc/group")
    return system


def device(system, uuid):
    """As the API shows it; None: it is not there."""
    devices = json.loads(system.ok("tranche list --json"))
    return next((d for d in devices if d["uuid"] == uuid), None)


def start(system, uuid, parent="null0", kind="null-small", more=""):
    """Its process."""
    if not device(system, uuid):
        system.ok(f"tranche start -u {uuid} -p {parent} -t {kind} {more}")
    return device(system, uuid)["pid"]


def daemon_pid(system):
    return int(system.show("tranched", "MainPID"))


def goes_on(system, uuid, pid):
    found = device(system, uuid)
    assert found and found["pid"] == pid and found["state"] == "running", found
    assert system.show(unit(uuid), "ActiveState", "MainPID") == ["active", str(pid)]


def test_install():
    """What the README of packaging/systemd says makes the user and the folder."""
    system = the_system()
    system.install()
    assert re.match(r"uid=\d+\(tranche\) gid=\d+\(tranche\) .*\(video\).*\(render\)", system.ok("id tranche")), system.ok("id tranche")
    assert system.ok("stat -c '%U %G %a' /run/tranche") == "tranche tranche 755"


def test_activation():
    """The socket alone is started; the first command starts tranched, and is answered."""
    system = the_system()
    system.ok("systemctl enable -q --now tranched.socket")
    assert system.show("tranched", "ActiveState") == "inactive"
    owner = system.ok("stat -c '%u %G %a' /run/tranche/api.sock")
    assert owner == "0 tranche 660", owner
    assert json.loads(system.ok("tranche list --json")) == []
    assert system.show("tranched", "ActiveState", "SubState", "Type", "StatusText") == ["active", "running", "notify", "Ready"]
    system.ok("systemctl stop tranched && test -S /run/tranche/api.sock")


def test_configured():
    system = configured()
    assert {p["name"] for p in json.loads(system.ok("tranche parents --json"))} == {"null0", "serial0"}
    assert json.loads(system.ok("tranche show --json"))["problems"] == []
    assert system.show("tranched", "WatchdogUSec") == "30s"


def test_instance():
    """A device is an instance of a unit: another user, no rights, no part of tranched."""
    system = configured()
    system.ok(f"tranche define --auto -u {AUTO} -p null0 -t null-small && tranche define -u {MANUAL} -p null0 -t null-small")
    system.ok(f"tranche start {AUTO}")
    found = device(system, AUTO)
    assert system.show(unit(AUTO), "ActiveState", "MainPID", "User") == ["active", str(found["pid"]), "tranche"]
    status = dict(line.split(":", 1) for line in system.ok(f"cat /proc/{found['pid']}/status").splitlines())
    assert status["Uid"].split()[0] == system.ok("id -u tranche"), status["Uid"]
    assert all(int(status[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")), status
    assert status["NoNewPrivs"].strip() == "1"
    group = system.ok(f"cat /proc/{found['pid']}/cgroup")
    assert group.endswith(f"/{unit(AUTO)}") and "tranched.service" not in group, group
    assert system.ok(f"test -S {found['socket']} && stat -c %U {found['socket']}") == "tranche"
    system.eventually(f"journalctl -q -u {unit(AUTO)} | grep -q .", "it is in the journal")


def test_restart_and_stop():
    """Devices go on, and are found again."""
    system = configured()
    pid, before = start(system, AUTO), daemon_pid(system)
    system.ok("systemctl restart tranched")
    assert daemon_pid(system) != before
    goes_on(system, AUTO, pid)
    system.ok("systemctl stop tranched")
    assert system.show(unit(AUTO), "ActiveState", "MainPID") == ["active", str(pid)]
    goes_on(system, AUTO, pid)          # (asking starts tranched)


def test_killed():
    system = configured()
    pid, before = start(system, AUTO), daemon_pid(system)
    system.ok(f"kill -9 {before}")
    system.eventually(f"pid=$(systemctl show --value -p MainPID tranched); [ $pid != 0 ] && [ $pid != {before} ]", "another tranched")
    goes_on(system, AUTO, pid)


def test_watchdog():
    """One that hangs is started anew."""
    system = configured()
    pid = start(system, AUTO)
    system.ok("mkdir -p /run/systemd/system/tranched.service.d && printf '[Service]\\nWatchdogSec=4\\n' "
              ">/run/systemd/system/tranched.service.d/test.conf && systemctl daemon-reload && systemctl restart tranched")
    before = daemon_pid(system)
    system.ok(f"kill -STOP {before}")
    system.eventually(f"pid=$(systemctl show --value -p MainPID tranched); [ $pid != 0 ] && [ $pid != {before} ]", "another tranched", 40)
    system.eventually_says("-u tranched", "Watchdog timeout")
    goes_on(system, AUTO, pid)
    system.ok("rm -r /run/systemd/system/tranched.service.d && systemctl daemon-reload && systemctl restart tranched")


def test_reload():
    """A new configuration is taken; a wrong one is not, and everything goes on."""
    system = configured()
    pid, before = start(system, AUTO), daemon_pid(system)
    system.ok("printf '[parent null1]\\ndriver = null\\n' >>/etc/tranche/tranched.conf && systemctl reload tranched")
    system.eventually("tranche parents --no-headings | grep -q null1", "the new parent")
    system.ok("cp /etc/tranche/tranched.conf /tmp/ && echo 'no = such key' >>/etc/tranche/tranched.conf && systemctl reload tranched")
    system.eventually_says("-u tranched", "the configuration stays as it is")
    assert "null1" in system.ok("tranche parents")
    guest.eventually(lambda: system.show("tranched", "ActiveState", "StatusText") == ["active", "Ready"], "it is ready again")
    system.ok("cp /tmp/tranched.conf /etc/tranche/ && systemctl reload tranched")
    assert daemon_pid(system) == before
    goes_on(system, AUTO, pid)


def test_stop():
    """The end of a device is the end of its unit; nothing is left."""
    system = configured()
    start(system, MANUAL)
    system.ok(f"tranche stop {MANUAL}")
    system.eventually(f"[ $(systemctl show --value -p ActiveState '{unit(MANUAL)}') = inactive ]", "the unit's end")
    assert not device(system, MANUAL)
    assert system.run(f"ls /run/tranche/devices/{MANUAL} /run/tranche/{MANUAL}.sock")[0]


def test_a_device_is_killed():
    """tranched tells why, and no failed unit stays behind."""
    system = configured()
    pid = start(system, KILLED)
    system.ok(f"kill -9 {pid}")
    system.eventually(f"! tranche list --no-headings | grep -q {KILLED}", "the device's end")
    system.eventually_says("-u tranched", f"{unit(KILLED)} was ended by a signal")
    system.eventually_says(f"-u {unit(KILLED)}", "code=killed, status=9/KILL")
    system.eventually("! systemctl list-units --all --no-legend 'tranche-device@*' | grep -q failed", "the unit's reset")
    assert start(system, KILLED) != pid
    system.ok(f"tranche stop --force {KILLED}")


def test_a_unit_is_stopped_by_hand():
    system = configured()
    start(system, BY_HAND)
    system.ok(f"systemctl stop {unit(BY_HAND)}")
    system.eventually(f"! tranche list --no-headings | grep -q {BY_HAND}", "the device's end")
    assert system.run(f"ls /run/tranche/{BY_HAND}.sock")[0]


def test_a_device_that_cannot_start():
    """Its own words come back, not systemd's."""
    system = configured()
    status, said = system.run(f"tranche start -u {BAD} -p serial0 -t mtty-1 -o line0=pty:/etc/line")
    assert status == 1 and "/etc/line" in said, said
    assert not device(system, BAD)
    system.eventually("! systemctl list-units --all --no-legend 'tranche-device@*' | grep -q failed", "the unit's reset")


def test_sandbox_leaves_lines_and_faces():
    """Pseudo-terminals, sockets of lines, and who connects to the device."""
    system = configured()
    start(system, SERIAL, "serial0", "mtty-2", "-o line0=pty:/run/tranche/line -o line1=unix:/run/tranche/line1")
    assert system.ok("readlink /run/tranche/line").startswith("/dev/pts/")
    system.ok("test -c /run/tranche/line && test -S /run/tranche/line1")
    system.ok(f"tranche stop --force {SERIAL}")
    assert system.run("ls /run/tranche/line")[0]


def test_rights():
    """A member of the group uses what is hers; nobody else is let in."""
    system = configured()
    status, said = system.run_as("alice", f"tranche start -u {OF_ALICE} -p null0 -t null-small")
    assert status == 0, said
    found = device(system, OF_ALICE)
    assert found["owner"] == "alice", found
    status, said = system.run_as("alice", "tranche list --no-headings")
    assert status == 0 and AUTO in said and OF_ALICE in said, said
    status, said = system.run_as("alice", f"tranche stop {AUTO}")
    assert status == 1 and "belongs to" in said, said
    status, said = system.run_as("alice", f"cat /run/tranche/devices/{OF_ALICE}/record.json")
    assert status, "what is in a device's folder is nobody's business"
    for words in ("list", f"stop {OF_ALICE}", "parents"):
        status, said = system.run_as("bob", f"tranche {words}")
        assert status == 1 and "may not open /run/tranche/api.sock" in said, said
    status, said = system.run_as("alice", f"tranche stop {OF_ALICE}")
    assert status == 0, said


def test_units_are_verified():
    system = configured()
    status, said = system.run("systemd-analyze verify --man=no tranched.service tranched.socket tranche-device@x.service "
                              "tranche-parent@x.service tranche-treefs.service")
    assert status == 0 and "tranche" not in said, said
    for name, most in SCORES.items():
        said = system.ok(f"systemd-analyze security --no-pager {name} | tail -n 1")
        score = float(re.search(r"(\d+\.\d+)", said).group(1))
        print(f"# {name.split('@')[0]}: {score}")
        assert score <= most, said


def test_treefs():
    system = configured()
    if system.run("systemctl cat tranche-treefs")[0]:
        return      # built without it
    system.guest.ok("modprobe fuse; test -e /dev/fuse")
    system.ok("systemctl start tranche-treefs")
    system.eventually("ls /run/tranche-treefs/sys/class/mdev_bus | grep -q null0", "the tree")
    assert {"null0", "serial0"} <= set(system.run_as("bob", "ls /run/tranche-treefs/sys/class/mdev_bus")[1].split())
    system.ok("systemctl stop tranche-treefs")


def test_reboot():
    """What starts by itself comes back, what does not does not."""
    system = configured()
    start(system, AUTO)
    start(system, MANUAL)
    system.shutdown()
    system.boot()
    system.eventually("systemctl -q is-active tranched", "tranched")
    assert [d["uuid"] for d in json.loads(system.ok("tranche list --json"))] == [AUTO]
    assert system.show(unit(AUTO), "ActiveState") == "active"
    assert {d["uuid"] for d in json.loads(system.ok("tranche list -d --json"))} == {AUTO, MANUAL}
    assert json.loads(system.ok("tranche show --json"))["problems"] == []
    assert not system.ok("systemctl --failed --no-legend --plain")


if __name__ == "__main__":
    guest.main(PACKAGES)
