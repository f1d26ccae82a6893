# SPDX-License-Identifier: MIT
"""clinfo on both sides, line by line. What may differ is in the table OWN, and nowhere else."""
import difflib
import re

from sides import Failure, say

# What a virtual device has of its own: (the key in the human output, the one in --raw, the reason).
OWN = (
    ("Platform Name", "CL_PLATFORM_NAME", "name"),
    ("Platform Vendor", "CL_PLATFORM_VENDOR", "name"),
    ("Platform Version", "CL_PLATFORM_VERSION", "name: what follows \"OpenCL 3.0\" is the platform's own text"),
    ("Platform Extensions function suffix", "CL_PLATFORM_ICD_SUFFIX_KHR", "identifier"),
    ("Device Name", "CL_DEVICE_NAME", "name"),
    ("Device UUID", "CL_DEVICE_UUID_KHR", "identifier"),
    ("Driver UUID", "CL_DRIVER_UUID_KHR", "identifier"),
    ("Device LUID", "CL_DEVICE_LUID_KHR", "identifier"),
    ("Global memory size", "CL_DEVICE_GLOBAL_MEM_SIZE", "memory size: the quota"),
    ("Max memory allocation", "CL_DEVICE_MAX_MEM_ALLOC_SIZE", "memory size: follows the quota"),
    ("Max size for 1D images from buffer", "CL_DEVICE_IMAGE_MAX_BUFFER_SIZE",
     "memory size: PoCL derives it from the largest allocation"),
    # PoCL measures these anew in each process; of no use to compare on a busy machine.
    ("Max clock frequency", "CL_DEVICE_MAX_CLOCK_FREQUENCY", "read from the kernel at each start; moves with the load"),
)
# Still to agree in its first two words: the OpenCL version.
VERSIONS = ("Platform Version", "CL_PLATFORM_VERSION")
LABELS = {key: reason for human, raw, reason in OWN for key in (human, raw)}
# How a driver and the loader speak, which changes nothing for a program. This driver knows the newer way, too.
ICD_VERSION = re.compile(r"\bcl_khr_icd(:0x[0-9a-f]+|\s+0x[0-9a-f]+ \([\d.]+\))")
# clinfo names the platform again where it tries calls without one.
NULL_PLATFORM = re.compile(r"^(\s*clGetPlatformInfo\(NULL, CL_PLATFORM_NAME, \.\.\.\)\s+)(\S.*)$")


def print_ignored():
    for human, raw, reason in OWN:
        say(f"{human} ({raw}): {reason}")
    say("the platform's suffix and name where other lines repeat them")
    say("the version of cl_khr_icd: between driver and loader; this driver knows 2.0.0, too")


def _value(text, keys):
    found = re.search(rf"^(?:\[[^]]*\])?\s*(?:{keys})\s+(\S.*)$", text, re.M)
    return found[1].strip() if found else ""


def _normal_line(line, name, suffix):
    line = re.sub(r"^\[" + re.escape(suffix) + r"/", "[<suffix>/", line) if suffix else line
    line = line.replace(f"[{suffix}]", "[<suffix>]") if suffix else line
    line = NULL_PLATFORM.sub(lambda found: found[1] + ("<name>" if found[2].strip() == name else found[2]), line)
    line = ICD_VERSION.sub("cl_khr_icd <version>", line)
    parts = re.match(r"^((?:\[[^]]*\])?\s*)(\S.*?)(\s{2,})(\S.*)$", line)
    if not parts or parts[2] not in LABELS:
        return re.sub(r"^(\[[^]]*\])\s+", r"\1 ", line)
    kept = " ".join(parts[4].split()[:2]) + " " if parts[2] in VERSIONS else ""
    return re.sub(r"\s+", " ", parts[1]) + f"{parts[2]}: {kept}<{LABELS[parts[2]].split(':')[0]}>"


def normal(text):
    name = _value(text, "Platform Name|CL_PLATFORM_NAME")
    suffix = _value(text, "Platform Extensions function suffix|CL_PLATFORM_ICD_SUFFIX_KHR")
    return [_normal_line(line, name, suffix) for line in text.splitlines()]


def differences(native, virtual):
    diff = list(difflib.unified_diff(normal(native), normal(virtual), "native", "virtual", lineterm="", n=0))
    return [line for line in diff[2:] if not line.startswith("@@")]


def compare(native, virtual):
    """Prints the differences; 0 or 1."""
    count = 0
    for argv in (["clinfo"], ["clinfo", "--raw"]):
        results = [side.run(argv, 120) for side in (native, virtual)]
        for side, result in zip((native, virtual), results):
            if result.status or "Device Name" not in result.stdout and "CL_DEVICE_NAME" not in result.stdout:
                raise Failure(f"{side.name}: {' '.join(argv)} ended with {result.status}\n{result.tail()}")
        found = differences(*(result.stdout for result in results))
        say(f"{' '.join(argv)}: {len(results[0].stdout.splitlines())} lines natively, "
            f"{len(results[1].stdout.splitlines())} virtually, {len(found)} differ")
        for line in found:
            say("  " + line)
        count += len(found)
    return 1 if count else 0
