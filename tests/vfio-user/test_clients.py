#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who is let in, and what the next one finds (contract C27)."""
import errno
import os
import resource
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import BAR0, BAR1, BAR2, CONFIG, DATA_NONE, MSIX, OWN, PAGE, TRIGGER, Irq, device, eventually, expect, memfd  # noqa: E402

SCRATCH, COUNTER, FIRE, LEVEL, RESETS = 0x04, 0x08, 0x0C, 0x10, 0x18


def test_second_is_refused():
    """A PCI device has one holder: EBUSY in VERSION, and the first notices nothing."""
    with device() as d:
        first = d.connect().enable()
        second = d.connect(hello=False)
        for _ in range(3):
            expect(errno.EBUSY, second.hello)
        assert first.read32(BAR0, 0) == vfu.ID


def test_second_gets_it_later():
    """On the same connection, once the first has left."""
    with device() as d:
        first = d.connect()
        second = d.connect(hello=False)
        expect(errno.EBUSY, second.hello)
        first.close()
        second.hello()
        assert second.enable().read32(BAR0, 0) == vfu.ID


def test_no_command_without_the_device():
    """One that was refused has no device to ask about."""
    with device() as d:
        first = d.connect().enable()
        second = d.connect(hello=False)
        expect(errno.EBUSY, second.hello)
        for call in (second.device_info, second.reset, lambda: second.region_read(CONFIG, 0, 4), lambda: second.region_write(CONFIG, 4, b"\0\0"),
                     lambda: second.dma_map(0, PAGE)):
            vfu.refused(call)
        assert first.config16(4) == 7


def test_state_is_kept():
    """C27: registers, memory and configuration space are the device's, not the connection's."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, SCRATCH, 0x1234)
        c.write32(BAR0, COUNTER, 0)
        c.region_write(BAR1, 0, b"io")
        c.region_write(BAR2, 0x5000, b"ram")
        c.region_write(OWN, 100, b"own")
        c.region_write(CONFIG, 0x10, b"\0\0\xbf\xfe")
        config = c.region_read(CONFIG, 0, 4096)
        c.close()
        c = d.connect()
        assert c.region_read(CONFIG, 0, 4096) == config
        assert c.read32(BAR0, SCRATCH) == 0x1234 and c.read32(BAR0, COUNTER) == 1 and c.read32(BAR0, RESETS) == 0
        assert c.region_read(BAR1, 0, 2) == b"io" and c.region_read(BAR2, 0x5000, 3) == b"ram" and c.region_read(OWN, 100, 3) == b"own"


def test_descriptors_are_dropped():
    """C27: memory and eventfds of one who has left are not the next one's."""
    with device() as d:
        c = d.connect().enable()
        irq, memory = Irq(), memfd(PAGE)
        c.wire(MSIX, [irq.fd])
        c.dma_map(0x10000, PAGE, memory)
        c.dma_map(0x20000, PAGE)
        c.close()
        eventually(lambda: d.fds() <= d.fds_at_start, "the descriptors are closed")
        c = d.connect()
        c.dma_map(0x10000, PAGE, memory)
        c.dma_map(0x20000, PAGE)
        c.write32(BAR0, FIRE, 0)
        assert irq.count() == 0
        expect(errno.EINVAL, lambda: c.set_irqs(MSIX, DATA_NONE | TRIGGER, 0, 1))
        irq.close()
        os.close(memory)


def test_replay():
    """C27: the next one says VERSION, maps, wires, and goes on where the last one was."""
    with device() as d:
        memory = memfd(PAGE)
        for i in range(30):
            c = d.connect()
            if i == 0:
                c.enable()
            irq = Irq()
            c.dma_map(0x10000, PAGE, memory)
            c.wire(MSIX, [irq.fd])
            irq.count()
            c.write32(BAR0, COUNTER, 0)
            c.write32(BAR0, FIRE, 0)
            assert irq.count(20) == 1 and c.read32(BAR0, COUNTER) == i + 1
            irq.close()
            c.close()
        os.close(memory)


def test_level_is_kept():
    """C27: the pin is still asserted when the next one wires it."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, LEVEL, 1)
        c.close()
        c = d.connect()
        irq = Irq()
        c.wire(vfu.INTX, [irq.fd])
        assert irq.count(20) == 1
        irq.close()


def test_at_once_after_the_last():
    """Who attaches again is not refused because of its own former connection."""
    with device() as d:
        for _ in range(50):
            c = d.connect()
            c.sock.close()
        assert d.connect().is_alive()


def test_those_who_say_nothing():
    """They take nobody's place, and are closed when they leave."""
    with device() as d:
        first = d.connect()
        silent = [d.connect(hello=False) for _ in range(50)]
        for c in silent[::2]:
            c.send_raw(b"\1\0")
        assert first.is_alive()
        first.close()
        assert d.connect().is_alive()
        for c in silent:
            c.close()


def test_many_at_once():
    """Of those who come at the same time one gets in, the others hear why not."""
    with device() as d:
        clients = [d.connect(hello=False) for _ in range(20)]
        results = []

        def attach(c):
            try:
                c.hello()
                results.append(0)
            except vfu.Refused as error:
                results.append(error.errno)
        threads = [threading.Thread(target=attach, args=[c]) for c in clients]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(results) == [0] + [errno.EBUSY] * 19


def test_one_after_the_other_from_many():
    """Twenty clients take turns; each finds what the one before has left."""
    with device() as d:
        d.connect().enable().close()

        def work():
            for _ in range(5):
                c = vfu.Client(d.path, hello=False)
                end = time.monotonic() + 30
                while True:
                    try:
                        c.hello()
                        break
                    except vfu.Refused as error:
                        assert error.errno == errno.EBUSY and time.monotonic() < end
                        time.sleep(0.002)
                c.write32(BAR0, COUNTER, 0)
                c.close()
        threads = [threading.Thread(target=work) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert d.connect().read32(BAR0, COUNTER) == 100


def test_state_of_migration_is_not_the_next_ones():
    """C27: it need not know of it: the device runs."""
    with device() as d:
        for state in (vfu.S_STOP, vfu.S_STOP_COPY, vfu.S_RESUMING, vfu.S_RUNNING_P2P, vfu.S_PRE_COPY):
            c = d.connect().enable()
            c.go(state)
            c.close()
            c = d.connect()
            assert c.state() == vfu.S_RUNNING and c.read32(BAR0, 0) == vfu.ID
            c.close()


def test_end_with_a_client():
    """SIGTERM ends the process at once, the client sees the end of its connection."""
    with device() as d:
        c = d.connect()
        c.dma_map(0x10000, PAGE)
        d.process.terminate()
        assert c.is_gone()
        assert d.process.wait(30) == 0 and not os.path.exists(d.path)
        d.fds_at_start = None


def test_more_than_the_process_may_have():
    """Connections wait for a descriptor, and are served when there is one."""
    with device() as d:
        first = d.connect()
        limits = resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (d.fds() + 3, limits[1]))
        others = [d.connect(hello=False) for _ in range(8)]
        assert first.is_alive()
        for c in others[:-1]:
            c.close()
        expect(errno.EBUSY, others[-1].hello)
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, limits)
        first.close()
        others[-1].hello()


def wake_ups(d):
    total = 0
    for task in os.listdir(f"/proc/{d.process.pid}/task"):
        with open(f"/proc/{d.process.pid}/task/{task}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
    return total


def is_quiet(d, seconds):
    before = wake_ups(d)
    time.sleep(seconds)
    return wake_ups(d) == before


def test_idle():
    """Nobody asks: nothing runs."""
    with device() as d:
        for clients in range(2):
            c = d.connect().enable() if clients else None
            eventually(lambda: is_quiet(d, 0.3), "nothing runs for a while")
            if c:
                assert c.read32(BAR0, 0) == vfu.ID


def test_other_kinds_of_sockets():
    """The socket is a stream; nothing else gets in."""
    with device() as d:
        for kind in (socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_UNIX, kind) as s:
                try:
                    s.connect(d.path)
                    raise AssertionError("another kind of socket was let in")
                except OSError as error:
                    assert error.errno == errno.EPROTOTYPE
        assert d.connect().is_alive()


if __name__ == "__main__":
    vfu.main()
