#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""GET_INFO."""
import errno
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import DEVICE_GET_INFO, device, expect  # noqa: E402

RESET, PCI = 1, 2


def test_info():
    """Regions are 9 and those of the device's own; five kinds of interrupts, present or not."""
    with device() as d:
        assert struct.unpack("=4I", d.connect().device_info()) == (16, RESET | PCI, 10, 5)
    with device(kind="plain") as d:
        assert struct.unpack("=4I", d.connect().device_info()) == (16, RESET | PCI, 9, 5)


def test_argsz():
    """C12: the room is the client's word; what the fixed part does not fit into is refused."""
    with device() as d:
        c = d.connect()
        for argsz in (0, 1, 15):
            expect(errno.EINVAL, lambda argsz=argsz: c.device_info(argsz=argsz))
        for argsz in (16, 17, 24, 4096, 0xFFFFFFFF):
            assert struct.unpack_from("=2I", c.device_info(argsz=argsz)) == (16, RESET | PCI)


def test_short():
    with device() as d:
        c = d.connect()
        for size in (0, 4, 15):
            expect(errno.EINVAL, lambda size=size: c.device_info(size=size))


def test_other_fields_are_ignored():
    with device() as d:
        c = d.connect()
        assert c.ask(DEVICE_GET_INFO, struct.pack("=4I", 16, 0xFFFFFFFF, 77, 88)).body == c.device_info()


def test_in_each_state():
    """C21, D3: a device that is stopped can be asked."""
    with device() as d:
        c = d.connect()
        info = c.device_info()
        for state in (vfu.S_RUNNING_P2P, vfu.S_STOP, vfu.S_STOP_COPY, vfu.S_STOP, vfu.S_RESUMING):
            c.go(state)
            assert c.state() == state and c.device_info() == info


if __name__ == "__main__":
    vfu.main()
