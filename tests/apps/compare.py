# SPDX-License-Identifier: MIT
"""What "the same result" means for each kind of program output.

Each function takes two Results (native, wrapped) and returns a list of
sentences, one a difference; an empty list means equal.
"""
import difflib
import re

# clinfo: values that are the virtual device's own. Nothing else may differ.
CLINFO_OWN = {
    "Platform Name": "name",
    "Platform Vendor": "name",
    "Platform Extensions function suffix": "identifier",
    "Device Name": "name",
    "Device UUID": "identifier",
    "Driver UUID": "identifier",
    "Device LUID": "identifier",
    "Global memory size": "memory",
    "Max memory allocation": "memory",
    "Max size for 1D images from buffer": "memory (PoCL derives it from the largest allocation)",
}
# The text after "OpenCL <major>.<minor> " is the platform's name again.
CLINFO_VERSION = "Platform Version"

# clinfo: what the virtual device may withhold, and the only values it may show instead of the host's.
# docs/opencl-status.md has the reasons. Each row that the driver learns to offer leaves this table.
NONE = ("(n/a)", "None", "")
CLINFO_WITHHELD = {
    "Run native kernels": ("No",),              # a function of the program cannot run in the host's process
    "Built-in kernels": NONE,                   # their arguments cannot be checked; PoCL lists but cannot create them
    "Built-in kernels with version": NONE,
    "Max number of sub-devices": ("0",),        # the unit of sharing is the virtual device
    "Supported partition types": NONE,
    "Coarse-grained buffer sharing": ("No",),   # shared virtual memory: no equal addresses on both sides yet
    "Fine-grained buffer sharing": ("No",),
    "Atomics": ("No",),                         # of shared virtual memory
}
EXTENSION_LISTS = ("Platform Extensions", "Device Extensions",
                   "Platform Extensions with Version", "Device Extensions with Version")
EXTENSIONS_WITHHELD = {"cl_pocl_content_size", "cl_khr_command_buffer"}
# Lines that clinfo prints only for a device with cl_khr_command_buffer.
COMMAND_BUFFER = "Command buffer capabilities"


def differing_lines(native, wrapped, label="output"):
    diff = list(difflib.unified_diff(native.splitlines(), wrapped.splitlines(), "native", "wrapped", lineterm="", n=0))
    return [f"{label}: {line}" for line in diff[2:] if not line.startswith("@@")]


def exit_status(native, wrapped, expected=0):
    found = []
    for side, result in (("native", native), ("wrapped", wrapped)):
        if result.status != expected:
            found.append(f"{side}: exit status {result.status}, not {expected}\n{result.tail()}")
    return found


def same_output(native, wrapped):
    """Every line of standard output, and the program has to have printed something."""
    found = exit_status(native, wrapped)
    if not native.stdout.strip():
        found.append("native: printed nothing, so there is nothing to compare")
    return found or differing_lines(native.stdout, wrapped.stdout)


def same_lines_but(*words):
    """As same_output, without the lines that hold one of these words: they name the device, or say how long it took."""
    def kept(text):
        return "\n".join(line for line in text.splitlines() if not any(word in line for word in words))

    def compare(native, wrapped):
        found = exit_status(native, wrapped)
        if not kept(native.stdout).strip():
            found.append("native: printed nothing, so there is nothing to compare")
        return found or differing_lines(kept(native.stdout), kept(wrapped.stdout))
    return compare


def parse_clinfo(text):
    """clinfo's human output as an ordered {path: value}; a path is the headings above a
    line, the line's own label, and a count when that repeats."""
    entries, above, path = {}, [], None
    for line in text.splitlines():
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        if indent >= 40 and path:       # a further value of the line above
            entries[path] += "\n" + " ".join(line.split())
            continue
        label, _, value = re.sub(r" {2,}", "\0", line.strip(), count=1).partition("\0")
        above = [(depth, heading) for depth, heading in above if depth < indent]
        base = tuple(heading for _, heading in above) + (label,)
        above.append((indent, label))
        path, count = base, 1
        while path in entries:
            count += 1
            path = base + (str(count),)
        entries[path] = " ".join(value.split())
    return entries


def _own_words(entries):
    """The names that one output uses for its platform and device wherever they show."""
    words = {}
    for path, value in entries.items():
        label = next((part for part in reversed(path) if not part.isdigit()), "")
        if label == "Platform Name":
            words.setdefault(value, "<platform>")
        elif label == "Device Name":
            words.setdefault(value, "<device>")
        elif label == "Platform Extensions function suffix":
            words.setdefault(f"[{value}]", "<suffix>")
    return words


def _normal(label, value, words):
    for word, stand_in in words.items():
        if value == word:
            value = stand_in
        elif stand_in == "<suffix>":
            value = value.replace(word, "[" + stand_in + "]")
    if label == CLINFO_VERSION:
        value = " ".join(value.split()[:2])
    if label in EXTENSION_LISTS:
        rows = value.split("\n") if "with Version" in label else value.split()
        value = "\n".join(row for row in rows if row.split()[:1] and row.split()[0] not in EXTENSIONS_WITHHELD)
    return value


def clinfo_text(native_text, wrapped_text):
    """Differences of two clinfo outputs beyond the tables above."""
    sides = [parse_clinfo(native_text), parse_clinfo(wrapped_text)]
    words = [_own_words(side) for side in sides]
    found = []
    for side, text in zip(("native", "wrapped"), sides):
        if not any(path[-1] == "Device Name" for path in text):
            found.append(f"{side}: clinfo lists no device")
    for path in [*sides[0], *(path for path in sides[1] if path not in sides[0])]:
        label = next(part for part in reversed(path) if not part.isdigit())
        name = " / ".join(path)
        if path not in sides[1]:
            if COMMAND_BUFFER not in path:
                found.append(f"{name}: native has {sides[0][path]!r}, wrapped has no such line")
            continue
        if path not in sides[0]:
            found.append(f"{name}: wrapped has {sides[1][path]!r}, native has no such line")
            continue
        native, wrapped = (_normal(label, side[path], word) for side, word in zip(sides, words))
        if native == wrapped or label in CLINFO_OWN or wrapped in CLINFO_WITHHELD.get(label, ()):
            continue
        found.append(f"{name}: native {native!r}, wrapped {wrapped!r}")
    order = [path for path in sides[0] if path in sides[1]]
    if order != [path for path in sides[1] if path in sides[0]]:
        found.append("the lines come in another order")
    return found


def clinfo(native, wrapped):
    return exit_status(native, wrapped) or clinfo_text(native.stdout, wrapped.stdout)


def parse_clpeak(text):
    """{test: figure} of the figures that clpeak measured; vector widths are indented more
    than the heading that they belong to."""
    figures, heading = {}, ""
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if not line.strip() or re.match(r"\s*(Platform|Device|Driver version|Compute units|Clock frequency)\b", line):
            continue
        match = re.match(r"\s+(.+?)\s*: (-?[\d.]+|inf|-?nan)(?: us)?$", line)
        if not match:
            heading = re.sub(r"\s*\(.*", "", line.strip())
        elif indent > 4:
            figures[f"{heading} / {match[1]}"] = float(match[2])
        else:
            figures[match[1]] = float(match[2])
    return figures


def _is_figure(name, value):
    """clpeak's clock counts whole microseconds: a map or unmap that copies nothing may take none of them."""
    too_short = value == float("inf") and re.search(r"/ enqueue(Unm|M)ap", name)
    return too_short or 0 < value < float("inf")    # false for a NaN


def clpeak(native, wrapped):
    found = exit_status(native, wrapped)
    sides = parse_clpeak(native.stdout), parse_clpeak(wrapped.stdout)
    if not sides[0]:
        found.append(f"native: no figure in clpeak's output\n{native.tail()}")
    if list(sides[0]) != list(sides[1]):
        found += differing_lines("\n".join(sides[0]), "\n".join(sides[1]), "figures")
    for side, figures in zip(("native", "wrapped"), sides):
        found += [f"{side}: {name} is {value}" for name, value in figures.items() if not _is_figure(name, value)]
    return found


def hashcat_rate(text):
    """Hashes a second of a benchmark's output, or 0."""
    scale = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    match = re.search(r"^Speed\.#\S*:\s+([\d.]+) ([kMGT]?)H/s", text, re.M)
    return float(match[1]) * scale[match[2]] if match else 0.0


def hashcat_benchmark(native, wrapped):
    found = exit_status(native, wrapped)
    for side, result in (("native", native), ("wrapped", wrapped)):
        if hashcat_rate(result.stdout) <= 0:
            found.append(f"{side}: no hash rate\n{result.tail()}")
    return found


def hashcat_crack(native, wrapped):
    """The hash has to be cracked on both sides, with the same word in the potfile."""
    found = exit_status(native, wrapped)
    pots = []
    for side, result in (("native", native), ("wrapped", wrapped)):
        pot = result.work / "potfile"
        pots.append(pot.read_text() if pot.exists() else "")
        if "Cracked" not in result.stdout or not pots[-1].strip():
            found.append(f"{side}: not cracked\n{result.tail()}")
    return found or differing_lines(*pots, label="potfile")
