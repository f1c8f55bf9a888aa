"""The rows of a damaged table that can still be read, and where rows are missing between them."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
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


def record(connection: sqlite3.Connection, holes: list[tuple[int, int | None]]) -> int:
    """Note as lost to damage the segments that were in the holes, as far as their neighbours tell; give how many.

    How many readings were in them is not known, and no digest but that of a stream's last: the rest are zeros.
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
    if lost:
        connection.execute(
            "INSERT INTO loss VALUES ('damage', ?, 0) ON CONFLICT DO UPDATE SET entries = entries + excluded.entries",
            (lost,),
        )
    return lost


def _record(connection: sqlite3.Connection, stream: int, first: int, end: int, digest: bytes) -> int:
    known = connection.execute(
        "SELECT max(last_sequence) FROM dropped WHERE stream = ? AND first_sequence <= ? AND last_sequence >= ?",
        (stream, first, first),
    ).fetchone()[0]
    first = max(first, (known or 0) + 1)
    if first > end:
        return 0
    connection.execute(
        "INSERT INTO dropped (stream, first_sequence, last_sequence, count, first_ms, last_ms, last_digest, reason)"
        " VALUES (?, ?, ?, 0, 0, 0, ?, 'damage')",
        (stream, first, end, digest),
    )
    return end - first + 1


def _sequence(  # noqa: PLR0913, PLR0917 - one query
    connection: sqlite3.Connection, what: str, where: str, stream: int, number: int, otherwise: int
) -> int:
    query = f"SELECT {what} FROM segment WHERE stream = ? AND {where}"  # noqa: S608 - words of ours
    found = connection.execute(query, (stream, number)).fetchone()[0]
    return otherwise if found is None else int(found)
