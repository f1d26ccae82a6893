#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A virtual machine with two slices of this machine's OpenCL device, step by step, with the commands that do it.

    demo_vm.py [--build DIR] [--parent NAME]

tranched is one of the demo's own; the guest is a stock Debian kernel with Debian's OpenCL programs and no OpenCL driver but ours.
Exit status: 0 when all that is said is true, 1 when something is not, 77 when no virtual machine can be had here.
"""
import argparse
import contextlib
import os
import pathlib
import re
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
APPS = ROOT / "tests/apps"
sys.path[:0] = [str(APPS), str(HERE)]
import demo_daemon  # noqa: E402
from demo_daemon import GIB, MIB, Tenant, bold, headline, load_tranched, perform  # noqa: E402
from sides import Failure, Skip, say  # noqa: E402

LARGE, SMALL = "1a46e000-0000-4000-8000-000000000001", "5a11c000-0000-4000-8000-000000000002"
SHOWN = ("Platform Name", "Device Name", "Device Version", "Max compute units", "Global memory size")
LAUNCHES, DEPTH = 12800, 32
MOST_EACH = 0.05        # traps or interrupts a launch, at that depth


class Stage(demo_daemon.Stage):
    """A tranched of its own, a guest, and their commands."""

    def __init__(self, args):
        self.args, self.wrong, self.guest = args, [], None
        self.tenants = [Tenant("large", LARGE, GIB, 0, None), Tenant("small", SMALL, GIB // 4, 0, None)]
        os.environ["TRANCHE_BUILD"] = os.environ["TRANCHE_TEST_BUILD"] = str(args.build)
        import accel        # (it reads the build's place when it is loaded)
        self.accel = accel
        self.daemon = load_tranched().Tranched("", name="demo-vm")
        top = self.daemon.top
        for name in ("home", "bin"):
            (top / name).mkdir()
        (top / "bin/tranche").symlink_to(args.build / "src/cli/tranche")
        self.env = self.environment(top)
        self.daemon.env = self.env

    # --- the guest ---

    def inside(self, command, fails=False, show=True, keep=None, timeout=120):
        """Says a command of the guest, runs it there, shows what it prints (lines that fit {keep}).  Return: all of it"""
        say(bold("guest$ ") + command)
        status, text = self.guest.run(command, timeout=timeout)
        lines = [line.rstrip() for line in text.splitlines() if not keep or re.search(keep, line)]
        if show or (status != 0) != fails:
            say("\n".join(lines))
        self.expect((status != 0) == fails, f"\"{command}\" ended with {status} in the guest")
        return text

    def stats(self, tenant):
        return next(d for d in self.api("list") if d["uuid"] == tenant.uuid)["stats"]

    def stats_when(self, tenant, check, within=60):
        """... as soon as they are so: tranched asks its devices now and then."""
        end = time.monotonic() + within
        while True:
            s = self.stats(tenant)
            if check(s) or time.monotonic() > end:
                return s
            time.sleep(0.1)

    # --- steps ---

    def begin(self):
        headline("1. tranched cuts two devices for a virtual machine out of this machine's OpenCL device")
        say(bold("$ ") + f"tranched --runtime-dir {self.daemon.run} --definitions-dir {self.daemon.definitions} &")
        self.daemon.start(within=60)
        self.choose_parent()
        for t in self.tenants:
            self.shell(f"tranche define -u {t.uuid} -p {self.parent} -t compute-pci --memory {t.size} --vm demo")
            self.shell(f"tranche start {t.uuid}")
        self.shell("tranche list")

    def qemu_words(self, tenant):
        """What a QEMU needs to be told, as people get it."""
        text = self.output("attach", "--print", "qemu", tenant.uuid)
        found = re.search(r"-device '(.*)'", text)
        if not found:
            raise Failure(f"tranche attach says nothing of -device: {text}")
        return found[1]

    def boot(self):
        headline("2. A stock Debian kernel under QEMU, with Debian's OpenCL programs, and no OpenCL but ours")
        accel, fetcher = self.accel, self.accel.Fetcher(self.accel.Cache())
        words = [self.qemu_words(t) for t in self.tenants]
        for t, word in zip(self.tenants, words):
            say(f"{bold('$ ')}tranche attach --print qemu {t.short}\n-device '{word}'")
        usr, module = accel.vm_root.usr_image(fetcher), accel.vm_module.module(fetcher)
        say(f"(the driver: kernel/accel, {os.path.getsize(module) >> 10} KiB, built for that kernel)")
        begin = time.monotonic()
        files = [*accel.vm_root.opencl_files(self.args.build), f"{HERE}/programs/julia.py", f"{APPS}/demo_hoard.py"]
        programs = [*accel.ours("load"), accel.program("apps/vadd"), f"{self.args.build}/bench/bench-guest:usr/bin/launches"]
        self.guest = accel.Guest(devices=words, modules=[module], programs=programs,
                                 files=files, usr=usr, memory="640M", fetcher=fetcher)
        say(f"(the guest was up after {time.monotonic() - begin:.1f} s)")
        self.inside("uname -r; cd /sys/bus/pci/devices/0000:00:01.0 && cat vendor device class")
        self.inside("time -f 'the driver was loaded in %e s of the guest' modprobe tranche_accel")
        self.inside("until [ -e /dev/accel/accel1 ]; do usleep 10000; done; ls -l /dev/accel")
        self.inside("dmesg | grep Initialized.tranche")

    def show_device(self):
        headline("3. What unmodified programs see: each device with its quota")
        text = self.inside("clinfo", keep=r"^  (" + "|".join(SHOWN) + r")\s")
        for t in self.tenants:
            self.expect(re.search(rf"Global memory size\s+{t.memory}\b", text), f"clinfo does not tell of {t.memory} bytes")

    def compute(self):
        headline("4. PyOpenCL computes a picture, on the host's device")
        text = self.inside("python3 /root/julia.py")
        self.expect(text.count("*") > 200 and text.count("\n") > 15, "there is no picture")
        text = self.inside("vadd 1")
        self.expect("0 wrong" in text, "a sum is wrong")

    def count(self):
        headline("5. What that costs the guest: programs write to shared memory, and its kernel is seldom asked")
        self.inside(f"launches batch {DEPTH} {DEPTH} 100", show=False)      # compiled, measured: what follows is the steady state
        for tries_left in reversed(range(3)):
            each = self.count_once()
            if max(each["traps"], each["interrupts"]) <= MOST_EACH or not tries_left:
                break
            say(f"(more than {MOST_EACH}: is this machine busy, so that the device falls asleep between two of them? Once more.)")
        self.expect(each["traps"] <= MOST_EACH and each["interrupts"] <= MOST_EACH, f"more than {MOST_EACH} of these a launch: {each}")

    def count_once(self):
        """{name: how many a launch}"""
        before = self.stats_when(self.tenants[0], lambda s: s["commands"] >= DEPTH)
        self.inside(f"launches batch {DEPTH} {LAUNCHES} 100")
        after = self.stats_when(self.tenants[0], lambda s: s["commands"] - before["commands"] >= LAUNCHES)
        did = {name: after[name] - before[name] for name in ("commands", "traps", "interrupts")}
        each = {name: count / LAUNCHES for name, count in did.items()}
        say(bold("the host: ") + f"{LAUNCHES} launches, {DEPTH} at a time: the guest was stopped {did['traps']} times for a register, and "
            f"interrupted {did['interrupts']} times:\n{each['traps']:.3f} and {each['interrupts']:.3f} a launch, with the start of the program")
        self.expect(did["commands"] >= LAUNCHES, f"the host knows of {did['commands']} commands")
        return each

    def refuse(self):
        headline("6. More than the quota is refused, with OpenCL's own error; what was granted stays good")
        job = self.guest.launch("python3 /root/demo_hoard.py")
        peak = 0
        while not job.is_done():
            peak = max(peak, self.stats(self.tenants[0])["used"])
            time.sleep(0.05)
        status, text = job.wait()
        say(f"{bold('guest$ ')}python3 demo_hoard.py\n{text.rstrip()}")
        say(bold("the host: ") + f"up to {peak // MIB} MiB of the first device were seen in use, none of the second")
        self.expect(status == 0 and "MEM_OBJECT_ALLOCATION_FAILURE" in text, "the quota did not hold, or not with OpenCL's error")
        s = self.stats(self.tenants[1])
        self.expect(s["used"] == 0, f"the second device has {s['used']} bytes in use")

    def crash(self):
        headline("7. A program dies in the middle: nothing is left")
        self.inside("load 60 & sleep 2; kill -9 $!; wait $! 2>/dev/null; echo killed")
        used = self.stats_when(self.tenants[0], lambda s: not s["used"])["used"]
        say(bold("the host: ") + f"{used // MIB} MiB of the first device are in use")
        self.expect(not used, "memory is in use still")

    def finish(self):
        headline("8. The driver is unloaded, the guest switched off, all is given back")
        self.inside("rmmod tranche_accel; ls /dev/accel 2>/dev/null | wc -l; dmesg | grep -cE 'WARNING|BUG:|Oops' || true")
        self.accel.check_splats(self.guest.run("dmesg")[1].splitlines())
        self.guest.poweroff()
        for t in self.tenants:
            self.shell(f"tranche stop --wait=20 {t.uuid}")
            self.shell(f"tranche undefine {t.uuid}")
        self.expect(not self.api("list") and not self.api("list", "-d"), "something is left")

    def play(self):
        from vm_cache import VmError    # (their place is known when accel is loaded)
        from vm_guest import GuestError
        try:
            reason = self.accel.why_not(())
            if reason:
                raise Skip(reason)
            self.perform()
        except (VmError, GuestError) as error:
            raise Failure(error) from error
        except OSError as error:
            where = error.filename or f"{tempfile.gettempdir()} (TMPDIR=FOLDER: another place)"
            raise Failure(f"{where}: {error.strerror or error}") from error

    def perform(self):
        self.begin()
        self.boot()
        self.show_device()
        self.compute()
        self.count()
        self.refuse()
        self.crash()
        self.finish()

    def close(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self.guest:
            with contextlib.suppress(OSError):
                self.guest.kill()
        self.daemon.destroy()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where all was built")
    parser.add_argument("--parent", metavar="NAME", help="which host device: cpu0, gpu0, ... (default: the first CPU)")
    args = parser.parse_args()
    args.build = args.build.resolve()
    return args


def main():
    begin = time.monotonic()
    args = parse()
    os.environ.pop("LD_PRELOAD", None)

    def make():
        for program in ("src/daemon/tranched", "bench/bench-guest"):
            if not os.access(args.build / program, os.X_OK):
                raise Skip(f"{args.build} has no {program}: run tools/setup and tools/build")
        return Stage(args)

    status = perform(make)
    if status == 0:
        say(bold(f"\nAll of this was checked, and all of it held, in {time.monotonic() - begin:.0f} s."))
    return status


if __name__ == "__main__":
    sys.exit(main())
