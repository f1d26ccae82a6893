#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The serial card in a guest: its stock driver, both ways of working (interrupts, polling), both kinds of lines.

TRANCHE_TEST_LONG=1: a MiB each way instead of some KiB.
"""
import hashlib
import os
import re
import socket
import threading

import guest
from device import device
from guest import Guest, eventually

LONG = bool(os.environ.get("TRANCHE_TEST_LONG"))
BY_INTERRUPT, BY_POLLING = (1 << 20, 1 << 20) if LONG else (32 << 10, 4 << 10)
PATIENCE = 3000 if LONG else 100        # seconds for one transfer
PACKAGES = ["setserial"]
DRIVER = "readlink /sys/bus/pci/devices/0000:00:01.0/driver | sed 's,.*/,,'"
RAW = "stty -F {} 115200 raw -echo crtscts clocal"


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Terminal:
    """The host's end of a line: a pseudo-terminal."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)

    def read(self, size):
        got = bytearray()
        while len(got) < size:
            got += os.read(self.fd, size - len(got))
        return bytes(got)

    def write(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def close(self):
        os.close(self.fd)


class Peer:
    """The host's end of a line: a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)

    def read(self, size):
        got = bytearray()
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            assert more, f"the line has ended after {len(got)} of {size} bytes"
            got += more
        return bytes(got)

    def write(self, data):
        self.socket.sendall(data)

    def close(self):
        self.socket.close()


class Behind(threading.Thread):
    """Runs a call behind the test's back."""

    def __init__(self, call, *arguments):
        super().__init__(daemon=True)
        self.call, self.arguments, self.value = call, arguments, None
        self.start()

    def run(self):
        self.value = self.call(*self.arguments)

    def result(self):
        self.join(PATIENCE)
        assert not self.is_alive(), f"not within {PATIENCE} s: {self.call.__name__} of {len(str(self.arguments))} bytes or so"
        return self.value


def send_from_guest(g, tty, end, data):
    g.write("/tmp/data", data)
    reader = Behind(end.read, len(data))
    g.ok(f"cat /tmp/data >{tty}", timeout=PATIENCE)
    assert digest(reader.result()) == digest(data)


def send_to_guest(g, tty, end, data):
    job = g.launch(f"head -c {len(data)} <{tty} | sha256sum")
    writer = Behind(end.write, data)
    status, output = job.wait(PATIENCE)
    assert status == 0 and output.split()[0] == digest(data), output
    writer.result()


def both_ways(g, tty, end, size):
    """Return: how many interrupts it took."""
    data = os.urandom(size)
    # The port stays open: what comes before the next one opens it would be lost.
    holder = g.launch(f"exec 5<>{tty}; {RAW.format(tty)}; touch /tmp/held; while [ -e /tmp/held ]; do usleep 50000; done")
    eventually(lambda: g.run("test -e /tmp/held")[0] == 0, "the port is open")
    send_from_guest(g, tty, end, data)
    send_to_guest(g, tty, end, data[::-1])
    count = interrupts(g)
    g.ok("rm /tmp/held")
    assert holder.wait()[0] == 0
    return count


def interrupts(g):
    """How often the card's interrupt has come; a port that nobody has open has none."""
    lines = [line.split() for line in g.ok("cat /proc/interrupts").splitlines() if re.search(r"ttyS[12]\b", line)]
    return sum(int(line[1]) for line in lines)


def errors_of(g, port):
    """What /proc counts as errors of a port: frames, parity, breaks, overruns."""
    line = next(line for line in g.ok("cat /proc/tty/driver/serial").splitlines() if line.startswith(f"{port}:"))
    return re.findall(r"\b(fe|pe|brk|oe):(\d+)", line)


def test_single():
    """One port, by interrupts and by polling."""
    with device("mtty", "1", "line0=pty:FOLDER/tty") as d, Guest(devices=[d.for_qemu()], packages=PACKAGES) as g:
        assert g.ok(DRIVER) == "serial"
        assert "16550A" in g.ok("setserial -g /dev/ttyS1"), "bound"
        assert "unknown" in g.ok("setserial -g /dev/ttyS2"), "no second port"
        end = Terminal(d.folder + "/tty")
        assert both_ways(g, "/dev/ttyS1", end, BY_INTERRUPT) > 0
        assert not errors_of(g, 1)
        end.close()


def test_single_polled():
    with device("mtty", "1", "line0=pty:FOLDER/tty") as d, Guest(devices=[d.for_qemu()], packages=PACKAGES) as g:
        end = Terminal(d.folder + "/tty")
        g.ok("setserial /dev/ttyS1 irq 0")
        assert "IRQ: 0" in g.ok("setserial -g /dev/ttyS1")
        assert both_ways(g, "/dev/ttyS1", end, BY_POLLING) == 0
        assert not errors_of(g, 1)
        end.close()


def test_dual():
    """Two ports at one interrupt: one at a terminal, one at a socket, at the same time."""
    with device("mtty", "2", "line0=pty:FOLDER/tty", "line1=unix:FOLDER/line") as d, \
            Guest(devices=[d.for_qemu()], packages=PACKAGES) as g:
        assert g.ok(DRIVER) == "serial"
        for port in (1, 2):
            assert "16550A" in g.ok(f"setserial -g /dev/ttyS{port}")
        ends = [Terminal(d.folder + "/tty"), Peer(d.folder + "/line")]
        g.ok("; ".join(f"exec {4 + port}<>/dev/ttyS{port}; {RAW.format(f'/dev/ttyS{port}')}" for port in (1, 2)))
        data = [os.urandom(BY_INTERRUPT // 4) for _ in ends]
        readers = [Behind(end.read, len(part)) for end, part in zip(ends, data)]
        for port, part in enumerate(data, 1):
            g.write(f"/tmp/data{port}", part)
        jobs = [g.launch(f"{RAW.format(f'/dev/ttyS{port}')}; cat /tmp/data{port} >/dev/ttyS{port}") for port in (1, 2)]
        for job, reader, part in zip(jobs, readers, data):
            assert job.wait(PATIENCE)[0] == 0 and digest(reader.result()) == digest(part)
        assert both_ways(g, "/dev/ttyS2", ends[1], BY_INTERRUPT // 4) > 0
        for end in ends:
            end.close()


def test_terminal_settings():
    """stty and setserial: settings stay, the modem's lines are what the other end makes of them."""
    with device("mtty", "2", "line1=unix:FOLDER/line") as d, Guest(devices=[d.for_qemu()], packages=PACKAGES) as g:
        g.ok("stty -F /dev/ttyS1 9600 cs7 parenb cstopb crtscts")
        said = g.ok("stty -F /dev/ttyS1 -a")
        assert "speed 9600" in said and all(word in said.split() for word in ("cs7", "parenb", "cstopb", "crtscts")), said
        g.ok("setserial /dev/ttyS1 low_latency spd_vhi")
        said = g.ok("setserial -g /dev/ttyS1")
        assert "low_latency" in said and "spd_vhi" in said, said
        # looped back: what is sent comes back, by itself
        g.ok("setserial /dev/ttyS1 ^low_latency spd_normal; " + RAW.format("/dev/ttyS1"))
        assert g.ok("exec 5<>/dev/ttyS1; echo 'there and back' >&5; head -n 1 <&5", timeout=20) == "there and back"
        # nobody at the socket: no carrier; somebody: carrier
        g.ok("stty -F /dev/ttyS2 raw -echo -clocal")
        waiting = g.launch("head -c 5 </dev/ttyS2")
        g.ok("usleep 300000")
        assert not waiting.is_done()
        peer = Peer(d.folder + "/line")
        eventually(lambda: "CD" in line_of(g, 2), "the carrier is there")
        peer.write(b"hello")
        assert waiting.wait(20) == (0, "hello")
        peer.close()


def line_of(g, port):
    return next(line for line in g.ok("cat /proc/tty/driver/serial").splitlines() if line.startswith(f"{port}:"))


if __name__ == "__main__":
    if LONG:
        guest.TEST_SECONDS = 2 * PATIENCE
    guest.main(packages=PACKAGES)
