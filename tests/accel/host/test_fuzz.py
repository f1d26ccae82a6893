#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The guest's driver with a good host: every call once, then calls at random.

TRANCHE_TEST_SECONDS: how long (20); TRANCHE_TEST_SEED: another one.
"""
import os
import random

import bench
from bench import bench as new_bench

SECONDS = int(os.environ.get("TRANCHE_TEST_SECONDS", "20"))
TRIES = 3       # of the second part: how much a machine does in that time depends on what else it does
SEED = int(os.environ.get("TRANCHE_TEST_SEED", "0")) or random.randrange(1, 1 << 32)
# What no run is without, so that none is shallow. (Elsewhere: refused by every driver, or rare.)
DEEP = ["open", "close", "GET_INFO", "GET_PROBE", "SESSION_CREATE", "SESSION_STATUS", "MEMORY_QUERY", "GEM_CREATE", "GEM_DESTROY", "GEM_INFO",
        "CONTEXT_CREATE", "CONTEXT_DESTROY", "EVENT_BLOCK_ADD", "OUTPUT_SET", "PROGRAM_QUERY", "WAKE", "DOORBELL", "EVENTFD", "version",
        "gem_close", "export", "import", "map_object", "map_channel", "map_dma_buf", "unmap", "touch", "submit", "fork", "fdinfo"]


def test_walk():
    with new_bench() as b:
        for _ in range(3):
            b.check_good()
            b.unbind()
        b.check_good()


def test_fuzz():
    print(f"# seed {SEED}", flush=True)
    # One thread first: what it finds can be repeated by its seed.
    with new_bench() as b:
        b.check_good()
        b.end_fuzz(b.start_fuzz(f"--threads 1 --seconds {SECONDS // 4} --seed {SEED}"), SECONDS + 60)
        b.check_log()
        shallow = set(DEEP)
        for n in range(TRIES):
            counts = b.end_fuzz(b.start_fuzz(f"--threads 4 --seconds {SECONDS - SECONDS // 4} --seed {SEED + n}"), SECONDS + 60)
            print("# " + " ".join(f"{name}:{done}/{done + refused}" for name, (done, refused) in counts.items()))
            b.check_log()
            shallow -= {name for name, (done, _) in counts.items() if done}
            if not shallow or SECONDS < 20:
                break
        assert not shallow or SECONDS < 20, f"never done in this run: {sorted(shallow)}"
        b.check_good()


def test_unbind_while_fuzzing():
    """The device goes while everything is in use; the module can be unloaded afterwards."""
    with new_bench() as b:
        for n in range(3):
            job = b.start_fuzz(f"--threads 3 --seconds 6 --seed {SEED + n}")
            b.guest.ok(f"sleep {1 + n}")
            b.unbind()
            b.end_fuzz(job, 60)
            b.check_log()
            b.heal()
            b.check_good()


def test_reset_while_fuzzing():
    """Resets by the guest and by the host, and the loss of sessions."""
    with new_bench() as b:
        job = b.start_fuzz(f"--threads 3 --seconds 10 --seed {SEED}")
        for n in range(4):
            b.guest.ok(f"sleep 1; echo 1 >/sys/bus/pci/devices/{bench.DEVICE}/reset", timeout=120)
            b.host.say("sleep 500", "lose 1", "lose 2", "lose 3", "sleep 500", "reset")
        b.end_fuzz(job, 90)
        b.check_log()
        b.heal()
        b.check_good()


if __name__ == "__main__":
    bench.main(280 + (2 + TRIES) * SECONDS)
