#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Several devices in one guest at once; and one of them whose process dies."""
import contextlib
import os

import guest
from device import device
from guest import Guest, but_for_qemu
from registers import ID, MAGIC, SCRATCH, Registers
from test_bochs import PACKAGES, draw_program, load, shown
from screen import expect_pattern
from test_reset import exchange


@contextlib.contextmanager
def terminal(d):
    end = os.open(d.folder + "/tty", os.O_RDWR | os.O_NOCTTY)
    yield end
    os.close(end)


def test_card_and_display():
    with draw_program() as program, device("mtty", "1", "line0=pty:FOLDER/tty") as card, \
            device("bochs", "small", "screen=FOLDER/screen") as display, \
            Guest(devices=[card.for_qemu(), display.for_qemu()], modules=["bochs"], programs=[program]) as g, terminal(card) as end:
        load(g)
        with shown(g, 640, 480):
            exchange(g, end)
            expect_pattern(display.folder + "/screen", 640, 480)
            exchange(g, end)


def read_line(end):
    """Of a terminal, to which it may come in parts."""
    got = b""
    while not got.endswith(b"\n"):
        got += os.read(end, 100)
    return got


def test_two_cards():
    """What one is sent does not come out of the other; each has its names."""
    with device("mtty", "1", "line0=pty:FOLDER/tty") as first, device("mtty", "1", "line0=pty:FOLDER/tty") as second, \
            Guest(devices=[first.for_qemu(), second.for_qemu()]) as g, terminal(first) as one, terminal(second) as two:
        script = "".join(f"exec {n + 4}<>/dev/ttyS{n}; stty -F /dev/ttyS{n} raw -echo clocal; " for n in (1, 2))
        assert g.ok(script + "echo to one >&5; echo to two >&6") == ""
        assert read_line(one) == b"to one\n" and read_line(two) == b"to two\n"
        exchange(g, one)


def try_death():
    with device("testdev", "plain") as first, device("testdev", "plain") as second, \
            Guest(devices=[first.for_qemu(), second.for_qemu()]) as g:
        dead, alive = Registers(g), Registers(g, "0000:00:02.0")
        alive.write(SCRATCH, 0x1234)
        assert dead.read(ID) == alive.read(ID) == MAGIC
        first.kill()
        assert dead.read(ID) != MAGIC
        assert alive.read(ID) == MAGIC and alive.read(SCRATCH) == 0x1234
        assert g.ok("echo still here") == "still here"
        assert g.poweroff() == 0


def test_death():
    """A device process is killed: its device is dead, the guest and the other device live on, and the machine ends as it should."""
    but_for_qemu(try_death)()


if __name__ == "__main__":
    guest.main(packages=PACKAGES)
