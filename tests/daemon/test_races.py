#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sixteen clients create, remove and unregister at the same time, by few names: no device is lost, none is there twice, counts are exact
(contract points C2, C3, C4, C5, C7, C8).

The event stream is the ledger: of each UUID "added" and "removed" take turns, there are as many "added" as creates that were answered
with success, and what it adds up to is what is there at the end, as a device and as a process."""
import collections
import os
import random
import threading
import uuid

import tranched
from tap import eventually
from tranched import Events, Refused, Tranched

RACES = int(os.environ.get("TRANCHE_TEST_RACES", "10000"))
SEED = int(os.environ.get("TRANCHE_TEST_SEED", str(random.SystemRandom().randrange(1 << 32))))
CLIENTS = 16
CREATE = {"EEXIST", "EUSERS", "ENODEV", "ENOENT", "EAGAIN"}
REMOVE = {"ENOENT", "ENODEV", "EAGAIN", "EALREADY"}
UNREGISTER = {"ENOENT", "ENODEV", "EEXIST", "EALREADY"}


class Client(threading.Thread):
    def __init__(self, t, number, share):
        super().__init__(daemon=True)
        self.rng, self.api, self.share = random.Random(SEED + number), t.api(timeout=120), share
        self.counts, self.error = collections.Counter(), None

    def allowed(self, what, refused, codes):
        self.counts[f"{what} {refused.errno}"] += 1
        assert refused.errno in codes, f"{what}: {refused}"
        assert refused.message, f"{what}: no sentence in {refused}"

    def create(self, u):
        body = {"uuid": u, "parent": self.rng.choice(("null0", "null1", "racer")), "type": self.share["type"]}
        try:
            answer = self.api.post("/v1/devices", body)
            assert answer["uuid"] == u and answer["state"] == "running", answer
            self.counts["created"] += 1
        except Refused as refused:
            self.allowed("create", refused, CREATE)

    def remove(self, u):
        try:
            self.api.delete(f"/v1/devices/{u}")
            self.counts["removed"] += 1
        except Refused as refused:
            self.allowed("remove", refused, REMOVE)

    def unregister(self):
        try:
            self.api.delete("/v1/parents/racer")
            self.counts["unregistered"] += 1
        except Refused as refused:
            self.allowed("unregister", refused, UNREGISTER)

    def register(self):
        try:
            self.api.post("/v1/parents", {"name": "racer", "driver": "null"})
            self.counts["registered"] += 1
        except Refused as refused:
            self.allowed("register", refused, UNREGISTER)

    def run(self):
        try:
            while True:
                with self.share["lock"]:
                    if self.share["left"] <= 0:
                        return
                    self.share["left"] -= 1
                u = self.rng.choice(self.share["uuids"])
                self.rng.choices((lambda: self.create(u), lambda: self.remove(u), self.unregister, self.register),
                                 (50, 42, 4, 4))[0]()
        except Exception as error:      # told by the main thread
            self.error = error
        finally:
            self.api.close()


def check_ledger(events, created):
    there = {}
    for seq, kind, what in events.of("device-added", "device-removed"):
        u = what["uuid"]
        if kind == "device-added":
            assert not there.get(u), f"{u} was added twice (event {seq})"
            assert what["state"] == "running", what
        else:
            assert there.get(u), f"{u} was removed and was not there (event {seq})"
        there[u] = kind == "device-added"
    numbers = [seq for seq, _, _ in events.seen]
    assert numbers == sorted(set(numbers)), "event numbers repeat or run backwards"
    added = len(events.of("device-added"))
    assert added == created, f"{created} creates were answered with success, {added} devices were added"
    return {u for u, is_there in there.items() if is_there}


def test_c02_c05_create_remove_unregister_races():
    print(f"# seed {SEED}")
    rng = random.Random(SEED)
    with Tranched() as t:
        t.start()
        api = t.api()
        events = Events(t.socket)
        share = {"lock": threading.Lock(), "left": RACES, "type": api.get("/v1/types?parent=null0")["types"][0]["name"],
                 "uuids": [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(24)]}
        api.post("/v1/parents", {"name": "racer", "driver": "null"})
        clients = [Client(t, i, share) for i in range(CLIENTS)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        for c in clients:
            if c.error:
                raise c.error
        counts = sum((c.counts for c in clients), collections.Counter())
        print("# " + ", ".join(f"{k} {v}" for k, v in sorted(counts.items())))
        assert counts["created"] and counts["removed"] and counts["unregistered"], "no race took place"

        devices = {d["uuid"] for d in api.get("/v1/devices")["devices"]}
        events.catch_up()
        assert check_ledger(events, counts["created"]) == devices, "the ledger does not add up"
        eventually(lambda: len(t.device_processes()) == len(devices), f"a process each: {t.device_processes()}", within=30)
        for u in devices:
            assert sum(u in line for line in t.device_processes().values()) == 1
            api.delete(f"/v1/devices/{u}")
        for parent in api.get("/v1/parents")["parents"]:
            assert parent["left"] == parent["capacity"] and parent["devices"] == 0, parent
        eventually(lambda: not t.device_processes(), "no process is left", within=30)
        assert not os.listdir(t.run / "devices"), os.listdir(t.run / "devices")
        events.stop()


if __name__ == "__main__":
    tranched.tap.main(seconds=900)
