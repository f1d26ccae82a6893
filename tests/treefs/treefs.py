# SPDX-License-Identifier: MIT
"""What the tests here share: a tree that is mounted over a fake tranched, writers in processes of their own, listings."""
import contextlib
import ctypes
import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), HERE]
from fake_api import FakeApi, Refused  # noqa: E402, F401
from tap import eventually  # noqa: E402

TREEFS = os.environ.get("TRANCHE_TEST_TREEFS", "build/src/treefs/tranche-treefs")
UUID = "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f"
OTHER = "c0ffee00-0000-4000-8000-000000000001"
NOBODY = 65534


def why_not():
    """The reason for which nothing can be mounted here, or None."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "there is no /dev/fuse that this user may open"
    with tempfile.TemporaryDirectory(prefix="treefs-") as folder:
        mnt = os.path.join(folder, "mnt")
        os.mkdir(mnt)
        p = start(mnt, os.path.join(folder, "none.sock"))
        try:
            return None if is_mounted(mnt) else f"cannot mount here: {p.stderr.read().strip()[-200:]}"
        finally:
            end(p)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="treefs-") as f:
        os.chmod(f, 0o755)
        yield f


def is_mounted(path):
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return any(line.split()[1] == path for line in f)


def start(mnt, socket, *options):
    """A tranche-treefs that is ready, or has ended."""
    reader, writer = os.pipe()
    env = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "INVOCATION_ID", "TRANCHE_LOG")}
    p = subprocess.Popen([TREEFS, f"--ready-fd={writer}", "--socket", socket, *options, mnt], pass_fds=[writer], env=env,
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    readable, _, _ = select.select([reader], [], [], 20)
    if readable:
        os.read(reader, 1)
    os.close(reader)
    assert readable, "tranche-treefs is not ready after 20 s"
    return p


def end(p, how=signal.SIGTERM):
    p.send_signal(how)
    try:
        return p.wait(10)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        raise


class Tree:
    def __init__(self, top, api, process):
        self.top, self.api, self.process = top, api, process

    def path(self, *parts):
        return os.path.join(self.top, *parts)

    def type(self, parent, name, *parts):
        return self.path("class/mdev_bus", parent, "mdev_supported_types", name, *parts)

    def device(self, uuid, *parts):
        return self.path("bus/mdev/devices", uuid, *parts)

    def read(self, *parts):
        with open(self.path(*parts), encoding="utf-8") as f:
            return f.read()

    def write(self, path, data, flags=os.O_WRONLY):
        """One write. Return: what it returned."""
        fd = os.open(path, flags, 0o666)
        try:
            return os.write(fd, data.encode() if isinstance(data, str) else data)
        finally:
            os.close(fd)

    def create(self, uuid=UUID, parent="mtty", name="mtty-2"):
        assert self.write(self.type(parent, name, "create"), uuid) == len(uuid)

    def remove(self, uuid=UUID):
        assert self.write(self.device(uuid, "remove"), "1") == 1

    def has(self, uuid=UUID):
        return os.path.isdir(self.device(uuid))

    def available(self, parent="mtty", name="mtty-2"):
        return int(self.read(self.type(parent, name, "available_instances")))


@contextlib.contextmanager
def tree(*options, api=None, no_api=False):
    """A mounted tree; after the test it has ended without a complaint of a sanitizer, and is mounted no more."""
    with folder() as f:
        api = api or FakeApi(os.path.join(f, "api.sock"))
        if not no_api:
            api.start()
        mnt = os.path.join(f, "mnt")
        os.mkdir(mnt)
        p = start(mnt, api.path, *options)
        t = Tree(mnt, api, p)
        try:
            yield t
        finally:
            status = end(p) if p.poll() is None else p.returncode
            t.log = p.stderr.read()
            p.stderr.close()
            if api.server and os.path.exists(api.path):
                api.stop()
            if is_mounted(mnt):
                subprocess.run(["umount", "-l", mnt], check=False)
                raise AssertionError("the tree is still mounted")
        print("# log: " + t.log.strip().replace("\n", "\n# log: ") if t.log else "# log: empty")
        assert status == 0, f"tranche-treefs ended with {status}"
        assert "fuse:" not in t.log, "libfuse complains"


def errno_of(call, *args):
    """The error number of a call that must fail."""
    try:
        result = call(*args)
    except OSError as e:
        return e.errno
    raise AssertionError(f"did not fail but gave {result!r}")


def listing(top):
    """All of a tree, a line each: mode, size, path, and where a link points to, or what is in a file."""
    lines = []
    for folder_path, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder_path, name)
            st = os.lstat(path)
            line = f"{stat.filemode(st.st_mode)} {st.st_size:4} {os.path.relpath(path, top)}"
            if stat.S_ISLNK(st.st_mode):
                line += f" -> {os.readlink(path)}"
            elif stat.S_ISREG(st.st_mode) and st.st_mode & 0o400:
                with open(path, encoding="utf-8") as f:
                    line += f" {f.read()!r}"
            lines.append((os.path.relpath(path, top), line))
    return "".join(line + "\n" for _, line in sorted(lines))


def compare_golden(name, text):
    """TRANCHE_TEST_WRITE_GOLDEN=1 writes them anew: look at the difference then."""
    path = os.path.join(HERE, "golden", name)
    if os.environ.get("TRANCHE_TEST_WRITE_GOLDEN"):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    with open(path, encoding="utf-8") as f:
        wanted = f.read()
    if text != wanted:
        import difflib
        difference = "".join(difflib.unified_diff(wanted.splitlines(True), text.splitlines(True), "golden", "found"))
        raise AssertionError(f"{name} differs:\n{difference}")


class Writer:
    """A process that writes once; signals interrupt it, as it does not try again."""

    def __init__(self, path, data, flags=os.O_WRONLY, uid=None):
        self.out, result = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.out)
            try:
                self.run(path, data, flags, uid, result)
            finally:
                os._exit(0)
        os.close(result)

    @staticmethod
    def run(path, data, flags, uid, result):
        signal.alarm(60)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, True)
        libc = ctypes.CDLL(None, use_errno=True)
        if uid is not None:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        try:
            fd = os.open(path, flags)
        except OSError as e:
            os.write(result, f"open {e.errno}".encode())
            return
        n = libc.write(fd, data.encode(), len(data))
        os.write(result, f"{n} {ctypes.get_errno() if n < 0 else 0}".encode())

    def signal(self, number):
        os.kill(self.pid, number)

    def finish(self, timeout=20):
        """Return: what write() returned, and errno; None when it was killed."""
        readable, _, _ = select.select([self.out], [], [], timeout)
        if not readable:
            os.kill(self.pid, signal.SIGKILL)
        text = os.read(self.out, 100).decode() if readable else "late"
        os.close(self.out)
        os.waitpid(self.pid, 0)
        assert text != "late", f"the write has not returned after {timeout} s"
        if text.startswith("open "):
            return "open", int(text.split()[1])
        return tuple(int(word) for word in text.split()) or None


def wait_leaving(api, uuid, nr):
    """Until so many requests wait for the device."""
    eventually(lambda: api.leaving.get(uuid, 0) == nr, f"{nr} removals that wait for {uuid}", within=10)


def now():
    return time.monotonic()
