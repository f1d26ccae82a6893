# SPDX-License-Identifier: MIT
"""Every command of docs/operators.md, in its order, with a tranched in a folder of its own."""
import glob
import os
import re
import signal
import subprocess
import tempfile
import time

from ctl import TRANCHE, environment

import tap

GUIDE = os.path.join(os.environ["TRANCHE_TEST_SOURCE"], "docs", "operators.md")
TRANCHED = os.environ.get("TRANCHE_TEST_TRANCHED", "")


def blocks():
    """What is fenced as sh: (line, mark, text)."""
    with open(GUIDE) as f:
        lines = f.read().split("\n")
    found, at = [], None
    for n, line in enumerate(lines, 1):
        if at is None and line.startswith("```sh"):
            at, mark, text = n, line[5:].strip(), []
        elif at is not None and line == "```":
            found.append((at, mark, "\n".join(text)))
            at = None
        elif at is not None:
            text.append(line)
    return found


class Daemon:
    def __init__(self, folder):
        self.folder = folder
        self.runtime = folder + "/r"
        os.makedirs(folder + "/bin")
        os.symlink(TRANCHE, folder + "/bin/tranche")
        self.env = environment(self.runtime + "/api.sock", XDG_RUNTIME_DIR=folder, XDG_CONFIG_HOME=folder, XDG_CACHE_HOME=folder,
                               HOME=folder, PATH=folder + "/bin:" + os.environ["PATH"])
        self.log = open(folder + "/log", "w+")
        self.process = subprocess.Popen([TRANCHED, "--user", "--runtime-dir", self.runtime, "--definitions-dir", folder + "/d"],
                                        env=self.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def sh(self, text):
        """A guide's shell goes on from block to block: variables stay."""
        with open(self.folder + "/before", "a") as f:
            f.write("")
        script = f". {self.folder}/before\nset -eu\n{text}\nexport -p > {self.folder}/before.new\n"
        done = subprocess.run(["bash", "-c", script], env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=90)
        if done.returncode == 0:
            os.replace(self.folder + "/before.new", self.folder + "/before")
        return done

    def wait_ready(self):
        def is_ready():
            assert self.process.poll() is None, self.said()
            done = subprocess.run([TRANCHE, "show", "--json"], env=self.env, capture_output=True, text=True, timeout=30)
            return '"ready": true' in done.stdout
        tap.eventually(is_ready, "tranched is ready", within=60, every=0.1)

    def said(self):
        self.log.flush()
        with open(self.folder + "/log") as f:
            return f.read()

    def end(self):
        """tranched, and what it would leave running."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        for start in glob.glob(self.runtime + "/*/*/start"):
            for entry in glob.glob("/proc/[0-9]*/cmdline"):
                try:
                    with open(entry, "rb") as f:
                        words = f.read().split(b"\0")
                    if start.encode() in words:
                        os.kill(int(entry.split("/")[2]), signal.SIGTERM)
                except (OSError, ValueError):
                    pass
        time.sleep(0.3)


def test_guide():
    with tempfile.TemporaryDirectory(prefix="op-", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(folder)
        try:
            daemon.wait_ready()
            for line, mark, text in blocks():
                if mark.startswith("skip: "):
                    print(f"# line {line}: {mark}")
                    continue
                fails = re.fullmatch(r"fails: (\d+)", mark)
                assert fails or not mark, f"line {line}: mark {mark!r} is not known"
                done = daemon.sh(text)
                if "tranche doctor" in text and done.returncode == 1 and "missing" in done.stdout:
                    continue  # the host's own affair
                assert done.returncode == (int(fails.group(1)) if fails else 0), f"line {line}:\n{text}\n{done}\n{daemon.said()}"
                assert not fails or done.stderr, f"line {line}: nothing was said"
        finally:
            daemon.end()


def test_all_verbs_are_in_the_guide():
    with open(GUIDE) as f:
        guide = f.read()
    listed = subprocess.run([TRANCHE, "--help"], capture_output=True, text=True, timeout=30).stdout
    missing = [v for v in re.findall(r"^  (\w+) ", listed, re.M) if f"tranche {v}" not in guide]
    assert set(missing) <= {"screen", "help", "version"}, missing


tap.main(seconds=200, why_not=lambda: "" if TRANCHED else "there is no tranched")
