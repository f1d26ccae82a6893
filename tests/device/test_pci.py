#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The process of a PCI device from outside: command line, socket, signals, and what it costs. Its protocol: tests/vfio-user."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vfio-user"))
import vfu  # noqa: E402
from vfu import BAR0, DEVICE, ID, Client, device, eventually  # noqa: E402

UUID = "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f"


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="device-") as f:
        yield f


def usage(*arguments, **options):
    return subprocess.run([DEVICE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False,
                          **options)


@contextlib.contextmanager
def started(*arguments, ready=None, **options):
    """A process with just these arguments; ready() says when it is there."""
    process = subprocess.Popen([DEVICE, *arguments], stderr=subprocess.PIPE, text=True, **options)
    try:
        if ready:
            eventually(lambda: ready() or process.poll() is not None, "the device is ready", 20)
            assert process.poll() is None, process.stderr.read()
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def ended(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(20)


def test_list():
    result = usage("--list")
    assert result.returncode == 0 and not result.stderr
    for word in ("compute-memory", "null-small", "testdev-full", "testdev-plain", "asked-unit"):
        assert word in result.stdout, word


def test_types():
    for kind in ("plain", "testdev-plain"):
        with device(kind=kind) as d:
            c = d.connect()
            c.enable()
            assert c.read32(BAR0, 0) == ID and c.region_info(2).size == 0
    with folder() as f, started("--parent", "testdev", "--socket-path", f + "/s", ready=lambda: os.path.exists(f + "/s")):
        assert len(vfu.Client(f + "/s").region_info(2).areas()) == 2, "the first type is the default"
    result = usage("--parent", "testdev", "--type", "toaster", "--fd", "0")
    assert result.returncode == 1 and "toaster" in result.stderr and "testdev-full, testdev-plain" in result.stderr


def test_command_line():
    pci = ["--parent", "null"]
    for arguments, text in (([*pci, "-o", "nonsense"], "KEY=VALUE"), ([*pci, "-o", "=x"], "KEY=VALUE"), ([*pci, "-o", "toast=1"], "toast"),
                            ([*pci, "--runtime-dir", "/"], "--runtime-dir"), ([*pci, "--executor", "x"], "--executor"),
                            ([*pci, "--host-device", "0"], "--host-device"), ([*pci, "--control-fd", "0"], "--control-fd"),
                            ([*pci, "--fd", "0", "--socket-path", "x"], "--fd"), (["-o", "line0=pty", "--uuid", UUID, "--socket-path", "x"], "line0")):
        result = usage(*arguments)
        assert result.returncode == 2 and text in result.stderr and result.stderr.count("\n") in (1, 2), (arguments, result)


def test_cannot_start():
    with folder() as f:
        for arguments, text in ((["--uuid", "no-uuid", "--socket-path", f + "/s"], "UUID"), (["--socket-path", "/nonexistent/s"], "/nonexistent/s"),
                                (["--socket-path", "/" + "x" * 200], "can have"), (["--memory", "1M", "--socket-path", f + "/s"], "memory")):
            result = usage("--parent", "null", *arguments)
            assert result.returncode == 1 and text in result.stderr, (arguments, result)
            assert not os.listdir(f), "something is left"
        result = usage("--parent", "null", env={name: v for name, v in os.environ.items() if name != "XDG_RUNTIME_DIR"} |
                       {"XDG_RUNTIME_DIR": f + "/none"})
        assert result.returncode == 1 and f + "/none" in result.stderr


def test_names_are_chosen():
    """With a driver's name alone there is a random UUID, and a socket where tranche(1) looks for it."""
    with folder() as f:
        seen = set()
        for _ in range(2):
            where = os.path.join(f, "tranche")
            with started("--parent", "null", env={**os.environ, "XDG_RUNTIME_DIR": f},
                         ready=lambda where=where: os.path.isdir(where) and os.listdir(where)) as process:
                name, = os.listdir(where)
                assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.sock", name)
                assert os.stat(where).st_mode & 0o777 == 0o700 and os.stat(f"{where}/{name}").st_mode & 0o777 == 0o600
                Client(f"{where}/{name}").close()
                assert ended(process) == 0 and not os.listdir(where)
                said = process.stderr.read()
                assert f"{where}/{name}" in said and name[:-5] in said
                seen.add(name)
        assert len(seen) == 2
        with started("--parent", "null", "--uuid", UUID.upper(), env={**os.environ, "XDG_RUNTIME_DIR": f},
                     ready=lambda: os.path.exists(f"{f}/tranche/{UUID}.sock")):
            pass


def test_a_living_socket_is_not_taken():
    with device() as d:
        c = d.connect()
        c.enable()
        result = usage("--parent", "testdev", "--socket-path", d.path)
        assert result.returncode == 1 and d.path in result.stderr and "another process" in result.stderr
        assert c.read32(BAR0, 0) == ID
        d.clients[0].close()
        assert d.connect().device_info()


def test_a_dead_socket_is_replaced():
    with folder() as f:
        arguments = ["--parent", "null", "--socket-path", f + "/s"]

        def answers():
            with contextlib.suppress(OSError), contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
                s.connect(f + "/s")
                return True
            return False

        with started(*arguments, ready=answers) as process:
            assert ended(process, signal.SIGKILL) == -signal.SIGKILL and os.path.exists(f + "/s")
        with started(*arguments, ready=answers) as process:
            Client(f + "/s").close()
            assert ended(process) == 0
        with open(f + "/s", "w", encoding="ascii") as file:
            file.write("mine")
        result = usage(*arguments)
        assert result.returncode == 1 and "no socket" in result.stderr
        with open(f + "/s", encoding="ascii") as file:
            assert file.read() == "mine"


def test_signals_end_it():
    with folder() as f:
        for number in (signal.SIGTERM, signal.SIGINT):
            with started("--parent", "testdev", "--uuid", UUID, "--socket-path", f + "/s",
                         ready=lambda: os.path.exists(f + "/s")) as process:
                clients = [Client(f + "/s"), Client(f + "/s", hello=False)]
                assert ended(process, number) == 0 and not os.listdir(f)
                assert all(c.is_gone() for c in clients), "clients are told"
                assert not process.stderr.read()


def test_notify():
    with folder() as f, contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as s:
        s.bind(f + "/notify")
        s.settimeout(20)
        with started("--parent", "null", "--socket-path", f + "/s", env={**os.environ, "NOTIFY_SOCKET": f + "/notify"}) as process:
            assert s.recv(100) == b"READY=1"
            Client(f + "/s").close()
            assert ended(process) == 0 and s.recv(100) == b"STOPPING=1"


def test_given_socket():
    with folder() as f, contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
        result = usage("--parent", "null", "--fd", str(s.fileno()), pass_fds=[s.fileno()])
        assert result.returncode == 1 and "that listens" in result.stderr
        s.bind(f + "/s")
        s.listen()
        with started("--parent", "null", "--uuid", UUID, "--fd", str(s.fileno()), pass_fds=[s.fileno()]) as process:
            Client(f + "/s").close()
            assert ended(process) == 0 and os.path.exists(f + "/s"), "the file is not ours"


def status(path):
    with open(path, encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_process():
    with device() as d:
        c = d.connect()
        c.enable()
        pid = d.process.pid
        assert status(f"/proc/{pid}/status")["NoNewPrivs"] == "1"
        threads = [int(t) for t in os.listdir(f"/proc/{pid}/task")]
        assert len(threads) > 1
        for t in threads:
            blocked = int(status(f"/proc/{pid}/task/{t}/status")["SigBlk"], 16)
            numbers = [signal.SIGTERM, signal.SIGINT] + ([signal.SIGHUP, signal.SIGUSR1] if t != pid else [])
            assert all(blocked >> number - 1 & 1 for number in numbers), (t == pid, hex(blocked))


def test_private_memory():
    """An idle device with a client has less than 4 MiB of its own. A sanitizer needs more."""
    with device() as d:
        c = d.connect()
        c.enable()
        pid = d.process.pid
        with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
            if re.search(r"lib[at]san", f.read()):
                return
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            kib = sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+) kB", f.read(), re.M))
        assert kib < 4096, f"{kib} KiB"


def has_driver(name):
    return f"\n{name} " in usage("--list").stdout


def test_lines():
    if not has_driver("mtty"):
        return
    with folder() as f:
        arguments = ["--parent", "mtty", "--type", "2", "--socket-path", f + "/s", "-o", f"line0=pty:{f}/tty", "-o", f"line1=unix:{f}/line"]
        with started(*arguments, ready=lambda: os.path.exists(f + "/s")) as process:
            tty = os.readlink(f + "/tty")
            assert tty.startswith("/dev/pts/") and os.path.exists(f + "/line")
            # A second one of that name takes nothing of the first one's.
            assert usage(*arguments).returncode == 1 and os.readlink(f + "/tty") == tty
            assert ended(process) == 0 and not os.listdir(f)
            assert f"port 0 is at {tty}" in process.stderr.read()
        for value in ("x", "pty:", "unix:", ""):
            result = usage("--parent", "mtty", "--socket-path", f + "/s", "-o", "line0=" + value)
            assert result.returncode == 2 and "line0" in result.stderr, (value, result)


def test_screen():
    if not has_driver("bochs"):
        return
    with folder() as f:
        with started("--parent", "bochs", "--socket-path", f + "/s", "-o", f"screen={f}/screen", ready=lambda: os.path.exists(f + "/s")) as process:
            assert os.path.exists(f + "/screen")
            assert ended(process) == 0 and not os.listdir(f)


vfu.main()
