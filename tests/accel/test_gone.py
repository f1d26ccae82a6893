#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The device's process is killed: its registers read as ones, programs get errors, the guest lives, the module can be unloaded."""
import accel
from accel import DRIVER, FIRST, PCI_DRIVER, eventually, machine, ours, program
from guest import but_for_qemu
from test_loss import spin

PROGRAMS = ours("spin", "load") + [program("apps/vadd")]


def try_killed():
    with machine("256M", "64M", programs=PROGRAMS) as m:
        m.news()
        load, job = m.launch("load 120 /tmp/begun"), spin(m)
        m.wait_file("/tmp/begun", load)
        m.device.kill()
        status, text = job.wait(60)
        assert status == 0, text
        status, text = load.wait(60)
        assert status == 3, f"{status}: {text}"
        told = m.told()
        assert told and len(told) <= 3 and any("gone" in line for line in told), told
        # A new program does not find it, or is told so; it finds the other device.
        status, text = m.run("clinfo -l")
        assert status == 0, text
        assert m.ok("ls /dev/accel"), "the nodes are there until the driver lets go"
        assert "0 wrong" in m.ok("vadd 0 || vadd 1")
        m.ok(f"echo {FIRST} >{PCI_DRIVER}/unbind", timeout=60)
        assert m.nodes() == 1
        assert "0 wrong" in m.ok("vadd")
        m.ok(f"rmmod {DRIVER}", timeout=60)
        assert m.nodes() == 0


def try_killed_at_rest():
    with machine("64M") as m:
        m.device.kill()
        m.ok(f"rmmod {DRIVER}", timeout=60)
        m.run(f"modprobe {DRIVER}", timeout=60)
        eventually(lambda: m.nodes() == 0, "there is no node")
        m.ok(f"rmmod {DRIVER}", timeout=60)


def test_killed():
    but_for_qemu(try_killed)()


def test_killed_at_rest():
    """Nobody used it: unloading and loading again finds no device, and no harm."""
    but_for_qemu(try_killed_at_rest)()


if __name__ == "__main__":
    accel.main()
