#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that want to do harm: nothing that they can do outlives them, and the process always ends (C28, C34)."""
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vfu  # noqa: E402
from vfu import (BAR0, BAR2, CONFIG, GET_REGION_IO_FDS, MAP_FILE_IO, OWN, PAGE, REGION_READ, Refused, device,  # noqa: E402
                 eventually, expect, memfd)

F_ADD_SEALS, F_SEAL_FUTURE_WRITE = 1033, 0x10


def ended_with(d, within):
    """SIGTERM, and the status with which the process ends."""
    d.fds_at_start = None
    d.process.send_signal(signal.SIGTERM)
    return d.process.wait(within)


def threads_of(d):
    return len(os.listdir(f"/proc/{d.process.pid}/task"))


def use_up_descriptors(d, c):
    """One after the other, by maps of a file that is read and written."""
    fd = memfd(PAGE)
    for i in range(1000):
        try:
            c.dma_map(i * PAGE, PAGE, fd, flags=3 | MAP_FILE_IO)
        except Refused as refused:
            assert refused.errno == errno.EMFILE
            os.close(fd)
            return
    raise AssertionError("there are always descriptors")


def test_end_without_descriptors():
    """Nobody can be let in any more: the process ends all the same."""
    with device() as d:
        first = d.connect()
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        use_up_descriptors(d, first)
        d.connect(hello=False)
        eventually(lambda: "has to wait" in d.said(), "the next one waits for a descriptor")
        assert ended_with(d, 30) == 0


def slow_to_close():
    """A socket whose last close() waits for a peer that does not read."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        s = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    s.setblocking(False)
    try:
        while True:
            s.send(b"x" * 65536)
    except BlockingIOError:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
    return s, peer


def test_end_with_a_thread_that_waits():
    """A client's descriptor can make its thread wait in the kernel, which SIGTERM does not wait for for ever."""
    with device() as d:
        c = d.connect()
        s, peer = slow_to_close()
        text = vfu.message(REGION_READ, struct.pack("=QII", 0, CONFIG, 4))
        c.send_raw(text[:20], [s.fileno()])
        time.sleep(0.1)     # it is the server's before it is closed here
        s.close()
        c.send_raw(text[20:])
        assert c.is_silent(0.5)
        assert ended_with(d, 40) == 1 and not os.path.exists(d.path)
        assert "without its clients" in d.said()
        peer.close()
        d.process.returncode = 0    # for d.end()


def test_connections_are_counted():
    """Those that never say anything cost a thread each: there is a limit."""
    with device() as d:
        first = d.connect()
        before = threads_of(d)
        silent = [d.connect(hello=False) for _ in range(300)]
        eventually(lambda: "no more are let in" in d.said(), "some are refused")
        assert threads_of(d) - before <= 255 and silent[299].is_gone() and first.is_alive()


def test_memory_that_is_sealed():
    """A client cannot make what it maps read-only for the next one."""
    with device() as d:
        for _ in range(2):
            c = d.connect().enable()
            shadow = c.ask(GET_REGION_IO_FDS, struct.pack("=4I", 4096, 0, BAR0, 0)).fds
            fds = c.region_info(BAR2).fds + c.region_info(OWN).fds + shadow[2:]
            assert len(fds) == 3
            for fd in fds:
                mmap.mmap(fd, PAGE, offset=0).close()
                try:
                    fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)
                    raise AssertionError("it can be sealed")
                except PermissionError:
                    pass
            for fd in fds + shadow[:2]:
                os.close(fd)
            c.close()


def test_file_open_for_appending():
    """What is written goes where it is meant for, or the file is no memory."""
    with device() as d, tempfile.NamedTemporaryFile() as f:
        c = d.connect().enable()
        f.truncate(2 * PAGE)
        for mode in (MAP_FILE_IO, 0):
            with open(f.name, "r+b", buffering=0) as file:
                fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
                expect(errno.EACCES, lambda: c.dma_map(0, PAGE, file.fileno(), flags=3 | mode))
                c.dma_map(0, PAGE, file.fileno(), flags=1 | mode)
                c.dma_unmap(0, PAGE)


OVERLAY = """
import os, subprocess, sys
folder = sys.argv[1]
for name in ("low", "up", "work", "all"):
    os.mkdir(f"{folder}/{name}")
subprocess.run(["mount", "-t", "overlay", "none", "-o", f"lowerdir={folder}/low,upperdir={folder}/up,workdir={folder}/work",
                f"{folder}/all"], check=True)
with open(f"{folder}/all/memory", "w+b") as f:
    f.truncate(8192)
    os.dup2(f.fileno(), 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def stacked_file(folder):
    """A descriptor of a file in a file system that anybody can lay over one that he serves himself; None: not here."""
    ours, theirs = socket.socketpair()
    send = "import socket; socket.send_fds(socket.socket(fileno=1), [b'.'], [0])"
    with ours, theirs:
        done = subprocess.run(["unshare", "-Urm", sys.executable, "-c", OVERLAY, folder, sys.executable, "-c", send],
                              stdout=theirs, stderr=subprocess.DEVNULL, check=False)
        return socket.recv_fds(ours, 1, 1)[1][0] if done.returncode == 0 else None


def test_stacked_file():
    """A file over another that a client may serve is not touched while the device is locked: it is asked for by messages."""
    with device() as d, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        c = d.connect().enable()
        fd = stacked_file(folder)
        if fd is None:
            print("# skipped: no overlay can be mounted here")
            return
        c.dma_map(0, 2 * PAGE, fd)
        os.close(fd)
        c.dma_start(0, PAGE)
        c.answer(c.command(), bytearray(b"x" * PAGE))
        assert c.dma_end() == 0 and c.region_read(BAR2, 0, PAGE) == b"x" * PAGE


if __name__ == "__main__":
    vfu.main()
