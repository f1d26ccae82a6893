# SPDX-License-Identifier: MIT
"""What the tests of tranche-ctl share: the command against a fake tranched."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import fake_api  # noqa: E402

TRANCHE = os.environ.get("TRANCHE_TEST_TRANCHE", "tranche")


def environment(socket, **more):
    """Of a user in UTC, far from a terminal."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TRANCHE_", "LC_", "XDG_"))}
    pieces = os.environ.get("TRANCHE_PIECES")
    if pieces:
        env["TRANCHE_PIECES"] = pieces
    env.update({"TRANCHE_SOCKET": socket, "TZ": "UTC", "LANG": "C.UTF-8", "COLUMNS": "200"})
    env.update(more)
    return env


class Host:
    """A fake tranched in a folder of its own, and the command."""

    def __init__(self, folder, model):
        self.folder, self.model = folder, model
        self.socket = os.path.join(folder, "api.sock")
        self.server = fake_api.serve(self.socket, model)

    def run(self, *words, timeout=30, text=None, **env):
        return subprocess.run([TRANCHE, *words], capture_output=True, text=True, timeout=timeout, input=text,
                              env=environment(self.socket, **env))

    def ok(self, *words, **more):
        done = self.run(*words, **more)
        assert done.returncode == 0 and not done.stderr, (words, done)
        return done.stdout

    def json(self, *words):
        return json.loads(self.ok(*words, "--json"))

    def refused(self, status, *words, **more):
        """Returns what was said on stderr; nothing is on stdout."""
        done = self.run(*words, **more)
        assert done.returncode == status and not done.stdout and done.stderr, (words, done)
        return done.stderr

    def requests(self):
        """What was asked since the last look, without reading."""
        asked = [r for r in self.model.requests if r[0] != "GET"]
        self.model.requests.clear()
        return asked

    def popen(self, *words, **more):
        return subprocess.Popen([TRANCHE, *words], env=environment(self.socket), text=True, **more)


@contextlib.contextmanager
def host(fill=True):
    with tempfile.TemporaryDirectory(prefix="ctl-", ignore_cleanup_errors=True) as folder:
        model = fake_api.Model("/run/tranche")
        h = Host(folder, model.fill() if fill else model)
        try:
            yield h
        finally:
            h.server.shutdown()
            h.server.server_close()
