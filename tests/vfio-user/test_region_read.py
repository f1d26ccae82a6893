#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""REGION_READ: any length and alignment inside a region, and nothing outside."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR1, BAR2, BAR3, BAR4, BAR5, CONFIG, ID, OWN, REGION_READ, REPLY, ROM, VGA, default_caps, device,  # noqa: E402
                 expect, refused)

SIZES = {BAR0: 4096, BAR1: 32, BAR2: 1 << 20, BAR4: 16384, ROM: 2048, CONFIG: 4096, OWN: 8192}
STORAGE, REJECT = 0x80, 0x4C


def test_reply():
    """The request again, with the data behind it."""
    with device() as d:
        c = d.connect().enable()
        c.send(REGION_READ, struct.pack("=QII", 0, BAR0, 4), ident=3)
        reply = c.receive()
        assert (reply.ident, reply.command, reply.flags) == (3, REGION_READ, REPLY)
        assert reply.body == struct.pack("=QII", 0, BAR0, 4) + b"TSTD"


def test_any_size_and_alignment():
    """C17 for BARs: the bytes are those of the registers, however they are asked for."""
    with device() as d:
        c = d.connect().enable()
        data = os.urandom(128)
        c.region_write(BAR0, STORAGE, data)
        for at in range(0, 20):
            for count in range(1, 20):
                assert c.region_read(BAR0, STORAGE + at, count) == data[at:at + count]
        for at in range(4):
            assert c.region_read(BAR0, at, 4 - at) == b"TSTD"[at:]
        c.write32(BAR0, 0x04, 0x44332211)
        assert c.region_read(BAR0, 2, 4) == b"TD\x11\x22"


def test_ends_of_regions():
    with device() as d:
        c = d.connect().enable()
        for region, size in SIZES.items():
            for count in (1, 2, 3, 4, 8, 16):
                assert len(c.region_read(region, size - count, count)) == count
                for at in range(size - count + 1, size + 3):
                    expect(errno.EINVAL, lambda: c.region_read(region, at, count))
            assert c.is_alive()


def test_overflow():
    """offset + count beyond 64 bits is not the start again."""
    with device() as d:
        c = d.connect().enable()
        for region in SIZES:
            for offset, count in ((2 ** 64 - 1, 1), (2 ** 64 - 1, 2), (2 ** 64 - 4, 4), (2 ** 64 - 4, 8), (2 ** 63, 4), (2 ** 32, 4),
                                  (2 ** 40 * 2, 4)):
                expect(errno.EINVAL, lambda: c.region_read(region, offset, count))
        assert c.is_alive()


def test_no_such_region():
    """C15: absent ones are as those that no device has."""
    with device() as d:
        c = d.connect().enable()
        for region in (BAR3, BAR5, VGA, 10, 11, 1 << 31, 0xFFFFFFFF):
            for offset in (0, 4096):
                expect(errno.EINVAL, lambda: c.region_read(region, offset, 4))


def test_nothing():
    """A count of 0 reads nothing, inside; it is refused outside or not, but never crashes."""
    with device() as d:
        c = d.connect().enable()
        for region in SIZES:
            assert c.region_read(region, 0, 0) == b""
        for region, offset in ((BAR0, 5000), (99, 0), (BAR0, 2 ** 64 - 1)):
            try:
                assert c.region_read(region, offset, 0) == b""
            except vfu.Refused as error:
                assert error.errno == errno.EINVAL
        assert c.is_alive()


def test_large():
    """C23: as much as the server says, and no more."""
    with device() as d:
        c = d.connect(caps=default_caps(max_data_xfer_size=16 << 20)).enable()
        most = c.caps["max_data_xfer_size"]
        data = os.urandom(most)
        c.region_write(BAR2, 0, data)
        assert c.region_read(BAR2, 0, most) == data
        for count in (most + 1, 2 * most, 1 << 31, 0xFFFFFFFF):
            refused(lambda: c.region_read(BAR2, 0, count), errno.E2BIG, errno.EINVAL)
        assert c.is_alive()


def test_no_more_than_the_client_takes():
    """C23, the other direction."""
    with device() as d:
        c = d.connect(caps=default_caps(max_data_xfer_size=4096)).enable()
        assert len(c.region_read(BAR2, 0, 4096)) == 4096
        refused(lambda: c.region_read(BAR2, 0, 4097), errno.E2BIG, errno.EINVAL)
        assert c.is_alive()


def test_memory_is_off():
    """C17: the command register gates BARs; configuration space and own regions are always there."""
    with device() as d:
        c = d.connect()
        for command in (0, 1, 4):
            c.enable(command)
            for region in (BAR0, BAR2, BAR4):
                expect(errno.EIO, lambda: c.region_read(region, 0, 4))
        for command in (0, 2, 4):
            c.enable(command)
            expect(errno.EIO, lambda: c.region_read(BAR1, 0, 4))
        assert c.region_read(CONFIG, 0, 4) == b"\xf4\x1a\xf0\x10"
        assert c.region_read(OWN, 0, 4) == bytes(4)
        c.enable(2)
        assert c.read32(BAR0, 0) == ID
        c.enable(1)
        assert c.region_read(BAR1, 0, 4) == bytes(4)


def test_outside_is_wrong_before_it_is_off():
    with device() as d:
        c = d.connect()
        for region in (BAR0, BAR1, BAR2):
            expect(errno.EINVAL, lambda: c.region_read(region, 1 << 30, 4))


def test_device_refuses():
    """An errno of the device comes back as it is; what is beside it works."""
    with device() as d:
        c = d.connect().enable()
        for at, count in ((REJECT, 4), (REJECT, 1), (REJECT + 3, 1), (REJECT - 1, 2), (0, 4096)):
            expect(errno.EPERM, lambda: c.region_read(BAR0, at, count))
        assert len(c.region_read(BAR0, REJECT + 4, 4)) == 4 and len(c.region_read(BAR0, REJECT - 4, 4)) == 4


def test_rom():
    with device() as d:
        c = d.connect().enable()
        rom = c.region_read(ROM, 0, 2048)
        assert rom[:2] == b"\x55\xaa"
        for at, count in ((0, 1), (1, 1), (1, 3), (2047, 1), (100, 1900)):
            assert c.region_read(ROM, at, count) == rom[at:at + count]


def test_plain():
    with device(kind="plain") as d:
        c = d.connect().enable()
        assert c.read32(BAR0, 0) == ID
        assert len(c.region_read(CONFIG, 0, 256)) == 256
        expect(errno.EINVAL, lambda: c.region_read(CONFIG, 256, 1))
        expect(errno.EINVAL, lambda: c.region_read(CONFIG, 255, 2))


def test_in_each_state():
    """C21: a stopped device can be read."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, 4, 77)
        for state in (vfu.S_RUNNING_P2P, vfu.S_STOP, vfu.S_STOP_COPY, vfu.S_STOP, vfu.S_RUNNING):
            c.go(state)
            assert c.read32(BAR0, 4) == 77


if __name__ == "__main__":
    vfu.main()
