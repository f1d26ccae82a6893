#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One tenant's endless kernel over the real tranched (contract points C33, C34): another one goes on, the daemon answers, the accounts say who
it was, and it can be taken away by force.  bench/shares.c is the program of both."""
import contextlib
import os
import select
import subprocess
import time

import real
import tranched
from real import U, device, refused
from tap import eventually
from tranched import Tranched

MIB = 1 << 20
SHARES = tranched.BUILD / "bench/bench-shares"
LIBRARY = tranched.BUILD / "src/opencl/libtranche-opencl.so"
CONFIG = """[daemon]
find-opencl = no

[parent cpu0]
driver = compute
host-device = 0
memory = 1G
policy = equal
slice = 5
"""
ROUNDS = "200000"       # a kernel of about a millisecond a processor
GAP = 5.0               # seconds that a busy machine may take from who waits for its turn


def why_not():
    for path in SHARES, LIBRARY:
        if not path.exists():
            return f"{path} was not built"
    with Tranched(CONFIG, name="stall") as t:
        t.start(within=40)
        if not any(p["host_device"] for p in t.api().get("/v1/parents")["parents"]):
            return "this host has no OpenCL device"
    return None


class Program:
    """bench-shares on a device."""

    def __init__(self, t, d, *arguments):
        vendors = t.top / "v"
        vendors.mkdir(exist_ok=True)
        (vendors / "tranche.icd").write_text(f"{LIBRARY.resolve()}\n")
        env = dict(os.environ, TRANCHE_DEVICE=d["socket"], OCL_ICD_VENDORS=str(vendors), OPENCL_VENDOR_PATH=str(vendors), TRANCHE_QUIET="1")
        env.pop("OCL_ICD_FILENAMES", None)
        self.process = subprocess.Popen([SHARES, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)

    def wait_until_begun(self, within=30):
        assert select.select([self.process.stdout], [], [], within)[0], "it has not begun"
        line = self.process.stdout.readline()
        assert line.startswith("start"), (line, self.process.stderr.read())
        return int(line.split()[1]) / 1e9

    def finish(self, within=40):
        """When its kernels had ended."""
        out, err = self.process.communicate(timeout=within)
        assert self.process.returncode == 0, err
        return [int(line.split()[1]) / 1e9 for line in out.splitlines() if line.startswith("done ")]

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def with_endless(policy="equal"):
    with Tranched(CONFIG, name="stall") as t:
        t.start(within=40)
        api = t.api()
        api.patch("/v1/parents/cpu0/schedule", {"policy": policy})
        greedy = device(api, U[0], "cpu0", "compute-custom", memory=128 * MIB)
        modest = device(api, U[1], "cpu0", "compute-custom", memory=128 * MIB)
        endless = Program(t, greedy, "endless")
        try:
            eventually(lambda: api.get(f"/v1/devices/{U[0]}")["stats"]["busy_ns"] > 2e8, "its kernel runs", within=30, every=0.1)
            assert endless.process.poll() is None, endless.process.stderr.read()
            yield t, api, modest, endless
        finally:
            endless.end()


def longest_gap(start, done, end):
    times = [start, *done, end]
    return max(b - a for a, b in zip(times, times[1:]))


def test_c34_an_endless_kernel_does_not_stall_another():
    """C34: who comes later is compiled for and gets its turns, steadily; nothing of the daemon waits."""
    with with_endless() as (t, api, modest, endless):
        program, slowest = Program(t, modest, "load", ROUNDS, "4"), 0
        try:
            start = program.wait_until_begun()
            while program.process.poll() is None and time.monotonic() < start + 30:
                before = time.monotonic()
                devices = {d["uuid"]: d for d in api.get("/v1/devices")["devices"]}
                slowest = max(slowest, time.monotonic() - before)
                assert all(d["state"] == "running" for d in devices.values())
                time.sleep(0.1)
            done = program.finish()
            print(f"# {len(done)} kernels, longest gap {longest_gap(start, done, done[-1]):.2f} s, slowest answer {slowest * 1000:.0f} ms")
            assert len(done) >= 20 and longest_gap(start, done, done[-1]) < GAP and slowest < 2
            assert endless.process.poll() is None
            # Figures come once a second; the end of a session brings the last ones.
            eventually(lambda: not api.get(f"/v1/devices/{U[1]}")["stats"]["sessions_now"], "its session has ended", within=30, every=0.1)
            greedy, modest = (api.get(f"/v1/devices/{u}")["stats"] for u in U[:2])
            # C33: and everybody sees who it was.
            assert greedy["busy_ns"] > 0 and greedy["stops"] > 0 and modest["stops"] <= greedy["stops"], (greedy, modest)
            assert modest["busy_ns"] > 0 and modest["commands"] >= len(done) and modest["wait_ns"] > 0, modest
            assert greedy["commands"] < 20, greedy
        finally:
            program.end()


def test_c34_who_hangs_can_be_taken_away():
    """C34, C6: refused while it is in use, by its program's name; by force at once; the other one has all of the host device then."""
    with with_endless() as (t, api, modest, endless):
        r = refused(lambda: api.delete(f"/v1/devices/{U[0]}"), "EBUSY")
        assert str(endless.process.pid) in r.message, r
        refused(lambda: api.delete(f"/v1/devices/{U[0]}?policy=ask&timeout_ms=300"), "ETIMEDOUT")
        program = Program(t, modest, "load", ROUNDS, "3")
        try:
            program.wait_until_begun()
            before = time.monotonic()
            api.delete(f"/v1/devices/{U[0]}?policy=force")
            took = time.monotonic() - before
            assert took < 8, f"by force took {took:.1f} s"
            assert len(program.finish()) >= 10
            assert {d["uuid"] for d in api.get("/v1/devices")["devices"]} == {U[1]}
            left = api.get("/v1/parents/cpu0")
            assert left["capacity"]["memory"] - left["left"]["memory"] == 128 * MIB
            eventually(lambda: not [line for line in t.processes().values() if U[0] in line], "no process of it is left")
            eventually(lambda: api.get("/v1/parents/cpu0")["use"] < 0.5, "the host device is idle", within=20, every=0.2)
        finally:
            program.end()


def test_c34_a_hung_device_process_stalls_nobody():
    """C34: a device process that does not answer: others start, run and stop, and it can be ended by force."""
    with Tranched(CONFIG, name="stall") as t:
        t.start(within=40)
        api = t.api()
        hung = device(api, U[0], "cpu0", "compute-custom", memory=128 * MIB)
        os.kill(hung["pid"], 19)
        before = time.monotonic()
        d = device(api, U[1], "cpu0", "compute-custom", memory=128 * MIB)
        program = Program(t, d, "load", ROUNDS, "1")
        try:
            program.wait_until_begun()
            assert program.finish()
        finally:
            program.end()
        eventually(lambda: not api.get(f"/v1/devices/{U[1]}")["in_use"], "its program has left", within=20)
        api.delete(f"/v1/devices/{U[1]}")
        assert time.monotonic() - before < 40
        api.delete(f"/v1/devices/{U[0]}?policy=force")
        left = api.get("/v1/parents/cpu0")
        assert left["left"] == left["capacity"]
        eventually(lambda: not t.device_processes(), "no process is left")


if __name__ == "__main__":
    tranched.tap.main(seconds=58, why_not=why_not)
