# SPDX-License-Identifier: MIT
"""What the checks of tools/lint share: the files of the tree, C without its comments, running tools side by side."""
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor


class Skip(Exception):
    """Raised by a check that cannot run here, with the reason."""


class Tree:
    def __init__(self, top, build):
        self.top = top
        self.build = build
        self._text = {}
        self.files = self._list()

    def _list(self):
        git = subprocess.run(["git", "-c", f"safe.directory={self.top}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             cwd=self.top, capture_output=True, check=False) if shutil.which("git") else None
        if git and git.returncode == 0:
            names = git.stdout.decode().split("\0")
        else:  # an unpacked archive
            names = []
            for folder, subdirs, found in os.walk(self.top):
                subdirs[:] = [d for d in subdirs if d != ".git" and not d.startswith("build")]
                names += [os.path.relpath(os.path.join(folder, n), self.top) for n in found]
        return sorted(n for n in set(names) if n and os.path.isfile(os.path.join(self.top, n)))

    def select(self, *suffixes, under=""):
        return [f for f in self.files if f.startswith(under) and f.endswith(suffixes)]

    def text(self, path):
        if path not in self._text:
            with open(os.path.join(self.top, path), "rb") as f:
                data = f.read()
            self._text[path] = "" if b"\0" in data[:4096] else data.decode("utf-8", errors="replace")
        return self._text[path]

    def is_script(self, path, interpreter):
        first = self.text(path).split("\n", 1)[0]
        return first.startswith("#!") and interpreter in first


COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.S)


def without_comments(text):
    """Same length in lines, so that line numbers stay true."""
    return COMMENT.sub(lambda m: m.group(1) or re.sub(r"[^\n]", " ", m.group(0)), text)


def need(tool):
    if not shutil.which(tool):
        raise Skip(f"{tool} is not installed (tools/setup --test)")
    return tool


def run_each(commands, cwd):
    """Runs the commands, one a processor at a time; returns [(returncode, output)] in their order."""
    def run(command):
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return list(pool.map(run, commands))
