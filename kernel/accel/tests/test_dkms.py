#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tree that tools/dkms makes holds all that the driver is built from, and says what DKMS wants to know."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tools/lib")]
import tap  # noqa: E402
from vm_cache import Cache, CannotFetch  # noqa: E402
from vm_fetch import Fetcher  # noqa: E402

SHOW = '. ./dkms.conf; echo "$PACKAGE_NAME-$PACKAGE_VERSION"; echo "${MAKE[0]}"; echo "$BUILD_EXCLUSIVE_KERNEL"'


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}"
    return done.stdout


def test_build():
    headers = Fetcher(Cache()).headers()
    with tempfile.TemporaryDirectory(prefix="accel-dkms-") as folder:
        run(TOP / "tools/dkms", folder)
        (name,) = os.listdir(folder)
        tree = os.path.join(folder, name)
        package, make, pattern = run("bash", "-c", SHOW, cwd=tree, env={**os.environ, "kernel_source_dir": headers}).splitlines()
        assert package == name and re.search(pattern, "6.12.95-amd64") and re.search(pattern, "7.0-rc1"), (package, pattern)
        assert not re.search(pattern, "6.11.9") and not re.search(pattern, "6.1.0-9-amd64") and not re.search(pattern, "5.15.0"), pattern
        run(*make.split(), "W=1", "KCFLAGS=-Werror", cwd=tree)
        assert b"license=GPL" in pathlib.Path(tree, "tranche_accel.ko").read_bytes()
        run("make", f"KDIR={headers}", "clean", cwd=tree)
        assert not list(pathlib.Path(tree).glob("*.ko"))
        # tried once, it cannot be made over itself
        again = subprocess.run([TOP / "tools/dkms", folder], capture_output=True, text=True, check=False)
        assert again.returncode and "remove it first" in again.stderr, again


def why_not():
    for tool in ("make", "gcc", "bash"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    try:
        Fetcher(Cache()).headers()
    except CannotFetch as error:
        return f"no kernel headers: {error}"
    return None


if __name__ == "__main__":
    tap.main(280, why_not)
