#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""SESSION_CREATE: its checks, the probe blob, the executor that it starts, and the end of a session."""
import errno
import fcntl
import os
import signal
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import SESSION_CREATE, device, eventually, expect_gone, expect_refusal  # noqa: E402


def test_answer():
    with device(memory="64M") as d:
        c = d.start()
        assert c.number == 1 and c.quota == 64 << 20 and c.service == wire.SERVICE_ALLOWANCE and c.flags == 1
        assert struct.unpack("<IIIIQ", c.probe)[2] == 0x101F
        assert len(d.executors()) == 1
        assert len(os.listdir(d.run_dir)) == 1
        assert os.stat(os.path.join(d.run_dir, os.listdir(d.run_dir)[0])).st_mode & 0o777 == 0o700


def test_probe_is_sealed():
    with device() as d:
        c = d.connect().hello()
        fd = c.ask(SESSION_CREATE, c.create_body()).fds[0]
        assert fcntl.fcntl(fd, 1034) & 15 == 15
        try:
            os.write(fd, b"x")
        except PermissionError:
            return
        raise AssertionError("the probe can be written")


def test_bad_requests():
    with device() as d:
        c = d.connect().hello()
        bad = [dict(version=0), dict(version=2), dict(reserved=1), dict(features=1 << 63), dict(features=1),
               dict(base=1), dict(cwd=b"x" * 1024)]
        for wrong in bad:
            refused = expect_refusal(lambda wrong=wrong: c.ask(SESSION_CREATE, c.create_body(**wrong)),
                                     errno.EPROTO if "version" in wrong else errno.EINVAL)
            assert refused.text
        assert not d.executors()
        assert c.ask(SESSION_CREATE, c.create_body())


def session(client, features=0, base=0):
    """The flags of the session that is made."""
    reply = client.hello().ask(SESSION_CREATE, client.create_body(features=features, base=base))
    os.close(reply.fds[0])
    return struct.unpack("<6Q", reply.body)[3]


def test_shared_window():
    with device() as d:
        place = 0x200000000000
        assert session(d.connect()) & 2 == 0, "it was not picked"
        assert session(d.connect(), base=place) & 2 == 0, "it was not picked"
        assert session(d.connect(), 1, place) & 2
        first = d.connect()
        assert session(first, 1, place) & 2, "each executor has its own addresses"
        assert first.features == 1
        assert session(d.connect(), 1, 0x1000) & 2 == 0, "no process has that address"
        for wrong in (0, 0x1001, (1 << 64) - 4096):
            c = d.connect().hello()
            expect_refusal(lambda c=c, wrong=wrong: c.ask(SESSION_CREATE, c.create_body(features=1, base=wrong)),
                           errno.EINVAL)


def test_promised_window():
    """The second session was told that its window stands where it wants it; its executor cannot keep that."""
    with tempfile.TemporaryDirectory() as folder, \
            device(fake="svm-once", env={"FAKE_ONCE": os.path.join(folder, "once")}) as d:
        place = 0x200000000000
        assert session(d.connect(), 1, place) & 2
        low = d.connect()
        assert session(low, 1, 0x100000) & 2 == 0, "where libraries may be the executor is asked first"
        second = d.connect()
        assert session(second, 1, place) & 2
        expect_gone(second)


def test_only_once():
    with device() as d:
        c = d.start()
        expect_refusal(lambda: c.ask(SESSION_CREATE, c.create_body()), errno.EPROTO)
        assert len(d.executors()) == 1


def test_second_session_is_answered_at_once():
    """The first executor's record serves all: the second one may be as slow as it likes."""
    with tempfile.TemporaryDirectory() as folder, \
            device(fake="hang-later", env={"FAKE_ONCE": os.path.join(folder, "once")}) as d:
        d.start()
        second = d.start()
        assert second.number == 2
        eventually(lambda: len(d.executors()) == 2, "each session has its executor")


def test_disconnect_kills_the_executor():
    with device() as d:
        for _ in range(3):
            d.start().close()
            d.expect_clean()


def test_disconnect_while_starting():
    with device(fake="hang") as d:
        c = d.connect().hello()
        c.send(SESSION_CREATE, c.create_body())
        eventually(d.executors, "the executor starts")
        c.close()
        d.expect_clean()


def test_wrong_while_starting():
    with device(fake="hang") as d:
        c = d.connect().hello()
        c.send(SESSION_CREATE, c.create_body())
        expect_refusal(c.memory, errno.EPROTO)
        expect_refusal(lambda: c.ask(SESSION_CREATE, c.create_body()), errno.EPROTO)


def test_many():
    with device() as d:
        clients = [d.start() for _ in range(8)]
        assert len({c.number for c in clients}) == 8
        eventually(lambda: len(d.executors()) == 8, "eight executors")
        assert d.stats()["sessions"] == 8


def test_too_many():
    with device() as d:
        clients = [d.connect().hello() for _ in range(256)]
        assert "256 sessions" in expect_gone(d.connect())
        clients.pop().close()
        eventually(lambda: wire.is_let_in(d), "there is room again")


def test_quota_of_the_host_device():
    """Without --memory the quota is what the host's device has, at most what the machine has."""
    with device(memory=None) as d:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        assert d.start().quota == min(1 << 32, total)


def test_more_than_the_host_device():
    if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < 5 << 30:
        return
    with device(memory="4.5G") as d:
        c = d.connect().hello()
        refused = expect_refusal(lambda: c.ask(SESSION_CREATE, c.create_body()), errno.ERANGE, "MoreThanHost")
        assert "4.50 GiB" in refused.text or "4.5 GiB" in refused.text, refused.text


def test_no_memory_size():
    with device(memory=None, fake="no-memory-size") as d:
        c = d.connect().hello()
        expect_refusal(lambda: c.ask(SESSION_CREATE, c.create_body()), errno.EPROTO)


def test_litter_is_removed():
    with device(fake="litter") as d:
        d.start().close()
        d.expect_clean()
        assert os.path.exists("/etc/passwd")


def test_stray_is_killed():
    """A process that an executor left in a session of its own does not outlive it."""
    with device(fake="stray") as d:
        c = d.start()
        eventually(lambda: len(d.executors()) == 2, "the stray is ours")
        c.close()
        d.expect_clean()


def test_environment():
    with device(env={"TRANCHE_DEVICE": "x", "POCL_CACHE_DIR": "/y", "OCL_ICD_VENDORS": "/z"}) as d:
        d.start()
        pid = d.executors()[0]
        with open(f"/proc/{pid}/environ", "rb") as f:
            env = dict(item.split(b"=", 1) for item in f.read().split(b"\0") if item)
        folder = os.path.join(d.run_dir, os.listdir(d.run_dir)[0]).encode()
        assert env[b"TRANCHE_EXECUTOR"] == b"1" and b"TRANCHE_DEVICE" not in env
        assert env[b"POCL_CACHE_DIR"] == env[b"TMPDIR"] == env[b"XDG_CACHE_HOME"] == folder
        assert env[b"OCL_ICD_VENDORS"] == b"/z"
        files = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert all(fd <= 3 or "memfd:probe" in link for fd, link in files.items()), files
        assert os.getpgid(pid) == pid


def test_missing_executor():
    with device(executor="/nonexistent/executor") as d:
        c = d.connect().hello()
        refused = expect_refusal(lambda: c.ask(SESSION_CREATE, c.create_body()), errno.ENOENT, "NoExecutor")
        assert "/nonexistent/executor" in refused.text
        d.expect_clean()


def test_terminated():
    """SIGTERM: every session is told, and all ends in order."""
    with device() as d:
        clients = [d.start() for _ in range(3)]
        channel = clients[0].context()
        d.process.send_signal(signal.SIGTERM)
        for c in clients:
            assert "being stopped" in expect_gone(c)
        assert struct.unpack_from("<I", channel, 4096 + 64)[0] == 3
        d.process.wait(20)


if __name__ == "__main__":
    wire.main()
