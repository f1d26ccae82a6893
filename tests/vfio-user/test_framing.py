#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Headers, lengths and the order of messages: whatever comes, the answer is a refusal and the connection goes on, except where
it is no header (contract C28)."""
import errno
import os
import resource
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR2, COMMAND, CONFIG, DEVICE_FEATURE, DEVICE_GET_INFO, DEVICE_RESET, DMA_MAP, DMA_READ, DMA_UNMAP, DMA_WRITE,  # noqa: E402
                 ERROR, GET_IRQ_INFO, GET_REGION_INFO, GET_REGION_IO_FDS, ID, MIG_DATA_READ, MIG_DATA_WRITE, NO_REPLY,
                 REGION_READ, REGION_WRITE, REPLY, SET_IRQS, VERSION, WRITE_MULTI, device, expect, message, refused)

SCRATCH, LAST = 0x04, 0x1c


def access(region, offset, count):
    return struct.pack("=QII", offset, region, count)


# A right message of each command, and the length of its fixed part.
RIGHT = {
    DMA_MAP: (struct.pack("=IIQQQ", 32, 3, 0, 0x100000, 4096), 32),
    DMA_UNMAP: (struct.pack("=IIQQ", 24, 0, 0x100000, 4096), 24),
    DEVICE_GET_INFO: (struct.pack("=4I", 16, 0, 0, 0), 16),
    GET_REGION_INFO: (struct.pack("=4I2Q", 4096, 0, BAR2, 0, 0, 0), 32),
    GET_REGION_IO_FDS: (struct.pack("=4I", 4096, 0, BAR0, 0), 16),
    GET_IRQ_INFO: (struct.pack("=4I", 16, 0, 2, 0), 16),
    SET_IRQS: (struct.pack("=5I", 20, 1 | 32, 2, 0, 0), 20),
    REGION_READ: (access(BAR0, 0, 4), 16),
    REGION_WRITE: (access(BAR0, SCRATCH, 4) + b"abcd", 20),
    WRITE_MULTI: (struct.pack("=QQII8s", 1, SCRATCH, BAR0, 4, b"efgh"), 32),
    DEVICE_FEATURE: (struct.pack("=IIQ", 16, vfu.GET | vfu.F_MIGRATION, 0), 8),
    DEVICE_RESET: (b"", 0),
}


def test_size_below_a_header():
    """The next message cannot be found: the connection ends; the device goes on."""
    with device() as d:
        for size in (0, 1, 15):
            c = d.connect()
            c.send(DEVICE_GET_INFO, size=size)
            assert c.is_gone()
        assert d.connect().is_alive()


def test_type_that_does_not_exist():
    with device() as d:
        for kind in range(2, 16):
            c = d.connect()
            c.send(DEVICE_GET_INFO, RIGHT[DEVICE_GET_INFO][0], flags=kind)
            assert c.is_gone()
            c.close()
        assert d.connect().is_alive()


def test_no_header_before_version():
    with device() as d:
        for data in (b"\0" * 16, b"\xff" * 16, b"GET / HTTP/1.1\r\n\r\n", os.urandom(8) + b"\xff\xff\xff\xff" + os.urandom(4)):
            c = d.connect(hello=False)
            c.send_raw(data)
            assert c.is_gone()
        assert d.connect().is_alive()


def test_flags_that_do_not_exist():
    with device() as d:
        c = d.connect()
        for flags in (ERROR, 1 << 6, 1 << 7, 1 << 31, 0xFFFFFFC0):
            expect(errno.EINVAL, lambda flags=flags: c.ask(DEVICE_GET_INFO, RIGHT[DEVICE_GET_INFO][0], flags=flags))
        assert c.is_alive()


def test_error_field_of_a_command_is_ignored():
    """The specification: it is reserved there."""
    with device() as d:
        c = d.connect()
        assert len(c.ask(DEVICE_GET_INFO, RIGHT[DEVICE_GET_INFO][0], error=5).body) == 16


def test_unknown_commands():
    with device() as d:
        c = d.connect()
        for command in (0, DMA_READ, DMA_WRITE, 14, 19, 20, 100, 255, 256, 32768, 65535):
            for body in (b"", b"\0" * 64):
                refused(lambda command=command, body=body: c.ask(command, body), errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)
        assert c.is_alive()


def test_short():
    """Each command with each length that is less than it needs."""
    with device() as d:
        c = d.connect()
        c.enable()
        for command, (body, fixed) in RIGHT.items():
            for length in range(fixed):
                refused(lambda: c.ask(command, body[:length]), errno.EINVAL)
            assert c.is_alive()
        for command in (MIG_DATA_READ, MIG_DATA_WRITE):
            for length in range(8):
                refused(lambda: c.ask(command, b"\0" * length), errno.EINVAL, errno.EOPNOTSUPP)
        for command, (body, fixed) in RIGHT.items():
            reply = c.ask(command, body)
            reply.close()


def test_long():
    """More than a command has: refused where what follows means nothing, and nothing is done then."""
    with device() as d:
        c = d.connect()
        c.enable()
        c.write32(BAR0, SCRATCH, 1)
        for command in (REGION_READ, REGION_WRITE, WRITE_MULTI, DEVICE_RESET):
            for extra in (1, 4, 16, 5000):
                expect(errno.EINVAL, lambda: c.ask(command, RIGHT[command][0] + b"\0" * extra))
        assert c.read32(BAR0, SCRATCH) == 1
        for command in (DEVICE_GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, SET_IRQS, DMA_UNMAP, GET_REGION_IO_FDS, DMA_MAP):
            try:
                c.ask(command, RIGHT[command][0] + b"\0" * 8).close()
            except vfu.Refused as error:
                assert error.errno in (errno.EINVAL, errno.ENOENT)
        assert c.is_alive()


def test_too_long_is_skipped():
    """A message that is longer than any may be: refused, read to its end, and the next one is found."""
    with device() as d:
        c = d.connect()
        most = c.caps["max_data_xfer_size"]
        for command in (REGION_WRITE, DEVICE_GET_INFO, VERSION, 99):
            for size in (most + 4096, 3 * most + 1):
                refused(lambda: c.ask(command, b"\xff" * size), errno.E2BIG, errno.EINVAL, errno.EMSGSIZE)
                assert c.is_alive()


def test_too_long_is_refused_at_once():
    """Nobody sends 4 GiB to hear that it is too much."""
    with device() as d:
        c = d.connect()
        ident = c.send(REGION_WRITE, b"\0" * 100, size=0xFFFFFFFF)
        reply = c.receive()
        assert reply.ident == ident and reply.flags & ERROR
        c.send_raw(b"\1" * (1 << 20))
        c.close()
        assert d.connect().is_alive()


def test_too_long_without_reply():
    with device() as d:
        c = d.connect()
        c.send(REGION_WRITE, b"\0" * (3 << 20), flags=NO_REPLY)
        assert c.is_alive()


def test_longest():
    with device() as d:
        c = d.connect().enable()
        most = c.caps["max_data_xfer_size"]
        data = os.urandom(most)
        c.region_write(BAR2, 0, data)
        assert c.region_read(BAR2, 0, most) == data


def test_replies_out_of_nowhere():
    """C28: nothing was asked, so nothing is answered; what follows is a command as ever."""
    with device() as d:
        c = d.connect()
        for command in (0, VERSION, REGION_READ, DMA_READ, DMA_WRITE, 14, 65535):
            for flags in (REPLY, REPLY | ERROR, REPLY | NO_REPLY, REPLY | 1 << 31):
                for body in (b"", struct.pack("=QQ", 0x1000, 4) + b"abcd", b"\xff" * 4096):
                    c.send(command, body, flags=flags, error=5)
            assert c.is_alive()
        c.send(DMA_READ, b"\0" * (3 << 20), flags=REPLY)
        assert c.is_alive()


def test_reply_before_version():
    with device() as d:
        c = d.connect(hello=False)
        c.send(DMA_READ, struct.pack("=QQ", 0, 4) + b"abcd", flags=REPLY)
        c.send(VERSION, b"", flags=REPLY)
        c.hello()
        assert c.is_alive()


def test_byte_by_byte():
    with device() as d:
        c = d.connect(hello=False)
        irq = vfu.Irq()
        messages = [
            (message(VERSION, vfu.version_body(), ident=1), []),
            (message(REGION_WRITE, access(CONFIG, 4, 2) + b"\7\0", ident=2), []),
            (message(REGION_WRITE, access(BAR0, SCRATCH, 4) + b"\1\2\3\4", ident=3), []),
            (message(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, 3, 1), ident=4), [irq.fd]),
            (message(SET_IRQS, struct.pack("=5I", 20, 1 | 32, 2, 3, 1), ident=5), []),
            (message(REGION_READ, access(BAR0, SCRATCH, 4), ident=6), []),
        ]
        for data, fds in messages:
            c.send_raw(data[:1], fds)
            for i in range(1, len(data)):
                c.send_raw(data[i:i + 1])
                if i % 16 == 0:
                    time.sleep(0.0005)
        for ident in range(1, 7):
            reply = c.receive()
            assert reply.ident == ident and not reply.flags & ERROR
        assert reply.body[16:] == b"\1\2\3\4" and irq.count(20) == 1
        irq.close()


def test_many_in_one_write():
    with device() as d:
        c = d.connect().enable()
        count = 3000
        data = b""
        for i in range(count):
            data += message(REGION_WRITE, access(BAR0, SCRATCH, 4) + struct.pack("=I", i), ident=i, flags=NO_REPLY)
            data += message(REGION_READ, access(BAR0, SCRATCH, 4), ident=i)
            if i % 100 == 0:
                data += message(99, ident=i)
        c.send_raw(data)
        for i in range(count):
            reply = c.receive()
            assert reply.ident == i and reply.body[16:] == struct.pack("=I", i)
            if i % 100 == 0:
                reply = c.receive()
                assert reply.ident == i and reply.command == 99 and reply.flags & ERROR
        assert c.is_alive()


def test_pieces_of_odd_length():
    with device() as d:
        c = d.connect().enable()
        data = b"".join(message(REGION_READ, access(BAR0, 0, 4), ident=i) for i in range(150))      # what a socket holds
        for step in (7, 31, 33, 1001):
            for at in range(0, len(data), step):
                c.send_raw(data[at:at + step])
            for i in range(150):
                reply = c.receive()
                assert reply.ident == i and reply.body[16:] == b"TSTD"


def test_disconnect_in_the_midst():
    """At each place of a message; nothing is left behind (C27)."""
    with device() as d:
        data = message(REGION_WRITE, access(BAR0, SCRATCH, 4) + b"\1\1\1\1")
        for length in list(range(1, len(data))):
            for hello in (True, False):
                c = d.connect(hello=hello)
                c.send_raw(data[:length])
                c.close()
        c = d.connect().enable()
        assert c.read32(BAR0, SCRATCH) == 0


def test_disconnect_with_descriptors():
    """They came, but the rest of their message never does."""
    with device() as d:
        irq = vfu.Irq()
        data = message(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, 0, 1))
        for length in (1, 15, 16, 35):
            c = d.connect()
            c.send_raw(data[:length], [irq.fd])
            c.close()
        irq.close()
        assert d.connect().is_alive()


def test_disconnect_before_the_replies():
    with device() as d:
        for _ in range(5):
            c = d.connect().enable()
            for _ in range(20):
                c.send(REGION_READ, access(BAR2, 0, 1 << 19))
                c.send(GET_REGION_INFO, RIGHT[GET_REGION_INFO][0])
                if not vfu.select.select([], [c.sock], [], 0)[1]:
                    break
            c.close()
        assert d.connect().is_alive()


def test_end_of_the_requests():
    """A client that says no more still hears what it asked for."""
    with device() as d:
        c = d.connect().enable()
        idents = [c.send(REGION_READ, access(BAR0, 0, 4)) for _ in range(50)]
        c.sock.shutdown(socket.SHUT_WR)
        for ident in idents:
            assert c.receive().ident == ident
        assert c.is_gone()


def fill(c):
    """Asks for large replies until the socket takes no more; returns what was asked, in order."""
    asked, data = [], message(REGION_READ, access(BAR2, 0, 1 << 20))
    c.sock.setblocking(False)
    stuck = 0
    while stuck < 3 and len(asked) < 50000:
        try:
            sent = c.sock.send(data)
            assert sent == len(data)
            asked.append(data)
            stuck = 0
        except BlockingIOError:
            stuck += 1
            time.sleep(0.02)
    c.sock.settimeout(20)
    return asked


def any_takes_less_than(seconds, call, tries=5):
    """Of several calls, as one may wait for a processor."""
    for _ in range(tries):
        start = time.monotonic()
        call()
        if time.monotonic() - start < seconds:
            return True
    return False


def test_slow_reader():
    """A client that does not read its replies holds up nobody else: not who connects, not another device, not the end."""
    with device() as d, device() as other:
        c = d.connect().enable()
        c.region_write(BAR2, 0, b"slow" * (1 << 18))
        idents = [c.send(REGION_READ, access(BAR2, 0, 1 << 20)) for _ in range(40)]
        time.sleep(0.05)

        def ask_others():
            second = d.connect(hello=False)
            expect(errno.EBUSY, second.hello)
            second.close()
            o = other.connect().enable()
            assert o.read32(BAR0, 0) == ID
            o.close()
        assert any_takes_less_than(2, ask_others)
        for ident in idents:
            reply = c.receive()
            assert reply.ident == ident and reply.body[16:] == b"slow" * (1 << 18)
        assert c.is_alive()


def test_stuck_reader():
    """Nor does it keep the process from ending, or its place from the next client."""
    def end(d):
        d.process.terminate()
        assert d.process.wait(30) == 0

    def is_quick():
        with device() as d:
            c = d.connect().enable()
            assert fill(c)
            c.close()
            c = d.connect().enable()
            assert fill(c)
            quick = any_takes_less_than(3, lambda: end(d), tries=1)
            assert not os.path.exists(d.path)
            c.close()
            d.fds_at_start = None       # there are none to count any more
            return quick
    assert any(is_quick() for _ in range(3))


def test_no_reply():
    """The bit means the same for every command, done or refused: no reply, and no descriptor is lost."""
    with device() as d:
        c = d.connect().enable()
        with vfu.same_fds(d):
            for command, (body, _) in RIGHT.items():
                c.send(command, body, flags=NO_REPLY)
                c.send(command, body[:len(body) // 2 - 1], flags=NO_REPLY)
                c.send(command, body + b"\0" * 3, flags=NO_REPLY)
                c.enable()      # it was reset, perhaps
            for command in (0, VERSION, DMA_READ, 14, MIG_DATA_READ, MIG_DATA_WRITE, 99):
                c.send(command, b"\0" * 20, flags=NO_REPLY)
            assert c.is_alive()
        c.send(REGION_WRITE, RIGHT[REGION_WRITE][0], flags=NO_REPLY)
        assert c.region_read(BAR0, SCRATCH, 4) == b"abcd"
        c.send(DEVICE_RESET, flags=NO_REPLY)
        c.enable()
        assert c.read32(BAR0, SCRATCH) == 0


def test_same_id():
    """The id is the sender's and may repeat."""
    with device() as d:
        c = d.connect().enable()
        for ident in (0, 7, 65535):
            for offset in range(0x80, 0xc0, 4):
                c.send(REGION_WRITE, access(BAR0, offset, 4) + struct.pack("=I", offset * ident), ident=ident)
                c.send(REGION_READ, access(BAR0, offset, 4), ident=ident)
                c.send(99, ident=ident)
            for offset in range(0x80, 0xc0, 4):
                write, read, error = c.receive(), c.receive(), c.receive()
                assert [m.ident for m in (write, read, error)] == [ident] * 3
                assert [m.command for m in (write, read, error)] == [REGION_WRITE, REGION_READ, 99]
                assert read.body[16:] == struct.pack("=I", offset * ident & 0xFFFFFFFF) and error.flags == REPLY | ERROR


def test_flags_of_a_reply():
    with device() as d:
        c = d.connect()
        c.send(DEVICE_GET_INFO, RIGHT[DEVICE_GET_INFO][0])
        reply = c.receive()
        assert reply.flags == REPLY and reply.error == 0
        c.send(DEVICE_GET_INFO)
        reply = c.receive()
        assert reply.flags == REPLY | ERROR and reply.error == errno.EINVAL and not reply.body


def test_descriptors_where_none_belong():
    """Those are closed, whatever becomes of the message."""
    with device() as d:
        c = d.connect().enable()
        irqs = [vfu.Irq() for _ in range(3)]
        files = [i.fd for i in irqs]
        with vfu.same_fds(d):
            for command, (body, _) in RIGHT.items():
                if command == DMA_MAP:
                    continue
                for flags in (COMMAND, NO_REPLY):
                    for some in (files[:1], files):
                        ident = c.send(command, body, some, flags=flags)
                        if not flags:
                            try:
                                c.wait(ident).close()
                            except vfu.Refused as error:
                                assert error.errno in (errno.EINVAL, errno.ENOENT, errno.EIO)
            for command in (0, 14, 99):
                refused(lambda command=command: c.ask(command, b"", files))
            for command in (DMA_READ, 99):
                c.send(command, b"\0" * 20, files, flags=REPLY)
            refused(lambda: c.ask(REGION_WRITE, b"\0" * (3 << 20), files))
            assert c.is_alive()
        for i in irqs:
            i.close()


def test_too_many_descriptors():
    """C23: more than the server takes in one message: refused, all of them closed."""
    with device() as d:
        c = d.connect()
        irq = vfu.Irq()
        most = c.caps["max_msg_fds"]
        with vfu.same_fds(d):
            for count in (most + 1, 60, 64, 65, 100, 253):      # the kernel takes 253 at most
                refused(lambda: c.ask(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, 0, count), [irq.fd] * count))
                refused(lambda: c.ask(DMA_MAP, RIGHT[DMA_MAP][0], [irq.fd] * count))
                refused(lambda: c.ask(DEVICE_GET_INFO, RIGHT[DEVICE_GET_INFO][0], [irq.fd] * count))
                c.send(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, 0, count), [irq.fd] * count, flags=NO_REPLY)
                assert c.is_alive()
        assert irq.count() == 0
        irq.close()


def test_descriptors_in_the_midst_of_a_message():
    """They belong to a message's first byte; those that come later are closed."""
    with device() as d:
        c = d.connect().enable()
        irq = vfu.Irq()
        with vfu.same_fds(d):
            data = message(REGION_READ, access(BAR0, 0, 4), ident=9)
            for at in (1, 15, 16, 31):
                c.send_raw(data[:at])
                time.sleep(0.01)
                c.send_raw(data[at:], [irq.fd])
                try:
                    assert c.wait(9).body[16:] == b"TSTD"
                except vfu.Refused:
                    pass
            assert c.is_alive()
        irq.close()


def test_descriptors_behind_other_messages():
    """Messages without any in front and behind: each descriptor comes to the message that it was sent with."""
    with device() as d:
        c = d.connect().enable()
        read = message(REGION_READ, access(BAR0, 0, 4), ident=1)
        for round_ in range(50):
            irqs = [vfu.Irq() for _ in range(8)]
            c.send_raw(message(REGION_READ, access(BAR2, 0, 1 << 19), ident=1))     # the server is busy, so more gather
            for n, irq in enumerate(irqs):
                c.send_raw(read * (round_ % 3))
                c.send_raw(message(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, n, 1), ident=2), [irq.fd])
                c.send_raw(read)
            c.send_raw(message(SET_IRQS, struct.pack("=5I", 20, 1 | 32, 2, 0, 8), ident=3))
            while True:
                reply = c.receive()
                assert not reply.flags & ERROR
                if reply.ident == 3:
                    break
            assert [irq.count() for irq in irqs] == [1] * 8
            c.unwire(2)
            for irq in irqs:
                irq.close()


def test_wiring_behind_unwiring():
    """The one has none, the next one brings one; both ask for the same number, and they may arrive together."""
    with device() as d:
        c = d.connect().enable()
        irqs = [vfu.Irq(), vfu.Irq()]
        for _ in range(50):
            c.wire(2, [irqs[0].fd])
            c.send(REGION_READ, access(BAR2, 0, 1 << 19))       # the server is busy, so more gather
            c.send(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, 0, 1))
            c.send(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, 1, 1), [irqs[1].fd])
            for _ in range(3):
                assert not c.receive().flags & ERROR
            c.set_irqs(2, 1 | 32, 0, 2)
            assert [irq.count() for irq in irqs] == [0, 1]
            c.unwire(2)
        for irq in irqs:
            irq.close()


def test_out_of_descriptors():
    """When the process may have no more: those that did come are closed, what needs one is refused, the connection goes on."""
    with device() as d:
        c = d.connect().enable()
        irqs = [vfu.Irq() for _ in range(8)]
        limits = resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE)
        for spare in (0, 1, 3, 7, 12):
            with vfu.same_fds(d):
                resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (d.fds() + spare, limits[1]))
                refused(lambda: c.ask(SET_IRQS, struct.pack("=5I", 20, 4 | 32, 2, 0, 8), [i.fd for i in irqs]))
                try:
                    c.ask(GET_REGION_INFO, RIGHT[GET_REGION_INFO][0]).close()
                    assert spare
                except vfu.Refused as error:
                    assert error.errno == errno.EMFILE and spare < 3
                assert c.is_alive()
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, limits)
        c.wire(2, [i.fd for i in irqs])
        c.set_irqs(2, 1 | 32, 0, 8)
        assert [i.count() for i in irqs] == [1] * 8
        for i in irqs:
            i.close()


def test_noise():
    """C28: whatever stands behind a header that can be read, the connection goes on and the device stays right."""
    import random
    numbers = random.Random(1)
    with device() as d:
        c = d.connect().enable()
        data = b""
        for i in range(3000):
            command = numbers.choice(list(RIGHT) + [MIG_DATA_READ, MIG_DATA_WRITE, 0, 11, 14, 77])
            body = bytearray(RIGHT.get(command, (bytes(24), 0))[0])
            for _ in range(numbers.randrange(4)):
                if body:
                    body[numbers.randrange(len(body))] = numbers.choice((0, 1, 0x7F, 0x80, 0xFF, numbers.randrange(256)))
            body = bytes(body) + bytes(numbers.choice((0, 0, 0, 1, 8)))
            data += message(command, body, ident=i, flags=numbers.choice((COMMAND, NO_REPLY, NO_REPLY, NO_REPLY)))
            if len(data) > 20000 or i == 2999:
                c.send_raw(data)
                data = b""
                last = c.send(DEVICE_GET_INFO, RIGHT[DEVICE_GET_INFO][0], ident=65535)
                while True:
                    reply = c.receive()
                    reply.close()
                    if reply.ident == last:
                        break
        c.reset()
        c.enable()
        assert c.read32(BAR0, 0) == ID


if __name__ == "__main__":
    vfu.main()
