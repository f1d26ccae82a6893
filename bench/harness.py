# SPDX-License-Identifier: MIT
"""What the bench commands share: run native and wrapped in turns, take medians, hold them
against the bars, print a table and write JSON.

A bar is a statement about the medians of one run on one machine. It is printed, never
asserted: times depend on what else the machine does, and a test must not.
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "apps"))
from sides import Failure, Side, Skip, end_cleanly_on_sigterm, say  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Metric:
    """One row. bar: None, or (kind, number) with kind "at most" or "at least" (the ratio ours / native),
    "adds" (ours - native, at most that many units), "is" (ours, exactly), "reaches" (ours, at least) or "stays under"."""
    key: str
    label: str
    unit: str = ""
    bar: tuple = None


def judge(metric, native, ours):
    """(text of the bar, "met" or "missed" or "")"""
    if not metric.bar:
        return "", ""
    kind, number = metric.bar
    text = f"{kind} {number:g}"
    if kind in ("at most", "at least"):
        text += "x"
        ratio = ours / native if native else float("nan")
        met = ratio <= number if kind == "at most" else ratio >= number
    elif kind == "adds":
        text = f"adds at most {number:g} {metric.unit}"
        met = ours - native <= number
    elif kind == "reaches":
        met = ours >= number
    elif kind == "stays under":
        met = ours < number
    else:
        met = ours == number
    return text, "met" if met else "missed"


def row_of(metric, native, ours):
    """A row of the report from the samples of both sides."""
    medians = [statistics.median(samples) for samples in (native, ours)]
    text, verdict = judge(metric, *medians)
    return {"key": metric.key, "label": metric.label, "unit": metric.unit, "native": medians[0], "ours": medians[1],
            "native_range": [min(native), max(native)], "ours_range": [min(ours), max(ours)],
            "ratio": medians[1] / medians[0] if medians[0] else None, "bar": text, "verdict": verdict}


def figure(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cells(row):
    spread = [f"{figure(median)} ({figure(low)}-{figure(high)})" for median, (low, high) in
              ((row["native"], row["native_range"]), (row["ours"], row["ours_range"]))]
    ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else "-"
    label = f"{row['label']}, {row['unit']}" if row["unit"] else row["label"]
    return [label, *spread, ratio, row["bar"], row["verdict"]]


HEADINGS = ["measure", "native (min-max)", "ours (min-max)", "ratio", "bar", ""]


def print_table(rows):
    table = [HEADINGS, *map(cells, rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEADINGS))]
    for line in table:
        text = "  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
        if sys.stdout.isatty() and line[-1] in ("met", "missed"):
            text = text[:-widths[-1]] + f"\033[{32 if line[-1] == 'met' else 31}m{line[-1].rjust(widths[-1])}\033[0m"
        say(text.rstrip())


def _output_of(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()
    except OSError:
        return ""


def _line_of(path, start):
    lines = pathlib.Path(path).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(start)), "unknown")


def machine():
    return {"cpu": _line_of("/proc/cpuinfo", "model name"), "cpus": os.cpu_count(),
            "memory": _line_of("/proc/meminfo", "MemTotal"), "kernel": platform.release(),
            "load": round(os.getloadavg()[0], 2)}


def versions():
    packages = _output_of("dpkg-query", "-W", "-f", "${Package} ${Version}\n", "libpocl2", "ocl-icd-libopencl1", "clpeak",
                          "hashcat")
    found = dict(line.split(" ", 1) for line in packages.splitlines() if " " in line)
    return {"tranche": _output_of("git", "describe", "--always", "--dirty") or "unknown", **found}


class Bench:
    """One command's arguments, its two sides and its report."""

    def __init__(self, name, about, repeats):
        parser = argparse.ArgumentParser(prog=f"bench/{name}", description=about,
                                         formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--repeats", type=int, default=repeats, help=f"runs a side (default {repeats})")
        parser.add_argument("--wrapper", type=shlex.split, metavar="COMMAND",
                            help="run ours as COMMAND -- PROGRAM (default: tranche run of the build)")
        parser.add_argument("--build", metavar="DIR", default=os.environ.get("TRANCHE_BUILD", ROOT / "build"))
        parser.add_argument("--json", metavar="FILE", help=f"default: DIR/bench-results/{name}.json")
        self.args = parser.parse_args()
        if self.args.repeats < 1:
            parser.error("--repeats must be 1 or more")
        self.name, self.load_at_start = name, os.getloadavg()[0]
        self.build = pathlib.Path(self.args.build).resolve()
        self.json = pathlib.Path(self.args.json or self.build / "bench-results" / f"{name}.json")
        if not self.args.wrapper:
            self._build()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
        wrapper = self.args.wrapper or [str(self.build / "src/cli/tranche"), "run"]
        self.sides = {"native": Side("native", self.folder), "ours": Side("ours", self.folder, wrapper)}
        self.samples = {"native": {}, "ours": {}}

    def _build(self):
        # Progress goes to stderr: stdout is the table.
        done = subprocess.run([ROOT / "tools/build", "--dir", self.build], stdout=sys.stderr, check=False)
        if done.returncode:
            raise Failure("the build failed")

    def program(self, name):
        """The path of one of our own programs."""
        path = self.build / "bench" / f"bench-{name}"
        if not path.exists():
            raise Skip(f"{path} is missing: it is built where the OpenCL headers and loader are installed")
        return str(path)

    def add(self, side, values):
        for key, value in values.items():
            self.samples[side].setdefault(key, []).append(value)

    def run(self, side, argv, timeout=120, env=None):
        """Run a program that has to succeed."""
        result = self.sides[side].run(argv, timeout, env)
        if result.status:
            raise Failure(f"{side}: {shlex.join(argv)}: exit status {result.status}\n{result.tail()}")
        return result

    def in_turns(self, measure, warm_up=1):
        """Call measure(side) for both sides, repeats times, changing which goes first; what the
        first warm_up rounds return is dropped (they fill the kernel caches)."""
        for i in range(self.args.repeats + warm_up):
            for side in ("native", "ours") if i % 2 else ("ours", "native"):
                values = measure(side)
                if i >= warm_up:
                    self.add(side, values)

    def report(self, metrics, note=None):
        rows = [row_of(metric, self.samples["native"][metric.key], self.samples["ours"][metric.key])
                for metric in metrics if metric.key in self.samples["native"] and metric.key in self.samples["ours"]]
        document = {"bench": self.name, "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                    "machine": {**machine(), "load_at_start": round(self.load_at_start, 2)}, "versions": versions(),
                    "command": self.sides["ours"].command(["PROGRAM"]), "repeats": self.args.repeats, "rows": rows,
                    "samples": self.samples}
        print_table(rows)
        if note:
            say(note)
        if self.load_at_start > 0.5:
            say(f"note: the machine was busy when this began (load {self.load_at_start:.1f}); the figures say little")
        self.json.parent.mkdir(parents=True, exist_ok=True)
        self.json.write_text(json.dumps(document, indent=1) + "\n")
        say(f"written to {self.json}")

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def parse_lines(text):
    """The "name value" lines of our own programs."""
    return {name: float(value) for name, value in (line.split() for line in text.splitlines() if line.strip())}


def main(name, about, repeats, body):
    """Run body(bench); exit status 0, 1 with a sentence, or 77 when something is not installed."""
    bench = None
    end_cleanly_on_sigterm()
    try:
        bench = Bench(name, about, repeats)
        body(bench)
    except Skip as reason:
        say(f"bench/{name}: skipped: {reason}")
        return 77
    except Failure as failure:
        say(f"bench/{name}: {failure}")
        return 1
    finally:
        if bench:
            bench.close()
    return 0
