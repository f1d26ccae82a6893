# SPDX-License-Identifier: MIT
"""One virtual machine: QEMU with a guest that runs scripts for us while it lives.

A guest owes nothing to prompts or to the console: scripts and their output travel over a virtio port (vm_init.sh), commands
to QEMU over QMP; both are socket pairs that QEMU inherits.  Nothing here uses threads.
"""
import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

from vm_cache import Cache
from vm_fetch import Fetcher
from vm_initramfs import Image
from vm_root import MODULES as USR_MODULES

BOOT_TIMEOUT = 120      # seconds; it takes 2 to 4 where nothing else runs
# A second of four that a guest without real hardware need not spend.
# (A busy host gives an emulated processor no time for a while, which is no stall of the guest's.)
QUICK = ["rcupdate.rcu_cpu_stall_suppress=1", "mitigations=off", "nokaslr", "no5lvl", "cryptomgr.notests", "tsc=reliable", "no_timer_check"]
TAIL = 3000             # bytes of the console in an exception's text


class GuestError(Exception):
    """A command failed, QEMU refused, or the guest is gone; the text has the console's end where that tells more."""


class GuestTimeout(GuestError):
    pass


def vfio_user(path, **properties):
    """The device that a vfio-user server at the socket {path} gives."""
    return {"driver": "vfio-user-pci", "socket": {"path": path, "type": "unix"}, **properties}


def device_word(device):
    return json.dumps(device) if isinstance(device, dict) else device


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


class Wire:
    """A socket to QEMU: what is to be sent, what has come."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.ours.setblocking(False)
        self.come, self.going, self.ended = bytearray(), bytearray(), False

    def pump(self, can_read, can_write):
        if can_write and self.going:
            try:
                del self.going[:self.ours.send(self.going[:65536])]
            except (BrokenPipeError, ConnectionResetError):
                self.ended = True
        if can_read:
            try:
                data = self.ours.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            self.come += data
            self.ended = self.ended or not data


class Job:
    """A script that runs in the guest."""

    def __init__(self, guest, number, script):
        self.guest, self.number, self.script = guest, number, script
        self.status = self.output = None        # when it has ended; output: bytes, of stdout and stderr together

    def is_done(self):
        self.guest.turn(0)
        return self.status is not None

    def wait(self, timeout=60):
        """Return: (exit status, output as text)"""
        self.guest.until(lambda: self.status is not None, timeout, f"the end of: {self.script.strip()}")
        return self.status, self.output.decode(errors="replace")


class Guest:
    """A virtual machine, running and ready for scripts from the moment it is made.  See tests/vm/guest.py for its use."""

    def __init__(self, devices=(), modules=(), packages=(), files=(), programs=(), memory="512M", share=True, cpus=1, ports=1, reserve=None,
                 intel_iommu=False, accel="tcg", append="", qemu_args=(), kernel=None, modules_dir=None, shell=False, console=None,
                 stream=None, timeout=BOOT_TIMEOUT, fetcher=None, usr=None):
        self.fetcher = fetcher or Fetcher(Cache())
        self.folder = tempfile.TemporaryDirectory(prefix="tranche-vm-")
        self.process = None
        self.agent, self.monitor, self.output = Wire(), Wire(), Wire()
        self.wires = [self.agent, self.monitor, self.output]
        self.stream = stream        # takes the bytes that the guest's command {stream} sends
        self.jobs, self.last_job, self.boot_id, self.boots = {}, 0, None, 0
        self.answers, self.events, self.last_command = {}, [], 0
        self.console_path = os.path.join(self.folder.name, "console")
        try:
            image = Image(self.fetcher, [*modules, *(USR_MODULES if usr else [])], packages, files, programs, modules_dir)
            append = f"{append} vm.usr" if usr else append
            self.command = [*self.fetcher.qemu(), *self.machine(self.fetcher.memory or memory, share, cpus, accel, intel_iommu),
                            *self.kernel_words(kernel, image, intel_iommu, shell, append), *self.channels(shell),
                            *self.slots(ports, reserve), *self.disk(usr), *(w for d in devices for w in ("-device", device_word(d))), *qemu_args]
            self.start(shell, console)
            if not shell:
                self.wait_for_boot(1, timeout)
        except BaseException:
            self.kill()
            raise

    # --- the command line ---

    @staticmethod
    def machine(memory, share, cpus, accel, intel_iommu):
        words = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-cpu", "max", "-smp", str(cpus), "-m", memory,
                 "-accel", "tcg,thread=multi" if accel == "tcg" else accel]
        machine = "q35"
        if share is not None:
            machine += ",memory-backend=mem"
            words += ["-object", f"memory-backend-memfd,id=mem,size={memory},share={'on' if share else 'off'}"]
        if intel_iommu:
            machine += ",kernel-irqchip=split" if accel == "kvm" else ""
            words += ["-device", "intel-iommu,caching-mode=on,intremap=on"]
        return ["-machine", machine, *words]

    def kernel_words(self, kernel, image, intel_iommu, shell, append):
        initrd = os.path.join(self.folder.name, "initramfs")
        with open(initrd, "wb") as f:
            f.write(image.build())
        line = ["console=ttyS0", "panic=-1", "quiet", *QUICK] + ["intel_iommu=on"] * intel_iommu + ["vm.shell"] * shell + [append]
        return ["-kernel", kernel or self.fetcher.kernel_file(), "-initrd", initrd,
                "-append", " ".join(line).strip()]

    def channels(self, shell):
        """Where console, scripts and QMP go.  Our own device stands at a fixed place, out of the way of those under test."""
        return [*(["-serial", "mon:stdio"] if shell else ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]),
                "-chardev", f"socket,id=agent,fd={self.agent.theirs.fileno()}",
                "-device", "virtio-serial-pci,id=vm-serial,addr=0x1e,max_ports=3",
                "-device", "virtserialport,chardev=agent,name=tranche.vm",
                "-chardev", f"socket,id=output,fd={self.output.theirs.fileno()}",
                "-device", "virtserialport,chardev=output,name=tranche.output",
                "-chardev", f"socket,id=qmp,fd={self.monitor.theirs.fileno()}", "-qmp", "chardev:qmp"]

    @staticmethod
    def disk(usr):
        """The image of a /usr, read only, so that many guests can have it at a time."""
        return ["-drive", f"if=none,id=usr,file={usr},format=raw,readonly=on,cache=unsafe,file.locking=off",
                "-device", "virtio-blk-pci,drive=usr,addr=0x1c"] if usr else []

    @staticmethod
    def slots(ports, reserve):
        """PCIe root ports, for devices that come later: port0, port1, ...; each with room for {reserve} of prefetchable memory."""
        more = f",pref64-reserve={reserve}" if reserve else ""
        return [w for n in range(ports) for w in ("-device", f"pcie-root-port,id=port{n},chassis={n + 1},addr=0x1d.{n}{more}"
                                                  + (",multifunction=on" if n == 0 else ""))]

    def start(self, shell, console):
        self.errors = open(os.path.join(self.folder.name, "errors"), "w+", encoding="utf-8", errors="replace")
        fds = [wire.theirs.fileno() for wire in self.wires]
        with open(self.console_path, "wb") as kept:
            # One shell at a terminal keeps it; all others have no input, and end with us.
            self.process = subprocess.Popen(self.command, pass_fds=fds, stdin=None if shell else subprocess.DEVNULL,
                                            stdout=None if shell else console or kept, stderr=None if shell else self.errors,
                                            preexec_fn=die_with_parent)
        for wire in self.wires:
            wire.theirs.close()
        self.qmp("qmp_capabilities")

    # --- what comes ---

    def turn(self, seconds):
        """Moves bytes for at most so long, and takes in what came."""
        wires = [wire for wire in self.wires if not wire.ended]
        if not wires:
            time.sleep(min(seconds, 0.01))
            return
        readable, writable, _ = select.select([w.ours for w in wires], [w.ours for w in wires if w.going], [], max(seconds, 0))
        for wire in wires:
            wire.pump(wire.ours in readable, wire.ours in writable)
        self.take_answers()
        while self.take_frame():
            pass
        if self.output.come and self.stream:
            self.stream(bytes(self.output.come))
        self.output.come.clear()

    def until(self, check, timeout, what):
        timeout *= self.fetcher.patience
        end = time.monotonic() + timeout
        while not check():
            if all(wire.ended for wire in self.wires):
                raise GuestError(f"the guest ended before {what}{self.last_words()}")
            if time.monotonic() > end:
                raise GuestTimeout(f"not within {timeout} s: {what}{self.last_words()}")
            self.turn(min(1, end - time.monotonic()))

    def take_answers(self):
        while b"\n" in self.monitor.come:
            line, _, rest = bytes(self.monitor.come).partition(b"\n")
            self.monitor.come = bytearray(rest)
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "id" in answer:
                self.answers[answer["id"]] = answer

    def take_frame(self):
        """One message of the guest; before its hello, what an earlier boot left half said is skipped."""
        come = self.agent.come
        hello = re.search(rb"\0hello ([0-9a-f-]{36})\n", come) if self.boot_id is None else None
        if self.boot_id is None:
            if not hello:
                return False
            self.boot_id, self.boots = hello.group(1).decode(), self.boots + 1
            del come[:hello.end()]
            return True
        line, newline, _ = bytes(come[:200]).partition(b"\n")
        words = line.split()
        if not newline or len(words) != 4 or len(come) < len(line) + 1 + int(words[3]):
            return False
        job = self.jobs.pop(int(words[1]), None)
        if job:
            job.output, job.status = bytes(come[len(line) + 1:len(line) + 1 + int(words[3])]), int(words[2])
        del come[:len(line) + 1 + int(words[3])]
        return True

    # --- scripts ---

    def launch(self, script, stdin=b""):
        """Starts a shell script in the guest; Job.wait() gives (status, output)."""
        text, stdin = script.encode(), stdin.encode() if isinstance(stdin, str) else stdin
        self.last_job += 1
        job = self.jobs[self.last_job] = Job(self, self.last_job, script)
        self.agent.going += b"run %d %d %d\n" % (job.number, len(text), len(stdin)) + text + stdin
        self.turn(0)
        return job

    def run(self, script, stdin=b"", timeout=60):
        """Runs a shell script in the guest.  Return: (exit status, stdout and stderr as text)"""
        return self.launch(script, stdin).wait(timeout)

    def ok(self, script, stdin=b"", timeout=60):
        """As run(), for a script that must succeed.  Return: its output without blanks at its ends"""
        status, output = self.run(script, stdin, timeout)
        if status:
            raise GuestError(f"exit status {status} of: {script.strip()}\n{output}{self.last_words()}")
        return output.strip()

    def write(self, path, data, timeout=60):
        self.ok(f"cat >'{path}'", data, timeout)

    def read(self, path, timeout=60):
        """The bytes of a file, a device or a pipe, up to its end."""
        job = self.launch(f"cat '{path}'")
        status, _ = job.wait(timeout)
        if status:
            raise GuestError(f"cannot read {path}: {job.output.decode(errors='replace')}")
        return job.output

    # --- QEMU ---

    def qmp(self, execute, timeout=30, **arguments):
        """A QMP command; returns its value.  (Names with a "-": qmp("x", **{"a-b": 1}).)"""
        self.last_command += 1
        ident = self.last_command
        message = {"execute": execute, "id": ident, "arguments": arguments}
        self.monitor.going += json.dumps(message).encode() + b"\n"
        self.until(lambda: ident in self.answers or self.monitor.ended, timeout, f"QEMU's answer to {execute}")
        answer = self.answers.pop(ident, None)
        if answer is None:
            raise GuestError(f"QEMU ended at {execute}{self.last_words()}")
        if "error" in answer:
            raise GuestError(f"{execute}: {answer['error']['desc']}")
        return answer["return"]

    def wait_event(self, name, timeout=30):
        """The next event of this name (those that came before included, once each)."""
        self.until(lambda: any(e["event"] == name for e in self.events), timeout, f"QEMU's event {name}")
        event = next(e for e in self.events if e["event"] == name)
        self.events.remove(event)
        return event

    def add_device(self, device, port=0):
        """Hot-adds a device (a dict, with an "id" where it is to be removed) at a root port."""
        self.qmp("device_add", **{"bus": f"port{port}", **device})

    def remove_device(self, ident, timeout=30):
        """Asks the guest to let the device go, and waits until it has."""
        self.qmp("device_del", id=ident)
        self.until(lambda: any(e["event"] == "DEVICE_DELETED" and e["data"].get("device") == ident for e in self.events), timeout,
                   f"the removal of {ident}")

    def wait_for_boot(self, count, timeout):
        self.until(lambda: self.boots >= count, timeout, "the guest was up")

    def restart(self, ask, timeout):
        """The machine starts anew because of {ask}; scripts that run are lost."""
        self.qmp("set-action", reboot="reset")
        self.events = [e for e in self.events if e["event"] != "RESET"]
        before = self.boots
        ask()
        self.wait_event("RESET")
        self.boot_id = None
        self.agent.going.clear()
        for job in self.jobs.values():
            job.status, job.output = -1, b"lost: the machine was reset"
        self.jobs.clear()
        self.wait_for_boot(before + 1, timeout)
        self.qmp("set-action", reboot="shutdown")

    def reset(self, timeout=BOOT_TIMEOUT):
        """The reset button; returns when the guest is up again."""
        self.restart(lambda: self.qmp("system_reset"), timeout)

    def reboot(self, timeout=BOOT_TIMEOUT):
        """The guest restarts itself, drivers shut their devices down; returns when it is up again."""
        self.restart(lambda: self.launch("reboot -f"), timeout)

    def suspend(self, timeout=60):
        """To memory and back, once in a guest's life, and only with kernel=fetcher.packed_kernel().  Scripts go on afterwards."""
        self.qmp("set-action", reboot="reset")
        job = self.launch("echo mem >/sys/power/state")
        self.wait_event("SUSPEND", timeout)
        self.qmp("system_wakeup")
        status, output = job.wait(timeout)
        if status:
            raise GuestError(f"the guest does not sleep: {output}{self.last_words()}")
        self.qmp("set-action", reboot="shutdown")

    # --- the end ---

    def console(self):
        """What was written to the console so far."""
        with open(self.console_path, "rb") as f:
            return f.read().decode(errors="replace")

    def last_words(self):
        """For exceptions: QEMU's complaints and the end of the console."""
        self.errors.flush()
        with open(self.errors.name, encoding="utf-8", errors="replace") as f:
            said = f.read().strip()
        console = self.console()[-TAIL:].strip()
        return (f"\nQEMU said: {said}" if said else "") + (f"\nthe console's end:\n{console}" if console else "")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def wait(self, timeout=60):
        """Waits until QEMU has ended of itself.  Return: its exit status"""
        try:
            return self.process.wait(timeout * self.fetcher.patience)
        except subprocess.TimeoutExpired:
            raise GuestTimeout(f"QEMU has not ended within {timeout} s{self.last_words()}") from None

    def poweroff(self, timeout=60):
        """The guest's kernel shuts its devices down and switches the machine off."""
        self.launch("poweroff -f")
        return self.wait(timeout)

    def quit(self, timeout=30):
        """QEMU ends at once, the devices' connections with it."""
        self.qmp("quit")
        return self.wait(timeout)

    def kill(self):
        """Whatever is left is ended; may be called twice."""
        if self.is_running():
            self.process.kill()
            self.process.wait()
        for wire in self.wires:
            wire.ours.close()
            wire.theirs.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.kill()
