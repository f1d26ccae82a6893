#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tranche-executor --devices: what it says of the host's OpenCL, and of drivers that are broken."""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402

EXECUTOR = os.environ.get("TRANCHE_EXECUTOR_PATH", "build/src/executor/tranche-executor")
BROKEN = os.environ.get("BROKEN_ICD_PATH", "build/tests/executor/libbroken_icd.so")
KEYS = {"index", "kind", "name", "vendor", "driver", "version", "platform", "memory", "units"}


def devices(vendors=None, **more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OCL_ICD", "OPENCL_", "POCL_"))}
    environment.update(more)
    if vendors:
        environment["OCL_ICD_VENDORS"] = vendors
    return subprocess.run([EXECUTOR, "--devices"], env=environment, capture_output=True, text=True, timeout=60)


def vendors(*libraries):
    folder = tempfile.TemporaryDirectory(prefix="tranche-test-")
    for number, library in enumerate(libraries):
        with open(os.path.join(folder.name, f"{number}.icd"), "w", encoding="utf-8") as f:
            f.write(library + "\n")
    return folder


def test_this_host():
    done = devices()
    assert done.returncode == 0, done
    found = json.loads(done.stdout)["devices"]
    for number, d in enumerate(found):
        assert set(d) == KEYS and d["index"] == number, d
        assert d["name"] and d["platform"] and d["memory"] > 0 and d["units"] > 0, d
        assert d["kind"] in ("cpu", "gpu", "accelerator", "custom"), d


def test_quick_device_has_no_number():
    # As the executor counts: what it uses beside the usual device is no device of the host.
    done = devices(POCL_DEVICES="pthread basic")
    assert done.returncode == 0, done
    names = [d["name"] for d in json.loads(done.stdout)["devices"]]
    assert not any(n.startswith("basic") for n in names), names
    chosen = devices(POCL_DEVICES="basic pthread basic")
    assert len(json.loads(chosen.stdout)["devices"]) in (0, 3, len(names)), chosen


def test_no_driver():
    with vendors() as folder:
        done = devices(folder + "/")
    assert done.returncode == 0 and json.loads(done.stdout) == {"devices": []}, done


def test_driver_that_crashes():
    with vendors(BROKEN) as folder:
        done = devices(folder + "/", BROKEN_ICD="crash")
    assert done.returncode == 1 and done.stdout == "", done
    assert "crashed" in done.stderr and "/etc/OpenCL/vendors" in done.stderr, done


def test_driver_that_prints():
    with vendors(BROKEN) as folder:
        done = devices(folder + "/")
    assert done.returncode == 0 and json.loads(done.stdout) == {"devices": []}, done
    assert "a driver that prints" in done.stderr, done


def test_more_arguments_are_refused():
    done = subprocess.run([EXECUTOR, "--devices", "--all"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "usage" in done.stderr, done


tap.main(seconds=60)
