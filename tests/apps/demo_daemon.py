#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One host device, two tenants: what tranched does, step by step, with the commands that do it.

    demo_daemon.py [--build DIR] [--seconds N] [--parent NAME] [--hashcat] [--open] [--png FILE]

tranched is one of the demo's own, in a folder that is gone afterwards. Exit status: 0 when all that is said is true, 1
when something is not (shares, results, refusals), 77 when a program that it needs is not installed.
"""
import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

sys.dont_write_bytecode = True      # the source tree stays as it is

from demo_programs import Fractal, Hashcat, Sgemm  # noqa: E402
from sides import HERE, ROOT, Failure, Skip, die_skipped, end_cleanly_on_sigterm, say  # noqa: E402

ALICE, BOB = "a11ce000-0000-4000-8000-000000000001", "b0b00000-0000-4000-8000-000000000002"
GIB, MIB = 1 << 30, 1 << 20
POINTS = 15             # how far a share may be from what is due: the machine has other things to do, too
COMPILE_S = 300         # on a busy machine; with hashcat half a minute on a quiet one
MARGIN_S = 1            # the new way of sharing has come to all


def bold(text):
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def red(text):
    return f"\033[31m{text}\033[0m" if sys.stdout.isatty() else text


def headline(text):
    say("\n" + bold(text))


class Tenant:
    """A device and the program on it."""

    def __init__(self, name, uuid, memory, promise, program):
        self.name, self.uuid, self.memory, self.promise, self.kind = name, uuid, memory, promise, program
        self.program = None

    @property
    def short(self):
        return self.uuid[:4]

    @property
    def size(self):
        return f"{self.memory // GIB}G" if self.memory >= GIB else f"{self.memory // MIB}M"


class Sample:
    """What the tenants' devices and programs have done so far."""

    def __init__(self, stage):
        devices = {d["uuid"]: d for d in stage.api("list")}
        self.at = time.monotonic()
        self.busy = [devices[t.uuid]["stats"]["busy_ns"] / 1e9 for t in stage.tenants]
        self.done = [t.program.done() for t in stage.tenants]


class Stage:
    """A tranched of its own, and the command that speaks to it."""

    def __init__(self, args):
        self.args, self.wrong = args, []
        self.tenants = [Tenant("alice", ALICE, GIB, 70, Hashcat if args.hashcat else Fractal), Tenant("bob", BOB, GIB // 4, 30, Sgemm)]
        self.address = f"127.0.0.1:{free_port()}"
        os.environ["TRANCHE_BUILD"] = str(args.build)
        self.daemon = load_tranched().Tranched(f"[daemon]\nlisten = {self.address}\n", name="demo")
        top = self.daemon.top
        for name in ("home", "bin", "alice", "bob"):
            (top / name).mkdir()
        (top / "bin/tranche").symlink_to(args.build / "src/cli/tranche")
        (top / "bin/sgemm").symlink_to(args.bin / "sgemm")
        self.env = self.environment(top)
        self.daemon.env = self.env

    def environment(self, top):
        """As the caller's, but that nothing is written outside of the folder."""
        drop = ("TRANCHE_", "XDG_", "MALLOC_PERTURB_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
        env.update(HOME=str(top / "home"), POCL_CACHE_DIR=str(top / "home/pocl"), PATH=f"{top}/bin:{os.environ['PATH']}",
                   TRANCHE_SOCKET=self.daemon.socket, LC_ALL="C.UTF-8")
        return env

    # ---------------------------------------------------------------- commands

    def shell(self, command, echo=None, fails=False):
        """Says a command, runs it, and shows what it prints. fails: it shall be refused, with an exit status of 1."""
        say(bold("$ ") + (echo or command))
        if not fails:
            done = subprocess.run(["sh", "-c", command], env=self.env, timeout=120, check=False)
            self.expect(done.returncode == 0, f"\"{echo or command}\" ended with {done.returncode}")
            return done
        done = subprocess.run(["sh", "-c", command], env=self.env, timeout=120, check=False, capture_output=True, text=True)
        say((done.stdout + done.stderr).rstrip())
        self.expect(done.returncode == 1 and done.stderr, f"\"{echo or command}\" was not refused")
        return done

    def output(self, *words):
        done = subprocess.run(["tranche", *words], env=self.env, timeout=60, check=False, capture_output=True, text=True,
                              executable=str(self.daemon.top / "bin/tranche"))
        if done.returncode:
            raise Failure(f"tranche {shlex.join(words)}: {done.stderr}")
        return done.stdout

    def api(self, *words):
        value = json.loads(self.output(*words, "--json"))
        return next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value

    def expect(self, is_true, otherwise):
        if not is_true:
            self.wrong.append(otherwise)
            say(red(f"! {otherwise}"))

    # ------------------------------------------------------------------- steps

    def choose_parent(self):
        parents = [p for p in self.api("parents") if p["driver"] == "compute"]
        end = time.monotonic() + 30
        while any(p["state"] != "up" for p in parents) and time.monotonic() < end:     # they are started just now
            time.sleep(0.1)
            parents = [p for p in self.api("parents") if p["driver"] == "compute"]
        parents = [p for p in parents if p["state"] == "up"]
        if not parents:
            raise Skip("this machine has no OpenCL device that can be sliced (tools/tranche doctor says why)")
        found = next((p for p in parents if p["name"] == self.args.parent), None) if self.args.parent else \
            next((p for p in parents if p["host_device"]["kind"] == "cpu"), parents[0])
        if not found:
            raise Failure(f"there is no parent {self.args.parent}; there are {', '.join(p['name'] for p in parents)}")
        self.parent = found["name"]
        needed = sum(t.memory for t in self.tenants)
        if found["left"]["memory"] < needed:
            raise Skip(f"{self.parent} has less than {needed // MIB} MiB")

    def begin(self):
        headline("1. tranched finds what can be sliced: here, the processors' OpenCL device")
        say(bold("$ ") + f"tranched --runtime-dir {self.daemon.run} --definitions-dir {self.daemon.definitions} --listen {self.address} &")
        say(bold("$ ") + f"export TRANCHE_SOCKET={self.daemon.socket}")
        self.daemon.start(within=60)
        self.choose_parent()
        self.shell("tranche parents")

    def define(self):
        headline("2. Two devices are cut from it: memory of their own, and a promised part of the time")
        for t in self.tenants:
            self.shell(f"tranche define -u {t.uuid} -p {self.parent} -t compute-custom --memory {t.size} --time {t.promise} --vm {t.name}")
        self.shell(f"tranche schedule {self.parent} fixed")
        for t in self.tenants:
            self.shell(f"tranche start {t.uuid}")
        self.shell("tranche list")

    def launch(self):
        headline("3. Bob and Alice each start a program: unmodified ones, which never have enough")
        if self.args.open:
            self.open_page()
        for t in reversed(self.tenants):
            attach = f'eval "$(tranche attach --print env {t.short})"'
            say(f"{bold(t.name + '$ ')}{attach}\n{bold(t.name + '$ ')}{t.kind.command()} &")
            t.program = t.kind(self.daemon.top / t.name, self.env, attach + "; ")
            self.wait_until_busy(t.program)

    def wait_until_busy(self, program):
        """Until its kernels are compiled and it makes progress."""
        begin = time.monotonic()
        while not program.done():
            took = time.monotonic() - begin
            if program.is_over():
                raise Failure(f"{program.what} ended with {program.process.returncode}:\n{program.said()}")
            if took > COMPILE_S:
                raise Failure(f"{program.what} is not at work after {took:.0f} s:\n{program.said()}")
            if sys.stdout.isatty():
                print(f"({program.what} compiles its kernels: {took:.0f} s)", end="\r", flush=True)
            time.sleep(0.2)
        say(f"({program.what} has compiled its kernels in {time.monotonic() - begin:.0f} s and is at work)")

    def watch(self, due):
        """tranche top for as long as it is measured, then the shares as they came out; once more when others disturbed it."""
        time.sleep(MARGIN_S)
        for tries_left in reversed(range(3)):
            before = Sample(self)
            count = max(2, round(self.args.seconds))
            if sys.stdout.isatty() and sys.stdin.isatty():
                self.shell(f"tranche top -n {count + 1}", "tranche top")
                self.shell("tranche top --once")
            else:
                self.shell(f"tranche top --batch -n {min(3, count)} -d {max(1, count / 3):g}")
                time.sleep(max(0, before.at + count - time.monotonic()))
            if not self.report(before, Sample(self), due, tries_left):
                break
            say(f"(more than {POINTS} points off: is this machine busy? Once more.)")

    def report(self, before, after, due, tries_left):
        """True when it should be measured again."""
        busy = [b - a for a, b in zip(before.busy, after.busy)]
        got = [100 * b / sum(busy) if sum(busy) else 0 for b in busy]
        say("\n" + bold(f"  {'':<8}{'due':>6}{'got':>9}{'busy':>9}   in {after.at - before.at:.0f} s"))
        for i, (t, part) in enumerate(zip(self.tenants, due)):
            rate = (after.done[i] - before.done[i]) / (after.at - before.at) / t.program.scale
            say(f"  {t.name:<8}{part:>4} %{got[i]:>7.1f} %{busy[i]:>7.1f} s   {t.program.what}: {rate:.1f} {t.program.unit}")
        off = any(abs(g - part) > POINTS for g, part in zip(got, due))
        idle = [t.program.what for i, t in enumerate(self.tenants) if after.done[i] <= before.done[i]]
        if (off or idle) and tries_left:
            return True
        for t, g, part in zip(self.tenants, got, due):
            self.expect(abs(g - part) <= POINTS, f"{t.name}'s share is {g:.1f} %, not {part} %")
        self.expect(not idle, f"no progress: {', '.join(idle)}")
        return False

    def share(self):
        headline("4. Fixed shares: each gets the part that was promised, also when both want more")
        self.watch([t.promise for t in self.tenants])
        headline("5. The schedule is changed while they run: equal shares")
        self.shell(f"tranche schedule {self.parent} equal")
        self.watch([50, 50])

    def refuse(self):
        bob = self.tenants[1]
        headline("6. What is refused, and how: a program that wants more than its device's memory")
        attach = f'eval "$(tranche attach --print env {bob.short})"'
        script = HERE / "demo_hoard.py"
        done = subprocess.run(["sh", "-c", f"{attach}; exec /usr/bin/python3 -B {shlex.quote(str(script))}"], env=self.env, timeout=120,
                              check=False, capture_output=True, text=True)
        say(f"{bold('bob$ ')}python3 {script.relative_to(ROOT)}\n{(done.stdout + done.stderr).rstrip()}")
        self.expect(done.returncode == 0 and "MEM_OBJECT_ALLOCATION_FAILURE" in done.stdout, "the quota did not hold, or not with OpenCL's error")
        say("(OpenCL's own error; Bob's other program and Alice's did not notice)\n\nA device whose time was promised to others:")
        self.shell(f"tranche start -p {self.parent} -t compute-256m --time 10", fails=True)
        say("\nA device that is in use:")
        busy = self.shell(f"tranche stop {bob.uuid}", fails=True)
        self.expect("in use by process" in busy.stderr, "the refusal does not name who uses the device")

    def finish(self):
        headline("7. The programs end; their results are checked")
        for t in self.tenants:
            if t.program.is_over():
                self.expect(False, f"{t.program.what} has ended by itself: {t.program.said()}")
            self.expect(t.program.interrupt(), f"{t.program.what} does not end")
            right, sentence = t.program.check()
            say(f"  {sentence}")
            self.expect(right, f"{sentence}\n{t.program.said()}")
        headline("8. All is given back")
        for t in self.tenants:
            self.shell(f"tranche stop --wait=20 {t.uuid}")
            self.shell(f"tranche undefine {t.uuid}")
        self.shell("tranche list -d")
        self.expect(not self.api("list") and not self.api("list", "-d"), "something is left")

    # ---------------------------------------------------------------- the page

    def open_page(self):
        url = f"http://{self.address}/"
        opener = shutil.which("xdg-open") if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") else None
        say(f"The status page: {bold(url)}" + ("" if opener else " (open it in a browser of this machine)"))
        if opener:
            subprocess.Popen([opener, url], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)

    def wait_for_reader(self):
        say(f"\nThe status page is at {bold(f'http://{self.address}/')}: press Enter to go on.")
        if sys.stdin.isatty():
            with contextlib.suppress(KeyboardInterrupt):
                select.select([sys.stdin], [], [])
                sys.stdin.readline()

    def take_picture(self):
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if not chromium:
            say("(no picture: chromium is not installed)")
            return
        picture = self.args.png.resolve()
        picture.unlink(missing_ok=True)
        command = [chromium, "--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", f"--user-data-dir={self.daemon.top}/browser",
                   "--window-size=1100,640", "--virtual-time-budget=4000", f"--screenshot={picture}", f"http://{self.address}/#still"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=60, check=False)
        self.expect(picture.exists(), "there is no picture of the status page")
        if picture.exists():
            say(f"A picture of the status page: {self.args.png}")

    def play(self):
        self.begin()
        self.define()
        self.launch()
        self.share()
        if self.args.png:
            self.take_picture()
        self.refuse()
        if self.args.open:
            self.wait_for_reader()
        self.finish()

    def close(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for t in self.tenants:
            if t.program:
                t.program.kill()
        self.daemon.destroy()


def load_tranched():
    """tests/daemon/tranched.py: it reads the build's place when it is loaded."""
    sys.path.append(str(ROOT / "tests"))
    path = ROOT / "tests/daemon/tranched.py"
    spec = importlib.util.spec_from_file_location("tranched", path)
    module: types.ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check_needs(args):
    for need in (Hashcat.needs if args.hashcat else Fractal.needs, Sgemm.needs.format(bin=args.bin), str(args.build / "src/daemon/tranched"),
                 str(args.build / "src/ctl/tranche-ctl")):
        if not (os.access(need, os.X_OK) if "/" in need else shutil.which(need)):
            raise Skip(f"{need} is missing: run tools/setup --demo and tools/build")
    if importlib.util.find_spec("pyopencl") is None:
        raise Skip("Python has no module pyopencl: run tools/setup --demo")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where all was built")
    parser.add_argument("--seconds", type=float, default=8, help="how long shares are measured, each time (default 8)")
    parser.add_argument("--parent", metavar="NAME", help="which host device: cpu0, gpu0, ... (default: the first CPU)")
    parser.add_argument("--hashcat", action="store_true", help="Alice runs hashcat, whose kernels take longer to compile")
    parser.add_argument("--open", action="store_true", help="show the status page in a browser, and wait")
    parser.add_argument("--png", type=pathlib.Path, metavar="FILE", help="take a picture of the status page (needs chromium)")
    args = parser.parse_args()
    args.build = args.build.resolve()
    args.bin = args.build / "tests/apps"
    return args


def perform(make):
    """Plays the stage that {make}() makes, and clears it whatever happens. Return: exit status"""
    end_cleanly_on_sigterm()
    signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    stage = None
    try:
        stage = make()
        stage.play()
    except Skip as reason:
        die_skipped(reason)
    except (Failure, AssertionError, subprocess.TimeoutExpired) as failure:
        say(red(f"\n{failure}"))
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted: cleaning up")
        return 130
    finally:
        if stage:
            stage.close()
    if stage.wrong:
        say(red(f"\nNot all is as it should be: {'; '.join(stage.wrong)}"))
        return 1
    return 0


def main():
    args = parse()

    def make():
        check_needs(args)
        return Stage(args)

    status = perform(make)
    if status == 0:
        say(bold("\nAll of this was checked, and all of it held. tranched and its folder are gone."))
    return status


if __name__ == "__main__":
    sys.exit(main())
