#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Devices that come while the guest runs, are used, leave and come again.

What has MSI-X is only added: QEMU (11.1) ends with an assertion of its own when such a device of a vfio-user server is unplugged.
"""
import os

import guest
from device import device
from guest import Guest, eventually
from registers import ID, MAGIC, RESETS, SCRATCH, Registers
from test_reset import exchange

PORT = "/sys/bus/pci/devices/0000:01:00.0"


def is_there(g):
    return g.run(f"ls {PORT}")[0] == 0


def is_ready(g):
    """The kernel shows a device before it gives it addresses, and these files after that."""
    return g.run(f"ls {PORT}/resource0")[0] == 0


def test_card():
    with device("mtty", "1", "line0=pty:FOLDER/tty") as d, Guest() as g:
        end = os.open(d.folder + "/tty", os.O_RDWR | os.O_NOCTTY)
        for _ in range(2):
            g.add_device(d.for_qemu(id="late"))
            eventually(lambda: g.run(f"readlink {PORT}/driver")[1].endswith("/serial\n"), "the driver has it")
            exchange(g, end)
            g.remove_device("late")
            assert not is_there(g)
        os.close(end)


def test_registers():
    """Without MSI-X: whoever has it next finds it as new."""
    with device("testdev", "plain") as d, Guest() as g:
        for n in range(2):
            g.add_device(d.for_qemu(id="late"))
            eventually(lambda: is_ready(g), "the guest sees it")
            r = Registers(g, "0000:01:00.0")
            assert r.read(ID) == MAGIC and r.read(SCRATCH) == 0
            assert r.read(RESETS) > n
            r.write(SCRATCH, 0xabcd)
            assert r.read(SCRATCH) == 0xabcd
            g.remove_device("late")
            assert not is_there(g)


def test_full():
    with device("testdev", "full") as d, Guest() as g:
        g.add_device(d.for_qemu(id="late"))
        eventually(lambda: is_ready(g), "the guest sees it")
        r, memory = Registers(g, "0000:01:00.0"), Registers(g, "0000:01:00.0", bar=2)
        assert r.read(ID) == MAGIC
        memory.write(0x8000, 0x600dcafe)
        assert memory.read(0x8000) == 0x600dcafe
        g.ok(f"echo 1 >{PORT}/reset")
        assert memory.read(0x8000) == 0
        assert g.quit() == 0


if __name__ == "__main__":
    guest.main()
