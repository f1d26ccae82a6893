# SPDX-License-Identifier: MIT
"""piglit's OpenCL profile on both sides, compared test by test and part by part."""
import bz2
import collections
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from sides import Failure, say

PROFILE = "cl"
TEST_SECONDS = 120      # of one test; kernels are built in it, on a machine that may be busy
ENDED = re.compile(r"^(pass|fail|skip|crash|warn|timeout|incomplete|notrun|dmesg-\w+): ")
PROGRESS_SECONDS = 20
# Tests that fail natively because the driver crashes there, which is not to be had.
CRASHES_NATIVELY = {
    "api@clcreatecommandqueue": "PoCL aborts when asked for a queue on the device",
}
# What the virtual side runs; a newer one of these makes its results old.
PARTS = ("src/*/*.so*", "src/*/tranche*")


def _stamp(paths):
    return [[os.path.basename(p), os.stat(p).st_size, os.stat(p).st_mtime_ns] for p in sorted(paths) if os.path.isfile(p)]


def _driver(side):
    """The files that a native run depends on: the driver that the .icd names."""
    found = []
    for icd in side.vendors.glob("*.icd"):
        name = icd.read_text().strip()
        found += [name] if os.path.isabs(name) else glob.glob(f"/usr/lib/*/{name}*")
    return found


def _key(side, regex, build):
    piglit = glob.glob("/usr/lib/*/piglit/bin/cl-api-*")[:1] + ["/usr/bin/piglit"]
    files = _driver(side) + piglit
    if side.wrapper:
        files += [path for part in PARTS for path in glob.glob(os.path.join(build, part))]
    return {"regex": regex or "", "seconds": TEST_SECONDS, "files": _stamp(files)}


def _progress(side, output, begin):
    """A line now and then; a terminal gets one that moves."""
    counts, shown = collections.Counter(), time.monotonic()
    for line in output:
        ended = ENDED.match(line)
        if not ended:
            continue
        counts[ended[1]] += 1
        now = time.monotonic()
        if now - shown >= (1 if sys.stderr.isatty() else PROGRESS_SECONDS):
            shown = now
            text = f"{side.name}: {now - begin:4.0f} s, " + ", ".join(f"{n} {word}" for word, n in counts.most_common())
            print("\r" + text if sys.stderr.isatty() else text, end="" if sys.stderr.isatty() else "\n", file=sys.stderr,
                  flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _run(side, regex, out):
    argv = ["piglit", "run", "-l", "verbose", "--timeout", str(TEST_SECONDS), "-o"]
    argv += ["-t", regex] if regex else []
    command = side.command([*argv, PROFILE, str(out)])
    begin = time.monotonic()
    with open(side.folder / "piglit.log", "w", encoding="utf-8") as log:
        env = side.environment({"PYTHONUNBUFFERED": "1"})       # else its lines come when it ends
        child = subprocess.Popen(command, cwd=side.folder / "work", env=env, start_new_session=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, errors="replace")
        try:
            _progress(side, child.stdout, begin)
            status = child.wait()
        except BaseException:       # Ctrl-C does not reach another session
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
    if status:
        tail = (side.folder / "piglit.log").read_text(errors="replace").splitlines()[-8:]
        raise Failure(f"{side.name}: piglit ended with {status}\n" + "\n".join("    " + line for line in tail))
    return time.monotonic() - begin


def _load(out):
    with bz2.open(out / "results.json.bz2", "rt", encoding="utf-8") as f:
        return json.load(f)["tests"]


def results_of(side, regex, again, build):
    """{test: {"result":, "subtests":}} of a side, run when they are not there."""
    name = "all" if not regex else hashlib.sha256(regex.encode()).hexdigest()[:12]
    out = side.folder / "results" / name
    stamp = out.with_suffix(".key")
    key = json.dumps(_key(side, regex, build))
    if not again and stamp.exists() and stamp.read_text() == key and (out / "results.json.bz2").exists():
        say(f"{side.name}: results of {time.strftime('%Y-%m-%d %H:%M', time.localtime(stamp.stat().st_mtime))}")
        return _load(out)
    stamp.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    seconds = _run(side, regex, out)
    stamp.write_text(key)
    tests = _load(out)
    say(f"{side.name}: {len(tests)} tests in {seconds:.0f} s")
    return tests


def _parts(tree):
    """piglit nests what a test reports under a word of its own."""
    for name, result in tree.items():
        if isinstance(result, dict):
            yield from _parts(result)
        elif not name.startswith("__"):
            yield name, result


def outcomes(tests):
    """{name: result} of the tests, and of their parts as "test / part"."""
    found = {}
    for name, test in tests.items():
        found[name] = test["result"]
        found.update((f"{name} / {part}", result) for part, result in _parts(test.get("subtests", {})))
    return found


def table(sides):
    """Counts: a row for tests and one for their parts, a column a result."""
    lines = []
    words = sorted({word for side in sides.values() for word in side.values()})
    for title, is_part in (("tests", False), ("parts", True)):
        lines.append(f"{title:<10}" + "".join(f"{word:>10}" for word in words))
        for name, side in sides.items():
            counts = collections.Counter(word for test, word in side.items() if (" / " in test) == is_part)
            lines.append(f"  {name:<8}" + "".join(f"{counts[word]:>10}" for word in words))
    return lines


def compare(native, virtual, regex, again, build):
    """Prints counts and differences; 0 or 1."""
    sides = {side.name: outcomes(results_of(side, regex, again in (side.name, "both"), build)) for side in (native, virtual)}
    if not sides["native"]:
        raise Failure("piglit ran no test")
    for line in table(sides):
        say(line)
    one, other = sides["native"], sides["virtual"]
    found = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    excused = [name for name in found if name in CRASHES_NATIVELY and other.get(name) == "pass"]
    say(f"{len(found)} differ" + (": test, native, virtual" if found else ""))
    for name in found:
        why = f" (right so: {CRASHES_NATIVELY[name]})" if name in excused else ""
        say(f"  {name}: {one.get(name, 'missing')}, {other.get(name, 'missing')}{why}")
    return 1 if len(found) > len(excused) else 0
