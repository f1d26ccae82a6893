#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other users of the host: what of a runtime directory they may open, whatever the umask of who starts tranched."""
import contextlib
import os
import pathlib
import stat
import uuid

import tranched
from tranched import Tranched

NOBODY = 65534


def modes(top):
    found = {}
    for path in [top, *pathlib.Path(top).rglob("*")]:
        with contextlib.suppress(FileNotFoundError):
            found[path] = stat.S_IMODE(path.lstat().st_mode)
    return found


def check(umask):
    t = Tranched()
    before = os.umask(umask)
    try:
        t.start()
    finally:
        os.umask(before)
    with t, contextlib.closing(t.api()) as api:
        kind = api.get("/v1/types?parent=null0")["types"][0]["name"]
        device = api.post("/v1/devices", {"uuid": str(uuid.uuid4()), "parent": "null0", "type": kind})
        for path, mode in modes(t.run).items():
            assert not mode & 0o002 or path.is_symlink(), f"{path} can be changed by anybody: {mode:o}"
            is_ours = path != t.run and path.name != "api.sock" and path != pathlib.Path(device["socket"])
            reachable = all(modes(p)[p] & 0o001 for p in path.parents if p != t.run and t.run in p.parents)
            assert not (is_ours and reachable and mode & 0o007), f"{path} can be opened by anybody: {mode:o}"


def test_umask_none():
    check(0)


def test_umask_all():
    check(0o077)


def test_umask_usual():
    check(0o022)


def test_lock_is_not_a_strangers():
    """Whoever can open the file can hold its lock: then tranched could not be started."""
    with Tranched().start() as t:
        os.chmod(t.top, 0o755)
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with contextlib.suppress(PermissionError):
                os.open(t.run / "tranched.lock", os.O_RDONLY)
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, "anybody can open tranched.lock"


if __name__ == "__main__":
    tranched.tap.main(seconds=120)
