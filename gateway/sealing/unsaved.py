"""Rows that the disk has not taken yet: kept in memory for as long as it refuses, within a bound."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from buffer.outbox import Row

MOST_BYTES = 1_500_000
"""What may be kept: some hours of a building of 33 readings/s."""

_ROW_BYTES = 300
"""About what a row takes beside its payload."""

Marks = Mapping[str, int | str]


class Unsaved:
    """Rows in order, with the marks of the newest; where there are too many, the oldest lot goes, whole."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._marks: Marks = {}
        self._bytes = 0
        self.given_up = 0
        """Readings that were lost because the disk refused them for longer than memory could hold them."""

    def add(self, rows: Iterable[Row], marks: Marks) -> None:
        """Hold rows, and what belongs to them."""
        for row in rows:
            self._rows.append(row)
            self._bytes += _size(row)
        self._marks = marks
        while self._bytes > MOST_BYTES and self._rows:
            self._give_up()

    def all(self) -> tuple[Sequence[Row], Marks]:
        """Give every row, in order, and the marks that belong to the newest."""
        return list(self._rows), self._marks

    def clear(self) -> None:
        """Forget them: the disk has them."""
        self._rows.clear()
        self._bytes = 0

    def withdraw(self, streams: Iterable[str]) -> None:
        """Forget the rows of streams that may no longer leave."""
        gone = frozenset(streams)
        self._rows = deque(row for row in self._rows if row.stream not in gone)
        self._bytes = sum(map(_size, self._rows))

    def _give_up(self) -> None:
        """Let the oldest row go, with all of its lot: a lot's later rows mean nothing without its first."""
        stream, lot = self._rows[0].stream, self._rows[0].lot
        self.given_up += sum(row.count for row in self._rows if (row.stream, row.lot) == (stream, lot))
        self._rows = deque(row for row in self._rows if (row.stream, row.lot) != (stream, lot))
        self._bytes = sum(map(_size, self._rows))


def _size(row: Row) -> int:
    return len(row.payload) + _ROW_BYTES
