#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An executor dies on the host while its kernel runs: the program gets an error soon, everybody else goes on."""
import time

import accel
from accel import Shared, eventually, ours, program

shared = Shared("256M", programs=ours("spin", "load") + [program("apps/vadd"), program("cl/test_crash")])
SOON = 2.0
TRIES = 6


def spin(m, path="/tmp/spinning"):
    """A program in mid-kernel."""
    m.run(f"rm -f {path}")
    job = m.launch(f"spin {path}")
    eventually(lambda: job.is_done() or m.run(f"test -e {path}")[0] == 0, "the kernel runs", 60)
    assert not job.is_done(), job.wait()
    return job


def lose(m):
    """The device recovers, and one line in the kernel's log tells of it.  Return: how long the program took to end"""
    job = spin(m)
    assert m.device.kill_executors() == 1
    start = time.monotonic()
    status, text = job.wait(60)
    took = time.monotonic() - start
    assert status == 0, text
    told = eventually(m.told, "the kernel tells of it")     # (the program may be told first)
    assert len(told) == 1 and "lost" in told[0], told
    assert "0 wrong" in m.ok("vadd")
    m.idle()
    assert not m.told()
    return took


def test_killed():
    """Twice; and the program need not wait for any limit of time to hear of it: on a busy machine one of several times."""
    with shared() as m:
        m.device.expected.append(r"the executor of session \d+ was killed")
        m.news()
        took = [lose(m), lose(m)]
        while min(took) >= SOON and len(took) < TRIES:
            took.append(lose(m))
        assert min(took) < SOON, f"the program's end took {took} s"
        assert m.device.stats()["executors_lost"] == len(took)


def test_neighbour():
    """Another session of the device goes on computing."""
    with shared() as m:
        first = set(m.device.executors())
        load = m.launch("load 200 /tmp/begun")
        m.wait_file("/tmp/begun", load)
        its_own = set(m.device.executors()) - first
        job = spin(m)
        assert m.device.kill_executors(but=its_own) >= 1
        assert job.wait(60)[0] == 0
        assert not load.is_done(), load.wait()
        m.ok("sleep 2; rm /tmp/begun")
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
