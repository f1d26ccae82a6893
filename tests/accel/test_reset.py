#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The device is reset, added, taken from its driver, and put to sleep, with programs that use it."""
import accel
from accel import DRIVER, FIRST, PCI_DRIVER, Shared, device, eventually, machine, ours, program
from guest import Cache, Fetcher
from test_loss import spin

PROGRAMS = ours("load", "spin", "stale") + [program("apps/vadd")]
shared = Shared("256M", programs=PROGRAMS)
FUNCTION = f"/sys/bus/pci/devices/{FIRST}"


def begin(m, seconds=120):
    """A program that works until it is told an error."""
    m.run("rm -f /tmp/begun")
    job = m.launch(f"load {seconds} /tmp/begun")
    m.wait_file("/tmp/begun", job)
    return job


def expect_error(job, within=60):
    status, text = job.wait(within)
    assert status == 3, f"exit status {status}: {text}"


def expect_works(m):
    assert "0 wrong" in m.ok("vadd")
    m.idle()


def test_flr():
    """A function-level reset by sysfs, without work and with it, some times."""
    with shared() as m:
        assert "flr" in m.ok(f"cat {FUNCTION}/reset_method")
        m.ok(f"echo 1 >{FUNCTION}/reset")
        expect_works(m)
        for _ in range(3):
            job = begin(m)
            m.ok(f"echo 1 >{FUNCTION}/reset", timeout=60)
            expect_error(job)
            expect_works(m)
        job = spin(m)
        m.ok(f"echo 1 >{FUNCTION}/reset", timeout=60)
        assert job.wait(60)[0] == 0
        expect_works(m)


def test_exported_before():
    with shared() as m:
        text = m.ok(f"stale /dev/accel/accel0 {FUNCTION}/reset", timeout=60)
        assert "it can be closed" in text, text
        expect_works(m)


def test_unbind():
    """The driver lets the device go while a program uses it; what it mapped can be touched still; then it comes back."""
    with shared() as m:
        for busy in (False, True):
            jobs = [begin(m), spin(m)] if busy else []
            m.ok(f"echo {FIRST} >{PCI_DRIVER}/unbind", timeout=60)
            assert m.nodes() == 0
            if busy:
                expect_error(jobs[0])
                status, text = jobs[1].wait(60)
                assert status == 0, text
            m.ok(f"echo {FIRST} >{PCI_DRIVER}/bind", timeout=60)
            m.wait_nodes(1)
            expect_works(m)


def test_unload():
    """The module goes when no program has it open any more, and at once when the device was taken from it."""
    with shared() as m:
        job = begin(m)
        assert m.run(f"rmmod {DRIVER}")[0] != 0, "a module in use was unloaded"
        m.ok(f"echo {FIRST} >{PCI_DRIVER}/unbind", timeout=60)
        expect_error(job)
        m.ok(f"rmmod {DRIVER}", timeout=60)
        m.load()
        expect_works(m)
        for _ in range(3):
            m.ok(f"rmmod {DRIVER}", timeout=60)
            m.load()
        expect_works(m)


def test_restart():
    """The machine's reset button, and its own restart: the device serves the next kernel."""
    with shared() as m:
        for restart in (m.reset, m.reboot):
            begin(m)
            restart()
            m.seen = 0
            m.load()
            expect_works(m)


def test_end():
    with shared() as m:
        m.idle()
    shared.end()


def test_hot_add():
    """Behind a root port that has room for the aperture."""
    with device("64M") as d, machine(devices=[], programs=PROGRAMS, reserve="32G") as m:
        assert m.nodes() == 0
        m.guest.add_device(d.for_qemu(id="late"))
        m.devices.append(d)
        m.wait_nodes(1, within=60)
        expect_works(m)
        m.ok("echo 0000:01:00.0 >/sys/bus/pci/drivers/tranche_accel/unbind", timeout=60)
        eventually(lambda: m.nodes() == 0, "the node is gone")
        m.devices.clear()


def test_suspend():
    """To memory and back: contexts are lost, the device is not."""
    with machine("64M", programs=PROGRAMS, kernel=Fetcher(Cache()).packed_kernel()) as m:
        job = begin(m)
        m.suspend()
        expect_error(job)
        expect_works(m)


if __name__ == "__main__":
    accel.main()
