#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes conversations with the device, as seeds for the fuzzer (the form is connection.c's): connection_seeds.py FOLDER"""
import os
import struct
import sys

MIB = 1 << 20
CLIENT, CLIENT_BYTES, REPLY, REFUSAL, EXECUTOR_BYTES, READY, EXECUTOR_CLOSES, CLIENT_CLOSES, CLIENT_FD = range(9)


def step(what, kind=0, ident=9, body=b''):
    body += bytes(-len(body) % 8)
    return struct.pack('<BBBB', what, kind, len(body) // 8, ident) + body


def segment(offset, size, kind=1, ident=9):
    return step(CLIENT, 3, ident, struct.pack('<QQII', offset, size, kind, 0))


def destroy(offset, ident=9, context=0, pos=0):
    return step(CLIENT, 4, ident, struct.pack('<QIIQ', offset, context, 0, pos))


HELLO = step(CLIENT, 1, 1, struct.pack('<II', 0x434E5254, 0))
CREATE = step(CLIENT, 2, 2, struct.pack('<IIQQ1024s', 1, 0, 0, 0, b'/tmp'))
BUILD = step(CLIENT, 9, 7, struct.pack('<IIQQQQQQ', 1, 0, 1 << 32, 512 << 10, 64, 600 << 10, 4096, 2))
QUERY = step(CLIENT, 10, 7, struct.pack('<IIQQQQ', 1, 1, 1 << 32, 512 << 10, 4096, 0))
CONTEXT = step(CLIENT, 5, 7, struct.pack('<IIQIIQ', 2, 0, 4096, 16384, 0, 0))

SEEDS = {
    'start': b'\2' + HELLO + CREATE + step(READY) + segment(0, MIB),
    'start-refused': b'\2' + HELLO + CREATE + step(REFUSAL, 64, 1, b'no'),
    'start-dies': b'\2' + HELLO + CREATE + step(EXECUTOR_CLOSES),
    'start-leaves': b'\2' + HELLO + CREATE + step(CLIENT_CLOSES),
    'memory': b'\1' + segment(4 * MIB, 40 * MIB) + step(CLIENT, 11) + destroy(4 * MIB) + step(REPLY, 66, 9),
    'waits': b'\1' + segment(4 * MIB, 60 * MIB) + destroy(4 * MIB, 8) + segment(1 << 30, 50 * MIB, 1, 10) + step(REPLY, 66, 8),
    'waits-dies': b'\1' + segment(4 * MIB, 60 * MIB) + destroy(4 * MIB, 8) + segment(1 << 30, 50 * MIB, 1, 10) + step(EXECUTOR_CLOSES),
    'overlap': b'\1' + segment(0, MIB) + segment(MIB - 4096, 8192) + segment(1 << 37, 4096),
    'build': b'\1' + BUILD + step(REPLY, 9, 7, struct.pack('<Q', 100)) + QUERY + step(REPLY, 10, 7, struct.pack('<Q', 8)),
    'build-refused': b'\1' + BUILD + step(REFUSAL, 9, 7, b'no'),
    'build-dies': b'\1' + BUILD + step(EXECUTOR_CLOSES),
    'build-nonsense': b'\1' + BUILD + step(REPLY, 9, 7, struct.pack('<QQ', 1, 2)),
    'context': b'\1' + CONTEXT + step(REPLY, 5, 7) + step(CLIENT, 6, 8, struct.pack('<II', 2, 0)) + step(REPLY, 6, 8),
    'context-refused': b'\1' + CONTEXT + step(REFUSAL, 5, 7, b'no') + CONTEXT,
    'block': b'\1' + step(CLIENT, 7, 9, struct.pack('<IIQQ', 1, 1, 512 << 10, 2)) + step(REPLY, 7, 9),
    'output': b'\1' + step(CLIENT, 8, 9, struct.pack('<QIIQ', 512 << 10, 4096, 0, 1)) + step(REPLY, 8, 9),
    'start-again': b'\0' + HELLO + CREATE + segment(0, MIB) + step(READY),
    'garbage': b'\0' + step(CLIENT_BYTES, 0, 0, b'garbage!' * 5) + step(EXECUTOR_BYTES, 0, 0, b'garbage!'),
    'descriptor': b'\1' + step(CLIENT_FD, 11) + step(CLIENT_FD, 3, 9, struct.pack('<QQII', 8 * MIB, 4096, 2, 0)),
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(data)
