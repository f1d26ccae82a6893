#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DEVICE_FEATURE: its grammar, and what each kind of device has."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (DEVICE_FEATURE, F_LOG_REPORT, F_LOG_START, F_LOG_STOP, F_MIG_SIZE, F_MIG_STATE,  # noqa: E402
                 F_MIGRATION, GET, NO_REPLY, PAGE, PROBE, REPLY, S_RUNNING, S_STOP, SET, device, expect, memfd, refused,
                 same_fds)

ALL = {F_MIGRATION: GET, F_MIG_STATE: GET | SET, F_LOG_START: SET, F_LOG_STOP: SET, F_LOG_REPORT: GET, F_MIG_SIZE: GET}
NONE = (0, 3, 4, 5, 10, 11, 12, 13, 14, 31, 32, 63, 64, 255, 256, 4096, 0x7FFF, 0xFFFF)


def head(flags, argsz=8):
    return struct.pack("=II", argsz, flags)


def test_too_short():
    with device() as d:
        c = d.connect()
        for size in range(8):
            expect(errno.EINVAL, lambda: c.ask(DEVICE_FEATURE, head(PROBE | F_MIGRATION)[:size]))
        for argsz in range(8):
            expect(errno.EINVAL, lambda: c.ask(DEVICE_FEATURE, head(PROBE | F_MIGRATION, argsz)))
            expect(errno.EINVAL, lambda: c.ask(DEVICE_FEATURE, head(GET | F_MIGRATION, argsz)))
        assert c.is_alive()


def test_methods():
    """One of GET and SET, or a PROBE; nothing else."""
    with device() as d:
        c = d.connect()
        for number in ALL:
            expect(errno.EINVAL, lambda: c.feature(number, bytes(24)))
            expect(errno.EINVAL, lambda: c.feature(GET | SET | number, bytes(24)))
            for bit in range(19, 32):
                for method in (GET, SET, PROBE):
                    expect(errno.EINVAL, lambda: c.feature(1 << bit | method | number, bytes(24)))
        assert c.state() == S_RUNNING


def test_probe():
    """The request comes back where the device can; EINVAL for the direction that a feature lacks."""
    with device() as d:
        c = d.connect()
        for number, can in ALL.items():
            for methods in (0, GET, SET, GET | SET):
                request = head(PROBE | methods | number)
                if methods & ~can:
                    expect(errno.EINVAL, lambda: c.ask(DEVICE_FEATURE, request))
                else:
                    assert c.ask(DEVICE_FEATURE, request).body == request
        assert c.state() == S_RUNNING
        expect(errno.EINVAL, lambda: c.log_report(0, PAGE))     # probing START has not started it


def test_wrong_direction():
    with device() as d:
        c = d.connect()
        for number, can in ALL.items():
            for method in (GET, SET):
                if not method & can:
                    expect(errno.EINVAL, lambda: c.feature(method | number, bytes(64)))


def test_what_no_device_has():
    """ENOTTY, far behind the end of any table, too."""
    with device() as d:
        c = d.connect()
        for number in NONE:
            for methods in (PROBE, GET, SET, PROBE | GET, PROBE | SET, PROBE | GET | SET):
                expect(errno.ENOTTY, lambda: c.feature(methods | number, bytes(16)))
        assert c.is_alive()


def test_devices_without_migration():
    """Features are what the device can, not what the server knows."""
    for kind in ({"kind": "plain"},):
        with device(**kind) as d:
            c = d.connect()
            for number in ALL:
                if number in (F_MIGRATION, F_MIG_STATE, F_MIG_SIZE):
                    for methods in (PROBE, GET, PROBE | GET):
                        expect(errno.ENOTTY, lambda: c.feature(methods | number, bytes(16)))
            expect(errno.ENOTTY, lambda: c.go(S_STOP))
            refused(lambda: c.mig_read())
            refused(lambda: c.mig_write(b"x"))
            assert c.is_alive()


def test_migration_flags():
    """They are the device's (D5): P2P and pre-copy only where it says so."""
    for kind, want in (({}, 7), ({"parent": "mtty"}, 7), ({"parent": "bochs"}, 7), ({"parent": "asked"}, 3)):
        with device(**kind) as d:
            c = d.connect()
            body = c.ask(DEVICE_FEATURE, head(GET | F_MIGRATION, 16) + bytes(8)).body
            assert struct.unpack("=IIQ", body) == (16, GET | F_MIGRATION, want)
            for argsz in (8, 12, 15):
                expect(errno.EINVAL, lambda: c.feature(GET | F_MIGRATION, argsz=argsz))
            assert len(c.feature(GET | F_MIGRATION, argsz=0xFFFFFFFF)) == 8


def test_state():
    with device() as d:
        c = d.connect()
        c.send(DEVICE_FEATURE, head(GET | F_MIG_STATE, 16), ident=5)
        reply = c.receive()
        assert (reply.ident, reply.flags) == (5, REPLY)
        assert struct.unpack("=IIIi", reply.body) == (16, GET | F_MIG_STATE, S_RUNNING, -1)
        for argsz in (8, 12, 15):
            expect(errno.EINVAL, lambda: c.feature(GET | F_MIG_STATE, argsz=argsz))
        for size in (0, 4, 7):
            expect(errno.EINVAL, lambda: c.feature(SET | F_MIG_STATE, struct.pack("=Ii", S_STOP, -1)[:size]))
            expect(errno.EINVAL, lambda: c.feature(SET | F_MIG_STATE, struct.pack("=Ii", S_STOP, -1)[:size], argsz=16))
        assert c.state() == S_RUNNING
        for fd in (-1, 0, 3, -7):           # not used over a socket
            c.feature(SET | F_MIG_STATE, struct.pack("=Ii", S_STOP, fd))
            assert c.state() == S_STOP
            c.go(S_RUNNING)


def test_size_of_the_data():
    """MIG_DATA_SIZE says not less than what comes, nor more than all the memory there is."""
    with device() as d:
        c = d.connect()
        empty = struct.unpack("=Q", c.feature(GET | F_MIG_SIZE, argsz=16))[0]
        c.scribble()
        size = struct.unpack("=Q", c.feature(GET | F_MIG_SIZE, argsz=16))[0]
        stream = c.save()
        assert empty < size and 0.95 * len(stream) < size < 1300000, f"{size} was said, {len(stream)} came"
        expect(errno.EINVAL, lambda: c.feature(GET | F_MIG_SIZE, argsz=15))


def test_descriptors_are_closed():
    with device() as d:
        c = d.connect()
        fd = memfd(PAGE)
        with same_fds(d):
            for flags in (GET | F_MIGRATION, PROBE | F_MIG_STATE, GET | 99):
                try:
                    c.ask(DEVICE_FEATURE, head(flags, 16), [fd, fd])
                except vfu.Refused:
                    pass
            assert c.is_alive()
        os.close(fd)


def test_without_a_reply():
    with device() as d:
        c = d.connect()
        c.send(DEVICE_FEATURE, head(SET | F_MIG_STATE, 16) + struct.pack("=Ii", S_STOP, -1), flags=NO_REPLY)
        c.send(DEVICE_FEATURE, head(SET | F_MIG_STATE, 16) + struct.pack("=Ii", 99, -1), flags=NO_REPLY)
        c.send(DEVICE_FEATURE, head(GET | 99, 16), flags=NO_REPLY)
        assert c.is_silent()
        assert c.state() == S_STOP


if __name__ == "__main__":
    vfu.main()
