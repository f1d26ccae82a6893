#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/writing-a-device.md works as it stands: its program is built with its commands, from installed headers alone, and boots."""
import contextlib
import glob
import os
import re
import subprocess
import tempfile

import guest
from device import HERE, TRANCHE
from guest import Guest, eventually
from tap import is_listening      # guest.py knows where it is

TOP = HERE.parent.parent
PAGE = (TOP / "docs" / "writing-a-device.md").read_text(encoding="utf-8")
BUILD = os.environ.get("TRANCHE_TEST_BUILD", str(TOP / "build"))


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def command(word):
    """The one line of the page's commands that begins so."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith(word)]
    assert len(lines) == 1, lines
    return lines[0]


def sh(line, timeout=120, **options):
    return subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, check=False, **options)


def installed(folder):
    """What a program that is built elsewhere needs, and nothing else; Return: the environment to build in."""
    root = os.path.join(folder, "root")
    done = sh(f"meson install -C '{BUILD}' --no-rebuild --tags devel,runtime --destdir '{root}'")
    assert done.returncode == 0, done.stdout
    package = glob.glob(root + "/**/tranche-server.pc", recursive=True)
    library = glob.glob(root + "/**/libtranche-server.so", recursive=True)
    assert len(package) == 1 and len(library) == 1
    return {**os.environ, "PKG_CONFIG_LIBDIR": os.path.dirname(package[0]), "PKG_CONFIG_SYSROOT_DIR": root,
            "LD_LIBRARY_PATH": os.path.dirname(library[0])}


@contextlib.contextmanager
def pvpanic():
    """(its process, its program's folder)"""
    with tempfile.TemporaryDirectory(prefix="vm-pvpanic-") as folder:
        source, = blocks("c")
        assert source.count("\n") < 150, "a small device is small"
        with open(folder + "/pvpanic.c", "w", encoding="utf-8") as f:
            f.write(source)
        env = installed(folder)
        done = sh(command("cc ").replace("cc ", "cc -std=gnu17 -O2 -Wall -Wextra -Werror ", 1), cwd=folder, env=env)
        assert done.returncode == 0 and not done.stdout, done.stdout
        assert command("./pvpanic") == "./pvpanic /tmp/pvpanic.sock &"
        with open(folder + "/said", "w", encoding="utf-8") as said, open(folder + "/errors", "w", encoding="utf-8") as errors:
            process = subprocess.Popen([folder + "/pvpanic", folder + "/sock"], env=env, stdin=subprocess.DEVNULL, stdout=said,
                                       stderr=errors)
        try:
            eventually(lambda: is_listening(folder + "/sock") or process.poll() is not None, "its socket")
            yield folder
            process.terminate()
            status = process.wait(20)
            assert status == 0 and not read(folder + "/errors"), f"exit status {status}: {read(folder + '/errors')}"
            assert not os.path.exists(folder + "/sock")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def test_page():
    """The page's last command: a guest with the stock driver panics, and the device says so."""
    with pvpanic() as folder:
        line = command("tools/vm run").replace("/tmp/pvpanic.sock", folder + "/sock")
        done = sh(line, cwd=TOP)
        assert "sysrq triggered crash" in done.stdout.lower(), done.stdout
        assert read(folder + "/said") == "the guest has panicked\n"


def test_more():
    """What the page says without showing it: `tranche attach` knows the device, the next guest gets it, and no alarm is false."""
    with pvpanic() as folder:
        done = sh(f"'{TRANCHE}' attach --print qemu '{folder}/sock' 2>&1")
        assert done.returncode == 0 and "vfio-user-pci" in done.stdout, done.stdout
        with Guest(devices=[guest.vfio_user(folder + "/sock")], modules=["pvpanic-pci"]) as g:
            for n in range(2):
                if n:
                    g.reset()
                g.ok("modprobe pvpanic-pci")
                assert g.ok("readlink /sys/bus/pci/devices/0000:00:01.0/driver").endswith("/pvpanic-pci")
                assert g.ok("cat /sys/bus/pci/devices/0000:00:01.0/capability") == "1"
            assert g.poweroff() == 0
        assert not read(folder + "/said")


if __name__ == "__main__":
    guest.main()
