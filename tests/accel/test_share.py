#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Memory that one process of a guest gives another, on the same device; and memory that is not taken."""
import accel
from accel import Shared, ours, program

shared = Shared("256M", "64M", programs=ours("foreign") + [program("client/client_share")])


def test_shared():
    """A buffer that one process exports and another imports by its descriptor is the very same memory."""
    with shared() as m:
        status, text = m.run("client_share", timeout=60)
        assert status == 0 and "FAILED" not in text and text.count("ok: ") >= 3, f"{status}: {text}"
        m.idle()


def test_foreign():
    """A dma-buf of another driver, of what was not made to be exported, of service memory."""
    with shared() as m:
        status, text = m.run("foreign")
        assert status == 0 and "FAILED" not in text, text
        m.idle()


def test_end():
    with shared() as m:
        m.idle()
    shared.end()


if __name__ == "__main__":
    accel.main()
