# SPDX-License-Identifier: MIT
"""A tranche-parent in a thread, which answers as the test says: for what the real one never does, or not at that moment."""
import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
from wire import FAKE, HEAD, REPLY, message  # noqa: E402

START, COUNTS, JOIN, ENDED, UPDATE, PROBE = range(96, 102)


def refusal(text, hint="do it better"):
    return struct.pack("<48s240s240s", b"FakeRefusal", text.encode(), hint.encode())


class FakeParent:
    """Answers are values of {answers}, by type: an errno to refuse with, None for silence, bytes to send instead, or a function."""

    def __init__(self, path, answers=None, probe=None):
        self.path, self.answers, self.probe = path, answers or {}, probe
        self.seen, self.children, self.conns = [], {}, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.conns.append(sock)
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError):
            while True:
                data, fds, _, _ = socket.recv_fds(sock, 1 << 18, 4)
                if not data:
                    return
                self.handle(sock, data, fds)
                for fd in fds:
                    os.close(fd)

    def handle(self, sock, data, fds):
        kind, _, ident, _, _ = HEAD.unpack_from(data)
        body = data[HEAD.size:]
        self.seen.append((kind, body))
        answer = self.answers.get(kind, 0)
        if callable(answer):
            answer(self, sock, ident, body)
        elif answer is None:
            return
        elif isinstance(answer, bytes):
            sock.send(answer)
        elif answer:
            sock.send(message(kind | REPLY, ident, refusal("the fake one says no"), status=answer))
        elif kind == JOIN and self.probe is not None:
            socket.send_fds(sock, [message(kind | REPLY, ident, struct.pack("<QQ", os.fstat(self.probe).st_size, 1))], [self.probe])
        elif kind == JOIN:
            sock.send(message(kind | REPLY, ident, struct.pack("<QQ", 0, 0)))
        elif kind == START:
            self.start(sock, ident, body, fds)
        elif kind == UPDATE:
            sock.send(message(kind | REPLY, ident))

    def start(self, sock, ident, body, fds):
        nr, length = struct.unpack_from("<II", body)
        env = dict(item.split(b"=", 1) for item in body[8:8 + length].split(b"\0")[:nr])
        command = f"exec /usr/bin/python3 -IS {FAKE} 3<&{fds[0]} {fds[0]}<&-" if fds[0] != 3 else f"exec /usr/bin/python3 -IS {FAKE}"
        child = subprocess.Popen(["/bin/bash", "-c", command], env=env, pass_fds=[fds[0]], stdin=subprocess.DEVNULL, process_group=0)
        self.children[ident] = child
        pidfd = os.pidfd_open(child.pid)
        socket.send_fds(sock, [message(START | REPLY, ident, struct.pack("<iI", child.pid, 0))], [pidfd])
        os.close(pidfd)
        threading.Thread(target=self.reap, args=(sock, ident, child), daemon=True).start()

    def reap(self, sock, ident, child):
        code = child.wait()
        how = (2, -code) if code < 0 else (1, code)
        with contextlib.suppress(OSError):
            sock.send(message(ENDED, ident, struct.pack("<iiiIQ", child.pid, *how, 0, 5000000)))

    def bodies(self, kind):
        return [body for k, body in self.seen if k == kind]

    def hang_up(self):
        for sock in self.conns:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.conns.clear()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.hang_up()
        for child in self.children.values():
            child.kill()
