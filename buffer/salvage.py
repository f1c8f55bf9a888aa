"""The rows of a damaged table that can still be read, and where rows are missing between them."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

_STREAMS = "SELECT id, last_sequence, last_digest FROM stream"

_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)


@dataclass(slots=True)
class Readable:
    """Reads a table that has an `id`, in its order; `holes` are pairs of ids between which rows are lost.

    The second of a pair is None where nothing above the first can be read.
    """

    connection: sqlite3.Connection
    table: str
    holes: list[tuple[int, int | None]] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Give one row after another."""
        at = 0
        while True:
            try:
                for row in self.connection.execute(self._from(">"), (at,)):
                    if row[0] <= at:
                        break
                    yield row
                    at = row[0]
                else:
                    return
            except _DAMAGE:
                pass
            # Python looks one row ahead: the one before what cannot be read is had alone.
            last = self._first(at + 1)
            if last is None:
                after = self._next(at)
                self.holes.append((at, after))
                if after is None:
                    return
                last = self._first(after)
            if last is None:
                return
            yield last
            at = last[0]

    def _next(self, at: int) -> int | None:
        """Give the first id above `at` that can be reached, past what cannot."""
        step = 1
        while step < 1 << 62 and self._found(at + step) is None:
            step *= 2
        low, high = step // 2, step
        while low + 1 < high:
            middle = (low + high) // 2
            if self._found(at + middle) is None:
                low = middle
            else:
                high = middle
        return self._found(at + high)

    def _found(self, least: int) -> int | None:
        row = self._first(least)
        return None if row is None else int(row[0])

    def _first(self, least: int) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self.connection.execute(f"{self._from('>=')} LIMIT 1", (least,)).fetchone()
        except _DAMAGE:
            return None
        return row if row is not None and row[0] >= least else None

    def _from(self, than: str) -> str:
        return f"SELECT * FROM {self.table} NOT INDEXED WHERE id {than} ? ORDER BY id"  # noqa: S608 - names of ours


def copy(damaged: sqlite3.Connection, connection: sqlite3.Connection, table: str) -> list[tuple[int, int | None]]:
    """Copy what can be read of a table of `damaged` into the same of `connection`; give the holes, as Readable does.

    A row that the new table does not take is lost as well.
    """
    readable = Readable(damaged, table)
    holes = []
    before = 0
    for row in readable.rows():
        marks = ", ".join("?" * len(row))
        try:
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - names of ours
        except sqlite3.DatabaseError:
            holes.append((before, row[0] + 1))
        before = row[0]
    return [*holes, *readable.holes]


def at_most(holes: list[tuple[int, int | None]]) -> int:
    """Give how many rows there were in holes, at most; where that cannot be told, one."""
    return sum(high - low - 1 if high else 1 for low, high in holes)


def listed(damaged: sqlite3.Connection) -> list[tuple[int, int]]:
    """Give stream and number of each pending segment that the index of the table names, as far as that can be read.

    It tells of rows that a page holds no more which looks sound: an old one, or another's, that the card gave for it.
    """
    query = "SELECT stream, sequence FROM segment INDEXED BY segment_by_state WHERE received = 0 AND stream = ?"
    found: list[tuple[int, int]] = []
    for stream, _, _ in damaged.execute(_STREAMS).fetchall():
        for way in ("", "DESC"):  # from both ends up to what cannot be read
            with contextlib.suppress(*_DAMAGE):
                found += damaged.execute(f"{query} ORDER BY sequence {way}", (stream,))
    return found


def record(connection: sqlite3.Connection, holes: list[tuple[int, int | None]], listed_: list[tuple[int, int]]) -> int:
    """Note as lost to damage the segments that were in the holes, as far as their neighbours tell; give how many.

    And those that were `listed` and are not there. How many readings were in them is not known, and no digest but that
    of a stream's last: the rest are zeros.
    """
    lost = 0
    for stream, last, digest in connection.execute(_STREAMS).fetchall():
        for low, high in holes:
            first = 1 + _sequence(connection, "max(sequence)", "id <= ?", stream, low, 0)
            end = _sequence(connection, "min(sequence)", "id >= ?", stream, high, last + 1) - 1 if high else last
            if high:  # no more than there are ids; others below may have been delivered, and deleted since
                first = max(first, end + 1 - (high - low - 1))
            lost += _record(
                connection, stream, first, end, digest if end == last else bytes(hashlib.sha256().digest_size)
            )
        lost += _record_missing(
            connection, stream, {each for number, each in listed_ if number == stream}, last, digest
        )
    if lost:
        connection.execute(
            "INSERT INTO loss VALUES ('damage', ?, 0) ON CONFLICT DO UPDATE SET entries = entries + excluded.entries",
            (lost,),
        )
    return lost


def _record_missing(connection: sqlite3.Connection, stream: int, those: set[int], last: int, digest: bytes) -> int:
    """Note what was listed of a stream and is neither there nor told; give how many."""
    those -= {each for (each,) in connection.execute("SELECT sequence FROM segment WHERE stream = ?", (stream,))}
    for first, end in connection.execute(
        "SELECT first_sequence, last_sequence FROM dropped WHERE stream = ?", (stream,)
    ).fetchall():
        those -= {each for each in those if first <= each <= end}
    missing = sorted(each for each in those if 0 < each <= last)
    for _, run in groupby(enumerate(missing), lambda each: each[1] - each[0]):
        numbers = [each for _, each in run]
        known = digest if numbers[-1] == last else bytes(hashlib.sha256().digest_size)
        _insert(connection, stream, numbers[0], numbers[-1], known)
    return len(missing)


def _record(connection: sqlite3.Connection, stream: int, first: int, end: int, digest: bytes) -> int:
    known = connection.execute(
        "SELECT max(last_sequence) FROM dropped WHERE stream = ? AND first_sequence <= ? AND last_sequence >= ?",
        (stream, first, first),
    ).fetchone()[0]
    first = max(first, (known or 0) + 1)
    if first > end:
        return 0
    _insert(connection, stream, first, end, digest)
    return end - first + 1


def _insert(connection: sqlite3.Connection, stream: int, first: int, end: int, digest: bytes) -> None:
    connection.execute(
        "INSERT INTO dropped (stream, first_sequence, last_sequence, count, first_ms, last_ms, last_digest, reason)"
        " VALUES (?, ?, ?, 0, 0, 0, ?, 'damage')",
        (stream, first, end, digest),
    )


def _sequence(  # noqa: PLR0913, PLR0917 - one query
    connection: sqlite3.Connection, what: str, where: str, stream: int, number: int, otherwise: int
) -> int:
    query = f"SELECT {what} FROM segment WHERE stream = ? AND {where}"  # noqa: S608 - words of ours
    found = connection.execute(query, (stream, number)).fetchone()[0]
    return otherwise if found is None else int(found)
