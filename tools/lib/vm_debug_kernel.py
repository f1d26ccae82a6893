# SPDX-License-Identifier: MIT
"""A kernel for guests that looks for the driver's faults: KASAN, lockdep, kmemleak, UBSAN and more (debug_kernel.config).

    debug-kernel/VERSION-HASH/RELEASE/  boot and lib/modules as in Debian's package; headers, for building modules
    debug-kernel/build-...              where it is built; who was interrupted goes on there

Debian's source of the stock guest's kernel, built once; HASH is that of the options and the compiler.
"""
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time

from vm_cache import CannotFetch, VmError, say
from vm_fetch import Fetcher
from vm_module import release_of
from vm_source import source, untar

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = os.path.join(HERE, "debug_kernel.config")
TOOLS = {"gcc": "gcc", "make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "/usr/include/gelf.h": "libelf-dev"}
FILES = 1500            # that are compiled, about
SAY_SECONDS = 30
GIB_NEEDED = 5          # while it is built


def wanted_options():
    with open(OPTIONS, encoding="utf-8") as f:
        return [line.strip() for line in f if line.startswith(("CONFIG_", "# CONFIG_"))]


def find_tools():
    missing = [package for tool, package in TOOLS.items() if not (os.path.exists(tool) if "/" in tool else shutil.which(tool))]
    if missing:
        raise CannotFetch(f"the debug kernel needs {', '.join(missing)} to be built (tools/setup --test)")


def key_of(version):
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    return f"{version}-{hashlib.sha256(repr((wanted_options(), compiler)).encode()).hexdigest()[:12]}"


class Build:
    """The folder of one build; what an interrupted one made is used."""

    def __init__(self, cache, folder, archive):
        self.cache, self.folder, self.archive = cache, folder, archive
        self.tree = os.path.join(folder, "linux")
        self.log = os.path.join(folder, "log")
        self.lock = None

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        self.lock = open(os.path.join(self.folder, "lock"), "w", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another tools/vm that builds the debug kernel")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, kind, value, trace):
        self.lock.close()

    def command(self, *words):
        return ["nice", "-n", "15", "make", "-C", self.tree, *words]

    def environment(self):
        dropped = ("MAKE", "MFLAGS", "KBUILD", "KCONFIG", "CROSS_COMPILE", "ARCH")
        env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        # (who and where would be in the kernel, and make each build another one)
        return {**env, "LC_ALL": "C", "KBUILD_BUILD_USER": "tranche", "KBUILD_BUILD_HOST": "debug"}

    def make(self, *words, **more):
        done = subprocess.run(self.command("-s", *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env={**self.environment(), **more}, check=False)
        if done.returncode:
            raise VmError(f"the debug kernel: make {words[0]} failed:\n{done.stdout.strip()[-3000:]}")
        return done.stdout

    def unpack(self):
        if os.path.exists(os.path.join(self.folder, "unpacked")):
            return
        if shutil.disk_usage(self.folder).free < GIB_NEEDED << 30:
            raise VmError(f"the disk of {self.folder} has not the {GIB_NEEDED} GiB that the debug kernel needs while it is built "
                          f"({self.cache.REMEDY})")
        shutil.rmtree(self.tree, ignore_errors=True)
        os.makedirs(self.tree)
        say("unpacking Linux's source")
        untar(self.archive, self.tree, "--exclude=*/Documentation/*")
        open(os.path.join(self.folder, "unpacked"), "w", encoding="ascii").close()

    def configure(self):
        # (Kconfig names a file of what was left out)
        os.makedirs(os.path.join(self.tree, "Documentation"), exist_ok=True)
        open(os.path.join(self.tree, "Documentation/Kconfig"), "a", encoding="ascii").close()
        self.make("allnoconfig", KCONFIG_ALLCONFIG=OPTIONS)
        with open(os.path.join(self.tree, ".config"), encoding="utf-8") as f:
            have = set(f.read().splitlines())
        missing = [line for line in wanted_options() if line not in have and not line.startswith("#")]
        if missing:
            raise VmError(f"the kernel's configuration does not take {', '.join(missing)} of {OPTIONS}: something that these need is off")

    def compile(self):
        """All of it, with a word now and then."""
        start = said = time.monotonic()
        done = sum(name.endswith(".o") for _, _, names in os.walk(self.tree) for name in names)
        jobs = os.cpu_count() or 1
        say(f"building the debug kernel: about {FILES} files, {jobs} at a time" + (f"; {done} are there" if done else ""))
        with open(self.log, "w", encoding="utf-8") as log, \
                subprocess.Popen(self.command(f"-j{jobs}", "bzImage", "modules"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace", env=self.environment()) as make:
            for line in make.stdout:
                log.write(line)
                done += bool(re.match(r"  (CC|AS) ", line))
                if time.monotonic() - said > SAY_SECONDS:
                    said = time.monotonic()
                    say(f"building the debug kernel: {done} of about {FILES} files in {said - start:.0f} s")
        if make.returncode:
            with open(self.log, encoding="utf-8") as log:
                lines = [line for line in log if re.search(r"error|Error|\*\*\*", line)]
            raise VmError(f"the debug kernel does not build (the log: {self.log}):\n{''.join(lines[-10:])}")
        say(f"built the debug kernel in {time.monotonic() - start:.0f} s")

    def install(self, place):
        """What guests and builders of modules need, at {place}, whole from the moment it is there."""
        made = os.path.join(self.folder, "result")
        shutil.rmtree(made, ignore_errors=True)
        release = release_of(self.tree)
        headers, boot, modules = (os.path.join(made, release, name) for name in ("headers", "boot", f"lib/modules/{release}"))
        os.makedirs(headers)
        os.makedirs(boot)
        self.make("run-command", f"KBUILD_RUN_COMMAND=$(srctree)/scripts/package/install-extmod-build {headers}")
        shutil.copy(os.path.join(self.tree, ".config"), headers)
        os.makedirs(os.path.join(modules, "kernel"))
        shutil.copy(os.path.join(self.tree, "modules.builtin"), modules)
        shutil.copy(os.path.join(self.tree, "arch/x86/boot/bzImage"), os.path.join(boot, f"vmlinuz-{release}"))
        subprocess.run(["strip", "-s", "-o", os.path.join(boot, "vmlinux"), os.path.join(self.tree, "vmlinux")], check=True)
        os.rename(made, place)


def debug_kernel(fetcher):
    """Its folder, as Fetcher.kernel() gives that of the stock one.

    Built where it is not there, which takes two processors that do nothing else 15 to 30 minutes.
    """
    folder = source(fetcher)
    find_tools()
    key = key_of(os.path.basename(folder))
    place = fetcher.cache.path("debug-kernel", key)
    if not os.path.isdir(place):
        with Build(fetcher.cache, fetcher.cache.path("debug-kernel", f"build-{key}"), os.path.join(folder, "linux.tar.xz")) as build:
            if not os.path.isdir(place):
                build.unpack()
                build.configure()
                build.compile()
                build.install(place)
                shutil.rmtree(build.folder, ignore_errors=True)
    if fetcher.cache.current("debug-kernel") != os.path.realpath(place):
        with contextlib.suppress(FileExistsError):      # another one says the same
            fetcher.cache.set_current(place, "debug-kernel")
    (release,) = os.listdir(place)
    return os.path.join(place, release)


def is_built(fetcher):
    """Without building or fetching anything."""
    folder = fetcher.cache.current("source")
    return folder is not None and os.path.isdir(fetcher.cache.path("debug-kernel", key_of(os.path.basename(folder))))


class DebugFetcher(Fetcher):
    """Gives guests, and modules for them, the debug kernel: Guest(fetcher=DebugFetcher(Cache()), ...)."""
    memory = "1G"           # a byte of eight is KASAN's, and what is freed stays in its quarantine for a while
    patience = 8            # it is that much slower

    def stock(self):
        return Fetcher(self.cache, self.unsigned, self.fresh)

    def kernel(self):
        return debug_kernel(self.stock())

    def headers(self):
        return os.path.join(self.kernel(), "headers")
