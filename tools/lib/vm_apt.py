# SPDX-License-Identifier: MIT
"""Debian packages of other releases, without touching the system: apt with a state of its own, as any user.

The mirror, and how to reach it, are those of this machine's apt.
"""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse

from vm_cache import Cache, CannotFetch, VmError, say

KEYRINGS = ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"]
RELEASES = re.compile(r"(bullseye|bookworm|trixie|forky|duke|sid|oldstable|stable|testing|unstable)(-updates|-backports)?$")
LISTS_HOURS = 12        # package lists younger than this are not read again
LIBRARY = re.compile(r"(lib.*|zlib1g.*)$")


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)


def find_mirror():
    """The address of the Debian archive that this machine's apt uses."""
    given = os.environ.get("TRANCHE_DEBIAN_MIRROR")
    if given:
        return given
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise CannotFetch("this system has no apt, so that nothing can be fetched")
    targets = run(["apt-get", "indextargets", "--format", "$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)"]).stdout
    for line in targets.splitlines():
        words = line.split()
        if len(words) == 4 and words[0] == "Packages" and words[3] == "main" and RELEASES.match(words[2]):
            return words[1]
    raise CannotFetch("this machine's apt knows no Debian archive; TRANCHE_DEBIAN_MIRROR=ADDRESS names one")


def acquire_settings():
    """How this machine's apt reaches its mirror: proxies, certificates, checks of dates."""
    lines = run(["apt-config", "dump", "--no-empty", "--format", '%f "%v";%n', "Acquire"]).stdout.splitlines()
    return [line for line in lines if re.match(r"Acquire::(Check-|Retries|ForceIPv|By-Hash|[a-z]+::)", line)
            and not line.startswith("Acquire::cdrom")]


def first_complaint(text):
    lines = [line for line in text.splitlines() if line.startswith(("E:", "W:"))]
    lines.sort(key=lambda line: "Failed to fetch" not in line)      # that one says why
    return (lines or text.strip().splitlines() or ["it said nothing"])[0]


class Apt:
    """apt for some releases; its lists are kept in {folder}."""

    def __init__(self, folder, releases, preferences="", unsigned=False):
        self.folder, self.releases, self.unsigned = folder, releases, unsigned
        os.makedirs(os.path.join(folder, "lists", "partial"), exist_ok=True)
        os.makedirs(os.path.join(folder, "archives", "partial"), exist_ok=True)
        self.write("status", "")
        self.write("preferences", preferences)
        self.write("sources.list", "".join(self.source(release) for release in releases))
        self.write("apt.conf", "\n".join(self.settings() + acquire_settings()) + "\n")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(text)

    def source(self, release):
        keyring = next((path for path in KEYRINGS if os.path.exists(path)), None)
        option = "[trusted=yes] " if self.unsigned else f"[signed-by={keyring}] " if keyring else ""
        return f"deb {option}{find_mirror()} {release} main\n"

    def settings(self):
        here = self.folder
        places = {"Etc::main": "/dev/null", "Etc::parts": "/dev/null", "Etc::sourcelist": f"{here}/sources.list",
                  "Etc::sourceparts": "/dev/null", "Etc::preferences": f"{here}/preferences", "Etc::preferencesparts": "/dev/null",
                  "State": here, "State::lists": f"{here}/lists", "State::status": f"{here}/status",
                  "Cache": here, "Cache::srcpkgcache": "", "Cache::archives": f"{here}/archives"}
        others = {"APT::Architecture": "amd64", "APT::Architectures": "amd64", "APT::Sandbox::User": "",
                  "APT::Install-Recommends": "false", "APT::Update::Error-Mode": "any", "Acquire::Languages": "none",
                  "Acquire::http::Timeout": "30", "Acquire::https::Timeout": "30", "Acquire::Retries": "2"}
        return [f'Dir::{key} "{value}";' for key, value in places.items()] + [f'{key} "{value}";' for key, value in others.items()]

    def get(self, *words, cwd=None):
        env = {**os.environ, "APT_CONFIG": os.path.join(self.folder, "apt.conf"), "LC_ALL": "C"}
        return run(["apt-get", "-q", *words], env=env, cwd=cwd)

    def explain(self, what, done):
        text = done.stdout + done.stderr
        if "NO_PUBKEY" in text or "not signed" in text:
            return VmError(f"{what}: this machine has no key to check the signature of {' or '.join(self.releases)}; install a newer "
                           "debian-archive-keyring, or allow it unchecked with tools/vm fetch --unsigned")
        if "No space left" in text or "don't have enough free space" in text:
            return VmError(f"{what}: the disk of {self.folder} is full ({Cache.REMEDY})")
        if "404" in text:       # the lists are older than what the mirror has: the next try reads them anew
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.folder, "updated"))
            return CannotFetch(f"{what}: {first_complaint(text)} (the mirror has newer ones: try again)")
        return CannotFetch(f"{what}: {first_complaint(text)}")

    def update(self, force=False):
        stamp = os.path.join(self.folder, "updated")
        names = f"{find_mirror()} {' '.join(self.releases)} {self.unsigned}"
        if not force and os.path.exists(stamp) and time.time() - os.path.getmtime(stamp) < LISTS_HOURS * 3600:
            with open(stamp, encoding="utf-8") as f:
                if f.read() == names:
                    return
        say(f"reading the package lists of {', '.join(self.releases)}")
        done = self.get("update")
        if done.returncode:
            raise self.explain("cannot read the package lists", done)
        if self.unsigned:
            say("their signatures were not checked, as you said")
        self.write("updated", names)

    def resolve(self, *packages):
        """What installing {packages} brings: {name: (version, bytes)}"""
        done = self.get("install", "-q", "--print-uris", "-y", *packages)
        found = {}
        for line in done.stdout.splitlines():
            match = re.match(r"'[^']*' ([^ ]+)_([^_ ]+)_[^_ ]+\.deb (\d+)", line)
            if match:
                found[match.group(1)] = (urllib.parse.unquote(match.group(2)), int(match.group(3)))
        if done.returncode or not found:
            raise VmError(f"cannot fetch {' '.join(packages)}: {first_complaint(done.stderr + done.stdout)}")
        return found

    def unpack(self, wanted, tree):
        """Downloads the packages {name: (version, bytes)} and lays their files out in {tree}."""
        need = sum(size for _, size in wanted.values()) * 5     # as they come, and unpacked
        if shutil.disk_usage(self.folder).free < need:
            raise VmError(f"the disk of {self.folder} is too full for {need >> 20} MiB more ({Cache.REMEDY})")
        with tempfile.TemporaryDirectory(prefix="archives.", dir=self.folder) as archives:
            done = self.get("download", *(f"{name}={version}" for name, (version, _) in wanted.items()), cwd=archives)
            if done.returncode:
                raise self.explain("cannot fetch packages", done)
            for name in sorted(os.listdir(archives)):
                done = run(["dpkg-deb", "-x", os.path.join(archives, name), tree])
                if done.returncode:
                    raise self.explain(f"cannot unpack {name}", done)


def is_library(name):
    return LIBRARY.match(name) is not None
