# SPDX-License-Identifier: MIT
"""What a disk may hold after a power cut, from a trace of what a program did to one folder.

The trace is strace's (-f -y -xx).  The model is the pessimistic one of POSIX: a file's contents are sure when fsync of that file
has returned, a name in a folder when fsync of the folder has; what was not synced may be there, not be there, or (contents) be there
in part.  Names change in the order in which they were changed, as file systems with a journal do it."""
import dataclasses
import re

CALL = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)\)\s+=\s+(-?\d+)(?:<([^>]*)>)?.*$")
UNFINISHED = re.compile(r"^(\d+)\s+(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. \w+ resumed>(.*)$")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
TRACED = "openat,open,creat,write,pwrite64,writev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,sendto,sendmsg,close"


def text_of(hexed):
    return bytes.fromhex(hexed.replace("\\x", ""))


def whole_lines(trace):
    """Calls that another thread's line had cut in two are put together."""
    open_calls = {}
    for line in trace.splitlines():
        if m := UNFINISHED.match(line):
            open_calls[m[1]] = line[:-len(" <unfinished ...>")]
        elif m := RESUMED.match(line):
            yield open_calls.pop(m[1], "") + m[2]
        else:
            yield line


@dataclasses.dataclass
class File:
    sure: bytes = b""
    now: bytes = b""


class Disk:
    """One folder.  {before}: {name: contents} at the start of the trace, all of it sure."""

    def __init__(self, folder, before):
        self.folder = folder.rstrip("/")
        self.names = {name: File(data, data) for name, data in before.items()}
        self.sure_names = dict(self.names)
        self.pending = []       # changes of names since the folder was synced
        self.fds = {}           # number: (name or None for the folder, File)
        self.answers = []       # statuses of HTTP answers so far

    def _name(self, path):
        head, _, tail = path.decode().rpartition("/")
        return tail if head == self.folder else None

    def _change(self, change):
        self.pending.append(change)
        change(self.names)

    def feed(self, line):
        """Takes a line. Return: did the disk's state or what was answered change?"""
        m = CALL.match(line)
        if not m or int(m[3]) < 0:
            return False
        call, arguments, result = m[1], m[2], int(m[3])
        strings = [text_of(s[1]) for s in STRING.finditer(arguments)]
        assert not any(s[2] for s in STRING.finditer(arguments)), f"strace cut a string: {line[:100]}"
        # -y with -xx: descriptors are followed by <hex path>
        fd = re.match(r"(\d+)<((?:\\x[0-9a-f]{2})*)>", arguments)
        at = text_of(fd[2]) if fd else b""
        if call in ("sendto", "sendmsg", "write", "writev") and strings and strings[0].startswith(b"HTTP/1.1 "):
            self.answers.append(int(strings[0][9:12]))
            return True
        paths = [s if s.startswith(b"/") else at + b"/" + s for s in strings]
        handler = getattr(self, "_do_" + call, None)
        return bool(handler and handler(arguments, result, strings, paths, at, fd))

    def _do_openat(self, arguments, result, strings, paths, at, fd):
        path = paths[0] if strings else b""
        if path.decode(errors="replace").rstrip("/") == self.folder:
            self.fds[result] = None
            return False
        name = self._name(path)
        if name is None:
            self.fds.pop(result, None)
            return False
        changed = False
        if "O_CREAT" in arguments and name not in self.names:
            file = File()
            self._change(lambda names: names.__setitem__(name, file))
            changed = True
        if name not in self.names:
            return False
        file = self.names[name]
        if "O_TRUNC" in arguments and file.now:
            file.now, changed = b"", True
        self.fds[result] = file
        return changed

    _do_open = _do_creat = _do_openat

    def _file_of(self, fd):
        return self.fds.get(int(fd[1])) if fd else None

    def _do_write(self, arguments, result, strings, paths, at, fd):
        file = self._file_of(fd)
        if not file:
            return False
        file.now += strings[0][:result]
        return True

    def _do_pwrite64(self, arguments, result, strings, paths, at, fd):
        file = self._file_of(fd)
        if not file:
            return False
        offset = int(arguments.rsplit(",", 1)[1])
        file.now = file.now[:offset].ljust(offset, b"\0") + strings[0][:result] + file.now[offset + result:]
        return True

    def _do_writev(self, arguments, result, strings, paths, at, fd):
        file = self._file_of(fd)
        if not file:
            return False
        file.now += b"".join(strings)[:result]
        return True

    def _do_ftruncate(self, arguments, result, strings, paths, at, fd):
        file = self._file_of(fd)
        if not file:
            return False
        file.now = file.now[:int(arguments.rsplit(",", 1)[1])]
        return True

    def _do_fsync(self, arguments, result, strings, paths, at, fd):
        if not fd:
            return False
        if at.decode(errors="replace").rstrip("/") == self.folder:
            self.sure_names, self.pending = dict(self.names), []
            return True
        file = self._file_of(fd)
        if not file:
            return False
        file.sure = file.now
        return True

    _do_fdatasync = _do_fsync

    def _do_close(self, arguments, result, strings, paths, at, fd):
        if fd:
            self.fds.pop(int(fd[1]), None)
        return False

    def _two(self, arguments, strings, paths):
        # renameat(dir<..>, "a", dir<..>, "b"): each name has its own folder before it
        folders = [text_of(f) for f in re.findall(r"\d+<((?:\\x[0-9a-f]{2})*)>", arguments)]
        cwd_ok = [s if s.startswith(b"/") else (folders[min(i, len(folders) - 1)] if folders else b"") + b"/" + s
                  for i, s in enumerate(strings[:2])]
        return self._name(cwd_ok[0]), self._name(cwd_ok[1])

    def _do_rename(self, arguments, result, strings, paths, at, fd):
        old, new = self._two(arguments, strings, paths)
        if old is None and new is None:
            return False
        file = self.names.get(old)

        def change(names):
            names.pop(old, None)
            if new is not None and file is not None:
                names[new] = file
        self._change(change)
        return True

    _do_renameat = _do_renameat2 = _do_rename

    def _do_link(self, arguments, result, strings, paths, at, fd):
        old, new = self._two(arguments, strings, paths)
        file = self.names.get(old)
        if new is None or file is None:
            return False
        self._change(lambda names: names.__setitem__(new, file))
        return True

    _do_linkat = _do_link

    def _do_unlink(self, arguments, result, strings, paths, at, fd):
        name = self._name(paths[0])
        if name is None or name not in self.names:
            return False
        self._change(lambda names: names.pop(name, None))
        return True

    _do_unlinkat = _do_unlink

    def after_cut(self, rng, how):
        """{name: contents} that may be found: how is "least" (only what is sure), "most" or "mixed"."""
        names = dict(self.sure_names)
        nr = {"least": 0, "most": len(self.pending), "mixed": rng.randrange(len(self.pending) + 1)}[how]
        for change in self.pending[:nr]:
            change(names)
        found = {}
        for name, file in names.items():
            if file.now == file.sure:
                found[name] = file.sure
            elif how == "most":
                found[name] = rng.choice((file.now, file.now[:rng.randrange(len(file.now) + 1)], b"\0" * len(file.now)))
            elif how == "least":
                found[name] = file.sure
            else:
                found[name] = rng.choice((file.sure, file.now, b"", file.now[:rng.randrange(len(file.now) + 1)]))
        return found
