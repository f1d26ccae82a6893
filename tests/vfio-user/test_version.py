#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""VERSION: both sides state what they can, and keep to what the other has stated (contract C23)."""
import errno
import json
import struct
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import (BAR2, CONFIG, DEVICE_GET_INFO, ERROR, GET_REGION_IO_FDS, MAP_READ, NO_REPLY, PAGE, VERSION,  # noqa: E402
                 default_caps, device, expect, refused, version_body)


def ask(c, **body):
    """The reply to a VERSION as (minor, capabilities)."""
    reply = c.ask(VERSION, version_body(**body))
    assert reply.body[-1:] == b"\0" and reply.body.count(b"\0", 4) == 1
    return struct.unpack_from("=HH", reply.body), json.loads(reply.body[4:-1])["capabilities"]


def test_minor_is_the_lower_one():
    with device() as d:
        for proposed, chosen in ((0, 0), (1, 1), (2, 1), (65535, 1)):
            c = d.connect(hello=False)
            assert ask(c, minor=proposed)[0] == (0, chosen)
            c.close()


def test_major_must_match():
    with device() as d:
        c = d.connect(hello=False)
        for major in (1, 2, 65535):
            refused(lambda major=major: c.hello(major=major))
        c.hello()
        assert c.is_alive()


def test_limits_are_stated():
    with device() as d:
        caps = d.connect().caps
        assert caps["max_msg_fds"] >= 8 and caps["max_data_xfer_size"] >= 1 << 20 and caps["max_dma_maps"] == 65535
        assert caps["pgsizes"] & PAGE and caps["write_multiple"] is True
        assert caps["migration"]["pgsize"] == PAGE
        assert not set(caps) - {*default_caps(), "twin_socket"}


def test_nothing_that_was_not_proposed():
    """The specification: the server's capabilities are a subset of the client's."""
    with device() as d:
        for without in ("write_multiple", "migration"):
            caps = default_caps()
            del caps[without]
            c = d.connect(caps=caps)
            assert without not in c.caps and "twin_socket" not in c.caps and not c.twin
            c.close()
        c = d.connect(caps=default_caps(write_multiple=False, twin_socket={"supported": False}))
        assert not c.caps.get("write_multiple") and not c.caps.get("twin_socket", {}).get("supported") and not c.twin


def test_no_migration_where_there_is_none():
    """D5: not claimed by a device that cannot."""
    with device(kind="plain") as d:
        assert "migration" not in d.connect().caps


def test_text_is_optional():
    with device() as d:
        for body in (b"", b"{}\0", b'{"capabilities":{}}\0', b'{"other":[1,{"a":null}]}\0', b' { "capabilities" : { } } \n\0'):
            c = d.connect(hello=False)
            ask(c, text=body)
            assert c.is_alive()
            info = c.region_info(BAR2)     # max_msg_fds is 1 where it is not stated
            assert len(info.fds) == 1 and info.flags & 4
            vfu.map_region(info).close()
            assert len(c.region_read(CONFIG, 0, 4096)) == 4096
            c.close()


def test_unknown_capabilities_are_ignored():
    with device() as d:
        c = d.connect(caps=default_caps(later={"a": [1, 2, None]}, name="\u00e4\u20ac", number=1.5))
        assert "later" not in c.caps and c.is_alive()


WRONG_TEXTS = [
    b"\0", b"{}", b"{}\0\0", b"{\0}\0", b"[]\0", b"1\0", b"null\0", b'"capabilities"\0', b"{\0", b"}\0", b"{} {}\0", b"\xff\xfe\0",
    b'{"capabilities":1}\0', b'{"capabilities":[]}\0', b'{"capabilities":null}\0', b'{"capabilities":{"a":"\xff"}}\0',
    b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\0", b"[" * 60000 + b"\0", b'{"a":1e999}\0', b"x" * 60000 + b"\0",
]
WRONG_VALUES = [
    ("max_msg_fds", -1), ("max_msg_fds", "8"), ("max_msg_fds", 1.5), ("max_msg_fds", True), ("max_msg_fds", None), ("max_msg_fds", [8]),
    ("max_data_xfer_size", 0), ("max_data_xfer_size", -4096), ("max_data_xfer_size", "1M"), ("max_dma_maps", -1),
    ("max_dma_maps", {}), ("pgsizes", -4096), ("pgsizes", "4096"), ("pgsizes", 0), ("write_multiple", 1), ("write_multiple", "yes"),
    ("twin_socket", True), ("twin_socket", {"supported": "yes"}),
]


def test_wrong_text():
    with device() as d:
        c = d.connect(hello=False)
        for text in WRONG_TEXTS:
            expect(errno.EINVAL, lambda text=text: ask(c, text=text))
        c.hello()
        assert c.is_alive()


def test_wrong_value():
    with device() as d:
        c = d.connect(hello=False)
        for key, value in WRONG_VALUES:
            try:
                expect(errno.EINVAL, lambda key=key, value=value: ask(c, caps=default_caps(**{key: value})))
            except AssertionError as wrong:
                raise AssertionError(f"{key}: {value}: {wrong}") from None
        c.hello()
        assert c.is_alive()


def test_too_short():
    with device() as d:
        c = d.connect(hello=False)
        for length in range(4):
            expect(errno.EINVAL, lambda length=length: c.ask(VERSION, b"\0" * length))
        c.hello()


def test_long_text():
    """A text with much that the server does not know; what is too long for a message is refused, not the connection."""
    with device() as d:
        c = d.connect(hello=False)
        text = json.dumps({"capabilities": default_caps(), "x": "y" * 40000}).encode() + b"\0"
        ask(c, text=text)
        assert c.is_alive()
        c.close()
        c = d.connect(hello=False)
        expect(errno.E2BIG, lambda: ask(c, text=b" " * (2 << 20) + b"{}\0"))
        c.hello()


def test_all_page_sizes():
    """A mask whose highest bit is set, as an IOMMU has."""
    with device() as d:
        c = d.connect(caps=default_caps(pgsizes=(1 << 64) - PAGE))
        c.dma_map(0x10000, PAGE)
        c.close()


def test_numbers_are_not_cut():
    """D10: a limit beyond 32 bits is a large one, not its lower half."""
    with device() as d:
        for big in (1 << 32, (1 << 32) + 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - PAGE, 1 << 80):
            c = d.connect(caps=default_caps(max_data_xfer_size=big, max_msg_fds=big, max_dma_maps=big))
            c.enable()
            assert len(c.region_read(BAR2, 0, 1 << 20)) == 1 << 20
            info = c.region_info(BAR2)
            assert len(info.fds) == 1
            vfu.map_region(info).close()
            c.dma_map(0x10000, PAGE)
            c.close()


def test_first():
    """Nothing is done before VERSION, and nothing is lost by trying."""
    with device() as d:
        c = d.connect(hello=False)
        for command in range(1, 19):
            if command != VERSION:
                refused(lambda command=command: c.ask(command, struct.pack("=4I", 16, 0, 0, 0)))
        c.send(DEVICE_GET_INFO, struct.pack("=4I", 16, 0, 0, 0), flags=NO_REPLY)
        c.hello()
        assert c.is_alive()


def test_once():
    with device() as d:
        c = d.connect(caps=default_caps(max_data_xfer_size=64))
        expect(errno.EINVAL, c.hello)
        assert c.is_alive()
        refused(lambda: c.region_read(CONFIG, 0, 65), errno.E2BIG, errno.EINVAL)     # the first one's limits hold


def test_without_reply():
    with device() as d:
        c = d.connect(hello=False)
        c.send(VERSION, version_body(), flags=NO_REPLY)
        assert c.is_alive()


def test_max_data_xfer_size_of_the_client():
    """C23: no reply is longer than the client can take."""
    with device() as d:
        c = d.connect(caps=default_caps(max_data_xfer_size=16))
        assert len(c.region_read(CONFIG, 0, 16)) == 16
        for count in (17, 4096, 1 << 20):
            refused(lambda count=count: c.region_read(CONFIG, 0, count), errno.E2BIG, errno.EINVAL)
        assert len(c.region_info(BAR2, argsz=32).body) == 32
        assert c.is_alive()


def test_max_msg_fds_of_the_client():
    """C23: no reply brings more descriptors than the client can take; what needs one is not offered then."""
    with device() as d:
        c = d.connect(caps=default_caps(max_msg_fds=0))
        for index in range(10):
            info = c.region_info(index)
            assert not info.fds and not info.flags & 4
        reply = c.ask(GET_REGION_IO_FDS, struct.pack("=4I", 4096, 0, 0, 0))
        assert not reply.fds and struct.unpack_from("=4I", reply.body)[3] == 0
        c.close()
        c = d.connect(caps=default_caps(max_msg_fds=0, twin_socket={"supported": True}))
        assert not c.caps.get("twin_socket", {}).get("supported") and not c.twin


def test_max_dma_maps_is_obeyed():
    """D8: what the server states is what it does."""
    with device() as d:
        c = d.connect()
        most = c.caps["max_dma_maps"]
        for n in range(0, most, 1000):      # 1000 at a time, so that the socket's buffer does not fill with replies
            some = range(n, min(n + 1000, most))
            for i in some:
                body = struct.pack("=IIQQQ", 32, MAP_READ, 0, i * PAGE, PAGE)
                c.send(vfu.DMA_MAP, body, flags=0 if i == some[-1] else NO_REPLY)
            c.wait(c.last_id)
        refused(lambda: c.dma_map(most * PAGE, PAGE), errno.ENOSPC, errno.EINVAL, errno.E2BIG, errno.EUSERS, errno.EMFILE)
        c.dma_unmap(0, PAGE)
        c.dma_map(most * PAGE, PAGE)


def test_twin_socket():
    with device() as d:
        c = d.connect(caps=default_caps(twin_socket={"supported": True}))
        assert c.caps["twin_socket"]["supported"] is True and c.twin
        assert c.is_alive()
        c.twin.close()      # nobody listens there any more: commands go on
        c.twin = None
        assert c.is_alive()
    with device() as d:
        c = d.connect(hello=False)
        reply = c.ask(VERSION, version_body(default_caps(twin_socket={"supported": True})))
        at = json.loads(reply.body[4:-1])["capabilities"]["twin_socket"]["fd_index"]
        assert 0 <= at < len(reply.fds) == 1
        reply.close()


def test_refusal_is_a_header():
    with device() as d:
        c = d.connect(hello=False)
        c.send(VERSION, b"\1\0\0\0{}\0", ident=77)
        reply = c.receive()
        assert reply.flags == vfu.REPLY | ERROR and reply.ident == 77 and reply.command == VERSION and not reply.body


def test_descriptors_are_closed():
    with device() as d:
        c = d.connect()
        usual = d.fds()
        c.close()
        c = d.connect(hello=False)
        irqs = [vfu.Irq() for _ in range(3)]
        try:
            c.ask(VERSION, version_body(), fds=[i.fd for i in irqs])
        except vfu.Refused:
            c.hello()
        assert c.is_alive()
        vfu.eventually(lambda: d.fds() == usual, "descriptors that came with VERSION are closed")
        for i in irqs:
            i.close()


if __name__ == "__main__":
    vfu.main()
