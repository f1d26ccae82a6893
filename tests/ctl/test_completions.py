# SPDX-License-Identifier: MIT
"""Completion in bash, zsh and fish: live names, verbs, options."""
import os
import shutil
import subprocess

from ctl import TRANCHE, environment, host

import fake_api
import tap

A, B, C = fake_api.UUIDS
FOLDER = os.path.join(os.environ["TRANCHE_TEST_SOURCE"], "completions")


def path_with_tranche(h):
    folder = os.path.join(h.folder, "bin")
    os.makedirs(folder, exist_ok=True)
    link = os.path.join(folder, "tranche")
    if not os.path.exists(link):
        os.symlink(TRANCHE, link)
    return folder + ":" + os.environ["PATH"]


def bash(h, line):
    """What the Tab key would offer behind the line."""
    words = line.split(" ")
    script = f'''source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _tranche; printf '%s\\n' "${{COMPREPLY[@]}}"'''
    done = subprocess.run(["bash", "-c", script, "x", FOLDER + "/tranche.bash", *words], capture_output=True, text=True, timeout=30,
                          env=environment(h.socket, PATH=path_with_tranche(h)))
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


def offers(complete, line, right):
    """Sooner or later: live names that a busy machine has not in half a second are left out."""
    tap.eventually(lambda: right(complete(line)), f"what is offered behind {line!r}", within=30)


def bash_offers(h, line, right):
    offers(lambda line: bash(h, line), line, right if callable(right) else lambda found: found == right)


def test_verbs():
    with host() as h:
        offered = bash(h, "tranche ")
        assert {"run", "list", "define", "doctor", "screen"} <= set(offered)
        assert bash(h, "tranche st") == ["start", "stop"]


def test_live_names():
    with host() as h:
        bash_offers(h, "tranche stop ", [A, B])
        bash_offers(h, "tranche undefine -u ", [A, C])
        bash_offers(h, "tranche start c0", [C])
        bash_offers(h, "tranche types -p ", ["cpu0", "serial0"])
        bash_offers(h, "tranche define -p cpu0 --type compute-", ["compute-256m", "compute-1g", "compute-custom"])
        bash_offers(h, "tranche show ", lambda found: set(found) == {A, B, C, "cpu0", "serial0"})
        assert bash(h, "tranche stop " + A + " ") == []


def test_fixed_words():
    with host() as h:
        assert bash(h, "tranche schedule cpu0 ") == ["best-effort", "equal", "fixed"]
        assert bash(h, "tranche attach --print ") == ["qemu", "libvirt", "podman", "env"]
        assert "--force" in bash(h, "tranche stop --f") and "--json" in bash(h, "tranche stop --")
        assert "true" in bash(h, "tranche run tru")


def test_no_daemon_is_no_names():
    with host() as h:
        h.socket += ".none"
        assert bash(h, "tranche stop ") == []
        assert "list" in bash(h, "tranche ")


def test_slow_daemon_is_no_names():
    with host() as h:
        h.model.delay = 60
        start = tap.time.monotonic()
        assert bash(h, "tranche stop ") == []
        assert tap.time.monotonic() - start < 20, "it was waited for"


def test_fish():
    if not shutil.which("fish"):
        print("# no fish here")
        return
    with host() as h:
        def fish(line):
            done = subprocess.run(["fish", "-c", f"source {FOLDER}/tranche.fish; complete -C '{line}'"], capture_output=True, text=True,
                                  timeout=60, env=environment(h.socket, PATH=path_with_tranche(h), HOME=h.folder))
            assert done.returncode == 0 and not done.stderr, done
            return [x.split("\t")[0] for x in done.stdout.splitlines()]
        assert fish("tranche st") == ["start", "stop"]
        offers(fish, "tranche stop ", lambda found: found == [A, B])
        assert fish("tranche list --tr") == ["--tree"]
        offers(fish, "tranche types -p ", lambda found: found == ["cpu0", "serial0"])


def test_zsh():
    if not shutil.which("zsh"):
        print("# no zsh here")
        return
    done = subprocess.run(["zsh", "-n", FOLDER + "/_tranche"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stderr, done
    with host() as h:
        # The functions of zsh's completion, put into words.
        script = """_describe() { print -l -- ${candidates%%:*} }; _files() { print files }; _command_names() { print commands }
            words=("${@[2,-1]}"); CURRENT=$#words; source $1"""
        def zsh(line):
            done = subprocess.run(["zsh", "-fc", script, "x", FOLDER + "/_tranche", *line.split(" ")], capture_output=True, text=True, timeout=30,
                                  env=environment(h.socket, PATH=path_with_tranche(h)))
            assert not done.stderr, done
            return done.stdout.split()
        offers(zsh, "tranche stop ", lambda found: found == [A, B])
        assert zsh("tranche define --jsonfile ") == ["files"]
        assert zsh("tranche run ") == ["commands"]


tap.main()
