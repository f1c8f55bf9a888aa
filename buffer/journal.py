"""The journal: rows that are safe on the card and wait to be sealed.

A row carries a CRC that goes on from the row before it in its lot, so that a worn card can neither change nor hide
what is about to be signed. A later row may build on an earlier one: behind a damaged row the rest of its lot cannot
be sealed, what came before it can.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from buffer.database import Database


@dataclass(frozen=True, slots=True)
class Row:
    """`count` readings from `first_ms` to `last_ms`; rows of different `lot` are never sealed together."""

    stream: str
    lot: bytes
    first_ms: int
    last_ms: int
    count: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Lot:
    """The oldest rows of a stream that may be sealed together: their payloads in order, their ids, what they hold.

    `damaged` are the ids of the rest of the lot, which cannot be sealed; the others may be none.
    """

    ids: tuple[int, ...]
    payloads: tuple[bytes, ...]
    count: int
    first_ms: int
    last_ms: int
    damaged: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it was stored: what has to be known of it without reading it again."""

    number: int
    stream: str
    lot: bytes
    count: int
    crc: int


@dataclass(slots=True)
class _Line:
    """The rows of one stream: readings by id, in order, and where the next row's CRC goes on."""

    counts: dict[int, int] = field(default_factory=dict)
    lot: bytes = b""
    crc: int = 0


class Journal:
    """The rows in a database; what it knows in memory follows with `follow` and `forget`, once they are committed."""

    def __init__(self, database: Database) -> None:
        self._disk = database
        self._lines: dict[str, _Line] = {}
        self.nameless: list[int] = []
        """Ids of rows whose stream can no longer be told."""
        query = "SELECT id, CAST(stream AS BLOB), lot, count, crc FROM journal ORDER BY id"
        for number, name, lot, count, crc in self._db.execute(query):
            try:
                self.follow([Entry(number, name.decode(), lot, count, crc or 0)])
            except UnicodeDecodeError:
                self.nameless.append(number)

    @property
    def _db(self) -> sqlite3.Connection:
        return self._disk.connection

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return sum(len(line.counts) for line in self._lines.values())

    @property
    def readings(self) -> int:
        """How many readings they hold."""
        return sum(sum(line.counts.values()) for line in self._lines.values())

    def streams(self) -> tuple[str, ...]:
        """Give the names of the streams of which rows wait."""
        return tuple(self._lines)

    def ids(self, stream: str) -> tuple[int, ...]:
        """Give the ids of a stream's rows, in order."""
        line = self._lines.get(stream)
        return tuple(line.counts) if line else ()

    def readings_of(self, stream: str) -> int:
        """How many readings a stream's rows hold."""
        line = self._lines.get(stream)
        return sum(line.counts.values()) if line else 0

    def known(self) -> dict[str, _Line]:
        """Give what is known in memory, for `restore`."""
        return {name: _Line(dict(line.counts), line.lot, line.crc) for name, line in self._lines.items()}

    def restore(self, known: dict[str, _Line]) -> None:
        """Forget what was noted since: it did not happen."""
        self._lines = known

    def append(self, rows: Sequence[Row]) -> list[Entry]:
        """Store rows, in order, within the caller's transaction."""
        last: dict[str, tuple[bytes, int]] = {name: (line.lot, line.crc) for name, line in self._lines.items()}
        entries = []
        for row in rows:
            lot, before = last.get(row.stream, (b"", 0))
            crc = _crc(row, before if lot == row.lot else 0)
            number = self._db.execute(
                "INSERT INTO journal (stream, lot, first_ms, last_ms, count, payload, crc)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row.stream, row.lot, row.first_ms, row.last_ms, row.count, row.payload, crc),
            ).lastrowid
            entries.append(Entry(number or 0, row.stream, row.lot, row.count, crc))
            last[row.stream] = (row.lot, crc)
        return entries

    def follow(self, entries: Iterable[Entry]) -> None:
        """Take note of rows that were appended."""
        for entry in entries:
            line = self._lines.setdefault(entry.stream, _Line())
            line.counts[entry.number] = entry.count
            line.lot, line.crc = entry.lot, entry.crc

    def oldest_lot(self, stream: str) -> Lot | None:
        """Give a stream's rows from the oldest on, up to the first of another lot; None if it has none."""
        sound: list[tuple[int, Row]] = []
        damaged: list[int] = []
        lot: bytes | None = None
        crc = 0
        for number in self.ids(stream):
            row, told = _read(self._db, number)
            if lot is not None and row.lot != lot:
                break
            lot = row.lot
            crc = _crc(row, crc) if told is not None else 0  # an older version of this program wrote none
            if damaged or told not in (None, crc):
                damaged.append(number)
            else:
                sound.append((number, row))
        if lot is None:
            return None
        return Lot(
            ids=tuple(number for number, _ in sound),
            payloads=tuple(row.payload for _, row in sound),
            count=sum(row.count for _, row in sound),
            first_ms=min((row.first_ms for _, row in sound), default=0),
            last_ms=max((row.last_ms for _, row in sound), default=0),
            damaged=tuple(damaged),
        )

    def remove(self, ids: Iterable[int]) -> None:
        """Delete rows, within the caller's transaction."""
        self._db.executemany("DELETE FROM journal WHERE id = ?", [(each,) for each in ids])

    def forget(self, stream: str, ids: Iterable[int]) -> None:
        """Take note that rows of a stream were removed."""
        line = self._lines.get(stream)
        if line is None:
            return
        for each in ids:
            line.counts.pop(each, None)
        if not line.counts:
            del self._lines[stream]


def total(connection: sqlite3.Connection) -> tuple[int, int]:
    """Count rows and their readings."""
    rows, readings = connection.execute("SELECT count(*), coalesce(sum(count), 0) FROM journal").fetchone()
    return rows, readings


def _read(connection: sqlite3.Connection, number: int) -> tuple[Row, int | None]:
    *columns, crc = connection.execute(
        "SELECT stream, lot, first_ms, last_ms, count, payload, crc FROM journal WHERE id = ?", (number,)
    ).fetchone()
    return Row(*columns), crc


def _crc(row: Row, before: int) -> int:
    numbers = f"{row.stream} {row.first_ms} {row.last_ms} {row.count} {len(row.lot)} ".encode()
    return zlib.crc32(row.payload, zlib.crc32(row.lot, zlib.crc32(numbers, before)))
