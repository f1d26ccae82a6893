#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The arithmetic and the files of the bench commands. Never what a time is: only that there is one."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True      # the source tree stays as it is

import harness  # noqa: E402
from harness import Metric  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("TRANCHE_BUILD", HERE.parent / "build"))


class Bars(unittest.TestCase):
    def verdict(self, bar, native, ours):
        return harness.judge(Metric("k", "label", "ms", bar), native, ours)[1]

    def test_at_most(self):
        self.assertEqual(self.verdict(("at most", 1.5), 10, 15), "met")
        self.assertEqual(self.verdict(("at most", 1.5), 10, 15.1), "missed")
        self.assertEqual(self.verdict(("at most", 1.5), 0, 1), "missed")

    def test_at_least(self):
        self.assertEqual(self.verdict(("at least", 0.9), 10, 9), "met")
        self.assertEqual(self.verdict(("at least", 0.9), 10, 8.9), "missed")

    def test_adds(self):
        self.assertEqual(self.verdict(("adds", 15), 5, 20), "met")
        self.assertEqual(self.verdict(("adds", 15), 5, 20.1), "missed")

    def test_is(self):
        self.assertEqual(self.verdict(("is", 1), 1, 1), "met")
        self.assertEqual(self.verdict(("is", 0), 0, 3), "missed")

    def test_no_bar(self):
        self.assertEqual(self.verdict(None, 1, 2), "")

    def test_row_takes_medians(self):
        row = harness.row_of(Metric("k", "label", "us", ("at most", 2)), [1, 100, 3], [5, 4, 900])
        self.assertEqual((row["native"], row["ours"], row["verdict"]), (3, 5, "met"))
        self.assertEqual(row["ours_range"], [4, 900])
        self.assertEqual(harness.cells(row)[:3], ["label, us", "3 (1-100)", "5 (4-900)"])

    def test_nothing_natively(self):
        row = harness.row_of(Metric("k", "label", "", ("is", 0)), [0, 0], [0, 2])
        self.assertIsNone(row["ratio"])
        self.assertEqual(row["verdict"], "missed")

    def test_lines(self):
        self.assertEqual(harness.parse_lines("a_us 1.5\nb 2\n"), {"a_us": 1.5, "b": 2.0})


class Commands(unittest.TestCase):
    """bench/start with "env" for a wrapper: runs, writes its file, and bench/report reads that."""

    def test_start(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "start.json"
            done = subprocess.run([sys.executable, HERE / "start", "--wrapper", "env", "--build", BUILD, "--repeats", "1",
                                   "--json", out], capture_output=True, text=True, check=False, timeout=250)
            if done.returncode == 77:
                self.skipTest(done.stdout.strip())
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            document = json.loads(out.read_text())
            self.assertEqual({row["key"] for row in document["rows"]},
                             {"true_ms", "first_context_ms", "first_result_ms", "program_ms", "next_context_ms", "next_result_ms"})
            self.assertTrue(all(row["native"] > 0 and row["ours"] > 0 for row in document["rows"]))
            self.assertTrue(document["machine"]["cpu"] and document["date"] and document["versions"]["tranche"])
            text = subprocess.run([sys.executable, HERE / "report", out], capture_output=True, text=True, check=True).stdout
            self.assertIn("| true, start to end, ms |", text)

    def test_failing_program(self):
        done = subprocess.run([sys.executable, HERE / "start", "--wrapper", "/bin/false", "--build", BUILD],
                              capture_output=True, text=True, check=False, timeout=250)
        self.assertIn(done.returncode, (1, 77), done.stdout)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
