#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `tranche attach` prints is given to QEMU as it is, by a shell, and a guest boots and sees the device."""
import os
import subprocess
import tempfile
import xml.etree.ElementTree

import guest
from device import HERE, TRANCHE, device
from guest import Cache, Fetcher
from vm_guest import QUICK            # guest.py knows where these are
from vm_initramfs import Cpio

VM = str(HERE.parent.parent / "tools" / "vm")
QEMU_NS = "{http://libvirt.org/schemas/domain/qemu/1.0}"
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for d in /sys/bus/pci/devices/*; do echo "found $(/bin/busybox cat $d/vendor) $(/bin/busybox cat $d/device)"; done
echo "memory $(/bin/busybox grep MemTotal /proc/meminfo)"
/bin/busybox poweroff -f
"""


def attach(what, *words):
    done = subprocess.run([TRANCHE, "attach", "--print", what, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def initramfs(fetcher, folder):
    """A guest of its own, as small as can be: nothing of guest.py's machine is in it."""
    cpio = Cpio()
    cpio.add_path(fetcher.package("busybox-static") + "/bin/busybox", "bin/busybox")
    cpio.entry("init", 0o100755, INIT.encode())
    cpio.entry("dev/console", 0o020600, rdev=(5, 1))
    path = os.path.join(folder, "initramfs")
    with open(path, "wb") as f:
        f.write(cpio.bytes())
    return path


def boot(arguments, folder):
    """Runs QEMU by a shell, with the printed words in its line; Return: the console."""
    fetcher = Fetcher(Cache())
    words = " ".join(["console=ttyS0", "panic=-1", "quiet", *QUICK])
    line = (f"exec '{VM}' qemu -- -nodefaults -no-user-config -display none -no-reboot -cpu max -serial stdio -kernel '{fetcher.kernel_file()}' "
            f"-initrd '{initramfs(fetcher, folder)}' -append '{words}' {arguments}")
    done = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=200, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_qemu():
    """With --memory the words are all that is needed."""
    with device("testdev", "full") as d, tempfile.TemporaryDirectory(prefix="vm-attach-") as folder:
        said = boot(attach("qemu", "--memory", "320M", d.path).rstrip("\n"), folder)
        assert "found 0x1af4 0x10f0" in said, said
        kib = int(next(line for line in said.splitlines() if line.startswith("memory")).split()[2])
        assert 200 << 10 < kib < 320 << 10, said


def test_libvirt():
    """The XML is well-formed, says the same as the words for QEMU, and those boot a guest."""
    with device("mtty", "2") as d, tempfile.TemporaryDirectory(prefix="vm-attach-") as folder:
        domain = xml.etree.ElementTree.fromstring(attach("libvirt", "--memory", "320M", d.path))
        words = [word.get("value") for word in domain.findall(f"{QEMU_NS}commandline/{QEMU_NS}arg")]
        assert attach("qemu", d.path) == f"{words[0]} '{words[1]}'\n"
        # What libvirt makes of the other elements:
        memory = domain.find("memory")
        assert memory.get("unit") == "MiB" and domain.find("memoryBacking/access").get("mode") == "shared"
        assert domain.find("memoryBacking/source").get("type") == "memfd"
        said = boot(f"-machine q35,memory-backend=pc.ram -m {memory.text}M -object memory-backend-memfd,id=pc.ram,share=on,size={memory.text}M "
                    f"{words[0]} '{words[1]}'", folder)
        assert "found 0x4348 0x3253" in said, said


if __name__ == "__main__":
    guest.main()
