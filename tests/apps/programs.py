# SPDX-License-Identifier: MIT
"""The table of real programs: how each is run, and what makes its two runs equal."""
import dataclasses
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import typing

import compare
import debian_source
from sides import HERE, POCL_ICD, Failure, Side, Skip

GPYFFT_TESTS = "/usr/lib/python3/dist-packages/gpyfft/test"
STARPU = "/usr/lib/x86_64-linux-gnu/starpu/examples/vector_scal"
OCLGRIND_ICD = pathlib.Path("/usr/lib/oclgrind/liboclgrind-rt-icd.so")
CRACK_HASH = "c7d9eb0d2f54f8c1177976cf2e6ee6d5"     # MD5 of "abcd1"
# Debian's own, whatever comes first in PATH: it is the one that has Debian's modules.
PYTHON = "/usr/bin/python3"


@dataclasses.dataclass(frozen=True)
class Program:
    """argv: the command; words in braces are replaced by a folder: {bin} our own programs, {src} this one.
    needs: commands, "py:MODULE" or files without which the test is skipped.
    timeout: seconds for one side with cold caches; several times what a quiet machine takes."""
    name: str
    argv: tuple
    compare: typing.Callable = compare.same_output
    needs: tuple = ()
    env: typing.Mapping = dataclasses.field(default_factory=dict)
    timeout: int = 240
    slow: bool = False      # not in the default test run
    source: str = ""        # a package whose upstream tree is {source}
    run: typing.Callable = None     # replaces the plain "both sides run argv"


def run_plain(program, native, wrapped, folders):
    argv = [word.format(**folders) for word in program.argv]
    return [side.run(argv, program.timeout, program.env) for side in (native, wrapped)]


def run_oclgrind(program, native, wrapped, folders):
    """A host with two platforms: each device in turn is the host device of a virtual one.

    Natively the program picks the device by its index; a virtual device is the only one
    that its program sees, and --host-device takes the same index."""
    vendors = native.folder.parent / "two-vendors"
    vendors.mkdir(exist_ok=True)
    (vendors / "oclgrind.icd").write_text(f"{OCLGRIND_ICD}\n")
    (vendors / "pocl.icd").write_text(POCL_ICD.read_text())
    sides = [Side(f"{side.name}-two", side.folder.parent, side.wrapper, vendors) for side in (native, wrapped)]
    vadd = folders["bin"] + "/vadd"
    listed = sides[0].run([vadd, "--list"], program.timeout)
    devices = [line.split("\t") for line in listed.stdout.splitlines()]
    grind = [index for index, platform, _ in devices if platform == "Oclgrind"]
    if len(devices) < 2 or len(grind) != 1:
        raise Failure(f"the loader does not list oclgrind beside PoCL\n{listed.tail()}")
    results = []
    for index, _, _ in devices:
        one = sides[0].run([vadd, index], program.timeout)
        other = sides[1].run([vadd, "0"], program.timeout, options=["--host-device", index])
        if ("Oclgrind" in one.stdout) != (index in grind):
            raise Failure(f"device {index} is not the listed one\n{one.tail()}")
        results.append((one, other))
    for pair in results[:-1]:
        found = program.compare(*pair)
        if found:
            raise Failure("\n".join(found))
    return results[-1]


PROGRAMS = {program.name: program for program in (
    Program("clinfo", ("clinfo",), compare.clinfo, needs=("clinfo",)),
    Program("clpeak", ("clpeak", "--kernel-latency", "--global-bandwidth"), compare.clpeak, needs=("clpeak",)),
    Program("clpeak-compute", ("clpeak", "--compute-sp", "--compute-dp", "--compute-integer", "--transfer-bandwidth"),
            compare.clpeak, needs=("clpeak",), timeout=600, slow=True),
    Program("hashcat-crack", ("hashcat", "-m", "0", "-a", "3", "--potfile-path", "potfile", "--session", "tranche-test",
                              CRACK_HASH, "?l?l?l?l?d"), compare.hashcat_crack, needs=("hashcat",), timeout=600),
    Program("hashcat-benchmark", ("hashcat", "-b", "-m", "0", "--session", "tranche-bench"), compare.hashcat_benchmark,
            needs=("hashcat",), timeout=300, slow=True),
    Program("clblast", ("{bin}/sgemm",), needs=("{bin}/sgemm",)),
    Program("viennacl", ("{bin}/cg",), needs=("{bin}/cg",)),
    Program("pyopencl", (PYTHON, "{src}/pyopencl_mix.py"), needs=(PYTHON, "py:pyopencl")),
    Program("opencv", (PYTHON, "{src}/opencv_umat.py"), needs=(PYTHON, "py:cv2"), env={"OPENCV_OPENCL_DEVICE": ":CPU:"}),
    # Digests of every frame, on stdout.
    Program("ffmpeg", ("ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", "-init_hw_device", "opencl=ocl:0.0",
                       "-filter_hw_device", "ocl", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25:duration=1",
                       "-vf", "format=yuv420p,hwupload,unsharp_opencl=lx=5:ly=5,avgblur_opencl=3,hwdownload,format=yuv420p",
                       "-f", "framemd5", "-"), needs=("ffmpeg",)),
    Program("pyopencl-tests", (PYTHON, "{src}/pytest_outcomes.py", "{source}/test/test_wrapper.py",
                               "{source}/test/test_enqueue_copy.py"),
            needs=(PYTHON, "py:pyopencl", "py:pytest"), source="python3-pyopencl", timeout=480),
    Program("pyopencl-tests-more", (PYTHON, "{src}/pytest_outcomes.py", "{source}/test"),
            needs=(PYTHON, "py:pyopencl", "py:pytest"), source="python3-pyopencl", timeout=2400, slow=True),
    Program("gpyfft-tests", (PYTHON, "{src}/pytest_outcomes.py", GPYFFT_TESTS),
            needs=(PYTHON, "py:gpyfft", "py:pytest", GPYFFT_TESTS), timeout=200),
    Program("clfft", ("{src}/clfft.sh",), needs=("clFFT-client",), timeout=200),
    Program("clblast-tests", ("{src}/clblast_tests.sh", "xaxpy", "xomatcopy"), needs=("clblast_test_xaxpy",),
            timeout=240),
    Program("clblast-tests-more", ("{src}/clblast_tests.sh", "xamax", "xasum", "xcopy", "xdot", "xdotc", "xgemv", "xgemm",
                                   "xger", "xhad", "xim2col", "xnrm2", "xscal", "xsymv", "xsyrk", "xtrsm", "xtrsv"),
            needs=("clblast_test_xaxpy",), timeout=3000, slow=True),
    Program("dtcwt", (PYTHON, "{src}/dtcwt_mix.py"), needs=(PYTHON, "py:dtcwt", "py:pyopencl")),
    Program("sasmodels", (PYTHON, "{src}/sasmodels_mix.py"), needs=(PYTHON, "py:sasmodels", "py:pyopencl"),
            env={"SAS_OPENCL": "0:0"}),
    Program("hcxkeys", ("wlangenpmkocl", "-e", "tranche", "-p", "password1"),
            compare.same_lines_but("using:"), needs=("wlangenpmkocl",)),
    # Without its CPU workers, so that the codelet is OpenCL's.
    Program("starpu", ("sh", "-c", f"{STARPU} 2>&1 | grep -E 'BEFORE|AFTER'"), needs=(STARPU,),
            env={"STARPU_NCPU": "0", "STARPU_OPENCL_ON_CPUS": "1"}),
    Program("oclgrind", (), needs=("{bin}/vadd", str(OCLGRIND_ICD)), run=run_oclgrind),
)}


def _has_module(name):
    if sys.executable == PYTHON:
        return importlib.util.find_spec(name) is not None
    probe = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([PYTHON, "-c", probe], check=False).returncode == 0


def check_needs(program, folders):
    """Raises Skip with the reason when something that the program needs is not installed."""
    for need in program.needs:
        need = need.format(**folders)
        if need.startswith("py:"):
            if not _has_module(need[3:]):
                raise Skip(f"{PYTHON} has no module {need[3:]}")
        elif "/" in need:
            if not pathlib.Path(need).exists():
                raise Skip(f"{need} is missing")
        elif not shutil.which(need):
            raise Skip(f"no {need} in PATH")


def run_both(program, native, wrapped, folders):
    """The two Results of a program. folders: "bin" (our own programs' build folder)."""
    folders = {"src": str(HERE), **folders}
    check_needs(program, folders)
    if program.source:
        folders["source"] = str(debian_source.tree(program.source))
    return (program.run or run_plain)(program, native, wrapped, folders)
