#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The control socket of a device process: each message, its refusals, and who may hold, stop and change what."""
import errno
import os
import random
import signal
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
import control  # noqa: E402
import wire  # noqa: E402
from control import ASK, CONFIRM, CONFIRMED, FORCE, HELD, HOLD, HOLDERS, KEEP, RELEASE, SET, STATS, STOP, Control, managed  # noqa: E402
from wire import MIB, Client, Gone, eventually, expect_gone, expect_refusal, message  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "vfio_user"))


def pci_drivers():
    import subprocess
    listed = subprocess.run([wire.DEVICE, "--list"], capture_output=True, text=True, check=True).stdout
    return [name for name in ("null", "mtty") if f"\n{name} " in listed]


def pci_client(path):
    """A client that has the device open."""
    import socket
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    text = b'{"capabilities":{"max_msg_fds":8}}\0'
    s.send(struct.pack("<HHIII", 1, 1, 16 + 4 + len(text), 0, 0) + struct.pack("<HH", 0, 1) + text)
    head = s.recv(16)
    if len(head) < 16:
        s.close()
        raise ConnectionResetError("the device has hung up")
    flags, error = struct.unpack_from("<II", head, 8)
    if flags & 0x20:
        s.close()
        raise OSError(error, os.strerror(error))
    s.recv(4096)
    return s


def stat_start(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return int(f.read().rpartition(")")[2].split()[19])


def test_hello():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        boot = f.read().strip().replace("-", "")
    for parent in ["compute", *pci_drivers()]:
        with managed(parent, arguments=["--memory", "64M", "--time", "250"] if parent == "compute" else []) as d:
            assert d.hello.uuid == d.uuid.bytes and d.hello.boot_id.hex() == boot and d.hello.pid == d.process.pid
            assert d.hello.start_ticks == stat_start(d.process.pid)
            assert 0 < time.clock_gettime_ns(time.CLOCK_BOOTTIME) - d.hello.started_ns < 30e9
            assert d.hello.flags == 0 and d.hello.version
            if parent == "compute":
                assert d.hello.memory == 64 * MIB and d.hello.time == 250
            again = d.connect().hello()
            assert again.flags == CONFIRMED
            assert os.stat(d.control_path).st_mode & 0o777 == 0o600


def test_unconfirmed_ends_with_its_starter():
    for parent in ["compute", *pci_drivers()]:
        with managed(parent, wait=False) as d:
            eventually(lambda: os.path.exists(d.control_path), "it is ready")
            curious = d.connect()
            curious.stats()                 # is not its owner
            first, second = d.connect(), None
            first.hello()
            second = d.connect()
            second.hello()
            second.close()
            assert first.stats() and d.process.poll() is None
            first.close()
            code, why = d.ended()
            assert code == 0 and why["name"] == "Unconfirmed" and why["code"] == errno.ECANCELED, why
            curious.close()


def test_unconfirmed_ends_when_nobody_asks():
    with managed("null" if pci_drivers() else "compute", wait=False) as d:
        code, why = d.ended(20)
        assert code == 0 and why["name"] == "Unconfirmed" and "nobody" in why["message"], why


def test_confirmed_goes_on():
    with managed() as d:
        d.control.ask(CONFIRM)
        d.control.close()
        time.sleep(0.2)
        assert d.process.poll() is None
        d.control = d.connect()
        assert d.control.hello().flags == CONFIRMED


def test_without_unconfirmed():
    with managed(confirm=False) as d:
        assert d.hello.flags == CONFIRMED
        d.control.close()
        time.sleep(0.1)
        d.control = d.connect()
        assert d.control.hello().flags == CONFIRMED


def test_stats():
    with managed(arguments=["--memory", "64M"]) as d:
        s = d.control.stats()
        assert s["quota"] == 64 * MIB and s["sessions_now"] == s["sessions"] == s["used"] == 0 and s["uptime_ns"] > 0
        c = d.session()
        c.grab(0, MIB)
        s = d.control.stats()
        assert s["sessions_now"] == s["sessions"] == 1 and s["used"] == s["peak"] == s["granted"] == MIB and s["executors_now"] == 1
        expect_refusal(lambda: c.grab(MIB, 65 * MIB), errno.ENOSPC)
        assert d.control.stats()["refused"] == 1
        c.close()
        eventually(lambda: d.control.stats()["sessions_now"] == 0, "the session is gone")
        s = d.control.stats()
        assert s["used"] == 0 and s["peak"] == MIB and s["executors_now"] == 0 and s["cpu_ns"] > 0


def test_stats_of_pci():
    for parent in pci_drivers():
        with managed(parent) as d:
            s = pci_client(d.path)
            assert d.control.stats()["sessions"] == d.control.stats()["sessions_now"] == 1
            s.send(struct.pack("<HHIII", 2, 9, 32, 0, 0) + struct.pack("<QII", 0, 7, 4))
            s.recv(100)
            assert d.control.stats()["commands"] == 1
            s.close()
            eventually(lambda: d.control.stats()["sessions_now"] == 0, "it is gone")
            assert d.control.stats()["commands"] == 1 and d.control.stats()["sessions"] == 1


def test_holders():
    with managed() as d:
        assert d.control.holders() == ([], 0)
        d.session()
        (name,), total = d.control.holders()
        assert total == 1 and name.startswith(f"process {os.getpid()} ("), name
        clients = [Client(d.path).hello() for _ in range(200)]
        eventually(lambda: d.control.holders()[1] == 201, "all are counted")
        names, _ = d.control.holders()
        assert 50 < len(names) < 201, "cut to what fits"
        for c in clients:
            c.close()
    for parent in pci_drivers():
        with managed(parent) as d:
            s = pci_client(d.path)
            (name,), _ = d.control.holders()
            assert f"process {os.getpid()}" in name and "vfio-user" in name
            s.close()


def users(d, parent):
    """A use, as something to close."""
    return d.session() if parent == "compute" else pci_client(d.path)


def is_refused(d, parent):
    try:
        c = Client(d.path).hello() if parent == "compute" else pci_client(d.path)
    except (OSError, Gone):
        return True
    c.close()
    return False


def test_c6_hold():
    for parent in ["compute", *pci_drivers()]:
        with managed(parent) as d:
            user = users(d, parent)
            refused = expect_refusal(lambda: d.control.hold(), errno.EBUSY, "InUse")
            assert f"process {os.getpid()}" in refused.text
            user.close()
            eventually(lambda: d.control.stats()["sessions_now"] == 0, "it is unused")
            d.control.hold()
            assert d.control.hello().flags & HELD
            assert is_refused(d, parent)
            other = d.connect()
            expect_refusal(lambda: other.hold(), errno.EALREADY)
            expect_refusal(lambda: other.ask(RELEASE), errno.EBUSY)
            d.control.ask(RELEASE)
            d.control.ask(RELEASE)
            assert not d.control.hello().flags & HELD and not is_refused(d, parent)
            eventually(lambda: d.control.stats()["sessions_now"] == 0, "it is unused")
            other.hold()
            assert is_refused(d, parent)
            other.close()           # a hold lasts as long as its connection
            eventually(lambda: not is_refused(d, parent), "people are let in again")


def test_c6_ask():
    for parent in ["compute", *pci_drivers()]:
        with managed(parent) as d:
            user = users(d, parent)
            start = time.monotonic()
            refused = expect_refusal(lambda: d.control.hold(ASK, 300), errno.ETIMEDOUT)
            assert 0.25 < time.monotonic() - start < 10 and f"process {os.getpid()}" in refused.text
            expect_refusal(lambda: d.control.stop(ASK, 0), errno.ETIMEDOUT)
            assert not d.control.hello().flags & HELD
            ident = d.control.leave(HOLD, ASK, -1)
            assert d.control.is_silent() and d.control.hello().flags & HELD
            assert is_refused(d, parent)
            expect_refusal(lambda: d.connect().stop(), errno.EALREADY)
            expect_refusal(lambda: d.control.hold(ASK), errno.EALREADY)
            d.control.cancel(ident + 17)
            assert d.control.is_silent()
            d.control.cancel(ident)
            expect_refusal(lambda: d.control.wait(ident), errno.ECANCELED)
            ident = d.control.leave(HOLD, ASK, 60000)
            assert d.control.is_silent()
            user.close()
            d.control.wait(ident)
            assert is_refused(d, parent)
            d.control.ask(RELEASE)
            assert not is_refused(d, parent)


def test_c6_force():
    for parent in ["compute", *pci_drivers()]:
        with managed(parent) as d:
            user = users(d, parent)
            d.control.hold(FORCE)
            assert d.control.stats()["sessions_now"] == 0
            if parent == "compute":
                assert "taken away" in expect_gone(user)
            else:
                assert user.recv(100) == b""
            assert is_refused(d, parent)
            d.control.ask(RELEASE)
            users(d, parent).close()


def test_who_waits_and_leaves_has_given_up():
    with managed() as d:
        user = d.session()
        other = d.connect()
        other.leave(HOLD, ASK, -1)
        eventually(lambda: d.control.hello().flags & HELD, "it waits")
        other.close()
        eventually(lambda: not d.control.hello().flags & HELD, "it has given up")
        other = d.connect()
        other.leave(STOP, ASK, -1)
        eventually(lambda: d.control.hello().flags & control.STOPPING, "it waits")
        other.close()
        eventually(lambda: not d.control.hello().flags & control.STOPPING, "it has given up")
        user.grab(0, MIB)


def test_c6_stop():
    for parent in ["compute", *pci_drivers()]:
        for policy in (control.REFUSE, ASK, FORCE):
            with managed(parent) as d:
                user = users(d, parent)
                if policy == control.REFUSE:
                    expect_refusal(lambda: d.control.stop(), errno.EBUSY, "InUse")
                if policy == ASK:
                    ident = d.control.leave(STOP, ASK, 60000)
                    assert d.control.is_silent() and d.control.hello().flags & control.STOPPING
                if policy != FORCE:
                    user.close()
                if policy == control.REFUSE:
                    eventually(lambda: d.control.stats()["sessions_now"] == 0, "it is unused")
                if policy == ASK:
                    d.control.wait(ident)
                else:
                    d.control.stop(policy)
                assert not os.path.exists(d.path), "it is gone for everybody"
                code, why = d.ended()
                assert code == 0 and why["name"] == "Stopped" and why["code"] == 0, why
                user.close()


def test_stop_of_one_that_is_held():
    with managed() as d:
        d.control.hold()
        d.connect().stop()
        assert d.ended()[1]["name"] == "Stopped"


def test_stop_goes_on_without_who_asked():
    with managed() as d:
        d.session()
        other = d.connect()
        other.leave(STOP, FORCE)
        other.close()
        assert d.ended()[1]["name"] == "Stopped"


def test_set_memory():
    with managed(arguments=["--memory", "64M"]) as d:
        c = d.session()
        c.grab(0, 32 * MIB)
        refused = expect_refusal(lambda: d.control.set(16 * MIB), errno.EBUSY, "MemoryInUse")
        assert "32" in refused.text and "16" in refused.text and d.control.stats()["quota"] == 64 * MIB
        d.control.set(32 * MIB)
        assert d.control.stats()["quota"] == 32 * MIB and d.control.hello().memory == 32 * MIB
        expect_refusal(lambda: c.grab(64 * MIB, MIB), errno.ENOSPC)
        assert c.quota == 64 * MIB and c.memory()[0] == 32 * MIB
        assert Client(d.path).start().quota == 32 * MIB
        d.control.set(128 * MIB, 500)
        c.grab(64 * MIB, 90 * MIB)
        h = d.control.hello()
        assert h.memory == 128 * MIB and h.time == 500
        d.control.set(0, 0)
        assert d.control.hello().memory == 128 * MIB and d.control.hello().time == 0


def test_set_refused():
    with managed(arguments=["--memory", "64M"]) as d:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        expect_refusal(lambda: d.control.set(total + MIB), errno.EUSERS, "NoCapacity")
        expect_refusal(lambda: d.control.set(0, 1001), errno.EINVAL)
        expect_refusal(lambda: d.control.ask(SET, struct.pack("<QII", 0, KEEP, 1)), errno.EINVAL)
        d.session()
        if total > 5 << 30:
            refused = expect_refusal(lambda: d.control.set(9 << 29), errno.ERANGE, "MoreThanHost")  # the fake one has 4 GiB
            assert "4.5" in refused.text
        h = d.control.hello()
        assert h.memory == 64 * MIB and h.time == 0
    for parent in pci_drivers():
        with managed(parent) as d:
            expect_refusal(lambda: d.control.set(MIB), errno.EINVAL)
            expect_refusal(lambda: d.control.set(0, 10), errno.EINVAL)
            d.control.set()


def test_set_takes_part_of_all():
    """A device that has all of its host device's memory gets a quota."""
    with managed() as d:
        assert d.hello.memory == 0
        c = d.session()
        assert c.quota == min(1 << 32, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        d.control.set(MIB)
        expect_refusal(lambda: c.grab(0, 2 * MIB), errno.ENOSPC)
        assert d.control.stats()["quota"] == MIB


def test_memory_behind():
    """What executors take beside buffers is measured, and bounded."""
    with managed(fake="greedy", arguments=["--memory", "64M"]) as d:
        c = d.session()
        c.grab(0, 32 * MIB)
        # What is measured first may be what it had before it was greedy.
        eventually(lambda: d.control.stats()["behind"] > 96 * MIB, "all of it is measured", within=20)
        behind = d.control.stats()["behind"]
        assert behind < 200 * MIB, behind
        c.close()
        eventually(lambda: d.control.stats()["behind"] == 0, "nothing is left", within=20)
    with managed(fake="greedy", arguments=["--memory", "64M", "--behind", "64M"]) as d:
        said = expect_gone(d.session())
        assert "beside its buffers" in said and "64" in said, said
        assert d.control.stats()["executors_lost"] == 1
    with managed(fake="greedy", arguments=["--memory", "64M", "--behind", "none"]) as d:
        c = d.session()
        eventually(lambda: d.control.stats()["behind"] > 96 * MIB, "all of it is measured", within=20)
        assert c.memory()


def test_changed():
    with managed() as d:
        silent = d.connect()        # has not said HELLO
        silent.stats()
        assert d.control.is_silent() and not d.control.changes
        for _ in range(20):
            clients = [Client(d.path).hello() for _ in range(5)]
            for c in clients:
                c.close()
        d.session()
        eventually(lambda: d.control.stats()["sessions_now"] == 1, "one is left")
        changes = d.control.changes
        eventually(lambda: d.control.is_silent(0.5) and changes and changes[-1]["sessions_now"] == 1, "the last one is how it is",
                   within=20)
        times = [c["uptime_ns"] for c in changes]
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert all(gap > 95e6 for gap in gaps), gaps
        assert silent.is_silent() and not silent.changes


def test_hostile():
    """Nothing of this is anybody else's concern."""
    with managed() as d:
        c = d.connect()
        for body, status in (((SET, b""), errno.EINVAL), ((HOLD, b"12345678" * 2), errno.EINVAL), ((STATS, b"x" * 8), errno.EINVAL),
                             ((HOLD, struct.pack("<Ii", 3, 0)), errno.EINVAL), ((999, b""), errno.EOPNOTSUPP),
                             ((137, b""), errno.EOPNOTSUPP),
                             ((0, b""), errno.EOPNOTSUPP), ((127, b""), errno.EOPNOTSUPP), ((0x7FFFFFFF, b""), errno.EOPNOTSUPP)):
            expect_refusal(lambda body=body: c.ask(*body), status)
        expect_refusal(lambda: c.ask(STATS, ident=0), errno.EINVAL)
        expect_refusal(lambda: c.ask(STATS, status=1), errno.EINVAL)
        expect_refusal(lambda: c.ask(STATS, flags=1), errno.EINVAL)
        for packet in (b"x", b"\0" * 23, b"\xff" * 24, b"\xff" * 5000, message(STATS, 1, length=32), message(STATS, 1, b"", length=0)):
            c.send_raw(packet)
            reply = c.receive()
            assert isinstance(reply[2], wire.Refused) and reply[2].status in (errno.EBADMSG,), (packet[:24], reply)
        c.cancel(1)
        c.cancel(0)
        assert c.stats() and d.control.stats()


def test_random_packets():
    seed = int(os.environ.get("TRANCHE_TEST_SEED", random.getrandbits(32)))
    print(f"# TRANCHE_TEST_SEED={seed}")
    rnd = random.Random(seed)
    with managed() as d:
        c = d.connect()
        for _ in range(500):
            kind = rnd.choice([*range(126, 140), rnd.getrandbits(32)])
            if kind in (STOP, CONFIRM):
                continue
            body = rnd.randbytes(rnd.choice([0, 8, 16, 24, rnd.randrange(4072)]))
            c.sock.send(message(kind, rnd.getrandbits(16), body, status=rnd.choice([0, 0, 1]), flags=rnd.choice([0, 0, 7])))
            if rnd.random() < 0.1:
                c.close()
                c = d.connect()
            elif c.is_silent(0):
                continue
            while c.early:
                c.early.pop()
        c.close()
        eventually(lambda: not d.control.hello().flags & HELD, "nothing is held")
        assert d.control.stats()


def test_flood():
    """A peer that never reads is disconnected; the others are answered."""
    with managed() as d:
        flood = d.connect()
        flood.sock.settimeout(20)
        try:
            for _ in range(100000):
                flood.send(STATS)
        except (OSError, TimeoutError):
            pass
        wire.one_of_several(lambda: wire.is_quick(d.control.stats, 2), "the others are answered within two seconds")
        flood.close()


def test_hundred_connections():
    with managed() as d:
        many = [d.connect() for _ in range(100)]
        for c in many:
            c.hello()
        session = d.session()
        for c in many:
            assert c.stats()["sessions_now"] == 1
        session.close()
        for c in many:
            eventually(lambda c=c: c.stats()["sessions_now"] == 0 and c.changes, "it hears of it")
        more = [d.connect() for _ in range(160)]
        expect = 0
        for c in more:
            try:
                c.stats()
            except (Gone, OSError):
                expect += 1
        assert expect == 5, "256 are let in"
        for c in many + more:
            c.close()
        eventually(lambda: d.control.stats(), "the others are well")
        d.connect().hello()


def test_hold_races_with_clients():
    """Either the client was first and the hold is refused, or the hold was first and the client is."""
    for parent in ["compute", *pci_drivers()[:1]]:
        with managed(parent) as d:
            results = []

            def come(parent=parent, d=d, results=results):
                try:
                    c = Client(d.path).hello() if parent == "compute" else pci_client(d.path)
                    results.append("in")
                    c.close()
                except (OSError, Gone):
                    results.append("out")

            for i in range(40):
                results.clear()
                thread = threading.Thread(target=come)
                thread.start()
                time.sleep(random.random() * 0.002)
                try:
                    d.control.hold()
                    held = True
                except wire.Refused as refused:
                    assert refused.status == errno.EBUSY
                    held = False
                thread.join()
                if held:
                    assert d.control.stats()["sessions_now"] == 0 or parent != "compute", "nobody is in while it is held"
                    d.control.ask(RELEASE)
                eventually(lambda: d.control.stats()["sessions_now"] == 0, "nobody is in")
                assert len(results) == 1, i


def test_signal_while_somebody_waits():
    with managed() as d:
        d.session()
        ident = d.control.leave(HOLD, ASK, -1)
        assert d.control.is_silent()
        d.process.send_signal(signal.SIGTERM)
        try:
            d.control.wait(ident)
        except (wire.Refused, Gone, OSError):
            pass
        code, why = d.ended()
        assert code == 0 and why["name"] == "Signal" and "SIGTERM" in why["message"], why


if __name__ == "__main__":
    wire.main()
