# SPDX-License-Identifier: MIT
"""Checks of the guest's driver by the kernel's own means: W=1, sparse, checkpatch --strict, kernel-doc; size and state.

What they need is that of tools/vm (the stock guest's headers, its source's scripts), fetched once.  What a check found is
kept beside the built module, so that it costs nothing while the sources are as they were.
"""
import os
import re
import subprocess

from lint_tree import Skip, need
from vm_cache import Cache, CannotFetch, VmError
from vm_fetch import Fetcher
from vm_module import DRIVER, NAME, Workshop, build, sources
from vm_source import source

MOST_LINES = 2750                       # of code: neither blank nor comment
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
USER = f"{DRIVER}/tests/user/"           # a program, which only looks like the kernel
UAPI = "uapi/drm/tranche_accel.h"
# What the kernel's own macros keep: once-only warnings, rate limits, descriptions of debug lines.
MACROS = re.compile(r"(_rs|__already_done|descriptor|__key|__func__|___once_key|__UNIQUE_ID_\w+|__this_module)(\.\d+)?$")


def with_driver(check):
    """A check that needs a guest's kernel: skipped where none can be had."""
    def checked(tree):
        if not tree.select(".c", under=f"{DRIVER}/"):
            raise Skip(f"{DRIVER} has no source yet")
        need("make")
        try:
            return check(tree, Fetcher(Cache()))
        except CannotFetch as error:
            raise Skip(str(error)) from error
        except VmError as error:
            return str(error).splitlines()
    return checked


def remembered(folder, name, check):
    """The lines that check() gave for what {folder} was built from."""
    path = os.path.join(folder, f"lint-{name}")
    if not os.path.exists(path):
        lines = check()
        with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in lines))
        os.rename(f.name, path)
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


def writable_objects(module):
    """(section, name) of what a module can write to, and is not the kernel's own."""
    done = subprocess.run(["readelf", "-sSW", module], capture_output=True, text=True, check=True)
    sections = {m.group(1): m.group(2) for m in re.finditer(r"^\s*\[\s*(\d+)\] (\.(?:data|bss)\S*)", done.stdout, re.M)}
    for m in re.finditer(r"^\s*\d+: \S+\s+(\S+)\s+OBJECT\s+\S+\s+\S+\s+(\d+) (\S+)$", done.stdout, re.M):
        if m.group(2) in sections and m.group(1) != "0" and not MACROS.match(m.group(3)):
            yield sections[m.group(2)], m.group(3)


@with_driver
def check_kernel(tree, fetcher):
    """Builds without a warning (W=1), is small, and has no state but the pci_driver."""
    problems = []
    own = [f for f in tree.select(".c", ".h", under=f"{DRIVER}/") if not f.startswith(f"{DRIVER}/tests/") and not f.endswith(".mod.c")]
    lines = sum(bool(line.strip()) for f in own for line in COMMENT.sub("", tree.text(f)).split("\n"))
    if lines > MOST_LINES:
        problems.append(f"{DRIVER}: {lines} lines of code, more than {MOST_LINES}")
    module = os.path.join(build(fetcher), f"{NAME}.ko")
    drivers = {m for f in own for m in re.findall(r"^(?:static )?struct pci_driver (\w+)", tree.text(f), re.M)}
    problems += [f"{DRIVER}: {name} ({section}) is state outside of any object" for section, name in writable_objects(module)
                 if name not in drivers]
    return problems + ([f"{DRIVER}: {len(drivers)} pci_drivers"] if len(drivers) > 1 else [])


@with_driver
def check_sparse(tree, fetcher):
    need("sparse")
    headers = fetcher.headers()

    def run():
        with Workshop(fetcher.cache, headers) as workshop:
            workshop.fill(sources())
            status, output = workshop.make("C=2", "CF=-D__CHECK_ENDIAN__ -Wsparse-error", "modules")
        lines = [line for line in output.splitlines() if re.search(r"(warning|error):", line)]
        return lines or ([output.strip()[-500:]] if status else [])
    return remembered(build(fetcher), "sparse", run)


@with_driver
def check_style(tree, fetcher):
    """checkpatch --strict.  Headers of user space have no BIT()."""
    need("perl")
    folder = source(fetcher)
    script = os.path.join(folder, "scripts", "checkpatch.pl")
    command = ["perl", script, "--no-tree", "--strict", "--terse", "--show-types", "--no-summary", "-f"]

    def run():
        lines = []
        ours = [f for f in tree.select(".c", ".h", under=f"{DRIVER}/") if not f.startswith(USER)]
        for files, more in ((ours, []), ([UAPI], ["--ignore", "BIT_MACRO"])):
            done = subprocess.run([*command, *files, *more], cwd=tree.top, capture_output=True, text=True, check=False)
            lines += done.stdout.splitlines() + (done.stderr.splitlines() if done.returncode > 1 else [])
        return lines
    return remembered(build(fetcher), f"checkpatch-{os.path.basename(folder)}", run)


@with_driver
def check_doc(tree, fetcher):
    """Every field of the interface is told of."""
    need("perl")
    script = os.path.join(source(fetcher), "scripts", "kernel-doc")
    done = subprocess.run([script, "-none", "-Wall", UAPI], cwd=tree.top, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.stdout.splitlines() or ([f"{UAPI}: kernel-doc ended with {done.returncode}"] if done.returncode else [])


CHECKS = [("kernel", check_kernel), ("sparse", check_sparse), ("checkpatch", check_style), ("kernel-doc", check_doc)]
