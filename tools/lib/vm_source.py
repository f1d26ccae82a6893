# SPDX-License-Identifier: MIT
"""The source of the guest's kernel, as Debian packs it: for the debug kernel, and for the kernel's own checkers."""
import os
import re
import shutil
import subprocess

from vm_cache import VmError

# What tools/lint wants of it; kernel-doc comes with the headers, too, but checkpatch does not.
SCRIPTS = ["checkpatch.pl", "const_structs.checkpatch", "spelling.txt", "kernel-doc"]


def untar(archive, folder, *words):
    command = ["tar", "-x", "-f", archive, "-C", folder, "--strip-components=1", "--no-same-owner", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise VmError(f"cannot unpack {archive}: {done.stderr.strip()}")


def arrange(tree):
    """linux.tar.xz and scripts/, without the folders around them."""
    source = os.path.join(tree, "usr/src")
    (name,) = [name for name in os.listdir(source) if name.endswith(".tar.xz")]
    archive = os.path.join(tree, "linux.tar.xz")
    os.rename(os.path.join(source, name), archive)
    shutil.rmtree(os.path.join(tree, "usr"))
    untar(archive, tree, "--wildcards", *(f"*/scripts/{name}" for name in SCRIPTS))


def source(fetcher):
    """A folder with linux.tar.xz, and in scripts/ the checkers; 150 MB, fetched once.  Its name is the version."""
    if fetcher.have("source"):
        return fetcher.cache.current("source")
    series = re.match(r"\d+\.\d+", os.path.basename(fetcher.kernel())).group()
    with fetcher.cache.locked():
        if fetcher.have("source"):
            return fetcher.cache.current("source")
        apt = fetcher.guest_apt()
        wanted = {name: what for name, what in apt.resolve(f"linux-source-{series}").items() if name.startswith("linux-source-")}
        (version, _), = wanted.values()
        return fetcher.keep("Linux's source", apt, wanted, "source", version.split(":")[-1], finish=arrange)
