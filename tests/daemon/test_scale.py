#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two hundred definitions, sixty-four devices running at the same time, of several sizes on one parent (contract points C32, C33)."""
import concurrent.futures
import os
import uuid

import tranched
from tap import eventually
from tranched import Refused, Tranched

CONFIG = """[daemon]
find-opencl = yes

[parent null0]
driver = null
"""
MIB = 1 << 20


def test_two_hundred_defined_sixty_four_started():
    with Tranched(CONFIG, name="scale") as t:
        t.start(within=60)
        api = t.api()
        parents = {p["name"]: p for p in api.get("/v1/parents")["parents"]}
        compute = next((name for name, p in parents.items() if p["driver"] == "compute"), None)
        assert compute, f"no OpenCL device of this host was found: {parents}"
        null_type = api.get("/v1/types?parent=null0")["types"][0]["name"]
        uuids = [str(uuid.uuid4()) for _ in range(200)]
        for i, u in enumerate(uuids):
            if i % 2:
                body = {"uuid": u, "parent": "null0", "type": null_type}
            else:
                body = {"uuid": u, "parent": compute, "type": "compute-custom", "memory": (16 + 16 * (i % 5)) * MIB}
            api.post("/v1/definitions", dict(body, vm=f"vm{i}"))
        assert len(api.get("/v1/definitions")["definitions"]) == 200

        def start(u):
            one = t.api(timeout=60)
            try:
                return one.post(f"/v1/definitions/{u}/start")
            finally:
                one.close()
        chosen = uuids[:64]
        before = api.get(f"/v1/parents/{compute}")["left"]["memory"]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            started = list(pool.map(start, chosen))
        assert all(d["state"] == "running" for d in started)
        assert len({d["pid"] for d in started}) == 64
        assert all(os.path.exists(d["socket"]) for d in started)
        devices = {d["uuid"]: d for d in api.get("/v1/devices")["devices"]}
        assert set(devices) == set(chosen)
        taken = sum(d["memory"] or 0 for d in devices.values() if d["parent"] == compute)
        assert before - api.get(f"/v1/parents/{compute}")["left"]["memory"] == taken, "the parts add up to what is missing"
        for i, u in enumerate(chosen):
            assert devices[u]["vm"] == f"vm{i}" and devices[u]["defined"]

        # A start that is not possible leaves everything as it was.
        for u in chosen[:2]:
            try:
                start(u)
                raise AssertionError("started twice")
            except Refused as refused:
                assert refused.errno == "EEXIST", refused
        assert len(api.get("/v1/devices")["devices"]) == 64

        # All come back after a restart of the daemon.
        t.kill()
        t.start(within=60)
        api = t.api()
        again = {d["uuid"]: d for d in api.get("/v1/devices")["devices"]}
        assert {u: d["pid"] for u, d in again.items()} == {u: d["pid"] for u, d in devices.items()}
        assert before - api.get(f"/v1/parents/{compute}")["left"]["memory"] == taken
        for u in chosen:
            api.delete(f"/v1/devices/{u}")
        assert api.get(f"/v1/parents/{compute}")["left"]["memory"] == before
        eventually(lambda: not t.device_processes(), "all have ended", within=10)


if __name__ == "__main__":
    tranched.tap.main(seconds=300)
