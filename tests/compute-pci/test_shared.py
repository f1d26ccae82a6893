#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The shared window: ranges that several sessions have as buffers, charged once."""
import errno
import os
import signal
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from guest import (GIB, MIB, PAGE, R_COMMAND, R_SHARED_OFFSET, RESET, SEGMENT_DESTROY, SERVICE, SHARED, SHARED_ATTACH,  # noqa: E402
                   SHARED_CREATE, SHARED_DESTROY, SHARED_DETACH, SHARING, buffer_create, build, device, eventually, expect, handle,
                   kernel_create, ndrange, queue_create)
from test_session import ADD, P, executor_of  # noqa: E402


def sharing(g, number):
    s = g.open(number, features=SHARING, vector=number)
    s.segment(0, 8 * MIB, SERVICE)
    return s


def test_ranges():
    with device() as d:
        g = d.guest()
        empty = d.blocks()

        def refused(number, offset, size):
            return expect(number, lambda: g.shared_create(offset, size))

        assert g.shared_create(0, MIB) == (0, MIB)
        assert g.shared_create(2 * MIB, MIB) == (0, 2 * MIB)
        refused(errno.EEXIST, 0, PAGE)
        refused(errno.EEXIST, MIB - PAGE, 2 * PAGE)
        refused(errno.EEXIST, MIB, 2 * MIB)
        refused(errno.EINVAL, 1, PAGE)
        refused(errno.EINVAL, 4 * MIB, 1)
        refused(errno.EINVAL, 4 * MIB, 0)
        refused(errno.EINVAL, GIB, PAGE)
        refused(errno.EINVAL, GIB - PAGE, 2 * PAGE)
        refused(errno.EINVAL, 2**64 - PAGE, PAGE)
        refused(errno.EINVAL, 4 * MIB, 2**64 - PAGE)
        s = g.open()
        s.segment(0, 512 * MIB)
        refused(errno.ENOSPC, 4 * MIB, 511 * MIB)
        s.close()
        g.memory[2 * MIB:3 * MIB] = b"s" * MIB
        assert d.blocks() == empty + MIB
        expect(errno.ENOENT, lambda: g.shared_destroy(0, PAGE))
        expect(errno.ENOENT, lambda: g.shared_destroy(PAGE, MIB))
        expect(errno.ENOENT, lambda: g.shared_destroy(2**64 - PAGE, 2 * PAGE))
        g.shared_destroy(0, MIB)
        expect(errno.ENOENT, lambda: g.shared_destroy(0, MIB))
        assert d.blocks() == empty
        g.shared_destroy(2 * MIB, MIB)
        assert d.blocks() == empty and g.shared_create(0, GIB) == (0, GIB)


def test_two_sessions_and_a_kernel():
    with device() as d:
        g = d.guest()
        g.shared_create(4 * MIB, MIB)
        a, b = sharing(g, 1), sharing(g, 2)
        assert a.attach(4 * MIB, MIB) == MIB and b.attach(4 * MIB, MIB) == MIB
        at = g.read64(R_SHARED_OFFSET) + 4 * MIB
        g.memory[at:at + 16] = struct.pack("<4i", 1, 2, 3, 4)
        for s in (a, b):
            c = s.context(0)
            build(s, P, ADD)
            c.send(queue_create(handle(1), handle(0), s.seq), buffer_create(handle(1), SHARED + 4 * MIB, PAGE, s.seq),
                   kernel_create(handle(1), P), ndrange(handle(1), 1, handle(1), 4, [handle(1)], values=[10]))
            eventually(lambda: c.commands == 1 or c.refused or c.lost, "the kernel has run", 60)
            assert not c.refused and not c.lost
        assert struct.unpack("<4i", g.memory[at:at + 16]) == (21, 22, 23, 24)
        expect(errno.EBUSY, lambda: g.shared_destroy(4 * MIB, MIB))
        a.close()
        expect(errno.EBUSY, lambda: g.shared_destroy(4 * MIB, MIB))
        b.close()
        g.shared_destroy(4 * MIB, MIB)
        assert d.blocks() == 2 * MIB


def test_attach_and_detach():
    with device() as d:
        g = d.guest()
        g.shared_create(0, MIB)
        plain = g.open(3)
        expect(errno.EPERM, lambda: plain.attach(0, MIB))
        s = sharing(g, 1)
        expect(errno.ENOENT, lambda: s.attach(0, 2 * MIB))
        expect(errno.ENOENT, lambda: s.attach(MIB, MIB))
        expect(errno.ENOENT, lambda: s.attach(2**64 - PAGE, MIB))
        s.attach(0, MIB)
        assert s.seq == 2, "it counts as a segment"
        expect(errno.EEXIST, lambda: s.attach(0, MIB))
        expect(errno.EINVAL, lambda: s.destroy(SHARED))
        expect(errno.EINVAL, lambda: s.detach(-SHARED))
        expect(errno.EBUSY, lambda: g.shared_destroy(0, MIB))
        assert s.memory_query()[:3] == (GIB, MIB, 0), "charged once, and to no session"
        assert s.detach(0) == MIB
        expect(errno.ENOENT, lambda: s.detach(0))
        s.attach(0, MIB)
        os.kill(executor_of(d)[0] if len(executor_of(d)) == 1 else max(executor_of(d)), signal.SIGKILL)
        eventually(lambda: (g.take(0.1) is not None), "somebody is lost", 10)
        s.close()
        plain.close()
        g.shared_destroy(0, MIB)


def test_reset_forgets_them():
    with device() as d:
        g = d.guest()
        g.shared_create(0, MIB)
        sharing(g, 1).attach(0, MIB)
        g.write(R_COMMAND, RESET)
        g.start()
        assert g.shared_create(0, GIB) == (0, GIB)


def test_without_the_feature():
    with device() as d:
        g = d.guest(features=0)
        expect(errno.EOPNOTSUPP, lambda: g.shared_create(0, MIB))
        expect(errno.EINVAL, lambda: g.open(1, features=SHARING))


if __name__ == "__main__":
    guest.vfu.main()
