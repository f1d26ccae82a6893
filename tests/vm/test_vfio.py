#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""VFIO inside a guest, on a device of ours: vfio-pci takes it, and a program (vfio.c) drives it through an IOMMU."""
import contextlib
import tempfile

import guest
from device import compiled, device
from guest import Guest

ADDRESS = "0000:00:01.0"
HERE = f"/sys/bus/pci/devices/{ADDRESS}"
MODULES = ["vfio-pci", "vfio_iommu_type1"]


@contextlib.contextmanager
def machine(share):
    with tempfile.TemporaryDirectory(prefix="vm-vfio-") as folder, device("testdev", "full") as d:
        program = compiled("vfio.c", folder, "-static")
        with Guest(devices=[d.for_qemu()], modules=MODULES, programs=[program], intel_iommu=True, share=share) as g:
            g.ok(f"modprobe vfio-pci; modprobe vfio_iommu_type1; echo vfio-pci >{HERE}/driver_override; "
                 f"echo {ADDRESS} >/sys/bus/pci/drivers/vfio-pci/bind")
            yield g


def checked(g, *names):
    output = g.ok(f"vfio /dev/vfio/$(readlink {HERE}/iommu_group | sed 's,.*/,,') {ADDRESS} {' '.join(names)}", timeout=100)
    assert output.splitlines() == [f"{name} ok" for name in names], output


def test_vfio():
    """Everything; and once more, as the next program of the guest would."""
    with machine(share=True) as g:
        checked(g, "registers", "mapping", "messages", "intx", "dma", "reset", "registers")
        checked(g, "dma", "messages", "intx", "messages")


def test_dma_by_messages():
    """Memory that cannot be mapped by the device's process: the same, by way of QEMU."""
    with machine(share=None) as g:
        checked(g, "registers", "dma", "messages", "reset", "dma")


if __name__ == "__main__":
    guest.main()
