#!/usr/bin/python3 -S
# SPDX-License-Identifier: MIT
"""Stands in for a tranche-parent that listens: MANAGE, SCHEDULE, ACCOUNTS, QUIT. Its --store says what goes wrong: "busy", "noise"."""
import fcntl
import os
import select
import signal
import socket
import struct
import sys

REPLY = 0x80000000
MANAGE, SCHEDULE, ACCOUNTS, QUIT = 102, 103, 104, 105
HEAD = struct.Struct("<IIQII")


class Parent:
    def __init__(self):
        with open(sys.argv[sys.argv.index("--start-file") + 1], encoding="utf-8") as f:
            self.args = dict(line[2:].split("=", 1) for line in f.read().splitlines())
        self.store = self.args.get("store", "")
        self.policy, self.slice_us = 0, 5000
        self.conns = []

    def send(self, conn, kind, number, body=b"", status=0):
        conn.send(HEAD.pack(kind | REPLY, HEAD.size + len(body), number, status, 0) + body)

    def info(self):
        return struct.pack("<IIiIIIQQQQ", self.policy, self.slice_us, os.getpid(), 1 if self.store == "busy" else 0, 0, 0,
                           int(self.args["memory"]), 0, 0, 0)

    def request(self, conn, kind, number, body):
        if kind == MANAGE:
            self.send(conn, kind, number, self.info())
        elif kind == SCHEDULE:
            policy, slice_us = struct.unpack("<II", body)
            if policy > 2:
                self.send(conn, kind, number, struct.pack("<48s240s240s", b"BadPolicy", b"there is no such policy", b""), 22)
                return
            self.policy, self.slice_us = policy, slice_us or self.slice_us
            self.send(conn, kind, number, self.info())
        elif kind == ACCOUNTS:
            nr = 3 if self.store == "noise" else 2
            body = struct.pack("<IIQQ", nr, 0, 99, 2001)
            for i in range(2):
                body += struct.pack("<16sQQQQQQQIIII", bytes([i] * 16), 1000 + i, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)
            self.send(conn, kind, number, body)
        elif kind == QUIT and self.store == "busy":
            self.send(conn, kind, number, struct.pack("<48s240s240s", b"InUse", b"a device has joined", b""), 16)
        elif kind == QUIT:
            self.send(conn, kind, number)
            os.unlink(self.args["listen"])
            os._exit(0)

    def run(self):
        lock = os.open(self.args["lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.args["listen"])
        listener.listen()
        while True:
            for s in select.select([listener, *self.conns], [], [], 60)[0]:
                if s is listener:
                    self.conns.append(s.accept()[0])
                    continue
                packet = s.recv(4096)
                if not packet:
                    self.conns.remove(s)
                    continue
                kind, _, number, _, _ = HEAD.unpack_from(packet)
                self.request(s, kind, number, packet[HEAD.size:])


signal.alarm(120)  # whatever a test does, nothing of it is left
Parent().run()
