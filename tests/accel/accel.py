# SPDX-License-Identifier: MIT
"""Guests with the driver of kernel/accel and OpenCL programs, and the device processes that they use.

    with machine("1G") as m:                    a device with that much memory, and a guest that has loaded the driver
        m.ok("clinfo")                          a script in the guest, as Guest.ok()
        m.devices[0].stats()["used"]            the device process's counters
        m.same_as_here("vadd")                  the program's output is the one of `tranche run` on this machine

    shared = Shared("1G")                       ... one for all tests of a file
    def test_x():
        with shared() as m: ...

The guest's only OpenCL driver is the build's libtranche-opencl.so; programs=ours("load") and others are in its PATH, beside
Debian's (tools/lib/vm_root.py).  At the end of a with-block the guest's kernel must not have complained (splats(); a test that expects
lines of the driver takes them with m.told()).
"""
import atexit
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(TOP / "tests" / "vm"), str(TOP / "tests" / "device")]
import guest  # noqa: E402
import tap  # noqa: E402
from guest import Cache, CannotFetch, Fetcher, Guest, GuestError, GuestTimeout, eventually, vfio_user  # noqa: E402
import control  # noqa: E402
import vm_module  # noqa: E402
import vm_root  # noqa: E402
import vm_splats  # noqa: E402

__all__ = ["Guest", "GuestError", "GuestTimeout", "Shared", "ours", "program", "device", "eventually", "machine", "main"]

BUILD = pathlib.Path(os.environ.get("TRANCHE_TEST_BUILD", TOP / "build"))
DEVICE = str(BUILD / "src/device/tranche-device")
TRANCHE = str(BUILD / "src/cli/tranche")
ICD = str(BUILD / "src/opencl/libtranche-opencl.so")
DRIVER = "tranche_accel"
PCI_DRIVER = "/sys/bus/pci/drivers/tranche_accel"
FIRST = "0000:00:01.0"              # where the first device stands
NAMES = control.STATS_NAMES[:15] + ["traps", "doorbells", "interrupts"]
USUAL = re.compile(r"tranche-device: (device \S+|port \d) is at .*|vm: .*")
BOOTS = {"memory": "512M"}


def program(path):
    """A program of the build's tests/ folder, for machine(programs=...)."""
    return str(BUILD / "tests" / path)


def ours(*names):
    """The programs of programs/."""
    return [program(f"accel/{name}") for name in names]


# --- the host's side ---

class Device:
    """A device process of its own, with a socket for QEMU and one for questions."""

    def __init__(self, folder, memory, *words):
        self.path, self.control_path = os.path.join(folder, "device"), os.path.join(folder, "control")
        self.said = open(os.path.join(folder, "errors"), "w+", encoding="utf-8")
        self.expected = []              # what it may complain of: regular expressions
        self.process = subprocess.Popen(
            [DEVICE, "--parent", "compute", "--type", "compute-pci", "--memory", memory, "--socket-path", self.path,
             "--control-socket", self.control_path, *words], stdin=subprocess.DEVNULL, stderr=self.said, start_new_session=True)
        self.control = None

    def wait_ready(self):
        eventually(lambda: os.path.exists(self.path) and os.path.exists(self.control_path) or self.process.poll() is not None,
                   "the device's socket", 30)
        assert self.process.poll() is None, self.errors()
        self.control = control.Control(self.control_path, timeout=30)
        self.control.hello()

    def for_qemu(self, **properties):
        return vfio_user(self.path, **properties)

    def stats(self):
        """{name: number}, as in struct trnc_control_stats."""
        body = self.control.ask(control.STATS)
        return dict(zip(NAMES, control.STATS_BODY.unpack(body)))

    def errors(self):
        with open(self.said.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def complaints(self):
        return [line for line in self.errors().splitlines()
                if not USUAL.fullmatch(line) and not any(re.search(word, line) for word in self.expected)]

    def executors(self):
        """Process ids of executors that have a window of the aperture."""
        return [pid for pid in descendants(self.process.pid) if has_window(pid)]

    def kill_executors(self, but=()):
        """As if each had crashed.  Return: how many there were"""
        killed = 0
        for pid in self.executors():
            with contextlib.suppress(ProcessLookupError):       # one that ended just now
                if pid not in but:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        return killed

    def is_idle(self):
        """No buffer, and no executor that serves a guest (one may be kept ready)."""
        return not self.stats()["used"] and not self.executors()

    def kill(self):
        """The device process alone, as if it had crashed."""
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        assert status == 0 and not self.complaints(), f"exit status {status}; the device process said:\n{self.errors()}"
        assert not os.path.exists(self.path), "the socket is still there"

    def close(self):
        if self.control:
            self.control.close()
        if self.process.poll() is None:
            self.kill()
        self.said.close()


def descendants(pid):
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as f:
                for child in map(int, f.read().split()):
                    found += [child, *descendants(child)]
    return found


def has_window(pid):
    """Is it an executor that maps a part of an aperture, which is a file that has no name?"""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            is_executor = f.read().startswith("tranche-exec")
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
            return is_executor and any(re.search(r"/#\d+ \(deleted\)$", line) for line in f)
    return False


@contextlib.contextmanager
def device(memory="1G", *words):
    """A running device process; at the end it must end as told, and must not have complained."""
    with tempfile.TemporaryDirectory(prefix="accel-") as folder:
        d = Device(folder, memory, *words)
        try:
            d.wait_ready()
            yield d
            if d.process.returncode != -signal.SIGKILL:
                d.end()
        except BaseException:
            print("# the device process said:\n# " + d.errors().strip().replace("\n", "\n# "))
            raise
        finally:
            d.close()


def run_here(command, memory="1G", folder=None, timeout=120):
    """A command in process mode on this machine.  Return: (exit status, stdout and stderr together)"""
    done = subprocess.run([TRANCHE, "run", "--alone", "--memory", memory, "--", "sh", "-c", command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, cwd=folder, check=False)
    return done.returncode, done.stdout


# --- the guest's side ---

class Machine:
    """A guest and its devices.  What Guest has, it has."""

    def __init__(self, g, devices):
        self.guest, self.devices = g, devices
        self.seen = 0                   # lines of dmesg that were looked at

    def __getattr__(self, name):
        return getattr(self.guest, name)

    @property
    def device(self):
        return self.devices[0]

    def load(self, timeout=60):
        self.ok(f"modprobe {DRIVER}", timeout=timeout)
        self.wait_nodes(len(self.devices))

    def wait_nodes(self, count, within=30):
        eventually(lambda: self.nodes() == count, f"{count} nodes in /dev/accel", within)

    def nodes(self):
        return len(self.run("ls /dev/accel 2>/dev/null")[1].split())

    def lines(self):
        """What the kernel has said since the guest's start, without times."""
        return [re.sub(r"^\[ *[\d.]+\] ", "", line) for line in self.run("dmesg")[1].splitlines()]

    def news(self):
        """... since one was last here."""
        lines = self.lines()
        new, self.seen = lines[self.seen:], len(lines)
        return new

    def told(self):
        """The driver's own news; a splat among the others is a failure."""
        new = self.news()
        check_splats(new)
        return [line for line in new if re.match(rf"{DRIVER}|tranche|\[drm\]", line)]

    def wait_file(self, path, job, within=120):
        """A file that a running program makes."""
        self.ok(f"until [ -e {path} ] || [ ! -d /run/vm/{job.number} ]; do usleep 20000; done", timeout=within)
        assert not job.is_done(), job.wait()

    def idle(self, within=60):
        """Everything is given back, in the guest and on the host."""
        for d in self.devices:
            try:
                eventually(d.is_idle, "nothing is in use any more", within)
            except AssertionError as error:
                raise AssertionError(f"{error}: {d.stats()}") from None

    def compare(self, command, here=None, memory="1G", timeout=120):
        """(status, output) in the guest, and the same on this machine in process mode."""
        there = self.run(command, timeout=timeout)
        return there, run_here(here or command, memory, timeout=timeout)

    def same_as_here(self, command, here=None, memory="1G", timeout=120):
        there, ours = self.compare(command, here, memory, timeout)
        assert ours[0] == 0 and ours[1].strip(), f"in process mode: exit status {ours[0]}\n{ours[1]}"
        assert there == ours, f"in the guest: exit status {there[0]}\n{there[1]}\nand here:\n{ours[1]}"
        return there[1]


def check_splats(lines):
    found = vm_splats.splats("\n".join(lines))
    assert not found, f"the guest's kernel complained, {len(found)} times, first:\n{found[0]}"


@contextlib.contextmanager
def machine(*memories, programs=(), files=(), load=True, modules=(), devices=None, **options):
    """A device for each of {memories}, or those of {devices}, and a guest with them; see Guest for other options."""
    with contextlib.ExitStack() as stack:
        made = devices if devices is not None else [stack.enter_context(device(memory)) for memory in memories]
        fetcher = Fetcher(Cache())
        g = stack.enter_context(Guest(
            devices=[d.for_qemu(id=f"dev{n}") for n, d in enumerate(made)], modules=[vm_module.module(fetcher), *modules],
            files=[*vm_root.opencl_files(BUILD), *files], programs=programs, usr=vm_root.usr_image(fetcher), fetcher=fetcher, **{**BOOTS, **options}))
        m = Machine(g, made)
        try:
            if load:
                m.load()
            yield m
            if g.is_running():
                check_splats(m.lines())
                leaked = vm_splats.leaks(g)     # in the debug kernel
                assert not leaked, f"{len(leaked)} objects leaked, first:\n{leaked[0]}"
                assert g.quit() == 0
        except BaseException:
            print("# the guest's kernel said:\n# " + last_lines(m).replace("\n", "\n# "))
            raise


def last_lines(m):
    try:
        return m.run("dmesg | tail -60", timeout=20)[1].strip()
    except GuestError:
        return m.last_words().strip()


class Shared:
    """One machine for all tests of a file, made when it is first wanted, and anew after a test that failed."""

    def __init__(self, *memories, **options):
        self.memories, self.options, self.stack, self.machine = memories, options, None, None
        self.is_registered = False

    @contextlib.contextmanager
    def __call__(self):
        if not self.machine:
            self.stack = contextlib.ExitStack()
            self.machine = self.stack.enter_context(machine(*self.memories, **self.options))
            if not self.is_registered:      # (after what temporary folders have registered: before their end)
                atexit.register(self.end)
            self.is_registered = True
        try:
            yield self.machine
            check_splats(self.machine.news())
        except BaseException as error:
            stack, self.stack, self.machine = self.stack, None, None
            with contextlib.suppress(BaseException):
                stack.__exit__(type(error), error, None)
            raise

    def end(self):
        if self.stack:
            stack, self.stack, self.machine = self.stack, None, None
            stack.close()


# --- running tests ---

def why_not(packages):
    for path in (DEVICE, ICD, TRANCHE):
        if not os.path.exists(path):
            return f"{path} was not built"
    reason = guest.why_not(packages)
    if reason:
        return f"no virtual machine: {reason}"
    try:
        fetcher = Fetcher(Cache())
        fetcher.headers()
        vm_root.usr_image(fetcher)
        vm_module.module(fetcher)
    except CannotFetch as error:
        return f"no guest with OpenCL programs: {error}"
    return None


def main(packages=(), seconds=400):
    """Runs the test functions of the calling program (tests/tap.py); skips where no such guest can be had."""
    os.environ.pop("LD_PRELOAD", None)
    tap.main(seconds * Fetcher.patience, lambda: why_not(packages))
