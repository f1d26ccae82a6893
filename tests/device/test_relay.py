#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""EVENT_BLOCK_ADD, OUTPUT_SET, PROGRAM_BUILD, PROGRAM_QUERY and MEMORY_QUERY: checked, passed on, answered."""
import errno
import struct
import sys

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import (EVENT_BLOCK_ADD, MEMORY_QUERY, MIB, OUTPUT_SET, PAGE, PROGRAM_BUILD, PROGRAM_QUERY, SERVICE, device,  # noqa: E402
                  expect_refusal)

TOP = (1 << 64) - PAGE
BLOCK = 4096 * 64


def event_block(context=1, block=1, offset=MIB, seq=0):
    return struct.pack("<IIQQ", context, block, offset, seq)


def output(offset=MIB, length=PAGE, reserved=0, seq=0):
    return struct.pack("<QIIQ", offset, length, reserved, seq)


def build(context=1, reserved=0, program=1 << 32, request=MIB, request_len=64, reply=MIB + PAGE, cap=PAGE, seq=0):
    return struct.pack("<IIQQQQQQ", context, reserved, program, request, request_len, reply, cap, seq)


def query(context=1, what=1, program=1 << 32, reply=MIB, cap=PAGE, seq=0):
    return struct.pack("<IIQQQQ", context, what, program, reply, cap, seq)


def ready(d):
    """A session with context 1 (control number 1), service memory at 1 MiB, buffer memory at 4 MiB."""
    c = d.start()
    c.context(1, 1 << 30)
    c.grab(MIB, 2 * MIB, SERVICE)
    c.grab(4 * MIB, MIB)
    return c


def all_refused(c, kind, bodies, status=errno.EINVAL):
    for body in bodies:
        expect_refusal(lambda b=body: c.ask(kind, b), status)


def test_event_block():
    with device() as d:
        c = ready(d)
        assert c.ask(EVENT_BLOCK_ADD, event_block(seq=3)).body == b""
        all_refused(c, EVENT_BLOCK_ADD, [event_block(context=n) for n in (0, 2, 65, 1 << 31)], errno.ENOENT)
        all_refused(c, EVENT_BLOCK_ADD, [event_block(block=0), event_block(block=256), event_block(seq=4),
                                         event_block(offset=MIB + 8), event_block(offset=3 * MIB - BLOCK + PAGE),
                                         event_block(offset=4 * MIB), event_block(offset=0), event_block(offset=TOP)])
        expect_refusal(lambda: c.ask(EVENT_BLOCK_ADD, event_block()[:16]), errno.EINVAL, "BadLength")


def test_output():
    with device() as d:
        c = ready(d)
        assert c.ask(OUTPUT_SET, output(seq=3)).body == b""
        all_refused(c, OUTPUT_SET, [output(length=n) for n in (0, 1, 2048, PAGE + 1, 3 * PAGE, 2 * MIB, 1 << 31)])
        all_refused(c, OUTPUT_SET, [output(reserved=1), output(seq=4), output(offset=MIB + 8), output(offset=0),
                                    output(offset=4 * MIB), output(offset=3 * MIB - PAGE), output(offset=TOP)])


def test_build():
    with device() as d:
        c = ready(d)
        assert struct.unpack("<Q", c.ask(PROGRAM_BUILD, build(seq=3)).body) == (4711,)
        all_refused(c, PROGRAM_BUILD, [build(context=n) for n in (0, 2, 65)], errno.ENOENT)
        big = (256 << 20) + 1
        all_refused(c, PROGRAM_BUILD, [build(request_len=big), build(cap=big), build(cap=TOP)], errno.E2BIG)
        all_refused(c, PROGRAM_BUILD, [build(reserved=1), build(seq=4), build(request=0), build(request=4 * MIB),
                                       build(reply=4 * MIB), build(request=TOP), build(reply=3 * MIB), build(cap=0),
                                       build(request_len=0), build(request=3 * MIB - 32), build(reply=3 * MIB - 8)])


def test_query():
    with device() as d:
        c = ready(d)
        assert struct.unpack("<Q", c.ask(PROGRAM_QUERY, query()).body) == (8,)
        all_refused(c, PROGRAM_QUERY, [query(what=0), query(what=4), query(seq=9), query(reply=0), query(reply=TOP)])
        all_refused(c, PROGRAM_QUERY, [query(context=5)], errno.ENOENT)


def test_memory_that_is_leaving():
    with device(fake="deaf") as d:
        c = ready(d)
        c.send(wire.SEGMENT_DESTROY, struct.pack("<QIIQ", MIB, 0, 0, 0))
        all_refused(c, PROGRAM_BUILD, [build()])
        all_refused(c, OUTPUT_SET, [output()])


def test_memory_query():
    with device() as d:
        c = ready(d)
        assert c.memory()[2] == MIB
        expect_refusal(lambda: c.ask(MEMORY_QUERY, b"\0" * 8), errno.EINVAL, "BadLength")


def test_refusal_is_passed_on():
    with device(fake="build-refuse") as d:
        c = ready(d)
        refused = expect_refusal(lambda: c.ask(PROGRAM_BUILD, build()), errno.EIO, "FakeRefusal")
        assert "\x1b" not in refused.text and "\n" not in refused.text and refused.text == "no ?[31m compiler?" + "x" * 200
        assert len(refused.hint) == 239
        assert c.memory()


def test_too_many_open():
    with device(fake="build-hang") as d:
        c = ready(d)
        idents = [c.send(PROGRAM_BUILD, build()) for _ in range(1024)]
        expect_refusal(lambda: c.ask(PROGRAM_BUILD, build()), errno.EBUSY, "TooManyRequests")
        expect_refusal(lambda: c.ask(PROGRAM_BUILD, build(), ident=idents[5]), errno.EEXIST, "IdInUse")
        assert c.destroy(4 * MIB) == 0, "a hanging build holds up nothing else"


if __name__ == "__main__":
    wire.main()
