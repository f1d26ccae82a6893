# SPDX-License-Identifier: MIT
"""Pictures of a display's screen: fetched with `tranche screen`, decoded, and the pattern that draw.c shows."""
import struct
import subprocess
import zlib

from device import TRANCHE


def screen(path):
    """(exit status, PNG, what it said)"""
    done = subprocess.run([TRANCHE, "screen", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=40, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def chunks(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", png, at)
        data = png[at + 8:at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(kind + data)
        yield kind, data
        at += length + 12
    assert at == len(png)


def nearest(a, b, c):
    return min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]


def undo(kind, row, above, size):
    """One row without its filter (PNG 9.2)."""
    row = bytearray(row)
    if kind == 0:
        return row
    if kind == 2:
        return bytearray(a + b & 255 for a, b in zip(row, above))
    for i, value in enumerate(row):
        left, corner = (row[i - size], above[i - size]) if i >= size else (0, 0)
        row[i] = value + {1: left, 3: (left + above[i]) // 2, 4: nearest(left, above[i], corner)}[kind] & 255
    return row


def decode(png):
    """(width, height, rows of red, green, blue)"""
    parts = list(chunks(png))
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", parts[0][1])
    assert (depth, colour, interlace) == (8, 2, 0), "true colour, eight bits"
    data = zlib.decompress(b"".join(data for kind, data in parts if kind == b"IDAT"))
    stride = 3 * width + 1
    assert len(data) == stride * height
    rows, above = [], bytes(3 * width)
    for start in range(0, len(data), stride):
        above = undo(data[start], data[start + 1:start + stride], above, 3)
        rows.append(above)
    return width, height, rows


def pattern_row(width, y):
    row = bytearray(3 * width)
    row[0::3] = bytes(3 * x + y + 40 * (y // 256) & 255 for x in range(width))
    row[1::3] = bytes((5 * y ^ x) + 9 * (x // 256) & 255 for x in range(width))
    row[2::3] = bytes(x + 7 * y + 13 & 255 for x in range(width))
    return row


def expect_pattern(path, width, height):
    """The picture is draw.c's, each pixel."""
    status, png, said = screen(path)
    assert status == 0, said
    found_width, found_height, rows = decode(png)
    assert (found_width, found_height) == (width, height)
    for y, row in enumerate(rows):
        if row != pattern_row(width, y):
            x = next(i for i, pair in enumerate(zip(row, pattern_row(width, y))) if pair[0] != pair[1]) // 3
            raise AssertionError(f"pixel {x},{y} is {row[3 * x:3 * x + 3].hex()}, not {pattern_row(width, y)[3 * x:3 * x + 3].hex()}")
