#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every way to reset: of the function alone, of the machine, by the guest itself.  Then all is as in the beginning, and works."""
import os

import guest
from device import device
from guest import Guest, eventually
from registers import COUNTER, ID, MAGIC, RESETS, SCRATCH, STORAGE, Registers

HERE = "/sys/bus/pci/devices/0000:00:01.0"
CONFIG = f"dd if={HERE}/config bs=1 count=256 2>/dev/null | hexdump -v -e '16/1 \"%02x \" \"\\n\"'"


def test_function():
    """FLR, which Linux finds in the capabilities; it puts back what configuration space held."""
    with device("testdev", "full") as d, Guest(devices=[d.for_qemu()]) as g:
        r = Registers(g)
        assert "flr" in g.ok(f"cat {HERE}/reset_method").split()
        config, before = g.ok(CONFIG), r.read(RESETS)
        dirty(r)
        for n in range(1, 4):
            g.ok(f"echo 1 >{HERE}/reset")
            assert r.read(RESETS) == before + n
            expect_clean(r)
            assert g.ok(CONFIG) == config


def dirty(r):
    r.write(SCRATCH, 0x12345678)
    r.write(COUNTER, 0)
    r.write(STORAGE + 4, 0x55aa55aa)
    memory = Registers(r.guest, bar=2)
    memory.write(0x0000, 0xfeedbeef)        # mapped
    memory.write(0x4000, 0xfeedf00d)        # not mapped
    assert [r.read(SCRATCH), r.read(COUNTER), memory.read(0x0000)] == [0x12345678, 1, 0xfeedbeef]


def expect_clean(r):
    """All is 0, and it can be used: so it is dirty again."""
    memory = Registers(r.guest, bar=2)
    assert r.read(ID) == MAGIC
    assert [r.read(offset) for offset in (SCRATCH, COUNTER, STORAGE + 4)] == [0, 0, 0]
    assert [memory.read(offset) for offset in (0x0000, 0x4000)] == [0, 0]
    dirty(r)


def test_machine():
    """The reset button and the guest's own reboot."""
    with device("testdev", "full") as d, Guest(devices=[d.for_qemu()]) as g:
        r = Registers(g)
        config = g.ok(CONFIG)
        dirty(r)
        for restart in (g.reset, g.reboot):
            before = r.read(RESETS)
            restart()
            r.enable()
            assert r.read(RESETS) > before
            assert g.ok(CONFIG) == config
            expect_clean(r)


def exchange(g, end):
    """Some bytes each way through the card."""
    data = os.urandom(300).hex().encode() + b"\n"
    job = g.launch("exec 5<>/dev/ttyS1; stty -F /dev/ttyS1 raw -echo clocal; touch /tmp/open; head -n 1 <&5 >/tmp/got; cat /tmp/got >&5")
    eventually(lambda: g.run("test -e /tmp/open")[0] == 0, "the port is open")
    os.write(end, data)
    assert job.wait(30) == (0, "")
    got = b""
    while len(got) < len(data):
        got += os.read(end, 4096)
    assert got == data and g.read("/tmp/got") == data
    g.ok("rm /tmp/open")


def test_card():
    """The serial card and its driver, through the same."""
    with device("mtty", "1", "line0=pty:FOLDER/tty") as d, Guest(devices=[d.for_qemu()]) as g:
        end = os.open(d.folder + "/tty", os.O_RDWR | os.O_NOCTTY)
        exchange(g, end)
        for restart in (g.reset, g.reboot):
            restart()
            exchange(g, end)
        os.close(end)


def test_next_machine():
    """A second machine after the first: the device has been reset between them, and serves it."""
    with device("testdev", "full") as d:
        for _ in range(2):
            with Guest(devices=[d.for_qemu()]) as g:
                expect_clean(Registers(g))
                assert g.quit() == 0


if __name__ == "__main__":
    guest.main()
