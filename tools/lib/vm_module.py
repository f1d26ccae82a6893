# SPDX-License-Identifier: MIT
"""The guest's driver (kernel/accel), built for a kernel's headers, out of the tree, into the cache.

    modules/RELEASE-CHECKOUT/   where it is built: a copy of the sources, so that make finds what has changed
    modules/KEY/                what came of it: tranche_accel.ko and, where the kernel has KUnit, tranche_accel_test.ko

KEY is a hash of the sources, the kernel and the flags: what was built once is not built again.
"""
import errno
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from vm_cache import CannotFetch, VmError

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAME = "tranche_accel"
DRIVER = "kernel/accel"
# What a build reads of the tree: folder, the ends of names.
SOURCES = [(DRIVER, (".c", ".h", "Kbuild", "Makefile")), ("include/tranche/wire", (".h",)), ("uapi/drm", (".h",))]
# Warnings are errors here; without pahole there is no BTF, and debug information is left out: nobody reads it in a guest.
FLAGS = ["W=1", "KCFLAGS=-Werror", "CONFIG_DEBUG_INFO=", "CONFIG_DEBUG_INFO_BTF_MODULES="]
MOST_KEPT = 12          # results


def sources(top=TOP):
    """{place in the tree: bytes}"""
    found = {}
    for folder, ends in SOURCES:
        for where, _, names in os.walk(os.path.join(top, folder)):
            for name in names:
                if name.endswith(ends) and not name.startswith(".") and not name.endswith(".mod.c"):
                    path = os.path.join(where, name)
                    with open(path, "rb") as f:
                        found[os.path.relpath(path, top)] = f.read()
    if not any(place.startswith(DRIVER + "/") and place.endswith(".c") for place in found):
        raise VmError(f"{os.path.join(top, DRIVER)} has no sources of a driver")
    return found


def release_of(headers):
    try:
        with open(os.path.join(headers, "include/config/kernel.release"), encoding="ascii") as f:
            return f.read().strip()
    except OSError as error:
        raise VmError(f"{headers} is no folder of a kernel's headers: {error.strerror}: {error.filename} "
                      "(that of the running kernel: /lib/modules/$(uname -r)/build)") from error


def key_of(found, headers):
    digest = hashlib.sha256(repr((FLAGS, headers, release_of(headers))).encode())
    for place in sorted(found):
        digest.update(f"{place}\0{len(found[place])}\0".encode() + found[place])
    return digest.hexdigest()[:24]


class Workshop:
    """The folder in which the driver is built for one kernel; one builder at a time."""

    def __init__(self, cache, headers, top=TOP):
        self.headers, self.top = os.path.realpath(headers), os.path.realpath(top)
        checkout = hashlib.sha256(f"{self.top}\0{self.headers}".encode()).hexdigest()[:8]
        self.folder = cache.path("modules", f"{release_of(headers)}-{checkout}")
        self.lock = None

    def __enter__(self):
        if not shutil.which("make") or not shutil.which("gcc"):
            raise CannotFetch("the guest's driver needs make and gcc to be built (tools/setup --test)")
        os.makedirs(self.folder, exist_ok=True)
        self.lock = open(os.path.join(self.folder, "lock"), "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, kind, value, trace):
        self.lock.close()

    def fill(self, found):
        """Files that are as they were keep their times."""
        for where, _, names in os.walk(os.path.join(self.folder, DRIVER)):
            for name in names:
                place = os.path.relpath(os.path.join(where, name), self.folder)
                if name.endswith((".c", ".h")) and not name.endswith(".mod.c") and place not in found:
                    os.unlink(os.path.join(where, name))
        for place, data in found.items():
            path = os.path.join(self.folder, place)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                with open(path, "rb") as f:
                    if f.read() == data:
                        continue
            except FileNotFoundError:
                pass
            with open(path, "wb") as f:
                f.write(data)

    def make(self, *words):
        """Return: (exit status, output with the tree's own paths)"""
        command = ["make", "-C", self.headers, f"M={self.folder}/{DRIVER}", f"-j{os.cpu_count()}", *FLAGS, *words]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "KBUILD"))}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", env={**env, "LC_ALL": "C"}, check=False)
        return done.returncode, re.sub(rf"({re.escape(self.folder)}|{re.escape(os.path.realpath(self.folder))})/", "", done.stdout)


def complaints(output):
    lines = [line for line in output.splitlines() if re.search(r"\b(error|warning)\b|ERROR|WARNING|undefined", line)]
    return "\n".join(lines or output.strip().splitlines()[-15:])


def keep(built, cache, key):
    """The modules without what is of no use in a guest, at their place, whole from the moment they are there."""
    place = cache.path("modules", key)
    made = tempfile.mkdtemp(prefix=f".{key}.", dir=cache.path("modules"))
    try:
        for path in built:
            target = shutil.copy(path, made)
            subprocess.run(["strip", "--strip-debug", target], check=False)
        os.chmod(made, 0o755)
        os.rename(made, place)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise               # else: another one was faster, with the same
    finally:
        shutil.rmtree(made, ignore_errors=True)


def time_of(place):
    """When it was used, or 0: another one has just removed it."""
    try:
        return os.path.getmtime(place)
    except FileNotFoundError:
        return 0


def forget(cache):
    """The results that were not used for longest."""
    places = [p for p in glob.glob(cache.path("modules", "*")) if re.fullmatch(r"[0-9a-f]{24}", os.path.basename(p))]
    for place in sorted(places, key=time_of)[:-MOST_KEPT]:
        shutil.rmtree(place, ignore_errors=True)


def is_kept(place):
    """Is it there?  Then it is in use from now on, so that nobody forgets it."""
    try:
        os.utime(place)
    except FileNotFoundError:
        return False
    return os.path.exists(os.path.join(place, f"{NAME}.ko"))


def build_at(workshop, found, cache, key):
    workshop.fill(found)
    status, output = workshop.make("modules")
    if status or "WARNING:" in output:
        raise VmError(f"{DRIVER} does not build for {release_of(workshop.headers)}:\n{complaints(output)}")
    keep(glob.glob(f"{workshop.folder}/{DRIVER}/*.ko"), cache, key)


def build(fetcher, headers=None, top=TOP):
    """Builds what has changed.  Return: the folder with tranche_accel.ko for the kernel with these headers (the stock guest's)."""
    headers = headers or fetcher.headers()
    found = sources(top)
    key = key_of(found, headers)
    place = fetcher.cache.path("modules", key)
    if not is_kept(place):
        with Workshop(fetcher.cache, headers, top) as workshop:
            if not is_kept(place):      # (somebody may have built it meanwhile)
                build_at(workshop, found, fetcher.cache, key)
        forget(fetcher.cache)
    return place


def module(fetcher, headers=None, top=TOP):
    """The path of the guest's driver, built where that is needed; as Guest(modules=[...]) takes it."""
    return os.path.join(build(fetcher, headers, top), f"{NAME}.ko")
