#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Requests that wait for a context's ring to be read, in numbers."""
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from guest import BUFFER, GUEST, HOST, MIB, PAGE, R_BELL_CONTROL, REPLIES, SEGMENT_CREATE, SEGMENT_DESTROY, SERVICE, SLOT, SLOTS, device, \
    eventually  # noqa: E402

NR = 34000  # of each of two sessions


def make(g, session):
    """Many buffers of a page."""
    for first in range(0, NR, SLOTS):
        nr = min(SLOTS, NR - first)
        for i in range(first, first + nr):
            session.post(SEGMENT_CREATE, struct.pack("<QQII", 64 * MIB + i * PAGE, PAGE, BUFFER, 0), bell=False)
        g.write(R_BELL_CONTROL, 1)
        eventually(lambda n=nr: g.get64(HOST + 64) >= g.consumer + n, "replies")
        for _ in range(nr):
            at = REPLIES + g.consumer % SLOTS * SLOT
            assert guest.Reply(g.memory[at:at + SLOT]).status == 0
            g.consumer += 1
        g.put64(GUEST + 64, g.consumer)
        g.write(R_BELL_CONTROL, 1)


def destroy(g, session):
    """All of them, when the ring has been read up to where it never will."""
    for i in range(NR):
        session.post(SEGMENT_DESTROY, struct.pack("<QIIQ", 64 * MIB + i * PAGE, 1, 0, 2**64 - 1), bell=i % 16 == 15)
    g.write(R_BELL_CONTROL, 1)


def test_they_hold_nobody_up():
    with device() as d:
        g = d.guest()
        sessions = [g.open(number) for number in (1, 2)]
        for s in sessions:
            s.segment(0, 4 * MIB, SERVICE)
            s.context(0)
            make(g, s)
        for s in sessions:
            destroy(g, s)
        other = g.open(3)
        assert other.memory_query()[1] == 2 * NR * PAGE
        other.segment(0, MIB)
        for s in sessions:
            s.close()
        assert other.memory_query()[1] == MIB


if __name__ == "__main__":
    guest.vfu.main()
