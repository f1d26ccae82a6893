# SPDX-License-Identifier: MIT
"""The outside of a virtual machine: a device process for it, and programs to run in it.

    with device("mtty", "2", "line0=pty:/run/x/tty") as d:
        with Guest(devices=[d.for_qemu(id="card")]) as g:
            ...

At the end of device() the process must have ended with status 0 by SIGTERM, must not have complained, and must not have left
its socket.  d.errors() is what it has said so far, d.folder is a folder for other files.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile

from guest import eventually, vfio_user
from tap import is_listening      # guest.py knows where it is

HERE = pathlib.Path(__file__).resolve().parent
DEVICE = os.environ.get("TRANCHE_TEST_DEVICE", str(HERE.parent.parent / "build/src/device/tranche-device"))
TRANCHE = os.environ.get("TRANCHE_TEST_TRANCHE", str(HERE.parent.parent / "build/src/cli/tranche"))
# What it says when all is well.
USUAL = re.compile(r"tranche-device: (device \S+|port \d) is at .*")


class Device:
    def __init__(self, folder, words, program=DEVICE):
        self.folder, self.path = folder, os.path.join(folder, "device")
        self.said = open(os.path.join(folder, "errors"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([program, *words, "--socket-path", self.path], stdin=subprocess.DEVNULL, stderr=self.said)

    def for_qemu(self, **properties):
        return vfio_user(self.path, **properties)

    def errors(self):
        with open(self.said.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def complaints(self):
        return [line for line in self.errors().splitlines() if not USUAL.fullmatch(line)]

    def wait_ready(self):
        eventually(lambda: is_listening(self.path) or self.process.poll() is not None, "the device's socket")
        assert self.process.poll() is None, self.errors()

    def kill(self):
        """As if it had crashed."""
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        assert status == 0 and not self.complaints(), f"exit status {status}; it said:\n{self.errors()}"
        assert not os.path.exists(self.path), "the socket is still there"


@contextlib.contextmanager
def device(parent, kind=None, *options):
    """A running tranche-device; options: what its -o takes."""
    words = ["--parent", parent] + (["--type", kind] if kind else []) + [w for option in options for w in ("-o", option)]
    with tempfile.TemporaryDirectory(prefix="vm-device-") as folder:
        d = Device(folder, [w.replace("FOLDER", folder) for w in words])
        try:
            d.wait_ready()
            yield d
            if d.process.returncode != -signal.SIGKILL:
                d.end()
        finally:
            if d.process.poll() is None:
                d.kill()
            d.said.close()


def compiled(source, folder, *flags):
    """A C program of this folder for a guest; Return: its path."""
    path = os.path.join(folder, pathlib.Path(source).stem)
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-o", path, str(HERE / source), *flags], check=True)
    return path
