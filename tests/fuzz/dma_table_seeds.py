#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes maps and accesses of clients' memory, as seeds for the fuzzer (the form is dma_table.c's): dma_table_seeds.py FOLDER"""
import os
import struct
import sys

MAP, ACCESS, UNMAP, UNMAP_KNOWN, UNMAP_ALL, SHRINK = 0, 2, 5, 6, 7, 8
SEALED, SHRINKING, SEALED_IO, SHRINKING_IO, READ_ONLY, MESSAGES = range(6)
LOW, MIDDLE, HIGH, TOP = 0, 0x40, 0x80, 0xc0


def dma_map(where, pages, kind, flags=3, offset=0):
    return bytes([MAP, where, pages | offset << 4, flags | kind << 2])


def access(request, where, offset, length, is_write):
    return struct.pack('<BBBHHB', ACCESS, request, where, offset, length - 1, 0x10 | is_write)


def unmap(where, pages):
    return bytes([UNMAP, where, pages])


BOTH = access(0, LOW, 0xff0, 0x1020, 1) + access(0, LOW, 0xff0, 0x1020, 0)
SEEDS = {f'kind-{k}': dma_map(LOW, 4, k) + BOTH + unmap(LOW, 4) for k in range(6)}
SEEDS.update({
    'side-by-side': b''.join(dma_map(LOW + 2 * k, 2, k) for k in range(6)) + access(0, LOW, 0x1f00, 0x2900, 0) + access(1, LOW + 4, 5, 0x2fff, 1),
    'overlap': dma_map(4, 4, 0) + dma_map(2, 3, 0) + dma_map(7, 1, 0) + dma_map(0, 15, 5) + dma_map(8, 2, 1) + dma_map(2, 2, 1),
    'too-many': b''.join(dma_map(3 * k, 2, 5) for k in range(10)),
    'rights': dma_map(0, 2, 0, 1) + dma_map(2, 2, 0, 2) + dma_map(4, 1, 0, 0) + access(0, 0, 0, 0x2001, 0) + access(0, 2, 0, 16, 0) + access(0, 0, 0, 16, 1),
    'shrinks': dma_map(0, 8, 1) + dma_map(8, 4, 3) + bytes([SHRINK, 4]) + access(0, 3, 0x800, 0x1000, 1) + access(0, 3, 0x800, 0x1000, 0) +
               access(0, 8, 0, 16, 1) + bytes([SHRINK, 16]) + access(0, 4, 0, 16, 0),
    'cancels': dma_map(0, 2, 5) + dma_map(2, 2, 5) + access(0, 0, 0, 64, 0) + access(1, 1, 0xf00, 0x200, 1) + access(2, 2, 0, 64, 1) +
               unmap(2, 2) + bytes([UNMAP_KNOWN, 0]),
    'replaced': dma_map(0, 1, 5) + dma_map(1, 1, 0) + access(0, 0, 0, 0x2000, 0) + unmap(1, 1) + dma_map(1, 1, 5) + unmap(1, 1) + unmap(0, 1),
    'far': dma_map(MIDDLE, 4, 0) + dma_map(HIGH, 4, 5) + dma_map(TOP, 15, 0) + dma_map(TOP | 31, 1, 0) + dma_map(TOP | 30, 1, 0) + bytes([UNMAP_ALL]),
    'offsets': dma_map(0, 4, 0, 3, 12) + dma_map(8, 5, 0, 3, 12) + dma_map(16, 0, 0) + access(0, 1, 0, 16, 1) + unmap(0, 3),
})

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(data)
