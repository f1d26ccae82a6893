#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The twin socket: the server's commands on a socket of their own, so that two sides that wait cannot wait for each other."""
import errno
import os
import select
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR2, DMA_READ, DMA_WRITE, ERROR, PAGE, REGION_READ, REGION_WRITE, REPLY, VERSION,  # noqa: E402
                 device, eventually, expect, message)

FETCH, STORE = 1, 2
BASE = 0x40000000
MIB = 1 << 20
STATUS = 0x34
WITH_TWIN = vfu.default_caps(twin_socket={"supported": True})


def attach(d, **changes):
    c = d.connect(caps={**WITH_TWIN, **changes}).enable()
    assert c.twin, "no twin socket was given"
    c.dma_map(BASE, MIB)
    return c


def noise():
    """Bytes that are no beginning of a reply, whose rest would be waited for."""
    while True:
        data = os.urandom(64)
        size, flags = struct.unpack_from("=II", data, 4)
        if flags & 15 != REPLY or not 16 <= size <= 2 * MIB:
            return data


def talk(c, memory, size):
    moved = 0
    while moved < size:
        moved += c.answer(c.command(), memory, BASE)[1]


def start(c, size=64, command=FETCH):
    c.dma_start(BASE, size, 0, command)
    return c.command()


def test_only_who_asks_gets_one():
    with device() as d:
        for caps in (vfu.default_caps(), {}, vfu.default_caps(twin_socket={}), vfu.default_caps(twin_socket={"supported": False}),
                     vfu.default_caps(twin_socket={"fd_index": 3})):
            c = d.connect(hello=False)
            reply = c.ask(VERSION, vfu.version_body(caps))
            assert reply.fds == [] and b'"supported":true' not in reply.body.replace(b" ", b"")
            c.close()
        c = d.connect(hello=False)
        reply = c.ask(VERSION, vfu.version_body(WITH_TWIN))
        assert len(reply.fds) == 1 and b"fd_index" in reply.body
        with socket.socket(fileno=reply.fds[0]) as twin:
            assert twin.family == socket.AF_UNIX and twin.type == socket.SOCK_STREAM


def test_client_without_room_for_descriptors():
    """C23: who takes no descriptor gets none, and no promise of one."""
    with device() as d:
        c = d.connect(hello=False)
        try:
            reply = c.ask(VERSION, vfu.version_body({**WITH_TWIN, "max_msg_fds": 0}))
        except vfu.Refused:
            return
        assert reply.fds == [] and b"fd_index" not in reply.body
        c.enable()
        c.dma_map(BASE, MIB)
        m = start(c)
        c.answer(m, bytearray(MIB), BASE)
        assert c.dma_end() == 0


def test_commands_come_there():
    """And never on the first socket."""
    with device() as d:
        c = attach(d)
        memory = bytearray(os.urandom(MIB))
        for size in (1, 100, MIB):
            c.dma_start(BASE, size)
            talk(c, memory, size)
            assert c.dma_end() == 0 and c.region_read(BAR2, 0, size) == memory[:size]
            c.region_write(BAR2, 0, bytes(size))
            c.dma_start(BASE, size, 0, STORE)
            talk(c, memory, size)
            assert c.dma_end() == 0 and memory[:size] == bytes(size)
        assert not c.early, "something came on the first socket"
        assert not select.select([c.twin], [], [], 0.1)[0]


def test_no_deadlock():
    """C25: the client answers nothing but the twin while it waits, and reads nothing of the twin while it waits for a reply."""
    with device() as d:
        c = attach(d)
        memory = bytearray(os.urandom(MIB))
        ident = c.send(REGION_WRITE, struct.pack("=QII", 0x20, BAR0, 20) + struct.pack("=QIII", BASE, 64, 0, FETCH))
        m = c.receive(c.twin)           # before the reply was looked at
        assert m.command == DMA_READ
        c.answer(m, memory, BASE)
        assert c.wait(ident) and c.dma_end() == 0
        m = start(c, MIB)
        for i in range(100):
            c.write32(BAR0, 4, i)
            assert c.read32(BAR0, 4) == i and c.read32(BAR0, STATUS) == 1
        c.answer(m, memory, BASE)
        assert c.dma_end() == 0


def test_pieces():
    """C23 on this socket, too; answers in any order, byte by byte."""
    with device() as d:
        c = attach(d, max_data_xfer_size=PAGE)
        memory = bytearray(os.urandom(MIB))
        c.dma_start(BASE, 8 * PAGE)
        asked = [c.command() for _ in range(8)]
        assert {struct.unpack("=2Q", m.body)[1] for m in asked} == {PAGE}
        for m in asked[:0:-1]:
            c.answer(m, memory, BASE)
        address = struct.unpack("=2Q", asked[0].body)[0] - BASE
        last = message(DMA_READ, asked[0].body + memory[address:address + PAGE], ident=asked[0].ident, flags=REPLY)
        for i in range(40):
            c.twin.sendall(last[i:i + 1])
        c.twin.sendall(last[40:])
        assert c.dma_end() == 0 and c.region_read(BAR2, 0, PAGE) == memory[:PAGE]


def test_many_pieces():
    with device() as d:
        c = attach(d, max_data_xfer_size=1000)
        memory = bytearray(os.urandom(MIB))
        for _ in range(3):
            c.dma_start(BASE, MIB)
            talk(c, memory, MIB)
            assert c.dma_end() == 0
            c.dma_start(BASE, MIB, 0, STORE)
            talk(c, bytearray(MIB), MIB)
            assert c.dma_end() == 0


def test_errors_and_wrong_replies():
    with device() as d:
        c = attach(d)
        for number, want in ((errno.EFAULT, errno.EFAULT), (0, errno.EIO), (1 << 31, errno.EIO)):
            m = start(c)
            c.twin.sendall(message(m.command, ident=m.ident, flags=REPLY | ERROR, error=number))
            assert c.dma_end() == want
        for body in (b"", struct.pack("=2Q", BASE, 64), struct.pack("=2Q", BASE, 63) + bytes(63), struct.pack("=2Q", 0, 64) + bytes(64)):
            m = start(c)
            c.twin.sendall(message(m.command, body, ident=m.ident, flags=REPLY))
            assert c.dma_end() == errno.EIO
        m = start(c)
        c.twin.sendall(message(DMA_WRITE, ident=m.ident, flags=REPLY) + message(DMA_READ, ident=m.ident ^ 1, flags=REPLY))
        assert c.read32(BAR0, STATUS) == 1
        c.answer(m, bytearray(MIB), BASE)
        assert c.dma_end() == 0


def test_nonsense_there():
    """Ends the DMA, not the connection, and not the process."""
    with device() as d:
        for wrong in (message(REGION_READ, struct.pack("=QII", 0, 0, 4)), vfu.head(DMA_READ, 0, flags=REPLY),
                      vfu.head(DMA_READ, 15, flags=REPLY), vfu.head(DMA_READ, 0xFFFFFFFF, flags=REPLY),
                      vfu.head(DMA_READ, 2 * MIB, flags=REPLY),
                      noise(), b"\0" * 4096, b"\xff" * 4096):
            c = attach(d)
            start(c)
            try:
                c.twin.sendall(wrong)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert c.dma_end() != 0
            assert c.is_alive()
            assert c.dma(BASE, 64) != 0, "a DMA without anybody to ask"
            c.close()
        c = attach(d)
        m = start(c)
        c.answer(m, bytearray(MIB), BASE)
        assert c.dma_end() == 0


def test_closed_by_the_client():
    with device() as d:
        for close in (lambda t: t.close(), lambda t: t.shutdown(socket.SHUT_WR), lambda t: t.shutdown(socket.SHUT_RDWR)):
            c = attach(d)
            start(c, MIB, STORE)
            close(c.twin)
            assert c.dma_end() != 0 and c.is_alive()
            fd = vfu.memfd(PAGE)
            c.dma_map(1 << 40, PAGE, fd)
            os.close(fd)
            assert c.dma(1 << 40, 64) == 0, "what needs no message goes on"
            c.close()


def test_closed_by_the_server():
    """With the first socket goes the second."""
    with device() as d:
        c = attach(d)
        start(c)
        c.sock.close()
        assert select.select([c.twin], [], [], 20)[0] and c.twin.recv(1) == b""
    with device() as d:
        c = attach(d)
        start(c)
        d.process.send_signal(signal.SIGTERM)
        assert d.process.wait(30) == 0
        assert c.is_gone() and c.twin.recv(1) == b""


def test_nobody_reads_it():
    """A full twin holds up nothing: neither commands, nor the unmap (C26), nor the end."""
    with device() as d:
        c = attach(d)
        c.dma_start(BASE, MIB, 0, STORE)
        time.sleep(0.1)
        assert c.is_alive() and c.read32(BAR0, STATUS) == 1
        fd = vfu.memfd(PAGE)
        c.dma_map(1 << 40, PAGE, fd)
        os.close(fd)
        c.dma_unmap(1 << 40, PAGE)
        c.close()
        c = attach(d)
        eventually(lambda: c.read32(BAR0, STATUS) != 1, "the old DMA has ended")
        m = start(c)
        c.answer(m, bytearray(MIB), BASE)
        assert c.dma_end() == 0


def test_unmap_while_under_way():
    """C26: when the reply is there the device has given up; what it had sent by then is answered late, in vain."""
    with device() as d:
        c = attach(d, max_data_xfer_size=PAGE)
        for command in (FETCH, STORE):
            c.region_write(BAR2, 0, bytes(64))
            m = start(c, 16 * PAGE, command)
            c.dma_unmap(BASE, MIB)
            assert c.read32(BAR0, STATUS) == 0x80000000 | errno.ECANCELED
            late = [m]
            while select.select([c.twin], [], [], 0.1)[0]:
                late.append(c.receive(c.twin))
            for m in late:
                c.answer(m, bytearray(b"\xff" * MIB), BASE)
            assert c.is_alive() and c.region_read(BAR2, 0, 64) == bytes(64)
            expect(errno.ENOENT, lambda: c.dma_unmap(BASE, MIB))
            c.dma_map(BASE, MIB)


if __name__ == "__main__":
    vfu.main()
