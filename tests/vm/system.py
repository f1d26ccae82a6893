# SPDX-License-Identifier: MIT
"""A guest in which systemd runs, with D-Bus and a journal, and Tranche as `meson install` lays it out.

    system = System(BUILD)
    system.boot()                       systemd is PID 1 of a PID namespace, on a file system of its own
    system.install()                    as the README of packaging/systemd says
    system.ok("systemctl start tranched")
    system.shutdown(); system.boot()    a reboot: /run is new, everything else is kept

The guest's own init stays outside and carries our scripts in: systemd can be started twice in seconds, and whatever it does to
the machine it does to the guest.  Users: root, alice and bob.
"""
import io
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]
from guest import Guest, GuestError, eventually  # noqa: E402 (it knows where the others lie)
from vm_cache import Cache  # noqa: E402
import vm_elf  # noqa: E402
from vm_fetch import Fetcher  # noqa: E402

PACKAGES = ["systemd", "dbus", "dbus-daemon", "dbus-system-bus-common"]
LIBS = "usr/lib/x86_64-linux-gnu"
# What of these packages a small machine needs; no terminals, no udev, no log-ins.
PROGRAMS = ["systemd", "systemctl", "systemd-run", "systemd-sysusers", "systemd-tmpfiles", "systemd-analyze", "journalctl", "busctl",
            "systemd-journald", "systemd-shutdown", "dbus-daemon"]
FOLDERS = ["lib/systemd/system", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d", "usr/share/dbus-1", "etc/systemd"]
WANTED = {"sysinit.target.wants": ["systemd-sysusers.service", "systemd-tmpfiles-setup.service", "systemd-journald.service"],
          "sockets.target.wants": ["systemd-journald.socket", "systemd-journald-dev-log.socket", "dbus.socket"]}
FILES = {
    "etc/passwd": "root::0:0:root:/root:/bin/sh\nalice::1001:1001::/:/bin/sh\nbob::1002:1002::/:/bin/sh\n",
    "etc/group": "root:x:0:\nalice:x:1001:\nbob:x:1002:\n",
    "etc/os-release": "ID=guest\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/systemd/journald.conf.d/guest.conf": "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n",
}
# In the guest, outside.  What systemd sees is {/system}; its number, as seen from here, is in /run/system.pid.
BOOT = """
cd /system
read -r pid _ </proc/self/stat
echo "$pid" >/run/system.pid
mount -t proc proc proc
mount -t sysfs sys sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --bind /dev dev
mount -t tmpfs -o mode=0755 run run
mount -t tmpfs tmp tmp
mount -o move . /
exec env -i container=guest chroot . /usr/lib/systemd/systemd
"""


class Tar:
    """Files of a guest, that belong to root."""

    def __init__(self):
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", dereference=False)
        self.made = set()

    def entry(self, name, kind=tarfile.REGTYPE, mode=0o644, data=b"", target=""):
        if name in self.made:
            return
        folder = os.path.dirname(name)
        if folder and folder not in self.made:
            self.entry(folder, tarfile.DIRTYPE, 0o755)
        self.made.add(name)
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size, info.linkname = kind, mode, len(data), target
        self.tar.addfile(info, io.BytesIO(data))

    def link(self, name, target):
        self.entry(name, tarfile.SYMTYPE, 0o777, target=target)

    def file(self, path, name):
        path = pathlib.Path(path)
        if path.is_symlink():
            self.link(name, os.readlink(path))
        else:
            self.entry(name, mode=path.stat().st_mode & 0o777, data=path.read_bytes())

    def folder(self, path, name, leave_out=()):
        for where, folders, names in os.walk(path):
            place = os.path.normpath(os.path.join(name, os.path.relpath(where, path)))
            folders[:] = [f for f in folders if f not in leave_out]
            for file in names:
                self.file(os.path.join(where, file), f"{place}/{file}")

    def programs(self, paths, root):
        """The libraries of programs."""
        for name, path in sorted(vm_elf.closure([str(p) for p in paths], str(root)).items()):
            self.file(os.path.realpath(path), f"{LIBS}/{name}")
            if name.startswith("ld-linux"):
                self.link(f"usr/lib64/{name}", f"/{LIBS}/{name}")

    def bytes(self):
        self.tar.close()
        return self.out.getvalue()


def merged(name):
    """Where a file lies when /bin, /sbin and /lib are those of /usr."""
    return name if name.startswith(("usr/", "etc/", "var/")) else f"usr/{name}"


def add_package(tar, tree):
    tree = pathlib.Path(tree)
    programs = [p for folder in ("bin", "usr/bin", "lib/systemd") for p in sorted((tree / folder).glob("*"))
                if p.name in PROGRAMS and p.is_file()]
    for path in programs:
        if not (path.name == "systemd" and path.parent.name == "bin"):     # a link
            tar.file(path, merged(str(path.relative_to(tree))))
    wants = [p.name for p in (tree / "lib/systemd/system").glob("*.wants")]
    for folder in FOLDERS:
        if (tree / folder).is_dir():
            tar.folder(tree / folder, merged(folder), leave_out=wants)
    return programs


def system_tar(fetcher):
    """A file system with systemd, and nothing of ours."""
    tar = Tar()
    for name in ("bin", "sbin", "lib", "lib64"):
        tar.link(name, f"usr/{name}")
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "home", "var", "var/log", "usr/sbin", "usr/bin", "usr/lib64"):
        tar.entry(name, tarfile.DIRTYPE, 0o755)
    tar.link("var/run", "/run")
    for name, text in FILES.items():
        tar.entry(name, data=text.encode())
    for package in PACKAGES:
        tree = fetcher.package(package)
        tar.programs(add_package(tar, tree), tree)
    for folder, units in WANTED.items():
        for unit in units:
            tar.link(f"usr/lib/systemd/system/{folder}/{unit}", f"../{unit}")
    tar.link("etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target")
    # Long options of these, which units use, are none of busybox's.
    tools = [shutil.which(name) for name in ("ln", "umount")]
    for path in tools:
        tar.file(os.path.realpath(path), f"usr/bin/{os.path.basename(path)}")
    tar.programs(tools, "/")
    busybox = os.path.join(fetcher.package("busybox-static"), "bin", "busybox")
    tar.file(busybox, "usr/bin/busybox")
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        tar.link(f"usr/bin/{name}", "busybox")
    return tar.bytes()


def tranche_tar(build):
    """What `meson install` puts where, with the libraries of the programs."""
    tar = Tar()
    with tempfile.TemporaryDirectory(prefix="tranche-vm-") as d:
        done = subprocess.run(["meson", "install", "--no-rebuild", "--quiet", "-C", build, "--destdir", d], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        programs = [p for name in ("tranched", "tranche", "tranche-*") for p in pathlib.Path(d).rglob(name)
                    if p.is_file() and os.access(p, os.X_OK) and p.read_bytes()[:4] == b"\x7fELF"]
        # Libraries of the host may be newer than the guest's: they come later, and newer ones serve everybody.
        tar.programs(programs, "/")
        for path in programs:
            tar.file(path, str(path.relative_to(d)))
        for folder in ("systemd", "sysusers.d", "tmpfiles.d"):
            for path in pathlib.Path(d).rglob(folder):
                tar.folder(path, str(path.relative_to(d)))
    return tar.bytes()


class System:
    def __init__(self, build, **guest):
        fetcher = Fetcher(Cache())
        with tempfile.TemporaryDirectory(prefix="tranche-vm-") as d:
            for name, data in (("system.tar", system_tar(fetcher)), ("tranche.tar", tranche_tar(build))):
                pathlib.Path(d, name).write_bytes(data)
            self.guest = Guest(files=[f"{d}/system.tar:/system.tar", f"{d}/tranche.tar:/tranche.tar"], memory="1G", share=None,
                               fetcher=fetcher, **guest)
        self.guest.ok("mkdir /system && mount -t tmpfs -o mode=0755 system /system && tar -C /system -xf /system.tar && rm /system.tar")
        self.guest.write("/boot", BOOT.encode())

    def boot(self):
        """Returns when systemd has started everything that is enabled."""
        self.job = self.guest.launch("rm -f /run/system.pid; exec unshare --fork --pid --mount sh /boot")
        self.guest.ok("until [ -s /run/system.pid ] && [ -S /proc/$(cat /run/system.pid)/root/run/systemd/private ]; do usleep 50000; done", timeout=120)
        self.pid = int(self.guest.ok("cat /run/system.pid"))
        self.ok("until systemctl -q is-active multi-user.target; do usleep 100000; done", timeout=120)

    def shutdown(self, timeout=120):
        """systemd stops everything and ends."""
        # (what "systemctl poweroff" asks for where there is a logind)
        self.run("systemctl start --no-block --job-mode=replace-irreversibly poweroff.target")
        self.job.wait(timeout)

    def install(self):
        """By hand, as the README says; users are in no group of ours."""
        self.guest.ok("tar -C /system -xf /tranche.tar; cp /tranche.tar /system/root/")
        self.ok("systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload")

    # --- scripts ---

    def inside(self, script):
        return f"exec nsenter -t {self.pid} -m -p env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin sh -c {shlex.quote(script)}"

    def run(self, script, timeout=60):
        """(exit status, output without blanks at its ends)"""
        status, output = self.guest.run(self.inside(script), timeout=timeout)
        return status, output.strip()

    def ok(self, script, timeout=60):
        try:
            return self.guest.ok(self.inside(script), timeout=timeout)
        except GuestError as error:
            raise GuestError(f"{error}\nthe journal's end:\n{self.journal()}") from None

    def run_as(self, user, script, timeout=60):
        return self.run(f"exec su -s /bin/sh {user} -c {shlex.quote(script)}", timeout)

    def journal(self, words="-n 40"):
        return self.run(f"journalctl --no-pager -q -o short-monotonic {words}")[1]

    def eventually_says(self, words, text):
        """The journal has a line with the text: what programs say comes to it in its own time."""
        self.eventually(f"journalctl --no-pager -q {words} | grep -qF {shlex.quote(text)}", f"the journal ({words}) says: {text}")

    def show(self, unit, *properties):
        """A unit's properties: one value, or several."""
        values = [self.ok(f"systemctl show --value -p {name} '{unit}'") for name in properties]
        return values[0] if len(values) == 1 else values

    def eventually(self, script, what, within=20):
        return eventually(lambda: self.run(script)[0] == 0, what, within)

    def close(self):
        self.guest.kill()
