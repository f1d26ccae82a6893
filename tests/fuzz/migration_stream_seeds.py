#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes changes of saved states, as seeds for the fuzzer (the form is migration_stream.c's): migration_stream_seeds.py FOLDER"""
import os
import struct
import sys

WRITE, XOR, ADD, INSERT, REMOVE, COPY, DROP, END, ZEROS, PAGE = range(10)
SUM, LENGTHS, AGAIN, AHEAD = 1, 2, 4, 16
NR_DEVICES = 4
# Parts of the test device: start, head, two pages, configuration space, interrupts, driver, end; serial cards have no pages.
PARTS = 8


def change(what, part, at=0, nr=0, data=b''):
    return struct.pack('<BBHB', what, part, at, nr) + data


def write(part, at, data):
    return change(WRITE, part, at, len(data), data)


def add(part, at, length, value):
    return change(ADD, part, at, length, struct.pack('<i', value))


CHANGES = {
    'none': b'',
    'magic': write(0, 0, b'X'),
    'version': add(0, 8, 4, 1),
    'head': b''.join(write(1, at, b'\xff') for at in (0, 16, 40, 60)),
    'cut': change(END, 5, 17),
    'cut-end': change(END, 7, 20),
    'copied': change(COPY, 2, 0, 3),
    'all-zero': change(ZEROS, 1, 800, 4),
    'pages': change(PAGE, 2, 1, 2, b'A') + change(PAGE, 2, 0, 0, b'\0') + change(PAGE, 2, 3, 9, b'B'),
    'page-outside': change(PAGE, 2, 0xffff, 2, b'A') + change(PAGE, 2, 0, 30, b'A'),
    'older-driver': add(1, 44, 4, -1),
    'fifo-rest': write(4, 31, b'\1'),
    'half-driver': write(6, 16 + 92, b'x') + write(6, 16 + 88, b'\2'),
    'behind': change(ZEROS, 7, 23, 1),
}
CHANGES.update({f'dropped-{p}': change(DROP, p) for p in range(PARTS)})
CHANGES.update({f'flipped-{p}-{at}': change(XOR, p, at, 4, b'\1\2\4\x80') for p in range(PARTS) for at in (0, 16, 20, 40, 80)})
CHANGES.update({f'longer-{p}': change(INSERT, p, 20, 4, b'ABCD') for p in range(PARTS)})
CHANGES.update({f'shorter-{p}': change(REMOVE, p, 20, 4) for p in range(PARTS)})
CHANGES.update({f'number-{p}-{at}': add(p, at, 4, -1) for p in range(4, PARTS) for at in (8, 16, 24)})

os.makedirs(sys.argv[1], exist_ok=True)
for i, (name, data) in enumerate(CHANGES.items()):
    for device in range(NR_DEVICES):
        flags = SUM if i % 2 else SUM | LENGTHS
        with open(os.path.join(sys.argv[1], f'{name}-{device}'), 'wb') as f:
            f.write(struct.pack('<BBBB', device, flags | (AGAIN if i % 5 == 4 else 0) | (AHEAD if i % 3 == 0 else 0), i % 7 * 5, i % 3) + data)
