# SPDX-License-Identifier: MIT
"""The two sides of a comparison: a program run natively, and run through a wrapper.

Each side has its own home, temporary folder and kernel caches, because PoCL,
hashcat, pyopencl and OpenCV all keep compiled kernels there: a binary that one
side left behind must never be what the other side runs.
"""
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
POCL_ICD = pathlib.Path("/etc/OpenCL/vendors/pocl.icd")
SKIP = 77


class Skip(Exception):
    """A program or driver that this test needs is not installed."""


class Failure(Exception):
    """A program failed, or the two sides disagree."""


def default_wrapper():
    """tools/tranche of the source tree, without the trailing "--"."""
    command = ROOT / "tools" / "tranche"
    return [str(command), "run"] if os.access(command, os.X_OK) else None


class Result:
    """What one run left: its exit status, what it printed and how long it took."""

    def __init__(self, argv, status, stdout, stderr, seconds, work):
        self.argv, self.status, self.seconds, self.work = argv, status, seconds, work
        self.stdout, self.stderr = stdout, stderr

    def tail(self, lines=12):
        text = (self.stdout + "\n--- stderr\n" + self.stderr).splitlines()
        return "\n".join("    " + line for line in text[-lines:])


class Side:
    """One way to run programs. wrapper is None for native, else the command and
    its options up to, not including, the "--"."""

    def __init__(self, name, folder, wrapper=None, vendors=None):
        self.name, self.wrapper = name, wrapper
        if wrapper and "/" in wrapper[0]:       # programs run in another folder than ours
            self.wrapper = [os.path.abspath(wrapper[0]), *wrapper[1:]]
        self.folder = pathlib.Path(folder) / name
        for part in ("home", "tmp", "work", "pocl"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.vendors = pathlib.Path(vendors) if vendors else self._host_vendors()

    def _host_vendors(self):
        """The host's own PoCL and nothing else: an installed Tranche must not be
        among the platforms that the native side is compared with."""
        folder = self.folder / "vendors"
        folder.mkdir(exist_ok=True)
        if not POCL_ICD.exists():
            raise Skip(f"no PoCL on this machine ({POCL_ICD} is missing)")
        (folder / "pocl.icd").write_text(POCL_ICD.read_text())
        return folder

    def environment(self, extra=None):
        # MALLOC_PERTURB_: meson's, for tests of our own code.
        drop = ("MALLOC_PERTURB_", "TRANCHE_", "POCL_", "OCL_ICD_", "OPENCL_", "PYOPENCL_", "OPENCV_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
        # Where the build tree's command finds its parts is the wrapper's business.
        env.update({k: v for k, v in os.environ.items() if k.startswith("TRANCHE_") and self.wrapper})
        # hashcat takes the home of the password file where XDG's variables do not say otherwise.
        for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
            env[f"XDG_{kind}_HOME"] = str(self.folder / "home" / kind.lower())
        env.update(HOME=str(self.folder / "home"), TMPDIR=str(self.folder / "tmp"), LC_ALL="C.UTF-8",
                   POCL_CACHE_DIR=str(self.folder / "pocl"), OCL_ICD_VENDORS=str(self.vendors))
        env.update(extra or {})
        return env

    def command(self, argv, options=()):
        if self.wrapper is None:
            return list(argv)
        return [*self.wrapper, *options, "--", *argv]

    def run(self, argv, timeout, env=None, options=()):
        """Run argv to its end. Everything it started dies with it at the timeout."""
        command = self.command(argv, options)
        work = self.folder / "work"
        begin = time.monotonic()
        try:
            child = subprocess.Popen(command, cwd=work, env=self.environment(env), start_new_session=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True, errors="replace")
        except OSError as error:
            raise Failure(f"{self.name}: cannot run {command[0]}: {error}") from None
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            try:
                out, err = child.communicate(timeout=5)
            except subprocess.TimeoutExpired:   # something in another session still holds the pipes
                out, err = "", "(output lost: a process that it started lives on)"
            result = Result(command, child.returncode, out, err, time.monotonic() - begin, work)
            raise Failure(f"{self.name}: not finished after {timeout} s\n{result.tail()}") from None
        except BaseException:       # Ctrl-C does not reach another session
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        return Result(command, child.returncode, out, err, time.monotonic() - begin, work)


def end_cleanly_on_sigterm():
    """As on Ctrl-C: what was started ends, folders are removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def say(text):
    print(text, flush=True)


def die_skipped(reason):
    say(f"skipped: {reason}")
    sys.exit(SKIP)
