#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The fake host, driven by hand over vfio-user: what a driver does to come up, one command, and what is given back."""
import contextlib
import ctypes
import mmap
import os
import pathlib
import select
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "vfio-user")]
import vfu  # noqa: E402
from fake_host import FakeHost  # noqa: E402
from vfu import BAR0, BAR2, Client, eventually  # noqa: E402

MIB = 1 << 20
STATUS, DRIVER_VERSION, COMMAND, BELL, BELL_CHANNEL = 0x0c, 0x100, 0x10c, 0x110, 0x114
READY, RUNNING, FAILED = 1, 2, 4
SEGMENT_CREATE, SEGMENT_DESTROY, CONTEXT_CREATE, CONTEXT_DESTROY, OPEN, CLOSE, LOST = 3, 4, 5, 6, 32, 33, 12
RING, SLOTS = 16384, 4096 * 64
CHANNEL = 3 * 4096 + RING + SLOTS


class Driver:
    """The least that a driver does."""

    def __init__(self, path):
        self.c = c = Client(path)
        c.enable()
        region = c.region_info(BAR2)
        self.memory = mmap.mmap(region.fds[0], region.size, offset=region.offset)
        for fd in region.fds:
            os.close(fd)
        self.events = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        c.wire(vfu.MSIX, self.events)
        self.requests = self.replies = self.last_id = 0
        self.window = self.reg64(0x58)

    def close(self):
        self.c.close()
        self.memory.close()
        for fd in self.events:
            os.close(fd)

    def reg64(self, at):
        return self.c.read32(BAR0, at) | self.c.read32(BAR0, at + 4) << 32

    def start(self):
        eventually(lambda: self.c.read32(BAR0, STATUS) & READY, "READY")
        self.c.write32(BAR0, DRIVER_VERSION, 1)
        self.c.write32(BAR0, COMMAND, 1)
        assert self.c.read32(BAR0, STATUS) == READY | RUNNING

    # By ctypes: the host reads these words at any moment, and struct.pack_into() zeroes them before it writes.

    def get64(self, at):
        return ctypes.c_uint64.from_buffer(self.memory, at).value

    def put64(self, at, value):
        ctypes.c_uint64.from_buffer(self.memory, at).value = value

    def ask(self, session, kind, body=b""):
        """Return: (status, body) of the reply"""
        self.last_id += 1
        at = 0x10000 + self.requests % 32 * 2048
        self.memory[at:at + 32 + len(body)] = struct.pack("=IIIIQII", session, 0, kind, 24 + len(body), self.last_id, 0, 0) + body
        self.requests += 1
        self.put64(0, self.requests)
        self.c.write32(BAR0, BELL, 1)
        got = self.reply()
        assert got[:3] == (session, kind | 0x80000000, self.last_id), got
        return got[3:]

    def reply(self):
        """The next one: (session, type, id, status, body)"""
        eventually(lambda: self.get64(0x1040) > self.replies, "a reply")
        assert select.select([self.events[0]], [], [], 5)[0]
        at = 0x20000 + self.replies % 32 * 2048
        session, zero, kind, size, ident, status, flags = struct.unpack_from("=IIIIQII", self.memory, at)
        assert zero == flags == 0 and size % 8 == 0
        self.replies += 1
        self.put64(64, self.replies)
        return session, kind, ident, status, self.memory[at + 32:at + 8 + size]

    def open(self, vector=1):
        assert self.ask(1, OPEN, struct.pack("=QQQQII1024s", 0, self.window, 128 * MIB, 0, vector, 0, b""))[0] == 0

    def context(self):
        assert self.ask(1, SEGMENT_CREATE, struct.pack("=QQII", 0, CHANNEL, 2, 0))[0] == 0
        assert self.ask(1, CONTEXT_CREATE, struct.pack("=IIQIIQ", 1, 0, 0, RING, 0, 1))[0] == 0


@contextlib.contextmanager
def running():
    with tempfile.TemporaryDirectory(prefix="fake-") as folder, FakeHost(folder) as host:
        driver = Driver(host.path)
        driver.start()
        yield host, driver
        driver.close()


def test_session():
    with running() as (host, d):
        assert d.ask(1, CLOSE)[0] == 107       # ENOTCONN
        d.open()
        assert d.ask(1, OPEN, bytes(1064))[0] == 22
        status, body = d.ask(1, SEGMENT_CREATE, struct.pack("=QQII", 4 * MIB, MIB, 1, 0))
        assert (status, struct.unpack("=QQ", body)) == (0, (1, MIB))
        assert d.ask(1, SEGMENT_CREATE, struct.pack("=QQII", 4 * MIB + 4096, MIB, 1, 0))[0] == 22
        assert d.ask(1, SEGMENT_CREATE, struct.pack("=QQII", 16 * MIB, 64 * MIB, 1, 0))[0] == 28
        d.memory[d.window + 4 * MIB:d.window + 4 * MIB + 5] = b"bytes"
        assert d.ask(1, SEGMENT_DESTROY, struct.pack("=QIIQ", 4 * MIB, 0, 0, 0))[0] == 0
        assert d.memory[d.window + 4 * MIB:d.window + 4 * MIB + 5] == bytes(5)
        assert d.ask(1, 99)[0] == 22
        assert d.ask(1, CLOSE)[0] == 0


def test_command():
    """A queue and a command; the host sleeps before it, the guest's kernel afterwards."""
    with running() as (host, d):
        d.open()
        d.context()
        w = d.window
        asleep = lambda: struct.unpack_from("=I", d.memory, w + 64)[0]      # noqa: E731
        eventually(asleep, "the host sleeps")
        queue, event = 1 << 32, 1 << 32 | 5
        records = struct.pack("=HHIQQQQII", 16, 0, 48, 1, queue, 1 << 32, 0, 0, 0)
        records += struct.pack("=HHIQQQQQII", 71, 0, 56, 1, queue, 1, event, 0, 0, 0)
        d.memory[w + 12288:w + 12288 + len(records)] = records
        struct.pack_into("=IIQ", d.memory, w + 8192, 1, 0, 1)       # kernel_asleep until one command is complete
        d.put64(w, len(records))
        d.c.write32(BAR0, BELL_CHANNEL, 1 << 8 | 1)
        assert select.select([d.events[1]], [], [], 5)[0], "no interrupt"
        assert d.get64(0x2040) == 1 and d.get64(w + 8192) == 0
        assert d.get64(w + 4096 + 88) == 1, "commands"
        # the interrupt is a command's, it says nothing of how far the ring has been read
        eventually(lambda: d.get64(w + 4096) == len(records), "the consumer")
        slots = w + 12288 + RING
        assert d.get64(slots + 8) == 1 and d.get64(slots + 5 * 64) == 1 << 32
        assert "commands=1" in host.say("stats")


def test_nonsense_in_the_ring():
    with running() as (host, d):
        d.open()
        d.context()
        w = d.window
        eventually(lambda: struct.unpack_from("=I", d.memory, w + 64)[0], "the host sleeps")
        d.put64(w, 16)        # a head of zeroes
        d.c.write32(BAR0, BELL_CHANNEL, 1 << 8 | 1)
        eventually(lambda: d.get64(w + 4096 + 64) & 0xffffffff == 2, "lost: the record")


def test_lost():
    with running() as (host, d):
        d.open()
        host.say("lose 1")
        session, kind, ident, _, body = d.reply()
        assert (session, kind, ident) == (1, LOST, 0) and b"Lost\0" in body
        assert d.ask(1, SEGMENT_CREATE, struct.pack("=QQII", 0, MIB, 1, 0))[0] == 108      # ESHUTDOWN
        assert d.ask(1, CLOSE)[0] == 0
        d.open()


def test_reset():
    with running() as (host, d):
        d.open()
        d.context()
        d.memory[d.window + 4096 * 3] = 7
        before = d.c.read32(BAR0, 0x20)
        d.c.write32(BAR0, COMMAND, 2)
        assert d.c.read32(BAR0, 0x20) == before + 1
        eventually(lambda: d.c.read32(BAR0, STATUS) == READY, "READY")
        assert d.memory[d.window + 4096 * 3] == 0 and d.get64(0) == 0
        d.requests = d.replies = 0
        d.start()
        d.open()


def test_broken_ring():
    with running() as (host, d):
        d.put64(0, 33)
        d.c.write32(BAR0, BELL, 1)
        eventually(lambda: d.c.read32(BAR0, STATUS) & FAILED, "FAILED")
        assert "request_producer" in host.errors()


def test_faults():
    """Each kind of rule strikes as often as it is told to."""
    with running() as (host, d):
        d.open()
        host.say("reg 0 7 times=1")
        assert [d.c.read32(BAR0, 0) for _ in range(2)] == [7, 0x434e5254]
        host.say("ones")
        assert d.c.read32(BAR0, STATUS) == 0xffffffff
        host.say("back", "reply status 5 type=11 skip=1 times=1", "reply body +1 at=8 type=11 times=1")
        assert [d.ask(1, 11)[0] for _ in range(3)] == [0, 5, 0]
        host.say("reply twice times=1")
        assert d.ask(1, 11)[0] == 0
        assert d.reply()[2] == d.last_id
        host.say("reply keep times=1", "slot 3 0 9 24 77 0 0 0")
        assert d.reply()[:3] == (3, 9, 77)
        host.say("heal")
        assert d.ask(1, 11)[0] == 0


def test_chaos():
    """The fake host survives itself, and is good again after it."""
    with running() as (host, d):
        d.open()
        d.context()
        host.say("pause 10", "chaos all 3", "random 50 7")
        for _ in range(300):
            d.c.write32(BAR0, BELL, 1)
            d.c.write32(BAR0, BELL_CHANNEL, 1 << 8 | 1)
        host.say("sleep 700", "heal", "reset")
        eventually(lambda: d.c.read32(BAR0, STATUS) == READY, "READY")
        d.requests = d.replies = 0
        for fd in d.events:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(fd)
        d.start()
        d.open()
        d.context()


if __name__ == "__main__":
    import tap
    tap.main(60)
