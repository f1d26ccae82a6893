# SPDX-License-Identifier: MIT
"""Checks of the public interface: doc blocks, tests that name each function, exported symbols = the map."""
import fnmatch
import glob
import os
import subprocess
import re

from lint_tree import Skip, need, run_each, without_comments

FUNCTION = re.compile(r"\b(trn_[a-z0-9_]+)\s*\(")


def public_functions(tree):
    """{name: header} of the functions that the installed headers declare."""
    functions = {}
    for header in tree.select(".h", under="include/tranche/"):
        if header.startswith("include/tranche/wire/"):
            continue
        text = without_comments(tree.text(header))
        text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", "", text, flags=re.M)  # macros are not functions
        text = re.sub(r"\b__attribute__\s*\(\(.*?\)\)", "", text, flags=re.S)
        for m in FUNCTION.finditer(text):
            functions.setdefault(m.group(1), header)
    return functions


def check_docs(tree):
    problems = []
    for name, header in sorted(public_functions(tree).items()):
        block = re.search(rf"/\*\*\s*\n\s*\*\s*{name}(?:\(\))?\s+-\s+\S(.*?)\*/", tree.text(header), re.S)
        if not block:
            problems.append(f'{header}: {name} has no doc block ("/** NAME - what it does")')
    return problems


def check_tested(tree):
    tests = tree.select(".c", ".h", ".cc", ".py", ".sh", under="tests/")
    words = set()
    for path in tests:
        text = tree.text(path) if path.endswith((".py", ".sh")) else without_comments(tree.text(path))
        words.update(re.findall(r"\btrn_[a-z0-9_]+", text))
    return [f"{header}: no test names {name}" for name, header in sorted(public_functions(tree).items()) if name not in words]


def map_names(text):
    """The global names of a linker map, patterns as they are; versions do not matter here."""
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", text, flags=re.S)
    names = set()
    for node in re.findall(r"\{(.*?)\}", text, re.S):
        part = re.search(r"global\s*:(.*?)(?:local\s*:|$)", node, re.S)
        if part:
            names.update(n.strip() for n in part.group(1).split(";") if n.strip())
    return names


def check_exports(tree):
    """Each lib*.map has a shared library of its name, which exports just that; and no library is without a map."""
    need("nm")
    maps = {os.path.basename(m)[:-len(".map")]: m for m in tree.select(".map")}
    libraries = {}
    for path in glob.glob(os.path.join(tree.build, "src", "**", "*.so*"), recursive=True):
        if os.path.isfile(path) and not os.path.islink(path) and not path.endswith((".p", ".symbols")):
            libraries[os.path.basename(path).split(".so")[0]] = path
    if not libraries:
        raise Skip("no shared library is built (tools/build)")
    problems = [f"{path}: no library {name}.so in {tree.build}" for name, path in maps.items() if name not in libraries]
    problems += [f"{os.path.relpath(path, tree.top)}: no map named {name}.map" for name, path in libraries.items() if name not in maps]
    both = sorted(set(maps) & set(libraries))
    patterns = {n for path in maps.values() for n in map_names(tree.text(path)) if "*" in n}

    def belongs(function, pattern):
        """The narrowest pattern that fits a name decides whose it is."""
        return pattern == max((p for p in patterns if fnmatch.fnmatchcase(function, p)), key=len, default=None)

    outputs = run_each([["nm", "-D", "--defined-only", libraries[n]] for n in both], tree.top)
    for name, (_, output) in zip(both, outputs):
        listed = map_names(tree.text(maps[name]))
        exported = {f[2].split("@")[0] for f in map(str.split, output.splitlines()) if len(f) == 3 and f[1] != "A"}
        for pattern in [n for n in listed if "*" in n]:
            # A pattern stands for what the installed headers declare, and for nothing else.
            listed.remove(pattern)
            listed.update(n for n in public_functions(tree) if belongs(n, pattern))
        problems += [f"{maps[name]} (and the headers) list {n}, which {name}.so does not export" for n in sorted(listed - exported)]
        problems += [f"{name}.so exports {n}, which {maps[name]} (or no header) lists" for n in sorted(exported - listed)]
    return problems


def check_status(tree):
    """docs/opencl-status.md is what tools/opencl-status makes of the sources."""
    done = subprocess.run([os.path.join(tree.top, "tools", "opencl-status"), "--check"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return [] if done.returncode == 0 else [done.stdout.strip() or "docs/opencl-status.md is out of date"]


CHECKS = [("docs", check_docs), ("tested", check_tested), ("exports", check_exports), ("status", check_status)]
