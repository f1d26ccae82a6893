#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes things that a guest does to configuration space, as seeds for the fuzzer (the form is pci_config.c's): pci_config_seeds.py FOLDER"""
import os
import struct
import sys

(CONFIG_WRITE, REGISTER, CONFIG_READ, COMMAND, POWER, REGION_READ, REGION_WRITE, TABLE, RESET, SET_IRQS, DEVICE, STATE, REOPEN,
 INFO) = range(14)
NR_SHAPES = 8


def config_write(offset, data):
    return struct.pack('<BHB', CONFIG_WRITE, offset, len(data) - 1) + data


def register(offset, data):
    return struct.pack('<BBB', REGISTER, offset, {1: 0, 2: 1, 4: 2}[len(data)]) + data


def command(value):
    return struct.pack('<BH', COMMAND, value)


def read(region, offset, length):
    return struct.pack('<BBBH', REGION_READ, region, length - 1, offset)


def write(region, offset, data):
    return struct.pack('<BBBH', REGION_WRITE, region, len(data) - 1, offset) + data


def table(offset, data):
    return struct.pack('<BHB', TABLE, offset, 0x80 | len(data) - 1) + data


def irqs(index, start, count, action, data, bools=b'\1' * 16):
    return struct.pack('<BBHBBB', SET_IRQS, index, start, count, action, data) + bools


PROBE = b''.join(register(0x10 + 4 * i, b'\xff' * 4) for i in range(6)) + register(0x30, b'\xff' * 4)
SEEDS = {
    'probe': PROBE + struct.pack('<BHB', CONFIG_READ, 0x10, 0x18),
    'sweep-ones': b''.join(config_write(i, b'\xff' * 64) for i in range(0, 256, 64)),
    'sweep-odd': b''.join(config_write(i, bytes(range(61))) for i in range(1, 256, 61)),
    'extended': b''.join(config_write(i, b'\xff' * 64) for i in range(256, 512, 64)) + config_write(4090, b'\xff' * 12),
    'bars': command(7) + b''.join(write(i, 0, b'ABCDEFGH') + read(i, 0, 8) for i in range(10)),
    'gated': command(0) + read(0, 0, 4) + command(2) + bytes([POWER, 3]) + read(0, 0, 4) + bytes([POWER, 1, POWER, 0]),
    'edges': command(7) + b''.join(struct.pack('<BBBH', REGION_READ, i, 0x40 | 7, n) for i in range(6) for n in (32, 36, 40)),
    'table': command(7) + table(0, b'\xff' * 32) + table(16, bytes(range(20))),
    'irqs': irqs(0, 0, 1, 2, 2) + bytes([DEVICE, 0, 1, 0]) + irqs(0, 0, 1, 1, 0) + irqs(0, 0, 0, 2, 0) + irqs(2, 0, 4, 2, 2) +
            bytes([DEVICE, 1, 2, 0]) + irqs(2, 0, 0, 2, 0) + irqs(1, 0, 1, 2, 2) + bytes([REOPEN, DEVICE, 1, 0, 0]),
    'level': bytes([DEVICE, 0, 1, 0]) + command(0x400) + bytes([RESET]),
    'states': b''.join(bytes([STATE, s]) for s in (1, 3, 1, 4, 1, 2, 6, 7, 5, 2, 0)) + bytes([RESET, STATE, 7, REOPEN]),
    'info': b''.join(bytes([INFO, i]) for i in range(12)),
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    for shape in range(NR_SHAPES):
        with open(os.path.join(sys.argv[1], f'{name}-{shape}'), 'wb') as f:
            f.write(bytes([shape]) + data)
