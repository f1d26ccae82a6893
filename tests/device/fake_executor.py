#!/usr/bin/python3 -IS
# SPDX-License-Identifier: MIT
"""An executor without OpenCL: it says yes to everything, or does what the words in $FAKE ask for.

refuse, crash, exit, hang, close at SETUP; hang-later: all but the first one hang there; garbage, short, unknown,
twice, type, long, huge after READY;
keep: answers UNMAP without unmapping; deaf: never answers UNMAP; slow: reads nothing after READY;
stray: leaves a process in a session of its own; litter: fills its folder with what is hard to remove;
greedy: takes 96 MiB for itself; speaks-first: says something before it was asked;
broker-garbage, broker-flood, broker-close: what it does with its descriptor 4;
build-crash, build-hang, build-huge: what it does with a build.
"""
import contextlib
import fcntl
import mmap
import os
import signal
import socket
import struct
import sys
import time

HEAD = struct.Struct("<IIQII")
REPLY = 0x80000000
SETUP, MAP, UNMAP, PREPARE, BUILD = 64, 65, 66, 67, 9
WORDS = os.environ.get("FAKE", "").split()
MEMORY = 1 << 32        # of the pretended device

sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=3)
segments = {}


def send(kind, ident, body=b"", status=0, length=None, fds=()):
    packet = HEAD.pack(kind, length or HEAD.size + len(body), ident, status, 0) + body
    if fds:
        socket.send_fds(sock, [packet], fds)
    else:
        sock.send(packet)


def error(text, hint=b"do it better"):
    return struct.pack("<48s240s240s", b"FakeRefusal", text, hint)


def make_probe():
    blob = struct.pack("<IIIIQ", 2, 16, 0x101F, 0, MEMORY)
    if "no-memory-size" in WORDS:
        blob = struct.pack("<IIIIQ", 2, 16, 0x1000, 0, MEMORY)
    fd = os.memfd_create("probe", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(fd, blob)
    fcntl.fcntl(fd, 1033, 15)   # F_ADD_SEALS, all
    return fd, len(blob)


def litter():
    folder = os.environ["TMPDIR"]
    os.symlink("/etc/passwd", folder + "/link")
    os.mkdir(folder + "/locked")
    open(folder + "/locked/file", "w", encoding="ascii").close()
    os.chmod(folder + "/locked", 0)
    os.chdir(folder)
    for _ in range(300):
        os.mkdir("deep")
        os.chdir("deep")
    open("bottom", "w", encoding="ascii").close()
    os.chdir("/")


def leave_stray():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    os.wait()


def flood():
    """All that the socket takes, and descriptors with it."""
    broker = socket.socket(fileno=os.dup(4))
    broker.setblocking(False)
    try:
        while True:
            socket.send_fds(broker, [b"\0" * 4096], [0, 0, 0])
    except OSError:
        pass


def is_first():
    """Of all that ask, told by the file $FAKE_ONCE."""
    try:
        os.close(os.open(os.environ["FAKE_ONCE"], os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def flags_of(body):
    """Coherent; with SVM where the window can be, from 64 KiB on, once only after the word svm-once."""
    base = struct.unpack_from("<Q", body, 8)[0]
    return 1 if base < 65536 or ("svm-once" in WORDS and not is_first()) else 3


def setup(ident, body):
    if "refuse" in WORDS:
        send(SETUP | REPLY, ident, error(b"the fake host has no device"), status=19)
        return
    if "crash" in WORDS:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "exit" in WORDS:
        sys.exit(3)
    if "hang" in WORDS or ("hang-later" in WORDS and not is_first()):
        time.sleep(1000)
    if "close" in WORDS:
        sock.close()
        time.sleep(1000)
    if "litter" in WORDS:
        litter()
    if "broker-garbage" in WORDS:
        with contextlib.suppress(BrokenPipeError):
            os.write(4, b"\xff" * 4096)
    if "broker-flood" in WORDS:
        flood()
    if "broker-close" in WORDS:
        os.close(4)
    if "stray" in WORDS:
        leave_stray()
    fd, length = make_probe()
    if "no-probe" in WORDS:
        send(SETUP | REPLY, ident, struct.pack("<QQ", 1, length))
    else:
        send(SETUP | REPLY, ident, struct.pack("<QQ", flags_of(body), length), fds=[fd])
    if "garbage" in WORDS:
        sock.send(b"\xff" * 100)
    if "short" in WORDS:
        sock.send(b"abc")
    if "long" in WORDS:
        sock.send(b"\0" * 10000)
    if "unknown" in WORDS:
        send(5 | REPLY, 999)
    if "twice" in WORDS:
        send(SETUP | REPLY, ident, struct.pack("<QQ", 1, length), fds=[fd])
    if "greedy" in WORDS:
        segments["greed"] = b"x" * (96 << 20)
    if "slow" in WORDS:
        time.sleep(1000)


def build(ident):
    if "build-crash" in WORDS:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "build-hang" in WORDS:
        return
    if "build-huge" in WORDS:
        send(BUILD | REPLY, ident, struct.pack("<Q", 1 << 40))
    elif "build-type" in WORDS:
        send(5 | REPLY, ident)
    elif "build-long" in WORDS:
        send(BUILD | REPLY, ident, b"\0" * 64)
    elif "build-refuse" in WORDS:
        send(BUILD | REPLY, ident, error(b"no \x1b[31m compiler\n" + b"x" * 200, b"y" * 240), status=5)
    elif "build-status" in WORDS:
        send(BUILD | REPLY, ident, error(b"no"), status=1 << 31)
    else:
        send(BUILD | REPLY, ident, struct.pack("<Q", 4711))


def handle(data, fds):
    kind, _, ident, _, _ = HEAD.unpack_from(data)
    body = data[HEAD.size:]
    if kind == PREPARE:
        return
    if kind == SETUP:
        setup(ident, body)
    elif kind == MAP:
        offset, size, _, _, _ = struct.unpack("<QQQII", body)
        segments[offset] = mmap.mmap(fds[0], size)
    elif kind == UNMAP:
        offset = struct.unpack_from("<Q", body)[0]
        if "deaf" in WORDS:
            return
        if "keep" not in WORDS:
            segments.pop(offset).close()
        send(UNMAP | REPLY, ident)
    elif kind == BUILD:
        build(ident)
    elif kind == 5 and "context-refuse" in WORDS:
        send(kind | REPLY, ident, error(b"no room for a context"), status=12)
    else:
        send(kind | REPLY, ident, struct.pack("<Q", 8) if kind == 10 else b"")


def main():
    if "speaks-first" in WORDS:
        send(SETUP | REPLY, 1, struct.pack("<QQ", 1, 8))
    while True:
        data, fds, _, _ = socket.recv_fds(sock, 4096, 4)
        if not data:
            return
        handle(data, fds)
        for fd in fds:
            os.close(fd)


main()
