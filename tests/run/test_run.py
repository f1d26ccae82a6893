#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`tranche run`: exit status, signals, environment, and that nothing is left over.

Each test has a runtime folder of its own; no path outside of it is given to anything that removes files.
"""
import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import termios
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402

TRANCHE = os.environ.get("TRANCHE_TEST_TRANCHE", "build/src/cli/tranche")


class Place:
    def __init__(self, folder):
        self.runtime = os.path.join(folder, "runtime")
        self.folder = folder
        os.mkdir(self.runtime, 0o700)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": self.runtime}
        for name in ("OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH", "OCL_ICD_FILENAMES", "TRANCHE_DEVICE"):
            self.env.pop(name, None)

    def command(self, *words):
        return [TRANCHE, "run", *words]

    def run(self, *words, timeout=30, **options):
        return subprocess.run(self.command(*words), env=options.pop("env", self.env), text=True, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)

    def start(self, *words, **options):
        return subprocess.Popen(self.command(*words), env=self.env, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)

    def folders(self):
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(os.path.join(self.runtime, "tranche"))
        return []

    def processes(self):
        """Pids whose environment or command line names our runtime folder."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read()
                if self.runtime.encode() in line:
                    found.append(int(pid))
        return found

    def expect_clean(self, within=20):
        end = time.monotonic() + within
        while self.folders() or self.processes():
            assert time.monotonic() < end, f"left over: {self.folders()} {self.processes()}"
            time.sleep(0.01)


@contextlib.contextmanager
def place():
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        p = Place(folder)
        yield p
        p.expect_clean()


def test_status():
    with place() as p:
        for status in (0, 1, 2, 7, 126, 127, 255):
            assert p.run("--", "sh", "-c", f"exit {status}").returncode == status
        assert p.run("true").returncode == 0


def test_killed_by_a_signal():
    with place() as p:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGINT, signal.SIGPIPE):
            assert p.run("--", "sh", "-c", f"kill -{int(number)} $$", cwd=p.folder).returncode == -number, number
        assert not [name for name in os.listdir(p.folder) if name.startswith("core")]


def test_not_found():
    with place() as p:
        result = p.run("--", "/nonexistent/program")
        assert result.returncode == 127 and "/nonexistent/program" in result.stderr and result.stderr.count("\n") == 1
        result = p.run("--", p.folder)
        assert result.returncode == 126 and p.folder in result.stderr


def test_script_without_interpreter():
    with place() as p:
        path = os.path.join(p.folder, "script")
        with open(path, "w", encoding="ascii") as f:
            f.write('echo "script $1"; exit 5\n')
        os.chmod(path, 0o755)
        result = p.run("--", path, "one")
        assert (result.returncode, result.stdout) == (5, "script one\n")


def test_usage():
    with place() as p:
        for words in ([], ["--"], ["--nonsense", "true"], ["--memory"], ["--memory", "lots", "--", "true"],
                      ["--memory", "0", "true"], ["--host-device", "x", "true"], ["--host-device", "-1", "true"],
                      ["-d", "0,", "true"], ["-d", "0,x", "true"], ["-d", ",".join("0" * 17), "true"],
                      ["-m", "1M,", "true"], ["-d", "0,0", "-m", "1M,1M,1M", "true"], ["-m", "1M,1M", "true"]):
            result = p.run(*words)
            assert result.returncode == 2 and not result.stdout, (words, result)
            assert result.stderr.count("\n") in (1, 2) and len(result.stderr) < 300, (words, result)
        assert p.run("--help").returncode == 0
        assert not p.folders()


def test_verbs():
    def tranche(*words):
        return subprocess.run([TRANCHE, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20, check=False)

    assert "run" in tranche("help").stdout and tranche("--help").returncode == 0
    assert re.match(r"tranche \d+\.\d+", tranche("--version").stdout)
    for words in ([], ["fly"], ["--fly"]):
        result = tranche(*words)
        assert result.returncode == 2 and result.stderr.count("\n") == 1


def test_too_much_memory():
    with place() as p:
        result = p.run("--memory", "900T", "--", "echo", "ran")
        assert result.returncode == 1 and not result.stdout and "900 TiB" in result.stderr and "this machine has" in result.stderr


def test_streams():
    with place() as p:
        result = p.run("--", "sh", "-c", "cat; echo error >&2", input="text")
        assert (result.stdout, result.stderr) == ("text", "error\n")


def test_environment():
    with place() as p:
        out = p.run("--", "sh", "-c", 'env; cat "$OCL_ICD_VENDORS"/*').stdout
        env = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        assert env["OCL_ICD_VENDORS"] == env["OPENCL_VENDOR_PATH"] and env["OCL_ICD_VENDORS"].startswith(p.runtime)
        assert env["TRANCHE_DEVICE"].startswith(p.runtime)
        assert out.rstrip().endswith("libtranche-opencl.so")


def test_private_folder():
    with place() as p:
        out = p.run("--", "sh", "-c", 'd=$(dirname "$TRANCHE_DEVICE"); stat -c "%a %F" "$d" "$TRANCHE_DEVICE"').stdout
        assert out.splitlines() == ["700 directory", "600 socket"]


def test_inherits_nothing_else():
    """The program gets the caller's descriptors and none of ours; the device gets none of the caller's."""
    with place() as p:
        read, write = os.pipe()
        program = p.start("--", "sh", "-c", "ls /proc/self/fd; sleep 0.3", pass_fds=[write])
        os.close(write)
        out = program.communicate(timeout=20)[0].split()
        assert {int(fd) for fd in out} <= {0, 1, 2, 3, write}
        assert os.read(read, 1) == b""
        os.close(read)


def ready(program):
    assert program.stdout.readline() == "ready\n"


def test_signals_are_passed_on():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)        # what nohup ignores no shell can catch
    with place() as p:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            name = signal.Signals(number).name[3:]
            program = p.start("--", "sh", "-c", f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.01; done")
            ready(program)
            program.send_signal(number)
            assert program.wait(20) == 9, name


@contextlib.contextmanager
def terminal():
    """A controlling terminal for one program. Yields what presses a key on it, and the options of Popen."""
    keyboard, screen = os.openpty()

    def become_foreground():
        os.setsid()
        fcntl.ioctl(screen, termios.TIOCSCTTY, 0)

    try:
        yield (lambda key: os.write(keyboard, key)), {"preexec_fn": become_foreground}
    finally:
        os.close(keyboard)
        os.close(screen)


def test_ctrl_c():
    """The terminal tells the whole group: the program decides, once, and the device is not disturbed by it."""
    with place() as p, terminal() as (press, options):
        program = p.start("--", "sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.01; done", **options)
        ready(program)
        press(b"\x03")
        assert program.stdout.read() == "caught\n" and program.wait(20) == 4
    with place() as p, terminal() as (press, options):
        program = p.start("--", "sh", "-c", "echo ready; exec sleep 100", **options)
        ready(program)
        press(b"\x03")
        assert program.wait(20) == -signal.SIGINT


def test_killed_itself():
    """The program goes on; when it has ended the device cleans up."""
    with place() as p:
        program = p.start("--", "sh", "-c", 'echo ready; sleep 0.5; echo "$TRANCHE_DEVICE" > ' + p.folder + "/went-on")
        ready(program)
        program.kill()
        program.wait(20)
        tap.eventually(lambda: os.path.exists(p.folder + "/went-on"), "the program goes on", within=20)


def test_killed_device():
    """The program still ends with its own status, and the folder goes."""
    with place() as p:
        program = p.start("--", "sh", "-c", "echo ready; sleep 0.5; exit 6")
        ready(program)
        for pid in p.processes():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/comm", encoding="ascii") as f:
                if f.read().startswith("tranche-device"):
                    os.kill(pid, signal.SIGKILL)
        assert program.wait(20) == 6


def test_many_at_once():
    with place() as p:
        programs = [p.start("--", "sh", "-c", f"sleep 0.1; exit {i}") for i in range(10)]
        assert [program.wait(60) for program in programs] == list(range(10))


def test_nested():
    with place() as p:
        assert p.run("--", TRANCHE, "run", "--", "sh", "-c", "exit 3").returncode == 3
        out = p.run("--", TRANCHE, "run", "--", "env", env={**p.env, "OCL_ICD_VENDORS": "/host/vendors"}).stdout
        assert "TRANCHE_HOST_OCL_ICD_VENDORS=/host/vendors\n" in out


def test_stats():
    with place() as p:
        result = p.run("--stats", "--memory", "64M", "--", "echo", "out")
        assert result.returncode == 0 and result.stdout == "out\n"
        assert "64 MiB" in result.stderr and "used at most" in result.stderr


def test_several_devices():
    with place() as p:
        result = p.run("--store", "none", "-d", "0,0,5", "-m", "1M,2M,3M", "-s", "sh", "-c", 'echo "$TRANCHE_DEVICE"; exit 4')
        sockets = result.stdout.strip().split(":")
        assert result.returncode == 4 and len(set(sockets)) == 3 and all(s.startswith(p.runtime) for s in sockets)
        assert [result.stderr.count(f" {n} MiB") for n in (1, 2, 3)] == [1, 1, 1], result.stderr
        assert "device 2, on host device 5" in result.stderr
        # Without a store, whose size is told, too.
        assert p.run("--store", "none", "-d", "0,0", "-m", "7M", "-s", "true").stderr.count("7 MiB") == 2


def test_killed_with_several_devices():
    """Who is killed leaves the clearing to the devices, whichever ends last."""
    with place() as p:
        process = p.start("-d", "0,0,0", "--", "sh", "-c", "echo up; read line", stdin=subprocess.PIPE)
        assert process.stdout.readline() == "up\n"
        # (One whose command line is just being replaced has none.)
        tap.eventually(lambda: len(p.processes()) >= 3, "there is a process a device")
        process.kill()
        process.communicate(timeout=60)     # the program goes on until its input ends
        p.expect_clean()


def test_folder_of_somebody_else():
    """In a folder that others can write to, ours might be theirs."""
    with place() as p:
        os.mkdir(os.path.join(p.runtime, "tranche"), 0o700)
        os.chmod(os.path.join(p.runtime, "tranche"), 0o777)
        result = p.run("--", "true")
        assert result.returncode == 1 and "is not a folder of this user alone" in result.stderr


def test_background_program_loses_the_device():
    with place() as p:
        result = p.run("--", "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!")
        os.kill(int(result.stdout), signal.SIGKILL)     # it still runs
        assert result.returncode == 0


tap.main(90)
