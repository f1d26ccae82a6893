#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes one well-formed record of each type, as seeds for the fuzzer: seeds.py FOLDER"""
import os
import struct
import sys

H = 1 << 32  # generation 1


def rec(kind, body):
    return struct.pack('<HHIQ', kind, 0, 16 + len(body), 0) + body


def cmd(kind, body=b'', waits=(), args=b'', nr_args=0):
    head = struct.pack('<QQQQII', H | 1, 1, H | 2, 0, len(waits), nr_args)
    tail = b''.join(struct.pack('<Q', w) for w in waits)
    return rec(kind, head + body + tail + args)


def u64(*values):
    return struct.pack('<%dQ' % len(values), *values)


ARGS = (struct.pack('<IHHQ', 0, 2, 0, 8) + u64(H | 3) +
        struct.pack('<IHHQ', 1, 1, 0, 4) + b'\1\2\3\4\0\0\0\0' +
        struct.pack('<IHHQ', 2, 3, 0, 256) +
        struct.pack('<IHHQ', 3, 4, 0, 8) + u64(H | 11) +
        struct.pack('<IHHQ', 4, 5, 0, 8) + u64(H | 12))

SEEDS = {
    'queue': rec(16, u64(H | 1, H | 2, 1) + struct.pack('<II', 0, 0)) + rec(16, u64(H | 1, H | 2, 1) + struct.pack('<II', 1, 2)),
    'object': b''.join(rec(k, u64(H | 1)) for k in (17, 21, 24, 25, 27, 29, 31)),
    'buffer': rec(18, u64(H | 3, 1, 4096, 4096)),
    'sub_buffer': rec(19, u64(H | 4, H | 3, 1, 0, 128)),
    'destroy': rec(20, u64(H | 3, H | 5)),
    'kernel': rec(22, u64(H | 6, H | 7, 0)),
    'clone': rec(23, u64(H | 8, H | 6)),
    'set': rec(26, struct.pack('<QiIQQ', H | 9, -5, 0, 1, 2)),
    'image': rec(28, u64(H | 11, H | 3, 1) + struct.pack('<IIII', 0x10b5, 0x10d2, 0x10f1, 0) +
                 u64(64, 64, 1, 1, 256, 0)),
    'image_3d': rec(28, u64(H | 11, H | 3, 1) + struct.pack('<IIII', 0x10b0, 0x10de, 0x10f2, 0) +
                    u64(16, 16, 4, 1, 64, 1024)),
    'sampler': rec(30, struct.pack('<QIIII', H | 12, 1, 0x1132, 0x1141, 0)),
    'ndrange': cmd(64, struct.pack('<QII', H | 6, 2, 1) + u64(0, 0, 0, 64, 64, 1, 8, 8, 1), (H | 9,), ARGS, 5),
    'copy': cmd(65, u64(H | 3, H | 4, 0, 0, 64)),
    'rect': cmd(66, u64(H | 3, H | 4, 0, 0, 0, 0, 0, 0, 4, 4, 1, 16, 64, 16, 64)),
    'fill': cmd(67, u64(H | 3, 0, 64, 4) + b'\1\2\3\4' + bytes(124)),
    'write': cmd(68, u64(H | 3, 0, 64, 8192)),
    'map': cmd(69, u64(H | 3, 0, 64, 3, 1)) + cmd(70, u64(H | 3, 0, 0, 0, 1)),
    'marker': cmd(71) + cmd(72, waits=(H | 9, H | 10)) + cmd(73),
    'exec_info': rec(32, struct.pack('<QII', H | 6, 0x11B6, 16) + u64(1 << 40, 1 << 41)) +
                 rec(32, struct.pack('<QII', H | 6, 0x11B7, 4) + bytes(8)),
    'svm': cmd(64, struct.pack('<QII', H | 6, 1, 0) + u64(0, 0, 0, 64, 1, 1, 0, 0, 0),
               args=struct.pack('<IHHQ', 0, 6, 0, 8) + u64(1 << 40), nr_args=1),
    'fetch': b''.join(cmd(kind, u64(H | 11, 0, 0, 0, 64, 64, 1)) for kind in (74, 75)),
    'pad': struct.pack('<HHI', 1, 0, 8) + cmd(71),
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(data)
