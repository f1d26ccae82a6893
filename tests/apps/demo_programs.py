# SPDX-License-Identifier: MIT
"""The two programs that tools/demo runs side by side: each works until it is told to end, tells how far it is, and leaves
a result that can be checked."""
import contextlib
import hashlib
import json
import os
import random
import shlex
import signal
import string
import subprocess
import threading

from sides import HERE

PASSWORDS = 100_000


class Program:
    """One that runs in a session of its own, and what it said."""

    what = unit = ""        # what it counts, for people
    scale = 1

    def __init__(self, command, folder, env):
        self.folder, self.lines = folder, []
        self.errors = open(folder / "stderr", "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(["sh", "-c", command], cwd=folder, env=env, start_new_session=True, text=True,
                                        errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            with contextlib.suppress(ValueError, KeyError, IndexError):
                self.take(line)

    def take(self, line):
        """Looks for what it needs in a line of the program's output."""

    def done(self):
        """Units of work so far; 0 while it still compiles."""
        raise NotImplementedError

    def is_over(self):
        return self.process.poll() is not None

    def said(self):
        self.errors.flush()
        return "\n".join(self.lines[-8:]) + "\n" + (self.folder / "stderr").read_text(errors="replace")[-1000:]

    def interrupt(self, limit=30):
        """As Ctrl-C does; False when it would not end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(limit)
            self.reader.join(5)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.errors.close()


class Hashcat(Program):
    """Looks for the passwords of MD5 sums, more of them than it could find in an hour."""

    what, unit, scale = "hashcat", "million passwords tried a second", 1e6
    needs = "hashcat"

    def __init__(self, folder, env, prefix):
        self.tried = 0
        write_hashes(folder / "hashes")
        super().__init__(prefix + "exec " + self.command(), folder, env)

    @staticmethod
    def command():
        return ("hashcat -m 0 -a 3 -O -w 1 --potfile-disable --session demo --outfile found --status --status-json --status-timer 1 "
                "hashes " + "?l" * letters())

    def take(self, line):
        if line.lstrip().startswith("{"):
            self.tried = json.loads(line)["progress"][0]

    def done(self):
        return self.tried

    def check(self):
        """(is it right?, a sentence)"""
        found = self.folder / "found"
        pairs = [line.rsplit(":", 1) for line in found.read_text().splitlines()] if found.exists() else []
        wrong = [pair for pair in pairs if hashlib.md5(pair[1].encode()).hexdigest() != pair[0]]
        return pairs and not wrong, f"hashcat found {len(pairs)} passwords, {len(wrong)} of them wrong"


class Counter(Program):
    """A program that prints "WORD so-many wrong so-many" each second, and at its end."""

    word = ""

    def __init__(self, folder, env, prefix):
        self.made, self.wrong = 0, None
        super().__init__(prefix + "exec " + self.start(), folder, env)

    def start(self):
        return self.command()

    def take(self, line):
        words = line.split()
        if words[0] == self.word:
            self.made, self.wrong = int(words[1]), int(words[3])

    def done(self):
        return self.made

    def check(self):
        right = self.process.returncode == 0 and self.wrong == 0 and self.made > 0
        return right, f"{self.what} made {self.made} {self.word}, {self.wrong} of them wrong"


class Fractal(Counter):
    """Pictures of the Mandelbrot set; each is compared with NumPy's."""

    what, unit, word, needs = "PyOpenCL", "pictures a second", "pictures", "/usr/bin/python3"

    @staticmethod
    def command():
        return "python3 tests/apps/demo_fractal.py"

    def start(self):
        return f"/usr/bin/python3 -B {shlex.quote(str(HERE / 'demo_fractal.py'))}"


class Sgemm(Counter):
    """Multiplies matrices with CLBlast; each product is compared with an exact one."""

    what, unit, word, needs = "CLBlast", "matrix products a second", "products", "{bin}/sgemm"

    @staticmethod
    def command():
        return "sgemm 3600"


def letters():
    return 9 if (os.cpu_count() or 1) > 16 else 8


def write_hashes(path):
    chance = random.Random(1)
    with open(path, "w", encoding="ascii") as f:
        for _ in range(PASSWORDS):
            word = "".join(chance.choices(string.ascii_lowercase, k=letters()))
            f.write(hashlib.md5(word.encode()).hexdigest() + "\n")
