#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands in for "tranche run" when the comparison itself is tested.

    stand_in.py [--spoil] [--host-device N] -- PROGRAM ARGS...

Runs PROGRAM on the host's own OpenCL. With --host-device it sees only that device's
platform, as on a virtual device. With --spoil the last digit of each line that the
program prints is another one: a comparison that then finds nothing is no comparison.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def other_digit(match):
    return str((int(match[1]) + 1) % 10) + match[2]


def spoil(text):
    return "".join(re.sub(r"([0-9])([^0-9]*)$", other_digit, line) for line in text.splitlines(keepends=True))


def nr_devices(env, vendors):
    listed = subprocess.run(["clinfo", "-l"], env={**env, "OCL_ICD_VENDORS": str(vendors)}, check=True,
                            capture_output=True, text=True)
    return re.findall(r"^Platform #\d+: (.*)", listed.stdout, re.M), listed.stdout.count("Device #")


def only_device(env, index, scratch):
    """A vendors folder with just the driver that has the device of this index. Good for hosts
    with one device a platform, as the tests' are."""
    vendors = pathlib.Path(env["OCL_ICD_VENDORS"])
    names, count = nr_devices(env, vendors)
    if not len(names) == count > index:
        sys.exit("stand_in: needs one device a platform")
    for icd in sorted(vendors.glob("*.icd")):
        folder = scratch / icd.stem
        folder.mkdir()
        shutil.copy(icd, folder)
        if nr_devices(env, folder)[0] == [names[index]]:
            return folder
    sys.exit(f"stand_in: no driver has device {index}")


def main():
    options, program = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
    env = dict(os.environ)
    with tempfile.TemporaryDirectory() as scratch:
        if "--host-device" in options:
            index = int(options[options.index("--host-device") + 1])
            env["OCL_ICD_VENDORS"] = str(only_device(env, index, pathlib.Path(scratch)))
        done = subprocess.run(program, env=env, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(spoil(done.stdout) if "--spoil" in options else done.stdout)
    pot = pathlib.Path("potfile")
    if "--spoil" in options and pot.exists():
        pot.write_text(spoil(pot.read_text()))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
