#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes build requests and names of files, as seeds for the fuzzer: request_seeds.py FOLDER"""
import os
import struct
import sys


def item(tag, data):
    return struct.pack('<II', tag, len(data)) + data + bytes(-len(data) % 8)


def request(source, options=b'', op=1):
    return (item(16, struct.pack('<I', op)) + item(17, source) + item(19, options + b'\0') + item(20, b'/tmp\0'))


SEEDS = {
    'plain': request(b'kernel void k() {}', b'-DA=1'),
    'include': request(b'# /* */ include "a.h"\n#if __has_include("b")\n#endif', b'-I . -I "x y"'),
    'hidden': request(b'#\finc\\\nlude "a"\n%:import <b>\n#pragma GCC dependency "c"', b'-D A=__has_embed'),
    'compile': request(b'int x;', op=2) + item(21, item(22, b'a.h\0') + item(17, b'int y;')),
    'name': b'AB/CDEF/kernel/16-1-1/kernel.so',
    'outside': b'AB/../../x',
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(data)
