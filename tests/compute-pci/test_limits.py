#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How much memory a guest gets, whoever runs the device, and who can make more of it."""
import contextlib
import errno
import os
import signal
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "device"))
import control  # noqa: E402
import guest  # noqa: E402
import vfu  # noqa: E402
from guest import (BAR2, CHANGED, GIB, MIB, PAGE, R_QUOTA, R_STATUS, R_WINDOW_SIZE, SERVICE, SESSION_OPEN, device,  # noqa: E402
                   eventually, expect)
from test_session import B, BUFFERS, K, Q, ndrange, session_with_kernel  # noqa: E402

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


@contextlib.contextmanager
def controlled(**options):
    with tempfile.TemporaryDirectory(prefix="cpci-") as folder, \
            device(arguments=["--control-socket", f"{folder}/c"], **options) as d:
        d.control = control.Control(f"{folder}/c")
        yield d
        d.control.close()


def as_nobody(command):
    return subprocess.run([*NOBODY, *command], capture_output=True, check=False).returncode == 0


def test_without_rights():
    if os.geteuid() != 0 or not as_nobody(["unshare", "-Um", "true"]) or not as_nobody([vfu.DEVICE, "--list"]):
        return
    with device(before=NOBODY) as d:
        assert d.blocks() == 2 * MIB
        g = d.guest()
        s, c = session_with_kernel(g)
        c.send(ndrange(Q, 1, K, 64, [B], values=[1]))
        eventually(lambda: c.commands == 1, "the kernel has run", 60)
        s.close()
        assert d.blocks() == 2 * MIB


def without_namespaces(command, timeout=60):
    """A user namespace with all users of here, in which nobody may make another, and the command as nobody in it."""
    if subprocess.run(["unshare", "-U", "true"], capture_output=True, check=False).returncode:
        done = subprocess.run([*NOBODY, *command], capture_output=True, text=True, timeout=timeout, check=False)
        return done.stdout, done.stderr, done.returncode        # such as in a chroot: there are none anyway
    # sh asks for its user twice when it starts, and gives up what it may if the map comes in between.
    script = "echo started && read go && echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\""
    process = subprocess.Popen(["unshare", "-U", "--keep-caps", "sh", "-c", script, "sh", *command], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "started\n"
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{process.pid}/{name}", "w", encoding="ascii") as f:
            f.write("0 0 65536")
    try:
        return (*process.communicate("go\n", timeout=timeout), process.returncode)
    finally:
        process.kill()


def test_no_namespaces():
    """Where nobody may mount, the device says so; it does not go on without a bound."""
    if os.geteuid() != 0 or not as_nobody([vfu.DEVICE, "--list"]):
        return
    with tempfile.TemporaryDirectory(prefix="cpci-") as folder:
        os.chmod(folder, 0o777)
        _, said, status = without_namespaces([vfu.DEVICE, "--parent", "compute", "--type", "compute-pci", "--memory", "1G",
                                              "--socket-path", f"{folder}/s", "--runtime-dir", folder])
    assert status, said
    assert "tmpfs" in said and "namespaces" in said, said


def test_the_quota_grows_while_it_is_used():
    for before in ((), NOBODY):
        if before and (os.geteuid() != 0 or not as_nobody(["unshare", "-Um", "true"]) or not as_nobody([vfu.DEVICE, "--list"])):
            continue
        with controlled(memory="256M", before=before) if not before else device(memory="256M", before=before) as d:
            g = d.guest()
            s = g.open()
            expect(errno.ENOSPC, lambda: s.segment(0, 257 * MIB))
            if before:
                continue
            g.irqs[0].count()
            d.control.set(memory=3 * GIB)
            assert g.read(R_STATUS) & CHANGED and g.irqs[0].count(5)
            assert g.read64(R_QUOTA) == 3 * GIB
            big = g.open(2, size=4 * GIB, window=4 * GIB)
            assert big.segment(0, 1536 * MIB) == 1536 * MIB
            for at in range(0, 1536 * MIB, 256 * MIB):      # more than there was room for at the start
                big.write(at, b"x" * (256 * MIB))
            assert d.blocks() >= 1536 * MIB
            refused = None
            try:
                d.control.set(memory=GIB)
            except control.Refused as error:
                refused = error
            assert refused and refused.status == errno.EBUSY, refused
            big.close()
            d.control.set(memory=256 * MIB)
            assert g.read64(R_QUOTA) == 256 * MIB


def test_all_that_the_host_has():
    with device(memory=None) as d:
        g = d.guest()
        before = g.read64(R_QUOTA)
        s = g.open()
        after = g.read64(R_QUOTA)
        assert 0 < after <= before and s.quota == after
        assert (after == before) or g.read(R_STATUS) & CHANGED
        assert g.read64(R_WINDOW_SIZE) >= after


def test_figures():
    with controlled() as d:
        g = d.guest()
        s, c = session_with_kernel(g)
        c.sleep(wake_at=1)
        before = d.control.stats()
        assert before["traps"] > 10 and 0 < before["doorbells"] < before["traps"] and before["interrupts"] > 0, before
        c.send(ndrange(Q, 1, K, 64, [B], values=[1]))
        assert g.irqs[1].count(60)
        eventually(lambda: d.control.stats()["interrupts"] > before["interrupts"], "it is counted")
        after = d.control.stats()
        assert after["interrupts"] == before["interrupts"] + 1
        assert after["doorbells"] - before["doorbells"] <= 1 and after["commands"] == 1
        assert after["used"] == MIB


def test_a_vmm_that_fills_the_aperture():
    with device(memory="64M") as d:
        g = d.guest()
        region = g.client.region_info(BAR2)
        try:
            os.posix_fallocate(region.fds[0], 2 * MIB, 4 * GIB)
            raise AssertionError("there is no bound")
        except OSError as error:
            assert error.errno == errno.ENOSPC
        at = 2 * MIB
        with contextlib.suppress(OSError):
            while True:
                os.posix_fallocate(region.fds[0], at, 16 * MIB)
                at += 16 * MIB
        assert GIB < d.blocks() < GIB + 128 * MIB
        s = g.open(window=4 * GIB)
        assert expect(errno.ENOSPC, lambda: s.segment(0, 64 * MIB, SERVICE)).name == "NoMemory"
        s.segment(0, 64 * MIB)
        g.write(guest.R_COMMAND, guest.RESET)
        g.start()
        assert d.blocks() == 2 * MIB
        g.open().segment(0, 64 * MIB, SERVICE)
        os.close(region.fds[0])


def test_sessions_that_cannot_begin():
    for wrong in (["--executor", "/nonexistent"], ["--executor", "/bin/false"], ["--host-device", "77"]):
        with device(arguments=wrong) as d:
            g = d.guest()
            for _ in range(3):
                try:
                    g.open()
                    raise AssertionError("it began")
                except guest.Refused as refused:
                    assert refused.text, refused
            # Nothing of it is left: the slot and the window are free.
            g.take(0.1)
            assert not g.replies and d.blocks() == 2 * MIB
            try:
                g.open(2, window=g.windows_offset)
            except guest.Refused as refused:
                assert refused.name not in ("WindowOverlaps", "SessionExists"), refused


def test_a_vmm_that_cuts_off_the_aperture():
    """It can end its own device by that, and nothing else; who has the device started notices as of any crash."""
    with device() as d:
        g = d.guest()
        region = g.client.region_info(BAR2)
        s = g.open()
        s.segment(0, 8 * MIB, SERVICE)
        os.ftruncate(region.fds[0], 0)
        g.memory = None
        with contextlib.suppress(vfu.Gone, OSError, AssertionError):
            g.write(guest.R_BELL_CONTROL, 1)
            g.write(guest.R_COMMAND, guest.RESET)
        with contextlib.suppress(subprocess.TimeoutExpired):
            d.process.wait(2)
        os.close(region.fds[0])
        d.guests.remove(g)
        d.kill()
        d.end = lambda: None


if __name__ == "__main__":
    guest.vfu.main()
