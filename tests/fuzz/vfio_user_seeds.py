#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes conversations of clients with a server, as seeds for the fuzzer (the form is vfio_user.c's): vfio_user_seeds.py FOLDER"""
import os
import struct
import sys

(VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, REGION_INFO, IO_FDS, IRQ_INFO, SET_IRQS, READ, WRITE, DMA_READ, DMA_WRITE, RESET, _,
 WRITE_MULTI, FEATURE, MIG_READ, MIG_WRITE) = range(1, 19)
SAYS_VERSION, IS_PLAIN, ENABLES, HAS_TWIN, IS_SMALL, HAS_MAPS = 1, 2, 4, 8, 16, 32
NORMAL = SAYS_VERSION | ENABLES
MESSAGE, GLUED, LONG, REPLY = 1, 2, 4, 8
(SEALED, SHRINKING, SMALL, READ_ONLY, LARGE, EVENT, EVENT_2, EVENT_FULL, PIPE_READ, PIPE_WRITE, SOCKET, NULL, ZERO, PATH, TIMER,
 EPOLL) = range(16)
SHRINK, RESTORE, SIGNAL, TWIN, TWIN_CLOSES = range(1, 6)
NO_REPLY = 16
GET, SET, PROBE = 1 << 16, 2 << 16, 4 << 16
CONFIG = 7


def send(data, how=0, nr_fds=0, kind=0):
    return struct.pack('<BBH', how, nr_fds << 4 | kind, len(data)) + data


def msg(command, payload=b'', flags=0, how=0, nr_fds=0, kind=0):
    return send(bytes([command, flags]) + payload, MESSAGE | how, nr_fds, kind)


def raw(command, payload=b'', ident=7, size=None, flags=0):
    return struct.pack('<HHIII', ident, command, 16 + len(payload) if size is None else size, flags, 0) + payload


def version(text, minor=1, major=0):
    return msg(VERSION, struct.pack('<HH', major, minor) + text)


def caps(text):
    return version(b'{"capabilities":{' + text + b'}}\0')


def do(deed, data=b''):
    return send(data, 0, 0, deed)


def dma_map(address, size, flags=3, offset=0, **how):
    return msg(DMA_MAP, struct.pack('<IIQQQ', 32, flags, offset, address, size), **how)


def dma_unmap(address, size, flags=0, bitmap=b'', argsz=24):
    return msg(DMA_UNMAP, struct.pack('<IIQQ', argsz, flags, address, size) + bitmap)


def set_irqs(index, start, count, flags, data=b'', **how):
    return msg(SET_IRQS, struct.pack('<IIIII', 20 + len(data), flags, index, start, count) + data, **how)


def access(region, offset, count):
    return struct.pack('<QII', offset, region, count)


def read(region, offset, count, **how):
    return msg(READ, access(region, offset, count), **how)


def write(region, offset, data, **how):
    return msg(WRITE, access(region, offset, len(data)) + data, **how)


def reg(offset, value):
    return write(0, offset, struct.pack('<I', value))


def multi(*writes):
    entries = b''.join(access(r, o, len(d)) + d.ljust(8, b'\0') for r, o, d in writes)
    return msg(WRITE_MULTI, struct.pack('<Q', len(writes)) + entries)


def feature(number, flags, data=b'', argsz=None):
    return msg(FEATURE, struct.pack('<II', 8 + len(data) if argsz is None else argsz, number | flags) + data)


def state(number):
    return feature(2, SET, struct.pack('<Ii', number, -1))


def mig_read(size):
    return msg(MIG_READ, struct.pack('<II', 8 + size, size))


def mig_write(data):
    return msg(MIG_WRITE, struct.pack('<II', 8 + len(data), len(data)) + data)


def transfer(address, length, offset, command):
    return (multi((0, 0x20, struct.pack('<Q', address)), (0, 0x28, struct.pack('<I', length)), (0, 0x2c, struct.pack('<I', offset))) +
            reg(0x30, command) + read(0, 0x34, 4))


INFO = (msg(GET_INFO, struct.pack('<IIII', 16, 0, 0, 0)) +
        b''.join(msg(REGION_INFO, struct.pack('<IIIIQQ', argsz, 0, i, 0, 0, 0)) for argsz in (32, 256) for i in range(11)) +
        b''.join(msg(IRQ_INFO, struct.pack('<IIII', 16, 0, i, 0)) for i in range(6)) +
        b''.join(msg(IO_FDS, struct.pack('<IIII', argsz, 0, i, 0)) for argsz in (16, 200) for i in (0, 1, 9)))
IRQS = (set_irqs(0, 0, 1, 0x24, nr_fds=1, kind=EVENT) + reg(0x10, 1) + set_irqs(0, 0, 1, 0x11) + set_irqs(0, 0, 1, 0x0a, b'\1') +
        set_irqs(0, 0, 1, 0x14, nr_fds=1, kind=EVENT_2) + do(SIGNAL) + set_irqs(0, 0, 1, 0x14) + set_irqs(0, 0, 0, 0x21) +
        set_irqs(2, 0, 2, 0x24, nr_fds=2, kind=EVENT) + reg(0x0c, 1) + set_irqs(2, 0, 2, 0x22, b'\1\0') + set_irqs(2, 1, 1, 0x24) +
        reg(0x0c, 1) + reg(0x0c, 9) + set_irqs(2, 0, 0, 0x21) + set_irqs(3, 0, 1, 0x24, nr_fds=1, kind=EVENT_FULL) + reg(0x14, 1) +
        set_irqs(1, 0, 3, 0x24, nr_fds=3, kind=EPOLL) + set_irqs(4, 0, 1, 0x24, nr_fds=1, kind=EVENT))
CONVERSATIONS = {
    'version': (0, caps(b'"max_msg_fds":8,"pgsizes":4096,"twin_socket":{"supported":true},"migration":{"pgsize":4096}') + INFO[:64]),
    'version-short': (0, msg(VERSION, struct.pack('<HH', 0, 0)) + msg(VERSION, struct.pack('<HH', 0, 0))),
    'version-wrong': (0, version(b'{}\0', major=1) + version(b'{"capabilities":3}\0') + version(b'[[[[\0') + caps(b'"max_msg_fds":-1') +
                      caps(b'"twin_socket":true') + version(b'{}') + caps(b'"max_data_xfer_size":18446744073709551616,"a":"\\u0000"')),
    'before': (0, INFO[:100] + read(0, 0, 4)),
    'info': (NORMAL, INFO),
    'info-small': (NORMAL | IS_SMALL, INFO),
    'info-plain': (NORMAL | IS_PLAIN, INFO),
    'maps': (NORMAL, dma_map(0x10000, 0x10000, nr_fds=1, kind=SEALED) + dma_map(0x20000, 0x1000, nr_fds=1, kind=SHRINKING) +
             dma_map(0x30000, 0x1000) + dma_map(0x40000, 0x1000, flags=11, nr_fds=1, kind=SEALED) +
             dma_map(0x50000, 0x1000, flags=1, nr_fds=1, kind=READ_ONLY) + dma_map(1 << 40, 1 << 39, nr_fds=1, kind=LARGE) +
             dma_unmap(0x20000, 0x1000) + dma_unmap(0, 0, 2)),
    'maps-refused': (NORMAL, b''.join(dma_map(0x10000 * i, 0x1000, nr_fds=1, kind=i) for i in range(16)) +
                     dma_map(0x10000, 0x20000, nr_fds=1, kind=SEALED) + dma_map(0xfffffffffffff000, 0x2000) + dma_map(1, 1)),
    'unmap-bits': (NORMAL | HAS_MAPS, feature(6, SET, struct.pack('<QII', 4096, 0, 0)) + transfer(0x100000, 64, 0, 2) +
                   dma_unmap(0x100000, 0x10000, 1, struct.pack('<QQ', 4096, 8), 48) +
                   feature(8, GET, struct.pack('<QQQ', 0x100000, 0x40000, 4096), 100) + feature(7, SET)),
    'transfers': (NORMAL | HAS_MAPS, b''.join(transfer(a, 100, 64, c) for a in (0x100ff0, 0x110000, 0x130000) for c in (1, 2)) +
                  do(SHRINK) + transfer(0x110000, 100, 0, 1) + do(RESTORE) + transfer(0x110000, 4096, 0, 2)),
    'messages': (NORMAL | HAS_MAPS, transfer(0x120000, 8, 0, 1) + send(b'ABCDEFGH', MESSAGE | REPLY) + transfer(0x120000, 8, 0, 2) +
                 send(b'', MESSAGE | REPLY) + transfer(0x11fffc, 0x800, 0, 1) + send(b'12345678' * 9, MESSAGE | REPLY) + read(2, 0, 64)),
    'messages-wrong': (NORMAL | HAS_MAPS, transfer(0x120000, 8, 0, 1) + send(struct.pack('<QQ', 0x120000, 9), REPLY) +
                       transfer(0x120000, 8, 0, 1) + send(raw(DMA_READ, flags=0x21, ident=64)) + send(b'', MESSAGE | REPLY)),
    'messages-lost': (NORMAL | HAS_MAPS | IS_SMALL, transfer(0x120000, 500, 0, 1) + dma_unmap(0x120000, 0x10000) +
                      send(b'A' * 64, MESSAGE | REPLY) + transfer(0x120000, 8, 0, 1) + dma_map(0x120000, 0x10000) +
                      transfer(0x120000, 3000, 0, 2) + b''.join(send(b'', MESSAGE | REPLY) for _ in range(8)) + msg(RESET)),
    'messages-twin': (NORMAL | HAS_MAPS | HAS_TWIN, transfer(0x120000, 8, 0, 1) +
                      do(TWIN, raw(DMA_READ, struct.pack('<QQ', 0x120000, 8) + b'ABCDEFGH', 0, flags=1)) + transfer(0x120000, 8, 0, 2) +
                      do(TWIN, raw(DMA_WRITE, b'', 64, flags=1)) + do(TWIN, b'\0' * 16) + do(TWIN_CLOSES)),
    'irqs': (NORMAL, IRQS),
    'irqs-plain': (NORMAL | IS_PLAIN, IRQS),
    'irqs-refused': (NORMAL, b''.join(set_irqs(0, 0, 1, 0x24, nr_fds=1, kind=k) for k in range(16)) + set_irqs(2, 7, 2, 0x24) +
                     set_irqs(2, 0, 3, 0x24, nr_fds=2, kind=EVENT) + set_irqs(2, 0xffffffff, 2, 0x21) + set_irqs(9, 0, 1, 0x21) +
                     set_irqs(0, 0, 1, 0x3f) + set_irqs(2, 0, 8, 0x22, b'\1' * 3)),
    'accesses': (NORMAL, b''.join(write(i, 0, b'ABCDEFGH') + read(i, 0, 8) for i in range(10)) + read(CONFIG, 0, 256) + read(0, 0x4c, 4)),
    'accesses-wrong': (NORMAL, read(0, 4095, 2) + read(0, 1 << 63, 4) + read(0, 0, 5000) + read(30, 0, 1) + read(2, 0, 4096) +
                       msg(READ, access(0, 0, 4) + b'x') + msg(WRITE, access(0, 0, 4) + b'x') + read(0, 0, 0) + write(6, 0, b'x')),
    'posted': (NORMAL, b''.join(write(0, 4, b'ABCD', flags=NO_REPLY, how=GLUED) for _ in range(5)) + read(0, 4, 4)),
    'multi': (NORMAL, multi((0, 4, b'AB'), (0, 0x4c, b'A'), (1, 0, b'ABCDEFGH'), (0, 0x44, b'\7\0\0\0')) + multi() + multi((30, 0, b'')) +
              read(0, 0x48, 4)),
    'doorbells': (NORMAL, reg(0x40, 1) + reg(0x44, 7) + reg(0x44, 8) + read(0, 0x48, 4) + msg(RESET)),
    'flr': (NORMAL, b''.join(write(CONFIG, o, b'\0\x80') for o in range(0x68, 0xb0, 4)) + read(0, 0x18, 4)),
    'reset': (NORMAL, msg(RESET) + msg(RESET, b'x') + write(CONFIG, 4, b'\7') + read(0, 0x18, 4)),
    'features': (NORMAL, b''.join(feature(n, f, b'\0' * 16, 64) for n in range(11) for f in (GET, SET, PROBE | GET, PROBE | SET))),
    'features-plain': (NORMAL | IS_PLAIN, b''.join(feature(n, GET, b'\0' * 24, 64) for n in range(11))),
    'log': (NORMAL | HAS_MAPS, feature(6, SET, struct.pack('<QIIQQQQ', 4096, 2, 0, 0x100000, 0x10000, 0x120000, 0x10000)) +
            transfer(0x100000, 64, 0, 2) + transfer(0x108000, 64, 0, 2) +
            feature(8, GET, struct.pack('<QQQ', 0x100000, 0x10000, 4096), 64) + feature(7, SET) + feature(7, SET)),
    'save': (NORMAL, write(2, 0, b'ABCD') + state(6) + mig_read(4000) + mig_read(4000) + state(3) + mig_read(4000) + mig_read(4000) + state(1) +
             state(2)),
    'load': (NORMAL, state(4) + mig_write(b'trn-pci\n' + struct.pack('<II', 1, 800)) + mig_write(b'\0' * 100) + state(1) + msg(RESET)),
    'moved-dma': (NORMAL | HAS_MAPS, transfer(0x120000, 64, 0, 1) + state(3) + mig_read(4000) + send(b'A' * 64, MESSAGE | REPLY) + mig_read(4000)),
    'bytes': (NORMAL, read(0, 4, 4, how=0x10) + write(0, 4, b'ABCD', how=0x30) + read(0, 4, 4)),
    'glued': (0, send(raw(VERSION, struct.pack('<HH', 0, 1)) + raw(READ, access(0, 0, 4)) + raw(RESET) + raw(IRQ_INFO)) + send(raw(READ)[:9])),
    'glued-fds': (NORMAL, dma_map(0x10000, 0x10000, how=GLUED) + dma_map(0x20000, 0x10000, how=GLUED, nr_fds=1, kind=SEALED) +
                  set_irqs(2, 0, 2, 0x24, how=GLUED | 0x30, nr_fds=2, kind=EVENT) + read(0, 0, 4, nr_fds=3, kind=NULL)),
    'split-fds': (NORMAL, send(raw(DMA_MAP, struct.pack('<IIQQQ', 32, 3, 0, 0x10000, 0x1000))[:20]) +
                  send(raw(DMA_MAP, struct.pack('<IIQQQ', 32, 3, 0, 0x10000, 0x1000))[20:], 0, 1, SEALED)),
    'too-long': (NORMAL, msg(WRITE, access(2, 0, 1) + b'x' * 1100, how=LONG) + read(0, 0, 4) + msg(RESET, b'x' * 1100, flags=NO_REPLY, how=LONG)),
    'long': (NORMAL, msg(WRITE, access(2, 0, 4096) + b'x' * 64, how=LONG) + msg(WRITE, access(2, 0, 0) + b'x' * 900, how=LONG) + read(2, 0, 4096)),
    'too-many-fds': (NORMAL, read(0, 0, 4, nr_fds=15, kind=0) + send(raw(RESET), 0, 15, 3)),
    'unknown': (NORMAL, b''.join(msg(c) for c in (0, 11, 12, 14, 19, 255)) + msg(RESET, flags=0x40) + msg(READ, flags=1) + msg(RESET, flags=2)),
    'small-header': (NORMAL, send(raw(RESET, size=15))),
    'half': (NORMAL, send(raw(READ, access(0, 0, 4))[:24])),
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, (flags, data) in CONVERSATIONS.items():
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(bytes([flags]) + data)
