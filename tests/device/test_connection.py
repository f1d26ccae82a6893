#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The connection itself: floods, garbage, clients that do not read, control socket, command line."""
import errno
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402
from wire import DEVICE, MEMORY_QUERY, MIB, SEGMENT_CREATE, device, eventually, expect_gone, expect_refusal, message, segment_body  # noqa: E402


def test_client_that_does_not_read():
    """Ended when its unread replies pass the limit; nobody else notices."""
    with device() as d:
        c, other = d.start(), d.start()
        c.sock.settimeout(20)
        packet = message(MEMORY_QUERY, 1)
        try:
            for _ in range(2000000):
                c.send_raw(packet)
        except (BrokenPipeError, ConnectionResetError, TimeoutError) as error:
            assert not isinstance(error, TimeoutError), "not ended"
        wire.one_of_several(lambda: wire.is_quick(other.memory, 1), "the other one is answered within a second")
        assert "does not read" in d.said()


def test_flood_does_not_starve_others():
    with device() as d:
        c, other = d.start(), d.start()
        wire.one_of_several(lambda: slowest_beside_a_flood(c, other) < 0.5, "no answer of 50 takes half a second", tries=6)


def slowest_beside_a_flood(c, other):
    pid = os.fork()
    if pid == 0:
        try:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                if select.select([c.sock], [], [], 0)[0]:
                    c.sock.recv(4096)
                else:
                    c.send_raw(message(MEMORY_QUERY, 1))
        finally:
            os._exit(0)
    slowest = 0
    for _ in range(50):
        start = time.monotonic()
        other.memory()
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.01)
    os.waitpid(pid, 0)
    print(f"# {slowest:.3f} s")
    return slowest


def test_random_packets():
    """Whatever comes, each packet is answered by a refusal or by something right, and the device lives."""
    seed = int(os.environ.get("TRANCHE_TEST_SEED", random.randrange(1 << 32)))
    print(f"# TRANCHE_TEST_SEED={seed}")
    chance = random.Random(seed)
    values = [0, 1, 2, 4095, 4096, 8192, MIB, 1 << 31, 1 << 32, (1 << 37) - 4096, 1 << 37, (1 << 63), (1 << 64) - 4096, (1 << 64) - 1]
    sizes = {1: 8, 2: 1048, 3: 24, 4: 24, 5: 32, 6: 8, 7: 24, 8: 24, 9: 56, 10: 40, 11: 0}
    with device() as d:
        for _ in range(6):
            c = d.start()
            c.context(1, 1 << 30)
            c.grab(MIB, MIB, wire.SERVICE)
            for n in range(500):
                kind = chance.randrange(3, 12) if chance.random() < 0.95 else chance.randrange(0, 20)
                size = sizes.get(kind, 24) if chance.random() < 0.9 else chance.randrange(0, 64) * 8
                body = b"".join(struct.pack("<Q", chance.choice(values)) if chance.random() < 0.6 else
                                struct.pack("<II", chance.randrange(0, 4), chance.randrange(0, 3) * 4096) for _ in range(size // 8))
                c.send_raw(message(kind, 1000 + n, body), fds=[0] if chance.random() < 0.05 else [])
                while select.select([c.sock], [], [], 0)[0]:
                    for fd in c.receive().fds:
                        os.close(fd)
            assert c.memory()[1] <= 64 * MIB
            c.close()
        d.expect_clean()
        fresh = d.start()
        eventually(lambda: fresh.memory()[1] == 0, "all memory is free")


def test_empty_packet_is_the_end():
    with device() as d:
        c = d.start()
        c.sock.send(b"")
        expect_gone(c)
        d.expect_clean()


def test_half_closed():
    with device() as d:
        c = d.start()
        c.sock.shutdown(socket.SHUT_WR)
        d.expect_clean()


def test_killed_client():
    """In the middle of anything."""
    with device() as d:
        for pause in (0, 0.002, 0.01, 0.03, 0.1):
            pid = os.fork()
            if pid == 0:
                try:
                    c = d.start()
                    c.context()
                    for i in range(10000):
                        c.send(SEGMENT_CREATE, segment_body(i << 13, 4096))
                        c.wait(c.last_id)
                finally:
                    os._exit(0)
            time.sleep(pause)
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            d.expect_clean()
        c = d.start()
        eventually(lambda: c.memory()[1] == 0, "all memory is free")


def test_another_user():
    if os.geteuid() != 0:
        return
    with device() as d:
        os.chmod(d.folder, 0o755)
        os.chmod(d.path, 0o666)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.setuid(65534)
                code = 0 if "belongs to user 0, not to user 65534" in expect_gone(wire.Client(d.path)) else 1
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_control_closed_with_a_session():
    """Nobody new is let in, and the device ends with the last session."""
    with device() as d:
        c = d.start()
        d.control.close()
        eventually(lambda: not can_connect(d), "nobody listens")
        assert c.memory()
        time.sleep(0.1)
        assert d.process.poll() is None
        c.close()
        assert d.process.wait(20) == 0


def can_connect(d):
    try:
        wire.Client(d.path).close()
        return True
    except OSError:
        return False


def test_stop_request():
    with device() as d:
        c = d.start()
        d.control.send(struct.pack("<II", 2, 0))
        assert "being stopped" in expect_gone(c)
        assert d.process.wait(20) == 0


def test_stats_wait_for_the_last_executor():
    with device() as d:
        c = d.start()
        c.grab(0, MIB)
        c.close()
        stats = d.stats()
        assert stats["sessions"] == 1 and stats["peak"] == MIB and stats["cpu_ns"] > 0


def usage(*arguments):
    return subprocess.run([DEVICE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)


def test_command_line():
    assert "--uuid" in usage("--help").stdout and usage("--help").returncode == 0
    assert usage("--version").stdout.startswith("tranche-device ")
    u = ["--uuid", "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f"]
    for arguments in ([], u, ["--nonsense"], ["--uuid"], [*u, "--fd", "x"], [*u, "--fd", "-1"], [*u, "--memory", "0"],
                      [*u, "--memory", "lots"], [*u, "--socket-path", "a", "--fd", "3"], [*u, "--socket-path", "a", "b"],
                      [*u, "--socket-path", "/nonexistent/x", "--host-device", "-1"]):
        result = usage(*arguments)
        assert result.returncode == 2 and result.stderr.count("\n") in (1, 2), (arguments, result)


def test_cannot_start():
    with tempfile.TemporaryDirectory(prefix="device-") as folder:
        good = ["--uuid", "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f", "--socket-path", os.path.join(folder, "socket")]
        for arguments, text in (([*good[:3], "/nonexistent/socket"], "/nonexistent/socket"),
                                ([*good[:3], "/" + "x" * 200], "can have"),
                                ([*good, "--memory", "900T"], "this machine has"),
                                ([*good, "--parent", "toaster"], "toaster"),
                                (["--uuid", "no-uuid", *good[2:]], "UUID")):
            result = usage(*arguments)
            assert result.returncode == 1 and text in result.stderr, (arguments, result)
            assert not os.listdir(folder), "something is left"


def test_a_folder_that_is_given_stays():
    """Whatever happens, the device removes nothing that it has not made. (The folder is the test's own.)"""
    with tempfile.TemporaryDirectory(prefix="device-") as folder:
        given = os.path.join(folder, "given")
        os.makedirs(given + "/keep/deep")
        with open(given + "/keep/file", "w", encoding="ascii") as f:
            f.write("x")
        os.chmod(given, 0o755)
        result = usage("--uuid", "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f", "--fd", "0", "--runtime-dir", given)
        assert result.returncode == 1
        assert os.path.exists(given + "/keep/file") and os.path.exists(given + "/keep/deep")
        assert os.stat(given).st_mode & 0o777 == 0o755


def test_a_file_in_the_way_stays():
    with tempfile.TemporaryDirectory(prefix="device-") as folder:
        path = os.path.join(folder, "precious")
        with open(path, "w", encoding="ascii") as f:
            f.write("x")
        result = usage("--uuid", "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f", "--socket-path", path)
        assert result.returncode == 1 and path in result.stderr
        assert os.path.getsize(path) == 1


if __name__ == "__main__":
    wire.main()
