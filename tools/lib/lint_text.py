# SPDX-License-Identifier: MIT
"""Checks of all text: licences, spelling, shell, words that have no place here, folders without a README."""
import os
import re
import shutil
import subprocess

from lint_tree import need, run_each

SOURCES = (".c", ".h", ".cc", ".cl", ".py", ".sh", ".map", ".scd", ".S", "meson.build", "meson_options.txt")
SPDX = re.compile(r"SPDX-License-Identifier: (MIT|GPL-2\.0-only|\(\(GPL-2\.0-only WITH Linux-syscall-note\) OR MIT\))")


def is_script(tree, path):
    return tree.text(path).startswith("#!")


def check_spdx(tree):
    problems = []
    for path in tree.files:
        if (path.endswith(SOURCES) or is_script(tree, path)) and not path.startswith("LICENSES/"):
            found = SPDX.findall("\n".join(tree.text(path).split("\n")[:5]))
            kernel = path.startswith(("kernel/", "uapi/"))
            if len(found) != 1:
                problems.append(f"{path}: no SPDX-License-Identifier line at its top")
            elif found[0].lstrip("(").startswith("GPL") != kernel:
                problems.append(f"{path}: {found[0]} (MIT everywhere, GPL-2.0-only in kernel/, both in uapi/)")
    return problems


def machine_words(top):
    """What only this machine has: where its checkout lies, and the hosts that its packages come from."""
    words = {}
    parent = os.path.dirname(top)
    # Folders that every system has say nothing about a machine.
    if parent not in ("/", "/root", "/home", "/tmp", "/src", "/usr/src", "/opt", "/mnt", "/srv", "/build"):
        words[parent + "/"] = "a path of this machine"
    words[os.path.expanduser("~") + "/"] = "a path of this machine" if os.path.expanduser("~") not in ("/", "/root") else None
    if shutil.which("apt-get"):
        sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=False)
        for host in set(re.findall(r"^[a-z+]+://(?:[^@/\s]*@)?([^/:\s]+)", sites.stdout, re.M)):
            words[host] = "a package host"
    return {w: why for w, why in words.items() if why}


def check_words(tree):
    words = machine_words(tree.top)
    problems = []
    for path in tree.files:
        text = tree.text(path)
        for word, why in words.items():
            # "/a/" in "$(DIR)/a/b" or "x/a/b" is another path.
            for m in re.finditer(r"(?<![\w.})$-])" + re.escape(word), text):
                problems.append(f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {why}: {word}")
    return problems


def check_form(tree):
    """Text files end with one newline and hold no carriage returns, no trailing blanks and no merge marks."""
    problems = []
    for path in tree.files:
        text = tree.text(path)
        if not text or path.startswith("LICENSES/") or not path.endswith(SOURCES + (".md", ".yml", ".json")) and not is_script(tree, path):
            continue
        if not text.endswith("\n") or text.endswith("\n\n"):
            problems.append(f"{path}: does not end with exactly one newline")
        for number, line in enumerate(text.split("\n"), 1):
            # (in Python they may be what a test expects)
            if line.endswith("\r") or line.endswith((" ", "\t")) and not path.endswith((".py", ".md")):
                problems.append(f"{path}:{number}: blanks at the end of the line")
            elif line.startswith(("<<<<<<< ", ">>>>>>> ")):
                problems.append(f"{path}:{number}: a merge mark")
            elif len(line.expandtabs(8)) > 140 and path.endswith((".c", ".h")):
                problems.append(f"{path}:{number}: {len(line.expandtabs(8))} columns")
    return problems


def check_readmes(tree):
    """Each folder of the first level, and of src/, tells its job in a README.md."""
    folders = {os.path.dirname(f) for f in tree.files}
    wanted = {f for f in folders if f.count("/") == 0 and f and not f.startswith(".")}
    wanted |= {f for f in folders if re.fullmatch(r"src/[^/]+|src/parents/[^/]+|tests/[^/]+", f)}
    wanted |= {"src/" + f.split("/")[1] for f in folders if f.startswith("src/")} - {"src/parents"}
    return [f"{f}/: no README.md" for f in sorted(wanted) if f + "/README.md" not in tree.files and f != "include"]


def check_links(tree):
    """Relative links of the Markdown files lead somewhere."""
    problems = []
    for path in tree.select(".md"):
        for m in re.finditer(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", tree.text(path)):
            target = os.path.normpath(os.path.join(os.path.dirname(path), m.group(1)))
            if not os.path.exists(os.path.join(tree.top, target)):
                problems.append(f"{path}: the link to {m.group(1)} leads nowhere")
    return problems


def check_spelling(tree):
    need("codespell")
    files = [f for f in tree.files if tree.text(f) and not f.startswith("LICENSES/")]
    words = os.path.join("tools", "lib", "codespell.words")
    [(code, output)] = run_each([["codespell", "-q", "3", "-I", words, *files]], tree.top)
    return output.strip().splitlines() if code else []


def check_shell(tree):
    need("shellcheck")
    scripts = [f for f in tree.files if f.endswith(".sh") or tree.is_script(f, "sh")]
    [(code, output)] = run_each([["shellcheck", "-f", "gcc", *scripts]], tree.top)
    return output.strip().splitlines() if code else []


CHECKS = [("spdx", check_spdx), ("words", check_words), ("form", check_form), ("readmes", check_readmes), ("links", check_links),
          ("spelling", check_spelling), ("shell", check_shell)]
