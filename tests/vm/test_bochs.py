#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The display in a guest: its stock driver draws, and what is drawn comes out as a picture, pixel for pixel."""
import contextlib
import re
import tempfile

import guest
from device import compiled, device
from guest import Cache, Fetcher, Guest, eventually
from screen import decode, expect_pattern, screen

PACKAGES = ["libdrm-dev"]
BEST = {"small": "800x600", "medium": "1024x768", "large": "1920x1080"}


@contextlib.contextmanager
def draw_program():
    with tempfile.TemporaryDirectory(prefix="vm-draw-") as folder:
        headers = Fetcher(Cache()).package("libdrm-dev") + "/usr/include/libdrm"
        yield compiled("draw.c", folder, "-static", "-isystem", headers)


@contextlib.contextmanager
def display(kind):
    """A guest with a display whose driver is there."""
    with draw_program() as program, device("bochs", kind, "screen=FOLDER/screen") as d, \
            Guest(devices=[d.for_qemu()], modules=["bochs"], programs=[program]) as g:
        load(g)
        yield g, d.folder + "/screen"


def load(g):
    g.ok("modprobe bochs")
    eventually(lambda: g.run("ls /dev/dri/card0")[0] == 0, "the display has a driver")


def show(g, width, height):
    job = g.launch(f"draw /dev/dri/card0 {width} {height} /tmp/shown")
    eventually(lambda: job.is_done() or g.run("test -e /tmp/shown")[0] == 0, "the pattern is shown", 40)
    assert not job.is_done(), job.wait()
    return job


@contextlib.contextmanager
def shown(g, width, height):
    """While the pattern is on the screen."""
    job = show(g, width, height)
    yield
    g.ok("rm /tmp/shown")
    assert job.wait() == (0, "")


def modes(g):
    return g.ok("draw /dev/dri/card0").split()


def test_modes():
    """One mode after the other, smaller and larger, in one guest."""
    with display("medium") as (g, path):
        for width, height in ((1024, 768), (640, 480), (1280, 1024), (800, 600)):
            with shown(g, width, height):
                expect_pattern(path, width, height)


def test_small():
    with display("small") as (g, path):
        assert BEST["small"] + "*" in modes(g)
        assert not any(int(mode.split("x")[0]) > 800 for mode in modes(g))
        assert g.run("draw /dev/dri/card0 1024 768 /tmp/shown") == (2, "draw: no mode 1024x768\n")
        with shown(g, 800, 600):
            expect_pattern(path, 800, 600)


def test_large():
    with display("large") as (g, path):
        assert BEST["large"] + "*" in modes(g)
        with shown(g, 1920, 1080):
            expect_pattern(path, 1920, 1080)


def test_monitor():
    """The guest believes the EDID: it is whole, and its best mode is the one that is set first."""
    with display("medium") as (g, path):
        edid = g.read("/sys/class/drm/card0-Virtual-1/edid")
        assert len(edid) % 128 == 0 and edid[:8] == bytes.fromhex("00ffffffffffff00")
        assert all(sum(edid[i:i + 128]) & 255 == 0 for i in range(0, len(edid), 128))
        assert [mode for mode in modes(g) if mode.endswith("*")] == [BEST["medium"] + "*"]
        assert g.ok("cat /sys/class/drm/card0-Virtual-1/status") == "connected"
        assert not re.search(r"EDID|error|fail", g.ok("dmesg -l err,warn | grep -iE 'bochs|drm|edid' || true"), re.I)
        eventually(lambda: screen(path)[0] == 0, "the console is shown")
        assert decode(screen(path)[1])[:2] == (1024, 768)


def set_mode_by_hand(g, width, height):
    """As firmware would: no driver clears anything."""
    g.ok("echo 1 >/sys/bus/pci/devices/0000:00:01.0/enable")
    line = g.ok("sed -n 3p /sys/bus/pci/devices/0000:00:01.0/resource")
    base = int(line.split()[0], 16) + 0x500
    for register, value in ((4, 0), (1, width), (2, height), (3, 32), (6, width), (4, 0x41)):
        g.ok(f"devmem {base + 2 * register:#x} 16 {value}")


def test_reset():
    """After a reset nobody sees what was drawn before."""
    with display("small") as (g, path):
        show(g, 800, 600)
        expect_pattern(path, 800, 600)
        g.reset()
        status, png, said = screen(path)
        assert status == 1 and not png and "turned the screen on" in said
        set_mode_by_hand(g, 800, 600)
        status, png, said = screen(path)
        assert status == 0, said
        width, height, rows = decode(png)
        assert (width, height) == (800, 600) and not any(any(row) for row in rows), "nothing is left"
        load(g)
        with shown(g, 640, 480):
            expect_pattern(path, 640, 480)


if __name__ == "__main__":
    guest.main(packages=PACKAGES)
