# SPDX-License-Identifier: MIT
"""The folder of tools/vm: what was fetched and made, one folder a version, each complete from the moment it is there.

    KIND/NAME            a thing of one version, e.g. qemu/11.1.3+ds-1~bpo13+1
    KIND/NAME.current    a link to the version in use (NAME is empty where there is one of a kind)

Things are made under a lock, in a folder beside their place, and renamed: who looks sees all of it or nothing.
"""
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile


class VmError(Exception):
    """A sentence for a person."""


class CannotFetch(VmError):
    """What is needed is neither here nor to be had: no network, no mirror, another machine than x86-64."""


def say(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def remove_unlocked(path):
    """A folder; but one whose file "lock" is held by a builder stays."""
    if not os.path.isdir(path):
        os.unlink(path)
        return
    try:
        with open(os.path.join(path, "lock"), encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
    except FileNotFoundError:
        shutil.rmtree(path)
    except BlockingIOError:
        say(f"{path} stays: somebody builds there")


class Cache:
    REMEDY = "tools/vm clean --old makes room, TRANCHE_VM_CACHE=FOLDER keeps what is fetched somewhere else"

    def __init__(self, folder=None):
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        self.folder = folder or os.environ.get("TRANCHE_VM_CACHE") or os.path.join(base, "tranche", "vm")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    @contextlib.contextmanager
    def locked(self):
        """One maker at a time; what an interrupted one left is removed."""
        try:
            os.makedirs(self.folder, exist_ok=True)
            lock = open(self.path("lock"), "w", encoding="ascii")
        except OSError as error:
            raise VmError(f"cannot use the cache folder {self.folder}: {error.strerror} ({self.REMEDY})") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another tools/vm that fetches")
                fcntl.flock(lock, fcntl.LOCK_EX)
            for name in os.listdir(self.folder):
                if name.startswith("new."):
                    shutil.rmtree(self.path(name), ignore_errors=True)
            yield

    @contextlib.contextmanager
    def new(self, *parts):
        """An empty folder that becomes the place {parts} when the body is done.  Under the lock."""
        made = tempfile.mkdtemp(prefix="new.", dir=self.folder)
        try:
            yield made
            place = self.path(*parts)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.chmod(made, 0o755)
            if os.path.isdir(place):
                shutil.rmtree(place)
            os.rename(made, place)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def current(self, kind, name=""):
        """The folder in use, or None."""
        link = self.path(kind, f"{name}.current")
        return os.path.realpath(link) if os.path.isdir(link) else None

    def set_current(self, place, kind, name=""):
        link = self.path(kind, f"{name}.current")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link + ".new")
        os.symlink(os.path.basename(place), link + ".new")
        os.rename(link + ".new", link)

    def clean(self, old_only=False):
        """Removes all, or what no link of {current} leads to; not what somebody builds in at the moment."""
        if not os.path.isdir(self.folder):
            return
        with self.locked():
            for kind in os.listdir(self.folder):
                folder = self.path(kind)
                if kind == "lock" or not os.path.isdir(folder):
                    continue
                names = os.listdir(folder)
                used = {os.path.basename(os.path.realpath(os.path.join(folder, n))) for n in names if n.endswith(".current")}
                for name in names:
                    path = os.path.join(folder, name)
                    if os.path.islink(path):
                        if not old_only:
                            os.unlink(path)
                    elif not old_only or (name not in used and (used or os.path.exists(os.path.join(path, "lock")))):
                        remove_unlocked(path)
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
