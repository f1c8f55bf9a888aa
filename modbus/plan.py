"""Points -> the fewest, or on a slow line the quickest, reads.

On TCP a request costs more than the registers it carries, so gaps are read along; at 9600 Bd each register that nobody
wants costs 2 ms, and the best gap follows from speed and turnaround (25 values at 9600 Bd with 30 ms turnaround: 512 ms
instead of 1,510 ms in our trial). A read never crosses a hole that the profile declares, and never splits a value.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modbus.profile import LONGEST_BITS, LONGEST_REGISTERS, Hole, Point, Profile, Table


@dataclass(frozen=True, slots=True)
class Read:
    """One request: `count` addresses of `table` from `address` on, which carry `points` (in address order)."""

    table: Table
    address: int
    count: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class SerialLine:
    """What a request costs on a serial line: bits per second, bits per character, the device's turnaround in ms."""

    bits_per_s: int
    bits_per_character: int = 11
    turnaround_ms: int = 30

    def cost_us(self, reads: Iterable[Read]) -> int:
        """Microseconds that `reads` take, with RTU's 3.5 characters of silence on both sides of a frame."""
        character_us = 1_000_000 * self.bits_per_character // self.bits_per_s
        return sum(
            (_REQUEST_BYTES + _REPLY_BYTES + _payload_bytes(read) + 7) * character_us + self.turnaround_ms * 1_000
            for read in reads
        )


_REQUEST_BYTES = 8
"""unit, function, address (2), count (2), CRC (2)"""
_REPLY_BYTES = 5
"""unit, function, byte count, CRC (2)"""


def plan(profile: Profile, points: Sequence[Point], line: SerialLine | None = None) -> tuple[Read, ...]:
    """Give the reads that carry each of `points` exactly once: the quickest on `line`, the fewest without one (TCP)."""
    if line is None:
        return _with_gap(profile, points, LONGEST_BITS)
    gaps = range(profile.longest_read)
    return min((_with_gap(profile, points, gap) for gap in gaps), key=line.cost_us, default=())


def halves(read: Read) -> tuple[Read, ...]:
    """Split a read that a device refused, to find the value it does not have; a single value stays as it is."""
    middle = len(read.points) // 2
    if not middle:
        return (read,)
    return tuple(_around(part) for part in (read.points[:middle], read.points[middle:]))


def _with_gap(profile: Profile, points: Sequence[Point], gap: int) -> tuple[Read, ...]:
    """Join neighbours that stand at most `gap` addresses apart, as far as the longest read and the holes allow."""
    reads: list[Read] = []
    open_points: list[Point] = []
    end = 0
    for point in sorted(points, key=lambda point: (point.table, point.address, point.key)):
        if open_points:
            first = open_points[0]
            joined = (
                point.table is first.table
                and point.address - end <= gap
                and max(end, point.end) - first.address <= _longest(profile, point.table)
                and not _crosses(profile.holes, point.table, end, point.address)
            )
            if not joined:
                reads.append(_around(open_points))
                open_points = []
        end = max(end, point.end) if open_points else point.end
        open_points.append(point)
    if open_points:
        reads.append(_around(open_points))
    return tuple(reads)


def _around(points: Sequence[Point]) -> Read:
    first = points[0]
    return Read(first.table, first.address, max(point.end for point in points) - first.address, tuple(points))


def _longest(profile: Profile, table: Table) -> int:
    # A device that takes short reads alone says so in registers; the same number of bytes then bounds its bits.
    return (
        min(LONGEST_BITS, 16 * profile.longest_read) if table.is_bits else min(LONGEST_REGISTERS, profile.longest_read)
    )


def _crosses(holes: Sequence[Hole], table: Table, start: int, end: int) -> bool:
    return any(hole.table is table and hole.first < end and start <= hole.last for hole in holes)


def _payload_bytes(read: Read) -> int:
    return (read.count + 7) // 8 if read.table.is_bits else 2 * read.count
