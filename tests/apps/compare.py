# SPDX-License-Identifier: MIT
"""What "the same result" means for each kind of program output.

Each function takes two Results (native, wrapped) and returns a list of
sentences, one a difference; an empty list means equal.
"""
import difflib
import pathlib
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "lib"))
import parity_clinfo  # noqa: E402

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


def clinfo_text(native_text, wrapped_text):
    """Differences of two clinfo outputs beyond the table of tools/parity."""
    found = [f"{side}: clinfo lists no device" for side, text in (("native", native_text), ("wrapped", wrapped_text))
             if "Device Name" not in text]
    return found + parity_clinfo.differences(native_text, wrapped_text)


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
