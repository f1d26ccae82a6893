# SPDX-License-Identifier: MIT
"""mdevctl on a tree, both ways, and what it says as one text that is compared with a golden one."""
import os
import re
import shutil
import subprocess

import mdevctl_newer
import treefs

TRANCHE = os.environ.get("TRANCHE_TEST_TRANCHE", "build/src/cli/tranche")
SCRIPTS = ("callouts", "notifiers")


class Session:
    """Commands, their output and exit statuses, one after the other."""

    def __init__(self, words, env, replaced=()):
        self.words, self.env, self.replaced, self.text = words, {**os.environ, "LC_ALL": "C", "RUST_BACKTRACE": "0", **env}, replaced, ""

    def run(self, *args, stdin=None):
        result = subprocess.run([*self.words, *args], env=self.env, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        said = "".join(f"  {line}\n" for line in result.stdout.splitlines()) + "".join(f"! {line}\n" for line in result.stderr.splitlines())
        text = f"$ mdevctl {' '.join(args)}\n" + said
        for path, name in self.replaced:
            text = text.replace(path, name)
        self.text += re.sub(r" +$", "", text, flags=re.M)
        if result.returncode:
            self.text += f"  [exit status {result.returncode}]\n"
        return result.stdout

    def note(self, text):
        self.text += f"# {text}\n"


def older_version():
    """Of the machine's own mdevctl; None: there is none."""
    program = shutil.which("mdevctl", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not program:
        return None
    return subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout.strip()


def older(api, etc):
    """The machine's own, each command in a namespace of its own, with etc for /etc/mdevctl.d."""
    for name in SCRIPTS:
        os.makedirs(os.path.join(etc, "scripts.d", name), exist_ok=True)
    words = [TRANCHE, "attach", "--sysfs", "--socket", api.path, "--etc", etc, "--", "mdevctl"]
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return Session(words, {"PATH": path}, [(etc, "ETC")])


def newer(root):
    """Debian 13's, below root; the tree is mounted at root/sys."""
    for name in SCRIPTS:
        os.makedirs(os.path.join(root, "usr/lib/mdevctl/scripts.d", name), exist_ok=True)
    os.makedirs(os.path.join(root, "etc/mdevctl.d/scripts.d/callouts"), exist_ok=True)
    return Session(mdevctl_newer.command(), {"MDEVCTL_ENV_ROOT": root}, [(root, "ROOT")])


def everyday(s, definition):
    """What both versions do, in every state of a device."""
    uuid, other = treefs.UUID, treefs.OTHER
    s.run("types")
    s.run("types", "--parent", "mtty")
    s.run("types", "--dumpjson")
    s.run("list")
    s.run("define", "--uuid", uuid, "--parent", "mtty", "--type", "mtty-2")
    s.run("define", "--uuid", uuid, "--parent", "mtty", "--type", "mtty-2")
    s.run("define", "--uuid", other, "--parent", "cpu0", "--type", "compute-1g", "--auto")
    s.run("list", "-d")
    s.run("modify", "--uuid", uuid, "--addattr", "vm", "--value", "web1")
    s.run("modify", "--uuid", uuid, "--addattr", "memory", "--value", "5")
    s.run("list", "-d", "-v")
    s.run("start", "--uuid", uuid)
    s.run("start", "--uuid", uuid)
    s.run("start", "--uuid", other)
    s.run("list")
    s.run("list", "-v")
    s.run("list", "-d", "-v", "--uuid", uuid)
    s.run("list", "--dumpjson")
    s.run("list", "-d", "--dumpjson")
    s.run("types", "--parent", "cpu0")
    s.run("stop", "--uuid", other)
    s.run("stop", "--uuid", other)
    s.run("modify", "--uuid", other, "--manual")
    s.run("modify", "--uuid", uuid, "--delattr", "--index", "1")
    s.run("list", "-d", "-v")
    s.run("stop", "--uuid", uuid)
    s.run("undefine", "--uuid", uuid)
    s.run("undefine", "--uuid", other)
    s.run("list", "-d")
    s.note("without a definition")
    s.run("start", "--uuid", uuid, "--parent", "mtty", "--type", "mtty-1")
    s.run("list", "-v")
    s.run("stop", "--uuid", uuid)
    s.note("from a file")
    s.run("define", "--uuid", uuid, "--parent", "mtty", "--jsonfile", definition)
    s.run("list", "-d", "--dumpjson", "--uuid", uuid)
    s.run("start", "--uuid", uuid)
    s.run("stop", "--uuid", uuid)
    s.run("undefine", "--uuid", uuid)


def refusals(s, api):
    """What tranched refuses reaches who asked, with the kernel's numbers; nothing stays behind."""
    uuid = treefs.UUID
    s.note("an attribute that tranched does not take: the device goes again")
    s.run("define", "--uuid", uuid, "--parent", "mtty", "--type", "mtty-2")
    s.run("modify", "--uuid", uuid, "--addattr", "time", "--value", "bad")
    s.run("start", "--uuid", uuid)
    assert not api.devices
    s.run("modify", "--uuid", uuid, "--delattr", "--index", "0")
    s.note("no instance left, although there seemed to be one")
    api.refuse["POST", "/v1/devices"] = treefs.Refused("EUSERS", "no instance left")
    s.run("start", "--uuid", uuid)
    api.refuse.clear()
    s.note("in use")
    s.run("start", "--uuid", uuid)
    api.in_use.add(uuid)
    s.run("stop", "--uuid", uuid)
    assert list(api.devices) == [uuid]
    api.in_use.clear()
    s.run("stop", "--uuid", uuid)
    s.note("what does not exist")
    s.run("start", "--uuid", treefs.OTHER, "--parent", "none", "--type", "mtty-2")
    s.run("start", "--uuid", treefs.OTHER, "--parent", "mtty", "--type", "none")
    s.run("undefine", "--uuid", uuid)
