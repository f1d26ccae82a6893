#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a device process leaves behind and is started with: lock, "ended", files of arguments; and whose socket it is."""
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402
from control import NOBODY, Managed, managed  # noqa: E402
from wire import DEVICE, FAKE, Client, Gone, eventually  # noqa: E402

UUID = "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f"


def listing():
    result = subprocess.run([DEVICE, "--list", "--json"], capture_output=True, text=True, timeout=30, check=True)
    return {d["name"]: d for d in json.loads(result.stdout)["drivers"]}


def drivers():
    return ["compute", *[name for name in ("null", "mtty") if name in listing()]]


def run(*arguments, **options):
    return subprocess.run([DEVICE, *arguments], capture_output=True, text=True, timeout=30, **options)


def ended_of(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def test_list_json():
    all_of_them = listing()
    compute = all_of_them["compute"]
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert compute["capacity"]["time"] == 1000 and abs(compute["capacity"]["memory"] - total) < total / 10 and compute["keys"] == []
    kinds = {kind["name"]: kind for kind in compute["types"]}
    assert list(kinds)[0] == "compute-memory" and set(kinds) <= {"compute-memory", "compute-pci"}
    for name, kind in kinds.items():
        assert kind["device_api"] == ("compute" if name == "compute-memory" else "vfio-pci") and kind["adjustable"] == ["memory", "time"]
        assert set(kind) == {"name", "pretty_name", "description", "device_api", "cost", "adjustable"}
    if "mtty" in all_of_them:
        mtty = all_of_them["mtty"]
        assert [t["name"] for t in mtty["types"]] == ["mtty-1", "mtty-2"] and mtty["types"][1]["cost"]["units"] == 2
        assert mtty["capacity"]["units"] == 24 and mtty["types"][0]["adjustable"] == []
        assert [k["name"] for k in mtty["keys"]] == ["line0", "line1"] and all(k["values"] and k["help"] for k in mtty["keys"])
    assert run("--json").returncode == 2


def test_lock_is_held_twice():
    for parent in drivers():
        with managed(parent) as d:
            with open(d.start_path, encoding="utf-8") as f:
                before = f.read()
            result = run("--start-file", d.start_path)
            assert result.returncode == 1 and "lock" in result.stderr and result.stderr.count("\n") == 2, result
            assert not os.path.exists(d.ended_path), "that is for the one that runs to write"
            assert d.control.hello().pid == d.process.pid and os.path.exists(d.path) and before
            assert run("--start-file", d.start_path, "--nonsense").returncode == 1 and not os.path.exists(d.ended_path)


def test_lock_goes_with_the_process():
    """What a killed device left is no hindrance for the next one, which is told to be the same."""
    for parent in drivers():
        with tempfile.TemporaryDirectory(prefix="control-") as folder:
            first = Managed(folder, parent)
            if parent == "compute":
                first.session()
            first.process.kill()
            first.process.wait()
            first.kill()
            assert os.path.exists(first.path) and os.path.exists(first.control_path)
            if parent == "compute":
                assert os.path.isdir(folder + "/session-1")
            second = Managed(folder, parent)
            if parent == "compute":
                assert not os.path.exists(folder + "/session-1")
                second.session()
            second.control.stop(2)
            assert second.ended()[0] == 0 and not second.left(), second.left()
            second.kill()


def test_lock_that_cannot_be():
    with tempfile.TemporaryDirectory() as f:
        for path in (f + "/no/lock", f):
            result = run("--uuid", UUID, "--socket-path", f + "/s", "--lock", path, "--ended", f + "/ended")
            assert result.returncode == 1 and path in result.stderr and not os.listdir(f), result
        os.symlink(f + "/target", f + "/link")
        assert run("--uuid", UUID, "--socket-path", f + "/s", "--lock", f + "/link").returncode == 1


def test_ended_by_signals():
    for number, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGINT")):
        for parent in drivers():
            with managed(parent) as d:
                d.process.send_signal(number)
                code, why = d.ended()
                assert code == 0 and why == {"name": "Signal", "message": f"it was told to by {name}", "hint": "", "code": 0}


def test_ended_replaces():
    with managed() as d:
        with open(d.ended_path, "w", encoding="ascii") as f:
            f.write("old\nold\n")
        d.control.stop()
        assert d.ended()[1]["name"] == "Stopped"


def test_failed_starts_are_told():
    """The sentence and the hint are those of standard error."""
    with tempfile.TemporaryDirectory() as f:
        compute = ["--uuid", UUID, "--socket-path", f + "/s", "--executor", FAKE]
        cases = [
            (["--parent", "toaster"], 1, "NoSuchParent", errno.ENOENT),
            ([*compute, "--type", "toaster"], 1, "NoSuchType", errno.ENOENT),
            (["--uuid", UUID, "--socket-path", f + "/none/s"], 1, "SocketFailed", errno.ENOENT),
            ([*compute, "--memory", "1E"], 1, "MoreThanHost", errno.ERANGE),
            ([*compute, "--time", "1001"], 2, "BadOption", errno.EINVAL),
            ([*compute, "--nonsense"], 2, "BadOption", errno.EINVAL),
            ([*compute, "--memory", "lots"], 2, None, errno.EINVAL),
            ([*compute, "--control-socket", f + "/none/control"], 1, "SocketFailed", errno.ENOENT),
            ([*compute, "--control-socket", f + "/" + "x" * 120], 1, "BadSocketPath", errno.ENAMETOOLONG),
            ([*compute, "--parent-socket", f + "/none"], 1, "NoParent", errno.ENOENT),
        ]
        if "null" in drivers():
            cases.append((["--parent", "null", "--uuid", "x", "--socket-path", f + "/s"], 1, None, errno.EINVAL))
            cases.append((["--parent", "null", "--uuid", UUID, "--socket-path", f + "/s", "--time", "5"], 1, "BadResource", errno.EINVAL))
        for arguments, status, name, code in cases:
            result = run("--ended", f + "/ended", "--lock", f + "/lock", *arguments)
            why = ended_of(f + "/ended")
            assert result.returncode == status and why["code"] == code and (not name or why["name"] == name), (result, why)
            assert why["message"] in result.stderr and (not why["hint"] or "hint: " + why["hint"] in result.stderr), (result, why)
            assert sorted(os.listdir(f)) == ["ended", "lock"], os.listdir(f)
            os.unlink(f + "/ended")


def test_start_file():
    with tempfile.TemporaryDirectory() as f:
        path = f + "/start"

        def written(data, *more):
            with open(path, "wb") as file:
                file.write(data)
            return run("--start-file", path, *more)

        assert "PARENT" in written(b"--list").stdout and "PARENT" in written(b"--list\n").stdout
        assert "PARENT" in run("--start-file=" + path).stdout
        assert '"drivers"' in written(b"--list\n", "--json").stdout, "what follows counts, too"
        for data, text in ((b"--start-file\nx\n", "another"), (b"--list\n--start-file=x\n", "line 2"), (b"--list\0\n", "zero"),
                           (b"x" * 70000, "64 KiB"), (b"-V\n" * 257, "256"),
                           (b"--list --json\n", "--list --json"), (b"\n--list\n", "not an option")):
            result = written(data)
            assert result.returncode == 2 and text in result.stderr, (data[:30], result)
        assert written(b"").returncode == 2
        os.unlink(path)
        result = run("--start-file", path)
        assert result.returncode == 2 and path in result.stderr
        os.mkfifo(path)
        assert run("--start-file", path).returncode == 2
        assert run("--list", "--start-file", path).returncode == 2
        assert run("--start-file").returncode == 2


def can_use(uid, path, parent):
    """Is a process of that user let in at the socket? None: it cannot even connect."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            os.setresuid(uid, uid, uid)
            if parent == "compute":
                Client(path, timeout=20).hello()
                code = 0
            else:
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(20)
                    s.connect(path)
                    text = b'{"capabilities":{"max_msg_fds":8}}\0'
                    import struct
                    s.send(struct.pack("<HHIII", 1, 1, 16 + 4 + len(text), 0, 0) + struct.pack("<HH", 0, 1) + text)
                    code = 0 if s.recv(16) else 1
        except PermissionError:
            code = 2
        except (Gone, OSError) as e:
            code = 1
            # What was said is lost when the connection is reset meanwhile.
            if isinstance(e, Gone) and str(e) and "belongs to user" not in str(e):
                code = 4
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code < 3, code
    return {0: True, 1: False, 2: None}[code]


def can_nobody_start_it():
    """A checkout below a folder of root alone is out of others' reach."""
    return subprocess.run(["/bin/sh", "-c", 'test -x "$0"', wire.DEVICE], user=NOBODY, check=False).returncode == 0


def test_owner():
    """Root, the process's user and the owner get in; the others do not, however they reach the socket."""
    if os.geteuid() != 0:
        return
    for parent in drivers():
        for user, owner in ((None, None), (None, 0), (None, NOBODY), (NOBODY, None), (NOBODY, NOBODY), (NOBODY, 12345)):
            own = user or 0
            if own and not can_nobody_start_it():
                continue
            arguments = ["--owner", str(owner)] if owner is not None else []
            with tempfile.TemporaryDirectory(prefix="owner-") as folder:
                os.chmod(folder, 0o711)
                os.chown(folder, own, -1)
                env = {"PYTHONDONTWRITEBYTECODE": "1"}
                d = Managed(folder, parent, arguments=arguments, user=user, env=env)
                try:
                    st = os.stat(d.path)
                    may = {0, own} | ({owner} if owner is not None else set())
                    if own == 0:
                        assert st.st_mode & 0o777 == 0o600 and st.st_uid == (owner or 0), oct(st.st_mode)
                    else:
                        assert st.st_mode & 0o777 == (0o666 if owner == 12345 else 0o600), oct(st.st_mode)
                    for uid in (0, NOBODY, 12345, 23456):
                        let_in = can_use(uid, d.path, parent)
                        assert bool(let_in) == (uid in may), (parent, user, owner, uid, let_in)
                    os.chmod(d.path, 0o666)
                    for uid in (0, NOBODY, 12345, 23456):
                        assert can_use(uid, d.path, parent) == (uid in may or (parent != "compute" and owner is None)), (parent, owner, uid)
                    if parent == "compute" and own:
                        d.session()
                        executor = eventually(lambda: wire.children_of(d.process.pid), "an executor")[0]
                        assert os.stat(f"/proc/{executor}").st_uid in (own, 0)
                    eventually(lambda: d.control.stats()["sessions_now"] == len(d.clients), "all have gone")
                    d.control.stop(2)
                    assert d.ended()[0] == 0 and not d.left()
                finally:
                    d.kill()


def test_ready_soon():
    """From exec to HELLO's answer, the best of ten; most of it is the dynamic loader."""
    best = 1e9
    for _ in range(10):
        with tempfile.TemporaryDirectory(prefix="control-") as folder:
            start = time.monotonic()
            d = Managed(folder, "null" if "null" in drivers() else "compute", wait=False)
            while not os.path.exists(d.control_path):
                time.sleep(0.0002)
            d.control = d.connect()
            d.control.hello()
            best = min(best, time.monotonic() - start)
            d.control.stop()
            d.ended()
            d.kill()
    print(f"# {best * 1000:.1f} ms")
    assert best < 0.5


if __name__ == "__main__":
    wire.main()
