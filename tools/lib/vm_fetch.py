# SPDX-License-Identifier: MIT
"""What a virtual machine is made of: QEMU, the guest's kernel, and Debian packages for the guest."""
import os
import platform
import re
import shutil
import struct
import subprocess
import time

import vm_elf
from vm_apt import Apt, is_library
from vm_cache import CannotFetch, VmError, say

GUEST = "bookworm"                      # the guest's release, whatever the host's
QEMU_RELEASE = "trixie"                 # whose backports have a QEMU with a vfio-user client
DEVICE = "vfio-user-pci"
LIBS = "usr/lib/x86_64-linux-gnu"
USELESS = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug", "usr/share/info",
           f"{LIBS}/gconv", f"{LIBS}/audit", "lib/x86_64-linux-gnu/audit"]


def pin(packages, release):
    return f"Package: {packages}\nPin: release n={release}\nPin-Priority: 900\n\n"


def unpack_kernel(path):
    """The ELF file in a bzImage (Linux, Documentation/arch/x86/boot.rst), or None."""
    with open(path, "rb") as f:
        data = f.read()
    start, length = struct.unpack_from("<II", data, 0x248)      # payload_offset, payload_length
    start += (data[0x1f1] + 1) * 512                            # setup_sects
    # (the last four bytes are the length of what it becomes)
    done = subprocess.run(["zstd", "-dcq"], input=data[start:start + length - 4], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 and done.stdout.startswith(b"\x7fELF") else None


class Fetcher:
    memory = None           # what guests with this kernel need, whatever they ask for
    patience = 1            # all limits of time are that much longer

    def __init__(self, cache, unsigned=False, update=False):
        self.cache, self.unsigned, self.fresh = cache, unsigned, update
        self.read = set()       # whose lists were read anew

    def apt(self, name, releases, preferences=""):
        if platform.machine() != "x86_64":
            raise CannotFetch(f"tools/vm knows x86-64 machines only, this is {platform.machine()}")
        apt = Apt(self.cache.path("apt", name), releases, preferences, self.unsigned)
        apt.update(force=self.fresh and name not in self.read)
        self.read.add(name)
        return apt

    def guest_apt(self):
        return self.apt("guest", [GUEST, f"{GUEST}-backports"], pin("linux-image-amd64 linux-headers-amd64", f"{GUEST}-backports"))

    def keep(self, what, apt, wanted, kind, version, name="", finish=None):
        """Fetches {wanted} into KIND/[NAME_]VERSION and makes it the current one; returns its folder."""
        place = (kind, f"{name}_{version}" if name else version)
        if not os.path.isdir(self.cache.path(*place)):
            mib = sum(size for _, size in wanted.values()) / (1 << 20)
            say(f"fetching {what} {version}: {len(wanted)} packages, {mib:.0f} MiB")
            start = time.monotonic()
            with self.cache.new(*place) as tree:
                apt.unpack(wanted, tree)
                for folder in USELESS:
                    shutil.rmtree(os.path.join(tree, folder), ignore_errors=True)
                if finish:
                    finish(tree)
            say(f"fetched {what} in {time.monotonic() - start:.0f} s")
        self.cache.set_current(self.cache.path(*place), kind, name)
        return self.cache.path(*place)

    def have(self, kind, name=""):
        return None if self.fresh else self.cache.current(kind, name)

    # --- QEMU ---

    def fetch_qemu(self):
        if self.have("qemu"):
            return self.cache.current("qemu")
        with self.cache.locked():
            if self.have("qemu"):
                return self.cache.current("qemu")
            apt = self.apt("qemu", [QEMU_RELEASE, f"{QEMU_RELEASE}-backports"],
                           pin("src:qemu src:seabios src:ipxe", f"{QEMU_RELEASE}-backports"))
            wanted = {name: what for name, what in apt.resolve("qemu-system-x86").items()
                      if is_library(name) or re.match("qemu-|seabios|ipxe", name)}
            version = wanted["qemu-system-x86"][0].split(":")[-1]
            place = self.keep("QEMU", apt, wanted, "qemu", version, finish=self.trim_qemu)
            shutil.rmtree(apt.folder, ignore_errors=True)       # 140 MB of lists that serve once
            return place

    @staticmethod
    def trim_qemu(tree):
        """Leaves what an x86-64 machine needs: half of the libraries belong to other programs."""
        program = os.path.join(tree, "usr/bin/qemu-system-x86_64")
        modules = [os.path.join(folder, f) for folder, _, files in os.walk(os.path.join(tree, LIBS, "qemu")) for f in files]
        needed = {os.path.realpath(path) for path in vm_elf.closure([program], tree).values()}
        for path in modules:        # one that a display or a sound card would need, and that Debian only recommends, may lack a library
            try:
                needed |= {os.path.realpath(p) for p in vm_elf.closure([path], tree).values()}
            except FileNotFoundError:
                os.unlink(path)
        for top in ("usr/lib", "lib", "usr/bin", "usr/sbin"):
            for folder, _, files in os.walk(os.path.join(tree, top)):
                for name in files:
                    path = os.path.join(folder, name)
                    if not path.startswith((os.path.join(tree, LIBS, "qemu"), os.path.join(tree, "usr/lib/ipxe"))) and \
                            path != program and os.path.realpath(path) not in needed:
                        os.unlink(path)

    def qemu(self):
        """The words that start a QEMU with a vfio-user client: the system's own, or the cached one."""
        given = os.environ.get("TRANCHE_QEMU")
        if given:
            return [given]
        system = shutil.which("qemu-system-x86_64")
        if system and DEVICE in subprocess.run([system, "-device", "help"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                               check=False).stdout:
            return [system]
        tree = self.fetch_qemu()
        libs = os.path.join(tree, LIBS)
        return [os.path.join(libs, "ld-linux-x86-64.so.2"), "--library-path", libs, os.path.join(tree, "usr/bin/qemu-system-x86_64"),
                "-L", os.path.join(tree, "usr/share/qemu"), "-L", os.path.join(tree, "usr/share/seabios")]

    # --- the guest's kernel ---

    def kernel(self):
        """Its folder: boot/vmlinuz-RELEASE and lib/modules/RELEASE."""
        if self.have("linux"):
            return self.cache.current("linux")
        with self.cache.locked():
            if self.have("linux"):
                return self.cache.current("linux")
            apt = self.guest_apt()
            wanted = {name: what for name, what in apt.resolve("linux-image-amd64").items() if re.match(r"linux-image-\d", name)}
            if len(wanted) != 1:
                raise VmError(f"linux-image-amd64 of {GUEST}-backports brings no kernel")
            (name,) = wanted
            return self.keep("Linux", apt, wanted, "linux", name.replace("linux-image-", ""))

    def packed_kernel(self):
        """As it came: QEMU's firmware can wake no other one from sleep."""
        tree = self.kernel()
        return os.path.join(tree, "boot", f"vmlinuz-{os.path.basename(tree)}")

    def kernel_file(self):
        """What QEMU starts: the kernel unpacked where this machine can do that (it takes a guest a second), else as it came."""
        packed = self.packed_kernel()
        plain = os.path.join(os.path.dirname(packed), "vmlinux")
        if not os.path.exists(plain) and shutil.which("zstd"):
            with self.cache.locked():
                data = unpack_kernel(packed)
                if data:
                    with open(plain + ".new", "wb") as f:
                        f.write(data)
                    os.rename(plain + ".new", plain)
        return plain if os.path.exists(plain) else packed

    def headers(self):
        """The folder for `make -C` of modules for that kernel."""
        release = os.path.basename(self.kernel())
        place = self.cache.path("headers", release)
        if not os.path.isdir(place):
            with self.cache.locked():
                if not os.path.isdir(place):
                    apt = self.guest_apt()
                    wanted = {name: what for name, what in apt.resolve(f"linux-headers-{release}").items()
                              if re.match(r"linux-(headers|kbuild)-\d", name)}
                    self.keep("Linux headers", apt, wanted, "headers", release,
                              finish=lambda tree: self.mend_headers(tree, place))
        return os.path.join(place, "usr/src", f"linux-headers-{release}")

    @staticmethod
    def mend_headers(tree, place):
        """The packages say /usr/src and /usr/lib; here they lie elsewhere."""
        for folder in os.listdir(os.path.join(tree, "usr/src")):
            makefile = os.path.join(tree, "usr/src", folder, "Makefile")
            if os.path.isfile(makefile):
                with open(makefile, encoding="utf-8") as f:
                    text = f.read()
                with open(makefile, "w", encoding="utf-8") as f:
                    f.write(text.replace(" /usr/src/", f" {place}/usr/src/"))

    # --- packages for the guest ---

    def package(self, name):
        """A folder with the files of Debian's package and the libraries that they need."""
        if self.have("packages", name):
            return self.cache.current("packages", name)
        with self.cache.locked():
            if self.have("packages", name):
                return self.cache.current("packages", name)
            apt = self.guest_apt()
            found = apt.resolve(name)
            if name not in found:
                raise VmError(f"no package {name} in {GUEST}")
            wanted = {n: what for n, what in found.items() if n == name or is_library(n)}
            return self.keep(name, apt, wanted, "packages", wanted[name][0].split(":")[-1], name)
