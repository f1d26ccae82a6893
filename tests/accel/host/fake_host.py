# SPDX-License-Identifier: MIT
"""A running fake-host:

    with FakeHost(folder) as host:
        Guest(devices=[host.for_qemu()]) ...
        host.say("lose 1")              # a command of standard input; returns the answer

It must end with status 0.  host.errors(): what it has said so far.
"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))
from tap import eventually  # noqa: E402

PROGRAM = os.environ.get("TRANCHE_TEST_FAKE_HOST", "build/tests/accel/host/fake-host")


class FakeHost:
    def __init__(self, folder, *words):
        self.path, self.said = os.path.join(folder, "fake"), os.path.join(folder, "fake.errors")
        with open(self.said, "ab") as errors:
            self.process = subprocess.Popen([PROGRAM, "--socket", self.path, *words], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, text=True)
        eventually(lambda: os.path.exists(self.path) or self.process.poll() is not None, "the fake host's socket", 20)
        assert self.process.poll() is None, self.errors()
        self.say("sleep 0")         # the file is there before anybody listens, answers come after that

    def for_qemu(self, **properties):
        return {"driver": "vfio-user-pci", "socket": {"path": self.path, "type": "unix"}, **properties}

    def errors(self):
        with open(self.said, encoding="utf-8", errors="replace") as f:
            return f.read()

    def say(self, *lines):
        """Commands, one after the other; Return: the last answer."""
        answer = ""
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().rstrip("\n")
            assert answer and not answer.startswith("error"), f"{line}: {answer or 'the fake host is gone'}\n{self.errors()}"
        return answer

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.write("quit\n")
            self.process.stdin.flush()
        status = self.process.wait(20)
        assert status == 0, f"the fake host's exit status is {status}\n{self.errors()}"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if not kind and self.process.returncode is None:
                self.end()
        finally:
            if self.process.poll() is None:
                self.kill()
            self.process.stdin.close()
            self.process.stdout.close()
