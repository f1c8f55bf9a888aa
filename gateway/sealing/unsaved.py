"""Rows that the disk has not taken yet: kept in memory for as long as it refuses, within a bound."""

from collections import deque
from collections.abc import Mapping, Sequence

from buffer.outbox import Row

MOST_UNSAVED = 360
"""Rows kept in memory while the disk refuses them: an hour at one each 10 s, about a megabyte."""

Marks = Mapping[str, int | str]


class Unsaved:
    """Rows in order, each with the marks of its moment; where there are too many, the oldest lot goes, whole."""

    def __init__(self) -> None:
        self._rows: deque[tuple[Row, Marks]] = deque()
        self.given_up = 0
        """Readings that were lost because the disk refused them for longer than memory could hold them."""

    def add(self, row: Row, marks: Marks) -> None:
        """Hold a row. A lot's later rows mean nothing without its first: they go with it."""
        self._rows.append((row, marks))
        while len(self._rows) > MOST_UNSAVED:
            lot = self._rows[0][0].lot
            while self._rows and self._rows[0][0].lot == lot:
                self.given_up += self._rows.popleft()[0].count

    def all(self) -> tuple[Sequence[Row], Marks]:
        """Give every row, in order, and the marks that belong to the newest."""
        return [row for row, _ in self._rows], self._rows[-1][1] if self._rows else {}

    def clear(self) -> None:
        """Forget them: the disk has them."""
        self._rows.clear()
