#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Numbers of the kernel's mdev through tranche-treefs over the real tranched and devices that are really in use (contract points C5, C6, C8, C9)."""
import errno
import os
import signal
import socket
import sys

import tranched
from real import SMALL, U, Later, device, in_use
from tap import eventually

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "treefs"))
os.environ.setdefault("TRANCHE_TEST_TREEFS", str(tranched.BUILD / "src/treefs/tranche-treefs"))
import treefs  # noqa: E402
from test_real import real as over_tranched  # noqa: E402
from treefs import Writer, errno_of  # noqa: E402


def test_c06_busy_is_refused():
    """C6, C9: EBUSY from write(2), and the device is as usable as before."""
    with over_tranched() as t:
        t.create(U[0], "null0", SMALL)
        with in_use(t.read(t.device(U[0], "tranche/socket")).strip()) as vm:
            assert errno_of(t.write, t.device(U[0], "remove"), "1") == errno.EBUSY
            assert t.has(U[0]) and vm.is_alive()
        eventually(lambda: not t.api.get(f"/v1/devices/{U[0]}")["in_use"], "nobody uses it")
        t.remove(U[0])


def test_c06_wait_and_interrupt():
    """C6, C9: with --remove=wait the write waits; a signal gives EINTR and all is as before; when the user leaves it is done."""
    with over_tranched("--remove=wait") as t:
        t.create(U[0], "null0", SMALL)

        def state():
            return t.api.get(f"/v1/devices/{U[0]}")["state"]
        with in_use(t.read(t.device(U[0], "tranche/socket")).strip()) as vm:
            for number, outcome in (signal.SIGUSR1, (-1, errno.EINTR)), (signal.SIGKILL, None):
                w = Writer(t.device(U[0], "remove"), "1")
                eventually(lambda: state() == "stopping", "it is asked for", within=10)
                w.signal(number)
                assert w.finish() == outcome
                eventually(lambda: state() == "running", "it was given up", within=10)
                assert vm.is_alive() and t.has(U[0])
            w = Writer(t.device(U[0], "remove"), "1")
            eventually(lambda: state() == "stopping", "it is asked for", within=10)
            vm.sock.shutdown(socket.SHUT_RDWR)      # the writers have copies of it
            assert w.finish() == (1, 0) and not t.has(U[0])


def test_c05_c09_a_parent_that_leaves():
    """C5, C9: ENODEV while it leaves, and its folder is gone when it has left."""
    with over_tranched() as t:
        t.create(U[0], "null0", SMALL)
        create = t.type("null0", SMALL, "create")
        with in_use(t.read(t.device(U[0], "tranche/socket")).strip()):
            eventually(lambda: t.api.get(f"/v1/devices/{U[0]}")["in_use"], "it is in use")
            leaving = Later(t.daemon, "DELETE", "/v1/parents/null0?policy=ask")

            def number():
                try:
                    t.write(create, U[1])
                    t.remove(U[1])
                    return None
                except OSError as error:
                    return error.errno
            assert eventually(number, "it is refused", within=10) in (errno.ENODEV, errno.ENOENT)
        leaving.get()
        eventually(lambda: not os.path.lexists(t.path("class/mdev_bus/null0")), "it is gone")
        assert errno_of(t.write, create, U[1]) in (errno.ENODEV, errno.ENOENT)


def test_c09_numbers():
    """C9: the table of the kernel's numbers, from the real daemon's refusals."""
    with over_tranched() as t:
        create = t.type("null0", SMALL, "create")
        t.create(U[0], "null0", SMALL)
        for text, number in [(U[0], errno.EEXIST), (U[0].upper(), errno.EEXIST), ("x", errno.EINVAL), (U[1] + "00", errno.EINVAL), (U[1][:-1] + "g", errno.EINVAL)]:
            assert errno_of(t.write, create, text) == number, (text, number)
        assert t.write(create, U[1] + "\n") == 37
        for i in range(100):
            try:
                t.create(U[i % 60 + 2], "serial0", "mtty-2")
            except OSError as error:
                assert error.errno == errno.EUSERS and i > 2, (i, error)
                break
        else:
            raise AssertionError("there was no end")


def test_c08_what_is_told_of_is_there():
    """C8: who hears of a device finds it whole in the tree a moment later, by whomever it was made."""
    with over_tranched() as t:
        for i in range(5):
            d = device(t.api, U[i])
            eventually(lambda i=i: t.has(U[i]), "it is there")
            assert os.readlink(t.device(U[i], "mdev_type")).endswith(SMALL) and t.read(t.device(U[i], "tranche/socket")).strip() == d["socket"]
            left = t.api.get(f"/v1/types/null0/{SMALL}")["available_instances"]
            eventually(lambda left=left: int(t.read(t.type("null0", SMALL, "available_instances"))) == left, "so many are left")


def why_not():
    if not os.access(treefs.TREEFS, os.X_OK):
        return "tranche-treefs was not built"
    return treefs.why_not()


if __name__ == "__main__":
    tranched.tap.main(seconds=55, why_not=why_not)
