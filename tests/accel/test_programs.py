#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Unmodified OpenCL programs in a guest: their results are those of process mode on this machine."""
import re
import subprocess
import sys

import accel
from accel import TOP, Shared, ours, program, run_here
from guest import Cache, Fetcher

sys.path[:0] = [str(TOP / "tools" / "lib"), str(TOP / "tests" / "apps")]
import parity_clinfo  # noqa: E402

# Of tests/cl: what takes a guest a second or two, and covers each kind of object and command.
CL = ["buffer", "callback_calls", "copy_fill", "context", "event", "event_callback", "fork", "host_ptr", "image", "image_transfer", "kernel",
      "kernel_arg", "life", "map", "ndrange", "ordering", "platform", "printf", "program", "queue", "rect", "sampler", "sub_buffer",
      "transfer", "user_event"]
APPS = TOP / "tests/apps"

shared = Shared("1G", programs=[program(f"cl/test_{name}") for name in CL] + ours("blur", "load")
                + [program("apps/vadd")],
                files=[f"{APPS}/pyopencl_mix.py", f"{accel.HERE}/programs/include.py"])


def devices_part(text):
    """clinfo's text without what it says of the loader."""
    return text.partition("ICD loader properties")[0]


def test_clinfo():
    """Line by line, apart from names; both sides run Debian's clinfo of the same version."""
    with shared() as m:
        here = Fetcher(Cache()).package("clinfo") + "/usr/bin/clinfo"
        for words in ("", " --raw"):
            status, text = run_here(here + words)
            assert status == 0 and "CL_DEVICE_NAME" in text or "Device Name" in text, text
            found = parity_clinfo.differences(devices_part(text), devices_part(m.ok(f"clinfo{words}")))
            assert not found, "\n".join(found)


def test_vadd():
    with shared() as m:
        assert "0 wrong" in m.same_as_here("vadd", program("apps/vadd"))


def test_image_filter():
    with shared() as m:
        assert "blur of" in m.same_as_here("blur 2>/dev/null", program("accel/blur") + " 2>/dev/null")


def test_clblast():
    """One of CLBlast's own programs, against a reference BLAS that runs in the guest.  (Its gemm takes the host 15 s to compile.)"""
    with shared() as m:
        status, text = m.run("clblast_test_xswap -full_test 0 -platform 0 -device 0", timeout=400)
        assert status == 0 and re.search(r"\b0 failed\b|0 tests? failed|Completed all test-cases", text), text
        assert not re.search(r"[1-9]\d* test\(s\) failed", text), text


def test_pyopencl():
    with shared() as m:
        text = m.ok("python3 /root/pyopencl_mix.py", timeout=400)
        if subprocess.run(["/usr/bin/python3", "-c", "import pyopencl"], capture_output=True, check=False).returncode == 0:
            assert text == run_here(f"/usr/bin/python3 {APPS}/pyopencl_mix.py")[1].strip()
        assert text.endswith("after the kernel") and "kernel says 42" in text


def test_include():
    """Headers of the guest's, found by -I, also by a name that a macro makes."""
    with shared() as m:
        assert m.ok("python3 /root/include.py", timeout=120).splitlines()[-1] == "included: 42 43"


def test_two_at_once():
    """Two programs, each with its context and its session, none of which disturbs the other."""
    with shared() as m:
        jobs = [m.launch(f"load 200 /tmp/begun{n}") for n in range(2)]
        for n, job in enumerate(jobs):
            m.wait_file(f"/tmp/begun{n}", job)
        assert m.device.stats()["executors_now"] >= 2
        m.ok("sleep 2; rm /tmp/begun0 /tmp/begun1")      # as much work as that, and the end
        for job in jobs:
            status, text = job.wait(60)
            assert status == 0 and "all right" in text, text
        m.idle()


def check_cl(m, name):
    status, text = m.run(f"CL_TEST_EXPECT=virtual test_{name}", timeout=120)
    return "" if status == 0 else f"test_{name}: exit status {status}\n{text[-2000:]}"


def test_cl():
    """The programs of tests/cl."""
    with shared() as m:
        found = [text for text in (check_cl(m, name) for name in CL) if text]
        assert not found, "\n".join(found)


def test_printf():
    """Text of kernels comes out in order, and is the same as in process mode."""
    with shared() as m:
        m.same_as_here("test_printf 2>/dev/null", program("cl/test_printf") + " 2>/dev/null")


def test_end():
    """Everything was given back, and the device process has nothing to complain of."""
    with shared() as m:
        m.idle()
        s = m.device.stats()
        assert s["traps"] > 0 and s["interrupts"] > 0 and s["executors_lost"] == 0, s
    shared.end()


if __name__ == "__main__":
    accel.main(seconds=800)
