#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tranched is killed with -9 at random points of many operations.  After each restart definitions and running devices are exactly
those that were acknowledged; of an operation that was under way either outcome is right, half of it is not.  Nothing is left over:
no process, no socket, no folder."""
import os
import random
import threading
import uuid

import tranched
from tap import eventually
from tranched import Gone, Refused, Tranched

OPERATIONS = int(os.environ.get("TRANCHE_TEST_OPERATIONS", "1000"))
SEED = int(os.environ.get("TRANCHE_TEST_SEED", str(random.SystemRandom().randrange(1 << 32))))
MAYBE = object()
TYPE = "null-small"     # of the driver null


class Model:
    """What was acknowledged: of definitions the VM's name, of devices that they run; MAYBE where nobody knows."""

    def __init__(self, rng):
        self.rng, self.defined, self.running = rng, {}, {}
        self.uuids = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(12)]

    def step(self, api):
        """One operation.  Return: its name when it was refused, or done; raises Gone with the model at MAYBE."""
        rng, u = self.rng, self.rng.choice(self.uuids)
        vm = f"vm{rng.randrange(1000)}"
        what = rng.choice(("define", "undefine", "modify", "start", "start", "stop", "adhoc"))
        before = (self.defined.get(u), self.running.get(u))
        try:
            if what == "define":
                api.post("/v1/definitions", {"uuid": u, "parent": "null0", "type": TYPE, "vm": vm})
                assert u not in self.defined, f"{u} was defined twice"
                self.defined[u] = vm
            elif what == "undefine":
                api.delete(f"/v1/definitions/{u}")
                assert u in self.defined, f"{u} was undefined and was not there"
                del self.defined[u]
            elif what == "modify":
                api.patch(f"/v1/definitions/{u}", {"vm": vm})
                assert u in self.defined
                self.defined[u] = vm
            elif what == "start":
                api.post(f"/v1/definitions/{u}/start")
                assert u in self.defined and u not in self.running
                self.running[u] = True
            elif what == "adhoc":
                api.post("/v1/devices", {"uuid": u, "parent": rng.choice(("null0", "null1")), "type": TYPE})
                assert u not in self.running, f"{u} was started twice"
                self.running[u] = True
            else:
                api.delete(f"/v1/devices/{u}")
                assert u in self.running, f"{u} was stopped and did not run"
                del self.running[u]
        except Refused as refused:
            expected = {"define": u in self.defined, "undefine": u not in self.defined, "modify": u not in self.defined,
                        "start": u not in self.defined or u in self.running, "adhoc": u in self.running,
                        "stop": u not in self.running}[what]
            assert expected, f"{what} {u} was refused: {refused}; defined {before[0]}, running {before[1]}"
        except Gone:
            # The old state, or the new one.
            if what in ("define", "undefine", "modify"):
                self.defined[u] = (MAYBE, before[0], None if what == "undefine" else vm)
            else:
                self.running[u] = MAYBE
            raise

    def settle(self, definitions, devices):
        """Compares with what is there; what was open is known now."""
        found = {d["uuid"]: d.get("vm") for d in definitions}
        for u, vm in list(self.defined.items()):
            if isinstance(vm, tuple):
                assert found.get(u) in vm[1:], f"{u}: {found.get(u)} is neither of {vm[1:]}"
                if u in found:
                    self.defined[u] = found[u]
                else:
                    del self.defined[u]
        assert found == self.defined, f"definitions differ: {sorted(found.items() ^ self.defined.items())}"
        running = {d["uuid"] for d in devices}
        for u, state in list(self.running.items()):
            if state is MAYBE:
                if u in running:
                    self.running[u] = True
                else:
                    del self.running[u]
        assert running == set(self.running), f"devices differ: {sorted(running ^ set(self.running))}"
        assert all(d["state"] == "running" for d in devices), devices


def nothing_is_left_over(t, running):
    def fits():
        lines = t.device_processes().values()
        sockets = {name[:-5] for name in os.listdir(t.run) if name.endswith(".sock") and name != "api.sock"}
        folders = set(os.listdir(t.run / "devices")) if (t.run / "devices").exists() else set()
        return len(lines) == len(running) and all(any(u in line for line in lines) for u in running) and \
            sockets == running and folders == running
    try:
        eventually(fits, "", within=20, every=0.05)
    except AssertionError:
        raise AssertionError(f"left over or missing: processes {t.device_processes()}, in the runtime folder {os.listdir(t.run)}, "
                             f"{os.listdir(t.run / 'devices')}; running {sorted(running)}; log {t.log_text()}") from None


def run_until_killed(t, model, delay):
    timer = threading.Timer(delay, lambda: t.process.kill())
    timer.start()
    done, api = 0, t.api()
    try:
        while True:
            model.step(api)
            done += 1
    except Gone:
        return done + 1
    finally:
        timer.cancel()
        api.close()
        t.process.kill()
        t.process.wait()


def test_killed_at_random_points():
    print(f"# seed {SEED}")
    rng = random.Random(SEED)
    model, done, kills = Model(rng), 0, 0
    with Tranched() as t:
        t.start()
        while done < OPERATIONS:
            done += run_until_killed(t, model, rng.uniform(0.0, 0.12))
            kills += 1
            t.start()
            api = t.api()
            model.settle(api.get("/v1/definitions")["definitions"], api.get("/v1/devices")["devices"])
            assert not api.get("/v1")["problems"], api.get("/v1")["problems"]
            nothing_is_left_over(t, set(model.running))
            api.close()
        print(f"# {done} operations, killed {kills} times; at the end {len(model.defined)} defined, {len(model.running)} running")
        api = t.api()
        for u in list(model.running):
            api.delete(f"/v1/devices/{u}")
        left = api.get("/v1/parents/null0")
        assert left["left"] == left["capacity"], left
        nothing_is_left_over(t, set())


def test_killed_while_starting():
    """Kills in the very moment of a start, where most can go wrong."""
    rng = random.Random(SEED)
    model = Model(rng)
    with Tranched() as t:
        for i in range(40):
            t.start()
            api, u = t.api(), model.uuids[i % len(model.uuids)]
            timer = threading.Timer(rng.uniform(0.0, 0.02), lambda: t.process.kill())
            timer.start()
            try:
                api.post("/v1/devices", {"uuid": u, "parent": "null0", "type": TYPE})
                known = True
            except Gone:
                known = None
            timer.join()
            t.process.wait()
            api.close()
            t.start()
            api = t.api()
            running = {d["uuid"] for d in api.get("/v1/devices")["devices"]}
            assert running == {u} if known else running <= {u}, (running, known)
            nothing_is_left_over(t, running)
            for one in running:
                api.delete(f"/v1/devices/{one}")
            api.close()
            nothing_is_left_over(t, set())
            t.kill()


def test_killed_with_everything():
    """Device processes that were killed while nobody looked are gone for the next tranched, too."""
    with Tranched() as t:
        t.start()
        api = t.api()
        uuids = [str(uuid.uuid4()) for _ in range(4)]
        for u in uuids:
            api.post("/v1/devices", {"uuid": u, "parent": "null0", "type": TYPE})
        t.kill()
        victim = uuids[1]
        for pid, line in t.device_processes().items():
            if victim in line:
                os.kill(pid, 9)
        eventually(lambda: not any(victim in line for line in t.device_processes().values()), "it is dead", within=20)
        t.start()
        api = t.api()
        assert {d["uuid"] for d in api.get("/v1/devices")["devices"]} == set(uuids) - {victim}
        nothing_is_left_over(t, set(uuids) - {victim})
        # And its UUID and share are free.
        api.post("/v1/devices", {"uuid": victim, "parent": "null0", "type": TYPE})


if __name__ == "__main__":
    tranched.tap.main(seconds=600)
