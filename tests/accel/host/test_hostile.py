#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A host that lies in every field that the guest's driver reads: the guest stays up, with an error in place of a hang.

Each case: faults, then the driver tries the device and every call is made once; then a good host again, and from time to time
all must be well again.  TRANCHE_TEST_SEED: for what is random.
"""
import os
import random

import bench
from bench import bench as new_bench

SEED = int(os.environ.get("TRANCHE_TEST_SEED", "0")) or random.randrange(1, 1 << 32)
ONES32, ONES64 = (1 << 32) - 1, (1 << 64) - 1
MAGIC, VERSION, OLDEST, STATUS, FEATURES, NONCE, GENERATION, NR_SESSIONS = 0x00, 0x04, 0x08, 0x0c, 0x10, 0x18, 0x20, 0x24
CONTROL_SIZE, PROBE_OFFSET, PROBE_LEN, SHARED_OFFSET, SHARED_SIZE = 0x38, 0x40, 0x44, 0x48, 0x50
WINDOWS_OFFSET, WINDOW_SIZE, WINDOW_ALIGN, QUOTA, SERVICE, DRIVER_VERSION, DRIVER_FEATURES = 0x58, 0x60, 0x68, 0x70, 0x78, 0x100, 0x104
MIB = 1 << 20
APERTURE = 1024 * MIB
OPEN, CLOSE, SEGMENT_CREATE, SEGMENT_DESTROY, CONTEXT_CREATE, CONTEXT_DESTROY, BLOCK, OUTPUT, BUILD, QUERY, MEMORY = \
    32, 33, 3, 4, 5, 6, 7, 8, 9, 10, 11
SHARED_CREATE, SHARED_DESTROY, SHARED_ATTACH, SHARED_DETACH, LOST = 34, 35, 36, 37, 12
REPLIES = [OPEN, CLOSE, SEGMENT_CREATE, SEGMENT_DESTROY, CONTEXT_CREATE, CONTEXT_DESTROY, BLOCK, OUTPUT, BUILD, QUERY, MEMORY,
           SHARED_CREATE, SHARED_DESTROY, SHARED_ATTACH, SHARED_DETACH]
REQUEST_CONSUMER, REPLY_PRODUCER, PENDING = 0x1000, 0x1040, 0x2000


def reg64(at, value):
    return [f"reg {at:#x} {value & ONES32:#x}", f"reg {at + 4:#x} {value >> 32:#x}"]


def one(b, before=(), during=(), may_bind=True, may_wait=False):
    """One case. may_bind: False: the driver must not take the device; None: it may or may not; True: it must."""
    if before:
        b.host.say(*before)
    taken = b.bind()
    assert may_bind is None or taken == may_bind, f"{before}: the driver {'takes' if taken else 'does not take'} the device"
    if taken:
        job = b.guest.launch(f"fuzz --walk {bench.NODE}") if during else None
        for line in during:
            b.host.say(line)
        if job:
            status, output = job.wait(60 * bench.SLOW)
            assert status in (0, 1), f"{during}: exit status {status}\n{output}"
        else:
            b.walk(may_wait=may_wait)
    b.heal()


def all_cases(b, cases, **how):
    for n, case in enumerate(cases):
        try:
            one(b, *case, **how)
            if n % 8 == 7:
                b.check_log()
        except (AssertionError, bench.GuestError) as error:
            raise AssertionError(f"case {n}, {case}: {error}") from error
    b.check_log()
    b.check_good()
    b.unbind()


def test_registers():
    """What START is refused for."""
    bad = [[f"reg {MAGIC} {v}"] for v in (0, 1, ONES32, 0x5452434e)]
    bad += [[f"reg {VERSION} 0"], [f"reg {VERSION} 2", f"reg {OLDEST} 2"], [f"reg {OLDEST} {ONES32}"], [f"reg {VERSION} 0", f"reg {OLDEST} 0"]]
    bad += [[f"reg {NR_SESSIONS} {v}"] for v in (0, 65, 1 << 31, ONES32)]
    bad += [[f"reg {WINDOW_ALIGN} {v}"] for v in (0, 1, 3, 2048, 3 * MIB, ONES32, 1 << 31)]
    bad += [[f"reg {CONTROL_SIZE} {v}"] for v in (0, 4096, 0x2ffff, ONES32, 2 * APERTURE)]
    bad += [[f"reg {PROBE_OFFSET} {v}"] for v in (2 * MIB + 1, ONES32)]
    bad += [reg64(SHARED_OFFSET, v) for v in (0, 4096, 2 * MIB + 1, APERTURE, APERTURE - 4096, ONES64, ONES64 - 4095, 1 << 63)]
    bad += [reg64(SHARED_SIZE, v) for v in (1, 4095, 65 * MIB, APERTURE, ONES64, ONES64 - 2 * MIB + 1, 1 << 63)]
    bad += [reg64(WINDOWS_OFFSET, v) for v in (0, MIB, 4 * MIB, 66 * MIB + 4096, APERTURE, 2 * APERTURE, ONES64, 1 << 63, ONES64 - 2 * MIB + 1)]
    bad += [reg64(WINDOW_SIZE, v) for v in (0, 1, MIB, 2 * MIB + 4096, 2 * APERTURE, ONES64, 1 << 63)]
    bad += [reg64(NONCE, 0), [f"reg {DRIVER_VERSION} 0"], [f"reg {DRIVER_VERSION} 7"], [f"reg {DRIVER_FEATURES} 0xff"],
            [f"reg {STATUS} 1"], [f"reg {STATUS} {ONES32}"], ["ones"]]
    with new_bench() as b:
        all_cases(b, [(lines,) for lines in bad], may_bind=False)


def test_registers_odd():
    """What may be, though it is strange; and what changes between two looks."""
    odd = [[f"reg {VERSION} 9"], [f"reg {VERSION} {ONES32}"], reg64(FEATURES, ONES64 - 1 - 4), reg64(FEATURES, 0),
           [f"reg {NR_SESSIONS} 1"], reg64(QUOTA, 0), reg64(QUOTA, ONES64), reg64(SERVICE, 0), reg64(SERVICE, ONES64), reg64(SHARED_SIZE, 0),
           [f"reg {PROBE_LEN} {ONES32}"], [f"reg {PROBE_LEN} {MIB + 1}"], [f"reg {PROBE_LEN} {MIB}"], [f"reg {PROBE_OFFSET} {2 * MIB}"],
           reg64(WINDOW_SIZE, 2 * MIB), reg64(WINDOW_SIZE, 512 * MIB), reg64(WINDOWS_OFFSET, APERTURE - 2 * MIB),
           [f"reg {STATUS} 0x3 skip=1"], [f"reg {STATUS} 0x13 skip=2"], [f"reg {STATUS} 0xb skip=2"], [f"reg {STATUS} {ONES32} skip=2"],
           [f"reg {STATUS} {ONES32} skip=3 times=2"], [f"reg {STATUS} 0x7 skip=2"], [f"reg {STATUS} 0 skip=3"], [f"reg {GENERATION} random"],
           [f"reg {MAGIC} 0 skip=1"], ["reset"], ["reset", "ones", "sleep 30", "back"]]
    registers = [MAGIC, VERSION, OLDEST, STATUS, NR_SESSIONS, CONTROL_SIZE, PROBE_OFFSET, PROBE_LEN, SHARED_OFFSET, SHARED_OFFSET + 4, SHARED_SIZE,
                 SHARED_SIZE + 4, WINDOWS_OFFSET, WINDOWS_OFFSET + 4, WINDOW_SIZE, WINDOW_SIZE + 4, WINDOW_ALIGN, NONCE, GENERATION]
    odd += [[f"random 0 {SEED + at}", f"reg {at} random"] for at in registers if at != STATUS]
    odd += [["random 0 {SEED}", *(f"reg {at} random skip={at % 3} times=1" for at in registers[7:])]]
    with new_bench() as b:
        all_cases(b, [(lines,) for lines in odd], may_bind=None)


def test_large_areas():
    """Sizes that are possible in a large aperture alone: the guest's memory is not the host's to take."""
    with new_bench("--aperture", "8192") as b:
        b.host.say(f"reg {CONTROL_SIZE} 0xc0000000", f"reg {PROBE_LEN} 0xa0000000", *reg64(SHARED_SIZE, 0), *reg64(WINDOWS_OFFSET, 4096 * MIB))
        assert b.bind()
        assert "GET_PROBE: No data available" in b.walk()[1]
        b.heal()
        b.host.say(*reg64(WINDOW_SIZE, 4096 * MIB))
        assert b.bind()
        b.walk()
        b.heal()
        b.check_good()


def test_capability():
    """What is not this device, or says that it is another one."""
    with new_bench() as b:
        cap = int(b.guest.ok(f"hexdump -v -s 52 -n 1 -e '1/1 \"%d\"' /sys/bus/pci/devices/{bench.DEVICE}/config"))
        config = b.guest.read(f"/sys/bus/pci/devices/{bench.DEVICE}/config")
        while config[cap] != 9:
            cap = config[cap + 1]
        head, magic = (int.from_bytes(config[at:at + 4], "little") for at in (cap, cap + 4))
        for at, value in ((cap, head & 0xff00ffff), (cap, head & 0xff00ffff | 8 << 16), (cap + 4, 0), (cap + 4, ONES32)):
            b.host.say(f"config {at} {value}")
            assert not b.bind(), f"the driver takes a device with {value:#x} at {at:#x}"
            b.host.say(f"config {cap} {head}", f"config {cap + 4} {magic}")
        b.check_good()


def test_never_ready():
    with new_bench() as b:
        for value in (0, 8, 4):
            one(b, [f"reg {STATUS} {value}"], may_bind=False)
        b.check_good()


def test_replies():
    """Each field of each reply, wrong once."""
    cases = []
    for kind in REPLIES:
        for fault in ("session +1", "reserved 1", "type +1", "len +8", "id +1"):
            cases.append(([f"reply {fault} type={kind} times=1"],))
    for kind in (OPEN, SEGMENT_CREATE, CONTEXT_CREATE, CLOSE):
        for fault in ("session 0", f"session {ONES32}", "type 0", f"type {LOST}", "len 0", "len 24", f"len {ONES32}", "len 2048", "len 25", "id 0",
                      f"id {ONES64}", "status 1", "status 28", "status 11", "status 4", "status 512", f"status {ONES32}", "status 0x80000000",
                      "flags 1", "fill 0xff", "fill 0", "fill random", f"producer +{1 << 63}", "producer +31", "producer +33",
                      f"producer {ONES64}", "twice"):
            cases.append(([f"reply {fault} type={kind} times=1"],))
    # A position that goes backwards, and a reply behind the next one: there is none, so these wait for the driver's time limit.
    cases += [([f"reply producer 0 type={SEGMENT_CREATE} times=1"],), ([f"reply producer 0 type={OPEN} times=1"],),
              ([f"reply keep type={OPEN} times=1"],)]
    with new_bench() as b:
        all_cases(b, cases)


def test_nonsense_in_replies():
    """Bodies: numbers that the driver gives to programs, and uses itself."""
    cases = [([f"reply body {value} at={at} type={kind}"],) for kind, bodies in
             ((OPEN, 6), (SEGMENT_CREATE, 2), (MEMORY, 4), (BUILD, 1), (QUERY, 1), (SHARED_CREATE, 2), (SHARED_ATTACH, 2))
             for at in range(0, 8 * bodies, 8) for value in (0, ONES64)]
    chances = [([f"random {percent} {SEED + n}"],) for n, percent in enumerate((5, 10, 20, 50, 100, 5, 5, 10, 10, 20))]
    with new_bench() as b:
        all_cases(b, cases)
        all_cases(b, chances, may_wait=True)    # (some take an answer away)


def test_silence():
    """No answer at all: an error after the driver's time limit; a program that is killed ends at once."""
    with new_bench() as b:
        for kind in (OPEN, CONTEXT_DESTROY, CLOSE):
            b.host.say(f"reply drop type={kind}")
            assert b.bind()
            job = b.guest.launch(f"fuzz --walk {bench.NODE} & p=$!; sleep 3; kill -9 $p; wait $p; echo $?")
            status, output = job.wait(25 * bench.SLOW)
            assert status == 0, output
            b.heal()
            b.check_good()
            b.unbind()
            b.check_log()


def test_lost():
    """News of ends that are none, of nobody, twice, with any text; at any moment."""
    def lost(session, status=0, reserved=0, size=552, fill=0x41):
        return f"slot {session} {reserved} {LOST} {size} 0 {status} 0 {fill}"

    at_rest = [lost(1), lost(2), lost(0), lost(65), lost(ONES32), lost(64), lost(1, status=5), lost(1, size=24), lost(1, size=544),
               lost(1, fill=0x1b), lost(1, fill=0), lost(1, fill=0xff), lost(1, reserved=1), f"slot 1 0 {LOST | 1 << 31} 552 0 0 0 65",
               f"slot 1 0 {OPEN | 1 << 31} 72 1 0 0 0", "slot 0 0 0 0 0 0 0 0", "slot 0 0 0 0 12345 0 0 0"]
    cases = [([], [line, line]) for line in at_rest]
    cases += [([], [f"sleep {ms}", lost(1), lost(1), "lose 1", "lose 2", lost(2, fill=10)]) for ms in (1, 5, 10, 20, 40, 80, 160)]
    with new_bench() as b:
        all_cases(b, cases)


def test_pages():
    """Positions and bits in shared memory."""
    cases = []
    for at in (REQUEST_CONSUMER, REPLY_PRODUCER):
        for value in (1, 31, 33, 1 << 32, 1 << 63, ONES64):
            cases.append(([], [f"sleep {value % 7 * 10}", f"poke {at:#x} {value}", "changed"]))
    for vector in range(9):
        cases.append(([], [f"poke {PENDING + 64 * vector:#x} {ONES64}", "changed", "leave"]))
    with new_bench() as b:
        all_cases(b, cases)


def test_gone():
    """All ones at any moment, for ever or for a while; a reset that nobody asked for."""
    cases = [([], [f"sleep {ms}", "ones"]) for ms in (0, 10, 40, 120)]
    cases += [([], [f"sleep {ms}", "ones", "sleep 20", "back"]) for ms in (0, 20, 60)]
    cases += [([], [f"sleep {ms}", "reset"]) for ms in (0, 10, 40, 120)]
    cases += [([], ["reset", "reset", "sleep 5", "reset"])]
    with new_bench() as b:
        all_cases(b, cases)


CHAOS = ["replies", "requests", "positions", "storm", "pages", "attention", "ones", "status", "probe", "lost", "babble", "memory"]


def chaos(kinds, seconds, pause):
    with new_bench() as b:
        for n, kind in enumerate(kinds):
            assert b.bind(), kind
            b.host.say(f"pause {pause}", f"chaos {kind} {SEED + n}")
            b.walk()
            job = b.start_fuzz(f"--threads 3 --seconds {seconds} --seed {SEED + n}")
            b.end_fuzz(job, seconds + 120)
            b.heal()
            b.check_log()
        b.check_good()


def test_chaos():
    """Shared memory and registers that change all the time, each kind for itself, under the fuzzer."""
    print(f"# seed {SEED}", flush=True)
    chaos(CHAOS, 3, 200)


def test_chaos_together():
    print(f"# seed {SEED}", flush=True)
    chaos(["all", "all"], 8, 1000)


def test_floods():
    """As fast as the host can."""
    chaos(["storm", "lost", "babble", "positions", "attention"], 3, 0)


if __name__ == "__main__":
    bench.main()
