#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The control rings, and drivers that break their rules: refused one by one, or stopped until a reset."""
import errno
import os
import random
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from guest import (BUFFER, CONTEXT_CREATE, CONTEXT_DESTROY, EVENT_BLOCK_ADD, FAILED, GUEST, HEAD, HOST, MEMORY_QUERY, MIB,  # noqa: E402
                   OUTPUT_SET, PAGE, PROGRAM_BUILD, PROGRAM_QUERY, R_BELL_CONTROL, R_COMMAND, R_STATUS, READY, REQUESTS, RESET, RUNNING,
                   SEGMENT_CREATE, SEGMENT_DESTROY, SERVICE, SESSION_CLOSE, SESSION_LOST, SESSION_OPEN, SHARED_ATTACH, SHARED_CREATE,
                   SHARED_DESTROY, SHARED_DETACH, SLOT, SLOTS, device, eventually, expect)


def test_slots_that_are_no_messages():
    with device() as d:
        g = d.guest()
        s = g.open()
        for length in (0, 8, 16, 23, 25, 2048, 2049, 2041, 2**32 - 8, 2**32 - 1):
            assert expect(errno.EBADMSG, lambda n=length: s.ask(MEMORY_QUERY, length=n)).name == "BadPacket"
        expect(errno.EBADMSG, lambda: s.ask(MEMORY_QUERY, reserved=1))
        expect(errno.EINVAL, lambda: s.ask(MEMORY_QUERY, status=1))
        expect(errno.EINVAL, lambda: s.ask(MEMORY_QUERY, flags=1))
        expect(errno.EINVAL, lambda: s.ask(MEMORY_QUERY, ident=0))
        expect(errno.EINVAL, lambda: s.ask(MEMORY_QUERY, b"\0" * 8))
        for kind in (0, 1, 2, 12, 13, 31, 38, 64, 65, 66, 67, 0x7FFFFFFF):
            expect(errno.EOPNOTSUPP, lambda k=kind: s.ask(k))
            expect(errno.EOPNOTSUPP, lambda k=kind: g.ask(0, k))
        for kind in (0x80000000 | MEMORY_QUERY, 0xFFFFFFFF):
            ident = s.post(kind)
            assert g.take().ident == ident
        assert s.memory_query()[0]
        assert g.read(R_STATUS) == READY | RUNNING


def test_messages_to_nobody():
    with device() as d:
        g = d.guest()
        for number in (1, 64, 65, 1000, 2**32 - 1):
            for kind, size in ((MEMORY_QUERY, 0), (SESSION_CLOSE, 0), (SEGMENT_CREATE, 24), (SHARED_ATTACH, 16)):
                expect(errno.ENOENT, lambda n=number, k=kind, z=size: g.ask(n, k, bytes(z)))
        for kind in (SESSION_OPEN, SESSION_CLOSE, MEMORY_QUERY, SHARED_ATTACH, SHARED_DETACH):
            expect(errno.EOPNOTSUPP, lambda k=kind: g.ask(0, k))
        s = g.open()
        for kind in (SHARED_CREATE, SHARED_DESTROY):
            expect(errno.EOPNOTSUPP, lambda k=kind: s.ask(k, bytes(16)))
        for kind in (SESSION_OPEN, SESSION_CLOSE):
            assert expect(errno.EINVAL, lambda k=kind: s.ask(k, bytes(40))).name == "BadLength"


def test_bodies_of_noise():
    with device() as d:
        g = d.guest()
        s = g.open()
        s.segment(0, 4 * MIB, SERVICE)
        s.context(0)
        dice = random.Random(4711)
        sizes = {SEGMENT_CREATE: 24, SEGMENT_DESTROY: 24, CONTEXT_CREATE: 32, CONTEXT_DESTROY: 8, EVENT_BLOCK_ADD: 24, OUTPUT_SET: 24,
                 PROGRAM_BUILD: 56, PROGRAM_QUERY: 40, SHARED_ATTACH: 16, SHARED_DETACH: 24, SESSION_OPEN: 1064}
        words = [0, 1, 2, 3, PAGE, MIB, 4 * MIB, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64 - PAGE, guest.SHARED]
        for _ in range(600):
            kind = dice.choice(list(sizes))
            body = b"".join(struct.pack("<Q", dice.choice(words)) for _ in range(sizes[kind] // 8))
            session = 2 if kind == SESSION_OPEN else 1
            ident = g.post(session, kind, body)
            reply = g.take()
            assert reply and reply.ident == ident and reply.session == session, (kind, body)
        assert s.memory_query()[0]
        assert g.read(R_STATUS) == READY | RUNNING


def test_positions_that_cannot_be():
    with device() as d:
        g = d.guest()
        for at, value in ((GUEST, 33), (GUEST, 2**64 - 1), (GUEST, 2**32)):
            s = g.open()
            s.segment(0, 4 * MIB, SERVICE)
            c = s.context(0)
            g.put64(at, value + (g.producer if value == 33 else 0))
            for irq in g.irqs:
                irq.count()
            g.write(R_BELL_CONTROL, 1)
            eventually(lambda: g.read(R_STATUS) == FAILED, "the device has failed")
            assert g.irqs[0].count(5)
            eventually(lambda: c.lost, "the context is lost")
            g.write(R_COMMAND, RESET)
            g.start()
        g.open().close()


def test_going_backwards():
    with device() as d:
        g = d.guest()
        g.open().close()
        g.put64(GUEST, 1)
        g.write(R_BELL_CONTROL, 1)
        eventually(lambda: g.read(R_STATUS) == FAILED, "the device has failed")


def test_replies_that_nobody_read():
    with device() as d:
        g = d.guest()
        s = g.open()
        for value in (2**40, 2**64 - 1, 0):
            for _ in range(2 * SLOTS if value == 0 else 1):     # it has seen that the guest was further
                s.memory_query()
            g.put64(GUEST + 64, value)
            for _ in range(33):
                if g.read(R_STATUS) == FAILED:
                    break
                try:
                    s.post(MEMORY_QUERY)
                except AssertionError:
                    break
            eventually(lambda: g.read(R_STATUS) == FAILED, "the device has failed")
            g.write(R_COMMAND, RESET)
            g.start()
            s = g.open()


def test_full_ring_of_replies():
    with device() as d:
        g = d.guest()
        s = g.open()
        sent = []
        # Nothing is read until the device takes no more.
        end = time.monotonic() + 2
        while time.monotonic() < end and len(sent) < 400:
            if g.producer - g.get64(HOST) < SLOTS:
                sent.append(s.post(MEMORY_QUERY))
                end = time.monotonic() + 2
        assert SLOTS + SLOTS <= len(sent) < 200, f"{len(sent)} requests are bounded"
        assert g.get64(HOST + 64) - g.consumer == SLOTS
        for ident in sent:
            reply = g.take()
            assert reply and reply.ident == ident, "in their order, and all of them"
        assert g.take(0.1) is None
        assert s.memory_query()[0]


def test_full_ring_without_a_bell():
    with device() as d:
        g = d.guest()
        s = g.open()
        sent = [s.post(MEMORY_QUERY) for _ in range(SLOTS + 8)]
        for ident in sent:
            eventually(lambda: g.get64(HOST + 64) > g.consumer, "a reply")
            at = guest.REPLIES + g.consumer % SLOTS * SLOT
            assert guest.Reply(g.memory[at:at + SLOT]).ident == ident
            g.consumer += 1
            g.put64(GUEST + 64, g.consumer)


def test_many_at_once():
    with device() as d:
        g = d.guest()
        s = g.open()
        for _ in range(50):
            ids = [s.post(MEMORY_QUERY, bell=False) for _ in range(SLOTS)]
            g.write(R_BELL_CONTROL, 1)
            for ident in ids:
                g.wait(ident)


def test_before_start():
    with device() as d:
        g = d.guest(start=False)
        g.put64(GUEST, 7)
        g.write(R_BELL_CONTROL, 1)
        time.sleep(0.1)
        assert g.read(R_STATUS) == READY


if __name__ == "__main__":
    guest.vfu.main()
