# SPDX-License-Identifier: MIT
"""The driver of a guest in a few lines: what kernel/accel does, over vfio-user, against a real tranche-device.

    with guest.device() as d:
        g = d.guest()                       # registers, aperture, interrupts, START
        s = g.open()                        # a session with a window
        s.segment(0, MIB, SERVICE)
        context = s.context(0)
"""
import contextlib
import ctypes
import errno
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "vfio-user"))
import vfu  # noqa: E402
from vfu import BAR0, BAR2, CONFIG, MSIX, eventually  # noqa: E402,F401

MAGIC = 0x434E5254
MIB = 1 << 20
GIB = 1 << 30
PAGE = 4096
REPLY = 0x80000000
SHARED = 0x400000000000
SVM, SHARING = 1, 2

(R_MAGIC, R_VERSION, R_OLDEST, R_STATUS, R_FEATURES, R_NONCE, R_GENERATION, R_NR_SESSIONS, R_UUID, R_CONTROL_SIZE, R_PROBE_OFFSET,
 R_PROBE_LEN, R_SHARED_OFFSET, R_SHARED_SIZE, R_WINDOWS_OFFSET, R_WINDOW_SIZE, R_WINDOW_ALIGN, R_QUOTA, R_SERVICE) = (
    0, 4, 8, 0xC, 0x10, 0x18, 0x20, 0x24, 0x28, 0x38, 0x40, 0x44, 0x48, 0x50, 0x58, 0x60, 0x68, 0x70, 0x78)
R_DRIVER_VERSION, R_DRIVER_FEATURES, R_COMMAND, R_BELL_CONTROL, R_BELL_CHANNEL = 0x100, 0x104, 0x10C, 0x110, 0x114
READY, RUNNING, FAILED, LEAVE, CHANGED = 1, 2, 4, 8, 16
START, RESET = 1, 2

GUEST, HOST, PENDING, REQUESTS, REPLIES = 0, 0x1000, 0x2000, 0x10000, 0x20000
SLOTS, SLOT = 32, 2048

(SEGMENT_CREATE, SEGMENT_DESTROY, CONTEXT_CREATE, CONTEXT_DESTROY, EVENT_BLOCK_ADD, OUTPUT_SET, PROGRAM_BUILD, PROGRAM_QUERY,
 MEMORY_QUERY, SESSION_LOST) = range(3, 13)
SESSION_OPEN, SESSION_CLOSE, SHARED_CREATE, SHARED_DESTROY, SHARED_ATTACH, SHARED_DETACH = range(32, 38)
BUFFER, SERVICE = 1, 2
RING = 16384
CHANNEL = 12288 + RING + 4096 * 64
USER, HOST_PAGE, KERNEL, RECORDS = 0, 4096, 8192, 12288
AWAKE, ASLEEP, WAKING = range(3)
NEVER = (1 << 64) - 1

HEAD = struct.Struct("<IIQII")
ERROR = struct.Struct("<48s240s240s")


class Refused(Exception):
    def __init__(self, status, name, text, hint=""):
        super().__init__(f"{name} ({errno.errorcode.get(status, status)}): {text}")
        self.status, self.name, self.text, self.hint = status, name, text, hint


def text_of(field):
    return field.split(b"\0", 1)[0].decode()


class Reply:
    """A slot of the ring of replies."""

    def __init__(self, data):
        self.session, reserved = struct.unpack_from("<II", data)
        kind, length, self.ident, self.status, flags = HEAD.unpack_from(data, 8)
        assert reserved == 0 and flags == 0 and HEAD.size <= length <= SLOT - 8 and length % 8 == 0, (kind, length, flags)
        self.kind, self.body = kind, data[8 + HEAD.size:8 + length]
        if self.status or kind == SESSION_LOST:
            self.refusal = Refused(self.status, *map(text_of, ERROR.unpack(self.body)))


class Guest:
    """A guest's driver.  Everything that came and was not asked for yet is in replies."""

    def __init__(self, client, features=SVM | SHARING, vectors=9, start=True):
        self.client = client
        client.enable()
        self.irqs = [vfu.Irq() for _ in range(vectors)]
        client.wire(MSIX, [irq.fd for irq in self.irqs])
        region = client.region_info(BAR2)
        self.memory = vfu.map_region(region)
        self.features = features
        self.last_id = 0
        self.replies = []
        self.producer = self.consumer = 0
        self.sessions = {}
        if start:
            self.start()

    def close(self):
        self.memory.close()
        for irq in self.irqs:
            irq.close()
        self.client.close()

    # --- registers and memory

    def read(self, register):
        return self.client.read32(BAR0, register)

    def read64(self, register):
        return self.read(register) | self.read(register + 4) << 32

    def write(self, register, value):
        self.client.write32(BAR0, register, value)

    # By ctypes: the host reads these words at any moment, and struct.pack_into() zeroes them before it writes.

    def get32(self, offset):
        return ctypes.c_uint32.from_buffer(self.memory, offset).value

    def get64(self, offset):
        return ctypes.c_uint64.from_buffer(self.memory, offset).value

    def put32(self, offset, value):
        ctypes.c_uint32.from_buffer(self.memory, offset).value = value

    def put64(self, offset, value):
        ctypes.c_uint64.from_buffer(self.memory, offset).value = value

    def wait_status(self, bits, within=20):
        eventually(lambda: self.read(R_STATUS) & bits, f"status {bits:#x}", within)

    def start(self, version=1):
        self.wait_status(READY)
        self.producer = self.consumer = 0
        self.windows_offset, self.window_size = self.read64(R_WINDOWS_OFFSET), self.read64(R_WINDOW_SIZE)
        self.write(R_DRIVER_VERSION, version)
        self.write(R_DRIVER_FEATURES, self.features & 0xFFFFFFFF)
        self.write(R_DRIVER_FEATURES + 4, self.features >> 32)
        self.write(R_COMMAND, START)
        return self.read(R_STATUS)

    # --- control rings

    def post(self, session, kind, body=b"", ident=None, length=None, status=0, flags=0, reserved=0, bell=True):
        """Puts a request into the ring; returns its id."""
        if ident is None:
            self.last_id += 1
            ident = self.last_id
        eventually(lambda: self.producer - self.get64(HOST) < SLOTS, "room for a request")
        at = REQUESTS + self.producer % SLOTS * SLOT
        data = struct.pack("<II", session, reserved) + HEAD.pack(kind, HEAD.size + len(body) if length is None else length, ident,
                                                                 status, flags) + body
        self.memory[at:at + len(data)] = data
        self.producer += 1
        self.put64(GUEST, self.producer)
        if bell:
            self.write(R_BELL_CONTROL, 1)
        return ident

    def take(self, within=20.0):
        """The next reply, whichever it is."""
        end = time.monotonic() + within
        while self.get64(HOST + 64) == self.consumer:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.irqs[0].count(min(left, 0.05))
        produced = self.get64(HOST + 64)
        assert produced - self.consumer <= SLOTS, (produced, self.consumer)
        at = REPLIES + self.consumer % SLOTS * SLOT
        reply = Reply(self.memory[at:at + SLOT])
        self.consumer += 1
        self.put64(GUEST + 64, self.consumer)
        if produced - self.consumer == SLOTS - 1:
            self.write(R_BELL_CONTROL, 1)
        return reply

    def wait(self, ident, kind=None, within=20.0):
        """The body of the reply to a request; a refusal is raised."""
        reply = next((r for r in self.replies if r.ident == ident and r.kind & REPLY), None)
        if reply:
            self.replies.remove(reply)
        while not reply:
            got = self.take(within)
            assert got, f"no reply to request {ident}"
            if got.ident == ident and got.kind & REPLY:
                reply = got
            else:
                self.replies.append(got)
        assert kind is None or reply.kind == kind | REPLY, (reply.kind, kind)
        if reply.status:
            raise reply.refusal
        return reply.body

    def ask(self, session, kind, body=b"", within=20.0, **wrong):
        return self.wait(self.post(session, kind, body, **wrong), kind, within)

    def lost(self, session, within=20.0):
        """The sentence of a SESSION_LOST."""
        end = time.monotonic() + within
        while True:
            for reply in self.replies:
                if reply.kind == SESSION_LOST and reply.session == session:
                    self.replies.remove(reply)
                    return reply.refusal.text
            got = self.take(max(end - time.monotonic(), 0.0))
            assert got, f"session {session} is not lost"
            self.replies.append(got)

    # --- sessions

    def open_body(self, number, size=None, window=None, features=0, base=0, vector=1, reserved=0, cwd=b""):
        size = self.window_size if size is None else size
        window = self.windows_offset + (number - 1) * size if window is None else window
        return struct.pack("<QQQQII1024s", features, window, size, base, vector, reserved, cwd), window, size

    def open(self, number=1, **choice):
        body, window, size = self.open_body(number, **choice)
        reply = self.ask(number, SESSION_OPEN, body)
        self.sessions[number] = s = Session(self, number, window, size, reply)
        return s

    def shared_create(self, offset, size):
        return struct.unpack("<QQ", self.ask(0, SHARED_CREATE, struct.pack("<QQ", offset, size)))

    def shared_destroy(self, offset, size):
        assert self.ask(0, SHARED_DESTROY, struct.pack("<QQ", offset, size)) == b""


class Session:
    def __init__(self, guest, number, window, size, reply):
        self.guest, self.number, self.window, self.size = guest, number, window, size
        self.ident, self.quota, self.service, self.flags, self.probe_len, reserved = struct.unpack("<6Q", reply)
        assert reserved == 0
        self.seq = 0

    def ask(self, kind, body=b"", **wrong):
        return self.guest.ask(self.number, kind, body, **wrong)

    def post(self, kind, body=b"", **wrong):
        return self.guest.post(self.number, kind, body, **wrong)

    def segment(self, offset, size, kind=BUFFER, flags=0):
        self.seq, used = struct.unpack("<QQ", self.ask(SEGMENT_CREATE, struct.pack("<QQII", offset, size, kind, flags)))
        return used

    def destroy(self, offset, context=0, after=0):
        return struct.unpack("<QQ", self.ask(SEGMENT_DESTROY, struct.pack("<QIIQ", offset, context, 0, after)))[1]

    def context(self, channel, number=1, ring=RING):
        self.ask(CONTEXT_CREATE, struct.pack("<IIQIIQ", number, 0, channel, ring, 0, self.seq))
        return Context(self, number, channel, ring)

    def memory_query(self):
        return struct.unpack("<4Q", self.ask(MEMORY_QUERY))

    def attach(self, offset, size):
        self.seq, used = struct.unpack("<QQ", self.ask(SHARED_ATTACH, struct.pack("<QQ", offset, size)))
        return used

    def detach(self, offset):
        return struct.unpack("<QQ", self.ask(SHARED_DETACH, struct.pack("<QIIQ", SHARED + offset, 0, 0, 0)))[1]

    def close(self):
        assert self.ask(SESSION_CLOSE) == b""
        self.guest.sessions.pop(self.number, None)

    def at(self, offset):
        return self.window + offset

    def write(self, offset, data):
        self.guest.memory[self.window + offset:self.window + offset + len(data)] = data

    def read(self, offset, size):
        return self.guest.memory[self.window + offset:self.window + offset + size]


class Context:
    """A channel, and how the guest's kernel sleeps at it."""

    def __init__(self, session, number, channel, ring):
        self.session, self.number, self.ring = session, number, ring
        self.guest = session.guest
        self.channel = session.at(channel)
        self.position = 0

    def send(self, *records, bell=True):
        for record in records:
            assert len(record) % 8 == 0
            at = self.channel + RECORDS + self.position % self.ring
            assert self.position % self.ring + len(record) <= self.ring
            self.guest.memory[at:at + len(record)] = record
            self.position += len(record)
        self.guest.put64(self.channel + USER, self.position)
        if bell:
            self.bell()

    def bell(self):
        """As user space: only if the host sleeps."""
        if self.guest.get32(self.channel + USER + 64):
            self.guest.put32(self.channel + USER + 64, 0)
            self.guest.write(R_BELL_CHANNEL, self.session.number << 8 | self.number)
            return True
        return False

    def host_sleeps(self):
        return self.guest.get32(self.channel + USER + 64) != 0

    @property
    def lost(self):
        return self.guest.get32(self.channel + HOST_PAGE + 64)

    @property
    def refused(self):
        return self.guest.get64(self.channel + HOST_PAGE + 72)

    @property
    def commands(self):
        return self.guest.get64(self.channel + HOST_PAGE + 88)

    @property
    def attention(self):
        return self.guest.get64(self.channel + HOST_PAGE + 104)

    def sleep(self, wake_at=NEVER):
        self.guest.put64(self.channel + KERNEL + 8, wake_at)
        self.guest.put32(self.channel + KERNEL, ASLEEP)

    @property
    def asleep(self):
        return self.guest.get32(self.channel + KERNEL)


# --- records, and the blob of a build

def handle(index, generation=1):
    return generation << 32 | index


def record(kind, body, seq=0):
    return struct.pack("<HHIQ", kind, 0, 16 + len(body), seq) + body


def queue_create(queue, event, seq=0):
    return record(16, struct.pack("<QQQII", queue, event, 0, 0, 0), seq)


def buffer_create(buffer, offset, size, seq=0):
    return record(18, struct.pack("<QQQQ", buffer, 1, offset, size), seq)


def kernel_create(kernel, program, index=0):
    return record(22, struct.pack("<QQII", kernel, program, index, 0))


def user_event_create(event):
    return record(25, struct.pack("<Q", event))


def user_event_set(event, status=0):
    return record(26, struct.pack("<QiIQQ", event, status, 0, 0, 0))


def command(kind, queue, number, event=0, waits=(), nr_args=0, body=b"", args=b""):
    head = struct.pack("<QQQQII", queue, number, event, 0, len(waits), nr_args)
    return record(kind, head + body + struct.pack(f"<{len(waits)}Q", *waits) + args)


def ndrange(queue, number, kernel, size, buffers=(), event=0, waits=(), values=()):
    args = b"".join(struct.pack("<IHHQQ", i, 2, 0, 8, b) for i, b in enumerate(buffers))
    args += b"".join(struct.pack("<IHHQQ", len(buffers) + i, 1, 0, 4, v) for i, v in enumerate(values))
    body = struct.pack("<QII9Q", kernel, 1, 0, 0, 0, 0, size, 1, 1, 0, 1, 1)
    return command(64, queue, number, event, waits, len(buffers) + len(values), body, args)


def client_command(queue, number, event):
    return command(73, queue, number, event)


def item(tag, data):
    return struct.pack("<II", tag, len(data)) + data + bytes(-len(data) % 8)


def build(session, program, source, context=1, request=2 * MIB, reply=3 * MIB, room=MIB):
    """Builds in a service segment; returns the length of the reply."""
    blob = item(16, struct.pack("<I", 1)) + item(17, source.encode())
    session.write(request, blob)
    body = struct.pack("<IIQQQQQQ", context, 0, program, request, len(blob), reply, room, session.seq)
    return struct.unpack("<Q", session.ask(PROGRAM_BUILD, body, within=120))[0]


def take_pending(g, vector):
    at = PENDING + 64 * vector
    word = g.get64(at)
    g.put64(at, 0)
    return word


class Device(vfu.Device):
    def __init__(self, folder, **options):
        super().__init__(folder, **options)
        self.guests = []

    def guest(self, **options):
        g = Guest(self.connect(), **options)
        self.fds_at_start = None    # executors that are kept ready, and what is known of the host, take some
        self.guests.append(g)
        return g

    def executors(self):
        """Processes of executors: children of the device's, or of its fork server's."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError), open(f"/proc/{entry}/fdinfo/3", encoding="utf-8"), \
                    open(f"/proc/{entry}/stat", encoding="utf-8") as f:
                name, rest = f.read().rsplit(")", 1)
                if "tranche-" in name and self.process.pid in ancestors(int(entry)):
                    found.append((int(entry), name.split("(", 1)[1], rest.split()[0]))
        return found

    def blocks(self):
        """Bytes of memory that the aperture has."""
        for fd in os.listdir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(OSError):
                path = f"/proc/{self.process.pid}/fd/{fd}"
                st = os.stat(path)
                if st.st_size >= 4 * GIB and st.st_nlink == 0:
                    return st.st_blocks * 512
        raise AssertionError("no aperture")


def ancestors(pid):
    found = []
    while pid > 1:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            pid = int(f.read().rsplit(")", 1)[1].split()[1])
        found.append(pid)
    return found


@contextlib.contextmanager
def run_by(before):
    """vfu.Device starts its process by that command."""
    popen = subprocess.Popen
    subprocess.Popen = lambda command, **options: popen([*before, *command], **options)
    try:
        yield
    finally:
        subprocess.Popen = popen


@contextlib.contextmanager
def device(memory="1G", arguments=(), env=None, before=()):
    """A device for a guest; at the end it must have left nothing behind. before: a command that starts it."""
    with tempfile.TemporaryDirectory(prefix="cpci-") as folder:
        if before:
            os.chmod(folder, 0o777)
        with run_by(before):
            d = Device(folder, parent="compute", kind="pci", env=env,
                       arguments=[*(["--memory", memory] if memory else []), "--runtime-dir", folder, *arguments])
        try:
            yield d
            for g in d.guests:
                g.close()
            d.end()
        except BaseException:
            print("# " + d.said()[-6000:].replace("\n", "\n# "))
            raise
        finally:
            d.kill()


def expect(number, call):
    """The call is refused with that errno and a sentence; returns the refusal."""
    try:
        call()
    except Refused as refused:
        assert refused.status == number, f"refused with {refused}, not {errno.errorcode[number]}"
        assert refused.text and refused.name
        return refused
    raise AssertionError(f"not refused ({errno.errorcode[number]} expected)")
