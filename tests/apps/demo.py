#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Three real programs on the host's own OpenCL and on a virtual device, side by side.

    demo.py [--again] [--bin DIR] [--wrapper COMMAND]

Each runs once a side, both with empty kernel caches, so that both compile the same. With
--again it runs a second time, and that is timed: the host's own driver then has its
compiled kernels at hand, a virtual device, whose sessions keep none, compiles anew. Exit
status: 0 when all results are equal, 1 when one is not, 77 when none of the programs is
installed.
"""
import argparse
import pathlib
import shlex
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True      # the source tree stays as it is

import programs  # noqa: E402
from sides import ROOT, Failure, Side, Skip, default_wrapper, die_skipped, end_cleanly_on_sigterm, say  # noqa: E402

SHOWN = {
    "pyopencl": "PyOpenCL: map, reduce, scan, printf",
    "clblast": "CLBlast: SGEMM 512x512",
    "hashcat-crack": "hashcat: crack an MD5",
}
# Takes the place of the first one that is not installed.
SPARE = {
    "viennacl": "ViennaCL: sparse CG, 20,000 rows",
    "ffmpeg": "ffmpeg: sharpen and blur 25 frames",
}
ROW = "  {:<38} {:<8} {:>9} {:>9} {:>7}"


def coloured(text, code):
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


def timed(seconds):
    return f"{seconds:.2f} s"


def run(name, folder, args, folders):
    """Compares every run, and returns the seconds of the last ones (native, ours)."""
    program = programs.PROGRAMS[name]
    native, ours = Side("native", folder), Side("wrapped", folder, args.wrapper)
    for attempt in ("first", "second") if args.again else ("first",):
        for side in (native, ours):     # hashcat looks an earlier result up instead of computing it
            (side.folder / "work" / "potfile").unlink(missing_ok=True)
        results = programs.run_both(program, native, ours, folders)
        found = program.compare(*results)
        if found:
            raise Failure(f"{attempt} run: " + "\n".join(found[:8]))
    return [result.seconds for result in results]


def show(name, what, args, folders):
    """Prints the row of one program. Returns False when its results differ; raises Skip."""
    folder = tempfile.mkdtemp(prefix="demo-")
    if sys.stdout.isatty():
        print(f"  {what} ...", end="\r", flush=True)
    try:
        native, ours = run(name, folder, args, folders)
    except Failure as failure:
        say(ROW.format(what, "NO", "", "", ""))
        say(coloured(str(failure), 31))
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    row = ROW.format(what, "equal", timed(native), timed(ours), f"{ours / native:.2f}x")
    say(row.replace("equal", coloured("equal", 32), 1))
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="time a second run")
    parser.add_argument("--wrapper", type=shlex.split, default=default_wrapper(), help="default: tools/tranche run")
    parser.add_argument("--bin", default=ROOT / "build/tests/apps", help="where the demo's own programs were built")
    args = parser.parse_args()
    end_cleanly_on_sigterm()
    if not args.wrapper:
        die_skipped("tools/tranche is missing, and no --wrapper was given")
    folders = {"bin": str(pathlib.Path(args.bin).resolve())}

    say("Unmodified programs on this machine's own OpenCL, and on a virtual device of it.")
    say(f"Ours is: {shlex.join(args.wrapper)} -- PROGRAM")
    say("The times are of a second run: natively the compiled kernels of the first one are used again.\n" if args.again
        else "Kernel caches are empty at first, so the times include compiling the kernels, on both sides.\n")
    say(coloured(ROW.format("program", "result", "native", "ours", "ratio"), 1))
    waiting = list((SHOWN | SPARE).items())
    shown, good, missing = 0, True, []
    while waiting and shown < len(SHOWN):
        name, what = waiting.pop(0)
        try:
            good = show(name, what, args, folders) and good
            shown += 1
        except Skip as reason:
            missing.append(f"  {what}: left out: {reason}")
    for line in missing:
        say(line)
    if not shown:
        return 77
    say("\nAll results are equal." if good else coloured("\nResults differ.", 31))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
