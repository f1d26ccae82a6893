#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A device process that hangs (here: is stopped by a signal) holds up nobody for ever: who refuses is answered, who forces gets his way."""
import contextlib
import os
import signal
import threading
import time

import tranched
from tap import eventually
from tranched import Refused, Tranched

PATIENCE = 5  # seconds, of the daemon


def make(t, parent="null0"):
    with contextlib.closing(t.api()) as api:
        kind = api.get(f"/v1/types?parent={parent}")["types"][0]["name"]
        device = api.post("/v1/devices", {"parent": parent, "type": kind})
    os.kill(device["pid"], signal.SIGSTOP)
    return device


def delete(t, path, timeout=3 * PATIENCE):
    """(refusal or None, seconds)"""
    began = time.monotonic()
    with contextlib.closing(t.api(timeout=timeout)) as api:
        try:
            api.delete(path)
            return None, time.monotonic() - began
        except Refused as refused:
            return refused, time.monotonic() - began


def is_gone(pid):
    try:
        os.kill(pid, 0)
        return False
    except ProcessLookupError:
        return True


def test_refuse_is_answered_and_device_goes_on():
    with Tranched().start() as t:
        device = make(t)
        path = f"/v1/devices/{device['uuid']}"
        refused, seconds = delete(t, path)
        assert refused and refused.errno == "ETIMEDOUT" and device["uuid"] in refused.message, refused
        assert seconds < 2 * PATIENCE, seconds
        refused, _ = delete(t, path + "?policy=ask&timeout_ms=100")
        assert refused and refused.errno == "ETIMEDOUT", refused
        os.kill(device["pid"], signal.SIGCONT)  # what it was asked for then happens
        eventually(lambda: not t.api().get("/v1/devices")["devices"], "the device is stopped when it goes on", within=20)


def test_force_after_ask():
    with Tranched().start() as t:
        device = make(t)
        path = f"/v1/devices/{device['uuid']}"
        outcomes = []
        asker = threading.Thread(target=lambda: outcomes.append(delete(t, path + "?policy=ask", 4 * PATIENCE)), daemon=True)
        asker.start()
        eventually(lambda: t.api().get(path)["state"] == "stopping", "it is asked")
        refused, _ = delete(t, path + "?policy=force")
        assert refused is None, refused
        asker.join(PATIENCE)
        assert outcomes and outcomes[0][0] is None, outcomes
        assert is_gone(device["pid"])


def test_parent_leaves_by_force():
    with Tranched().start() as t:
        device = make(t)
        refused, _ = delete(t, "/v1/parents/null0?policy=force")
        assert refused is None, refused
        assert is_gone(device["pid"])
        assert [p["name"] for p in t.api().get("/v1/parents")["parents"]] == ["null1"]


def test_parent_leaves_by_force_while_device_is_asked():
    with Tranched().start() as t:
        device = make(t)
        path = f"/v1/devices/{device['uuid']}"
        threading.Thread(target=lambda: delete(t, path + "?policy=ask", 4 * PATIENCE), daemon=True).start()
        eventually(lambda: t.api().get(path)["state"] == "stopping", "it is asked")
        refused, _ = delete(t, "/v1/parents/null0?policy=force")
        assert refused is None, refused
        assert is_gone(device["pid"])


def test_parent_stays_usable_when_leave_is_refused():
    with Tranched().start() as t:
        device = make(t)
        refused, _ = delete(t, "/v1/parents/null0")
        assert refused and refused.errno == "ETIMEDOUT" and device["uuid"] in refused.message, refused
        refused, _ = delete(t, "/v1/parents/null0?policy=ask&timeout_ms=100")
        assert refused and refused.errno == "ETIMEDOUT", refused
        make(t)  # it is not leaving any more
        os.kill(device["pid"], signal.SIGCONT)
        with contextlib.closing(t.api()) as api:  # its answer came too late: it is let go, and can be used and stopped
            eventually(lambda: api.get(f"/v1/devices/{device['uuid']}")["stats"] is not None, "it answers")
            api.delete(f"/v1/devices/{device['uuid']}")


def test_parent_whose_asker_has_gone():
    with Tranched().start() as t:
        make(t)
        try:
            delete(t, "/v1/parents/null0?policy=ask", timeout=0.5)
            raise AssertionError("it was answered")
        except tranched.Gone:
            pass

        def can_create():
            try:
                make(t)
                return True
            except Refused as refused:
                assert refused.errno == "ENODEV", refused
                return False
        eventually(can_create, "the parent is there again", within=2 * PATIENCE)


if __name__ == "__main__":
    tranched.tap.main(seconds=300)
