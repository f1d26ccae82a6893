#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The power fails while definitions are written: whatever was not synced may be lost, or be there in part.

A real tranched is traced while one client defines, modifies and undefines.  At points of the trace the disk is put together as it might be found
(fs_model.py), and another tranched is started on it.  No definition that was acknowledged may be lost or old, and none may be read that
nobody wrote: of an operation that was not answered yet either outcome is right."""
import json
import os
import random
import shutil
import uuid

import tranched
from fs_model import TRACED, Disk, whole_lines
from tranched import Refused, Tranched

OPERATIONS = int(os.environ.get("TRANCHE_TEST_CUT_OPERATIONS", "60"))
CUTS = int(os.environ.get("TRANCHE_TEST_CUTS", "120"))
SEED = int(os.environ.get("TRANCHE_TEST_SEED", str(random.SystemRandom().randrange(1 << 32))))


def why_not():
    if not shutil.which("strace"):
        return "strace is not installed"
    return None


def work(api, kind):
    """Return: for each operation that was answered, {uuid: vm} of all definitions after it."""
    rng, states, now = random.Random(SEED), [{}], {}
    uuids = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(6)]
    statuses = []
    for i in range(OPERATIONS):
        u, vm = rng.choice(uuids), f"vm{i}"
        try:
            if u not in now:
                api.post("/v1/definitions", {"uuid": u, "parent": "null0", "type": kind, "vm": vm})
                now = {**now, u: vm}
                statuses.append(201)
            elif rng.random() < 0.6:
                api.patch(f"/v1/definitions/{u}", {"vm": vm})
                now = {**now, u: vm}
                statuses.append(200)
            else:
                api.delete(f"/v1/definitions/{u}")
                now = {k: v for k, v in now.items() if k != u}
                statuses.append(204)
        except Refused as refused:
            raise AssertionError(f"operation {i}: {refused}") from refused
        states.append(now)
    return states, statuses


def look(folder, found):
    """What a tranched reads of such a disk: {uuid: vm}, and what it complains of."""
    with Tranched(name="after") as t:
        t.definitions.mkdir(mode=0o700)
        for name, data in found.items():
            (t.definitions / name).write_bytes(data)
        t.start()
        api = t.api()
        definitions = {d["uuid"]: d.get("vm") for d in api.get("/v1/definitions")["definitions"]}
        problems = api.get("/v1")["problems"]
        t.kill()
        return definitions, problems


def test_no_acknowledged_definition_is_lost():
    print(f"# seed {SEED}")
    rng = random.Random(SEED)
    trace = None
    with Tranched(name="cut") as t:
        trace = t.top / "trace"
        t.definitions.mkdir(mode=0o700)
        t.wrapper = ("strace", "-f", "-y", "-xx", "-s", "65536", "-e", "trace=" + TRACED, "-o", str(trace))
        t.start()
        api = t.api()
        kind = api.get("/v1/types?parent=null0")["types"][0]["name"]
        mark = "mark-" + uuid.uuid4().hex
        try:
            api.get("/v1/definitions/" + mark)      # a 400 or 404 that tells where the work begins
        except Refused:
            pass
        states, statuses = work(api, kind)
        api.close()
        tranched.eventually(lambda: trace.exists(), "a trace")
        for pid in os.listdir(f"/proc/{t.process.pid}/task/{t.process.pid}"):
            if pid == "children":
                break
        with open(f"/proc/{t.process.pid}/task/{t.process.pid}/children", encoding="ascii") as f:
            for child in f.read().split():
                os.kill(int(child), 15)
        t.process.wait(20)
        folder = os.path.realpath(t.definitions)
        lines = list(whole_lines(trace.read_text(encoding="ascii", errors="replace")))

    disk = Disk(folder, {})
    first = None
    points = []
    # Where something changed: one after the other, the disk is what it is after that line.
    changed_at = [i for i, line in enumerate(lines) if disk.feed(line)]
    assert disk.names, f"nothing was written to {folder}, or the trace is not understood"
    assert disk.answers[-len(statuses):] == statuses, (disk.answers, statuses)
    first = len(disk.answers) - len(statuses)
    chosen = set(rng.sample(changed_at, min(CUTS, len(changed_at))))

    disk = Disk(folder, {})
    for i, line in enumerate(lines):
        disk.feed(line)
        if i in chosen:
            answered = max(0, len(disk.answers) - first)
            points.append((answered, disk.after_cut(rng, rng.choice(("least", "most", "mixed", "mixed")))))
    nr_torn = 0
    for answered, found in points:
        definitions, problems = look(folder, found)
        right = states[answered:answered + 2]
        assert definitions in right, \
            f"after {answered} answers {definitions} was read, neither of {right}; the disk: { {n: d[:200] for n, d in found.items()} }"
        for name, data in found.items():
            torn = name.endswith(".json") and not is_json(data)
            nr_torn += torn
            assert not torn, f"{name} is a definition's name and holds half of one: {data[:200]}"
        assert not [p for p in problems if "definition" in json.dumps(p).lower()], problems
    print(f"# {len(lines)} calls, {len(changed_at)} points, {len(points)} power cuts, {nr_torn} torn files")


def is_json(data):
    try:
        json.loads(data)
        return True
    except ValueError:
        return False


def test_the_model_knows_a_careless_writer():
    """Without fsync the model must be able to lose and to tear: a test of the test."""
    folder = "/x/d"

    def hexed(text):
        return "".join(f"\\x{b:02x}" for b in text.encode())
    careless = [
        f'1 openat(AT_FDCWD, "{hexed("/x/d/a.json")}", O_WRONLY|O_CREAT|O_TRUNC, 0600) = 5<{hexed("/x/d/a.json")}>',
        f'1 write(5<{hexed("/x/d/a.json")}>, "{hexed("0123456789")}", 10) = 10',
        f'1 close(5<{hexed("/x/d/a.json")}>) = 0',
    ]
    synced = careless[:2] + [
        f'1 fsync(5<{hexed("/x/d/a.json")}>) = 0', careless[2],
        f'1 openat(AT_FDCWD, "{hexed("/x/d")}", O_RDONLY|O_DIRECTORY) = 6<{hexed("/x/d")}>',
        f'1 fsync(6<{hexed("/x/d")}>) = 0',
    ]
    rng, outcomes = random.Random(1), []
    for lines in (careless, synced):
        disk = Disk(folder, {})
        for line in lines:
            disk.feed(line)
        outcomes.append({disk.after_cut(rng, how).get("a.json") for how in ("least", "most", "mixed") * 20})
    assert None in outcomes[0] and any(o is not None and len(o) < 10 for o in outcomes[0]), outcomes[0]
    assert outcomes[1] == {b"0123456789"}, outcomes[1]


if __name__ == "__main__":
    tranched.tap.main(seconds=600, why_not=why_not)
