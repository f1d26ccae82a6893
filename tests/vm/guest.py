# SPDX-License-Identifier: MIT
"""Virtual machines for tests: real guests (a Debian kernel and busybox) under a QEMU that has a vfio-user client.

    from guest import Guest, GuestError, vfio_user

    def test_something():
        with Guest(devices=[vfio_user("/run/x/socket", id="dev0")], modules=["bochs"], packages=["pciutils"]) as g:
            status, output = g.run("modprobe bochs; lspci -nn")
            assert g.ok("cat /sys/bus/pci/devices/0000:00:01.0/vendor") == "0x1234"

    if __name__ == "__main__":
        guest.main()            # runs the test_*() functions and prints TAP; skips when no VM can be had here

Made, a guest is up; left (with), it is gone.  What Guest() takes:
    devices     list of QEMU devices: dicts ({"driver": "pci-testdev", "id": "x"}), JSON, or "driver,key=value"; vfio_user(path)
                makes the dict for a vfio-user server.  The first stands at 0000:00:01.0, the next at 02.0, ...
    modules     kernel modules to have in the guest (with what they need; not loaded: modprobe), names or paths of .ko files
    packages    Debian packages whose programs the guest has (fetched once): "pciutils", "setserial", "kmod", ...
    files       ["/host/file:/guest/file", ...]; a folder comes with all in it; without ":..." it goes to /root/
    programs    as files, for programs of this machine: with their shared libraries; without ":..." they go to /usr/bin/
    memory      "512M";  cpus  1;  share  True: as vfio-user needs it, False: private memory, None: no memory object
    ports       PCIe root ports for hot-add (1): port0 is bus 0000:01 of the guest, port1 0000:02, ...
    reserve     "8G": room at each of them for a device's 64-bit memory
    usr         a disk image below the guest's /usr (vm_root.usr_image(fetcher): OpenCL programs, Python, no driver)
    intel_iommu True: VFIO works inside the guest (modules=["vfio-pci"])
    append      more words for the kernel's command line;  qemu_args  more words for QEMU
    kernel, modules_dir     another kernel's bzImage and lib/modules/RELEASE

What a guest does:
    run(script, stdin=b"", timeout=60)  -> (exit status, output): a shell script in the guest; stdout and stderr together
    ok(script, ...)                     -> output without blanks at its ends; GuestError when the exit status is not 0
    launch(script, stdin=b"")           -> Job, which runs beside others: .wait(timeout) -> (status, output), .is_done()
    write(path, data), read(path) -> bytes      files of the guest, of any size
    add_device(dict, port=0)            hot-add at a root port; remove_device(id) waits until it is gone
    qmp("command", key=value, ...)      -> its value; GuestError when QEMU refuses;  wait_event("NAME", timeout) -> the event
    reset()                             the reset button; reboot(): the guest's own; both return when it is up again (files are gone)
    suspend()                           to memory and back, once (kernel=Fetcher(...).packed_kernel())
    poweroff(), quit()                  -> QEMU's exit status: by the guest's kernel; by QEMU at once
    console()                           -> what the kernel wrote so far ("quiet": warnings and errors);  boot_id
    fetcher.kernel(), fetcher.headers() -> folders, for building modules for the guest

TRANCHE_TEST_DEBUG_KERNEL=1 in the environment gives all guests, and modules for them, the debug kernel (tools/vm debug-kernel).

Each wait has a limit and ends in GuestTimeout (a GuestError) with the console's end in its text.  QEMU dies with the test's
process.  The guest's shell is busybox's; $PATH has the packages' programs first.
"""
import os
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "tools" / "lib"), str(HERE.parent)]
import tap  # noqa: E402
from vm_cache import Cache, CannotFetch  # noqa: E402
from vm_fetch import Fetcher  # noqa: E402
from vm_guest import Guest, GuestError, GuestTimeout, vfio_user  # noqa: E402

if os.environ.get("TRANCHE_TEST_DEBUG_KERNEL"):
    from vm_debug_kernel import DebugFetcher as Fetcher

__all__ = ["Guest", "GuestError", "GuestTimeout", "vfio_user", "but_for_qemu", "eventually", "main", "why_not"]

TEST_SECONDS = 400


def eventually(check, what, within=20):
    """As tap.eventually(), at the pace of guests."""
    return tap.eventually(check, what, within * Fetcher.patience, 0.05)


def but_for_qemu(test):
    """QEMU 11.1 itself may abort, by an assertion about its own errors, when the device's process dies in the middle of what QEMU
    asks of it: then there is no guest that could live, and the test is made again."""
    def again():
        for _ in range(4):
            try:
                return test()
            except GuestError as error:
                if "error_setv: Assertion" not in str(error):
                    raise
                print("# QEMU aborted by its own assertion")
        raise AssertionError("QEMU aborted by its own assertion, four times")
    return again


def why_not(packages=()):
    """Why no VM can be had here, or None.  Fetches what is not in the cache yet."""
    try:
        fetcher = Fetcher(Cache())
        fetcher.qemu()
        fetcher.kernel()
        for name in ("busybox-static", *packages):
            fetcher.package(name)
    except CannotFetch as error:
        return str(error)
    return None


def main(packages=()):
    """Runs the test functions of the calling program (tests/tap.py).

    {packages}: those that its guests ask for, so that a machine without network skips instead of failing.
    """
    def reason():
        text = why_not(packages)
        return text and f"no virtual machine: {text}"

    os.environ.pop("LD_PRELOAD", None)      # a sanitizer's library is not for QEMU
    tap.main(TEST_SECONDS * Fetcher.patience, reason)
