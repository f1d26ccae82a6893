#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An executor dies on the host while its kernel runs: the program gets an error soon, everybody else goes on."""
import time

import accel
from accel import Shared, eventually, ours, program

shared = Shared("256M", programs=ours("spin", "load") + [program("apps/vadd"), program("cl/test_crash")])
SOON = 2.0


def spin(m, path="/tmp/spinning"):
    """A program in mid-kernel."""
    m.run(f"rm -f {path}")
    job = m.launch(f"spin {path}")
    eventually(lambda: job.is_done() or m.run(f"test -e {path}")[0] == 0, "the kernel runs", 60)
    assert not job.is_done(), job.wait()
    return job


def test_killed():
    """Twice: the device recovers, and one line in the kernel's log tells of it."""
    with shared() as m:
        m.news()
        for _ in range(2):
            m.device.expected.append(r"the executor of session \d+ was killed")
            job = spin(m)
            assert m.device.kill_executors() == 1
            start = time.monotonic()
            status, text = job.wait(30)
            took = time.monotonic() - start
            assert status == 0, text
            assert took < SOON, f"the program's end took {took:.2f} s"
            told = m.told()
            assert len(told) == 1 and "lost" in told[0], told
            assert "0 wrong" in m.ok("vadd")
            m.idle()
        assert m.device.stats()["executors_lost"] == 2


def test_neighbour():
    """Another session of the device goes on computing."""
    with shared() as m:
        first = set(m.device.executors())
        load = m.launch("load 6 /tmp/begun")
        m.ok("until [ -e /tmp/begun ]; do usleep 50000; done")
        its_own = set(m.device.executors()) - first
        job = spin(m)
        assert m.device.kill_executors(but=its_own) >= 1
        assert job.wait(30)[0] == 0
        status, text = load.wait(60)
        assert status == 0 and "all right" in text, text
        m.told()
        m.idle()


def test_crash():
    """A kernel that crashes: tests/cl's program of that, but for its maps: in a guest, what is lost reads as anything."""
    with shared() as m:
        status, text = m.run("CL_TEST_EXPECT=virtual test_crash wild_writes stack_overflow a_new_context_works", timeout=150)
        assert status == 0, text[-3000:]
        m.told()
        m.idle()


def test_end():
    with shared() as m:
        m.idle()
        m.device.expected.append("executor")
    shared.end()


if __name__ == "__main__":
    accel.main()
