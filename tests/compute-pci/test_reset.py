#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Resets of all kinds, and guests that go: sessions end, memory goes back and is zero, READY comes back."""
import errno
import os
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from guest import (CONFIG, CONTEXT_DESTROY, FAILED, MEMORY_QUERY, MIB, R_BELL_CHANNEL, R_BELL_CONTROL, R_COMMAND,  # noqa: E402
                   R_GENERATION, R_NONCE, R_PROBE_LEN, R_PROBE_OFFSET, R_STATUS, READY, RESET, RUNNING, SERVICE, SESSION_OPEN, Guest,
                   device, eventually)
from test_session import BUFFERS, FOREVER, executor_of, run_forever, session_with_kernel  # noqa: E402


def busy(g, number=1):
    s, c = session_with_kernel(g, number, source=FOREVER)
    run_forever(s, c)
    s.write(BUFFERS + 4096, b"x" * (MIB - 4096))
    return s, c


def is_clean(d, g, probe=True):
    """The device is as new."""
    g.wait_status(READY)
    assert d.blocks() == 2 * MIB
    at = g.read(R_PROBE_OFFSET)
    assert not any(g.memory[0:at])
    assert not probe or any(g.memory[at:at + g.read(R_PROBE_LEN)])
    assert not executor_of(d)


def test_command_with_work_in_flight():
    with device() as d:
        g = d.guest()
        nonce = g.read64(R_NONCE)
        for generation in range(1, 4):
            busy(g)
            g.write(R_COMMAND, RESET)
            assert g.read(R_STATUS) in (0, READY)
            assert g.read(R_GENERATION) == generation
            is_clean(d, g)
            assert g.read64(R_NONCE) == nonce
            assert g.start() == READY | RUNNING


def test_function_level_reset():
    with device() as d:
        g = d.guest()
        s, _ = busy(g)
        at = g.client.capability(0x10) + 8
        g.client.region_write(CONFIG, at, struct.pack("<H", g.client.config16(at) | 0x8000))
        g.client.enable()
        assert g.read(R_GENERATION) == 1
        is_clean(d, g)
        assert not any(g.memory[s.at(BUFFERS):s.at(BUFFERS) + MIB])


def test_reset_of_the_vmm():
    with device() as d:
        g = d.guest()
        busy(g)
        g.client.reset()
        g.client.enable()
        is_clean(d, g)
        g.start()
        g.open().close()


def test_reset_while_it_is_reset():
    with device() as d:
        g = d.guest()
        busy(g)
        busy(g, 2)
        for _ in range(200):
            g.write(R_COMMAND, RESET)
        assert g.read(R_GENERATION) == 200
        is_clean(d, g)
        for i in range(20):
            g.start()
            g.post(1, SESSION_OPEN, g.open_body(1)[0])
            g.write(R_COMMAND, RESET)
        is_clean(d, g)
        g.start()
        busy(g)


def test_nothing_is_done_before_ready():
    with device() as d:
        g = d.guest()
        s, c = busy(g)
        g.write(R_COMMAND, RESET)
        for _ in range(20):
            g.write(R_BELL_CONTROL, 1)
            g.write(R_BELL_CHANNEL, 1 << 8 | 1)
        is_clean(d, g)
        assert g.read(R_STATUS) == READY


def test_the_vmm_goes():
    with device() as d:
        g = d.guest()
        s, _ = busy(g)
        assert executor_of(d)
        d.guests.remove(g)
        g.close()
        eventually(lambda: not executor_of(d), "the executor is gone", 20)
        eventually(lambda: d.blocks() == 2 * MIB, "memory is back", 20)
        g = d.guest()
        assert g.read(R_GENERATION) == 1
        is_clean(d, g)
        busy(g)


def test_the_device_stops():
    with device() as d:
        g = d.guest()
        s, c = busy(g)
        d.process.send_signal(signal.SIGTERM)
        assert d.process.wait(30) == 0
        assert not executor_of(d) and not d.executors()
        assert c.lost in (0, 3), "the guest's driver finds ones in the registers"
        d.guests.remove(g)
        d.end = lambda: None


def test_failed_then_gone():
    with device() as d:
        g = d.guest()
        busy(g)
        g.put64(0, 1 << 40)
        g.write(R_BELL_CONTROL, 1)
        eventually(lambda: g.read(R_STATUS) == FAILED, "the device has failed")
        eventually(lambda: not executor_of(d), "the executor is gone", 20)
        d.guests.remove(g)
        g.close()
        g = d.guest()
        is_clean(d, g)


def test_no_descriptor_is_leaked():
    with device() as d:
        g = d.guest()
        most = None
        for i in range(6):
            g.open().close()
            busy(g)
            g.write(R_COMMAND, RESET)
            g.start()
            g.open().close()
            eventually(lambda: spares(d) == 1, "the spare executor is there again", 60)
            if i == 1:
                time.sleep(0.6)     # what was needed to start it is closed
                most = d.fds()
            elif most:
                eventually(lambda: spares(d) == 1 and d.fds() <= most, f"no more descriptors than {most}", 20)


def spares(d):
    """How many executors wait for a session."""
    return sum(name.startswith("tranche-execut") and state not in "ZX" for _, name, state in d.executors()) - len(executor_of(d))


if __name__ == "__main__":
    guest.vfu.main()
