#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A configuration that is damaged, a place that tranched cannot have: one sentence that names it, exit status 1 at start; on SIGHUP all stays
as it was."""
import os
import pathlib
import re
import signal
import subprocess
import time

import real
import tranched
from real import U, device, in_use, refused, uuids
from tap import eventually
from tranched import Events, Tranched

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
HEAD = "[daemon]\nfind-opencl = no\n"
DAMAGED = {     # text: (line, a word of the sentence)
    "key without a section = 1\n": (1, "section"),
    HEAD + "frobnicate = yes\n": (3, "frobnicate"),
    HEAD + "others-read = perhaps\n": (3, "perhaps"),
    HEAD + "socket-mode = 0999\n": (3, "0999"),
    HEAD + "max-connections = 0\n": (3, "max-connections"),
    HEAD + "max-connections = 99999999999999999999\n": (3, "max-connections"),
    HEAD + "listen = 0.0.0.0:80\n": (3, "0.0.0.0:80"),
    HEAD + "listen = 127.0.0.1:99999\n": (3, "99999"),
    HEAD + "definitions-dir = relative/path\n": (3, "relative"),
    HEAD + "\n# a comment\nno value here\n": (5, ""),
    HEAD + "[parents]\nx = 1\n": (4, "parents"),
    HEAD + "[parent a]\npolicy = fair\n": (4, "fair"),
    HEAD + "[parent a]\nslice = 1000\n": (4, "1000"),
    HEAD + "[parent a]\nmemory = -1\n": (4, "-1"),
    HEAD + "[parent a]\nhost-device = first\n": (4, "first"),
    HEAD + "[parent a\ndriver = null\n": (3, ""),
    HEAD + "x" * 100000 + "\n": (3, ""),
    HEAD + "\x01\x02\x03\n": (3, ""),
    # Long lines count once, and are not cut.
    HEAD + "# long" + " long" * 1000 + "\nfrobnicate = 1\n": (4, "frobnicate"),
    HEAD + "store = /" + "x" * 500 + "\nfrobnicate = 1\n": (3, "too long"),
}


def run(*arguments, wrapper=(), within=20):
    """What it says when it ends; its status."""
    p = subprocess.run([*wrapper, tranched.TRANCHED, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within,
                       check=False, errors="replace")
    assert "Sanitizer" not in p.stderr, p.stderr
    return p.returncode, p.stderr


def expect_refused(t, *words, arguments=(), wrapper=()):
    status, said = run(*(arguments or ("--config", t.config, "--runtime-dir", t.run, "--definitions-dir", t.definitions)), wrapper=wrapper)
    assert status == 1, (status, said)
    for word in words:
        assert str(word) in said, f"no {word!r} in {said!r}"
    assert len(said.strip().splitlines()) <= 2, said
    return said


def test_malformed_files_are_refused_with_file_and_line():
    with Tranched(name="conf") as t:
        for text, (line, word) in DAMAGED.items():
            t.config.write_text(text, encoding="utf-8")
            said = expect_refused(t, f"{t.config}:{line}:", word)
            assert not t.run.exists() or not os.listdir(t.run), said
        t.config.write_bytes(os.urandom(5000).replace(b"\n", b"x") + b"\n")
        expect_refused(t, t.config)
        t.config.write_bytes(b"[daemon]\nlisten = no\0ne\nothers-read = \0\n")
        expect_refused(t, t.config)


def test_files_that_cannot_be_read():
    with Tranched(name="conf") as t:
        os.chmod(t.top, 0o755)
        t.config.unlink()
        expect_refused(t, t.config, "No such file")
        t.config.mkdir()
        expect_refused(t, t.config, "directory")
        t.config.rmdir()
        t.config.symlink_to("c")
        expect_refused(t, t.config)
        if os.getuid() == 0:
            t.config.unlink()
            t.config.write_text(HEAD)
            os.chmod(t.config, 0)
            expect_refused(t, t.config, "Permission denied", wrapper=AS_NOBODY)


def test_places_that_cannot_be_had():
    with Tranched(name="conf") as t:
        os.chmod(t.top, 0o755)
        long = t.top / ("x" * 80)
        expect_refused(t, str(long)[:64], "too long", arguments=("--config", t.config, "--runtime-dir", long))
        expect_refused(t, "too long", arguments=("--config", t.config, "--runtime-dir", t.run, "--socket", "/" + "s" * 108))
        t.config.write_text(HEAD + f"runtime-dir = {long}\n")
        expect_refused(t, str(long)[:64], "too long", arguments=("--config", t.config))
        t.config.write_text(HEAD)
        t.run.write_text("x")
        expect_refused(t, t.run)
        t.run.unlink()
        expect_refused(t, "/proc/nothing", arguments=("--config", t.config, "--runtime-dir", "/proc/nothing", "--definitions-dir", t.definitions))
        if os.getuid() == 0:
            t.run.mkdir()
            expect_refused(t, t.run, "Permission denied", wrapper=AS_NOBODY)
            t.run.rmdir()
            expect_refused(t, t.run, "Permission denied", wrapper=AS_NOBODY)


def test_a_file_where_the_socket_belongs():
    """It is somebody's: it stays."""
    with Tranched(name="conf") as t:
        t.run.mkdir()
        there = t.run / "api.sock"
        there.write_text("precious")
        expect_refused(t, there)
        assert there.read_text() == "precious"
        there.unlink()
        there.mkdir()
        expect_refused(t, there)
        there.rmdir()
        t.start()


def test_a_second_tranched():
    """It ends with a sentence, and neither the first one nor its socket notices."""
    with Tranched(name="conf") as t:
        t.start()
        api = t.api()
        d = device(api, U[0])
        with in_use(d["socket"]) as vm:
            for _ in range(3):
                expect_refused(t, "runs already", t.run, f"process {t.process.pid}")
            expect_refused(t, t.run, arguments=("--config", t.config, "--runtime-dir", t.run, "--socket", t.top / "s"))
            assert vm.is_alive() and uuids(api) == {U[0]} and t.api().get("/v1")["pid"] == t.process.pid
        # Another one with the first one's socket.
        expect_refused(t, t.socket, arguments=("--config", t.config, "--runtime-dir", t.top / "other", "--definitions-dir", t.definitions, "--socket", t.socket))
        assert t.api().get("/v1")["pid"] == t.process.pid
        device(api, U[1])


def test_on_sighup_a_damaged_file_changes_nothing():
    with Tranched(name="conf") as t:
        t.config.write_text(HEAD + "others-read = no\n[parent null0]\ndriver = null\n")
        t.start()
        api, events = t.api(), Events(t.socket)
        device(api, U[0])
        before = api.get("/v1/parents"), api.get("/v1")["config"]
        for text, (line, _) in DAMAGED.items():
            t.config.write_text(text)
            at = t.log.stat().st_size
            t.process.send_signal(signal.SIGHUP)
            eventually(lambda at=at: t.log.stat().st_size > at and "the configuration stays as it is" in t.log.read_text(errors="replace")[at:], "the log says so")
            said = t.log.read_text(errors="replace")[at:]
            assert f"{t.config}:{line}:" in said, said
            assert t.process.poll() is None and (api.get("/v1/parents"), api.get("/v1")["config"]) == before
        t.config.unlink()
        t.process.send_signal(signal.SIGHUP)
        eventually(lambda: "No such file" in t.log_text(), "the log says so")
        assert api.get("/v1/parents") == before[0] and uuids(api) == {U[0]}
        if os.getuid() == 0:
            os.chmod(t.top, 0o755)
            os.chmod(t.socket, 0o666)
            assert real.by_other(lambda: real.outcome(t.socket, "GET", "/v1"))[0] == 403, "others-read = no still holds"
        # A good one is taken.
        t.config.write_text(HEAD + "[parent null0]\ndriver = null\n[parent null1]\ndriver = null\n")
        t.process.send_signal(signal.SIGHUP)
        eventually(lambda: any(e[2]["name"] == "null1" for e in events.of("parent-added")), "the new parent is there")
        assert device(api, U[1], "null1")["state"] == "running" and uuids(api) == {U[0], U[1]}
        events.stop()


def test_a_parent_that_cannot_be_made_is_a_problem():
    """Named; the others work."""
    with Tranched(name="conf") as t:
        t.config.write_text(HEAD + "[parent good]\ndriver = null\n[parent bad]\ndriver = nonsense\n[parent none]\ndriver = compute\nhost-device = 777\n")
        t.start()
        api = t.api()
        problems = api.get("/v1")["problems"]
        for name in "bad", "none":
            assert any(name in p["message"] and p["hint"] for p in problems), (name, problems)
        assert {p["name"] for p in api.get("/v1/parents")["parents"]} == {"good"}
        device(api, U[0], "good")
        refused(lambda: device(api, U[1], "bad", "nonsense-x"), "ENOENT")


def test_command_lines():
    """Status 2, and a sentence."""
    for arguments, word in [(["--frobnicate"], "help"), (["extra"], "extra"), (["--runtime-dir", "relative"], "relative"), (["--socket"], "help")]:
        status, said = run(*arguments)
        assert status == 2 and word in said, (arguments, status, said)
    status, said = run("--listen", "0.0.0.0:1")
    assert status == 1 and "0.0.0.0" in said, (status, said)


def test_many_signals():
    """A hundred of SIGHUP, and whatever a terminal may send."""
    with Tranched(name="conf") as t:
        t.start()
        api = t.api()
        device(api, U[0])
        for _ in range(100):
            t.process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        t.process.send_signal(signal.SIGPIPE)
        assert api.get("/v1")["ready"] and uuids(api) == {U[0]}
        assert re.fullmatch(r"\d+\n?", pathlib.Path(t.run / "tranched.lock").read_text())
        t.process.send_signal(signal.SIGTERM)
        assert t.process.wait(20) == 0
        assert len(t.device_processes()) == 1, "devices go on"


if __name__ == "__main__":
    tranched.tap.main(seconds=55)
