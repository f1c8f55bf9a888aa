"""What has arrived of one stream: everything up to a watermark, and ranges above it. No I/O."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Coverage:
    """Sequence numbers from 1, kept as a watermark and sorted, disjoint ranges that do not touch."""

    __slots__ = ("_ranges", "upto")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.upto = 0
        self._ranges: list[tuple[int, int]] = []
        for first, last in ranges:
            self._ranges.append((first, last))
        self._close()

    def __contains__(self, sequence: int) -> bool:
        if sequence <= self.upto:
            return True
        place = bisect_right(self._ranges, sequence, key=_first) - 1
        return place >= 0 and sequence <= self._ranges[place][1]

    def add(self, sequence: int) -> bool:
        """Note one number; False where it was there already."""
        if sequence in self:
            return False
        place = bisect_right(self._ranges, sequence, key=_first)
        first = last = sequence
        if place < len(self._ranges) and self._ranges[place][0] == sequence + 1:
            last = self._ranges.pop(place)[1]
        if place > 0 and self._ranges[place - 1][1] == sequence - 1:
            place -= 1
            first = self._ranges.pop(place)[0]
        self._ranges.insert(place, (first, last))
        self._close()
        return True

    def ranges(self, limit: int) -> tuple[tuple[int, int], ...]:
        """Give the lowest `limit` ranges above the watermark."""
        return tuple(self._ranges[:limit])

    def gaps(self) -> Iterator[tuple[int, int]]:
        """Give what is missing below the highest number, lowest first."""
        expected = self.upto + 1
        for first, last in self._ranges:
            yield expected, first - 1
            expected = last + 1

    def _close(self) -> None:
        while self._ranges and self._ranges[0][0] <= self.upto + 1:
            self.upto = max(self.upto, self._ranges.pop(0)[1])


def _first(interval: tuple[int, int]) -> int:
    return interval[0]
