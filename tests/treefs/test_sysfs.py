#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tranche attach --sysfs: what a program finds in /sys, what stays as it is, how it ends."""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

import treefs
from mdevctl import TRANCHE
from treefs import NOBODY, UUID, FakeApi, eventually

import tap


@contextlib.contextmanager
def fake():
    with treefs.folder() as f:
        api = FakeApi(os.path.join(f, "api.sock")).start()
        os.chmod(api.path, 0o777)
        try:
            yield api
        finally:
            api.stop()


def words(api, *more, options=()):
    return [TRANCHE, "attach", "--sysfs", "--socket", api.path, *options, "--", *more]


def run(api, *more, options=(), **subprocess_options):
    return subprocess.run(words(api, *more, options=options), capture_output=True, text=True, timeout=60, check=False, **subprocess_options)


def shell(api, script, **more):
    return run(api, "sh", "-c", script, **more)


def test_the_tree_is_in_sys():
    with fake() as api:
        r = shell(api, f"set -e; cd /; ls /sys/class/mdev_bus /sys/bus/mdev; realpath /sys/class/mdev_bus/mtty; "
                       f"printf {UUID} > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-2/create; "
                       f"realpath /sys/bus/mdev/devices/{UUID} /sys/bus/mdev/devices/{UUID}/mdev_type /sys/devices/mtty/{UUID}/driver; "
                       f"cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-2/available_instances; "
                       f"echo 1 > /sys/devices/mtty/{UUID}/remove; ls /sys/bus/mdev/devices")
        assert r.stderr == "" and r.returncode == 0, r.stderr
        assert r.stdout.split() == ["/sys/bus/mdev:", "devices", "drivers", "drivers_autoprobe", "uevent", "/sys/class/mdev_bus:", "cpu0", "mtty",
                                    "/sys/devices/mtty", f"/sys/devices/mtty/{UUID}", "/sys/devices/mtty/mdev_supported_types/mtty-2",
                                    "/sys/bus/mdev/drivers/mtty", "11"], r.stdout


def test_the_rest_of_sys_stays():
    script = "for d in /sys /sys/class /sys/bus /sys/devices /sys/devices/system/cpu; do ls $d; done; realpath /sys/class/net/lo; cat /sys/class/net/lo/mtu"
    with fake() as api:
        before = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False).stdout.split()
        inside = shell(api, script).stdout.split()
        assert set(inside) - set(before) <= {"cpu0", "mdev", "mdev_bus", "mtty"}, "nothing else has come"
        assert not set(before) - set(inside), "nothing is lost"
        after = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False).stdout.split()
        assert before == after, "outside nothing has changed"


def test_exit_status_and_signals():
    with fake() as api:
        assert shell(api, "exit 7").returncode == 7
        assert shell(api, "kill -9 $$").returncode == -9
        assert run(api, "/none/such").returncode == 127
        assert run(api, "/etc/passwd").returncode == 126
        p = subprocess.Popen(words(api, "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done"), stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "up\n"
        p.send_signal(signal.SIGTERM)
        assert p.wait(20) == 3
        p.stdout.close()


def trees_of(socket):
    """Processes of trees for this API."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            line = f.read().split(b"\0")
            if line[0].endswith(b"tranche-treefs") and socket.encode() in line:
                found.append(int(pid))
    return found


def test_the_tree_ends_with_the_program():
    with fake() as api:
        shell(api, "true")
        assert not trees_of(api.path)
        p = subprocess.Popen(words(api, "sh", "-c", "echo up; exec sleep 60"), stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "up\n" and len(trees_of(api.path)) == 1
        # It is a shell still when it says "up".
        pgrep = ["pgrep", "-P", str(p.pid), "sleep"]
        program = int(eventually(lambda: subprocess.run(pgrep, capture_output=True, text=True, check=False).stdout, "it runs", within=20))
        p.kill()
        p.wait()
        p.stdout.close()
        eventually(lambda: not trees_of(api.path), "the tree ends although nobody told it to", within=20)
        os.kill(program, signal.SIGKILL)


def test_etc():
    with fake() as api, treefs.folder() as etc:
        if not os.path.isdir("/etc/mdevctl.d"):
            r = run(api, "true", options=["--etc", etc])
            assert r.returncode == 1 and "there is no /etc/mdevctl.d" in r.stderr
            return
        assert shell(api, "echo x > /etc/mdevctl.d/mine; ls /etc/mdevctl.d", options=["--etc", etc]).stdout == "mine\n"
        assert os.listdir(etc) == ["mine"] and not os.path.exists("/etc/mdevctl.d/mine")
        r = run(api, "true", options=["--etc", etc + "/none"])
        assert r.returncode == 1 and "No such file" in r.stderr


def test_remove_wait():
    with fake() as api:
        with api.lock:
            api.create({"uuid": UUID, "parent": "mtty", "type": "mtty-2"})
        api.in_use.add(UUID)
        assert "is in use" in shell(api, f"echo 1 > /sys/bus/mdev/devices/{UUID}/remove").stderr
        p = subprocess.Popen(words(api, "sh", "-c", f"echo 1 > /sys/bus/mdev/devices/{UUID}/remove", options=["--remove", "wait"]))
        treefs.wait_leaving(api, UUID, 1)
        time.sleep(0.1)
        assert p.poll() is None
        api.in_use.clear()
        assert p.wait(20) == 0 and not api.devices


def test_C6_a_program_that_waits_can_be_stopped():
    with fake() as api:
        with api.lock:
            api.create({"uuid": UUID, "parent": "mtty", "type": "mtty-2"})
        api.in_use.add(UUID)
        p = subprocess.Popen(words(api, "sh", "-c", f"echo 1 > /sys/bus/mdev/devices/{UUID}/remove", options=["--remove", "wait"]))
        treefs.wait_leaving(api, UUID, 1)
        p.send_signal(signal.SIGTERM)
        assert p.wait(20) == -signal.SIGTERM
        eventually(lambda: api.cancelled == [UUID], "tranched hears of it", within=20)
        assert list(api.devices) == [UUID]


def test_as_any_user():
    if os.geteuid() != 0:
        print("# is what all other tests do")
        return
    if any(not os.stat(folder).st_mode & 1 for folder in pathlib.Path(TRANCHE).resolve().parents):
        print(f"# left out: other users do not reach {TRANCHE}")
        return
    with fake() as api:
        r = shell(api, "id -u; ls /sys/class/mdev_bus; printf %s " + UUID + " > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create",
                  user=NOBODY, group=NOBODY, extra_groups=[])
        if "cannot get mounts of our own" in r.stderr:
            print("# left out: no user namespaces here")
            return
        assert r.returncode == 0 and r.stdout.split() == ["0", "cpu0", "mtty"] and list(api.devices) == [UUID], r.stderr


def test_refusals():
    with fake() as api:
        for more in ([], ["--none"], ["--etc"]):
            r = subprocess.run([TRANCHE, "attach", "--sysfs", *more], capture_output=True, text=True, timeout=20, check=False)
            assert r.returncode == 2 and "see tranche attach --sysfs --help" in r.stderr, more
        assert "PROGRAM" in subprocess.run([TRANCHE, "attach", "--sysfs", "--help"], capture_output=True, text=True, check=True).stdout
        r = run(api, "true", options=["--remove", "no"])
        assert r.returncode == 1 and "--remove wants refuse or wait" in r.stderr
    r = run(api, "true")
    assert r.returncode == 1 and "no tranched answers" in r.stderr and not trees_of(api.path)


if __name__ == "__main__":
    tap.main(60, treefs.why_not)
