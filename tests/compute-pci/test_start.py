#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""From configuration space to START: what a driver finds, and what is refused."""
import errno
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
import vfu  # noqa: E402
from guest import (BAR0, CHANGED, CONFIG, FAILED, GIB, LEAVE, MAGIC, MIB, R_BELL_CHANNEL, R_BELL_CONTROL, R_COMMAND,  # noqa: E402
                   R_CONTROL_SIZE, R_DRIVER_FEATURES, R_DRIVER_VERSION, R_FEATURES, R_GENERATION, R_MAGIC, R_NONCE, R_NR_SESSIONS,
                   R_OLDEST, R_PROBE_LEN, R_PROBE_OFFSET, R_QUOTA, R_SERVICE, R_SHARED_OFFSET, R_SHARED_SIZE, R_STATUS, R_UUID,
                   R_VERSION, R_WINDOWS_OFFSET, R_WINDOW_ALIGN, R_WINDOW_SIZE, READY, RESET, RUNNING, SHARING, START, SVM, device)


def test_configuration_space():
    with device() as d:
        c = d.connect()
        assert (c.config16(0), c.config16(2)) == (0x1AF4, 0x10F5)
        assert c.read32(CONFIG, 8) >> 8 == 0x120000
        assert (c.config16(0x2C), c.config16(0x2E)) == (0x1AF4, 0x5452)
        assert c.capability(1) and c.capability(0x10) and c.capability(0x11)
        at = c.capability(9)
        ident, _, length, zero, magic, version, oldest = struct.unpack("<BBBBIII", c.region_read(CONFIG, at, 16))
        assert (ident, length, zero, magic, version, oldest) == (9, 32, 0, MAGIC, 1, 1)
        assert any(c.region_read(CONFIG, at + 16, 16))
        assert c.config16(c.capability(0x11) + 2) & 0x7FF == 8
        assert c.read32(CONFIG, c.capability(0x10) + 4) & 1 << 28, "a function-level reset"
        d.fds_at_start = None


def test_registers():
    with device() as d:
        g = d.guest(start=False)
        assert g.read(R_MAGIC) == MAGIC and g.read(R_VERSION) == 1 and g.read(R_OLDEST) == 1
        assert g.read(R_STATUS) == READY
        assert g.read64(R_FEATURES) == SVM | SHARING
        assert g.read64(R_NONCE)
        assert g.read(R_NR_SESSIONS) == 64
        assert b"".join(struct.pack("<I", g.read(R_UUID + i)) for i in range(0, 16, 4)).hex() == d.uuid.replace("-", "")
        assert g.read(R_CONTROL_SIZE) == 2 * MIB and g.read(R_PROBE_OFFSET) == MIB and g.read(R_PROBE_LEN) == 0
        assert g.read64(R_SHARED_OFFSET) == 2 * MIB and g.read64(R_SHARED_SIZE) == GIB
        assert g.read64(R_WINDOWS_OFFSET) == GIB + 2 * MIB and g.read64(R_WINDOW_SIZE) == 2 * GIB
        assert g.read(R_WINDOW_ALIGN) == 2 * MIB
        assert g.read64(R_QUOTA) == GIB and g.read64(R_SERVICE) == 256 * MIB
        assert len(g.memory) == 32 * GIB
        assert not any(g.memory[0:2 * MIB])
        assert g.start() == READY | RUNNING


def test_every_register_with_every_size():
    with device() as d:
        g = d.guest(start=False)
        for at in range(0, 0x140):
            for size in (1, 2, 3, 4, 5, 8, 16):
                data = g.client.region_read(BAR0, at, size)
                if size != 4 or at % 4:
                    assert data == b"\xff" * size, (at, size, data)
                elif at in (R_COMMAND, R_BELL_CONTROL, R_BELL_CHANNEL, 0x3C, 0x80, 0x13C):
                    assert data == bytes(4), (at, data)
        generation = g.read(R_GENERATION)
        for at in range(0, 0x140):
            for size in (1, 2, 3, 5, 8, 16):
                g.client.region_write(BAR0, at, b"\x02" * size)
        assert g.read(R_STATUS) == READY and g.read(R_GENERATION) == generation
        for at in range(0, 0x2000, 4):
            if at not in (R_COMMAND,):
                g.write(at, 0xFFFFFFFF)
        assert g.read(R_STATUS) == READY and g.read(R_DRIVER_VERSION) == 0
        assert g.read64(R_DRIVER_FEATURES) == 0, "what was not offered cannot be"
        assert g.read(R_MAGIC) == MAGIC
        assert g.start() == READY | RUNNING


def test_version_and_features_are_refused():
    with device() as d:
        g = d.guest(start=False)
        for version in (0, 2, 0xFFFFFFFF):
            g.write(R_DRIVER_VERSION, 1)
            g.write(R_DRIVER_VERSION, version)
            assert g.read(R_DRIVER_VERSION) == 0
        g.write(R_COMMAND, START)
        assert g.read(R_STATUS) == FAILED
        assert g.irqs[0].count(5)
        g.write(R_DRIVER_VERSION, 1)
        g.write(R_COMMAND, START)
        assert g.read(R_STATUS) == FAILED, "only a reset helps"
        g.write(R_COMMAND, RESET)
        g.wait_status(READY)
        g.features = 4
        assert g.start() == FAILED
        g.write(R_COMMAND, RESET)
        g.features = SVM
        assert g.start() == READY | RUNNING
        g.write(R_DRIVER_VERSION, 7)
        g.write(R_DRIVER_FEATURES, 7)
        assert g.read(R_DRIVER_VERSION) == 1 and g.read64(R_DRIVER_FEATURES) == SVM
        g.write(R_COMMAND, 77)
        assert g.read(R_STATUS) == READY | RUNNING
        g.write(R_COMMAND, START)
        assert g.read(R_STATUS) == FAILED, "it runs already"


def test_leave():
    with device() as d:
        g = d.guest()
        assert not g.read(R_STATUS) & (LEAVE | CHANGED)


def test_no_migration():
    with device() as d:
        g = d.guest()
        vfu.refused(lambda: g.client.feature(vfu.GET | vfu.F_MIGRATION), errno.ENOTTY, errno.EOPNOTSUPP)


def test_sizes_that_cannot_be():
    import subprocess
    import tempfile
    with tempfile.TemporaryDirectory(prefix="cpci-") as folder:
        for aperture in ("1G", "3G"):
            done = subprocess.run([vfu.DEVICE, "--parent", "compute", "--type", "compute-pci", "--memory", "1G", "--aperture", aperture,
                                   "--socket-path", f"{folder}/s"], capture_output=True, text=True, timeout=30)
            assert done.returncode and "aperture" in done.stderr, done


if __name__ == "__main__":
    vfu.main()
