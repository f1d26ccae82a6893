#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`tranche attach` and `tranche screen`: what is printed is exact, and what cannot work is said before."""
import contextlib
import json
import os
import pty
import shlex
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vfio-user"))
import vfu  # noqa: E402
from vfu import device  # noqa: E402

TRANCHE = os.environ.get("TRANCHE_TEST_TRANCHE", "build/src/cli/tranche")
UUID = "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f"
QEMU_NS = "{http://libvirt.org/schemas/domain/qemu/1.0}"


def tranche(*words, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.run([TRANCHE, *words], timeout=30, check=False, **options)


def attach(*words, **options):
    return tranche("attach", *words, **options)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="attach-") as f:
        yield f


@contextlib.contextmanager
def listener(path, serve, kind=socket.SOCK_STREAM):
    """Somebody who listens at path and gives each connection to serve()."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, kind)) as s:
        s.bind(path)
        s.listen()

        def run():
            with contextlib.suppress(OSError):
                while True:
                    with contextlib.closing(s.accept()[0]) as c, contextlib.suppress(OSError):
                        serve(c)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield
        s.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def socket_of(argument):
    """The path in -device's argument, whose form is checked."""
    options = json.loads(argument)
    assert set(options) == {"driver", "socket"} and options["driver"] == "vfio-user-pci"
    assert set(options["socket"]) == {"type", "path"} and options["socket"]["type"] == "unix"
    return options["socket"]["path"]


def test_qemu():
    with device() as d:
        result = attach("--print", "qemu", d.path)
        assert result.returncode == 0 and result.stdout.count("\n") == 1
        option, argument = shlex.split(result.stdout)
        assert option == "-device" and socket_of(argument) == d.path
        assert "share=on" in result.stderr and all(line.startswith("# ") for line in result.stderr.splitlines())


def test_qemu_with_memory():
    with device() as d:
        result = attach("--print", "qemu", "--memory", "1.5G", d.path)
        words = shlex.split(result.stdout)
        assert words[:-1] == ["-machine", "q35,memory-backend=mem", "-m", "1536M", "-object",
                              "memory-backend-memfd,id=mem,size=1536M,share=on", "-device"]
        assert socket_of(words[-1]) == d.path and not result.stderr


def test_libvirt():
    with device() as d:
        for memory in ([], ["-m", "512M"]):
            result = attach("-p", "libvirt", *memory, d.path)
            assert result.returncode == 0, result.stderr
            domain = xml.etree.ElementTree.fromstring(result.stdout)
            assert domain.find("memoryBacking/source").get("type") == "memfd"
            assert domain.find("memoryBacking/access").get("mode") == "shared"
            first, second = [a.get("value") for a in domain.findall(f"{QEMU_NS}commandline/{QEMU_NS}arg")]
            assert first == "-device" and socket_of(second) == d.path
            amount = domain.find("memory")
            assert (amount is not None) == bool(memory) and (not memory or (amount.get("unit"), amount.text) == ("MiB", "512"))
            assert "virsh edit" in result.stderr


def test_compute_device():
    """What listens is asked: a compute device uses none of the machine's memory, and its guest needs a driver."""
    with device(parent="compute", kind="pci", arguments=["--memory", "64M"]) as d:
        for more, words in ([], []), (["--memory", "1G"], ["-m", "1024M"]):
            result = attach("--print", "qemu", *more, d.path)
            *before, option, argument = shlex.split(result.stdout)
            assert before == words and option == "-device" and socket_of(argument) == d.path
            assert "tranche_accel" in result.stderr and "share" not in result.stderr
            assert all(line.startswith("# ") for line in result.stderr.splitlines())
        domain = xml.etree.ElementTree.fromstring(attach("-p", "libvirt", d.path).stdout)
        assert domain.find("memoryBacking") is None and domain.find(f"{QEMU_NS}commandline") is not None
        c = d.connect()
        d.fds_at_start = None   # an executor that is kept ready takes some
        refused(d.path, "has a client")
        assert "tranche_accel" in attach("--print", "qemu", "--no-check", "--compute", d.path).stderr
        c.close()
    with device() as d:
        assert "tranche_accel" not in attach("--print", "qemu", d.path).stderr


def test_any_path():
    """Whatever a path holds comes through the quotes of shell, JSON and XML; a relative one becomes absolute."""
    for name in ("it's", 'a "quoted" one', "back\\slash", "sp ace", "<&>'\"", "$(true)`", "tab\tend", "grüße"):
        result = attach("--print", "qemu", "--no-check", "/x/" + name)
        assert result.returncode == 0 and socket_of(shlex.split(result.stdout)[1]) == "/x/" + name
        domain = xml.etree.ElementTree.fromstring(attach("--print", "libvirt", "--no-check", "/x/" + name).stdout)
        assert socket_of(domain.findall(f"{QEMU_NS}commandline/{QEMU_NS}arg")[1].get("value")) == "/x/" + name
    with folder() as f:
        result = attach("--print", "qemu", "--no-check", "s", cwd=f)
        assert socket_of(shlex.split(result.stdout)[1]) == os.path.join(os.path.realpath(f), "s")


def test_by_uuid():
    with folder() as f:
        os.mkdir(f + "/tranche", 0o700)
        env = {**os.environ, "XDG_RUNTIME_DIR": f}
        path = f"{f}/tranche/{UUID}.sock"
        result = attach("--print", "qemu", UUID, env=env)
        assert result.returncode == 1 and path in result.stderr and "hint" in result.stderr
        process = subprocess.Popen([vfu.DEVICE, "--parent", "null", "--uuid", UUID], env=env, stderr=subprocess.DEVNULL)
        try:
            vfu.eventually(lambda: vfu.tap.is_listening(path), "the device is there", 20)
            for uuid in (UUID, UUID.upper()):
                result = attach("--print", "qemu", uuid, env=env)
                assert result.returncode == 0 and socket_of(shlex.split(result.stdout)[1]) == path
        finally:
            process.terminate()
            assert process.wait(20) == 0


def refused(path, text, within=20):
    result = attach("--print", "qemu", path)
    assert result.returncode == 1 and not result.stdout, result
    assert path in result.stderr and text in result.stderr and "hint" in result.stderr, result.stderr
    assert attach("--print", "qemu", "--no-check", path).returncode == 0


def test_check():
    with device() as d:
        c = d.connect()
        refused(d.path, "has a client")
        c.close()
        # The check leaves before the arguments are out: the next client is let in at once.
        for _ in range(20):
            assert attach("--print", "qemu", d.path).returncode == 0
            d.connect().close()
    with folder() as f:
        path = f + "/s"
        refused(path, "nobody listens")
        with listener(path, lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")):
            refused(path, "does not speak vfio-user")
        os.unlink(path)
        with listener(path, lambda c: None):
            refused(path, "lets nobody in")
        os.unlink(path)
        with listener(path, lambda c: c.recv(1000) and c.sendall(struct.pack("=HHIII", 0x5452, 1, 16, 1 | 1 << 5, 22)) or c.recv(1)):
            refused(path, "Invalid argument")
        os.unlink(path)
        with listener(path, lambda c: c.recv(1000) and c.recv(1)):
            refused(path, "does not answer")
        os.unlink(path)
        with listener(path, lambda c: None, socket.SOCK_SEQPACKET):
            refused(path, "another kind")


def test_usage():
    for words in ([], [UUID], ["--print", "qemu"], ["--print", "toaster", UUID], ["--print"], ["--print", "qemu", UUID, UUID],
                  ["--print", "qemu", "--memory", "lots", UUID], ["--print", "qemu", "--memory", "1", UUID], ["--fly", UUID]):
        result = attach(*words)
        assert result.returncode == 2 and not result.stdout and result.stderr.count("\n") in (1, 2), (words, result)
    assert attach("--help").returncode == 0 and "--print" in attach("--help").stdout
    assert "attach" in tranche("help").stdout and "screen" in tranche("help").stdout


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5000


def test_screen():
    with folder() as f:
        path = f + "/screen"
        with listener(path, lambda c: c.sendall(PNG)):
            assert tranche("screen", path, text=False).stdout == PNG
            assert tranche("screen", path, "--output", f + "/out.png").returncode == 0
            with open(f + "/out.png", "rb") as out:
                assert out.read() == PNG
            result = tranche("screen", "-o", "/nonexistent/out.png", path)
            assert result.returncode == 1 and "/nonexistent/out.png" in result.stderr
            with open("/dev/full", "wb") as full:
                assert tranche("screen", path, stdout=full).returncode == 1
            main, side = pty.openpty()
            result = tranche("screen", path, stdout=side)
            assert result.returncode == 2 and "terminal" in result.stderr
            os.set_blocking(main, False)
            with contextlib.suppress(BlockingIOError):
                assert not os.read(main, 10)
            os.close(main)
            os.close(side)


def test_no_screen():
    with folder() as f:
        path = f + "/screen"
        result = tranche("screen", path)
        assert result.returncode == 1 and path in result.stderr
        with listener(path, lambda c: c.sendall(b"the guest has not turned the screen on\n")):
            result = tranche("screen", "-o", f + "/out.png", path)
            assert result.returncode == 1 and result.stderr == "tranche: the guest has not turned the screen on\n"
            assert not os.path.exists(f + "/out.png")
        os.unlink(path)
        with listener(path, lambda c: None):
            assert tranche("screen", path).returncode == 1
    for words in ([], ["a", "b"], ["--fly", "a"], ["--output"]):
        assert tranche("screen", *words).returncode == 2, words


def test_screen_of_a_display():
    if "\nbochs " not in subprocess.run([vfu.DEVICE, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout:
        return
    with folder() as f, device(parent="bochs", arguments=["-o", f"screen={f}/screen"]):
        result = tranche("screen", f + "/screen")
        assert result.returncode == 1 and result.stderr.count("\n") in (1, 2) and len(result.stderr) > 20, result


vfu.main()
