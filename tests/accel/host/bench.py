# SPDX-License-Identifier: MIT
"""A guest with the driver of kernel/accel and the fuzzer, and a fake host that can be hostile to it.

    with bench() as b:
        b.host.say("reply id 7 times=1")        # see README.md
        b.bind(); b.walk(); b.unbind()
        b.heal()

Each step in the guest has a time limit: a driver that hangs is as bad as one that crashes.  At the end the module must unload, and
the kernel must have said nothing that a fault of its own would make it say.

TRANCHE_TEST_DEBUG_KERNEL=1: in the debug kernel (tests/vm/guest.py), which looks for leaks, too.
"""
import contextlib
import os
import pathlib
import re
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent.parent
sys.path[:0] = [str(HERE), str(TOP / "tests" / "vm")]
import guest  # noqa: E402
import tap  # noqa: E402
from fake_host import PROGRAM, FakeHost  # noqa: E402
from guest import Cache, CannotFetch, Fetcher, Guest, GuestError  # noqa: E402
import vm_module  # noqa: E402
import vm_splats  # noqa: E402

FUZZ = os.environ.get("TRANCHE_TEST_FUZZ", str(TOP / "build/tests/accel/fuzz/fuzz"))
SLOW = 2        # than on a quiet machine
DEVICE = "0000:00:01.0"
DRIVER = "/sys/bus/pci/drivers/tranche_accel"
NODE = "/dev/accel/accel0"
UNBOUNDED = ("CONTEXT_CREATE", "CONTEXT_DESTROY", "EVENT_BLOCK_ADD", "OUTPUT_SET", "PROGRAM_BUILD", "PROGRAM_QUERY")     # see tranche_sizes()
HUNG = 124


class Bench:
    def __init__(self, g, host):
        self.guest, self.host = g, host
        self.seen = 0

    def limited(self, script, seconds, what):
        """A script that must end in time; (status, output)"""
        try:
            return self.guest.run(script, timeout=seconds * SLOW)
        except GuestError as error:
            raise AssertionError(f"{what}: {error}") from error

    def is_bound(self):
        return self.guest.run(f"test -e {DRIVER}/{DEVICE}")[0] == 0

    def load(self):
        self.limited("modprobe tranche_accel", 60, "the module is loaded")

    def bind(self):
        """Return: has the driver taken it?"""
        self.limited(f"echo {DEVICE} >{DRIVER}/bind", 60, "the driver tries the device")
        return self.is_bound()

    def unbind(self):
        if self.is_bound():
            self.limited(f"echo {DEVICE} >{DRIVER}/unbind", 40, "the driver lets the device go")

    def unload(self):
        status, output = self.limited("rmmod tranche_accel", 40, "the module is unloaded")
        assert status == 0, output

    def walk(self, node=NODE, may_wait=False):
        """Every call once, whatever comes of it. Return: (was all as with a good host?, what was refused)

        may_wait: an answer that waits for the program's own executor may never come: then the walk ends itself, in the middle of that call.
        """
        status, output = self.limited(f"test -e {node} || exit 9; fuzz --walk {node}", 90, "a walk through all calls")
        if may_wait and status == 3 and re.search(rf"hangs in ({'|'.join(UNBOUNDED)})\b", output):
            return False, output
        assert status in (0, 1, 9), f"the walk's exit status is {status}:\n{output}"
        return status == 0, output

    def start_fuzz(self, *words):
        return self.guest.launch(f"fuzz --limit {60 * Fetcher.patience} " + " ".join(words))

    def end_fuzz(self, job, seconds):
        """Return: {call: (done, refused)}"""
        status, output = job.wait(seconds * SLOW)
        assert status == 0, f"the fuzzer's exit status is {status}:\n{output}"
        lines = [line.split() for line in output.splitlines()]
        return {words[0]: (int(words[1]), int(words[2])) for words in lines if len(words) == 3 and words[2].isdigit()}

    def heal(self):
        """A good host again, as new."""
        self.unbind()
        self.host.say("heal", "go", "reset", "sleep 20")

    def check_log(self):
        """No splat since the last look."""
        lines = self.guest.ok("dmesg", timeout=60 * SLOW).splitlines()
        new, self.seen = lines[self.seen:], len(lines)
        found = vm_splats.splats("\n".join(new))
        assert not found, f"the guest's kernel complained, {len(found)} times, first:\n{found[0]}"
        return new

    def check_good(self):
        """With a good host all is well again."""
        assert self.is_bound() or self.bind(), "the driver does not take a good device:\n" + "\n".join(self.check_log()[-5:])
        is_good, output = self.walk()
        assert is_good, f"a good host's device was refused something:\n{output}"


@contextlib.contextmanager
def bench(*words, cpus=2, **options):
    """words: for fake-host."""
    f = Fetcher(Cache())
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, FakeHost(folder, *words) as host, \
            Guest(devices=[host.for_qemu(id="fake")], modules=[vm_module.module(f)], programs=[f"{FUZZ}:/usr/bin/fuzz"], cpus=cpus,
                  fetcher=f, **options) as g:
        b = Bench(g, host)
        vm_splats.forget_leaks(g)
        b.load()
        b.unbind()
        try:
            yield b
            b.heal()
            b.unload()
            b.check_log()
            vm_splats.assert_clean(g)
        except BaseException:
            print("# the fake host said:\n# " + "\n# ".join(host.errors().splitlines()[-10:]))
            with contextlib.suppress(GuestError, AssertionError):
                print("# the guest's kernel said:\n# " + g.run("dmesg | tail -70", timeout=30)[1].strip().replace("\n", "\n# "))
            raise
        assert g.quit() == 0


def why_not():
    for path in (PROGRAM, FUZZ):
        if not os.path.exists(path):
            return f"{path} was not built"
    reason = guest.why_not()
    if reason:
        return f"no virtual machine: {reason}"
    try:
        vm_module.module(Fetcher(Cache()))
    except CannotFetch as error:
        return f"the guest's driver cannot be built: {error}"
    return None


def main(seconds=280):
    os.environ.pop("LD_PRELOAD", None)
    tap.main(seconds * SLOW * Fetcher.patience, why_not)
