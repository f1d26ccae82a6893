#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `lspci -vvv` says of each device in a guest is what stands in golden/.  With --update the files are written anew."""
import contextlib
import difflib
import re
import sys

import guest
from device import HERE, device
from guest import Guest

GOLDEN = HERE / "golden"
PACKAGES = ["pciutils"]
UPDATE = "--update" in sys.argv
KINDS = [("testdev", "full"), ("testdev", "plain"), ("mtty", "1"), ("mtty", "2"), ("bochs", "small"), ("bochs", "large"), ("null", "small")]
# What depends on the machine around the device, not on the device.
CHANCE = [(r"(?m)^00:[0-9a-f]{2}\.0 ", "00:00.0 "), (r"routed to IRQ \d+", "routed to IRQ N"),
          (r"(Memory|Expansion ROM|I/O ports) at (?!<)(virtual )?[0-9a-f]+", r"\1 at ADDRESS"),
          (r"Address: [0-9a-f]{8,16}  Data: [0-9a-f]{4}", "Address: ADDRESS  Data: DATA")]


def normal(text):
    for pattern, instead in CHANCE:
        text = re.sub(pattern, instead, text)
    return text.rstrip() + "\n"


def compare(name, text):
    path = GOLDEN / f"{name}.txt"
    if UPDATE:
        path.write_text(text, encoding="utf-8")
        return
    golden = path.read_text(encoding="utf-8")
    assert text == golden, "".join(difflib.unified_diff(golden.splitlines(True), text.splitlines(True), str(path), "the guest's"))


def test_golden():
    """All in one guest: a device each, without a driver, as they come out of reset; with I/O and memory that firmware has placed."""
    with contextlib.ExitStack() as stack:
        devices = [stack.enter_context(device(parent, kind)) for parent, kind in KINDS]
        g = stack.enter_context(Guest(devices=[d.for_qemu() for d in devices], packages=PACKAGES))
        for slot, (parent, kind) in enumerate(KINDS, 1):
            text = normal(g.ok(f"lspci -vvv -nn -s 00:{slot:02x}.0 2>/dev/null"))
            assert "<chain" not in text and "<access denied>" not in text and "Unknown header" not in text, text
            compare(f"{parent}-{kind}", text)


def test_tree():
    """Behind a root port, where PCI Express devices belong, the express device is an endpoint."""
    with device("testdev", "full") as d, Guest(packages=PACKAGES, ports=1) as g:
        g.add_device(d.for_qemu(id="late"))
        guest.eventually(lambda: g.run("ls /sys/bus/pci/devices/0000:01:00.0/resource0")[0] == 0, "the guest sees it, with addresses")
        text = normal(g.ok("lspci -vvv -nn -s 01:00.0 2>/dev/null").replace("01:00.0", "00:00.0"))
        assert "<chain" not in text, text
        compare("testdev-full-behind-port", text)


if __name__ == "__main__":
    if UPDATE:
        sys.argv.remove("--update")
    guest.main(packages=PACKAGES)
