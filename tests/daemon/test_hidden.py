#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one device's programs have left in its folder is hidden from another device's, although both have executors of the same user."""
import os
import subprocess
import uuid

import tranched
from tranched import BUILD, Tranched

BUILD_ONE = os.environ.get("TRANCHE_TEST_BUILD_ONE", str(BUILD / "tests/run/build_one"))
ICD = os.environ.get("TRANCHE_TEST_ICD", str(BUILD / "src/opencl/libtranche-opencl.so"))
CONFIG = "[daemon]\nfind-opencl = yes\n"


def build(device, source):
    vendors = os.path.abspath(ICD)
    env = dict(os.environ, TRANCHE_DEVICE=device["socket"], OCL_ICD_VENDORS=vendors, OCL_ICD_FILENAMES=vendors)
    return subprocess.run([BUILD_ONE, source], capture_output=True, text=True, env=env, timeout=120, check=False).stdout


def including(path):
    return f'#include "{path}"\n__kernel void k(__global int *out) {{ *out = SECRET; }}\n'


def test_neighbours_files_are_hidden():
    with Tranched(CONFIG, name="hide") as t:
        t.start(within=60)
        api = t.api()
        mine, theirs = (api.post("/v1/devices", {"uuid": str(uuid.uuid4()), "parent": "cpu0", "type": "compute-256m"})
                        for _ in range(2))
        folder = t.run / "devices"
        (t.top / "plain.h").write_text("#define SECRET 42\n", encoding="ascii")
        for place in (folder, folder / theirs["uuid"], folder / mine["uuid"]):
            (place / "x.h").write_text("#define SECRET 987654321\n", encoding="ascii")

        said = build(mine, including(t.top / "plain.h"))
        assert "value 0 42" in said, f"a header beside the hidden folder is found: {said}"
        for place in (folder, folder / theirs["uuid"], folder / mine["uuid"]):
            said = build(mine, including(place / "x.h"))
            assert "value" not in said and "987654321" not in said, f"{place}/x.h was read: {said}"
        # And programs still run after all that.
        said = build(theirs, including(t.top / "plain.h"))
        assert "value 0 42" in said, said


if __name__ == "__main__":
    tranched.tap.main(seconds=300, why_not=lambda: None if os.path.exists(BUILD_ONE) else f"{BUILD_ONE} is not built: no OpenCL headers")
