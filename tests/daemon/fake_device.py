#!/usr/bin/python3 -S
# SPDX-License-Identifier: MIT
"""Stands in for tranche-device: speaks include/tranche/wire/control.h, and does wrong on request (--option=mode=MODE).

Modes: ok; fail (says why, ends); die (ends, says nothing); crash (a signal); late (its socket comes after 50 ms);
wrong-uuid, wrong-boot, wrong-ticks, wrong-pid, short-hello, noise (at HELLO); no-hello (never answers);
noise-later (at STATS); stats-short; silent (nothing is answered after CONFIRM); stays (STOP is answered, the process goes on); used (somebody uses it);
no-socket (the lock alone).
"""
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time

REPLY = 0x80000000
HELLO, CONFIRM, STATS, HOLD, RELEASE, STOP, CANCEL, SET, HOLDERS, CHANGED = range(128, 138)
HEAD = struct.Struct("<IIQII")
REFUSE, ASK, FORCE = 0, 1, 2
EBUSY, ECANCELED, EINVAL = 16, 125, 22


def arguments():
    """--start-file FILE, or what --list and --devices are asked with."""
    with open(sys.argv[sys.argv.index("--start-file") + 1], encoding="utf-8") as f:
        lines = f.read().splitlines()
    ret = {"option": {}}
    for line in lines:
        name, _, value = line[2:].partition("=")
        if name == "option":
            key, _, value = value.partition("=")
            ret["option"][key] = value
        else:
            ret[name] = value
    return ret


def start_ticks():
    with open("/proc/self/stat", encoding="utf-8") as f:
        return int(f.read().rsplit(")", 1)[1].split()[19])


class Device:
    def __init__(self):
        self.args = arguments()
        self.mode = self.args["option"].get("mode", "ok")
        self.is_confirmed = self.is_held = False
        self.owner = None
        self.waiting = None  # an ASK: connection, type, id
        self.conns = []
        self.sets = b""

    def say_end(self, name, message, code):
        path = self.args["ended"]
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(json.dumps({"name": name, "message": message, "code": code}) + "\n")
        os.rename(path + ".new", path)

    def end(self, name="Stopped", message="the device was stopped", code=0, status=0):
        self.say_end(name, message, code)
        for path in (self.args["control-socket"], self.args["socket-path"]):
            if os.path.exists(path):
                os.unlink(path)
        os._exit(status)

    def listen(self):
        self.face = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.face.bind(self.args["socket-path"])
        self.face.listen()
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.bind(self.args["control-socket"])
        if self.mode == "late":  # a name at which nobody listens yet
            time.sleep(0.05)
        self.control.listen()

    def start(self):
        if self.mode == "die":
            os._exit(3)
        if self.mode == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        self.lock = os.open(self.args["lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if self.mode == "fail":
            self.say_end("NoCapacity", "there is no memory left for the fake device", -87)
            os._exit(1)
        if self.mode == "no-socket":
            time.sleep(60)
            os._exit(0)
        self.listen()

    # ---------------------------------------------------------------- replies

    def send(self, conn, kind, number, body=b"", status=0):
        body += b"\0" * (-len(body) % 8)
        conn.send(HEAD.pack(kind, HEAD.size + len(body), number, status, 0) + body)

    def refuse(self, conn, kind, number, code, name, text):
        body = struct.pack("<48s240s240s", name.encode(), text.encode(), b"try again")
        self.send(conn, kind | REPLY, number, body, code)

    def hello(self):
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as f:
            boot = bytes.fromhex(f.read().strip().replace("-", ""))
        uuid = bytes.fromhex(self.args["uuid"].replace("-", ""))
        ticks, pid = start_ticks(), os.getpid()
        if self.mode == "wrong-uuid":
            uuid = uuid[::-1]
        if self.mode == "wrong-boot":
            boot = boot[::-1]
        if self.mode == "wrong-ticks":
            ticks += 1
        if self.mode == "wrong-pid":
            pid += 1
        flags = (1 if self.is_confirmed else 0) | (2 if self.is_held else 0)
        return struct.pack("<16s16sQQQIiII32s", uuid, boot, ticks, 1, int(self.args.get("memory", 0)),
                           int(self.args.get("time", 0)), pid, flags, 0, b"0.1.0")

    def stats(self):
        used = 0 if self.mode != "used" else 1
        return struct.pack("<19Q", 5, used, 7, *([0] * 16))

    def leave(self, conn, kind, number, body):
        policy, _ = struct.unpack("<Ii", body[:8])
        if self.mode == "used" and policy == REFUSE:
            self.refuse(conn, kind, number, EBUSY, "InUse", "process 4711 uses it")
            return
        if self.mode == "used" and policy == ASK:
            self.waiting = conn, kind, number
            return
        if kind == HOLD:
            self.is_held = True
        self.send(conn, kind | REPLY, number)
        if kind == STOP and self.mode != "stays":
            self.end()

    def request(self, conn, kind, number, body):
        if kind == HELLO:
            self.owner = self.owner or conn
            if self.mode == "noise":
                conn.send(b"what is that?")
            elif self.mode == "short-hello":
                self.send(conn, kind | REPLY, number, self.hello()[:96])
            elif self.mode != "no-hello":
                self.send(conn, kind | REPLY, number, self.hello())
        elif kind == CONFIRM:
            self.is_confirmed = True
            self.send(conn, kind | REPLY, number)
        elif kind == CANCEL:
            if self.waiting and struct.unpack("<Q", body[:8])[0] == self.waiting[2]:
                waiting, self.waiting = self.waiting, None
                self.refuse(*waiting, ECANCELED, "Cancelled", "it was given up")
        elif self.mode == "silent":
            return
        elif kind == STATS and self.mode == "noise-later":
            conn.send(HEAD.pack(STATS | REPLY, 999, number, 0, 0))
        elif kind == STATS:
            self.send(conn, kind | REPLY, number, self.stats()[:144] if self.mode == "stats-short" else self.stats())
        elif kind in (HOLD, STOP):
            self.leave(conn, kind, number, body)
        elif kind == RELEASE:
            self.is_held = False
            self.send(conn, kind | REPLY, number)
        elif kind == SET:
            memory = struct.unpack("<QII", body[:16])[0]
            if memory == 1:
                self.refuse(conn, kind, number, EBUSY, "InUse", "more than that is in use")
            else:
                self.send(conn, kind | REPLY, number)
                for other in self.conns:
                    self.send(other, CHANGED, 0, self.stats())
        elif kind == HOLDERS:
            names = b"process 4711\0VM web1\0"
            self.send(conn, kind | REPLY, number, struct.pack("<II", 2, 5) + names)
        else:
            self.refuse(conn, kind, number, EINVAL, "BadRequest", f"{kind} is no request")

    # ---------------------------------------------------------------- life

    def lose(self, conn):
        self.conns.remove(conn)
        conn.close()
        if conn is self.owner and not self.is_confirmed:
            self.end("Unconfirmed", "who started it has gone", -125)

    def take(self, conn):
        try:
            packet = conn.recv(4096)
        except OSError:
            packet = b""
        if not packet:
            self.lose(conn)
            return
        kind, _, number, _, _ = HEAD.unpack_from(packet)
        self.request(conn, kind, number, packet[HEAD.size:])

    def run(self):
        signal.signal(signal.SIGTERM, lambda *_: self.end())
        self.start()
        while True:
            for s in select.select([self.control, *self.conns], [], [], 60)[0]:
                if s is self.control:
                    self.conns.append(s.accept()[0])
                elif s in self.conns:
                    self.take(s)


signal.alarm(120)  # whatever a test does, nothing of it is left
Device().run()
