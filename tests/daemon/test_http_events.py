#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The event stream: order, resuming, signs of life, and listeners that do not read."""
import json
import os
import time

from http_fake import UUID, Fake
from tap import eventually, main


class Listener:
    def __init__(self, fake, since=None, path="/v1/events", timeout=10):
        self.socket = fake.raw(timeout)
        extra = f"Last-Event-ID: {since}\r\n" if since is not None else ""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.data += self.socket.recv(1)
        self.head, self.data = self.data.decode(), b""
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read_text(self):
        """What came next, out of its chunk."""
        while True:
            head, sep, rest = self.data.partition(b"\r\n")
            if sep and len(rest) >= int(head, 16) + 2:
                size = int(head, 16)
                self.data = rest[size + 2:]
                return rest[:size]
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.data += piece

    def next(self):
        """The next event as (id, kind, object); or a comment as (None, None, text)."""
        while b"\n\n" not in self.text:
            self.text += self.read_text()
        block, _, self.text = self.text.partition(b"\n\n")
        fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
        if "data" not in fields:
            return None, None, block.decode()
        return int(fields["id"]), fields["event"], json.loads(fields["data"])

    def next_event(self):
        while True:
            event = self.next()
            if event[1]:
                return event


def tell(f, nr):
    assert f.ask("POST", "/v1/definitions", {"vm": str(nr)})[0] == 201


def test_events_in_order():
    with Fake() as f, Listener(f) as one, Listener(f) as two:
        assert "Content-Type: text/event-stream" in one.head, one.head
        ids = {one: [], two: []}
        for _ in range(3):  # More than are kept, to listeners that read.
            tell(f, 500)
            for listener in (one, two):
                for _ in range(500):
                    number, kind, what = listener.next_event()
                    assert kind == "definition-changed" and what["uuid"] == UUID
                    ids[listener].append(number)
        f.ask("PATCH", f"/v1/devices/{UUID}", {"time": 5})
        for listener in (one, two):
            assert ids[listener] == list(range(ids[one][0], ids[one][0] + 1500))
            number, kind, what = listener.next_event()
            assert (number, kind) == (ids[one][-1] + 1, "device-changed") and what == f.ask("GET", f"/v1/devices/{UUID}")[2]


def test_resume():
    """From where the client was; from the beginning; and when that is not known any more, everything is to be looked at again."""
    with Fake() as f:
        tell(f, 10)
        with Listener(f, path="/v1/events?since=0") as listener:
            ids = [listener.next_event()[0] for _ in range(10)]
        for since, path in [(ids[3], "/v1/events"), (None, f"/v1/events?since={ids[3]}"), (ids[3], "/v1/events?since=1")]:
            with Listener(f, since, path) as listener:
                assert [listener.next_event()[0] for _ in range(6)] == ids[4:]
        with Listener(f, ids[9]) as listener:
            tell(f, 1)
            assert listener.next_event()[0] == ids[9] + 1
        for unknown in (5, ids[9] + 1000):  # Of another run.
            with Listener(f, unknown) as listener:
                assert listener.next_event()[1:] == ("reset", {})
                assert listener.next_event()[0] == ids[0]
        tell(f, 1100)
        with Listener(f, ids[3]) as listener:
            number, kind, _ = listener.next_event()
            assert kind == "reset"
            first = listener.next_event()[0]
            assert first == number + 1 == ids[0] + 10 + 1 + 1100 - 1024
        for bad in ("x", "-1", "1x", "99999999999999999999999"):
            assert f.ask("GET", f"/v1/events?since={bad}")[0] == 400, bad
        last = first + 1023
    with Fake() as f:  # Numbers grow over restarts.
        tell(f, 1)
        with Listener(f, last) as listener:
            assert listener.next_event()[1] == "reset"
            assert listener.next_event()[0] > last


def test_keep_alive():
    start = time.monotonic()
    with Fake("--keep-alive-ms", "300") as f, Listener(f, timeout=40) as listener:
        assert "events of tranched" in listener.next()[2]
        assert [listener.next() for _ in range(3)] == [(None, None, ":")] * 3
        assert 0.5 < time.monotonic() - start < 30, "a sign every 300 ms, not every 15 s"


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def test_slow_readers():
    """Those who do not read cost no memory, are dropped, and hold nobody up."""
    with Fake() as f:
        sleepers = [Listener(f) for _ in range(50)]
        with Listener(f) as reader:
            tell(f, 1000)
            for _ in range(1000):
                reader.next_event()
            before = resident(f.process.pid)
            for _ in range(20):
                tell(f, 1000)
                for _ in range(1000):
                    reader.next_event()
            # A sanitizer keeps what was freed.
            assert "ASAN_OPTIONS" in os.environ or resident(f.process.pid) - before < 4 << 20, "memory grows with listeners that do not read"
        eventually(lambda: b"tranche_http_listeners 0\n" in f.ask("GET", "/metrics")[2], "nobody listens any more", within=20)
        for s in sleepers:
            s.socket.close()


def test_stuck_reader():
    """Also when little happens: who takes nothing for four signs of life has gone."""
    with Fake("--keep-alive-ms", "200") as f, Listener(f):
        tell(f, 1000)
        eventually(lambda: b"tranche_http_listeners 0\n" in f.ask("GET", "/metrics")[2], "it is dropped", within=20)


def test_listener_gone():
    """Noticed at once, without an event."""
    with Fake() as f:
        with Listener(f):
            assert b"tranche_http_listeners 1\n" in f.ask("GET", "/metrics")[2]
        eventually(lambda: b"tranche_http_listeners 0\n" in f.ask("GET", "/metrics")[2], "it has gone", within=10)
        assert len(os.listdir(f"/proc/{f.process.pid}/fd")) < 30


if __name__ == "__main__":
    main()
