# SPDX-License-Identifier: MIT
"""mdevctl of Debian 13, which can be given another root (MDEVCTL_ENV_ROOT): fetched once, run by a C library of its own."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "lib"))
import vm_apt  # noqa: E402
import vm_cache  # noqa: E402

RELEASE = "trixie"
PACKAGES = ("mdevctl", "libc6", "libgcc-s1")


class Skip(Exception):
    """Why it cannot be had here."""


def fetch(cache):
    apt = vm_apt.Apt(cache.path("apt"), [RELEASE])
    apt.update()
    found = apt.resolve("mdevctl")
    wanted = {name: found[name] for name in PACKAGES}
    place = ("mdevctl", wanted["mdevctl"][0])
    with cache.new(*place) as tree:
        apt.unpack(wanted, tree)
    cache.set_current(cache.path(*place), "mdevctl")


def command():
    """The words that run it. It is kept in ${XDG_CACHE_HOME:-~/.cache}/tranche/mdevctl."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    cache = vm_cache.Cache(os.path.join(base, "tranche", "mdevctl"))
    if os.uname().machine != "x86_64":
        raise Skip("what is fetched is for x86-64")
    try:
        if not cache.current("mdevctl"):
            with cache.locked():
                if not cache.current("mdevctl"):    # another test may have fetched it, and may run it
                    fetch(cache)
    except vm_cache.VmError as error:
        raise Skip(f"{error}") from error
    tree = cache.current("mdevctl")
    libraries = os.path.join(tree, "usr/lib/x86_64-linux-gnu")
    loader = os.path.join(libraries, "ld-linux-x86-64.so.2")
    program = next((p for p in (os.path.join(tree, d, "mdevctl") for d in ("usr/sbin", "usr/bin")) if os.path.exists(p)), None)
    if not os.path.exists(loader) or not program:
        raise Skip(f"{tree} is not as expected")
    return [loader, "--library-path", libraries, program]
