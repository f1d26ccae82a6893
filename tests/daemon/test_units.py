# SPDX-License-Identifier: MIT
"""The units of packaging/systemd say what systemd understands, and name programs and folders that there are."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402

UNITS = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "systemd"
PROGRAMS = {"@sbindir@": ["tranched"], "@bindir@": ["tranche-treefs"], "@libexecdir@": ["tranche-device", "tranche-parent"]}


def fill(folder, user):
    """Writes the units of one manager to {folder}, with programs that are there."""
    programs = folder / "programs"
    programs.mkdir()
    for names in PROGRAMS.values():
        for name in names:
            (programs / name).symlink_to("/bin/true")
    source = UNITS / "user" if user else UNITS
    names = []
    for path in sorted(source.glob("*.service.in")) + sorted(source.glob("*.socket")):
        text = path.read_text()
        for place in PROGRAMS:
            text = text.replace(place, str(programs))
        assert "@" not in re.sub(r"tranche-\w+@", "", text), f"{path.name}: a place is not filled in"
        name = path.name.removesuffix(".in")
        (folder / name).write_text(text)
        names.append(name)
    return names


def verify(user, change=lambda folder: None):
    with tempfile.TemporaryDirectory() as d:
        folder = pathlib.Path(d)
        names = fill(folder, user)
        change(folder)
        done = subprocess.run(["systemd-analyze", "--user" if user else "--system", "--man=no", "verify",
                               *[str(folder / name) for name in names]],
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:", "XDG_RUNTIME_DIR": d})
        # What other units of this machine are blamed for is not ours.
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "tranche" in line or d in line]
        return names, ours, done.returncode


def test_system_units():
    names, said, code = verify(False)
    assert len(names) >= 5, names
    assert not said, said
    assert code == 0, code


def test_user_units():
    names, said, code = verify(True)
    assert len(names) == 3, names
    assert not said, said
    assert code == 0, code


def test_a_mistake_is_found():
    def change(folder):
        path = folder / "tranched.service"
        path.write_text(path.read_text().replace("KillMode=process", "KillMode=sometimes"))
    said = verify(False, change)[1]
    assert any("sometimes" in line for line in said), said


def test_a_missing_program_is_found():
    said = verify(False, lambda folder: (folder / "programs" / "tranche-device").unlink())[1]
    assert any("tranche-device" in line for line in said), said


def test_reasons():
    """What a unit leaves open is said, and what it may do is bounded."""
    for name in ("tranched.service.in", "tranche-device@.service.in", "tranche-parent@.service.in"):
        text = (UNITS / name).read_text()
        assert "NoNewPrivileges=yes" in text and "CapabilityBoundingSet=" in text, name
        assert "ProtectSystem=strict" in text, name
    assert "Delegate=yes" in (UNITS / "tranche-parent@.service.in").read_text()
    assert "KillMode=control-group" in (UNITS / "tranche-device@.service.in").read_text()
    assert "FileDescriptorName=api" in (UNITS / "tranched.socket").read_text()


def why_not():
    return None if shutil.which("systemd-analyze") else "systemd-analyze is not installed"


if __name__ == "__main__":
    tap.main(why_not=why_not)
