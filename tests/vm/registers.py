# SPDX-License-Identifier: MIT
"""Registers of a device from inside a guest, without a driver: what src/parents/testdev has (offsets in BAR0)."""

ID, SCRATCH, COUNTER, FIRE, INTX, RESETS, STORAGE = 0x00, 0x04, 0x08, 0x0c, 0x10, 0x18, 0x80
MAGIC = int.from_bytes(b"TSTD", "little")


class Registers:
    """A memory BAR of the device at {address} ("0000:00:01.0")."""

    def __init__(self, g, address="0000:00:01.0", bar=0):
        self.guest, self.bar = g, bar
        self.folder = f"/sys/bus/pci/devices/{address}"
        self.enable()

    def enable(self):
        """Memory accesses are let through; to be done again after a restart."""
        g = self.guest
        g.ok(f"[ $(cat {self.folder}/enable) -gt 0 ] || echo 1 >{self.folder}/enable")
        self.base = int(g.ok(f"sed -n {self.bar + 1}p {self.folder}/resource").split()[0], 16)

    def read(self, offset):
        return int(self.guest.ok(f"devmem {self.base + offset:#x} 32"), 16)

    def write(self, offset, value):
        self.guest.ok(f"devmem {self.base + offset:#x} 32 {value:#x}")
