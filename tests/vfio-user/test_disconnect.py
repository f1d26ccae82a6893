#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients that are killed at any moment (C27, C28): the device goes on, as it was, and nothing of them is left.

TRANCHE_TEST_SEED repeats a run as far as time allows; TRANCHE_TEST_KILLS says how many there are.
"""
import os
import random
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR0, BAR1, BAR2, CONFIG, DMA_MAP, DMA_UNMAP, INTX, MSI, MSIX, NO_REPLY, OWN, PAGE,  # noqa: E402
                 REGION_READ, REGION_WRITE, S_PRE_COPY, S_RESUMING, S_RUNNING, S_STOP, S_STOP_COPY, device, eventually,
                 memfd, message)

KILLS = int(os.environ.get("TRANCHE_TEST_KILLS", "1000"))
SEED = int(os.environ.get("TRANCHE_TEST_SEED", str(random.randrange(1 << 30))))
BASE = 0x40000000
MIB = 1 << 20


# --- What a client does until it is killed ---

class Traffic:
    """Random commands of a client that answers, or does not, what it is asked. polite: leaves the device's state alone."""

    def __init__(self, path, rng, polite):
        self.rng, self.polite = rng, polite
        caps = vfu.default_caps(max_data_xfer_size=rng.choice((4096, 1 << 16, 1 << 20)))
        if rng.random() < 0.3:
            caps["twin_socket"] = {"supported": True}
        self.client = vfu.Client(path, hello=False)
        if rng.random() < 0.05:
            return              # killed before it has said anything
        while True:
            try:
                self.client.hello(caps)
                break
            except vfu.Refused:
                time.sleep(0.001)
        self.client.enable()
        self.memory = bytearray(MIB)
        self.actions = [self.map_file, self.map_file, self.map_nothing, self.unmap, self.wire, self.dma, self.dma, self.dma_unanswered,
                        self.accesses, self.flood, self.log, self.pre_copy, self.stop_copy, self.resuming, self.infos, self.partial]
        if not polite:
            self.actions += [self.reset, self.nonsense, self.half_of_a_write]
        while True:
            try:
                rng.choice(self.actions)()
            except vfu.Refused:
                pass

    def map_file(self):
        fd = memfd(16 * PAGE, sealed=self.rng.random() < 0.5)
        flags = 3 | self.rng.choice((0, 0, vfu.MAP_FILE_IO))
        self.client.dma_map(BASE + self.rng.randrange(64) * PAGE, self.rng.randint(1, 16) * PAGE, fd, flags=flags)
        if self.rng.random() < 0.2:
            os.ftruncate(fd, 0)
        os.close(fd)

    def map_nothing(self):
        self.client.dma_map(BASE + self.rng.randrange(64) * PAGE, self.rng.randint(1, 64) * PAGE)

    def unmap(self):
        self.client.dma_unmap(0, 0, vfu.UNMAP_ALL)

    def wire(self):
        irqs = [vfu.Irq() for _ in range(8)]
        kind, count = self.rng.choice(((INTX, 1), (MSI, 4), (MSIX, 8), (MSIX, 3), (vfu.ERR, 1)))
        try:
            self.client.wire(kind, [irq.fd for irq in irqs[:count]])
            self.client.set_irqs(kind, vfu.DATA_NONE | vfu.TRIGGER, 0, count)
            self.client.write32(BAR0, 0x0C, self.rng.randrange(8))
            if self.rng.random() < 0.7:
                self.client.unwire(kind)
        finally:
            for irq in irqs:
                irq.close()

    def start(self):
        size = self.rng.choice((16, PAGE, 16 * PAGE, MIB))
        # What polite clients fetch lies where nobody looks.
        self.client.dma_start(BASE + self.rng.randrange(64) * PAGE, min(size, MIB // 2), MIB // 2, self.rng.choice((1, 2)))

    def dma(self):
        self.start()
        for _ in range(self.rng.randrange(20)):
            if self.client.read32(BAR0, 0x34) != 1:
                break
            m = self.client.command()
            address, count = struct.unpack_from("=2Q", m.body)
            self.client.reply(m, m.body[:16] + (bytes(count) if m.command == vfu.DMA_READ else b""),
                              error=self.rng.choice((0, 0, 0, 5)))

    def dma_unanswered(self):
        self.start()

    def accesses(self):
        for _ in range(self.rng.randrange(30)):
            self.client.region_write(BAR0, 0x80, os.urandom(self.rng.randint(1, 128)))
            self.client.region_read(self.rng.choice((BAR0, CONFIG)), 0, 64)

    def flood(self):
        """Without ever looking at the replies."""
        read = message(REGION_READ, struct.pack("=QII", 0, BAR2, self.rng.choice((4, 4096))), ident=1)
        write = message(REGION_WRITE, struct.pack("=QII", 0x84, BAR0, 4) + b"abcd", ident=2, flags=NO_REPLY)
        for _ in range(self.rng.randrange(100)):
            self.client.send_raw(self.rng.choice((read, write)) * self.rng.randint(1, 20))

    def log(self):
        self.client.log_start([(BASE, MIB)] if self.rng.random() < 0.5 else [])
        self.client.log_report(BASE, MIB)
        if self.rng.random() < 0.5:
            self.client.log_stop()

    def pre_copy(self):
        self.client.go(S_PRE_COPY)
        for _ in range(self.rng.randrange(10)):
            self.client.mig_read(self.rng.choice((100, 4096)))
        self.client.go(S_RUNNING)

    def stop_copy(self):
        self.client.go(S_STOP_COPY)
        self.stream = self.client.drain(4096)
        if self.rng.random() < 0.8:
            self.client.go(S_RUNNING)

    def resuming(self):
        """Half a stream at most: it changes nothing. A whole one where that is allowed."""
        stream = getattr(self, "stream", b"trn-pci\n")
        self.client.go(S_RESUMING)
        self.client.mig_write(stream[:self.rng.randrange(len(stream))])
        if not self.polite and self.rng.random() < 0.5:
            self.client.reset()
            self.client.enable()

    def infos(self):
        self.client.device_info()
        for index in range(10):
            self.client.region_info(index).fds.clear()
            self.client.irq_info(index)

    def partial(self):
        """A message that stops somewhere, with descriptors that wait for its rest."""
        fd = memfd(PAGE)
        whole = message(DMA_MAP, struct.pack("=IIQQQ", 32, 3, 0, BASE, PAGE))
        self.client.send_raw(whole[:self.rng.randint(1, len(whole) - 1)], [fd] * self.rng.randint(1, 16))
        if self.rng.random() < 0.5:
            time.sleep(1)

    def half_of_a_write(self):
        whole = message(REGION_WRITE, struct.pack("=QII", 0, BAR2, MIB // 2) + bytes(MIB // 2))
        self.client.send_raw(whole[:self.rng.randrange(len(whole))])
        time.sleep(self.rng.random() * 0.01)

    def reset(self):
        self.client.reset()
        self.client.enable()

    def nonsense(self):
        for _ in range(self.rng.randrange(50)):
            body = os.urandom(self.rng.randrange(64))
            self.client.send(self.rng.randrange(20), body, flags=self.rng.choice((0, 0, 1, 16, 17, 0x21)))
        if self.rng.random() < 0.1:
            self.client.send_raw(os.urandom(100))


def start_client(path, seed, polite):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(20)
    try:
        Traffic(path, random.Random(seed), polite)
    except BaseException:
        if "TRANCHE_TEST_SHOW" in os.environ:
            import traceback
            traceback.print_exc()
        # It is killed soon: as one that has crashed, or hangs.
    time.sleep(10)
    os._exit(0)


# --- What must be true of the server ---

def threads(d):
    return len(os.listdir(f"/proc/{d.process.pid}/task"))


def memory(d):
    """Memory of its own in KiB, without that of the device's regions."""
    with open(f"/proc/{d.process.pid}/smaps_rollup", encoding="utf-8") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))


def is_sanitized(d):
    with open(f"/proc/{d.process.pid}/maps", encoding="utf-8") as maps:
        text = maps.read()
    return "libasan" in text or "libtsan" in text or "libclang_rt" in text


def mapped_files(d):
    with open(f"/proc/{d.process.pid}/maps", encoding="utf-8") as maps:
        return sum("/memfd:test" in line for line in maps)


def idle(d):
    return d.fds(), threads(d), mapped_files(d)


def check_correct(c):
    """Registers, memory, interrupts and DMA, with all that a client brings."""
    assert c.state() == S_RUNNING
    c.enable()
    c.write32(BAR0, 4, 0xCAFE)
    assert c.read32(BAR0, 4) == 0xCAFE and c.read32(BAR0, 0) == vfu.ID
    eventually(lambda: c.read32(BAR0, 0x34) != 1, "the DMA of who has gone is over")
    fd, irq = memfd(PAGE), vfu.Irq()
    data = os.urandom(PAGE)
    os.pwrite(fd, data, 0)
    c.dma_map(BASE, PAGE, fd)
    c.dma_map(BASE + PAGE, PAGE)
    assert c.dma(BASE, PAGE, MIB // 2) == 0 and c.region_read(BAR2, MIB // 2, PAGE) == data
    c.dma_start(BASE + PAGE, PAGE, MIB // 2)
    c.answer(c.command(), bytearray(data[::-1]), BASE + PAGE)
    assert c.dma_end() == 0 and c.region_read(BAR2, MIB // 2, PAGE) == data[::-1]
    c.wire(MSI, [irq.fd])
    irq.count(0.01)
    c.set_irqs(MSI, vfu.DATA_NONE | vfu.TRIGGER, 0, 1)
    assert irq.count(20) == 1
    c.log_start()
    c.log_stop()
    os.close(fd)
    irq.close()


def kill_many(count, polite):
    rng = random.Random(SEED)
    print(f"# TRANCHE_TEST_SEED={SEED}")
    with device(env={"TRANCHE_LOG": "error"}) as d:
        c = d.connect().enable()
        # What stays: all but the client's own. Before it was served the process may have been at its beginning still.
        nr_fds, nr_threads = d.fds() - 1, threads(d) - 1
        kept = os.urandom(32), os.urandom(8192), os.urandom(4096)
        for region, data in zip((BAR1, OWN, BAR2), kept):
            c.region_write(region, 0, data)
        c.close()
        # The first client has left: its descriptors and its thread.
        eventually(lambda: d.fds() == nr_fds and threads(d) == nr_threads, "the first client has left")
        before, size, running = idle(d), None, []
        for turn in range(count):
            running.append(start_client(d.path, rng.random(), polite))
            time.sleep(rng.choice((0, 0.005, 0.01, 0.02, 0.05)) * rng.random())
            while len(running) > rng.choice((0, 0, 0, 1)):       # now and then the next comes while the last one is there
                pid = running.pop(0)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if turn % 50 == 49:
                while running:
                    os.kill(running[0], signal.SIGKILL)
                    os.waitpid(running.pop(0), 0)
                eventually(lambda: idle(d) == before, f"no descriptor, thread or map is left {before}, {idle(d)}")
                c = d.connect()
                check_correct(c)
                if polite:
                    for region, data in zip((BAR1, OWN, BAR2), kept):
                        assert c.region_read(region, 0, len(data)) == data, f"region {region} is not as it was"
                c.close()
                d.clients.clear()
                eventually(lambda: idle(d) == before, f"no descriptor, thread or map is left {before}, {idle(d)}")
                size = size or memory(d)
        if size and not is_sanitized(d):
            assert memory(d) < size + 4096, f"{size} KiB at the start, {memory(d)} KiB at the end"
        print(f"# {count} clients killed; {size} KiB, then {memory(d)}")


def test_killed_at_any_moment():
    """C27: what the device had, it has."""
    kill_many((KILLS + 1) // 2, True)


def test_killed_in_the_middle_of_anything():
    """C28: also of resets, whole streams and nonsense."""
    kill_many(KILLS // 2, False)


def test_closed_in_every_part_of_a_message():
    with device() as d:
        fd = memfd(PAGE)
        whole = message(DMA_MAP, struct.pack("=IIQQQ", 32, 3, 0, BASE, PAGE)) + message(DMA_UNMAP, struct.pack("=IIQQ", 24, 0, BASE, PAGE))
        for size in range(len(whole)):
            c = d.connect()
            c.send_raw(whole[:size] if size else whole, [fd] * (size % 3))
            c.close()
            d.clients.clear()
        c = d.connect()
        eventually(lambda: d.fds() <= d.fds_at_start + 2, "descriptors of half messages are closed")
        check_correct(c)
        os.close(fd)


def test_descriptors_of_what_is_no_message():
    """They came with a header that ends the connection, or behind one."""
    with device() as d:
        fd = memfd(PAGE)
        good = message(vfu.DEVICE_GET_INFO, struct.pack("=4I", 16, 0, 0, 0))
        mapping = message(DMA_MAP, struct.pack("=IIQQQ", 32, 3, 0, BASE, PAGE))
        for turn, before in enumerate((b"", good, good * 3)):
            for bad in (vfu.head(DMA_MAP, 15), vfu.head(DMA_MAP, 0), vfu.head(DMA_MAP, 48, flags=7), b"\xff" * 16, b"\xff" * 7):
                c = d.connect()
                c.send_raw(before)
                try:
                    c.send_raw(bad + mapping, [fd] if turn else [fd] * 8)
                    c.send_raw(mapping, [fd])
                except (BrokenPipeError, ConnectionResetError):
                    pass
                c.close()
                d.clients.clear()
        c = d.connect()
        eventually(lambda: d.fds() <= d.fds_at_start + 2, "descriptors behind the end are closed")
        check_correct(c)
        os.close(fd)


def test_the_next_one_waits_for_nothing():
    """Re-attaching right behind a killed client works each time."""
    with device() as d:
        c = d.connect().enable()
        c.write32(BAR0, 4, 0x77)
        for _ in range(100):
            c.dma_map(BASE, MIB)
            c.dma_start(BASE, MIB, 0, 2)        # nobody reads it
            c.close()
            d.clients.clear()
            c = d.connect()
            assert c.read32(BAR0, 4) == 0x77 and c.state() == S_RUNNING
            eventually(lambda: c.read32(BAR0, 0x34) != 1, "the DMA has ended")


def test_left_while_stopped():
    """The device that the last one stopped runs for the next."""
    with device() as d:
        c = d.connect().enable()
        irq = vfu.Irq()
        for state in (S_STOP, S_STOP_COPY, S_RESUMING, S_PRE_COPY):
            c.go(state)
            c.close()
            c = d.connect()
            assert c.state() == S_RUNNING
            c.wire(INTX, [irq.fd])
            irq.count(0.01)
            c.write32(BAR0, 0x10, 1)
            assert irq.count(20) == 1
            c.write32(BAR0, 0x10, 0)
        irq.close()


if __name__ == "__main__":
    vfu.main()
