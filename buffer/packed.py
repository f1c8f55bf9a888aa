"""Minutes of one hour as a few bytes each: numbers as variable-length integers, values as small differences.

An entry is: minute of the hour, count, first (from the last value before), last, low and high (from first), and what
the sum is over count x first. A channel that does not change costs 7 bytes a minute. What is seldom otherwise, the
minutes covered (one) and whether a value was estimated (no), is told by a number above 59 for the minute.
"""

from collections.abc import Iterable

Values = tuple[int, int, int, int, int, int]
"""First, last, low, high, sum, count."""

Entry = tuple[int, int, bool, Values]
"""Minute of the hour, minutes covered, whether a value was estimated, values."""

_MINUTES = 60
_COVERED_MOST = 24 * 60
_WIDTH = 7
_BITS_MOST = 70


class DamagedError(ValueError):
    """These bytes are not what `pack` made."""


def pack(entries: Iterable[Entry]) -> bytes:
    """Write entries in order of their minutes."""
    out = bytearray()
    before = 0
    for minute, covered, estimated, (first, last, low, high, total, count) in entries:
        head = minute + _MINUTES * (2 * (covered - 1) + estimated)
        deltas = (first - before, last - first, first - low, high - first, total - first * count)
        for number in (head, count, *(each << 1 ^ each >> 127 for each in deltas)):
            rest = number
            while rest > 0x7F:
                out.append(rest & 0x7F | 0x80)
                rest >>= 7
            out.append(rest)
        before = last
    return bytes(out)


def unpack(data: bytes) -> list[Entry]:
    """Read what `pack` wrote; raise DamagedError for anything else."""
    numbers = _numbers(data)
    if len(numbers) % _WIDTH:
        raise DamagedError("an entry is cut short")
    entries: list[Entry] = []
    before, earlier = 0, -1
    for at in range(0, len(numbers), _WIDTH):
        head, count, *zigzags = numbers[at : at + _WIDTH]
        rest, minute = divmod(head, _MINUTES)
        covered = rest // 2 + 1
        if minute <= earlier or not count or covered > _COVERED_MOST:
            raise DamagedError("a minute is out of order, empty, or covers too much")
        step, change, below, above, over = (each >> 1 ^ -(each & 1) for each in zigzags)
        first = before + step
        last = first + change
        low, high, total = first - below, first + above, first * count + over
        if not low <= last <= high or not low * count <= total <= high * count:
            raise DamagedError("values contradict each other")
        entries.append((minute, covered, bool(rest & 1), (first, last, low, high, total, count)))
        before, earlier = last, minute
    return entries


def _numbers(data: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift >= _BITS_MOST:
                raise DamagedError("a number is too long")
        else:
            numbers.append(number)
            number = shift = 0
    if shift:
        raise DamagedError("a number is cut short")
    return numbers
