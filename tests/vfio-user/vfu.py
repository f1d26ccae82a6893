# SPDX-License-Identifier: MIT
"""A client of the vfio-user protocol in a few lines, and the device process to try it on.

Tests are functions test_*() of a program that ends with vfu.main(); each starts a device process of its own, so that
sanitizers see it and nothing of one test is left for the next:

    with vfu.device() as d:             # the test device, "full"
        c = d.connect()                 # a client that has said VERSION
        c.enable()                      # memory, I/O and bus mastering on, as firmware does
        assert c.read32(BAR0, 0x00) == ID
        expect(errno.EINVAL, lambda: c.region_read(99, 0, 4))

A refusal is raised as Refused, the end of the connection as Gone.  c.send() and c.receive() work message by message,
c.send_raw() byte by byte; what is wrong on purpose goes through them.  At the end of device() the process must end with
status 0 and must not have leaked a descriptor.
"""
import contextlib
import errno
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap  # noqa: E402

DEVICE = os.environ.get("TRANCHE_TEST_DEVICE", "build/src/device/tranche-device")

(VERSION, DMA_MAP, DMA_UNMAP, DEVICE_GET_INFO, GET_REGION_INFO, GET_REGION_IO_FDS, GET_IRQ_INFO, SET_IRQS, REGION_READ,
 REGION_WRITE, DMA_READ, DMA_WRITE, DEVICE_RESET) = range(1, 14)
WRITE_MULTI, DEVICE_FEATURE, MIG_DATA_READ, MIG_DATA_WRITE = range(15, 19)
COMMAND, REPLY, NO_REPLY, ERROR = 0, 1, 1 << 4, 1 << 5

BAR0, BAR1, BAR2, BAR3, BAR4, BAR5, ROM, CONFIG, VGA, OWN = range(10)
INTX, MSI, MSIX, ERR, REQ = range(5)
IRQ_EVENTFD, IRQ_MASKABLE, IRQ_AUTOMASKED, IRQ_NORESIZE = 1, 2, 4, 8
DATA_NONE, DATA_BOOL, DATA_EVENTFD, MASK, UNMASK, TRIGGER = 1, 2, 4, 8, 16, 32
GET, SET, PROBE = 1 << 16, 1 << 17, 1 << 18
F_MIGRATION, F_MIG_STATE, F_LOG_START, F_LOG_STOP, F_LOG_REPORT, F_MIG_SIZE = 1, 2, 6, 7, 8, 9
STATES = ["ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P"]
S_ERROR, S_STOP, S_RUNNING, S_STOP_COPY, S_RESUMING, S_RUNNING_P2P, S_PRE_COPY, S_PRE_COPY_P2P = range(8)
MAP_READ, MAP_WRITE, MAP_MMAP, MAP_FILE_IO = 1, 2, 4, 8
UNMAP_BITMAP, UNMAP_ALL = 1, 2

HEAD = struct.Struct("=HHIII")
PAGE = 4096
ID = int.from_bytes(b"TSTD", "little")


def eventually(check, what, within=30):
    """As tap's; so long that a machine which is busy with something else has its time, too."""
    return tap.eventually(check, what, within)


class Refused(Exception):
    """An error reply: what was asked, and the errno."""

    def __init__(self, command, number):
        super().__init__(f"command {command}: {errno.errorcode.get(number, number)}")
        self.command, self.errno = command, number


class Gone(Exception):
    """The server has ended the connection."""


class Message:
    def __init__(self, ident, command, flags, error, body, fds):
        self.ident, self.command, self.flags, self.error, self.body, self.fds = ident, command, flags, error, body, fds

    @property
    def is_reply(self):
        return self.flags & 15 == REPLY

    def take_fd(self):
        return self.fds.pop(0)

    def close(self):
        while self.fds:
            os.close(self.fds.pop())


def head(command, size, ident=0, flags=COMMAND, error=0):
    return HEAD.pack(ident, command, size, flags, error)


def message(command, body=b"", ident=0, flags=COMMAND, error=0, size=None):
    return head(command, HEAD.size + len(body) if size is None else size, ident, flags, error) + body


def version_body(caps=None, major=0, minor=1, text=None):
    if text is None:
        text = json.dumps({"capabilities": caps if caps is not None else default_caps()}).encode() + b"\0"
    return struct.pack("=HH", major, minor) + text


def default_caps(**changes):
    """What QEMU 11 says of itself."""
    return {"max_msg_fds": 16, "max_data_xfer_size": 1 << 20, "max_dma_maps": 65535, "pgsizes": 4096,
            "migration": {"pgsize": 4096, "max_bitmap_size": 256 << 20}, "write_multiple": True, **changes}


class Region:
    def __init__(self, body, fds):
        (self.argsz, self.flags, self.index, self.cap_offset, self.size, self.offset) = struct.unpack_from("=4I2Q", body)
        self.caps = chain(body, self.cap_offset if self.flags & 8 else 0)
        self.fds, self.body = fds, body

    def areas(self):
        """[(offset, size)] that may be mapped."""
        if not self.flags & 4:
            return []
        for ident, _, data in self.caps:
            if ident == 1:
                count = struct.unpack_from("=I", data)[0]
                return [struct.unpack_from("=2Q", data, 8 + 16 * i) for i in range(count)]
        return [(0, self.size)]


def chain(body, at):
    """[(id, version, data)] of the capabilities that begin at an offset; checks that the chain is sane."""
    offsets = []
    while at:
        assert at % 8 == 0 and at + 8 <= len(body) and at not in offsets, f"a chain with an offset of {at} in {len(body)} bytes"
        offsets.append(at)
        at = struct.unpack_from("=I", body, at + 4)[0]
    ends = sorted(offsets)[1:] + [len(body)]
    return [(*struct.unpack_from("=HH", body, start), body[start + 8:end]) for start, end in zip(sorted(offsets), ends)]


class Client:
    """One connection. hello=False: VERSION is not said."""

    def __init__(self, path, timeout=20, hello=True, caps=None):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        end = time.monotonic() + 20
        while True:
            try:
                self.sock.connect(path)
                break
            except (ConnectionRefusedError, BlockingIOError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
        self.last_id, self.early, self.pending, self.twin = 0, [], b"", None
        if hello:
            self.hello(caps)

    def close(self):
        for m in self.early:
            m.close()
        if self.twin:
            self.twin.close()
        self.sock.close()

    # --- messages ---

    def send_raw(self, data, fds=()):
        if fds:
            sent = socket.send_fds(self.sock, [data], list(fds))
            data = data[sent:]
        self.sock.sendall(data)

    def send(self, command, body=b"", fds=(), **header):
        """Sends one message; returns its id."""
        self.last_id = self.last_id % 0xFFFF + 1
        ident = header.pop("ident", self.last_id)
        self.send_raw(message(command, body, ident=ident, **header), fds)
        return ident

    def receive(self, sock=None):
        """The next message, whatever it is; an error reply is returned, too."""
        sock = sock or self.sock
        data, fds = b"", []
        while len(data) < HEAD.size:
            data += self._some(sock, HEAD.size - len(data), fds)
        ident, command, size, flags, error = HEAD.unpack(data)
        assert size >= HEAD.size, f"a message of {size} bytes"
        body = b""
        while len(body) < size - HEAD.size:
            body += self._some(sock, size - HEAD.size - len(body), fds)
        if flags & ERROR:
            assert size == HEAD.size, "an error reply has a header only"
            assert error > 0 and not fds
        return Message(ident, command, flags, error, body, fds)

    def _some(self, sock, size, fds):
        try:
            data, more, flags, _ = socket.recv_fds(sock, size, 64)
        except ConnectionResetError:
            data, more, flags = b"", [], 0
        assert not flags & socket.MSG_CTRUNC
        fds += more
        if not data:
            raise Gone("the server has closed the connection")
        return data

    def wait(self, ident):
        """The reply with that id; a refusal is raised. Commands of the server that come meanwhile are kept in early."""
        while True:
            m = next((m for m in self.early if m.is_reply and m.ident == ident), None)
            if m:
                self.early.remove(m)
            else:
                m = self.receive()
            if not m.is_reply or m.ident != ident:
                self.early.append(m)
                continue
            if m.flags & ERROR:
                raise Refused(m.command, m.error)
            return m

    def ask(self, command, body=b"", fds=(), **header):
        """Sends a message and waits for its reply."""
        reply = self.wait(self.send(command, body, fds, **header))
        assert reply.command == command
        return reply

    def command(self, within=30):
        """The next command of the server (DMA_READ, DMA_WRITE)."""
        m = next((m for m in self.early if not m.is_reply), None)
        if m:
            self.early.remove(m)
            return m
        end = time.monotonic() + within
        while True:
            assert time.monotonic() < end, "no command of the server has come"
            m = self.receive(self.twin)
            if not m.is_reply:
                return m
            self.early.append(m)

    def reply(self, to, body=b"", error=0):
        """Answers a command of the server."""
        data = message(to.command, b"" if error else body, ident=to.ident, flags=REPLY | (ERROR if error else 0), error=error)
        (self.twin or self.sock).sendall(data)

    def answer(self, to, memory, base=0):
        """Answers DMA_READ and DMA_WRITE from a bytearray that lies at base, as a good client does; (address, count)."""
        address, count = struct.unpack_from("=2Q", to.body)
        data = to.body[16:]
        assert base <= address and address + count <= base + len(memory), f"{count} bytes at {address:#x} were never offered"
        assert count and len(data) == (count if to.command == DMA_WRITE else 0)
        if to.command == DMA_WRITE:
            memory[address - base:address - base + count] = data
        self.reply(to, to.body[:16] + (memory[address - base:address - base + count] if to.command == DMA_READ else b""))
        return address, count

    def is_alive(self):
        """Is an ordinary command answered, and nothing else said?"""
        ident = self.send(DEVICE_GET_INFO, struct.pack("=4I", 16, 0, 0, 0))
        reply = self.receive()
        assert reply.is_reply and reply.ident == ident and reply.command == DEVICE_GET_INFO, \
            f"a reply to command {reply.command} (flags {reply.flags:#x}, error {reply.error}) that was not expected"
        return not reply.flags & ERROR

    def is_silent(self, seconds=0.2):
        return not self.early and not select.select([self.sock], [], [], seconds)[0]

    def is_gone(self, within=30):
        """Does the server end the connection?"""
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                self.receive().close()
            except (Gone, BrokenPipeError):
                return True
            except TimeoutError:
                break
        return False

    # --- commands ---

    def hello(self, caps=None, **wrong):
        reply = self.ask(VERSION, version_body(caps, **wrong))
        self.major, self.minor = struct.unpack_from("=HH", reply.body)
        assert reply.body[-1] == 0, "the text of VERSION ends with a NUL"
        self.caps = json.loads(reply.body[4:-1])["capabilities"]
        twin = self.caps.get("twin_socket", {})
        if twin.get("supported") and reply.fds:
            self.twin = socket.socket(fileno=reply.fds.pop(twin["fd_index"]))
            self.twin.settimeout(self.sock.gettimeout())
        reply.close()
        return self

    def device_info(self, argsz=16, size=None):
        return self.ask(DEVICE_GET_INFO, struct.pack("=4I", argsz, 0, 0, 0)[:size]).body

    def region_info(self, index, argsz=4096):
        """A Region with its descriptors, which the caller closes."""
        reply = self.ask(GET_REGION_INFO, struct.pack("=4I2Q", argsz, 0, index, 0, 0, 0))
        return Region(reply.body, reply.fds)

    def irq_info(self, index):
        """(flags, count)"""
        argsz, flags, number, count = struct.unpack("=4I", self.ask(GET_IRQ_INFO, struct.pack("=4I", 16, 0, index, 0)).body)
        assert argsz == 16 and number == index
        return flags, count

    def set_irqs(self, index, flags, start=0, count=0, data=b"", fds=()):
        body = struct.pack("=5I", 20 + len(data), flags, index, start, count) + data
        self.ask(SET_IRQS, body, fds)

    def wire(self, index, fds, start=0):
        self.set_irqs(index, DATA_EVENTFD | TRIGGER, start, len(fds), fds=fds)

    def unwire(self, index):
        self.set_irqs(index, DATA_NONE | TRIGGER)

    def region_read(self, region, offset, count):
        reply = self.ask(REGION_READ, struct.pack("=QII", offset, region, count))
        assert struct.unpack_from("=QII", reply.body) == (offset, region, count) and len(reply.body) == 16 + count
        return reply.body[16:]

    def region_write(self, region, offset, data):
        reply = self.ask(REGION_WRITE, struct.pack("=QII", offset, region, len(data)) + data)
        assert reply.body == struct.pack("=QII", offset, region, len(data))

    def post(self, region, offset, data):
        """A write without a reply."""
        self.send(REGION_WRITE, struct.pack("=QII", offset, region, len(data)) + data, flags=NO_REPLY)

    def write_multi(self, writes, **header):
        """writes: [(region, offset, data)]; posted unless flags say otherwise."""
        body = struct.pack("=Q", len(writes))
        body += b"".join(struct.pack("=QII8s", offset, region, len(data), data) for region, offset, data in writes)
        return self.send(WRITE_MULTI, body, **{"flags": NO_REPLY, **header})

    def read32(self, region, offset):
        return int.from_bytes(self.region_read(region, offset, 4), "little")

    def write32(self, region, offset, value):
        self.region_write(region, offset, (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def config16(self, offset):
        return int.from_bytes(self.region_read(CONFIG, offset, 2), "little")

    def enable(self, command=7):
        self.region_write(CONFIG, 4, command.to_bytes(2, "little"))
        return self

    def capability(self, ident):
        """Offset of a capability's header in configuration space, or 0."""
        at, seen = self.region_read(CONFIG, 0x34, 1)[0], set()
        while at:
            assert at >= 0x40 and at % 4 == 0 and at not in seen, f"capability chain leads to {at:#x}"
            seen.add(at)
            found, following = self.region_read(CONFIG, at, 2)
            if found == ident:
                return at
            at = following
        return 0

    def dma_map(self, address, size, fd=None, offset=0, flags=MAP_READ | MAP_WRITE):
        self.ask(DMA_MAP, struct.pack("=IIQQQ", 32, flags, offset, address, size), [fd] if fd is not None else [])

    def dma_unmap(self, address, size, flags=0):
        return self.ask(DMA_UNMAP, struct.pack("=IIQQ", 24, flags, address, size)).body

    def dma_start(self, address, size, offset=0, command=1):
        """The test device's DMA: 1 fetches into BAR2, 2 stores what is there."""
        self.region_write(BAR0, 0x20, struct.pack("=QIII", address, size, offset, command))

    def dma_end(self, within=30):
        """Waits for its end; the errno, 0 when all went well."""
        eventually(lambda: self.read32(BAR0, 0x34) != 1, "the DMA ends", within)
        status = self.read32(BAR0, 0x34)
        assert status == 2 or status >> 31, f"DMA_STATUS is {status:#x}"
        return 0 if status == 2 else status & 0x7FFFFFFF

    def dma(self, address, size, offset=0, command=1):
        self.dma_start(address, size, offset, command)
        return self.dma_end()

    def reset(self):
        self.ask(DEVICE_RESET)

    def feature(self, flags, data=b"", argsz=None):
        """Payload of the reply behind argsz and flags."""
        body = struct.pack("=II", 8 + len(data) if argsz is None else argsz, flags) + data
        return self.ask(DEVICE_FEATURE, body).body[8:]

    def state(self):
        return struct.unpack("=Ii", self.feature(GET | F_MIG_STATE, argsz=16))[0]

    def go(self, state):
        self.feature(SET | F_MIG_STATE, struct.pack("=Ii", state, -1))

    def mig_read(self, size=1 << 20):
        """One piece; b"" at the end; None where there is nothing more now (pre-copy)."""
        try:
            body = self.ask(MIG_DATA_READ, struct.pack("=II", 8 + size, size)).body
        except Refused as refused:
            if refused.errno == errno.ENOMSG:
                return None
            raise
        got = struct.unpack_from("=II", body)[1]
        assert got == len(body) - 8 <= size
        return body[8:]

    def mig_write(self, data):
        self.ask(MIG_DATA_WRITE, struct.pack("=II", 8 + len(data), len(data)) + data)

    def save(self, piece=1 << 20):
        """The whole stream of a stopped device; leaves it in STOP_COPY."""
        self.go(S_STOP_COPY)
        stream = b""
        while True:
            data = self.mig_read(piece)
            if not data:
                return stream
            stream += data

    def load(self, stream, piece=1 << 20):
        """Takes a stream in; leaves the device in STOP."""
        self.go(S_RESUMING)
        for at in range(0, len(stream), piece):
            self.mig_write(stream[at:at + piece])
        self.go(S_STOP)

    def resume(self, stream, piece=1 << 20):
        """Takes a stream in and lets the device run."""
        self.load(stream, piece)
        self.go(S_RUNNING)

    def drain(self, piece=1 << 20):
        """What there is to read now."""
        stream = b""
        while True:
            data = self.mig_read(piece)
            if not data:
                return stream
            stream += data

    def snapshot(self):
        """All that can be read of the test device, but for the number of its resets."""
        c = bytearray(self.region_read(BAR0, 0, 0x4C) + bytes(4) + self.region_read(BAR0, 0x50, 0xFB0))
        c[0x18:0x1C] = bytes(4)
        return {"config": self.region_read(CONFIG, 0, 4096), "BAR0": bytes(c), "BAR1": self.region_read(BAR1, 0, 32),
                "BAR2": self.region_read(BAR2, 0, 1 << 20), "BAR4": self.region_read(BAR4, 0, 16384),
                "own": self.region_read(OWN, 0, 8192)}

    def scribble(self):
        """Gives the test device a state in which each part differs from that after a reset."""
        self.enable()
        self.region_write(CONFIG, 0x3C, os.urandom(1))
        self.region_write(CONFIG, self.capability(9) + 8, os.urandom(4))
        self.region_write(CONFIG, 0x10, bytes([0, 0, os.urandom(1)[0], 0xFE]))
        for register in (0x04, 0x08, 0x20, 0x24, 0x28, 0x2C):
            self.write32(BAR0, register, int.from_bytes(os.urandom(4), "little"))
        self.region_write(BAR0, 0x80, os.urandom(128))
        self.region_write(BAR1, 0, os.urandom(32))
        for page in (0, 5, 77, 255):
            self.region_write(BAR2, page * PAGE + 9, os.urandom(2000))
        self.region_write(BAR4, 0, struct.pack("=4I", 0xFEE00000, 0, os.urandom(1)[0], 0))      # a vector's message
        self.region_write(BAR4, 0x3000, os.urandom(100))
        self.region_write(OWN, 4000, os.urandom(200))
        return self.snapshot()

    def log_start(self, ranges=(), page=PAGE):
        self.feature(SET | F_LOG_START, struct.pack("=QII", page, len(ranges), 0) + b"".join(struct.pack("=2Q", *r) for r in ranges))

    def log_stop(self):
        self.feature(SET | F_LOG_STOP)

    def log_report(self, iova, length, page=PAGE):
        """The numbers of the pages that were written."""
        size = (length // page + 63) // 64 * 8
        body = self.feature(GET | F_LOG_REPORT, struct.pack("=3Q", iova, length, page), argsz=8 + 24 + size)
        assert struct.unpack_from("=3Q", body) == (iova, length, page)
        bits = body[24:]
        return [n for n in range(length // page) if bits[n // 8] >> n % 8 & 1]


def memfd(size, name="test", sealed=True):
    """A memfd of zeroes; sealed against shrinking, as QEMU's are."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    if sealed:
        import fcntl
        fcntl.fcntl(fd, 1033, 0x2 | 0x4)    # F_ADD_SEALS: SHRINK, GROW
    return fd


class Irq:
    """An eventfd to wire."""

    def __init__(self):
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) if hasattr(os, "eventfd") else _eventfd()

    def count(self, within=0.0):
        """How often it was signalled since the last look; waits for the first time."""
        if not select.select([self.fd], [], [], within)[0]:
            return 0
        return int.from_bytes(os.read(self.fd, 8), "little")

    def close(self):
        os.close(self.fd)


def _eventfd():
    import ctypes
    fd = ctypes.CDLL(None).eventfd(0, 0o2000000 | 0o4000)
    assert fd >= 0
    return fd


def same(one, other):
    """Two snapshots are equal; says where they are not."""
    assert one.keys() == other.keys()
    for part, data in one.items():
        where = next((i for i, (a, b) in enumerate(zip(data, other[part])) if a != b), None)
        assert data == other[part], f"{part} differs at {where:#x}"


def expect(number, call):
    """The call is refused with that errno."""
    try:
        call()
    except Refused as refused:
        assert refused.errno == number, f"refused with {refused}, not {errno.errorcode[number]}"
        return
    raise AssertionError(f"not refused ({errno.errorcode[number]} expected)")


def refused(call, *numbers):
    """The call is refused, with one of the errnos where some are given (the protocol leaves the choice); returns it."""
    try:
        call()
    except Refused as error:
        assert not numbers or error.errno in numbers, f"refused with {error}, which says the wrong thing"
        return error.errno
    raise AssertionError("not refused")


@contextlib.contextmanager
def same_fds(d):
    """The device process has as many descriptors at the end as at the start."""
    before = d.fds()
    yield
    eventually(lambda: d.fds() == before, f"as many descriptors as before ({before}, now {d.fds()})")


def map_region(region, write=True):
    """The mapping of a region's first area, and closes the descriptors."""
    start, size = region.areas()[0]
    mapping = mmap.mmap(region.fds[0], size, offset=region.offset + start,
                        prot=mmap.PROT_READ | (mmap.PROT_WRITE if write else 0))
    while region.fds:
        os.close(region.fds.pop())
    return mapping


class Device:
    def __init__(self, folder, parent="testdev", kind=None, arguments=(), env=None):
        self.path = os.path.join(folder, "socket")
        self.uuid = str(uuid.uuid4())
        command = [DEVICE, "--parent", parent, "--uuid", self.uuid, "--socket-path", self.path, *arguments]
        if kind or parent == "testdev":
            command += ["--type", kind or "full"]
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stderr=self.log, stdin=subprocess.DEVNULL,
                                        env={**os.environ, "TRANCHE_LOG": "debug", **(env or {})})
        eventually(lambda: tap.is_listening(self.path) or self.process.poll() is not None, "the device listens")
        assert self.process.poll() is None, f"the device ended: {self.said()}"
        self.clients = []
        self.fds_at_start = None

    def said(self):
        """What the process has written to its standard error."""
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def connect(self, **options):
        if self.fds_at_start is None:
            self.fds_at_start = self.fds()
        self.clients.append(Client(self.path, **options))
        return self.clients[-1]

    def fds(self):
        """Descriptors that the process has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def has_mapped(self, name):
        """Does the process map a memfd of that name?"""
        with open(f"/proc/{self.process.pid}/maps", encoding="utf-8") as f:
            return f"/memfd:{name}" in f.read()

    def end(self):
        for client in self.clients:
            client.close()
        if self.fds_at_start is not None and self.process.poll() is None:
            eventually(lambda: self.fds() <= self.fds_at_start, f"no descriptor is leaked ({self.fds_at_start} at the start)")
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            raise AssertionError("the device does not end") from None
        assert code == 0, f"the device ended with {code}: {self.said()}"
        assert not os.path.exists(self.path), "the socket is still there"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextlib.contextmanager
def device(**options):
    """A running device; at the end it must have left nothing behind."""
    with tempfile.TemporaryDirectory(prefix="vfu-") as folder:
        d = Device(folder, **options)
        try:
            yield d
            d.end()
        except BaseException:
            print("# " + d.said()[-4000:].replace("\n", "\n# "))
            raise
        finally:
            d.kill()


def main():
    tap.main(300)
