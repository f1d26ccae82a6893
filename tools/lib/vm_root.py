# SPDX-License-Identifier: MIT
"""A guest's /usr with OpenCL programs of Debian's, as a disk image that is made without root and kept in the cache.

The image holds programs, Python and libraries, and no OpenCL driver at all: the guest's only one is what is put there for a
test, so that nothing works by accident.  What changes (our driver, programs under test) comes in the initramfs.
"""
import hashlib
import os
import shutil
import subprocess

import vm_elf
from vm_cache import VmError

PACKAGES = ["clinfo", "clblast-tests", "clpeak", "ocl-icd-libopencl1", "python3", "python3-numpy", "python3-appdirs", "python3-mako",
            "python3-pytools", "python3-six", "python3-platformdirs", "python3-pkg-resources"]
ALONE = ["python3-pyopencl"]        # without what it depends on: a driver of Debian's
DRIVERS = ("pocl", "mesa-opencl", "intel-opencl", "oclgrind")
FORMAT = 1                          # counts changes of what is made from the packages
KEPT = ["bin", "lib", "share"]      # of /usr
USELESS = ["share/doc", "share/man", "share/locale", "share/lintian", "share/bug", "share/info", "share/perl5", "share/bash-completion",
           "share/python3/runtime.d", "lib/python3/dist-packages/numpy/tests", "lib/x86_64-linux-gnu/perl-base",
           "lib/x86_64-linux-gnu/gconv", "lib/dpkg", "share/polkit-1"]
PROGRAMS = ("clinfo", "clpeak", "clblast_", "python3")
# Modules that a guest needs to have the image as its /usr (vm_init.sh).
MODULES = ["virtio_blk", "squashfs", "overlay"]


def mksquashfs(fetcher):
    """The words that start Debian's mksquashfs, whatever this machine has installed."""
    tree = fetcher.package("squashfs-tools")
    program = os.path.join(tree, "usr/bin/mksquashfs")
    loader = next(path for name, path in vm_elf.closure([program], tree).items() if name.startswith("ld-linux"))
    folders = [os.path.join(tree, folder) for folder in vm_elf.LIB_DIRS]
    return [loader, "--library-path", ":".join(folders), program]


def merge(tree, top):
    """Moves all of {tree}/{top} into {tree}/usr/{top}: one place for each file."""
    for where, _, names in os.walk(os.path.join(tree, top)):
        folder = os.path.join(tree, "usr", os.path.relpath(where, tree))
        os.makedirs(folder, exist_ok=True)
        for name in names:
            os.rename(os.path.join(where, name), os.path.join(folder, name))
    shutil.rmtree(os.path.join(tree, top), ignore_errors=True)


def link_alternatives(libs):
    """What Debian's installation would have linked: BLAS and LAPACK lie in folders of their own."""
    for folder in ("blas", "lapack"):
        for name in os.listdir(os.path.join(libs, folder)) if os.path.isdir(os.path.join(libs, folder)) else []:
            if not os.path.lexists(os.path.join(libs, name)):
                os.symlink(f"{folder}/{name}", os.path.join(libs, name))


def trim(usr):
    for name in os.listdir(usr):
        if name not in KEPT:
            shutil.rmtree(os.path.join(usr, name))
    for folder in USELESS:
        shutil.rmtree(os.path.join(usr, folder), ignore_errors=True)
    for name in os.listdir(os.path.join(usr, "bin")):
        if not name.startswith(PROGRAMS):
            os.unlink(os.path.join(usr, "bin", name))
    for where, folders, _ in os.walk(os.path.join(usr, "lib")):
        for name in [n for n in folders if n in ("tests", "test", "idlelib", "tkinter", "ensurepip", "lib2to3")]:
            shutil.rmtree(os.path.join(where, name))
            folders.remove(name)


def compile_python(usr):
    """Byte code, which a guest that only reads would make anew each time."""
    subprocess.run(["/usr/bin/python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", usr, "-p", "/usr",
                    os.path.join(usr, "lib")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def make_image(tree, maker):
    """Makes {tree}/usr.squashfs of the packages' files, and leaves nothing else."""
    for top in ("bin", "lib"):
        merge(tree, top)
    usr = os.path.join(tree, "usr")
    link_alternatives(os.path.join(usr, "lib/x86_64-linux-gnu"))
    trim(usr)
    compile_python(usr)
    # Not compressed: an emulated processor takes longer to unpack it than this machine's disk to give it.
    done = subprocess.run([*maker, usr, os.path.join(tree, "usr.squashfs"), "-all-root", "-noI", "-noD", "-noF", "-noX", "-no-xattrs",
                           "-no-progress", "-quiet"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VmError(f"mksquashfs could not make a disk image: {(done.stderr or done.stdout).strip()}")
    for name in os.listdir(tree):
        if name != "usr.squashfs":
            shutil.rmtree(os.path.join(tree, name))


def resolve(apt):
    """Which packages, in which versions."""
    wanted = apt.resolve(*PACKAGES)
    for name in ALONE:
        wanted[name] = apt.resolve(name)[name]
    drivers = [name for name in wanted if any(word in name for word in DRIVERS)]
    if drivers:
        raise VmError(f"{', '.join(drivers)}: an OpenCL driver would come into the guest; tools/lib/vm_root.py must leave it out")
    return wanted


def usr_image(fetcher):
    """The path of the image, fetched and made when it is not there."""
    recipe = hashlib.sha256(repr((PACKAGES, ALONE, FORMAT)).encode()).hexdigest()[:8]
    name = f"opencl-{recipe}"
    if not fetcher.have("root", name):
        maker = mksquashfs(fetcher)
        with fetcher.cache.locked():
            if not fetcher.have("root", name):
                apt = fetcher.guest_apt()
                wanted = resolve(apt)
                version = hashlib.sha256(repr(sorted(wanted.items())).encode()).hexdigest()[:12]
                fetcher.keep("OpenCL programs for guests", apt, wanted, "root", version, name, finish=lambda tree: make_image(tree, maker))
    return os.path.join(fetcher.cache.current("root", name), "usr.squashfs")


def opencl_files(build):
    """For Guest(files=...): the OpenCL driver of a build folder, at its very path, and what tells the loader of it."""
    library = os.path.join(os.path.abspath(build), "src/opencl/libtranche-opencl.so")
    return [f"{library}:{library}", os.path.join(os.path.dirname(library), "tranche.icd") + ":/etc/OpenCL/vendors/tranche.icd"]
