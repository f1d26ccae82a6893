#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Configuration space, as a guest and its firmware use it (C17 of docs/contract.md)."""
import errno
import os
import random
import sys

sys.dont_write_bytecode = True
import vfu  # noqa: E402
from vfu import BAR0, BAR1, BAR2, BAR4, CONFIG, ID, INTX, MSIX, OWN, ROM, Irq, device, expect  # noqa: E402

COMMAND, STATUS, BAR, ROM_BAR, CAP_POINTER, LINE, PIN = 0x04, 0x06, 0x10, 0x30, 0x34, 0x3C, 0x3D
CAP_PM, CAP_MSI, CAP_VENDOR, CAP_EXPRESS, CAP_MSIX = 0x01, 0x05, 0x09, 0x10, 0x11
SCRATCH, LEVEL, RESETS = 0x04, 0x10, 0x18


def read(c, at, size):
    return int.from_bytes(c.region_read(CONFIG, at, size), "little")


def write(c, at, size, value):
    c.region_write(CONFIG, at, value.to_bytes(size, "little"))


def chain(c):
    """{id: offset} of the capabilities, in their order; a chain that is not sane fails."""
    found, at, seen = {}, read(c, CAP_POINTER, 1), set()
    while at:
        assert 0x40 <= at <= 0xFC and at % 4 == 0 and at not in seen, f"the chain leads to {at:#x}"
        seen.add(at)
        ident = read(c, at, 1)
        assert ident not in (0, 0xFF) and ident not in found
        found[ident] = at
        at = read(c, at + 1, 1)
    return found


def test_identity():
    with device() as d:
        c = d.connect()
        assert c.region_read(CONFIG, 0, 4) == b"\xf4\x1a\xf0\x10"
        assert c.region_read(CONFIG, 8, 4) == b"\x01\x00\x00\xff"
        assert c.region_read(CONFIG, 0x2C, 4) == b"\xf4\x1a\x00\x11"
        assert read(c, 0x0E, 1) == 0 and read(c, PIN, 1) == 1
        assert read(c, COMMAND, 2) == 0
    with device(kind="plain") as d:
        c = d.connect()
        assert c.region_read(CONFIG, 0, 4) == b"\xf4\x1a\xf0\x10" and read(c, PIN, 1) == 0
        assert read(c, CAP_POINTER, 1) == 0 and not read(c, STATUS, 2) & 0x10


def test_identity_is_read_only():
    with device() as d:
        c = d.connect()
        for at, size in ((0, 4), (8, 4), (0x0E, 1), (0x2C, 4), (CAP_POINTER, 1), (PIN, 1), (0x3E, 2), (0x28, 4), (0x35, 3), (0x38, 4)):
            before = read(c, at, size)
            for value in (0, (1 << 8 * size) - 1):
                write(c, at, size, value)
                assert read(c, at, size) == before, f"{at:#x} can be written"


def test_scratch_registers():
    """Cache line, latency and interrupt line are the guest's."""
    with device() as d:
        c = d.connect()
        for at in (0x0C, 0x0D, LINE):
            for value in (0xFF, 0x40, 0):
                write(c, at, 1, value)
                assert read(c, at, 1) == value


def test_command_bits():
    """I/O, memory, master, parity, SERR and INTx disable; no others."""
    with device() as d:
        c = d.connect()
        write(c, COMMAND, 2, 0xFFFF)
        assert read(c, COMMAND, 2) == 0x0547
        write(c, COMMAND, 1, 0)
        assert read(c, COMMAND, 2) == 0x0500
        write(c, COMMAND + 1, 1, 0)
        assert read(c, COMMAND, 2) == 0


def test_status():
    """The list of capabilities is announced; writing ones, which clears errors, changes nothing of it."""
    with device() as d:
        c = d.connect()
        assert read(c, STATUS, 2) & 0x10
        before = read(c, STATUS, 2)
        write(c, STATUS, 2, 0xFFFF)
        assert read(c, STATUS, 2) == before
        write(c, COMMAND, 4, 0xFFFF0007)
        assert read(c, COMMAND, 2) == 7 and read(c, STATUS, 2) == before


# --- BARs ---

def size_of(c, at, size=4):
    """As firmware finds it out: writes ones, and looks which stay."""
    old = read(c, at, size)
    write(c, at, size, (1 << 8 * size) - 1)
    mask = read(c, at, size)
    write(c, at, size, old)
    assert read(c, at, size) == old
    return mask


def test_bar_sizes():
    """C17: by masks; kinds in the low bits."""
    with device() as d:
        c = d.connect()
        assert size_of(c, BAR) == 0xFFFFF000                # memory, 32 bits, 4 KiB
        assert size_of(c, BAR + 4) == 0xFFFFFFE1            # I/O, 32 bytes
        assert size_of(c, BAR + 8) == 0xFFF0000C            # 64 bits, prefetchable, 1 MiB ...
        assert size_of(c, BAR + 12) == 0xFFFFFFFF           # ... and its upper half
        assert size_of(c, BAR + 16) == 0xFFFFC000           # 16 KiB
        assert size_of(c, BAR + 20) == 0                    # none
        assert size_of(c, ROM_BAR) == 0xFFFFF801            # 2 KiB, and the enable bit
        assert size_of(c, BAR + 8, 8) == 0xFFFFFFFFFFF0000C


def test_bar_values():
    """Addresses are stored, with the kind as it is."""
    with device() as d:
        c = d.connect()
        for at, value, expected in ((BAR, 0xFEBF1234, 0xFEBF1000), (BAR + 4, 0xC055, 0xC041), (BAR + 8, 0x12345678, 0x1230000C),
                                    (BAR + 12, 0x00000380, 0x380), (BAR + 16, 0xFE00FFFF, 0xFE00C000), (BAR + 20, 0xFFFFFFFF, 0),
                                    (ROM_BAR, 0xFEC00FFF, 0xFEC00801)):
            write(c, at, 4, value)
            assert read(c, at, 4) == expected, f"{at:#x}: {read(c, at, 4):#x}"
        assert read(c, BAR + 8, 8) == 0x3801230000C


def test_bar_byte_by_byte():
    with device() as d:
        c = d.connect()
        for i in range(4):
            write(c, BAR + i, 1, 0xFF)
        assert read(c, BAR, 4) == 0xFFFFF000
        write(c, BAR + 2, 2, 0x1234)
        assert read(c, BAR, 4) == 0x1234F000


def test_address_does_not_matter():
    """A region is addressed by its index; where the guest maps it is the VMM's business (C11)."""
    with device() as d:
        c = d.connect().enable()
        for value in (0, 0xFEBF0000, 0xFFFFFFFF):
            write(c, BAR, 4, value)
            assert c.read32(BAR0, 0) == ID


def test_plain_bars():
    with device(kind="plain") as d:
        c = d.connect()
        assert [size_of(c, BAR + 4 * i) for i in range(6)] == [0xFFFFF000, 0, 0, 0, 0, 0] and size_of(c, ROM_BAR) == 0


def test_command_gates():
    """C17: each bit for its kind, at once."""
    with device() as d:
        c = d.connect()
        for command in range(8):
            c.enable(command)
            for region in (BAR0, BAR2, BAR4, BAR1):
                on = command & (1 if region == BAR1 else 2)
                if on:
                    c.region_read(region, 0, 4)
                else:
                    expect(errno.EIO, lambda: c.region_read(region, 0, 4))
                    expect(errno.EIO, lambda: c.region_write(region, 4, b"\1\1\1\1"))
            assert c.region_read(OWN, 0, 4) == bytes(4)


# --- Accesses ---

def test_any_size_and_alignment():
    """C17, D9: odd sizes are legal; what is read in pieces is what is read at once."""
    with device() as d:
        c = d.connect()
        whole = c.region_read(CONFIG, 0, 4096)
        for at in list(range(0, 140)) + [250, 253, 255, 256, 257, 300]:
            for count in (1, 2, 3, 4, 5, 6, 7, 8, 13, 64):
                assert c.region_read(CONFIG, at, count) == whole[at:at + count]
        numbers = random.Random(2)
        for _ in range(200):
            at = numbers.randrange(4096)
            count = numbers.randrange(1, 4097 - at)
            assert c.region_read(CONFIG, at, count) == whole[at:at + count]


def test_ends():
    with device() as d:
        c = d.connect()
        for at, count in ((4096, 1), (4095, 2), (4093, 4), (0, 4097), (2 ** 64 - 1, 2), (1 << 32, 4)):
            expect(errno.EINVAL, lambda: c.region_read(CONFIG, at, count))
            expect(errno.EINVAL, lambda: c.region_write(CONFIG, at, bytes(count)))
        assert c.region_read(CONFIG, 4095, 1) == b"\0"


def test_writes_across_registers():
    """D9: one access, several registers: each takes its bytes."""
    with device() as d:
        c = d.connect()
        c.region_write(CONFIG, 3, b"\xff\x07\x00")                      # device id, COMMAND
        assert read(c, COMMAND, 2) == 7 and c.region_read(CONFIG, 0, 4) == b"\xf4\x1a\xf0\x10"
        c.region_write(CONFIG, 0x0B, b"\xff\x11\x22\xff\xff")           # class, cache line, latency, header type, BIST
        assert c.region_read(CONFIG, 0x0B, 4) == b"\xff\x11\x22\x00"
        c.region_write(CONFIG, BAR, b"\xff" * 24)
        assert c.region_read(CONFIG, BAR, 24).hex(" ", 4) == "00f0ffff e1ffffff 0c00f0ff ffffffff 00c0ffff 00000000"
        c.region_write(CONFIG, BAR + 1, b"\x10\x32\x54\x76\x00\x00")    # 3 bytes of one BAR, 3 of the next
        assert read(c, BAR, 4) == 0x54321000 and read(c, BAR + 4, 4) == 0xFF000061
        c.region_write(CONFIG, 5, b"\4")
        assert read(c, COMMAND, 2) == 0x407


def test_everything_at_once():
    """C28: ones, zeroes and noise over all of it; what is read-only stands, and it is the same device afterwards."""
    with device() as d:
        c = d.connect()
        before = c.region_read(CONFIG, 0, 4096)
        for data in (b"\xff" * 4096, bytes(4096), os.urandom(4096)):
            c.region_write(CONFIG, 0, data)
            c.region_write(CONFIG, 1, data[1:])
        c.reset()
        assert c.region_read(CONFIG, 0, 4096) == before
        assert c.enable().read32(BAR0, 0) == ID


def test_noise():
    """C28: the chains cannot be bent by writes."""
    with device() as d:
        c = d.connect()
        before = chain(c)
        numbers = random.Random(3)
        for _ in range(2000):
            at = numbers.randrange(4096)
            data = numbers.randbytes(min(numbers.choice((1, 2, 3, 4, 7, 8)), 4096 - at))
            c.post(CONFIG, at, data)
        assert chain(c) == before and c.region_read(CONFIG, 0, 4) == b"\xf4\x1a\xf0\x10"


# --- Capabilities ---

def test_chain():
    """C17: it is sane, ends, and has each once."""
    with device() as d:
        assert set(chain(d.connect())) == {CAP_PM, CAP_MSI, CAP_VENDOR, CAP_EXPRESS, CAP_MSIX}


def test_headers_are_read_only():
    with device() as d:
        c = d.connect()
        before = chain(c)
        for at in before.values():
            c.region_write(CONFIG, at, b"\0\0")
            c.region_write(CONFIG, at, b"\xff\xff")
        assert chain(c) == before


def test_msi():
    """64-bit addresses, 4 messages; no more can be enabled than there are."""
    with device() as d:
        c = d.connect()
        at = chain(c)[CAP_MSI]
        control = read(c, at + 2, 2)
        assert control & 0x80 and control >> 1 & 7 == 2 and not control & 1 and not control >> 4 & 7
        write(c, at + 4, 4, 0xFEE00003)
        write(c, at + 8, 4, 0x12345678)
        write(c, at + 12, 2, 0x4041)
        assert (read(c, at + 4, 4), read(c, at + 8, 4), read(c, at + 12, 2)) == (0xFEE00000, 0x12345678, 0x4041)
        write(c, at + 2, 2, 0x0001 | 2 << 4)
        assert read(c, at + 2, 2) == control | 1 | 2 << 4
        write(c, at + 2, 2, 0xFFFF)
        assert read(c, at + 2, 2) >> 4 & 7 <= 2 and read(c, at + 2, 2) & ~0x71 == control
        write(c, at + 2, 2, 0)
        assert read(c, at + 2, 2) == control


def test_msix():
    """8 vectors, the table at 0 and the pending bits at 0x2000 of BAR4."""
    with device() as d:
        c = d.connect().enable()
        at = chain(c)[CAP_MSIX]
        assert read(c, at + 2, 2) == 7
        assert read(c, at + 4, 4) == 4 and read(c, at + 8, 4) == 0x2000 | 4
        for value, expected in ((0xFFFF, 0xC007), (0x8000, 0x8007), (0, 7)):
            write(c, at + 2, 2, value)
            assert read(c, at + 2, 2) == expected
        c.region_write(CONFIG, at + 4, b"\xff" * 8)
        assert read(c, at + 4, 4) == 4 and read(c, at + 8, 4) == 0x2000 | 4


def test_msix_table():
    """Masked after reset; addresses, data and mask are the guest's, nothing else; the pending bits are read-only."""
    with device() as d:
        c = d.connect().enable()
        for vector in range(8):
            assert c.region_read(BAR4, 16 * vector, 16) == bytes(12) + b"\1\0\0\0"
        c.region_write(BAR4, 32, b"\xff" * 16)
        assert c.region_read(BAR4, 32, 16) == b"\xfc" + b"\xff" * 11 + b"\1\0\0\0"
        c.region_write(BAR4, 32 + 12, b"\0")
        c.region_write(BAR4, 35, b"\x11\x22")               # across two words
        assert c.region_read(BAR4, 32, 16) == b"\xfc\xff\xff\x11\x22" + b"\xff" * 7 + bytes(4)
        c.region_write(BAR4, 0x2000, b"\xff" * 8)
        assert c.region_read(BAR4, 0x2000, 8) == bytes(8)
        data = os.urandom(256)
        c.region_write(BAR4, 0x2100, data)
        assert c.region_read(BAR4, 0x2100, 256) == data
        c.region_write(BAR4, 120, bytes(16))                # the end of the table and what is behind it
        assert len(c.region_read(BAR4, 0, 16384)) == 16384


def test_vendor_capability():
    with device() as d:
        c = d.connect()
        at = chain(c)[CAP_VENDOR]
        assert c.region_read(CONFIG, at + 2, 1) == b"\x10" and c.region_read(CONFIG, at + 4, 12) == b"TSTD" + bytes(8)
        c.region_write(CONFIG, at + 8, b"\1\2\3\4")
        assert c.region_read(CONFIG, at + 4, 12) == b"TSTD\1\2\3\4\1\0\0\0"
        c.region_write(CONFIG, at + 9, b"\xff")
        assert c.region_read(CONFIG, at + 8, 8) == b"\1\xff\3\4\2\0\0\0"
        c.region_write(CONFIG, at + 2, b"\xff" * 6)
        c.region_write(CONFIG, at + 12, b"\xff" * 4)
        assert c.region_read(CONFIG, at + 2, 14) == b"\x10\0TSTD\1\xff\3\4\2\0\0\0"


def test_extended_capabilities():
    with device() as d:
        c = d.connect()
        found, at = {}, 0x100
        while at:
            assert at % 4 == 0 and 0x100 <= at < 4096 and at not in found.values()
            header = read(c, at, 4)
            assert header >> 16 & 15 == 1
            found[header & 0xFFFF] = at
            at = header >> 20
        assert set(found) == {3, 0x0B}
        assert c.region_read(CONFIG, found[3] + 4, 8) == b"\1\2\3\4\5\6\7\x08"
        assert len(set(c.region_read(CONFIG, found[0x0B] + 4, 12))) > 1
        before = c.region_read(CONFIG, 0x100, 0xF00)
        c.region_write(CONFIG, 0x100, b"\xff" * 0xF00)
        c.region_write(CONFIG, 0x100, bytes(0xF00))
        assert c.region_read(CONFIG, 0x100, 0xF00) == before


def test_no_extended_capabilities_without_express():
    with device(kind="plain") as d:
        c = d.connect()
        assert len(c.region_read(CONFIG, 0, 256)) == 256
        expect(errno.EINVAL, lambda: c.region_read(CONFIG, 256, 4))


# --- Function-level reset and power ---

def test_express():
    """An endpoint with function-level reset; the bit reads as 0 always."""
    with device() as d:
        c = d.connect()
        at = chain(c)[CAP_EXPRESS]
        assert read(c, at + 2, 2) & 0xF == 2 and read(c, at + 2, 2) >> 4 & 15 == 0
        assert read(c, at + 4, 4) & 1 << 28
        write(c, at + 8, 2, 0x7FFF)
        assert not read(c, at + 8, 2) & 1 << 15
        assert read(c, at + 8, 2) >> 5 & 7 == 0             # no larger payload than it says that it can


def test_function_level_reset():
    """C17: trapped: the function is as after init, and what a holder has set up stays."""
    with device() as d:
        c = d.connect().enable()
        irq = Irq()
        c.wire(MSIX, [irq.fd])
        c.write32(BAR0, SCRATCH, 77)
        c.region_write(BAR2, 0, b"data")
        write(c, BAR, 4, 0xFEBF0000)
        write(c, LINE, 1, 11)
        at = chain(c)[CAP_EXPRESS]
        write(c, at + 8, 2, read(c, at + 8, 2) | 1 << 15)
        assert (read(c, COMMAND, 2), read(c, BAR, 4), read(c, LINE, 1)) == (0, 0, 0)
        expect(errno.EIO, lambda: c.read32(BAR0, 0))
        c.enable()
        assert c.read32(BAR0, SCRATCH) == 0 and c.read32(BAR0, RESETS) == 1 and c.region_read(BAR2, 0, 4) == bytes(4)
        c.write32(BAR0, 0x0C, 0)
        assert irq.count(20) == 1
        irq.close()


def test_function_level_reset_by_half_a_register():
    """C17: the upper byte alone, or a long access over it."""
    with device() as d:
        c = d.connect()
        at = chain(c)[CAP_EXPRESS]
        write(c, at + 9, 1, 0x80)
        assert c.enable().read32(BAR0, RESETS) == 1
        write(c, at + 7, 3, 0x800000)
        assert c.enable().read32(BAR0, RESETS) == 2
        write(c, at + 8, 1, 0xFF)
        assert c.enable().read32(BAR0, RESETS) == 2


def test_power():
    """C17: in D3hot BARs and the interrupt pin are off, configuration space is there; D0 brings them back as they were."""
    with device() as d:
        c = d.connect().enable()
        at = chain(c)[CAP_PM]
        control = read(c, at + 4, 2)
        assert control & 3 == 0
        c.write32(BAR0, SCRATCH, 77)
        write(c, at + 4, 2, control | 3)
        assert read(c, at + 4, 2) & 3 == 3
        for region in (BAR0, BAR1, BAR2, BAR4):
            expect(errno.EIO, lambda: c.region_read(region, 0, 4))
            expect(errno.EIO, lambda: c.region_write(region, 0, b"\0\0\0\0"))
        assert read(c, COMMAND, 2) == 7 and c.region_read(CONFIG, 0, 4) == b"\xf4\x1a\xf0\x10"
        write(c, at + 4, 2, control)
        assert c.read32(BAR0, SCRATCH) == 77 and c.read32(BAR0, RESETS) == 0


def test_power_states_that_do_not_exist():
    with device() as d:
        c = d.connect().enable()
        at = chain(c)[CAP_PM]
        for state in (1, 2):
            if not read(c, at + 2, 2) & 1 << (8 + state):
                write(c, at + 4, 2, state)
                assert read(c, at + 4, 2) & 3 == 0 and c.read32(BAR0, 0) == ID


def test_power_by_unaligned_accesses():
    with device() as d:
        c = d.connect().enable()
        at = chain(c)[CAP_PM]
        c.region_write(CONFIG, at + 2, b"\xff\xff\3\0")
        assert read(c, at + 4, 1) & 3 == 3
        expect(errno.EIO, lambda: c.read32(BAR0, 0))
        c.region_write(CONFIG, at + 3, b"\xff\0\0\0\0")
        assert c.read32(BAR0, 0) == ID


def test_pin_in_d3hot():
    with device() as d:
        c = d.connect().enable()
        irq = Irq()
        c.wire(INTX, [irq.fd])
        c.set_irqs(INTX, vfu.DATA_NONE | vfu.MASK, 0, 1)
        c.write32(BAR0, LEVEL, 1)
        at = chain(c)[CAP_PM]
        write(c, at + 4, 2, 3)
        c.set_irqs(INTX, vfu.DATA_NONE | vfu.UNMASK, 0, 1)
        assert irq.count() == 0
        write(c, at + 4, 2, 0)
        assert irq.count(20) == 1
        irq.close()


def test_reset_wakes():
    """C18."""
    with device() as d:
        c = d.connect().enable()
        write(c, chain(c)[CAP_PM] + 4, 2, 3)
        c.reset()
        assert c.enable().read32(BAR0, 0) == ID


def test_rom():
    """Its BAR is virtual; the content comes by its region."""
    with device() as d:
        c = d.connect().enable()
        write(c, ROM_BAR, 4, 0xFEC00001)
        assert read(c, ROM_BAR, 4) == 0xFEC00001 and c.region_read(ROM, 0, 2) == b"\x55\xaa"


if __name__ == "__main__":
    vfu.main()
