#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The process of a compute device for a virtual machine, from outside: command line, socket, control socket, its end. What a guest can do
with it is tested in tests/compute-pci, whose guest is used here."""
import contextlib
import errno
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [HERE, os.path.join(HERE, "..", "compute-pci"), os.path.join(HERE, "..", "vfio-user")]
import wire  # noqa: E402
from control import ASK, FORCE, HOLD, RELEASE, STOP, managed  # noqa: E402
from wire import FAKE, MIB, eventually, expect_refusal  # noqa: E402
import guest  # noqa: E402
import vfu  # noqa: E402
from guest import LEAVE, R_QUOTA, R_STATUS, Guest  # noqa: E402
from vfu import BAR0, BAR2, DEVICE  # noqa: E402

UUID = "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f"
GIB = 1 << 30
PCI = ["--type", "compute-pci", "--executor", FAKE]


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="cpci-") as f:
        yield f


def usage(*arguments, **options):
    return subprocess.run([DEVICE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
                          **options)


@contextlib.contextmanager
def started(*arguments, at, **options):
    """A process by hand, whose socket will be there."""
    process = subprocess.Popen([DEVICE, *PCI, *arguments], stderr=subprocess.PIPE, text=True, **options)
    try:
        eventually(lambda: os.path.exists(at) or process.poll() is not None, "the device is ready", 20)
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


@contextlib.contextmanager
def device(*arguments, **options):
    with managed(arguments=[*PCI[:2], "--memory", "64M", *arguments], **options) as d:
        yield d


@contextlib.contextmanager
def machine(d, **options):
    g = Guest(vfu.Client(d.path), **options)
    try:
        yield g
    finally:
        g.close()


def uses(d, nr):
    eventually(lambda: d.control.stats()["sessions_now"] == nr, f"{nr} users")


# ------------------------------------------------------------ command line

def test_list():
    found = json.loads(usage("--list", "--json").stdout)
    driver, = [d for d in found["drivers"] if d["name"] == "compute"]
    plain, pci = driver["types"]
    assert (plain["name"], plain["device_api"]) == ("compute-memory", "compute"), "the default one is first"
    assert (pci["name"], pci["device_api"]) == ("compute-pci", "vfio-pci") and pci["adjustable"] == ["memory", "time"]
    assert "compute-pci" in usage("--list").stdout


def test_options_of_one_face():
    pci = ["--type", "compute-pci"]
    for arguments, text in (([*pci, "--control-fd", "0"], "--control-fd"), ([*pci, "--aperture", "3G"], "power of two"),
                            ([*pci, "--aperture", "1M"], "16 MiB"), ([*pci, "--aperture", "lots"], "lots"),
                            (["--aperture", "1G", "--uuid", UUID, "--socket-path", "x"], "--aperture"),
                            (["--parent", "null", "--aperture", "1G"], "--aperture"), ([*pci, "--fd", "0"], "--runtime-dir"),
                            (["--type", "pci", "--control-fd", "0"], "--control-fd"), ([*pci, "-o", "a=b"], "a")):
        result = usage(*arguments)
        assert result.returncode == 2 and text in result.stderr and not result.stdout, (arguments, result)
    assert usage("--uuid", UUID, "--fd", "0", "--type", "toaster", "--runtime-dir", "/").returncode == 1


def test_by_hand():
    """Nothing has to be chosen; sessions have a folder of their own beside the socket, which goes with the device."""
    with folder() as f:
        for kind in ("compute-pci", "pci"):
            path = f + "/s"
            with started("--type", kind, "--memory", "64M", "--socket-path", path, at=path) as process:
                assert os.stat(path).st_mode & 0o777 == 0o600
                name, = set(os.listdir(f)) - {"s"}
                assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", name)
                assert os.stat(f"{f}/{name}").st_mode & 0o777 == 0o700
                c = vfu.Client(path)
                assert struct.unpack("<HH", c.region_read(vfu.CONFIG, 0, 4)) == (0x1AF4, 0x10F5)
                c.close()
                assert ended(process) == 0 and not os.listdir(f)
                assert name in process.stderr.read()
        env = {**os.environ, "XDG_RUNTIME_DIR": f}
        path = f"{f}/tranche/{UUID}.sock"
        with started("--memory", "64M", "--uuid", UUID.upper(), env=env, at=path) as process:
            assert sorted(os.listdir(f + "/tranche")) == [UUID, UUID + ".sock"]
            assert ended(process, signal.SIGINT) == 0 and not os.listdir(f + "/tranche")


def test_two_beside_each_other():
    with folder() as f, started("--memory", "64M", "--socket-path", f + "/a", at=f + "/a"), \
            started("--memory", "64M", "--socket-path", f + "/b", at=f + "/b"):
        assert len(os.listdir(f)) == 4
        with contextlib.ExitStack() as stack:
            a, b = [stack.enter_context(contextlib.closing(Guest(vfu.Client(f"{f}/{n}")))) for n in "ab"]
            assert a.read64(guest.R_NONCE) != b.read64(guest.R_NONCE)
        result = usage(*PCI, "--memory", "64M", "--socket-path", f + "/a")
        assert result.returncode == 1 and "another process" in result.stderr


def test_aperture():
    with folder() as f:
        for arguments, size in ((["--aperture", "64G"], 64 * GIB), ([], None)):
            with started("--memory", "64M", "--socket-path", f + "/s", *arguments, at=f + "/s") as process:
                found = vfu.Client(f + "/s").region_info(BAR2).size
                assert found == size if size else (found >= GIB and found & (found - 1) == 0), found
                assert ended(process) == 0
        result = usage(*PCI, "--memory", "1G", "--aperture", "16M", "--socket-path", f + "/s")
        assert result.returncode == 1 and "aperture" in result.stderr and "hint" in result.stderr and not os.listdir(f), result


def test_given_socket():
    with folder() as f, contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
        s.bind(f + "/s")
        s.listen()
        with started("--memory", "64M", "--uuid", UUID, "--fd", str(s.fileno()), "--runtime-dir", f, at=f + "/s",
                     pass_fds=[s.fileno()]) as process:
            vfu.Client(f + "/s").close()
            assert ended(process) == 0 and os.listdir(f) == ["s"], "the file is not ours"


def test_killed_one_is_replaced():
    with folder() as f:
        arguments = ["--memory", "64M", "--uuid", UUID, "--socket-path", f + "/s"]
        with started(*arguments, at=f + "/s") as process:
            assert ended(process, signal.SIGKILL) == -signal.SIGKILL
        os.mkdir(f"{f}/{UUID}/session-7")
        inode = os.stat(f + "/s").st_ino

        def is_new():
            with contextlib.suppress(FileNotFoundError):
                return os.stat(f + "/s").st_ino != inode or not os.path.exists(f"{f}/{UUID}/session-7")

        with started(*arguments, at=f + "/s") as process:
            eventually(is_new, "it has come")
            vfu.Client(f + "/s").close()
            assert not os.path.exists(f"{f}/{UUID}/session-7")
            assert ended(process) == 0 and not os.listdir(f)


def test_owner():
    if os.geteuid():
        return
    with folder() as f:
        os.chmod(f, 0o755)
        script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]);" \
                 "s.send(bytes.fromhex(sys.argv[2])); sys.exit(not s.recv(16))"
        hello = vfu.message(vfu.VERSION, vfu.version_body()).hex()
        with started("--memory", "64M", "--owner", "65534", "--socket-path", f + "/s", at=f + "/s") as process:
            eventually(lambda: os.stat(f + "/s").st_uid == 65534, "the socket has its owner")
            os.chmod(f + "/s", 0o666)
            for user, is_let_in in ((65534, True), (65533, False), (0, True)):
                done = subprocess.run(["/usr/bin/python3", "-c", script, f + "/s", hello], user=user, check=False, timeout=30,
                                      stderr=subprocess.DEVNULL)
                assert (done.returncode == 0) == is_let_in, user
            assert ended(process) == 0


# ---------------------------------------------------------- control socket

def test_figures():
    with device("--time", "250") as d:
        assert d.hello.memory == 64 * MIB and d.hello.time == 250
        before = d.control.stats()
        assert not before["sessions_now"] and not before["sessions"] and before["quota"] == 64 * MIB
        with machine(d) as g:
            now = d.control.stats()
            assert (now["sessions_now"], now["sessions"]) == (1, 1), now
            assert now["traps"] > before["traps"]
            for _ in range(10):
                g.read(R_STATUS)
            g.write(guest.R_BELL_CONTROL, 1)
            after = d.control.stats()
            assert after["traps"] - now["traps"] == 11 and after["doorbells"] - now["doorbells"] == 1, (now, after)
            names, total = d.control.holders()
            assert total == 1 and names[0], names
        uses(d, 0)
        assert d.control.stats()["sessions"] == 1
    # What a device for programs does not count stays 0.
    with managed(arguments=["--memory", "64M"]) as d:
        d.session()
        stats = d.control.stats()
        assert stats["sessions_now"] == 1 and not stats["traps"] and not stats["doorbells"] and not stats["interrupts"]


def test_quota_changes():
    with device() as d, machine(d) as g:
        assert g.read64(R_QUOTA) == 64 * MIB
        d.control.set(memory=32 * MIB)
        eventually(lambda: g.read(R_STATUS) & guest.CHANGED, "the guest is told")
        assert g.read64(R_QUOTA) == 32 * MIB and d.control.stats()["quota"] == 32 * MIB
        assert not g.read(R_STATUS) & guest.CHANGED
        fired = d.control.stats()["interrupts"]
        d.control.set(memory=48 * MIB)
        eventually(lambda: d.control.stats()["interrupts"] > fired, "by an interrupt, too")


def test_stop_is_refused():
    with device() as d, machine(d) as g:
        refused = expect_refusal(d.control.stop, errno.EBUSY)
        assert "in use" in refused.text
        assert g.read(R_STATUS) & guest.RUNNING and not g.read(R_STATUS) & LEAVE, "the guest heard nothing"


def test_stop_asks_the_guest():
    with device() as d:
        with machine(d) as g:
            g.irqs[0].count(0.1)
            stop = d.control.leave(STOP, ASK, -1)
            eventually(lambda: g.read(R_STATUS) & LEAVE, "the guest is asked")
            assert g.irqs[0].count(5), "by an interrupt"
            assert d.control.is_silent()
            expect_gone_for_others(d)
        d.control.wait(stop)
        code, why = d.ended()
        assert code == 0 and why["name"] == "Stopped", why


def expect_gone_for_others(d):
    """Nobody new is let in."""
    with contextlib.suppress(vfu.Gone, vfu.Refused, OSError):
        vfu.Client(d.path).close()
        raise AssertionError("somebody was let in")


def test_a_guest_may_stay():
    """Who asks gives up: the guest hears of that, and so does the next one."""
    with device() as d:
        with machine(d) as g:
            expect_refusal(lambda: d.control.stop(ASK, 300), errno.ETIMEDOUT)
            eventually(lambda: not g.read(R_STATUS) & LEAVE, "it may stay")
            assert g.read(R_STATUS) & guest.RUNNING
            asked = d.control.leave(STOP, ASK, -1)
            eventually(lambda: g.read(R_STATUS) & LEAVE, "it is asked again")
            d.control.cancel(asked)
            expect_refusal(lambda: d.control.wait(asked), errno.ECANCELED)
            eventually(lambda: not g.read(R_STATUS) & LEAVE, "and may stay again")
            hold = d.control.leave(HOLD, ASK, -1)
            eventually(lambda: g.read(R_STATUS) & LEAVE, "somebody holds the device")
        d.control.wait(hold)
        d.control.ask(RELEASE)
        with machine(d) as g:
            assert not g.read(R_STATUS) & LEAVE, "the next one was not asked"


def test_stop_by_force():
    with device() as d:
        g = Guest(vfu.Client(d.path))
        try:
            d.control.stop(FORCE)
            code, why = d.ended()
            assert code == 0 and why["name"] == "Stopped", why
            assert g.client.is_gone()
        finally:
            g.close()


def test_hold_by_force_lets_the_next_one_in():
    with device() as d:
        g = Guest(vfu.Client(d.path))
        try:
            d.control.hold(FORCE)
            assert g.client.is_gone()
        finally:
            g.close()
        d.control.ask(RELEASE)
        with machine(d) as g:
            assert g.read(R_STATUS) & guest.RUNNING


def test_signals_end_it_at_once():
    for number in (signal.SIGTERM, signal.SIGINT):
        with device() as d:
            clients = [Guest(vfu.Client(d.path))]
            try:
                d.process.send_signal(number)
                code, why = d.ended()
                assert code == 0 and why["name"] == "Signal", why
                assert all(g.client.is_gone() for g in clients)
            finally:
                for g in clients:
                    g.close()


def test_unconfirmed():
    with device(wait=False) as d:
        eventually(lambda: os.path.exists(d.control_path), "it is ready")
        first = d.connect()
        first.hello()
        first.close()
        code, why = d.ended()
        assert code == 0 and why["name"] == "Unconfirmed", why


def test_one_machine_at_a_time():
    with device() as d, machine(d) as g:
        try:
            vfu.Client(d.path)
        except vfu.Refused as refused:
            assert refused.errno in (errno.EBUSY, errno.EUSERS), refused
        else:
            raise AssertionError("two machines are in")
        assert g.read(R_STATUS) & guest.RUNNING


def test_start_fails_cleanly():
    """The control socket's path is taken: all that was there before goes, in order, without the loop having run."""
    with folder() as f:
        with open(f + "/c", "w", encoding="ascii"):
            pass
        result = usage(*PCI, "--memory", "64M", "--uuid", UUID, "--socket-path", f + "/s", "--runtime-dir", f, "--control-socket", f + "/c")
        assert result.returncode == 1 and f + "/c" in result.stderr and os.listdir(f) == ["c"], result


def test_signals_are_blocked():
    with device() as d, machine(d):
        pid = d.process.pid
        for t in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{t}/status", encoding="ascii") as status:
                blocked = int(re.search(r"^SigBlk:\s+(\w+)$", status.read(), re.M).group(1), 16)
            assert all(blocked >> number - 1 & 1 for number in (signal.SIGTERM, signal.SIGINT)), t


if __name__ == "__main__":
    wire.main()
