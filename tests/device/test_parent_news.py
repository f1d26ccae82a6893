#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What executors tell tranche-parent of their gates: none of it is lost, and no number of it takes the processors from the others."""
import os
import struct
import sys
import time

sys.dont_write_bytecode = True
from shared_parent import EQUAL, FIXED, MIB, Device, Manager, parent  # noqa: E402
from wire import one_of_several, tap  # noqa: E402


def counter(p, name):
    path = os.path.join(p.folder, name)
    with open(path, "wb") as f:
        f.write(bytes(8))
    return path


def read(path):
    with open(path, "rb") as f:
        return struct.unpack("<Q", f.read(8))[0]


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_blinks(policy, times):
    with parent() as p:
        m = Manager(p)
        m.schedule(policy)
        outs = [counter(p, f"out-{i}") for i in range(len(times))]
        devices = [Device(p, MIB, t) for t in times]
        for device, out in zip(devices, outs):
            device.start("blinks:300", out)
        time.sleep(1.5)

        def go_on():
            before = [read(out) for out in outs]
            time.sleep(1)
            return min(read(out) - b for out, b in zip(outs, before)) > 10

        one_of_several(go_on, "programs that use the device a little at a time do so more than ten times a second", tries=5)


def test_a_little_at_a_time_equal():
    check_blinks(EQUAL, (0, 0))


def test_a_little_at_a_time_fixed_alone():
    check_blinks(FIXED, (1000,))


def test_a_little_at_a_time_fixed():
    check_blinks(FIXED, (500, 500))


def test_flood():
    with parent() as p:
        m = Manager(p)
        d = Device(p)
        for _ in range(4):
            d.start("flood")
        time.sleep(0.5)
        before = processor_seconds(p.process.pid)
        time.sleep(2)
        used = (processor_seconds(p.process.pid) - before) / 2
        assert m.account(d).executors == 4
        assert used < 0.4, f"four executors that talk keep tranche-parent busy for {100 * used:.0f} % of a processor"


if __name__ == "__main__":
    tap.main(120)
