#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HELLO, and packets that are no messages."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import HELLO, MAGIC, device, expect_refusal, message  # noqa: E402


def test_answer():
    with device() as d:
        c = d.connect().hello()
        assert c.uuid == d.uuid.bytes
        assert c.version >= 1 and c.window % 4096 == 0 and c.window >= 1 << 37


def test_wrong_magic():
    with device() as d:
        c = d.connect()
        expect_refusal(lambda: c.ask(HELLO, struct.pack("<II", MAGIC + 1, 0)), errno.EPROTO)
        expect_refusal(lambda: c.ask(HELLO, struct.pack("<II", MAGIC, 1)), errno.EPROTO)
        c.hello()


def test_only_once():
    with device() as d:
        c = d.connect().hello()
        expect_refusal(c.hello, errno.EPROTO, "WrongState")


def test_wrong_length():
    with device() as d:
        c = d.connect()
        for body in (b"", b"\0" * 16, b"\0" * 4000):
            expect_refusal(lambda body=body: c.ask(HELLO, body), errno.EINVAL, "BadLength")
        c.hello()


def test_bad_header():
    with device() as d:
        c = d.connect()
        body = struct.pack("<II", MAGIC, 0)
        expect_refusal(lambda: c.ask(HELLO, body, status=1), errno.EINVAL)
        expect_refusal(lambda: c.ask(HELLO, body, flags=1), errno.EINVAL)
        expect_refusal(lambda: c.ask(HELLO, body, ident=0), errno.EINVAL)
        expect_refusal(lambda: c.ask(99), errno.EOPNOTSUPP)
        expect_refusal(lambda: c.ask(0), errno.EOPNOTSUPP)
        expect_refusal(lambda: c.ask(12, b"\0" * 528), errno.EOPNOTSUPP)
        expect_refusal(lambda: c.ask(0xFFFFFFFF), errno.EOPNOTSUPP)
        c.hello()


def test_no_message():
    """Refused with what can be read of the id; the connection goes on."""
    with device() as d:
        c = d.connect()
        packets = [(b"x", 0), (b"\0" * 8, 0), (message(HELLO, 7)[:23], 7), (message(HELLO, 8, length=8), 8),
                   (message(HELLO, 9, b"\0" * 8, length=24), 9), (message(HELLO, 10, b"\0" * 3), 10),
                   (message(HELLO, 11, b"\0" * 5000), 11), (os.urandom(4096)[:8] + b"\5" + b"\0" * 15, 5)]
        for packet, ident in packets:
            c.send_raw(packet)
            expect_refusal(lambda ident=ident: c.wait(ident), errno.EBADMSG, "BadPacket")
        c.hello()


def test_descriptors_are_closed():
    with device() as d:
        c = d.connect()
        expect_refusal(lambda: c.ask(99), errno.EOPNOTSUPP)
        before = len(os.listdir(f"/proc/{d.process.pid}/fd"))
        for _ in range(50):
            c.send(HELLO, struct.pack("<II", MAGIC, 1), fds=[0, 0, 0, 0])
            expect_refusal(lambda: c.wait(c.last_id), errno.EPROTO)
        assert len(os.listdir(f"/proc/{d.process.pid}/fd")) == before
        c.hello()


def test_before_hello():
    with device() as d:
        c = d.connect()
        expect_refusal(lambda: c.ask(wire.SESSION_CREATE, c.create_body()), errno.EPROTO, "WrongState")
        expect_refusal(c.memory, errno.EPROTO, "WrongState")


if __name__ == "__main__":
    wire.main()
