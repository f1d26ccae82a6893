# SPDX-License-Identifier: MIT
"""The test run behind tools/test: build, lint, meson's tests, fuzz targets; one line of totals at the end."""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(TOP, "tools")


class Totals:
    def __init__(self):
        self.passed = 0
        self.skipped = []
        self.failed = []

    def add(self, name, result, reason=""):
        """result: "pass", "skip" or "fail"."""
        if result == "pass":
            self.passed += 1
        elif result == "skip":
            self.skipped.append((name, reason))
        else:
            self.failed.append((name, reason))


def say(text):
    print(text, flush=True)


def is_wanted(name, args):
    return not args.names or any(part in name for part in args.names)


def run_lint(args, build, totals):
    listed = subprocess.run([os.path.join(TOOLS, "lint"), "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    names = [n for n in listed if is_wanted("lint " + n, args)]
    if not names:
        return
    results = os.path.join(build, "meson-logs", "lint.json")
    if os.path.exists(results):
        os.unlink(results)
    code = subprocess.run([os.path.join(TOOLS, "lint"), "--build", build, "--json", results, *names], check=False).returncode
    if not os.path.exists(results):
        totals.add("lint", "fail", f"ended with {code}")
        return
    with open(results, encoding="utf-8") as f:
        for check in json.load(f):
            result = {"ok": "pass", "skip": "skip"}.get(check["status"], "fail")
            totals.add("lint " + check["name"], result, "; ".join(check["reasons"][:1]))


def suites_of(test):
    return {s.split(":", 1)[-1] for s in test["suite"]}


def meson_tests(build):
    text = subprocess.run(["meson", "introspect", "--tests", build], stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(text)


def parse_junit(path):
    """The root; meson writes what tests print as it comes, and XML has no control characters."""
    with open(path, encoding="utf-8", errors="replace") as f:
        return xml.etree.ElementTree.fromstring(re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "?", f.read()))


def subtests(junit):
    """{full name: [(name, result, reason)]} of tests that speak TAP; the others are one test each and not in here."""
    found = {}
    if not os.path.exists(junit):
        return found
    for suite in parse_junit(junit).iter("testsuite"):
        if "." not in suite.get("name", ""):
            continue
        cases = []
        for case in suite.iter("testcase"):
            kinds = {child.tag for child in case}
            result = "fail" if kinds & {"failure", "error"} else "skip" if "skipped" in kinds else "pass"
            cases.append((case.get("name"), result, case.findtext("system-out") or ""))
        found[suite.get("name").split(".", 1)[1]] = cases
    return found


def count_meson(build, logbase, totals):
    logs = os.path.join(build, "meson-logs", logbase)
    parts = subtests(logs + ".junit.xml")
    with open(logs + ".json", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    for row in rows:
        name = row["name"].split(" / ", 1)[-1]
        result = {"OK": "pass", "EXPECTEDFAIL": "pass", "SKIP": "skip"}.get(row["result"], "fail")
        # a program that skips says why in its last line
        last = ((row.get("stdout") or row.get("stderr") or "").strip().split("\n") or [""])[-1][:160]
        cases = parts.get(row["name"], [])
        for case, case_result, reason in cases:
            totals.add(f"{name}: {case}", case_result, reason)
        if not cases or (result == "fail" and not any(r == "fail" for _, r, _ in cases)):
            totals.add(name, result, last if result == "skip" else row["result"].lower())


def run_meson(tests, what, args, build, totals):
    names = sorted({t["name"] for t in tests})
    if not names:
        return
    say(f"test: {what}, {len(names)} programs")
    logbase = "tools-test-" + what
    for old in glob.glob(os.path.join(build, "meson-logs", logbase + ".*")):
        os.unlink(old)
    # One more than there are processors: half of what tests do is to wait for something.
    command = ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--logbase", logbase, "-t", "2",
               "--num-processes", str(len(os.sched_getaffinity(0)) + 1)]
    # (meson appends the setup's name to the log's by itself)
    if args.sanitizer:
        command += ["--setup", args.sanitizer]
        logbase += "-" + args.sanitizer
    code = subprocess.run(command + names, check=False, stdin=subprocess.DEVNULL).returncode
    try:
        count_meson(build, logbase, totals)
    except (OSError, ValueError) as error:
        totals.add(what, "fail", f"meson test ended with {code} and left no results ({error})")


def run_fuzz(args, totals):
    """Every fuzz target (the suite "fuzz" of a build with -Dfuzz=true) for its share of the time."""
    if args.fuzz <= 0:
        return
    if not shutil.which("clang"):
        totals.add("fuzz", "skip", "clang is not installed")
        return
    build = os.path.join(TOP, "build-fuzz")
    if subprocess.run([os.path.join(TOOLS, "build"), "--fuzz", "fuzz-targets"], check=False).returncode:
        totals.add("fuzz", "fail", "the fuzz targets do not build")
        return
    tests = [t for t in meson_tests(build) if "fuzz" in suites_of(t) and is_wanted(t["name"], args)]
    if not tests:
        return
    seconds = max(1, args.fuzz // max(1, len(tests)))
    os.environ["TRANCHE_FUZZ_SECONDS"] = str(seconds)
    os.environ["TRANCHE_FUZZ_FINDINGS"] = build
    say(f"test: fuzz, {len(tests)} targets, {seconds} s each")
    logs = os.path.join(build, "meson-logs", "tools-test-fuzz.json")
    if os.path.exists(logs):
        os.unlink(logs)
    command = ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--logbase", "tools-test-fuzz",
               "-t", str(1 + seconds // 300)]
    code = subprocess.run(command + [t["name"] for t in tests], check=False, stdin=subprocess.DEVNULL).returncode
    try:
        with open(logs, encoding="utf-8") as f:
            for row in map(json.loads, f):
                executed = re.search(r"number_of_executed_units: (\d+)", row.get("stdout", "") + row.get("stderr", ""))
                say(f"test: {row['name']}: {executed[1] if executed else '?'} executions")
    except (OSError, ValueError) as error:
        totals.add("fuzz", "fail", f"meson test ended with {code} and left no results ({error})")
        return
    count_meson(build, "tools-test-fuzz", totals)


def parse_args():
    parser = argparse.ArgumentParser(prog="tools/test", add_help=False,
                                     usage="tools/test [--quick | --long] [--asan | --tsan] [--fuzz SECONDS] [--no-setup] [--list] [NAME...]")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--asan", dest="sanitizer", action="store_const", const="asan")
    parser.add_argument("--tsan", dest="sanitizer", action="store_const", const="tsan")
    parser.add_argument("--fuzz", type=int, default=60)
    parser.add_argument("--no-setup", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    return parser.parse_args()


def main():
    args = parse_args()
    start = time.monotonic()
    os.environ["TRANCHE_TEST_LONG"] = "1" if args.long else ""
    build = os.path.join(TOP, "build" + (f"-{args.sanitizer}" if args.sanitizer else ""))
    totals = Totals()
    command = [os.path.join(TOOLS, "build"), "--werror"] + ([f"--{args.sanitizer}"] if args.sanitizer else [])
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        say("0 passed, 1 failed, 0 skipped")
        return 1

    tests = [t for t in meson_tests(build) if is_wanted(t["name"], args)]
    if args.list:
        for t in tests:
            say(f"{t['name']:<40} {' '.join(sorted(suites_of(t) - {'tranche'}))}")
        return 0
    if not args.sanitizer:
        run_lint(args, build, totals)
    if not args.long:
        tests = [t for t in tests if "long" not in suites_of(t)]
    if args.sanitizer:
        # Programs that are not ours cannot load a library that was built for a sanitizer.
        tests = [t for t in tests if "apps" not in suites_of(t)]
    run_meson([t for t in tests if "quick" in suites_of(t)], "quick", args, build, totals)
    if not args.quick:
        run_meson([t for t in tests if "quick" not in suites_of(t)], "all-others", args, build, totals)
        if not args.sanitizer and (not args.names or any("fuzz" in n for n in args.names)):
            run_fuzz(args, totals)

    for kind, rows in (("skipped", totals.skipped), ("FAILED", totals.failed)):
        for name, reason in rows:
            say(f"{kind}: {name}" + (f" ({reason})" if reason else ""))
    say(f"test: {time.monotonic() - start:.0f} s")
    if not totals.passed and not totals.failed and not totals.skipped:
        print(f"tools/test: no test has {' or '.join(args.names) or 'that suite'} in its name (see --list)", file=sys.stderr)
        return 2
    say(f"{totals.passed} passed, {len(totals.failed)} failed, {len(totals.skipped)} skipped")
    return 1 if totals.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
