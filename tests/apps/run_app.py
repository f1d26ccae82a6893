#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs one real program natively and on a virtual device, and compares what it did.

Exit status: 0 equal, 1 a difference or a failure, 77 skipped (something is not installed).
"""
import argparse
import pathlib
import shlex
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True      # the source tree stays as it is

import programs  # noqa: E402
from sides import Failure, Side, Skip, default_wrapper, die_skipped, end_cleanly_on_sigterm, say  # noqa: E402

SHOWN = 25      # differences printed of one program


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="*", metavar="PROGRAM", help="which; none: all of the default run")
    parser.add_argument("--list", action="store_true", help="print the programs and exit")
    parser.add_argument("--long", action="store_true", help="without PROGRAM: the slow ones too")
    parser.add_argument("--wrapper", type=shlex.split, metavar="COMMAND",
                        help="run wrapped programs as COMMAND -- PROGRAM (default: tools/tranche run)")
    parser.add_argument("--bin", default=None, metavar="DIR", help="our own programs (default: build/tests/apps)")
    parser.add_argument("--keep", metavar="DIR", help="keep caches and outputs of both sides in DIR; warm next time")
    return parser.parse_args()


def run_one(program, folder, wrapper, folders):
    native, wrapped = Side("native", folder), Side("wrapped", folder, wrapper)
    results = programs.run_both(program, native, wrapped, folders)
    found = program.compare(*results)
    if found:
        rest = [f"... and {len(found) - SHOWN} more differences"] if len(found) > SHOWN else []
        raise Failure("\n".join(found[:SHOWN] + rest))
    return results


def report(program, folder, wrapper, folders):
    """One line on stdout, and an exit status."""
    try:
        native, wrapped = run_one(program, folder, wrapper, folders)
    except Skip as reason:
        say(f"{program.name}: skipped: {reason}")
        return 77
    except Failure as failure:
        say(f"{program.name}: FAILED\n{failure}")
        return 1
    say(f"{program.name}: equal (native {native.seconds:.1f} s, wrapped {wrapped.seconds:.1f} s)")
    return 0


def main():
    args = parse_arguments()
    end_cleanly_on_sigterm()
    if args.list:
        for program in programs.PROGRAMS.values():
            say(f"{program.name}{' (long)' if program.slow else ''}")
        return 0
    unknown = [name for name in args.program if name not in programs.PROGRAMS]
    if unknown:
        say(f"no program {unknown[0]!r}; there are: {', '.join(programs.PROGRAMS)}")
        return 2
    wrapper = args.wrapper or default_wrapper()
    if not wrapper:
        die_skipped("tools/tranche is missing, and no --wrapper was given")
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    folders = {"bin": str(pathlib.Path(args.bin or root / "build/tests/apps").resolve())}
    chosen = args.program or [p.name for p in programs.PROGRAMS.values() if args.long or not p.slow]
    states = []
    for name in chosen:
        folder = pathlib.Path(args.keep).resolve() / name if args.keep else pathlib.Path(tempfile.mkdtemp(prefix="apps-"))
        try:
            states.append(report(programs.PROGRAMS[name], folder, wrapper, folders))
        finally:
            if not args.keep:
                shutil.rmtree(folder, ignore_errors=True)
    if 1 in states:
        return 1
    return 77 if all(state == 77 for state in states) else 0


if __name__ == "__main__":
    sys.exit(main())
