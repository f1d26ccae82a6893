# SPDX-License-Identifier: MIT
"""Upstream's tests of a Debian package, where no binary package has them: the source package, from the machine's own archive.

Kept in ${XDG_CACHE_HOME:-~/.cache}/tranche/sources/NAME-VERSION; a tree that somebody put there is used as it is.
apt checks the signatures and the hashes of what it fetches.
"""
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from sides import Skip

SECONDS = 180       # one command of apt, over a slow line


def _cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "tranche" / "sources"


def _output(*command, cwd=None):
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Skip(f"{command[0]}: {error}") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("E:")]
        raise Skip(f"{command[0]}: {lines[0] if lines else done.stderr.strip()[-200:]}")
    return done.stdout


def _source_lines():
    """The archives of this machine's apt, as lines that fetch sources."""
    fields = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)"
    found = _output("apt-get", "indextargets", "--format", fields, "Created-By: Packages")
    return "".join(sorted(set(found.splitlines(keepends=True))))


def _download(source, version, cache, into):
    apt = cache / "apt"
    (apt / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (apt / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(_source_lines())
    settings = (f"Dir::Etc::SourceList={apt}/sources.list", "Dir::Etc::SourceParts=/nonexistent",
                f"Dir::State::Lists={apt}/lists", f"Dir::Cache={apt}", "APT::Sandbox::User=root")
    options = [word for setting in settings for word in ("-o", setting)]
    _output("apt-get", *options, "update")
    _output("apt-get", *options, "--download-only", "source", f"{source}={version}", cwd=into)


def _unpack(into):
    """The upstream archive among what was fetched, without its outermost folder."""
    found = sorted(into.glob("*.orig.tar.*z*"))
    if not found:
        raise Skip("the source package has no upstream archive")
    with tarfile.open(found[0]) as archive:
        archive.extractall(into / "all", filter="data")
    inner = list((into / "all").iterdir())
    return inner[0] if len(inner) == 1 else into / "all"


def tree(package):
    """The folder of the upstream source that an installed package was built from. Raises Skip."""
    source, version = _output("dpkg-query", "-W", "-f", "${source:Package} ${source:Version}", package).split()
    upstream = version.rsplit("-", 1)[0].split(":", 1)[-1]
    cache = _cache()
    folder = cache / f"{source}-{upstream}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="new-", dir=cache))
    try:
        _download(source, version, cache, work)
        try:
            _unpack(work).rename(folder)
        except OSError:     # somebody else was quicker
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder
