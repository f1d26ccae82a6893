# SPDX-License-Identifier: MIT
"""Which shared libraries an x86-64 program needs, found without running it."""
import os
import struct

LIB_DIRS = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib64", "lib64", "usr/lib", "lib"]
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29


def string_at(data, offset):
    return data[offset:data.index(b"\0", offset)].decode()


def read_elf(path):
    """(names of libraries needed, interpreter or None, folders of its run path), or None when it is no such file."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
        return None
    phoff, = struct.unpack_from("<Q", data, 32)
    phentsize, phnum = struct.unpack_from("<HH", data, 54)
    loads, dynamic, interp = [], None, None
    for n in range(phnum):
        kind, _, offset, vaddr, _, filesz = struct.unpack_from("<IIQQQQ", data, phoff + n * phentsize)
        if kind == PT_LOAD:
            loads.append((vaddr, offset, filesz))
        elif kind == PT_DYNAMIC:
            dynamic = (offset, filesz)
        elif kind == PT_INTERP:
            interp = string_at(data, offset)
    needed, runpath = [], []
    if dynamic:
        entries = [struct.unpack_from("<QQ", data, dynamic[0] + n) for n in range(0, dynamic[1] - 15, 16)]
        strtab = next((value for tag, value in entries if tag == DT_STRTAB), 0)
        strings = next((offset + strtab - vaddr for vaddr, offset, size in loads if vaddr <= strtab < vaddr + size), 0)
        needed = [string_at(data, strings + value) for tag, value in entries if tag == DT_NEEDED]
        runpath = [word for tag, value in entries if tag in (DT_RPATH, DT_RUNPATH) for word in string_at(data, strings + value).split(":")]
    return needed, interp, runpath


def origin(word, path):
    """A word of a run path that begins where the file lies."""
    return word.replace("$ORIGIN", os.path.dirname(path)).replace("${ORIGIN}", os.path.dirname(path))


def closure(paths, root="/"):
    """The libraries that the files need, with their libraries: {name: path}, the loader included.  Looked for under {root}."""
    found, todo = {}, [(path, []) for path in paths]
    while todo:
        path, inherited = todo.pop()
        elf = read_elf(path)
        if not elf:
            continue
        needed, interp, runpath = elf
        here = [origin(word, path) if "$" in word else os.path.join(root, word.lstrip("/")) for word in runpath]
        folders = here + inherited + [os.path.join(root, folder) for folder in LIB_DIRS]
        for name in needed + ([os.path.basename(interp)] if interp else []):
            if name in found:
                continue
            place = next((p for p in (os.path.join(folder, name) for folder in folders) if os.path.exists(p)), None)
            if place is None:
                raise FileNotFoundError(f"{os.path.basename(path)} needs {name}, which is nowhere under {root}")
            found[name] = os.path.realpath(place) if root == "/" else place
            todo.append((place, here + inherited))
    return found
