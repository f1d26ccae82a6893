#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The KUnit tests of the driver, in the debug kernel, where that was built (tools/vm debug-kernel)."""
import os
import pathlib
import re
import sys

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / "tests/vm"), str(TOP / "tests"), str(TOP / "tools/lib")]
import guest  # noqa: E402
import tap  # noqa: E402
import vm_debug_kernel  # noqa: E402
import vm_module  # noqa: E402
import vm_splats  # noqa: E402

CASE = re.compile(r"(not )?ok \d+ (test_\w+)")


def boot(**options):
    fetcher = vm_debug_kernel.DebugFetcher(guest.Cache())
    folder = vm_module.build(fetcher)
    modules = [os.path.join(folder, f"{name}.ko") for name in ("tranche_accel", "tranche_accel_test")]
    return guest.Guest(fetcher=fetcher, modules=modules, **options)


def test_kunit():
    with boot() as g:
        vm_splats.forget_leaks(g)
        g.ok("modprobe tranche_accel_test", timeout=300)
        log = g.ok("cat /sys/kernel/debug/kunit/tranche_check/results")
        cases = CASE.findall(log)
        source = (TOP / "kernel/accel/tests/tranche_check_test.c").read_text(encoding="utf-8")
        assert len(cases) == source.count("KUNIT_CASE(") > 0, log
        assert not any(failed for failed, _ in cases), log
        g.ok("rmmod tranche_accel_test")
        vm_splats.assert_clean(g)


def test_load_and_unload():
    """No device: the driver comes and goes and leaves nothing."""
    with boot() as g:
        vm_splats.forget_leaks(g)
        g.ok("for n in 1 2 3; do modprobe tranche_accel; rmmod tranche_accel; done", timeout=300)
        vm_splats.assert_clean(g)


def why_not():
    reason = guest.why_not()
    if reason:
        return f"no virtual machine: {reason}"
    return None if vm_debug_kernel.is_built(guest.Fetcher(guest.Cache())) else "the debug kernel is not built (tools/vm debug-kernel)"


if __name__ == "__main__":
    tap.main(1500, why_not)
