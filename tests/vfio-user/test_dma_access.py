#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How the device reaches the client's memory: through each kind of file, and by messages, whatever the client answers."""
import errno
import os
import select
import signal
import struct
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR2, DMA_READ, DMA_WRITE, ERROR, MAP_FILE_IO, MAP_READ, MAP_WRITE, PAGE,  # noqa: E402
                 REGION_READ, REGION_WRITE, REPLY, S_RUNNING, S_RUNNING_P2P, S_STOP, device, eventually, expect, memfd,
                 message, same_fds)

RW = MAP_READ | MAP_WRITE
FETCH, STORE = 1, 2
BASE = 0x40000000
MIB = 1 << 20
STATUS = 0x34


def there_and_back(c, fd, address, offset, size):
    """Random bytes, both ways."""
    data = os.urandom(size)
    os.pwrite(fd, data, offset)
    assert c.dma(address, size, 16) == 0
    assert c.region_read(BAR2, 16, size) == data
    data = os.urandom(size)
    c.region_write(BAR2, 16, data)
    assert c.dma(address, size, 16, STORE) == 0
    assert os.pread(fd, size, offset) == data


def talk(c, memory, base, size):
    """Answers messages until that many bytes have been moved; [(command, address, count)]."""
    seen = []
    while sum(count for *_, count in seen) < size:
        m = c.command()
        seen.append((m.command, *c.answer(m, memory, base)))
    return seen


def start(c, address=BASE, size=64, offset=0, command=FETCH):
    """Begins a DMA by messages; its first command."""
    c.dma_start(address, size, offset, command)
    return c.command()


# --- with files ---

def test_sealed_memfd():
    with device() as d:
        c = d.connect().enable()
        fd = memfd(64 * PAGE)
        c.dma_map(BASE, 32 * PAGE, fd, 16 * PAGE)
        for at, size in ((0, 1), (1, 15), (PAGE - 1, 2), (5, 32 * PAGE - 5), (32 * PAGE - 1, 1), (0, 32 * PAGE)):
            there_and_back(c, fd, BASE + at, 16 * PAGE + at, size)
        assert os.pread(fd, 16 * PAGE, 0) == os.pread(fd, 16 * PAGE, 48 * PAGE) == bytes(16 * PAGE)
        os.close(fd)


def test_unsealed_and_real_files():
    with device() as d, tempfile.TemporaryFile() as file:
        c = d.connect().enable()
        file.truncate(16 * PAGE)
        for fd in (memfd(16 * PAGE, sealed=False), os.dup(file.fileno())):
            for flags in (RW, RW | MAP_FILE_IO, RW | vfu.MAP_MMAP):
                c.dma_map(BASE, 8 * PAGE, fd, 4 * PAGE, flags)
                there_and_back(c, fd, BASE + 77, 4 * PAGE + 77, 5 * PAGE)
                c.dma_unmap(BASE, 8 * PAGE)
            os.close(fd)


def test_truncated_under_our_feet():
    """EFAULT, and no SIGBUS; with the bytes back it works again."""
    with device() as d, tempfile.TemporaryFile() as file:
        c = d.connect().enable()
        for fd in (memfd(16 * PAGE, sealed=False), os.dup(file.fileno())):
            for flags in (RW, RW | MAP_FILE_IO):
                os.ftruncate(fd, 16 * PAGE)
                c.dma_map(BASE, 16 * PAGE, fd, flags=flags)
                there_and_back(c, fd, BASE, 0, 16 * PAGE)
                for size in (8 * PAGE, 0):
                    os.ftruncate(fd, size)
                    for command in (FETCH, STORE):
                        assert c.dma(BASE + 8 * PAGE, PAGE, 0, command) == errno.EFAULT
                        assert c.dma(BASE + 7 * PAGE, 2 * PAGE, 0, command) == errno.EFAULT
                    assert os.fstat(fd).st_size == size, "the device has made the file longer"
                os.ftruncate(fd, 16 * PAGE)
                there_and_back(c, fd, BASE, 0, 16 * PAGE)
                c.dma_unmap(BASE, 16 * PAGE)
            os.close(fd)


def test_truncated_all_the_time():
    with device() as d:
        c = d.connect().enable()
        fd, stop = memfd(64 * PAGE, sealed=False), threading.Event()
        c.dma_map(BASE, 64 * PAGE, fd)

        def cut():
            while not stop.is_set():
                os.ftruncate(fd, 0)
                os.ftruncate(fd, 64 * PAGE)

        cutter = threading.Thread(target=cut)
        cutter.start()
        end = time.monotonic() + 0.7
        results = set()
        try:
            while time.monotonic() < end:
                results |= {c.dma(BASE, 64 * PAGE), c.dma(BASE, 64 * PAGE, 0, STORE)}
        finally:
            stop.set()
            cutter.join()
        assert results <= {0, errno.EFAULT}, results
        assert c.dma(BASE, 64 * PAGE) == 0
        os.close(fd)


def test_rights_of_the_map():
    """EFAULT for the direction that was not offered, and not a byte is moved."""
    with device() as d:
        c = d.connect().enable()
        fd = memfd(2 * PAGE)
        c.region_write(BAR2, 0, b"device's own bytes")
        for kind in (fd, None):
            for extra in (0, MAP_FILE_IO) if kind else (0,):
                c.dma_map(BASE, PAGE, kind, flags=MAP_READ | extra)
                c.dma_map(BASE + PAGE, PAGE, kind, 0 if kind is None else PAGE, MAP_WRITE | extra)
                assert c.dma(BASE, 16, 0, STORE) == errno.EFAULT
                assert c.dma(BASE + PAGE, 16, 0) == errno.EFAULT
                assert c.dma(BASE + PAGE - 8, 16, 0, STORE) == errno.EFAULT
                assert c.dma(BASE + PAGE - 8, 16, 0) == errno.EFAULT
                c.dma_unmap(0, 0, vfu.UNMAP_ALL)
        assert c.region_read(BAR2, 0, 18) == b"device's own bytes"
        assert os.pread(fd, 2 * PAGE, 0) == bytes(2 * PAGE)
        assert c.is_silent()
        os.close(fd)


def test_read_only_file():
    with device() as d, tempfile.NamedTemporaryFile() as file:
        c = d.connect().enable()
        file.write(b"abcd" * 4096)
        file.flush()
        fd = os.open(file.name, os.O_RDONLY)
        for extra in (0, MAP_FILE_IO):
            c.dma_map(BASE, 4 * PAGE, fd, flags=MAP_READ | extra)
            assert c.dma(BASE + 1, 7) == 0 and c.region_read(BAR2, 0, 7) == b"bcdabcd"
            assert c.dma(BASE, 4, 0, STORE) == errno.EFAULT
            c.dma_unmap(BASE, 4 * PAGE)
        os.close(fd)


def test_outside_of_all_maps():
    with device() as d:
        c = d.connect().enable()
        fd = memfd(2 * PAGE)
        assert c.dma(0, 4) == errno.EFAULT
        c.dma_map(BASE, PAGE, fd)
        c.dma_map(BASE + 2 * PAGE, PAGE, fd, PAGE)
        c.region_write(BAR2, 0, b"\xff" * 3 * PAGE)
        for address, size in ((BASE - 4, 8), (BASE + PAGE - 4, 8), (BASE, 3 * PAGE), (BASE + PAGE, 4), (BASE - 1, 1),
                              ((1 << 64) - 4, 8), ((1 << 64) - 1, 1), (BASE + 3 * PAGE - 1, 2)):
            for command in (FETCH, STORE):
                assert c.dma(address, size, 0, command) in (errno.EFAULT, errno.EINVAL)
        assert os.pread(fd, 2 * PAGE, 0) == bytes(2 * PAGE), "a part was written of what was refused"
        os.close(fd)


def test_several_maps_at_once():
    """One access over a memfd, a file that is read, messages, and a file that may shrink."""
    with device() as d, tempfile.TemporaryFile() as file:
        c = d.connect().enable()
        sealed, loose = memfd(2 * PAGE), memfd(4 * PAGE, sealed=False)
        file.truncate(PAGE)
        mine = bytearray(3 * PAGE)
        c.dma_map(BASE, PAGE, sealed, PAGE)
        c.dma_map(BASE + PAGE, PAGE, file.fileno(), flags=RW | MAP_FILE_IO)
        c.dma_map(BASE + 2 * PAGE, 2 * PAGE)
        c.dma_map(BASE + 4 * PAGE, 4 * PAGE, loose)
        c.dma_map(BASE + 8 * PAGE, PAGE)
        first = BASE + 100
        size = 8 * PAGE - 100 + 50
        data = os.urandom(size)

        places = [(sealed, PAGE + 100, PAGE - 100), (file.fileno(), 0, PAGE), (None, 0, 2 * PAGE), (loose, 0, 4 * PAGE),
                  (None, 2 * PAGE, 50)]
        at = 0
        for fd, offset, count in places:
            if fd is None:
                mine[offset:offset + count] = data[at:at + count]
            else:
                os.pwrite(fd, data[at:at + count], offset)
            at += count
        # The client's own address of BASE + 8 pages is 2 pages into its memory.
        c.dma_start(first, size)
        for _ in range(2):
            m = c.command()
            address, count = struct.unpack("=2Q", m.body)
            offset = address - BASE - (2 if address < BASE + 4 * PAGE else 6) * PAGE
            c.reply(m, m.body + mine[offset:offset + count])
        assert c.dma_end() == 0 and c.region_read(BAR2, 0, size) == data
        data = os.urandom(size)
        c.region_write(BAR2, 0, data)
        c.dma_start(first, size, 0, STORE)
        for _ in range(2):
            m = c.command()
            address, count = struct.unpack_from("=2Q", m.body)
            offset = address - BASE - (2 if address < BASE + 4 * PAGE else 6) * PAGE
            mine[offset:offset + count] = m.body[16:]
            c.reply(m, m.body[:16])
        assert c.dma_end() == 0
        got = b"".join(mine[offset:offset + count] if fd is None else os.pread(fd, count, offset) for fd, offset, count in places)
        assert got == data
        os.close(sealed)
        os.close(loose)


def test_only_while_it_may():
    """No DMA without bus mastering, nor of a device that is quiet or stopped."""
    with device() as d:
        c = d.connect().enable(3)
        fd = memfd(PAGE)
        c.dma_map(BASE, PAGE, fd)
        assert c.dma(BASE, 4) == errno.EPERM
        c.enable(7)
        assert c.dma(BASE, 4) == 0
        for state in (S_RUNNING_P2P, S_STOP):
            c.go(state)
            assert c.dma(BASE, 4) == errno.EPERM
        c.go(S_RUNNING)
        assert c.dma(BASE, 4) == 0
        os.close(fd)


# --- by messages ---

def test_messages():
    with device() as d:
        c = d.connect().enable()
        memory = bytearray(os.urandom(MIB))
        c.dma_map(BASE, MIB)
        for at, size in ((0, 1), (3, 16), (PAGE - 1, 2), (0, MIB), (MIB - 1, 1)):
            c.dma_start(BASE + at, size)
            assert {command for command, *_ in talk(c, memory, BASE, size)} == {DMA_READ}
            assert c.dma_end() == 0 and c.region_read(BAR2, 0, size) == memory[at:at + size]
            data = os.urandom(size)
            c.region_write(BAR2, 0, data)
            c.dma_start(BASE + at, size, 0, STORE)
            assert {command for command, *_ in talk(c, memory, BASE, size)} == {DMA_WRITE}
            assert c.dma_end() == 0 and memory[at:at + size] == data


def test_pieces_are_as_large_as_the_client_takes():
    """C23: max_data_xfer_size of the client, which also bounds the replies that are asked of it."""
    with device() as d:
        for most, size in ((4, 100), (16, 1000), (100, 1001), (4096, 300000), (65536, MIB), (1 << 30, MIB)):
            c = d.connect(caps=vfu.default_caps(max_data_xfer_size=most)).enable()
            memory = bytearray(os.urandom(MIB))
            c.dma_map(BASE, MIB)
            for command in (FETCH, STORE):
                c.dma_start(BASE, size, 0, command)
                seen = talk(c, memory, BASE, size)
                assert max(count for *_, count in seen) <= most
                at = BASE
                for _, address, count in sorted(seen):
                    assert address == at
                    at += count
                assert at == BASE + size and c.dma_end() == 0
                assert c.region_read(BAR2, 0, min(size, most)) == memory[:min(size, most)]
            c.close()


def test_answers_in_any_order():
    """Ids tell them apart; as many as the server has asked at once."""
    with device() as d:
        c = d.connect(caps=vfu.default_caps(max_data_xfer_size=PAGE)).enable()
        memory = bytearray(os.urandom(16 * PAGE))
        c.dma_map(BASE, 16 * PAGE)
        c.dma_start(BASE, 16 * PAGE)
        asked = [c.command() for _ in range(16)]
        assert len({m.ident for m in asked}) == 16
        for m in asked[::2] + asked[::-2]:
            c.answer(m, memory, BASE)
        assert c.dma_end() == 0 and c.region_read(BAR2, 0, PAGE) == memory[:PAGE]
        assert c.region_read(BAR2, 15 * PAGE, PAGE) == memory[15 * PAGE:]


def test_never_inside_an_access_that_is_waited_for():
    """C25: QEMU 11.1 answers a command only after the reply that it waits for; so that one comes first."""
    with device() as d:
        c = d.connect().enable()
        memory = bytearray(os.urandom(MIB))
        c.dma_map(BASE, MIB)
        for turn in range(50):
            command = FETCH if turn % 2 else STORE
            ident = c.send(REGION_WRITE, struct.pack("=QII", 0x20, BAR0, 20) + struct.pack("=QIII", BASE, 100, 0, command))
            m = c.receive()
            assert m.is_reply and m.ident == ident, "a command of the server inside of an access"
            talk(c, memory, BASE, 100)
            assert c.dma_end() == 0
        # The same for all that the client has said at once, however long that takes.
        write = message(REGION_WRITE, struct.pack("=QII", 0x20, BAR0, 20) + struct.pack("=QIII", BASE, 100, 0, FETCH), ident=1)
        for turn in range(20):
            c.send_raw(write + b"".join(message(REGION_READ, struct.pack("=QII", 0, BAR2, 32768), ident=2 + i) for i in range(turn)))
            assert [c.receive().ident for _ in range(turn + 1)] == list(range(1, turn + 2))
            talk(c, memory, BASE, 100)
            assert c.dma_end() == 0


def test_nor_when_there_is_room_for_more():
    """C25: an answer lets the server ask for the next piece; not before it has answered what came with it."""
    with device() as d:
        c = d.connect(caps=vfu.default_caps(max_data_xfer_size=1024)).enable()
        memory = bytearray(os.urandom(MIB))
        c.dma_map(BASE, MIB)
        c.dma_start(BASE, MIB)
        asked = []
        while select.select([c.sock], [], [], 0.2)[0]:
            asked.append(c.receive())
        c.device_info()         # the server may have been kept from its processor: it has asked for all by its next reply
        asked += c.early
        c.early.clear()
        assert len(asked) >= 20, f"{len(asked)} pieces at once are too few to see anything"
        read = b"".join(message(REGION_READ, struct.pack("=QII", 0x80, BAR0, 128), ident=2 + i) for i in range(20))
        for m in asked[:20]:
            at = struct.unpack("=2Q", m.body)[0] - BASE
            c.send_raw(message(DMA_READ, m.body + memory[at:at + 1024], ident=m.ident, flags=REPLY) + read)
            assert [c.receive().ident for _ in range(20)] == list(range(2, 22))
            asked.append(c.command())
        for m in asked[20:]:
            c.answer(m, memory, BASE)
        talk(c, memory, BASE, MIB - 1024 * len(asked))
        assert c.dma_end() == 0 and c.region_read(BAR2, 0, 1024) == memory[:1024]


def test_the_client_goes_on_meanwhile():
    """While a DMA is not answered, its client is served like any other."""
    with device() as d:
        c = d.connect().enable()
        c.dma_map(BASE, MIB)
        m = start(c)
        for i in range(100):
            c.write32(BAR0, 4, i)
            assert c.read32(BAR0, 4) == i and c.read32(BAR0, STATUS) == 1
        c.dma_map(1 << 40, MIB)
        c.dma_unmap(1 << 40, MIB)
        assert c.dma_start(BASE, 64) is None and c.read32(BAR0, STATUS) >> 31, "a second one is refused by the device"
        c.answer(m, bytearray(MIB), BASE)


def test_error_replies():
    """The client's errno is what the device learns; what is none becomes EIO."""
    with device() as d:
        c = d.connect().enable()
        c.dma_map(BASE, MIB)
        for command in (FETCH, STORE):
            for number, want in ((errno.EFAULT, errno.EFAULT), (errno.EPERM, errno.EPERM), (1, 1), (0, errno.EIO),
                                 (1 << 31, errno.EIO), (0xFFFFFFFF, errno.EIO), (4096, errno.EIO)):
                m = start(c, command=command)
                c.send_raw(message(m.command, ident=m.ident, flags=REPLY | ERROR, error=number))
                assert c.dma_end() == want
        assert c.is_alive()


def test_wrong_replies():
    """Each ends the DMA with EIO and nothing in BAR2; the connection goes on."""
    with device() as d:
        c = d.connect().enable()
        c.dma_map(BASE, MIB)
        c.region_write(BAR2, 0, bytes(64))
        right = struct.pack("=2Q", BASE, 64)
        data = b"\xff" * 64
        for body in (b"", right[:8], right, right + data[:63], right + data + b"\xff", struct.pack("=2Q", BASE, 63) + data[:63],
                     struct.pack("=2Q", BASE, 63) + data, struct.pack("=2Q", BASE, 65) + data, struct.pack("=2Q", BASE + 1, 64) + data,
                     struct.pack("=2Q", BASE, 1 << 63) + data, struct.pack("=2Q", 0, 64) + data, data):
            m = start(c)
            c.send_raw(message(m.command, body, ident=m.ident, flags=REPLY))
            assert c.dma_end() == errno.EIO, f"a reply of {len(body)} bytes was believed"
            assert c.region_read(BAR2, 0, 64) == bytes(64)
        for body in (right[:8], right + b"x", struct.pack("=2Q", BASE, 63), struct.pack("=2Q", BASE - 1, 64), data):
            m = start(c, command=STORE)
            c.send_raw(message(m.command, body, ident=m.ident, flags=REPLY))
            assert c.dma_end() == errno.EIO
        assert c.is_alive()


def test_replies_to_nothing():
    """They are dropped, and the right one is still waited for."""
    with device() as d:
        c = d.connect().enable()
        memory = bytearray(os.urandom(MIB))
        c.dma_map(BASE, MIB)
        with same_fds(d):
            m = start(c)
            fd = memfd(PAGE)
            for ident, command in ((m.ident ^ 1, DMA_READ), (m.ident ^ 0x8000, DMA_READ), (m.ident, DMA_WRITE), (m.ident, REGION_READ),
                                   (m.ident, 0), (m.ident, 999), (m.ident ^ 64, DMA_READ)):
                c.send_raw(message(command, m.body + bytes(64), ident=ident, flags=REPLY), [fd])
                c.send_raw(message(command, ident=ident, flags=REPLY | ERROR, error=errno.EFAULT))
            assert c.read32(BAR0, STATUS) == 1
            c.answer(m, memory, BASE)
            assert c.dma_end() == 0 and c.region_read(BAR2, 0, 64) == memory[:64]
            c.answer(m, memory, BASE)       # twice
            os.close(fd)
        assert c.is_alive()


def test_a_reply_byte_by_byte():
    with device() as d:
        c = d.connect().enable()
        c.dma_map(BASE, MIB)
        m = start(c)
        for byte in message(DMA_READ, m.body + b"slow" * 16, ident=m.ident, flags=REPLY):
            c.send_raw(bytes([byte]))
        assert c.dma_end() == 0 and c.region_read(BAR2, 0, 64) == b"slow" * 16


def test_late_replies():
    """After a reset the device wants nothing of them."""
    with device() as d:
        c = d.connect().enable()
        c.dma_map(BASE, MIB)
        m = start(c)
        c.reset()
        c.enable()
        assert c.read32(BAR0, STATUS) == 0
        c.answer(m, bytearray(b"\xff" * MIB), BASE)
        assert c.is_alive() and c.region_read(BAR2, 0, 64) == bytes(64)
        assert c.read32(BAR0, STATUS) == 0
        memory = bytearray(os.urandom(MIB))
        c.dma_start(BASE, 64)
        talk(c, memory, BASE, 64)
        assert c.dma_end() == 0 and c.region_read(BAR2, 0, 64) == memory[:64]


def test_no_reply_at_all():
    """The device waits, and nobody else does: the next client gets it as it was."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, 4, 0x1234)
        c.dma_map(BASE, MIB)
        with same_fds(d):
            start(c, size=MIB)
            other = vfu.Client(d.path, hello=False)
            expect(errno.EBUSY, lambda: other.hello())
            assert c.read32(BAR0, STATUS) == 1
            c.close()
            c = d.connect()
            other.close()
            eventually(lambda: c.read32(BAR0, STATUS) != 1, "the DMA of the one who left has ended")
            assert c.read32(BAR0, STATUS) >> 31 and c.read32(BAR0, 4) == 0x1234
            memory = bytearray(os.urandom(MIB))
            c.dma_map(BASE, MIB)
            c.dma_start(BASE, 64)
            talk(c, memory, BASE, 64)
            assert c.dma_end() == 0


def test_a_client_that_reads_nothing():
    """A socket full of DMA_WRITEs holds up neither others nor the end of the process."""
    with device() as d:
        c = d.connect().enable()
        c.dma_map(BASE, MIB)
        c.dma_start(BASE, MIB, 0, STORE)
        time.sleep(0.2)
        for _ in range(3):
            other = vfu.Client(d.path, hello=False)
            expect(errno.EBUSY, lambda: other.hello())
            other.close()
        memory = bytearray(b"\xff" * MIB)
        talk(c, memory, BASE, MIB)
        assert c.dma_end() == 0 and memory == bytes(MIB)
        c.dma_start(BASE, MIB, 0, STORE)
        time.sleep(0.2)
        d.process.send_signal(signal.SIGTERM)
        assert d.process.wait(30) == 0


def test_unmap_while_under_way():
    """C26: its reply is the last that one hears of the range, the DMA has ended, and a late answer changes nothing."""
    with device() as d:
        c = d.connect(caps=vfu.default_caps(max_data_xfer_size=PAGE)).enable()
        for command in (FETCH, STORE):
            for pages in (1, 16, 256):
                c.dma_map(BASE, MIB)
                c.dma_map(BASE - PAGE, PAGE)
                c.region_write(BAR2, 0, bytes(pages)[:PAGE])
                m = start(c, BASE, pages * PAGE, 0, command)
                c.dma_unmap(BASE, MIB)
                early = [e for e in c.early if not e.is_reply]
                assert len(early) < pages
                assert c.read32(BAR0, STATUS) == 0x80000000 | errno.ECANCELED
                for late in [m, *early]:
                    c.answer(late, bytearray(b"\xff" * MIB), BASE)
                c.early.clear()
                assert c.is_alive() and c.is_silent(0.05), "a command came behind the reply to the unmap"
                assert c.region_read(BAR2, 0, 64) == bytes(64)
                c.dma_unmap(BASE - PAGE, PAGE)


def test_unmap_of_a_part_under_way():
    """One of two maps goes: the whole access fails. An access of another map does not care."""
    with device() as d:
        c = d.connect().enable()
        memory = bytearray(os.urandom(2 * PAGE))
        c.dma_map(BASE, PAGE)
        c.dma_map(BASE + PAGE, PAGE)
        c.dma_map(BASE + 4 * PAGE, PAGE)
        m = start(c, BASE, 2 * PAGE)
        c.answer(m, memory, BASE)
        c.dma_unmap(BASE + PAGE, PAGE)
        assert c.dma_end() == errno.ECANCELED
        c.early.clear()
        m = start(c, BASE, PAGE)
        c.dma_unmap(BASE + 4 * PAGE, PAGE)
        assert c.read32(BAR0, STATUS) == 1
        c.answer(m, memory, BASE)
        assert c.dma_end() == 0
        m = start(c, BASE, PAGE)
        c.dma_unmap(0, 0, vfu.UNMAP_ALL)
        assert c.read32(BAR0, STATUS) == 0x80000000 | errno.ECANCELED


def test_unmap_and_map_while_it_runs():
    """Both sides go on as fast as they can; each DMA either ends well or hears that its memory is gone."""
    with device() as d:
        c = d.connect(caps=vfu.default_caps(max_data_xfer_size=PAGE)).enable()
        memory = bytearray(64 * PAGE)
        end = time.monotonic() + 1
        results = set()
        while time.monotonic() < end:
            c.dma_map(BASE, 64 * PAGE)
            c.dma_start(BASE, 64 * PAGE, 0, FETCH + len(results) % 2)
            for _ in range(os.urandom(1)[0] % 64):
                c.answer(c.command(), memory, BASE)
            c.dma_unmap(BASE, 64 * PAGE)
            while c.early:
                c.answer(c.command(), memory, BASE)     # late, but answered
            results.add(c.dma_end())
        assert results <= {0, errno.ECANCELED}, results
        assert c.is_silent()


def test_a_vector_says_that_it_is_done():
    """DMA first, then its interrupt."""
    with device() as d:
        c = d.connect().enable()
        irqs = [vfu.Irq() for _ in range(2)]
        c.wire(vfu.MSIX, [irq.fd for irq in irqs])
        for irq in irqs:
            irq.count(0.5)
        memory = bytearray(os.urandom(PAGE))
        c.dma_map(BASE, PAGE)
        cap = c.capability(0x11)
        c.region_write(vfu.CONFIG, cap + 2, (0x8000).to_bytes(2, "little"))
        for vector in range(2):     # unmasked, as a guest's driver does
            c.write32(vfu.BAR4, 16 * vector + 12, 0)
        m = start(c, BASE, PAGE)
        assert not select.select([irqs[1].fd], [], [], 0.1)[0]
        c.answer(m, memory, BASE)
        assert irqs[1].count(20) == 1 and c.read32(BAR0, STATUS) == 2
        for irq in irqs:
            irq.close()


if __name__ == "__main__":
    vfu.main()
