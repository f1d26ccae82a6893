# SPDX-License-Identifier: MIT
"""What a guest's kernel complained of: for tests of the driver, in the stock kernel and in the debug kernel alike.

    with Guest(...) as g:
        ...
        assert_clean(g)         # no splat; and in the debug kernel, nothing of the driver is leaked
"""
import re

# Each is how a report begins; what a kernel says of itself in peace has none of these.
SPLAT = re.compile("|".join([
    r"KASAN: ", r"UBSAN: ", r"ODEBUG: ", r"kmemleak: [1-9]\d* new", r"\bBUG: ", r"\bBUG at ", r"\bWARNING: ", r"\bOops\b", r"Kernel panic",
    r"general protection fault", r"Unable to handle", r"INFO: (task|rcu|trying|lockdep)", r"possible (circular|recursive|irq) lock",
    r"inconsistent lock state", r"suspicious RCU usage", r"held lock freed", r"bad unlock balance", r"sleeping function called",
    r"scheduling while atomic", r"list_(add|del) corruption", r"refcount_t: ", r"Bad page state", r"Bad rss-counter", r"stack-protector: ",
    r"usercopy: ", r"(Poison|Redzone|Padding) overwritten", r"Objects remaining", r"nobody cared", r"(soft|hard) lockup", r"hard LOCKUP",
    r"detected stall"]))
LEAK_SECONDS = 6        # kmemleak reports nothing younger than five
LINES = 45              # of a report that are worth reading


def splats(log):
    """The reports in a kernel's log: texts, each with what follows its first line."""
    lines = log.splitlines()
    found, last = [], -LINES
    for number, line in enumerate(lines):
        if number - last >= LINES and SPLAT.search(line):
            found.append("\n".join(lines[number:number + LINES]))
            last = number
    return found


def has_kmemleak(guest):
    return guest.run("test -w /sys/kernel/debug/kmemleak")[0] == 0


def forget_leaks(guest):
    """What was there before is not the test's; call it when the driver is not loaded yet."""
    if has_kmemleak(guest):
        guest.ok("echo scan >/sys/kernel/debug/kmemleak; echo clear >/sys/kernel/debug/kmemleak", timeout=300)


def leaks(guest, word="tranche"):
    """kmemleak's reports that name {word}, or "": all."""
    if not has_kmemleak(guest):
        return []
    # The second scan sees what a register or a stack held during the first.
    text = guest.ok(f"sleep {LEAK_SECONDS}; for n in 1 2; do echo scan >/sys/kernel/debug/kmemleak; done; cat /sys/kernel/debug/kmemleak",
                    timeout=600)
    reports = re.split(r"(?m)^(?=unreferenced object)", text)
    return [report for report in reports if report.startswith("unreferenced object") and word in report]


def assert_clean(guest, but=None, word="tranche"):
    """No splat but those that the expression {but} fits, and no leak."""
    found = [s for s in splats(guest.ok("dmesg", timeout=120)) if not (but and re.search(but, s))]
    assert not found, f"the guest's kernel complained {len(found)} times, first:\n{found[0]}"
    leaked = leaks(guest, word)
    assert not leaked, f"{len(leaked)} objects leaked, first:\n{leaked[0]}"
