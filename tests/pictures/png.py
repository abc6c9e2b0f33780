"""PNGs of the drawings, as small as a screen of text can be: at most 64 colours.

rsvg-convert draws them with four bytes a pixel, of which text on a few grounds needs one. Each PNG
says in itself which drawing it was made of, so that one that is out of date is found without
drawing it again.
"""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF = b"Source\0"
"""Begins the text that names the drawing."""
_COLOURS = 64


def make(drawing: Path) -> Path:
    """Make the PNG beside ``drawing``. Needs rsvg-convert (librsvg)."""
    path = drawing.with_suffix(".png")
    done = subprocess.run(
        ["rsvg-convert", "--background-color=black", drawing], check=True, capture_output=True
    )
    given = drawing.read_bytes()
    mark = _OF + fingerprint(given).encode()
    path.write_bytes(_few_colours(done.stdout, mark, _inks(given)))
    return path


def made_of(path: Path) -> str:
    """Return the fingerprint of the drawing that a PNG was made of; empty when it is not ours."""
    found = re.search(rb"tEXt" + _OF + rb"([0-9a-f]{8})", path.read_bytes()[:2000])
    return found[1].decode() if found else ""


def fingerprint(drawing: bytes) -> str:
    """Return what tells one drawing from another."""
    return f"{zlib.crc32(drawing):08x}"


_Pixel = tuple[int, int, int]


def _inks(drawing: bytes) -> list[_Pixel]:
    """Return the colours that a drawing names."""
    named = re.findall(rb"#([0-9a-f]{6})", drawing)
    parts = (bytes.fromhex(one.decode()) for one in named)
    return list(dict.fromkeys((r >> 2, g >> 2, b >> 2) for r, g, b in parts))


def _few_colours(png: bytes, mark: bytes, drawn: list[_Pixel]) -> bytes:
    """Return an RGB or RGBA picture with a palette (PNG specification, chapters 5, 9 and 11);
    ``drawn``: colours that are in it in any case."""
    chunks = dict[bytes, bytes]()
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind = png[at + 4 : at + 8]
        chunks[kind] = chunks.get(kind, b"") + png[at + 8 : at + 8 + length]
        at += 12 + length
    width, high, _, colour_type = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    step = {2: 3, 6: 4}[colour_type]
    rows = _unfiltered(zlib.decompress(chunks[b"IDAT"]), width, step)
    pixels = [
        [(row[n] >> 2, row[n + 1] >> 2, row[n + 2] >> 2) for n in range(0, step * width, step)]
        for row in rows
    ]
    often = Counter(pixel for row in pixels for pixel in row).most_common()
    # What is drawn with is in it, however little of it there is: a green tick must not turn grey.
    palette = list(dict.fromkeys([*drawn, *(pixel for pixel, _ in often)]))[:_COLOURS]
    place = {pixel: n for n, pixel in enumerate(palette)}
    for pixel in (pixel for pixel, _ in often if pixel not in place):
        place[pixel] = min(range(len(palette)), key=lambda n: _apart(palette[n], pixel))
    data = b"".join(b"\0" + bytes(place[pixel] for pixel in row) for row in pixels)
    colours = b"".join(bytes(part << 2 | part >> 4 for part in pixel) for pixel in palette)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, high, 8, 3, 0, 0, 0)),
            _chunk(b"tEXt", mark),
            _chunk(b"PLTE", colours),
            _chunk(b"IDAT", zlib.compress(data, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _unfiltered(data: bytes, width: int, step: int) -> list[bytearray]:
    """Take back what each row was filtered with; ``step``: bytes a pixel."""
    rows: list[bytearray] = []
    before = bytearray(step * width)
    size = step * width + 1
    for start in range(0, len(data), size):
        row = bytearray(data[start + 1 : start + size])
        match data[start]:
            case 1:
                for n in range(step, len(row)):
                    row[n] = (row[n] + row[n - step]) & 255
            case 2:
                row = bytearray((one + up) & 255 for one, up in zip(row, before, strict=True))
            case 3:
                for n in range(len(row)):
                    left = row[n - step] if n >= step else 0
                    row[n] = (row[n] + (left + before[n] >> 1)) & 255
            case 4:
                for n in range(len(row)):
                    left, corner = (row[n - step], before[n - step]) if n >= step else (0, 0)
                    row[n] = (row[n] + _nearest(left, before[n], corner)) & 255
        rows.append(row)
        before = row
    return rows


def _nearest(left: int, up: int, corner: int) -> int:
    """The Paeth predictor."""
    guess = left + up - corner
    by_left, by_up, by_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner


def _apart(one: tuple[int, int, int], other: tuple[int, int, int]) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
