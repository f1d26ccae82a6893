#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two devices with different quotas in one guest: each program gets what the device has, and no more, with OpenCL's own errors."""
import accel
from accel import Shared, ours, program

shared = Shared("64M", "96M", programs=ours("quota", "hold") + [program("cl/test_quota"), program("cl/test_devices")])
MIB = 1 << 20


def hold(m, device, mib, path):
    m.run(f"rm -f {path}")
    return m.launch(f"hold {device} {mib} {path}")


def test_listed():
    with shared() as m:
        assert m.nodes() == 2
        sizes = m.ok("clinfo --prop CL_DEVICE_GLOBAL_MEM_SIZE --raw | grep -o '[0-9]*$'").split()
        assert sizes == [str(64 * MIB), str(96 * MIB)], sizes


def test_refused():
    with shared() as m:
        m.idle()
        before = m.device.stats()["refused"]
        text = m.ok("quota 64", timeout=120)
        assert text.count("4 of 4, then CL_MEM_OBJECT_ALLOCATION_FAILURE") == 2, text
        m.idle()
        assert m.device.stats()["refused"] >= before and m.devices[1].stats()["refused"] == 0


def test_each_its_own():
    """What one device does not have, the other one has; they do not charge each other."""
    with shared() as m:
        status, text = m.run("hold 0 80 /tmp/x")
        assert status == 1 and "has 64 MiB; 80 MiB: -61" in text, text      # CL_INVALID_BUFFER_SIZE: larger than the device
        jobs = [hold(m, 0, 40, "/tmp/a"), hold(m, 1, 80, "/tmp/b")]
        for job, path in zip(jobs, ("/tmp/a", "/tmp/b")):
            m.wait_file(path, job)
        used = [d.stats()["used"] for d in m.devices]
        assert 40 * MIB <= used[0] <= 42 * MIB and 80 * MIB <= used[1] <= 82 * MIB, used
        status, text = m.run("hold 0 40 /tmp/c")
        assert status == 1 and "40 MiB: -4" in text, text                    # CL_MEM_OBJECT_ALLOCATION_FAILURE
        m.ok("rm /tmp/a /tmp/b")
        assert [job.wait()[0] for job in jobs] == [0, 0]
        m.idle()
        job = hold(m, 0, 40, "/tmp/c")
        m.wait_file("/tmp/c", job)
        m.ok("rm /tmp/c")
        assert job.wait()[0] == 0


def test_programs():
    """tests/cl on quotas, and on several devices of a platform."""
    with shared() as m:
        for name in ("quota", "devices"):
            status, text = m.run(f"CL_TEST_EXPECT=virtual test_{name}", timeout=150)
            assert status == 0, f"test_{name}: {status}\n{text[-3000:]}"
            m.idle()


def test_end():
    with shared() as m:
        m.idle()
    shared.end()


if __name__ == "__main__":
    accel.main()
