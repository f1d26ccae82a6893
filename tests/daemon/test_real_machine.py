#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compute devices of virtual machines under the real tranched: one capacity with those of programs, the parent's time and account for what a
guest runs, figures, restarts, and how one is taken from its machine."""
import contextlib
import os
import signal
import subprocess
import sys

os.environ.setdefault("TRANCHE_TEST_DEVICE", os.path.join(os.environ.get("TRANCHE_BUILD", "build"), "src/device/tranche-device"))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compute-pci"))
import guest  # noqa: E402
import tranched  # noqa: E402
from guest import LEAVE, R_QUOTA, R_STATUS, SERVICE, Guest, handle  # noqa: E402
from real import Later, U, device, refused  # noqa: E402
from tap import eventually  # noqa: E402
from tranched import Tranched  # noqa: E402
import vfu  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30
CONFIG = """[daemon]
find-opencl = no

[parent cpu0]
driver = compute
host-device = 0
memory = 1G
"""
SPIN = "kernel void spin(global int *a, int n) { int x = a[0]; for (int i = 0; i < n; i++) x = x * 1664525 + 1013904223; a[get_global_id(0)] = x; }"
BUFFERS = 16 * MIB


@contextlib.contextmanager
def daemon():
    with Tranched(CONFIG, name="vm") as t:
        t.start()
        yield t


def for_machine(api, u, memory=256 * MIB, **more):
    return device(api, u, "cpu0", "compute-pci", memory=memory, **more)


@contextlib.contextmanager
def machine(path, **options):
    g = Guest(vfu.Client(path), **options)
    try:
        yield g
    finally:
        g.close()


def left(api):
    return api.get("/v1/parents/cpu0")["left"]


def stats(api, u):
    return api.get(f"/v1/devices/{u}")["stats"]


def program(g, number=1):
    """A session that can run kernels."""
    s = g.open(number)
    s.segment(0, 8 * MIB, SERVICE)
    s.segment(BUFFERS, MIB)
    c = s.context(0)
    guest.build(s, handle(1), SPIN)
    c.send(guest.queue_create(handle(1), handle(0), s.seq), guest.buffer_create(handle(1), BUFFERS, 4096, s.seq),
           guest.kernel_create(handle(1), handle(1)))
    return s, c


def launch(c, number, loops=20_000_000):
    c.send(guest.ndrange(handle(1), number, handle(1), 16, [handle(1)], values=[loops]))


def test_types_and_capacity():
    """C32, C4: of one parent, beside those of programs, and counted with them."""
    with daemon() as t:
        api = t.api()
        kinds = {k["name"]: k for k in api.get("/v1/types?parent=cpu0")["types"]}
        assert kinds["compute-pci"]["device_api"] == "vfio-pci" and kinds["compute-custom"]["device_api"] == "compute"
        assert kinds["compute-pci"]["adjustable"] == ["memory", "time"]
        d = for_machine(api, U[0], time=40)
        assert d["device_api"] == "vfio-pci" and d["memory"] == 256 * MIB and d["time"] == 40
        device(api, U[1], "cpu0", "compute-512m")
        assert left(api) == {"memory": 256 * MIB, "time": 600}
        refused(lambda: for_machine(api, U[2], 512 * MIB), "EUSERS", status=507)
        api.patch(f"/v1/devices/{U[0]}", {"memory": 512 * MIB})
        assert left(api)["memory"] == 0
        refused(lambda: device(api, U[2], "cpu0", "compute-256m"), "EUSERS")
        api.delete(f"/v1/devices/{U[1]}")
        for_machine(api, U[2], 128 * MIB)
        refused(lambda: device(api, U[3], "cpu0", "compute-pci", lifetime="process", time=70), "EUSERS")
        for u in (U[0], U[2]):
            api.delete(f"/v1/devices/{u}")
        assert left(api) == {"memory": GIB, "time": 1000}


def test_a_guest_at_work():
    """What it runs is accounted, and seen in figures and metrics."""
    with daemon() as t:
        api = t.api()
        d = for_machine(api, U[0], vm="web1")
        with machine(d["socket"]) as g:
            assert g.read64(R_QUOTA) == 256 * MIB
            s, c = program(g)
            eventually(lambda: (x := stats(api, U[0]))["executors_now"] == x["sessions_now"] == 1, "the executor is counted", 20)
            eventually(lambda: api.get(f"/v1/devices/{U[0]}")["in_use"], "it is in use", 20)
            for n in range(1, 4):
                launch(c, n)
            eventually(lambda: c.commands == 3, "the kernels have run", 60)
            def is_accounted():
                now = stats(api, U[0])
                return (now["busy_ns"] > 0 and now["commands"] and now["used"] == MIB and now["traps"] > 10 and now["doorbells"] and
                        now["interrupts"])
            eventually(is_accounted, "it is accounted", 20)
            api.patch(f"/v1/devices/{U[0]}", {"memory": 128 * MIB})
            eventually(lambda: g.read64(R_QUOTA) == 128 * MIB, "the guest is told")
            metrics = metrics_of(api)
            for name in ("traps", "doorbells", "interrupts"):
                line = [x for x in metrics.splitlines() if x.startswith(f"tranche_device_{name}_total{{")]
                assert len(line) == 1 and U[0] in line[0] and int(line[0].split()[-1]) > 0, (name, line)
            s.close()
            eventually(lambda: stats(api, U[0])["executors_now"] == 0, "the program is gone", 20)
        eventually(lambda: not api.get(f"/v1/devices/{U[0]}")["in_use"], "the machine is gone")
        eventually(lambda: stats(api, U[0])["used"] == 0, "its memory is given back", 20)


def test_turns():
    """C33: two machines that want the host's device at the same time wait for each other, by the parent's schedule."""
    with daemon() as t:
        api = t.api()
        api.patch("/v1/parents/cpu0/schedule", {"policy": "equal", "slice_ms": 2})
        with contextlib.ExitStack() as stack:
            contexts = []
            for u in U[:2]:
                g = stack.enter_context(machine(for_machine(api, u)["socket"]))
                contexts.append(program(g)[1])
            for n in range(1, 4):
                for c in contexts:
                    launch(c, n)
            eventually(lambda: all(c.commands == 3 for c in contexts), "both are done", 120)
            for u in U[:2]:
                # Figures come once a second: the last ones are waited for.
                eventually(lambda u=u: (x := stats(api, u))["slices"] > 0 and x["wait_ns"] > 0, "it had turns, and waited for them", 20)


def metrics_of(api):
    status, _, data = api.raw("GET", "/metrics")
    assert status == 200
    return data.decode()


def test_figures_of_others_are_left_out():
    with daemon() as t:
        api = t.api()
        device(api, U[0], "cpu0", "compute-256m")
        assert "traps" not in stats(api, U[0])
        assert "tranche_device_traps" not in metrics_of(api)


def test_over_a_restart_of_tranched():
    """C21: the guest goes on, and is found again as what it is."""
    with daemon() as t:
        api = t.api()
        api.post("/v1/definitions", {"uuid": U[0], "parent": "cpu0", "type": "compute-pci", "memory": 384 * MIB, "time": 20})
        d = api.post(f"/v1/definitions/{U[0]}/start")
        with machine(d["socket"]) as g:
            _, c = program(g)
            for number in (signal.SIGKILL, signal.SIGTERM):
                t.kill(number)
                launch(c, c.commands + 1, 1000)
                t.start()
                api = t.api()
                again = api.get(f"/v1/devices/{U[0]}")
                assert again["pid"] == d["pid"] and again["type"] == "compute-pci" and again["device_api"] == "vfio-pci"
                assert again["memory"] == 384 * MIB and again["time"] == 20 and left(api) == {"memory": 640 * MIB, "time": 800}
                assert eventually(lambda: api.get(f"/v1/devices/{U[0]}")["in_use"], "it is known to be in use")
                assert g.read(R_STATUS) & guest.RUNNING and c.lost == 0
        api.delete(f"/v1/devices/{U[0]}?policy=ask&timeout_ms=10000")


def test_stop():
    """C6, C7: refused with who has it, asked for with STATUS, taken by force; the guest may stay when who asked gives up."""
    with daemon() as t:
        api = t.api()
        d = for_machine(api, U[0])
        with machine(d["socket"]) as g:
            said = refused(lambda: api.delete(f"/v1/devices/{U[0]}"), "EBUSY", status=409)
            assert "in use" in str(said)
            refused(lambda: api.delete(f"/v1/devices/{U[0]}?policy=ask&timeout_ms=300"), "ETIMEDOUT")
            eventually(lambda: not g.read(R_STATUS) & LEAVE, "it may stay")
            later = Later(t, "DELETE", f"/v1/devices/{U[0]}?policy=ask&timeout_ms=30000")
            eventually(lambda: g.read(R_STATUS) & LEAVE, "the guest is asked")
            assert later.is_alive()
        later.get()
        assert left(api)["memory"] == GIB
        d = for_machine(api, U[0])
        g = Guest(vfu.Client(d["socket"]))
        try:
            program(g)
            api.delete(f"/v1/devices/{U[0]}?policy=force")
            assert g.client.is_gone()
        finally:
            g.close()
        assert left(api)["memory"] == GIB and not os.path.exists(d["socket"])


def test_parent_process_dies():
    """tranche-parent is killed: the guest's session is lost, the device goes on, and the next session works."""
    with daemon() as t:
        api = t.api()
        d = for_machine(api, U[0])
        with machine(d["socket"]) as g:
            s, c = program(g)
            os.kill(api.get("/v1/parents/cpu0")["pid"], signal.SIGKILL)
            eventually(lambda: c.lost, "the session is lost", 20)
            assert g.lost(1)
            s.close()
            _, c = program(g)
            launch(c, 1, 1000)
            eventually(lambda: c.commands == 1, "the next one works", 60)


def test_device_process_dies():
    with daemon() as t:
        api = t.api()
        d = for_machine(api, U[0])
        g = Guest(vfu.Client(d["socket"]))
        try:
            program(g)
            os.kill(d["pid"], signal.SIGKILL)
            assert g.client.is_gone()
        finally:
            g.close()
        eventually(lambda: not api.get("/v1/devices")["devices"], "tranched has noticed")
        assert left(api)["memory"] == GIB
        for_machine(api, U[0])


def test_attach():
    """tranche attach sees by itself what a socket's device is."""
    tranche = tranched.BUILD / "src/cli/tranche"
    if not tranche.exists():
        return
    with daemon() as t:
        api = t.api()
        d = for_machine(api, U[0])
        done = subprocess.run([tranche, "attach", "-p", "qemu", d["socket"]], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0 and d["socket"] in done.stdout and "tranche_accel" in done.stderr and "share" not in done.stderr, done


if __name__ == "__main__":
    tranched.tap.main(seconds=110)
