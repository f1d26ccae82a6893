#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The ground that the other tests of this folder stand on: a guest without any device of ours."""
import os
import tempfile

import guest
from guest import Guest, GuestError, GuestTimeout, eventually

PROGRAM = "/bin/true"


def expect_error(kind, call, *words):
    try:
        call()
    except kind as error:
        assert all(word in str(error) for word in words), error
        return
    raise AssertionError(f"no {kind.__name__}")


def test_scripts():
    with Guest(packages=["pciutils"], modules=["bochs"], devices=["bochs-display"]) as g:
        release = os.path.basename(g.fetcher.kernel())
        assert g.run("uname -r") == (0, release + "\n")
        assert g.run("echo out; echo err >&2; exit 7") == (7, "out\nerr\n")
        assert g.run("false")[0] == 1
        assert g.ok("cat; echo .", stdin="a line\n") == "a line\n."
        expect_error(GuestError, lambda: g.ok("echo because; exit 3"), "exit status 3", "because")
        expect_error(GuestTimeout, lambda: g.run("sleep 60", timeout=0.3), "sleep 60")

        # side by side, ended in another order than started
        slow, fast = g.launch("until [ -e /tmp/go ]; do usleep 20000; done; echo slow"), g.launch("echo fast; exit 2")
        assert fast.wait() == (2, "fast\n") and not slow.is_done()
        g.ok("touch /tmp/go")
        assert slow.wait() == (0, "slow\n")

        # a module with others beneath it, and the device it drives
        assert "bochs" not in g.ok("lsmod")
        g.ok("modprobe bochs")
        assert {"bochs", "drm", "drm_kms_helper"} <= {line.split()[0] for line in g.ok("lsmod").splitlines()}
        eventually(lambda: g.run("ls /dev/dri/card0")[0] == 0, "bochs has its device")
        assert g.run("modprobe no_such_module")[0] != 0
        assert "1234:1111" in g.ok("lspci -n -s 01.0")
        assert g.poweroff() == 0
        expect_error(GuestError, lambda: g.run("true"), "ended")


def test_files():
    with tempfile.TemporaryDirectory() as folder:
        data = os.urandom(3 << 20)
        os.mkdir(f"{folder}/inner")
        with open(f"{folder}/inner/data", "wb") as f:
            f.write(data)
        with Guest(files=[f"{folder}/inner:/srv/inner", f"{folder}/inner/data"], programs=[PROGRAM + ":/opt/program"]) as g:
            assert g.read("/srv/inner/data") == data == g.read("/root/data")
            g.write("/tmp/back", data[::-1])
            assert g.read("/tmp/back") == data[::-1]
            assert g.read("/proc/version").startswith(b"Linux")
            expect_error(GuestError, lambda: g.read("/no/such"), "/no/such")
            g.ok("/opt/program")        # with its libraries
            assert g.quit() == 0


def test_hot_add_and_reset():
    with Guest(ports=2) as g:
        first = g.boot_id
        for port, name in enumerate(["first", "second"]):
            where = f"/sys/bus/pci/devices/0000:0{port + 1}:00.0"
            assert g.run(f"ls {where}")[0] != 0
            g.add_device({"driver": "virtio-rng-pci", "id": name}, port=port)
            eventually(lambda path=where: g.run(f"ls {path}")[0] == 0, "the guest sees it")
            assert g.ok(f"cat {where}/vendor") == "0x1af4"
        g.remove_device("first")
        assert g.run("ls /sys/bus/pci/devices/0000:01:00.0")[0] != 0
        expect_error(GuestError, lambda: g.qmp("device_add", driver="no-such-device"), "no-such-device")

        lost = g.launch("sleep 60")
        g.reset()
        assert lost.wait()[0] == -1
        second = g.boot_id
        assert g.ok("cat /proc/sys/kernel/random/boot_id") == second != first
        g.reboot()
        assert g.boot_id not in (first, second)
        assert g.ok("cat /sys/bus/pci/devices/0000:02:00.0/vendor") == "0x1af4"


if __name__ == "__main__":
    guest.main(packages=["pciutils"])
