"""Screenshots for a guide: cut to their beginning, and written with a palette of 256 colours, a third of the bytes."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _PALETTE = (8, 2, 0, 0, 0), (8, 3, 0, 0, 0)
"""Depth, colour type, and the three that have one value each in what a browser writes."""
_MOST_COLOURS = 256
_COLOUR = 3


def smaller(png: bytes, most_rows: int) -> bytes:
    """Give the first rows of a picture as a browser writes it, with its most frequent colours alone."""
    chunks = dict(_chunks(png))
    width, height, *kind = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if tuple(kind) != _RGB:
        raise ValueError(f"a PNG of kind {kind}: only one of 8 bits a colour, without transparency, is read")
    rows = list(_rows(zlib.decompress(chunks[b"IDAT"]), width * _COLOUR, min(height, most_rows)))
    pixels = [[bytes(row[at : at + _COLOUR]) for at in range(0, len(row), _COLOUR)] for row in rows]
    colours = [colour for colour, _ in Counter(pixel for row in pixels for pixel in row).most_common()]
    palette = colours[:_MOST_COLOURS]
    place = {colour: at for at, colour in enumerate(palette)}
    place |= {colour: _nearest(colour, palette) for colour in colours[_MOST_COLOURS:]}
    packed = zlib.compress(b"".join(b"\0" + bytes(place[pixel] for pixel in row) for row in pixels), 9)
    head = struct.pack(">IIBBBBB", width, len(rows), *_PALETTE)
    written = ((b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", packed), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in written)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the chunks by name, those of the pixels as one."""
    at, pixels = len(_SIGNATURE), b""
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        content = png[at + 8 : at + 8 + length]
        at += length + 12
        if name == b"IDAT":
            pixels += content
        else:
            yield name, content
    yield b"IDAT", pixels


def _rows(filtered: bytes, length: int, count: int) -> Iterator[bytearray]:
    """Undo the filter of each row: what a byte was written less than."""
    above = bytearray(length)
    for at in range(0, count * (length + 1), length + 1):
        row = bytearray(filtered[at + 1 : at + 1 + length])
        kind = filtered[at]
        for x in range(length) if kind else ():
            left, left_above = (row[x - _COLOUR], above[x - _COLOUR]) if x >= _COLOUR else (0, 0)
            row[x] = (
                row[x] + (left, above[x], (left + above[x]) // 2, _paeth(left, above[x], left_above))[kind - 1] & 255
            )
        yield row
        above = row


def _paeth(left: int, above: int, left_above: int) -> int:
    guess = left + above - left_above
    return min((left, above, left_above), key=lambda value: abs(guess - value))


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    def far(at: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(palette[at], colour, strict=True))

    return min(range(len(palette)), key=far)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
