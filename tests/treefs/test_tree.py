#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tranche-treefs: entries, modes, contents and error numbers of the tree, and who may write, against a fake tranched."""
import errno
import os
import signal
import subprocess
import threading

import treefs
from fake_api import make_type
from treefs import NOBODY, OTHER, TREEFS, UUID, FakeApi, Refused, Tree, Writer, errno_of, eventually, tree, wait_leaving

import tap  # treefs.py has set the path

TRUNCATES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC       # as mdevctl opens


def test_C10_entries_modes_and_contents():
    with tree() as t:
        t.create()
        t.create(OTHER, "cpu0", "compute-1g")
        treefs.compare_golden("tree.txt", treefs.listing(t.top))


def test_C10_type_names_have_the_driver():
    with tree() as t:
        with t.api.lock:
            t.api.types.append(make_type("mtty", "7", 3))
            t.api.event("parent-changed", t.api.parents["mtty"])
        eventually(lambda: os.path.isdir(t.type("mtty", "mtty-7")), "mtty-7")
        t.create(name="mtty-7")
        assert t.api.devices[UUID]["type"] == "7", "tranched hears its own name"


def test_numbers_of_objects_stay():
    with tree() as t:
        t.create()
        before = os.stat(t.device(UUID)).st_ino
        t.create(OTHER)
        assert os.stat(t.device(UUID)).st_ino == before
        t.remove()
        t.create()
        assert os.stat(t.device(UUID)).st_ino != before, "a device that was made anew is another one"


def test_create_lengths():
    with tree() as t:
        create = t.type("mtty", "mtty-2", "create")
        bad = [UUID[:-1], UUID + "0", UUID + "\n\n", UUID + " ", "x", "\n", UUID[:-1] + "\n", " " + UUID, "z" + UUID[1:], UUID.replace("-", "0"),
               UUID[:8] + "--" + UUID[10:], UUID + "\0", "\0" * 36, "x" * 4096, "x" * 100000]
        for text in bad:
            assert errno_of(t.write, create, text) == errno.EINVAL, text[:50]
        assert not t.api.devices and not [r for r in t.api.requests if r[0] == "POST"], "nobody is asked"
        assert t.write(create, UUID.upper()) == 36
        assert t.write(create, OTHER + "\n") == 37
        assert sorted(os.listdir(t.path("bus/mdev/devices"))) == sorted([UUID, OTHER]), "names are lower-case"


def test_C2_create_twice_is_EEXIST():
    with tree() as t:
        t.create()
        for parent, name in ("mtty", "mtty-2"), ("mtty", "mtty-1"), ("cpu0", "compute-1g"):
            assert errno_of(t.write, t.type(parent, name, "create"), UUID) == errno.EEXIST


def test_C4_count_is_EUSERS_and_comes_back():
    with tree() as t:
        uuids = [f"00000000-0000-4000-8000-{i:012x}" for i in range(2)]
        for i, uuid in enumerate(uuids):
            assert t.available("cpu0", "compute-1g") == 2 - i
            t.create(uuid, "cpu0", "compute-1g")
        assert t.available("cpu0", "compute-1g") == 0
        assert errno_of(t.write, t.type("cpu0", "compute-1g", "create"), UUID) == errno.EUSERS
        t.remove(uuids[0])
        assert t.available("cpu0", "compute-1g") == 1


def test_C9_errors_of_create_pass():
    with tree() as t:
        for name in "ENODEV EAGAIN ENOMEM EBUSY ENOSPC EACCES EIO ETIMEDOUT EINVAL EEXIST EUSERS".split():
            t.api.refuse["POST", "/v1/devices"] = Refused(name, "as the test wants it")
            assert errno_of(t.write, t.type("mtty", "mtty-2", "create"), UUID) == getattr(errno, name), name
        t.api.refuse["POST", "/v1/devices"] = Refused("ENOENT", "the type has gone")
        assert errno_of(t.write, t.type("mtty", "mtty-2", "create"), UUID) == errno.ENODEV
    assert "mtty/mtty-2/create: as the test wants it" in t.log, "C31: the reason is in the log"


def test_C9_errors_of_remove_pass():
    with tree() as t:
        t.create()
        for name in "ENODEV EAGAIN EBUSY ENOMEM EIO ETIMEDOUT EACCES".split():
            t.api.refuse["DELETE", f"/v1/devices/{UUID}"] = Refused(name, "as the test wants it")
            assert errno_of(t.write, t.device(UUID, "remove"), "1") == getattr(errno, name), name
            assert t.has()


def test_C3_error_leaves_nothing():
    with tree() as t:
        before = treefs.listing(t.top)
        t.api.refuse["POST", "/v1/devices"] = Refused("ENOMEM", "as the test wants it")
        assert errno_of(t.write, t.type("mtty", "mtty-2", "create"), UUID) == errno.ENOMEM
        assert treefs.listing(t.top) == before


def test_remove_takes_numbers():
    with tree() as t:
        t.create()
        remove = t.device(UUID, "remove")
        for text in "", "x", "-1", "1x", "1 ", " 1", "+", "0x", "08", "1\n\n", "\n", "1\0", "99999999999999999999999", "1" * 5000:
            if text:
                assert errno_of(t.write, remove, text) == errno.EINVAL, text[:30]
        for text in "0", "0\n", "0x0", "00", "+0":
            assert t.write(remove, text) == len(text)
        assert not [r for r in t.api.requests if r[0] == "DELETE"] and t.has()
        for text in "1", "1\n", "0x10", "017", "+2", "18446744073709551615":
            assert t.write(t.device(UUID, "remove"), text) == len(text)
            assert not t.has()
            t.create()


def test_C6_busy_is_refused():
    with tree() as t:
        t.create()
        t.api.in_use.add(UUID)
        assert errno_of(t.write, t.device(UUID, "remove"), "1") == errno.EBUSY
        assert t.has() and not t.api.cancelled
        t.api.in_use.clear()
        t.remove()


def test_C6_wait_and_reader_goes_on():
    with tree("--remove=wait") as t:
        t.create()
        t.create(OTHER)
        t.api.in_use.add(UUID)
        w = Writer(t.device(UUID, "remove"), "1", TRUNCATES & ~os.O_CREAT)
        wait_leaving(t.api, UUID, 1)
        text = treefs.listing(t.top)
        t.remove(OTHER)
        t.create(OTHER)
        assert UUID in text and t.api.leaving[UUID] == 1 and not t.api.cancelled, "others do not wait"
        t.api.in_use.clear()
        assert w.finish() == (1, 0)
        assert not t.has() and t.has(OTHER)


def test_C6_interrupted_wait_is_EINTR():
    with tree("--remove=wait") as t:
        t.create()
        t.api.in_use.add(UUID)
        w = Writer(t.device(UUID, "remove"), "1\n")
        wait_leaving(t.api, UUID, 1)
        w.signal(signal.SIGUSR1)
        assert w.finish() == (-1, errno.EINTR)
        eventually(lambda: t.api.cancelled == [UUID], "tranched hears of it")
        assert t.has()
        w = Writer(t.device(UUID, "remove"), "1")
        wait_leaving(t.api, UUID, 1)
        w.signal(signal.SIGKILL)
        assert w.finish() is None
        eventually(lambda: t.api.cancelled == [UUID, UUID], "tranched hears of it")
        t.api.in_use.clear()
        t.remove()


def test_C7_two_removes():
    with tree("--remove=wait") as t:
        for flags in os.O_WRONLY, TRUNCATES & ~os.O_CREAT:
            t.create()
            t.api.in_use.add(UUID)
            writers = [Writer(t.device(UUID, "remove"), "1", flags) for _ in range(2)]
            # The kernel lets one that opens with O_TRUNC wait for a write that is under way.
            wait_leaving(t.api, UUID, 2 if flags == os.O_WRONLY else 1)
            t.api.in_use.clear()
            assert [w.finish() for w in writers] in ([(1, 0), (1, 0)], [(1, 0), ("open", errno.ENOENT)], [("open", errno.ENOENT), (1, 0)])
            assert not t.has()
            if flags == os.O_WRONLY:
                assert len([e for e in t.api.events if e[0] == "device-removed"]) == 1


def test_C7_loser_succeeds():
    with tree() as t:
        t.create()
        fds = [os.open(t.device(UUID, "remove"), os.O_WRONLY) for _ in range(3)]
        try:
            assert os.write(fds[0], b"1") == 1
            assert os.write(fds[1], b"1") == 1, "there is nothing more to do"
            assert errno_of(os.write, fds[1], b"x") == errno.EINVAL
            t.api.remove_parent("mtty")
            eventually(lambda: errno_of(os.write, fds[2], b"1") == errno.ENODEV if not os.path.exists(t.path("devices/mtty")) else None,
                       "the parent has gone")
        finally:
            for fd in fds:
                os.close(fd)


def test_C7_many_removes():
    with tree() as t:
        for _ in range(5):
            t.create()
            writers = [Writer(t.device(UUID, "remove"), "1") for _ in range(8)]
            results = {w.finish() for w in writers}
            assert (1, 0) in results and results <= {(1, 0), ("open", errno.ENOENT)}, results
            assert not t.has() and t.available() == 12


def test_C5_parent_goes_with_its_devices():
    with tree() as t:
        t.create()
        t.create(OTHER, "cpu0", "compute-1g")
        fds = {name: os.open(t.type("mtty", "mtty-2", name), os.O_RDONLY if name == "name" else os.O_WRONLY) for name in ("name", "create")}
        inside = os.open(t.path("devices/mtty"), os.O_RDONLY | os.O_DIRECTORY)
        t.api.remove_parent("mtty")
        eventually(lambda: not os.path.lexists(t.path("class/mdev_bus/mtty")), "the link has gone")
        assert not os.path.lexists(t.path("devices/mtty")) and not os.path.lexists(t.path("bus/mdev/drivers/mtty"))
        assert os.listdir(t.path("bus/mdev/devices")) == [OTHER]
        assert errno_of(os.read, fds["name"], 10) == errno.ENODEV
        assert errno_of(os.write, fds["create"], UUID.encode()) == errno.ENODEV
        assert os.listdir(inside) == []
        for fd in [*fds.values(), inside]:
            os.close(fd)


def test_C8_a_device_is_seen_when_it_is_complete():
    with tree() as t:
        with t.api.lock:
            device = t.api.create({"uuid": UUID, "parent": "mtty", "type": "mtty-2"})
            device["state"] = "starting"
        for _ in range(20):
            t.read("devices/mtty/mdev_supported_types/mtty-2/name")
            assert not t.has() and UUID not in os.listdir(t.path("devices/mtty"))
        with t.api.lock:
            device["state"] = "running"
            t.api.event("device-changed", device)
        eventually(t.has, "the device is seen")
        assert os.path.realpath(t.device(UUID, "mdev_type")) == t.path("devices/mtty/mdev_supported_types/mtty-2")
        assert UUID in os.listdir(t.type("mtty", "mtty-2", "devices"))


def test_C8_links_are_there_with_the_device():
    """Whoever sees the folder sees all of it, while another process makes and removes it."""
    with tree() as t:
        stop = threading.Event()

        def work():
            while not stop.is_set():
                t.create()
                t.remove()

        worker = threading.Thread(target=work)
        worker.start()
        seen = 0
        end, late = treefs.now() + 3, treefs.now() + 30
        while treefs.now() < end or (seen <= 5 and treefs.now() < late):
            try:
                inside = os.open(t.path("devices/mtty", UUID), os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            try:
                names = os.listdir(inside)
                # None: it has gone meanwhile.
                assert not names or {"mdev_type", "remove", "uevent", "driver", "subsystem", "tranche"} < set(names), names
                seen += bool(names)
            except FileNotFoundError:
                pass
            finally:
                os.close(inside)
        stop.set()
        worker.join()
        assert seen > 5, seen


def test_links_lead_to_their_places():
    with tree() as t:
        t.create()
        real = t.path("devices/mtty", UUID)
        for path in (t.device(UUID), t.type("mtty", "mtty-2", "devices", UUID), t.path("bus/mdev/drivers/mtty", UUID)):
            assert os.path.realpath(path) == real
        assert os.path.realpath(t.path("class/mdev_bus/mtty")) == t.path("devices/mtty")
        assert os.path.realpath(t.device(UUID, "subsystem")) == t.path("bus/mdev")
        assert os.path.realpath(t.device(UUID, "driver")) == t.path("bus/mdev/drivers/mtty")
        inos = {os.stat(t.path("devices/mtty", UUID, "..")).st_ino, os.stat(t.path("devices/mtty")).st_ino}
        assert len(inos) == 1


def test_open_flags():
    with tree() as t:
        create = t.type("mtty", "mtty-2", "create")
        assert t.write(create, UUID, TRUNCATES) == 36
        assert t.write(create, OTHER, os.O_WRONLY | os.O_APPEND) == 36, "where O_APPEND writes to says nothing"
        assert t.has() and t.has(OTHER)
        os.truncate(create, 0)
        fd = os.open(t.device(UUID, "vm"), os.O_RDWR)
        os.ftruncate(fd, 0)
        assert os.pwrite(fd, b"web1", 1000) == 4 and os.pread(fd, 100, 0) == b"web1\n"
        assert os.lseek(fd, 0, os.SEEK_SET) == 0 and os.read(fd, 3) == b"web" and os.read(fd, 30) == b"1\n" and os.read(fd, 30) == b""
        os.close(fd)
        os.utime(t.device(UUID, "vm"))
        for path, flags, number in ((create, os.O_RDONLY, errno.EACCES), (create, os.O_RDWR, errno.EACCES),
                                    (t.type("mtty", "mtty-2", "name"), os.O_WRONLY, errno.EACCES),
                                    (t.type("mtty", "mtty-2", "none"), os.O_RDONLY, errno.ENOENT),
                                    (t.type("mtty", "mtty-2", "none"), TRUNCATES, errno.EACCES),
                                    (create, TRUNCATES | os.O_EXCL, errno.EEXIST)):
            assert errno_of(os.open, path, flags) == number, (path, flags)


def test_nothing_else_can_be_done():
    with tree() as t:
        t.create()
        top = t.path("devices/mtty")
        for call, args in ((os.mkdir, [top + "/x"]), (os.unlink, [top + f"/{UUID}/remove"]), (os.rmdir, [top + "/" + UUID]),
                           (os.symlink, ["x", top + "/x"]), (os.rename, [top + "/" + UUID, top + "/x"]), (os.chmod, [top, 0o777]),
                           (os.chown, [top, 1, 1]), (os.mknod, [top + "/x"]), (os.link, [top + f"/{UUID}/vm", top + "/x"])):
            assert errno_of(call, *args) == errno.EPERM, call


def test_writes_are_taken_by_length():
    with tree() as t:
        t.create()
        t.write(t.device(UUID, "vm"), "a-long-name-of-a-machine")
        for text, wanted in ("5", "5\n"), ("512M\n", "512M\n"), ("x" * 300, "x" * 300 + "\n"), ("", None), ("\n", "\n"), ("ü", "ü\n"):
            if text:
                t.write(t.device(UUID, "memory"), text)
            if wanted:
                assert t.read(t.device(UUID, "memory")) == wanted == t.read(t.device(UUID, "tranche/memory"))
        for data in b"a\0b", b"\xff\xfe":
            assert errno_of(t.write, t.device(UUID, "memory"), data) == errno.EINVAL
        assert errno_of(t.write, t.device(UUID, "tranche/time"), "bad") == errno.EINVAL


def test_several_writes_of_one_open():
    with tree() as t:
        fd = os.open(t.type("mtty", "mtty-2", "create"), TRUNCATES)
        assert os.write(fd, UUID.encode()) == 36 and os.write(fd, OTHER.encode()) == 36
        third = UUID.replace("7", "6").encode()
        assert errno_of(os.write, fd, third[:18]) == errno.EINVAL and errno_of(os.write, fd, third[18:]) == errno.EINVAL
        assert os.writev(fd, [third[:18], third[18:]]) == 36
        assert os.write(fd, b"") == 0
        os.close(fd)
        assert len(os.listdir(t.path("bus/mdev/devices"))) == 3


def test_writes_of_no_effect():
    with tree() as t:
        t.create()
        for path in t.path("bus/mdev/uevent"), t.device(UUID, "uevent"), t.path("bus/mdev/drivers_autoprobe"):
            assert t.write(path, "add") == 3
        assert t.read("bus/mdev/drivers_autoprobe") == "1\n" and t.read(t.device(UUID, "uevent")) == "DRIVER=mtty\n"


def test_changes_by_others_are_seen():
    with tree() as t:
        assert t.available() == 12 and not t.has()
        with t.api.lock:
            t.api.create({"uuid": UUID, "parent": "mtty", "type": "mtty-2"})
        eventually(t.has, "a device that somebody else made")
        assert t.available() == 11
        with t.api.lock:
            t.api.change(UUID, {"attrs": [{"vm": "web1"}]})
        eventually(lambda: t.read(t.device(UUID, "vm")) == "web1\n", "a change by somebody else")
        with t.api.lock:
            t.api.drop(UUID)
        eventually(lambda: not t.has(), "it is gone")
        assert not os.path.lexists(t.device(UUID)) and t.available() == 12


def test_readers_ask_nobody():
    with tree() as t:
        t.create()
        for _ in range(10):     # what the create has led to may come now
            before = len(t.api.requests)
            for _ in range(3):
                treefs.listing(t.top)
            if len(t.api.requests) == before:
                break
        assert len(t.api.requests) == before, t.api.requests[before:]


def test_many_devices():
    with tree() as t:
        uuids = {f"00000000-0000-4000-8000-{i:012x}" for i in range(700)}
        with t.api.lock:
            t.api.type_of("mtty", "mtty-1")["available_instances"] = 1000
            for uuid in uuids:
                t.api.create({"uuid": uuid, "parent": "mtty", "type": "mtty-1"})
        eventually(lambda: len(os.listdir(t.path("bus/mdev/devices"))) == 700, "700 devices", within=20, every=0.1)
        assert set(os.listdir(t.path("devices/mtty"))) == uuids | {"mdev_supported_types"}
        assert set(os.listdir(t.type("mtty", "mtty-1", "devices"))) == uuids
        assert all(t.read(t.device(uuid, "tranche/state")) == "running\n" for uuid in uuids)


def test_without_tranched():
    with tree(no_api=True) as t:
        assert sorted(os.listdir(t.top)) == ["bus", "class", "devices"]
        for path in "class/mdev_bus", "bus/mdev/devices", "devices":
            assert errno_of(os.listdir, t.path(path)) == errno.EIO, path
        assert errno_of(os.stat, t.path("devices/mtty")) == errno.EIO
        t.api.start()
        eventually(lambda: os.path.isdir(t.path("devices/mtty")), "it finds tranched by itself")
        t.create()
    assert "no tranched answers" in t.log and "EIO" in t.log and "is back" in t.log, t.log


def test_tranched_goes_and_comes_back():
    with tree() as t:
        t.create()
        fd = os.open(t.device(UUID, "tranche/state"), os.O_RDONLY)
        create = os.open(t.type("mtty", "mtty-2", "create"), os.O_WRONLY)
        ino = os.stat(t.device(UUID)).st_ino
        t.api.stop()
        eventually(lambda: not os.path.exists(t.device(UUID)), "it is not known any more")
        assert errno_of(os.stat, t.path("devices/mtty")) == errno.EIO and errno_of(os.read, fd, 10) == errno.EIO
        assert errno_of(os.write, create, OTHER.encode()) == errno.EIO
        t.api.start()
        eventually(t.has, "it is known again")
        assert os.read(fd, 20) == b"running\n" and os.stat(t.device(UUID)).st_ino == ino
        assert os.write(create, OTHER.encode()) == 36
        os.close(fd)
        os.close(create)
    assert t.log.count("EIO") == 1, "said once"


def test_tranched_that_is_not_ready_yet():
    with tree() as t:
        t.create()
        ino = os.stat(t.device(UUID)).st_ino
        t.api.stop()
        eventually(lambda: not os.path.exists(t.device(UUID)), "it is not known any more")
        devices, t.api.devices, t.api.is_ready = t.api.devices, {}, False
        t.api.start()
        eventually(lambda: ("GET", "/v1") in t.api.requests[-3:], "it looks")
        assert errno_of(os.listdir, t.path("bus/mdev/devices")) == errno.EIO, "nothing is known"
        with t.api.lock:
            t.api.devices, t.api.is_ready = devices, True
            t.api.event("ready", {})
        eventually(t.has, "it is known again")
        assert os.stat(t.device(UUID)).st_ino == ino


def test_a_log_that_nobody_reads():
    with tree() as t:
        t.create()
        for _ in range(1500):
            assert errno_of(t.write, t.type("mtty", "mtty-2", "create"), UUID) == errno.EEXIST
    assert t.log.count("is in use") <= 100, "so many lines at most"


def test_tranched_dies_while_a_removal_waits():
    with tree("--remove=wait") as t:
        t.create()
        t.api.in_use.add(UUID)
        w = Writer(t.device(UUID, "remove"), "1")
        wait_leaving(t.api, UUID, 1)
        t.api.stop()
        assert w.finish() == (-1, errno.EIO)
        t.api.in_use.clear()


def as_nobody(t, path, data, flags=os.O_WRONLY):
    return Writer(path, data, flags, uid=NOBODY).finish()


def test_other_users_may_not_write():
    if os.geteuid() != 0:
        print("# not root: left out")
        return
    with tree("-o", "allow_other") as t:
        t.create()
        assert as_nobody(t, t.type("mtty", "mtty-2", "create"), OTHER) == ("open", errno.EACCES)
        assert as_nobody(t, t.device(UUID, "remove"), "1") == ("open", errno.EACCES)
        assert as_nobody(t, t.device(UUID, "vm"), "x", os.O_RDONLY) == (-1, errno.EBADF), "reading is for all"
        # A descriptor that somebody else has opened is of no use, either.
        fd = os.open(t.device(UUID, "remove"), os.O_WRONLY)
        assert as_nobody(t, f"/proc/self/fd/{fd}", "1")[1] == errno.EACCES
        pid = os.fork()
        if pid == 0:
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os._exit(0 if errno_of(os.write, fd, b"1") == errno.EACCES else 1)
        assert os.waitpid(pid, 0)[1] == 0
        os.close(fd)
        assert t.has()


def test_allow_users():
    if os.geteuid() != 0:
        print("# not root: left out")
        return
    with tree("-o", "allow_other", "--allow-users") as t:
        assert as_nobody(t, t.type("mtty", "mtty-2", "create"), UUID) == (36, 0)
        assert as_nobody(t, t.device(UUID, "vm"), "web1") == (4, 0)
        assert as_nobody(t, t.device(UUID, "remove"), "1") == (1, 0)


def test_another_user_does_not_even_see_it():
    if os.geteuid() != 0:
        print("# not root: left out")
        return
    with tree() as t:
        assert as_nobody(t, t.type("mtty", "mtty-2", "create"), OTHER) == ("open", errno.EACCES)


def test_ends_when_told():
    for how in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        with tree() as t:
            t.create()
            held = os.open(t.device(UUID, "vm"), os.O_RDONLY)
            assert treefs.end(t.process, how) == 0 and not treefs.is_mounted(t.top)
            assert os.listdir(t.top) == []
            os.close(held)


def test_ends_while_a_removal_waits():
    with tree("--remove=wait") as t:
        t.create()
        t.api.in_use.add(UUID)
        w = Writer(t.device(UUID, "remove"), "1")
        wait_leaving(t.api, UUID, 1)
        assert treefs.end(t.process) == 0
        assert w.finish()[1] in (errno.EINTR, errno.ENOTCONN, errno.ECONNABORTED)
        eventually(lambda: t.api.cancelled == [UUID], "tranched hears of it")


def test_ends_when_unmounted():
    with tree() as t:
        program = ["umount", t.top] if os.geteuid() == 0 else ["fusermount3", "-u", t.top]
        subprocess.run(program, check=True, timeout=10)
        assert t.process.wait(10) == 0


def test_in_the_background():
    with treefs.folder() as f:
        api = FakeApi(os.path.join(f, "api.sock")).start()
        mnt = os.path.join(f, "mnt")
        os.mkdir(mnt)
        env = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "INVOCATION_ID")}
        subprocess.run([TREEFS, "--socket", api.path, mnt], check=True, timeout=20, env=env)
        try:
            t = Tree(mnt, api, None)
            t.create()
            t.remove()
        finally:
            subprocess.run(["umount", mnt] if os.geteuid() == 0 else ["fusermount3", "-u", mnt], check=False)
            api.stop()
        assert os.listdir(mnt) == []


def run(*words, **options):
    return subprocess.run([TREEFS, *words], capture_output=True, text=True, timeout=20, check=False, **options)


def test_options():
    with treefs.folder() as f:
        assert run("--help").stdout.startswith("tranche-treefs [OPTION...] MOUNTPOINT") and run("--version").returncode == 0
        for words in ([], ["--remove=no", f], ["--none", f], ["--socket"], [f, f], ["--ready-fd=1", f], ["--user", "--socket", "x", f]):
            result = run(*words)
            assert result.returncode == 2 and "see tranche-treefs --help" in result.stderr, words
        missing = run("-f", f + "/none")
        assert missing.returncode == 1 and "No such file" in missing.stderr
        assert run("-f", "--socket", "/" + "x" * 120, f).returncode == 1
        assert run("-f", "--user", f, env={}).returncode == 1
        assert run("-f", "-o", "nonsense_option", f).returncode == 1 and os.listdir(f) == []


if __name__ == "__main__":
    tap.main(60, treefs.why_not)
