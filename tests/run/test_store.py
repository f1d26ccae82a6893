#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Programs are compiled once: what is stored is used, and only where it fits."""
import contextlib
import glob
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402

TRANCHE = os.environ.get("TRANCHE_TEST_TRANCHE", "build/src/cli/tranche")
EXECUTOR = os.environ.get("TRANCHE_TEST_EXECUTOR", "build/src/executor/tranche-executor")
BUILD = os.environ.get("TRANCHE_TEST_BUILD", "build/tests/run/build_one")
SOURCE = "kernel void k(global int *p) { *p = %d; }"


def session(leader):
    """Processes of a session that are alive: number, name."""
    found = {}
    if not leader:  # the kernel's own
        return found
    for stat in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(stat, encoding="ascii", errors="replace") as f:
            pid, _, rest = f.read().partition(" (")
            name, _, rest = rest.rpartition(") ")
            state, _, _, of = rest.split()[:4]
            if int(of) == leader and state not in "ZX":
                found[int(pid)] = name
    return found


def device_of(command):
    """The device process of a `tranche run`: it leads a session of its own."""
    while command.poll() is None:
        with contextlib.suppress(OSError), open(f"/proc/{command.pid}/task/{command.pid}/children", encoding="ascii") as f:
            for pid in f.read().split():
                if os.getsid(int(pid)) == int(pid):
                    return int(pid)
        time.sleep(0.01)
    return 0


class Place:
    def __init__(self, folder):
        self.folder = folder
        self.store = os.path.join(folder, "store")
        self.leader = 0  # of the session of the last run's device
        self.leaders = []
        self.env = {**os.environ, "XDG_RUNTIME_DIR": folder, "TRANCHE_STORE": self.store}

    def start(self, options, words, cwd=None, **env):
        # The program begins when its device is known.
        command = [TRANCHE, "run", "--stats", *options, "--", "sh", "-c", 'read -r go && exec "$@" </dev/null', "sh", BUILD, *words]
        with subprocess.Popen(command, env={**self.env, **env}, cwd=cwd, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as done:
            self.leader = device_of(done)
            self.leaders.append(self.leader)
            out, err = done.communicate("go\n", timeout=120)
        assert done.returncode == 0, err
        return out, err

    def run(self, *words, **more):
        out, err = self.start((), words, **more)
        return out, self.count(err, "compiled"), self.count(err, "from store")

    def run_with(self, *options):
        """A run with options: its standard error."""
        return self.start(options, (SOURCE % 20,), cwd=self.folder)[1]

    def wait(self, limit=60):
        """For what tranche-parents still do after their runs: nobody else is left, and it has nothing of ours open."""
        end = time.monotonic() + limit
        while left := {pid: name for leader in self.leaders for pid, name in session(leader).items()}:
            assert set(left.values()) <= {"tranche-parent", "tranche-broker", "tranche-executo", "ld"}, left
            for pid in (pid for pid, name in left.items() if name in ("tranche-parent", "tranche-broker")):
                for number in (0, 1, 2):
                    with contextlib.suppress(OSError):
                        assert os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null", (pid, number)
            assert time.monotonic() < end, left
            time.sleep(0.05)

    @staticmethod
    def count(text, what):
        found = re.search(rf"programs {what} +(\d+)", text)
        return int(found.group(1)) if found else None

    def linkers(self, *words):
        """How often a linker is started while a program runs; None: nobody here can tell."""
        if not shutil.which("strace"):
            return None
        trace = os.path.join(self.folder, "trace")
        subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, TRANCHE, "run", "--", BUILD, *words],
                       env=self.env, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        with open(trace, encoding="utf-8", errors="replace") as f:
            return sum(1 for line in f if re.search(r'execve\("[^"]*/(ld|ld\.[a-z]+|lld)"', line))

    def files(self, name):
        return glob.glob(os.path.join(self.store, "entries", "*", "*", name))


def in_place(test):
    def wrapped():
        with tempfile.TemporaryDirectory(prefix="store-", dir="/var/tmp") as folder:
            place = Place(folder)
            try:
                test(place)
            finally:
                place.wait()
    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@in_place
def test_second_time(p):
    first = p.run(SOURCE % 5)
    assert first[1:] == (1, 0), first
    assert "value 0 5" in first[0], first[0]
    second = p.run(SOURCE % 5)
    assert second == (first[0], 0, 1), second
    assert p.run(SOURCE % 6)[1:] == (1, 0)
    assert p.run(SOURCE % 5, "-DX=1")[1:] == (1, 0)


@in_place
def test_error_is_not_stored(p):
    text, compiled, stored = p.run("kernel void k() { nonsense; }")
    assert "build -11" in text and "nonsense" in text, text
    assert (compiled, stored) == (1, 0)
    again = p.run("kernel void k() { nonsense; }")
    assert again[1:] == (1, 0), again
    assert not p.files("manifest")


@in_place
def test_headers(p):
    work = os.path.join(p.folder, "work")  # apart from the store, which is a folder of files like any other
    include = os.path.join(work, "include")
    os.makedirs(include)
    header = os.path.join(include, "h.h")
    source = '#include "h.h"\nkernel void k(global int *p) { *p = N; }'
    with open(header, "w", encoding="ascii") as f:
        f.write("#define N 1\n")
    for options, cwd in ((f"-I {include}", "/usr/share/pocl"), ("-I include", work), ("", include)):
        text, compiled, stored = p.run(source, options, cwd=cwd)
        assert "value 0 1" in text and (compiled, stored) == (1, 0), (options, text, compiled, stored)
        text, compiled, stored = p.run(source, options, cwd=cwd)
        assert "value 0 1" in text and (compiled, stored) == (0, 1), (options, text, compiled, stored)
    with open(header, "w", encoding="ascii") as f:
        f.write("#define N 2\n")
    text, compiled, stored = p.run(source, f"-I {include}", cwd="/usr/share/pocl")
    assert "value 0 2" in text and (compiled, stored) == (1, 0), (text, compiled, stored)
    os.unlink(header)
    text, compiled, _ = p.run(source, f"-I {include}", cwd="/usr/share/pocl")
    assert "build -11" in text and "'h.h' file not found" in text and compiled == 1, text


@in_place
def test_damaged(p):
    p.run(SOURCE % 7)
    for path in p.files("0"):
        with open(path, "r+b") as f:
            f.write(b"damage")
    text, compiled, stored = p.run(SOURCE % 7)
    assert "value 0 7" in text and (compiled, stored) == (1, 0), (text, compiled, stored)
    assert p.run(SOURCE % 7)[1:] == (0, 1)


@in_place
def test_without(p):
    text, compiled, stored = p.run(SOURCE % 8, TRANCHE_STORE="none")
    assert "value 0 8" in text and (compiled, stored) == (1, 0), (text, compiled, stored)
    assert p.run(SOURCE % 8, TRANCHE_STORE="none")[1:] == (1, 0)
    text, compiled, stored = p.run(SOURCE % 8, TRANCHE_STORE="/proc/nowhere")
    assert "value 0 8" in text and (compiled, stored) == (1, 0), (text, compiled, stored)
    assert not os.path.exists(p.store)


@in_place
def test_killed_without_store(p):
    """The folders of helpers whose broker was killed are removed by the next one."""
    p.env.update(TRANCHE_STORE="none", TMPDIR=p.folder)
    left = os.path.join(p.folder, f"tranche-build-{os.geteuid()}", "tmp")
    os.makedirs(os.path.join(left, "0123456789abcdef", "cache"), mode=0o700)
    for folder in (os.path.dirname(left), left):
        os.chmod(folder, 0o700)
    assert p.run(SOURCE % 12)[1:] == (1, 0)
    p.wait()
    assert not os.listdir(left), os.listdir(left)


@in_place
def test_work_group_functions(p):
    """What a program has launched is there for the next one, before it launches it."""
    p.run(SOURCE % 9, "")
    for seconds in ("2", "4", "8", "16"):
        p.run(SOURCE % 9, "", seconds)
        if len(p.files("manifest")) == 2 and not p.files("../*.wants"):
            break
    assert len(p.files("manifest")) == 2, "one entry for each of the host's devices"
    assert not glob.glob(os.path.join(p.store, "entries", "*", "*.wants"))
    # program.bc, and the function of a group of one.
    assert len(p.files("1")) == 2, p.files("*")
    assert "value 0 9" in p.run(SOURCE % 9)[0]
    time.sleep(0.2)
    assert not glob.glob(os.path.join(p.store, "entries", "*", "*.wants")), "it was made again"


@in_place
def test_options(p):
    text = p.run_with("--store", "here")
    here = os.path.join(p.folder, "here")
    assert "programs compiled      1" in text and f"are kept in {here}, " in text, text
    text = p.run_with("--store", here, "--no-fork-server")
    assert "programs compiled      0" in text and "programs from store    1" in text, text
    text = p.run_with("--store", "none")
    assert "programs compiled      1" in text and "are not kept" in text, text
    assert not os.path.exists(p.store)


@in_place
def test_store_that_cannot_be(p):
    """A folder that was asked for and cannot be used is named, and nothing is run."""
    plain, shared = os.path.join(p.folder, "plain"), os.path.join(p.folder, "shared")
    with open(plain, "w", encoding="ascii"):
        pass
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    for place, reason in ((plain, "Not a directory"), (os.path.join(plain, "x"), "Not a directory"),
                          (shared, "it is not this user's alone"), ("/proc/nope", "No such file or directory")):
        done = subprocess.run([TRANCHE, "run", "--store", place, "--", "echo", "ran"], capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == 1 and done.stdout == "", done
        assert f"programs cannot be kept in {place}: {reason}" in done.stderr and "name a folder with --store" in done.stderr, done


@in_place
def test_short_programs(p):
    """A program that ends at once leaves its work-group functions, too, and nobody waits for them."""
    p.run(SOURCE % 10)
    p.wait()
    assert p.linkers(SOURCE % 10) in (0, None)
    assert len(p.files("manifest")) == 2 and len(p.files("1")) == 2, p.files("*")
    assert not os.listdir(os.path.join(p.store, "tmp"))


@in_place
def test_killed_afterwards(p):
    """What was not made before tranche-parent was killed is made by the next one, and its folders are removed."""
    p.run(SOURCE % 11)
    for pid in session(p.leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    p.wait()
    p.run(SOURCE % 11)
    p.wait()
    assert p.linkers(SOURCE % 11) in (0, None)
    assert not os.listdir(os.path.join(p.store, "tmp"))


def build(identity):
    """A compile helper's exit status, for a program of a device of that identity."""
    def item(tag, data):
        return struct.pack("<II", tag, len(data)) + data + bytes(-len(data) % 8)

    with tempfile.TemporaryDirectory(prefix="store-", dir="/var/tmp") as folder:
        order = os.memfd_create("order")
        try:
            os.write(order, struct.pack("<4I", 0, 0, 0, identity) + item(16, struct.pack("<I", 1)) +
                     item(17, (SOURCE % 1).encode()))
            return subprocess.run(["sh", "-c", f'exec "$0" --build 3<>/proc/self/fd/{order}', EXECUTOR],
                                  env={**os.environ, "POCL_CACHE_DIR": folder, "TMPDIR": folder}, pass_fds=[order],
                                  check=False, timeout=60).returncode
        finally:
            os.close(order)


def test_another_device():
    """A helper that finds another device than the program's executor has builds nothing."""
    assert build(0) == 0
    assert build(0x7a5c0001) == 3


def why_not():
    env = {k: v for k, v in os.environ.items() if k != "TRANCHE_DEVICE"}
    if subprocess.run([BUILD, SOURCE % 1], env=env, stdout=subprocess.DEVNULL, check=False, timeout=60).returncode == 77:
        return "no OpenCL on this machine"
    return None


if __name__ == "__main__":
    tap.main(240, why_not)
