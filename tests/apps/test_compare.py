#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The comparison itself is tested: what may differ does not count, everything else does."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True      # the source tree stays as it is

import compare  # noqa: E402
import parity_clinfo  # noqa: E402
from sides import HERE, POCL_ICD, Result  # noqa: E402

CLINFO = """\
Number of platforms                               1
  Platform Name                                   Portable Computing Language
  Platform Vendor                                 The pocl project
  Platform Version                                OpenCL 3.0 PoCL 3.1
  Platform Profile                                FULL_PROFILE
  Platform Extensions                             cl_khr_icd cl_pocl_content_size
  Platform Extensions with Version                cl_khr_icd                                                       0x400000 (1.0.0)
                                                  cl_pocl_content_size                                             0x400000 (1.0.0)
  Platform Extensions function suffix             POCL

  Platform Name                                   Portable Computing Language
Number of devices                                 1
  Device Name                                     pthread-somebody
  Device Vendor ID                                0x8086
  Device Version                                  OpenCL 3.0 PoCL HSTR: pthread
  Device Partition                                (core)
    Max number of sub-devices                     2
  Preferred / native vector sizes
    char                                                16 / 16
  Global memory size                              4298800128 (4.004GiB)
  Max memory allocation                           2147483648 (2GiB)
  Image support                                   Yes
    Max size for 1D images from buffer            134217728 pixels
  Local memory size                               2097152 (2MiB)
  Queue properties (on host)
    Out-of-order execution                        Yes
    Profiling                                     Yes
  Command buffer capabilities                     kernel printf, simultaneous use, out of order
    Required queue properties for command buffer
    Out-of-order execution                        No
    Profiling                                     No
  Execution capabilities
    Run OpenCL kernels                            Yes
    Run native kernels                            Yes
  Built-in kernels                                pocl.add.i8
  Device Extensions                               cl_khr_fp64 cl_khr_command_buffer cl_khr_spir
  Device Extensions with Version                  cl_khr_fp64                                                      0x400000 (1.0.0)
                                                  cl_khr_command_buffer                                              0x9000 (0.9.0)
                                                  cl_khr_spir                                                      0x801000 (2.1.0)

NULL platform behavior
  clGetPlatformInfo(NULL, CL_PLATFORM_NAME, ...)  Portable Computing Language
  clGetDeviceIDs(NULL, CL_DEVICE_TYPE_ALL, ...)   Success [POCL]
  clCreateContextFromType(NULL, CL_DEVICE_TYPE_ALL)  Success (1)
    Platform Name                                 Portable Computing Language
"""

CLPEAK = """
Platform: Portable Computing Language
  Device: pthread
    Driver version  : 3.1+debian (Linux x64)
    Compute units   : 2

    Global memory bandwidth (GBPS)
      float   : 14.45
      float16 : 24.20

    Kernel launch latency : 27.03 us
"""


def result(stdout="", status=0, work=pathlib.Path(".")):
    return Result(["x"], status, stdout, "", 1.0, work)


def changed(old, new):
    assert old in CLINFO, old
    return CLINFO.replace(old, new)


class Clinfo(unittest.TestCase):
    def differences(self, other):
        return compare.clinfo_text(CLINFO, other)

    def test_equal(self):
        self.assertEqual(self.differences(CLINFO), [])

    def test_names_memory_and_identifiers_may_differ(self):
        other = changed("Portable Computing Language", "Tranche").replace("The pocl project", "Somebody")
        other = other.replace("OpenCL 3.0 PoCL 3.1", "OpenCL 3.0 Tranche 0.1").replace("POCL", "TRN")
        other = other.replace("4298800128 (4.004GiB)", "1073741824 (1GiB)").replace("2147483648 (2GiB)", "536870912 (512MiB)")
        other = other.replace("134217728", "33554432")
        self.assertEqual(self.differences(other), [])

    def test_every_other_value_counts(self):
        checked = 0
        for line in CLINFO.splitlines():
            label, value = line[:50].strip(), line[50:].strip()
            if not label or not value or label in parity_clinfo.LABELS:
                continue
            other = CLINFO.replace(line, line[:50] + "7" + value, 1)
            self.assertNotEqual(self.differences(other), [], f"a change of {label!r} went unseen")
            checked += 1
        self.assertGreater(checked, 20)

    def test_platform_version_number_counts(self):
        self.assertTrue(self.differences(changed("OpenCL 3.0 PoCL 3.1", "OpenCL 1.2 PoCL 3.1")))

    def test_inconsistent_name_counts(self):
        other = changed("CL_PLATFORM_NAME, ...)  Portable Computing Language", "CL_PLATFORM_NAME, ...)  Tranche")
        self.assertTrue(self.differences(other))

    def test_missing_and_additional_lines_count(self):
        self.assertTrue(self.differences(changed("  Device Vendor ID                                0x8086\n", "")))
        self.assertTrue(self.differences(changed("NULL platform", "  Something new                                   1\n\nNULL platform")))

    def test_order_counts(self):
        a, b = "    Out-of-order execution                        Yes\n", "    Profiling                                     Yes\n"
        self.assertTrue(self.differences(changed(a + b, b + a)))

    def test_no_device_counts(self):
        self.assertTrue(compare.clinfo_text("Number of platforms  0\n", "Number of platforms  0\n"))


class Others(unittest.TestCase):
    def test_same_output(self):
        self.assertEqual(compare.same_output(result("a\nb\n"), result("a\nb\n")), [])
        self.assertTrue(compare.same_output(result("a\nb\n"), result("a\nc\n")))
        self.assertTrue(compare.same_output(result("a\nb\n"), result("a\n")))
        self.assertTrue(compare.same_output(result(""), result("")))
        self.assertTrue(compare.same_output(result("a"), result("a", status=1)))
        self.assertTrue(compare.same_output(result("a", status=-11), result("a", status=-11)))

    def test_clpeak(self):
        self.assertEqual(compare.parse_clpeak(CLPEAK), {"Global memory bandwidth / float": 14.45,
                         "Global memory bandwidth / float16": 24.2, "Kernel launch latency": 27.03})
        self.assertEqual(compare.clpeak(result(CLPEAK), result(CLPEAK.replace("14.45", "11.2"))), [])
        for bad in ("0.00", "-1", "nan", "inf"):
            self.assertTrue(compare.clpeak(result(CLPEAK), result(CLPEAK.replace("14.45", bad))), bad)
        self.assertTrue(compare.clpeak(result(CLPEAK), result(CLPEAK.replace("      float16 : 24.20\n", ""))))
        self.assertTrue(compare.clpeak(result(""), result("")))

    def test_clpeak_too_short(self):
        text = "    Transfer bandwidth (GBPS)\n      enqueueWriteBuffer : 9.1\n      enqueueUnmap(after write) : inf\n"
        self.assertEqual(compare.clpeak(result(text), result(text)), [])
        self.assertTrue(compare.clpeak(result(text), result(text.replace("9.1", "inf"))))
        self.assertTrue(compare.clpeak(result(text), result(text.replace("inf", "nan"))))

    def test_hashcat_benchmark(self):
        text = "Speed.#1.........:   420.6 MH/s (1.88ms) @ Accel:512\n"
        self.assertEqual(compare.hashcat_rate(text), 420.6e6)
        self.assertEqual(compare.hashcat_benchmark(result(text), result(text)), [])
        self.assertTrue(compare.hashcat_benchmark(result(text), result(text.replace("420.6", "0.0"))))
        self.assertTrue(compare.hashcat_benchmark(result(text), result("")))

    def test_hashcat_crack(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            sides = [result("Status: Cracked", work=pathlib.Path(folder)) for folder in (one, two)]
            self.assertTrue(compare.hashcat_crack(*sides))
            for side in sides:
                (side.work / "potfile").write_text("hash:word\n")
            self.assertEqual(compare.hashcat_crack(*sides), [])
            (sides[1].work / "potfile").write_text("hash:w0rd\n")
            self.assertTrue(compare.hashcat_crack(*sides))


@unittest.skipUnless(POCL_ICD.exists(), "no PoCL")
class EndToEnd(unittest.TestCase):
    """run_app with the stand-in for "tranche run": equal as it is, and unequal when it spoils results."""

    def run_app(self, program, *options):
        wrapper = " ".join((str(HERE / "stand_in.py"), *options))
        done = subprocess.run([sys.executable, HERE / "run_app.py", "--wrapper", wrapper, *BIN, program],
                              capture_output=True, text=True, check=False, timeout=100)
        if done.returncode == 77:
            self.skipTest(done.stdout.strip())
        return done

    def check(self, program):
        done = self.run_app(program)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = self.run_app(program, "--spoil")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)

    def test_clinfo(self):
        self.check("clinfo")

    def test_oclgrind(self):
        self.check("oclgrind")

    def test_failing_wrapper(self):
        done = subprocess.run([sys.executable, HERE / "run_app.py", "--wrapper", "/bin/false", *BIN, "clinfo"],
                              capture_output=True, text=True, check=False, timeout=100)
        self.assertIn(done.returncode, (1, 77), done.stdout)


BIN = []
if __name__ == "__main__":
    if "--bin" in sys.argv:
        at = sys.argv.index("--bin")
        BIN = sys.argv[at:at + 2]
        del sys.argv[at:at + 2]
    unittest.main()
