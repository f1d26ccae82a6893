# SPDX-License-Identifier: MIT
"""Checks of the C sources: who includes whom, headers that stand alone, no state outside of objects."""
import glob
import os
import re

from lint_tree import Skip, need, run_each, without_comments

# The arrows: a folder of src/ (or a face of it in include/) may include its own headers and those of the folders after
# the colon, and of theirs.  "wire" is include/tranche/wire, "uapi" is uapi/drm.
ARROWS = {
    "wire": [],
    "uapi": [],
    "base": [],
    "core": ["base"],
    "pci": ["core"],
    "vfio-user": ["core", "wire"],
    # Drivers of PCI devices see the library's public headers alone ("faces").
    "faces": [],
    "parents/null": ["core", "faces"],
    "parents/testdev": ["base", "faces"],
    "parents/mtty": ["base", "faces"],
    "parents/bochs": ["base", "faces"],
    "parents/variants": ["base", "faces", "parents/mtty", "parents/bochs", "parents/testdev"],
    "parents/compute": ["core", "faces", "wire"],
    "executor": ["base", "wire"],
    "parent": ["base", "wire", "executor"],
    "client": ["base", "wire", "uapi"],
    "opencl": ["client"],
    "device": ["core", "wire", "pci", "vfio-user", "parents/null", "parents/testdev", "parents/mtty", "parents/bochs", "parents/variants",
               "parents/compute"],
    "daemon": ["core", "pci", "vfio-user", "parents/null", "parents/mtty", "parents/bochs", "parents/compute", "wire"],
    "api": ["base"],
    "treefs": ["api", "base"],
    "cli": ["base", "wire"],
    "ctl": ["api", "cli"],
}
# The public headers are faces of folders.
FACES = {"error.h": "base", "mdev.h": "core", "device.h": "core", "pci.h": "pci", "server.h": "vfio-user", "client.h": "client"}
# Who may know whom of the outside: the core knows no OpenCL, no VFIO and no PCI, and the device process no OpenCL.
OUTSIDE = {
    r"CL/": {"executor", "opencl"},
    r"linux/(vfio|pci)": {"pci", "vfio-user", "parents/testdev", "parents/mtty", "parents/bochs", "parents/variants", "device", "daemon"},
    r"drm/": {"client"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)


def reach(folder):
    seen, todo = set(), [folder]
    while todo:
        f = todo.pop()
        if f not in seen:
            seen.add(f)
            todo += ARROWS.get(f, [])
    return seen


def folder_of(path):
    """The name in ARROWS of a file of src/ or include/; None: the file is bound by no arrow."""
    if path.startswith("include/tranche/wire/"):
        return "wire"
    if path.startswith("include/tranche/"):
        return FACES.get(os.path.basename(path), "(a face that tools/lib/lint_c.py does not name)")
    if path.startswith("uapi/"):
        return "uapi"
    if not path.startswith("src/"):
        return None
    parts = path.split("/")[1:-1]
    return "/".join(parts[:2] if parts[:1] == ["parents"] else parts[:1])


def target_of(name):
    """The folder that an include by place names, or None for a system header."""
    if name.startswith("tranche/"):
        return folder_of("include/" + name)
    if name.startswith("drm/") and os.path.exists("uapi/" + name):
        return "uapi"
    return folder_of("src/" + name) if "/" in name else None


def check_arrows(tree):
    problems = []
    for path in tree.select(".c", ".h", under="src/") + tree.select(".h", under="include/") + tree.select(".h", under="uapi/"):
        folder = folder_of(path)
        if folder not in ARROWS:
            problems.append(f"{path}: folder {folder} has no row in the table of tools/lib/lint_c.py")
            continue
        allowed = reach(folder)
        text = without_comments(tree.text(path))
        for m in INCLUDE.finditer(text):
            quoted, name = m.group(1) == '"', m.group(2)
            where = f"{path}:{text.count(chr(10), 0, m.start()) + 1}"
            target = target_of(name) if quoted or name.startswith("tranche/") else None
            if name == "drm.h" and folder == "uapi":
                continue  # the kernel's, which stands beside this header there; libdrm's in user space
            if quoted and target is None:
                problems.append(f'{where}: "{name}" is not a place in the tree (write "folder/{name}")')
            elif target and target not in allowed and not ("faces" in allowed and re.fullmatch(r"tranche/\w+\.h", name)):
                problems.append(f"{where}: {folder} may not include {name} (arrows: {folder} -> {', '.join(ARROWS[folder]) or 'libc'})")
            if not target:
                problems += [f"{where}: {folder} may not know <{name}>" for known, by in OUTSIDE.items()
                             if re.match(known, name) and folder not in by]
    for path in tree.select(".c", ".h", under="examples/"):
        for m in INCLUDE.finditer(without_comments(tree.text(path))):
            beside = os.path.exists(os.path.join(os.path.dirname(path), m.group(2)))
            if m.group(1) == '"' and not m.group(2).startswith("tranche/") and not beside:
                problems.append(f"{path}: an example includes installed headers only, not {m.group(2)}")
    return problems


def check_headers(tree):
    """Each header compiles alone: as C, and the installed ones as C++ too."""
    flags = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function",
             "-Iinclude", "-Isrc", "-Iuapi", "-I/usr/include/libdrm", "-DTRANCHE_BUILDING_PCI"]
    headers = tree.select(".h", under="src/") + tree.select(".h", under="include/") + tree.select(".h", under="uapi/")
    cc, cxx = need("gcc"), need("g++")
    jobs = [(h, [cc, "-x", "c", "-std=gnu17", "-D_GNU_SOURCE", *flags, h]) for h in headers]
    public = [h for h in headers if h.startswith("include/")]
    # Users' compilers: strict C, and C++.
    jobs += [(h, [cc, "-x", "c", "-std=c11", *flags, h]) for h in public]
    jobs += [(h, [cxx, "-x", "c++", "-std=c++17", "-Wno-missing-field-initializers", *flags, h]) for h in public]
    problems = []
    for (header, command), (code, output) in zip(jobs, run_each([c for _, c in jobs], tree.top)):
        if code:
            reason = next((line for line in output.splitlines() if "error" in line), output.strip())
            problems.append(f"{header} as {command[2]} ({command[3]}): {reason}")
    return problems


# State at file scope that is right, with its reason.
GLOBALS = {
    "src/base/log.c": "a process has one log: its level and its name",
    "src/client/devices.c": "the devices of a process are found once, and never die",
    "src/client/fork.c": "a fork handler gets no argument: what a child must leave alone is listed there",
    "src/opencl/head.c": "a loader tells once a process what every object of the one platform carries for it",
    "src/opencl/platform.c": "OpenCL has one platform a process, whose ids never die",
}


def check_globals(tree):
    """No writable object at file scope in src/ but those of GLOBALS: all state belongs to a device, a session or a parent."""
    objects = {}
    for path in tree.select(".c", under="src/"):
        found = glob.glob(os.path.join(tree.build, "src", "**", path[len("src/"):].replace("/", "_") + ".o"), recursive=True)
        found += [o for o in glob.glob(os.path.join(tree.build, os.path.dirname(path), "*.p", os.path.basename(path) + ".o"))]
        if found:
            objects[path] = found[0]
    if not objects:
        raise Skip("nothing is built (tools/build)")
    paths = list(objects)
    problems = []
    for path, (code, output) in zip(paths, run_each([["readelf", "-sSW", objects[p]] for p in paths], tree.top)):
        if code:
            problems.append(f"{path}: readelf: {output.strip()}")
            continue
        writable = {m.group(1) for m in re.finditer(r"^\s*\[\s*(\d+)\] (\.(?:data|bss|tdata|tbss)\S*)", output, re.M)
                    if not m.group(2).startswith(".data.rel.ro")}
        for m in re.finditer(r"^\s*\d+: \S+\s+(\S+)\s+(?:OBJECT|TLS)\s+\S+\s+\S+\s+(\S+) (\S+)$", output, re.M):
            name = m.group(3).split(".")[0]  # static locals are NAME.N
            if m.group(2) not in writable or m.group(1) == "0" or name.startswith("__"):
                continue
            if path not in GLOBALS:
                problems.append(f"{path}: {name} is state outside of any object (if it must be, GLOBALS in tools/lib/lint_c.py says why)")
    return problems


CHECKS = [("arrows", check_arrows), ("headers", check_headers), ("globals", check_globals)]
