# SPDX-License-Identifier: MIT
"""The guest's file system: busybox, kernel modules with what they depend on, programs with their libraries, other files."""
import hashlib
import io
import lzma
import os
import re
import stat
import subprocess

import vm_elf
from vm_cache import VmError

HERE = os.path.dirname(os.path.abspath(__file__))
LIBS = "usr/lib/x86_64-linux-gnu"
BIN = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin"]
FOLDERS = ["bin", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sys", "tmp", "usr", "usr/bin", "usr/sbin", "usr/lib", LIBS]
MOST_KEPT = 24          # cached images


class Cpio:
    """The "newc" format, which the kernel reads."""

    def __init__(self):
        self.out = io.BytesIO()
        self.made = set()

    def entry(self, name, mode, data=b"", rdev=(0, 0)):
        name = name.strip("/")
        if name in self.made:
            return
        folder = os.path.dirname(name)
        if folder and folder not in self.made:
            self.entry(folder, stat.S_IFDIR | 0o755)
        self.made.add(name)
        raw = name.encode() + b"\0"
        fields = [len(self.made), mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(raw), 0]
        self.put(b"070701" + b"".join(b"%08x" % field for field in fields) + raw)
        self.put(data)

    def put(self, data):
        self.out.write(data)
        self.out.write(b"\0" * (-len(data) % 4))

    def bytes(self):
        self.made.discard("TRAILER!!!")
        self.entry("TRAILER!!!", 0)
        return self.out.getvalue()

    def add_path(self, path, name):
        """A file of the host, or a folder with all in it."""
        if os.path.isdir(path):
            self.entry(name, stat.S_IFDIR | 0o755)
            for inner in sorted(os.listdir(path)):
                self.add_path(os.path.join(path, inner), f"{name}/{inner}")
            return
        with open(path, "rb") as f:
            self.entry(name, stat.S_IFREG | (0o755 if os.access(path, os.X_OK) else 0o644), f.read())


def module_data(path):
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def modinfo(data):
    """The pairs of a module's .modinfo section, found by its first key: they stand together, each ended by a NUL."""
    return re.findall(rb"(?:^|\0)(depends|softdep|alias|name)=([^\0]*)", data)


def canonical(name):
    return os.path.basename(name).split(".ko")[0].replace("-", "_")


class Modules:
    """The modules of one kernel's folder lib/modules/RELEASE."""

    def __init__(self, folder):
        self.folder = folder
        self.paths = {canonical(f): os.path.join(where, f) for where, _, files in os.walk(os.path.join(folder, "kernel"))
                      for f in files if ".ko" in f}
        with open(os.path.join(folder, "modules.builtin"), encoding="ascii") as f:
            self.builtin = f.read()
        self.builtin_names = {canonical(line) for line in self.builtin.split()}

    def collect(self, wanted):
        """{name: (data, names it needs, all pairs)} of the modules and what they need; a word with a "/" is a file's path."""
        found = {}
        todo = [(word, True) for word in wanted]
        for word in wanted:
            if "/" in word:
                self.paths[canonical(word)] = word
        while todo:
            word, must = todo.pop()
            name = canonical(word)
            if name in found or name in self.builtin_names:
                continue
            if name not in self.paths:
                if must:
                    raise VmError(f"no kernel module {name} in {self.folder}")
                continue
            data = module_data(self.paths[name])
            pairs = [(key.decode(), value.decode(errors="replace")) for key, value in modinfo(data)]
            hard = [n for key, value in pairs if key == "depends" for n in value.split(",") if n]
            soft = [n for key, value in pairs if key == "softdep" for n in value.split() if not n.endswith(":")]
            found[name] = (data, [canonical(n) for n in hard], pairs)
            todo += [(n, True) for n in hard] + [(n, False) for n in soft]
        return found

    def needs(self, name, found):
        """All that {name} needs, nearest first."""
        order = []
        todo = list(found[name][1])
        while todo:
            dep = todo.pop(0)
            if dep in found:
                order = [d for d in order if d != dep] + [dep]
                todo += found[dep][1]
        return order

    def add_to(self, cpio, wanted):
        found = self.collect(wanted)
        place = f"lib/modules/{os.path.basename(self.folder)}"
        for name, (data, _, _) in found.items():
            cpio.entry(f"{place}/{name}.ko", stat.S_IFREG | 0o644, data)
        dep = "".join(f"{name}.ko: {' '.join(d + '.ko' for d in self.needs(name, found))}".rstrip() + "\n" for name in found)
        alias = "".join(f"alias {value} {name}\n" for name, (_, _, pairs) in found.items() for key, value in pairs if key == "alias")
        soft = "".join(f"softdep {name} {value}\n" for name, (_, _, pairs) in found.items() for key, value in pairs if key == "softdep")
        for file, text in (("dep", dep), ("alias", alias), ("softdep", soft), ("symbols", ""), ("builtin", self.builtin)):
            cpio.entry(f"{place}/modules.{file}", stat.S_IFREG | 0o644, text.encode())


def add_programs(cpio, paths, root):
    """Programs' libraries, all into one folder, and the loader where programs look for it."""
    for name, path in sorted(vm_elf.closure(paths, root).items()):
        cpio.add_path(path, f"{LIBS}/{name}")
        if name.startswith("ld-linux"):
            cpio.entry(f"lib64/{name}", stat.S_IFLNK | 0o777, f"/{LIBS}/{name}".encode())


def package_files(tree):
    """{place in the guest: path} of a package's own programs and data; libraries come as they are needed."""
    files = {}
    for where, _, names in os.walk(tree):
        folder = os.path.relpath(where, tree)
        if re.match(r"(usr/)?lib(/|$)|(usr/)?lib64|etc|usr/share/initramfs-tools|usr/src", folder):
            continue
        for name in names:
            path = os.path.join(where, name)
            if os.path.exists(path):
                files[re.sub(r"^(s?bin)/", r"usr/\1/", f"{folder}/{name}")] = path
    return files


def add_package(cpio, tree):
    """Returns the names of its programs."""
    files = package_files(tree)
    for place, path in files.items():
        cpio.add_path(path, place)
    programs = [place for place in files if os.path.dirname(place) in BIN]
    add_programs(cpio, [files[place] for place in programs], tree)
    return programs


def split_pair(word):
    """HOST[:GUEST]"""
    host, _, guest = word.partition(":")
    return os.path.abspath(host), guest


def add_base(cpio, busybox_tree):
    busybox = os.path.join(busybox_tree, "bin", "busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for folder in FOLDERS:
        cpio.entry(folder, stat.S_IFDIR | (0o1777 if folder == "tmp" else 0o755))
    cpio.entry("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    cpio.add_path(busybox, "bin/busybox")
    for name in applets:
        cpio.entry(f"bin/{name}", stat.S_IFLNK | 0o777, b"busybox")
    cpio.entry("etc/passwd", stat.S_IFREG | 0o644, b"root::0:0:root:/root:/bin/sh\n")
    cpio.entry("etc/group", stat.S_IFREG | 0o644, b"root:x:0:\n")
    with open(os.path.join(HERE, "vm_init.sh"), "rb") as f:
        cpio.entry("init", stat.S_IFREG | 0o755, f.read())
    return set(applets)


def functions(programs, applets):
    """busybox's shell prefers its own programs to those of the same name in PATH; these functions do not.

    And "stream COMMAND...": its output goes to the host while it runs.
    """
    return 'stream() { "$@" >/run/vm/output 2>&1; }\n' + "".join(f'{name}() {{ /{place} "$@"; }}\n' for place in programs for name in [os.path.basename(place)] if name in applets)


def stamp_of(path):
    """What changes when a file or a folder's files do."""
    if os.path.isdir(path):
        return [stamp_of(os.path.join(path, name)) for name in sorted(os.listdir(path))]
    info = os.stat(path)
    return [path, info.st_size, info.st_mtime_ns, info.st_ino]


class Image:
    """What a guest's file system holds; build() gives its bytes, from the cache where it can."""

    def __init__(self, fetcher, modules=(), packages=(), files=(), programs=(), modules_dir=None):
        self.cache = fetcher.cache
        kernel = fetcher.kernel()
        self.modules_dir = modules_dir or os.path.join(kernel, "lib", "modules", os.path.basename(kernel))
        self.busybox = fetcher.package("busybox-static")
        self.packages = [fetcher.package(name) for name in packages]
        self.modules, self.programs = list(modules), [split_pair(word) for word in programs]
        self.files = [split_pair(word) for word in files]
        for path, _ in self.files + self.programs + [(os.path.abspath(m), "") for m in self.modules if "/" in m]:
            if not os.path.exists(path):
                raise VmError(f"{path} is not there")

    def key(self):
        """Everything that decides the bytes of {shared}."""
        ours = [os.path.join(HERE, name) for name in ("vm_init.sh", "vm_initramfs.py", "vm_elf.py")]
        what = [self.busybox, self.modules_dir, self.packages, self.modules, [stamp_of(path) for path in ours],
                [stamp_of(m) for m in self.modules if "/" in m]]
        return hashlib.sha256(repr(what).encode()).hexdigest()[:24]

    def shared(self):
        """What is the same for every run with these modules and packages."""
        cpio = Cpio()
        applets = add_base(cpio, self.busybox)
        programs = [program for tree in self.packages for program in add_package(cpio, tree)]
        cpio.entry("etc/vm-functions", stat.S_IFREG | 0o644, functions(programs, applets).encode())
        Modules(self.modules_dir).add_to(cpio, self.modules)
        return cpio.bytes()

    def cached(self):
        path = self.cache.path("initramfs", self.key() + ".cpio")
        try:
            os.utime(path)
            with open(path, "rb") as f:
                return f.read()
        except FileNotFoundError:
            data = self.shared()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.prune(os.path.dirname(path))
        with open(f"{path}.{os.getpid()}", "wb") as f:
            f.write(data)
        os.rename(f.name, path)
        return data

    @staticmethod
    def prune(folder):
        """Forgets the images that were not used for longest."""
        aged = []
        for name in os.listdir(folder):
            try:
                aged.append((os.stat(os.path.join(folder, name)).st_mtime, name))
            except FileNotFoundError:
                continue
        for _, name in sorted(aged)[:-MOST_KEPT]:
            try:
                os.unlink(os.path.join(folder, name))
            except FileNotFoundError:
                continue

    def own(self):
        """What belongs to this run alone.  The kernel unpacks it over the rest, so that a program's newer libraries win."""
        cpio = Cpio()
        for path, guest in self.programs:
            cpio.add_path(path, guest or f"usr/bin/{os.path.basename(path)}")
        add_programs(cpio, [path for path, _ in self.programs], "/")
        for path, guest in self.files:
            cpio.add_path(path, guest or f"root/{os.path.basename(path)}")
        return cpio.bytes()

    def build(self):
        shared = self.cached()
        return shared + b"\0" * (-len(shared) % 4) + self.own()
