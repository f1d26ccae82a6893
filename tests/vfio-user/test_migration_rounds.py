#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Devices that move back and forth between two processes while they are used; TRANCHE_TEST_ROUNDS says how often in all.

What a VM would do with them goes on meanwhile: a transfer over a serial line, drawing on a display by another process.
"""
import array
import contextlib
import fcntl
import mmap
import os
import random
import select
import socket
import struct
import sys
import tempfile
import time
import tty

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import CONFIG, INTX, OWN, PAGE, S_PRE_COPY, S_PRE_COPY_P2P, S_RUNNING, S_STOP, S_STOP_COPY, device, eventually  # noqa: E402

ROUNDS = int(os.environ.get("TRANCHE_TEST_ROUNDS", "25"))
DATA, IER, FCR, LCR, MCR, LSR, MSR, SCR = 0, 1, 2, 3, 4, 5, 6, 7
RX_INTERRUPT = 0x01
DTR, RTS, AUTO_FLOW = 0x01, 0x02, 0x20
READY = 0x01
FIFO_14 = 0xC1          # on, 14 bytes until the interrupt
SIOCOUTQ = 0x5411


# --- The serial card ---

class Card:
    """A card with a terminal at port 0 and a socket at port 1, and who holds it."""

    def __init__(self, stack, folder):
        self.path = os.path.join(folder, "line")
        os.mkdir(folder)
        link = os.path.join(folder, "tty")
        self.device = stack.enter_context(device(parent="mtty", kind="2", arguments=["-o", f"line0=pty:{link}", "-o",
                                                                                     f"line1=unix:{self.path}"]))
        self.tty = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.tty)
        self.irq = vfu.Irq()
        self.attach()

    def attach(self):
        self.client = self.device.connect()
        self.client.enable(7)
        self.client.wire(INTX, [self.irq.fd])

    def connect(self):
        """A peer at port 1."""
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(20)
        peer.connect(self.path)
        return peer

    def read(self, port, register):
        return self.client.region_read(port, register, 1)[0]

    def write(self, port, register, value):
        self.client.region_write(port, register, bytes([value]))

    def receive(self, port, count):
        """What the guest reads."""
        data = b""
        for _ in range(count):
            eventually(lambda: self.read(port, LSR) & READY, f"byte {len(data)} of {count} comes in at port {port}")
            data += self.client.region_read(port, DATA, 1)
        return data

    def send(self, port, data):
        for byte in data:
            eventually(lambda: self.read(port, LSR) & 0x20, "the transmitter has room")
            self.write(port, DATA, byte)

    def tty_read(self, count):
        data = b""
        while len(data) < count:
            assert select.select([self.tty], [], [], 20)[0], f"{len(data)} of {count} bytes have come out of the terminal"
            data += os.read(self.tty, 4096)
        return data

    def close(self):
        os.close(self.tty)
        self.irq.close()


def set_up_port(card, port, registers):
    """As a guest's driver does; the divisor behind DLAB."""
    card.write(port, LCR, 0x83)
    card.client.region_write(port, DATA, registers["divisor"])
    card.write(port, LCR, registers["lcr"])
    card.write(port, FCR, FIFO_14)
    card.write(port, SCR, registers["scr"])
    card.write(port, IER, registers["ier"])


def check_port(card, port, registers, mcr):
    assert card.read(port, SCR) == registers["scr"] and card.read(port, IER) == registers["ier"]
    assert card.read(port, LCR) == registers["lcr"] and card.read(port, MCR) == mcr
    assert card.read(port, FCR) & 0xC0 == 0xC0, "the FIFO is not on any more"
    card.write(port, LCR, registers["lcr"] | 0x80)
    assert card.client.region_read(port, DATA, 2) == registers["divisor"]
    card.write(port, LCR, registers["lcr"])


def move(source, target, pre_copy):
    """The stream of one into the other, in pieces of any size; both clients are attached."""
    stream = b""
    if pre_copy:
        source.go(S_PRE_COPY)
        stream += source.drain(random.randint(50, 5000))
        if random.random() < 0.5:
            source.go(S_PRE_COPY_P2P)
    source.go(S_STOP_COPY)
    stream += source.drain(random.randint(50, 5000))
    target.load(stream, random.randint(20, 5000))
    target.go(S_RUNNING)
    source.go(S_STOP)


def serial_round(here, there):
    """One move in the middle of a transfer in both directions at both ports: no byte is lost, and none comes twice."""
    registers = [{"divisor": os.urandom(2), "lcr": random.choice((0x03, 0x07, 0x1B)), "scr": random.randrange(256),
                  "ier": random.choice((1, 3, 5, 9, 15))} for _ in range(2)]
    for port in range(2):
        set_up_port(here, port, registers[port])
    with_peer = random.random() < 0.5
    mcrs = [DTR | RTS, DTR | RTS | (0 if with_peer else AUTO_FLOW)]
    here.write(0, MCR, mcrs[0])
    # In from the terminal: some is read here, the rest there.
    incoming = os.urandom(random.randint(14, 16))
    os.write(here.tty, incoming)
    eventually(lambda: here.read(0, FCR) & 0x0F == 0x04, "the FIFO is as full as its trigger says")
    eventually(lambda: len(incoming) == 14 or not select.select([], [], [], 0.005)[0], "the last bytes are in")
    taken = random.choice((0, 0, random.randint(0, 12)))
    got = here.receive(0, taken)
    # Out to the terminal: some goes here, the rest there.
    outgoing = os.urandom(random.randint(2, 30))
    cut = random.randint(0, len(outgoing))
    here.send(0, outgoing[:cut])
    out = here.tty_read(cut)
    # Port 1: with a peer, bytes come in; without one the transmitter waits for CTS with its FIFO full.
    second = os.urandom(random.randint(1, 16))
    peer = None
    if with_peer:
        here.write(1, MCR, mcrs[1])
        peer = here.connect()
        peer.sendall(second)
        waiting = array.array("i", [1])

        def is_taken():
            fcntl.ioctl(peer, SIOCOUTQ, waiting)
            return not waiting[0]
        eventually(is_taken, "the card has read what its peer sent")
    else:
        here.write(1, MCR, mcrs[1])
        eventually(lambda: not here.read(1, MSR) & 0x10, "nobody is there: CTS has fallen")
        for byte in second:
            here.write(1, DATA, byte)
    there.client.go(S_STOP)
    there.client.set_irqs(INTX, vfu.DATA_NONE | vfu.UNMASK, 0, 1)      # it masks itself when it fires
    there.irq.count()
    move(here.client, there.client, random.random() < 0.5)
    for port in range(2):
        check_port(there, port, registers[port], mcrs[port])
    if len(incoming) - taken >= 14:
        assert there.irq.count(20) >= 1, "an interrupt that was pending has been lost"
    got += there.receive(0, len(incoming) - taken)
    assert got == incoming and not there.read(0, LSR) & READY
    there.send(0, outgoing[cut:])
    out += there.tty_read(len(outgoing) - cut)
    assert out == outgoing
    if with_peer:
        assert there.receive(1, len(second)) == second and not there.read(1, LSR) & READY
        peer.close()
    else:
        with there.connect() as other:
            data = b""
            while len(data) < len(second):
                more = other.recv(100)
                assert more
                data += more
            assert data == second
    for card in (here, there):
        assert not select.select([card.tty], [], [], 0)[0], "the terminal got more than was sent"
        eventually(lambda: card is here or not card.read(1, MSR) & 0x10, "the peer has left")


def test_bytes_for_the_next_peer():
    """Bytes that wait for somebody come to a card whose peer leaves, and has a successor, while it stands still."""
    with tempfile.TemporaryDirectory(prefix="rounds-") as folder, contextlib.ExitStack() as stack:
        here, there = [Card(stack, os.path.join(folder, name)) for name in "ab"]
        set_up_port(here, 1, {"divisor": b"\x01\x00", "lcr": 0x03, "scr": 0, "ier": 0})
        here.write(1, MCR, DTR | RTS | AUTO_FLOW)
        eventually(lambda: not here.read(1, MSR) & 0x10, "nobody is there")
        for byte in b"for the next":
            here.write(1, DATA, byte)
        former = there.connect()
        eventually(lambda: there.read(1, MSR) & 0x10, "the peer is seen")
        there.client.go(S_STOP)
        former.close()
        with there.connect() as successor:
            move(here.client, there.client, False)
            data = b""
            while len(data) < 12:
                more = successor.recv(100)
                assert more
                data += more
            assert data == b"for the next"


def test_serial_card_in_mid_transfer():
    with tempfile.TemporaryDirectory(prefix="rounds-") as folder, contextlib.ExitStack() as stack:
        cards = [Card(stack, os.path.join(folder, name)) for name in "ab"]
        for turn in range((ROUNDS + 1) // 2):
            try:
                serial_round(*cards)
            except BaseException:
                print(f"# in round {turn}")
                raise
            if turn % 5 == 4:       # C27: and with a new client now and then
                cards[0].client.close()
                cards[0].attach()
            cards.reverse()
        for card in cards:
            card.close()


# --- The display ---

class Writer:
    """A process that draws on displays: a guest's processor, which is stopped before the device is."""

    RUN, HALT, QUIT = 1, 0, 2

    def __init__(self, screens):
        self.control = mmap.mmap(-1, PAGE)      # what to do, on which screen, has it halted, how often it has drawn
        self.pid = os.fork()
        if not self.pid:
            try:
                self.draw(screens)
            finally:
                os._exit(0)

    def draw(self, screens):
        control, drawn = self.control, 0
        block = os.urandom(1 << 16)
        while control[0] != self.QUIT and os.getppid() != 1:
            if control[0] == self.HALT:
                control[2] = 1
                time.sleep(0.0005)
                continue
            control[2] = 0
            screen = screens[control[1]]
            for _ in range(10):
                at, size = random.randrange(len(screen)), random.randint(1, 9000)
                size = min(size, len(screen) - at)
                start = random.randrange(len(block) - size)
                screen[at:at + size] = block[start:start + size]
            if drawn % 50 == 0:         # black again
                at = random.randrange(len(screen) // PAGE - 8) * PAGE
                screen[at:at + 8 * PAGE] = bytes(8 * PAGE)
            drawn += 1
            control[3:7] = struct.pack("=I", drawn)

    def run(self, screen):
        self.control[1] = screen
        drawn = self.drawn()
        self.control[2] = 0
        self.control[0] = self.RUN
        eventually(lambda: self.drawn() > drawn, "something is drawn")

    def drawn(self):
        return struct.unpack("=I", self.control[3:7])[0]

    def halt(self):
        self.control[0] = self.HALT
        self.control[2] = 0
        eventually(lambda: self.control[2] == 1, "the drawing process halts")

    def quit(self):
        self.control[0] = self.QUIT
        os.waitpid(self.pid, 0)


def registers_of(c):
    edid = c.region_info(OWN).size
    return c.region_read(CONFIG, 0, 256), c.region_read(2, 0, 4096), c.region_read(OWN, 0, edid)


def set_mode(c):
    """XRES, YRES, bits, virtual size and offsets of the display's own registers (dispi)."""
    width, height = random.choice(((640, 480), (800, 600), (320, 200)))
    for register, value in ((4, 0), (1, width), (2, height), (3, 32), (4, 0x41), (6, width), (8, 0), (9, random.randrange(16))):
        c.region_write(2, 0x500 + 2 * register, value.to_bytes(2, "little"))


def display_round(clients, screens, writer, here):
    source, target = clients[here], clients[1 - here]
    source.enable(7)
    set_mode(source)
    writer.run(here)
    source.go(S_PRE_COPY)
    stream, passes = [], 0
    # Until a whole pass has found nothing, or for as long as one would wait for that.
    while passes < 3:
        data = source.mig_read(random.choice((1 << 20, 1 << 18, 30000)))
        if data is None:
            passes += 1
            if random.random() < 0.3:
                break
        else:
            stream.append(data)
            if sum(map(len, stream)) > 12 << 20:
                break
    if random.random() < 0.3:
        source.go(S_PRE_COPY_P2P)
    writer.halt()
    source.go(S_STOP_COPY)
    while data := source.mig_read(1 << 20):
        stream.append(data)
    target.load(b"".join(stream), random.choice((1 << 20, 1 << 19, 99999)))
    target.go(S_RUNNING)
    assert screens[1 - here][:] == screens[here][:], "the picture differs"
    assert registers_of(target) == registers_of(source)
    source.go(S_STOP)
    return sum(map(len, stream))


def test_display_while_it_is_drawn_on():
    with device(parent="bochs", kind="small") as d, device(parent="bochs", kind="small") as e:
        clients = [d.connect(), e.connect()]
        screens = [vfu.map_region(c.region_info(0)) for c in clients]
        writer = Writer(screens)
        moved = 0
        try:
            for turn in range(ROUNDS // 2):
                moved += display_round(clients, screens, writer, turn % 2)
        finally:
            writer.quit()
        print(f"# {moved >> 20} MiB in {ROUNDS // 2} moves")
        for screen in screens:
            screen.close()


if __name__ == "__main__":
    vfu.main()
