#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Programs that are killed at any moment leave nothing behind: neither in the guest's figures nor in the host's."""
import random
import re

import accel
from accel import Shared, eventually, ours

shared = Shared("256M", programs=ours("load", "hold", "spin"))
KILLS = 14
MIB = 1 << 20


def fdinfo(m, pid):
    """{key: value} of the process's file of the device."""
    text = m.ok(f"for f in /proc/{pid}/fdinfo/*; do grep -q drm-driver $f && cat $f && break; done; true")
    return dict(re.findall(r"^(drm-[\w-]+):\s*(.*)$", text, re.M))


def bytes_of(text):
    number, _, unit = text.partition(" ")
    return int(number) * {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit.strip()]


def sizes(info):
    return {key: bytes_of(value) for key, value in info.items() if key.startswith(("drm-total-", "drm-resident-", "drm-memory-"))}


def pid_of(m, name):
    return m.ok(f"pidof {name}").split()[0]


def test_figures():
    """A program's own figures, and those of the device while it lives."""
    with shared() as m:
        job = m.launch("hold 0 64 /tmp/held")
        m.wait_file("/tmp/held", job)
        info = fdinfo(m, pid_of(m, "hold"))
        assert info.get("drm-driver") == "tranche", info
        assert any(64 * MIB <= size <= 80 * MIB for size in sizes(info).values()), info
        used = m.device.stats()["used"]
        assert 64 * MIB <= used <= 66 * MIB, used
        m.ok("rm /tmp/held")
        assert job.wait()[0] == 0
        m.idle()


def test_kills():
    """At the start, in a build, in a launch, in a map ..."""
    with shared() as m:
        draw = random.Random(4)
        for n in range(KILLS):
            delay = int(1e6 * draw.choice([0.05, 0.2, 0.5, 1]) * draw.random())
            job = m.launch(f"load 60 & pid=$!; usleep {delay}; kill -9 $pid; wait $pid; echo $?")
            status, text = job.wait(60)
            assert status == 0 and text.split()[-1] == "137", f"kill {n} after {delay} us: {text}"
        m.idle()
        assert m.device.stats()["executors_lost"] == 0


def test_killed_in_kernel():
    """While the host computes for it: the host ends that, too."""
    with shared() as m:
        m.run("rm -f /tmp/spinning")
        job = m.launch("spin /tmp/spinning & pid=$!; until [ -e /tmp/spinning ]; do usleep 20000; done; kill -9 $pid; wait $pid; echo $?")
        assert job.wait(60)[1].split()[-1] == "137"
        m.idle()


def test_many_at_once():
    with shared() as m:
        script = "for n in 1 2 3 4; do load 60 & pids=\"$pids $!\"; done; usleep 1500000; kill -9 $pids; wait; true"
        m.ok(script, timeout=60)
        m.idle()
        eventually(lambda: m.run("pidof load")[0] != 0, "they are gone")
        assert m.ok("load 1").endswith("all right")


def test_end():
    with shared() as m:
        m.idle()
    shared.end()


if __name__ == "__main__":
    accel.main()
