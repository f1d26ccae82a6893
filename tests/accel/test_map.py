#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How memory of the device is mapped in a guest: write-back, and with no more rights than a program needs."""
import re

import accel
from accel import FIRST, Shared, ours

shared = Shared("64M", programs=ours("maps", "hold"))


def aperture(m):
    """(first, last) address of BAR2"""
    return [int(word, 16) for word in m.ok(f"sed -n 3p /sys/bus/pci/devices/{FIRST}/resource").split()[:2]]


def memory_types(m):
    """What the kernel maps of the aperture, and as what: [(first, end, type)]"""
    first, last = aperture(m)
    ranges = [(int(begin, 16), int(end, 16), kind) for begin, end, kind in
              re.findall(r"\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] (\S+)", m.ok("cat /sys/kernel/debug/x86/pat_memtype_list"))]
    return [r for r in ranges if r[0] <= last and r[1] > first]


def test_write_back():
    with shared() as m:
        first, last = aperture(m)
        types = memory_types(m)
        assert types, "nothing of the aperture is mapped"
        assert all(kind == "write-back" for _, _, kind in types), types
        assert min(t[0] for t in types) <= first and max(t[1] for t in types) > last, (types, hex(first), hex(last))


def test_rights():
    with shared() as m:
        status, text = m.run("maps")
        assert status == 0 and "FAILED" not in text, text
        m.idle()


def test_still_write_back():
    """Also while a program has its memory mapped."""
    with shared() as m:
        job = m.launch("hold 0 16 /tmp/held")
        m.wait_file("/tmp/held", job)
        types = memory_types(m)
        assert types and all(kind == "write-back" for _, _, kind in types), types
        m.ok("rm /tmp/held")
        assert job.wait()[0] == 0


def test_end():
    with shared() as m:
        m.idle()
    shared.end()


if __name__ == "__main__":
    accel.main()
