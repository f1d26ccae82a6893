#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes sequences of packets on a control socket, as seeds for the fuzzer: control_seeds.py FOLDER"""
import os
import struct
import sys

HELLO, CONFIRM, STATS, HOLD, RELEASE, STOP, CANCEL, SET, HOLDERS = range(128, 137)
REFUSE, ASK, FORCE = range(3)
USE, LET_GO, CLOSE = bytes([4 << 2, 0]), bytes([5 << 2, 0]), bytes([6 << 2, 0])


def packet(kind, ident=1, body=b"", conn=0):
    data = struct.pack("<IIQII", kind, 24 + len(body), ident, 0, 0) + body
    return bytes([conn, len(data)]) + data


def leave(kind, policy, ident=1, conn=0, timeout=-1):
    return packet(kind, ident, struct.pack("<Ii", policy, timeout), conn)


SEEDS = {
    "plain": b"".join(packet(k) for k in (HELLO, CONFIRM, STATS, HOLDERS)),
    "stop": USE + leave(STOP, REFUSE) + leave(STOP, ASK) + LET_GO,
    "force": USE + leave(STOP, FORCE),
    "cancel": USE + leave(HOLD, ASK, 7) + packet(CANCEL, 0, struct.pack("<Q", 7)) + leave(HOLD, ASK, 8, timeout=0),
    "hold": leave(HOLD, REFUSE) + leave(HOLD, REFUSE, 2, 1) + packet(RELEASE, 3, conn=1) + leave(STOP, FORCE, 4, 1) + packet(RELEASE, 5),
    "close": USE + leave(HOLD, ASK) + CLOSE + leave(STOP, ASK) + CLOSE + LET_GO,
    "set": packet(SET, 1, struct.pack("<QII", 1 << 20, 250, 0)) + packet(SET, 2, struct.pack("<QII", 0, 0xffffffff, 0)),
    "odd": packet(4711) + packet(STATS, 0) + packet(STATS, 1, b"12345678") + bytes([0x80, 3]) + b"abc",
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), "wb") as f:
        f.write(data)
