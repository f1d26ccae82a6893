#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Where cgroups may be written, each device of a tranche-parent has one, with a limit of memory, and its executors are in it."""
import contextlib
import os
import struct
import sys
import time
import uuid

sys.dont_write_bytecode = True
from shared_parent import MIB, UPDATE, Device, Manager, parent  # noqa: E402
import tap  # noqa: E402
from tap import eventually  # noqa: E402

GIB = 1 << 30


def own_group():
    """The folder of our own group of memory, and the name of its limit; None: there is none that we may write to."""
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        groups = {tuple(line.split(":")[1].split(",")): line.rstrip("\n").split(":", 2)[2] for line in f}
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = [line.split() for line in f]
    for words in mounts:
        kind, options = words[words.index("-") + 1], words[-1].split(",")
        path = next((p for names, p in groups.items() if "memory" in names), None)
        if kind != "cgroup" or "memory" not in options or path is None:
            continue
        folder = words[4] + path.removeprefix(words[3]) if words[3] != "/" else words[4] + path
        if os.access(folder, os.W_OK):
            return folder, "memory.limit_in_bytes"
    return None


def why_not():
    if not own_group():
        return "there is no version 1 cgroup of memory that this user may write to"
    return None


def group_of(d, p):
    return os.path.join(own_group()[0], f"tranche-cpu-{uuid.UUID(bytes=d.uuid)}.{p.process.pid}")


def number(path):
    with open(path, encoding="ascii") as f:
        return int(f.read())


def test_group_of_a_device():
    with parent() as p:
        d = Device(p, 64 * MIB)
        folder, limit = group_of(d, p), own_group()[1]
        assert number(os.path.join(folder, limit)) == 128 * MIB + GIB
        pid = d.start()
        with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as f:
            assert f.read().split() == [str(pid)]
        d.call(UPDATE, struct.pack("<QII", 128 * MIB, 0, 0))
        assert number(os.path.join(folder, limit)) == 256 * MIB + GIB
        d.close()
        eventually(lambda: not os.path.exists(folder), "it is removed when the last executor has gone")


def test_no_quota_no_group():
    with parent() as p:
        d = Device(p, 0)
        d.start()
        assert not os.path.exists(group_of(d, p))


def test_the_limit_kills():
    with parent() as p:
        d, other = Device(p, MIB), Device(p, MIB)
        with open(os.path.join(group_of(d, p), own_group()[1]), "w", encoding="ascii") as f:
            f.write(str(16 * MIB))      # as if its allowance were small
        bystander = other.start()
        pid = d.start("memory")
        e = d.ended()
        assert (e.pid, e.status) == (pid, 9), vars(e)
        time.sleep(0.05)
        os.kill(bystander, 0)
        assert Manager(p).info.executors == 1


def test_parent_ends():
    with parent() as p:
        d = Device(p)
        d.start("kernels:1000")
        folder = group_of(d, p)
        assert os.path.exists(folder)
        p.process.terminate()
        p.process.wait(20)
        assert not os.path.exists(folder)


def test_what_a_killed_one_left():
    with parent() as p:
        d = Device(p)
        d.start()
        folder = group_of(d, p)
        p.process.kill()
        p.process.wait(10)
        eventually(lambda: not os.path.exists(f"/proc/{d.pids[0]}"), "the executor has ended")
        assert os.path.exists(folder)

        def is_removed_by_another():
            with parent() as other:
                return not os.path.exists(folder) and other.process.poll() is None
        # The kernel may take a group for populated for a moment after its last process has gone.
        eventually(is_removed_by_another, "the group is removed", within=20)


@contextlib.contextmanager
def place_of_our_own():
    """Every tranche-parent removes what a killed one has left, so that those of other tests shall not see ours."""
    found = own_group()
    if not found:
        yield
        return
    above, ours = found[0], os.path.join(found[0], f"tests-{os.getpid()}")
    os.mkdir(ours)
    try:
        move_to(ours)
        yield
    finally:
        move_to(above)
        eventually(lambda: is_removed(ours), "our group is empty", within=20)


def is_removed(group):
    """The kernel may take it for populated while what was killed ends."""
    with contextlib.suppress(OSError):
        os.rmdir(group)
    return not os.path.exists(group)


def move_to(folder):
    with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as f:
        f.write(str(os.getpid()))


if __name__ == "__main__":
    with place_of_our_own():
        tap.main(60, why_not)
