#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs other people's pytest tests and prints one line a test: its name and outcome.

    pytest_outcomes.py FILE-OR-FOLDER... [-- PYTEST-OPTIONS...]

Names hold no device: "the same tests with the same outcomes" is then the same output. The exit status is 0 when
tests ran, whatever came out: what fails natively must fail on a virtual device, too. Failures go to stderr.
"""
import re
import sys

import pytest

DEVICE = re.compile(r"<pyopencl\.(\w+) '.*?'(?: on '.*?'| at 0x[0-9a-f]+)?>")


class Outcomes:
    """A plugin that collects what became of each test."""

    def __init__(self):
        self.of, self.texts = {}, []

    @staticmethod
    def outcome(report):
        if hasattr(report, "wasxfail"):
            return "xfailed" if report.skipped else "xpassed"
        return report.outcome

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            name = DEVICE.sub(r"<\1>", report.nodeid.rsplit("/", 1)[-1])
            self.of[name] = self.outcome(report)
            if report.failed:
                self.texts.append(f"{name}\n{report.longreprtext}")

    def pytest_collectreport(self, report):
        if report.failed:
            self.of[f"collecting {report.nodeid.rsplit('/', 1)[-1]}"] = "failed"
            self.texts.append(report.longreprtext)


def main():
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    outcomes = Outcomes()
    # --runxfail: some expect failures of devices by their names, and then do not try.
    pytest.main(["--runxfail", "-p", "no:cacheprovider", "-p", "no:terminal", *words[cut + 1:], *words[:cut]], [outcomes])
    for name, outcome in sorted(outcomes.of.items()):
        print(outcome, name)
    kinds = list(outcomes.of.values())
    print(", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))))
    print("\n".join(outcomes.texts), file=sys.stderr)
    return 0 if kinds else 1


if __name__ == "__main__":
    sys.exit(main())
