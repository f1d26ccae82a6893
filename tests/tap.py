# SPDX-License-Identifier: MIT
"""What the test programs in Python share: functions test_*() that are run one after the other, and speak TAP."""
import signal
import sys
import time
import traceback


class OutOfTime(Exception):
    """A test took too long, or was told to end."""


def eventually(check, what, within=20, every=0.005):
    """Waits until {check}() is true; returns what it gave."""
    end = time.monotonic() + within
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"not within {within} s: {what}"
        time.sleep(every)


def is_listening(path):
    """Can somebody be reached at a socket's file?  It is there from bind() on, a moment before listen()."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as f:
        return any(line.endswith(f" {path}\n") and int(line.split()[3], 16) & 0x10000 for line in f)


def _give_up(number, frame):
    raise OutOfTime(f"{signal.Signals(number).name} in {frame.f_code.co_name if frame else 'the program'}()")


def _run_one(number, name, test, seconds):
    start = time.monotonic()
    try:
        signal.alarm(seconds)
        test()
        print(f"ok {number} {name} # {time.monotonic() - start:.1f} s", flush=True)
        return True
    except Exception:
        print("# " + traceback.format_exc().rstrip().replace("\n", "\n# "))
        print(f"not ok {number} {name}", flush=True)
        return False
    finally:
        signal.alarm(0)


def main(seconds=120, why_not=lambda: None):
    """Runs the test functions of the calling program, or those whose names are given, each for so long at most.

    {why_not}: the reason, if there is one, for which none of them can run here.
    """
    reason = why_not()
    if reason:
        print(f"1..0 # SKIP {reason}")
        sys.exit(0)
    tests = {name: f for name, f in vars(sys.modules["__main__"]).items() if name.startswith("test_")}
    wanted = sys.argv[1:] or list(tests)
    print(f"1..{len(wanted)}", flush=True)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, _give_up)
    results = [_run_one(number, name, tests[name], seconds) for number, name in enumerate(wanted, 1)]
    sys.exit(0 if all(results) else 1)
