"""Sealed segments: how one is numbered and stored, and which of them the other end has, lacks or wants once more."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

_FIRST_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Segment:
    """`count` readings from `first_ms` to `last_ms`, sealed: `blob` is what was signed, is stored and will be sent."""

    epoch: bytes
    stream: str
    sequence: int
    first_ms: int
    last_ms: int
    count: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment will stand: its number, and the SHA-256 of the blob before it (32 zero bytes for the first)."""

    epoch: bytes
    stream: str
    sequence: int
    previous: bytes


@dataclass(frozen=True, slots=True)
class Total:
    """So many rows or segments, with so many readings in them."""

    entries: int = 0
    readings: int = 0

    def plus(self, other: "Total") -> "Total":
        """Add, entry by entry and reading by reading."""
        return Total(self.entries + other.entries, self.readings + other.readings)


def insert(
    connection: sqlite3.Connection,
    epoch: bytes,
    stream: str,
    held: tuple[int, int, int],
    pack: Callable[[Place], bytes],
) -> tuple[Segment, int]:
    """Store what `held` (count, first_ms, last_ms) says under the next number of a stream; give also its id."""
    row = connection.execute("SELECT id, last_sequence, last_digest FROM stream WHERE name = ?", (stream,)).fetchone()
    if row is None:
        new = connection.execute("INSERT INTO stream VALUES (NULL, ?, 0, ?)", (stream, _FIRST_DIGEST)).lastrowid
        row = (new, 0, _FIRST_DIGEST)
    number, last, previous = row
    place = Place(epoch, stream, last + 1, previous)
    blob = pack(place)
    count, first_ms, last_ms = held
    connection.execute(
        "UPDATE stream SET last_sequence = ?, last_digest = ? WHERE id = ?",
        (place.sequence, hashlib.sha256(blob).digest(), number),
    )
    inserted = connection.execute(
        "INSERT INTO segment (stream, sequence, first_ms, last_ms, count, blob) VALUES (?, ?, ?, ?, ?, ?)",
        (number, place.sequence, first_ms, last_ms, count, blob),
    ).lastrowid
    return Segment(epoch, stream, place.sequence, first_ms, last_ms, count, blob), inserted or 0


def total(connection: sqlite3.Connection, *, received: bool) -> Total:
    """Count the segments in one state; reads them all, so it is for the start only."""
    return Total(
        *connection.execute(
            "SELECT count(*), coalesce(sum(count), 0) FROM segment WHERE received = ?", (received,)
        ).fetchone()
    )


def pending(connection: sqlite3.Connection, epoch: bytes, limit: int, after: Mapping[str, int]) -> list[Segment]:
    """Give segments without a receipt, in the order of sealing; of each stream those numbered above `after`."""
    found: list[tuple[int, str]] = []
    for stream, name in connection.execute("SELECT id, name FROM stream").fetchall():
        found.extend(
            (row[0], name)
            for row in connection.execute(
                "SELECT id FROM segment WHERE stream = ? AND received = 0 AND sequence > ? ORDER BY sequence LIMIT ?",
                (stream, after.get(name, 0), limit),
            )
        )
    found.sort()
    return [_segment(connection, epoch, name, number) for number, name in found[:limit]]


def mark(connection: sqlite3.Connection, stream: str, ranges: Iterable[Sequence[int]], *, received: bool) -> Total:
    """Set the state of the segments in `ranges` (first, last; both included) that have the other one; tell how many."""
    segments = readings = 0
    row = connection.execute("SELECT id FROM stream WHERE name = ?", (stream,)).fetchone()
    if row is None:
        return Total()
    for first, last in ranges:
        where = (row[0], not received, first, last)
        some, held = connection.execute(
            "SELECT count(*), coalesce(sum(count), 0) FROM segment"
            " WHERE stream = ? AND received = ? AND sequence BETWEEN ? AND ?",
            where,
        ).fetchone()
        if some:
            connection.execute(
                "UPDATE segment SET received = ? WHERE stream = ? AND received = ? AND sequence BETWEEN ? AND ?",
                (received, *where),
            )
        segments += some
        readings += held
    return Total(segments, readings)


def _segment(connection: sqlite3.Connection, epoch: bytes, stream: str, number: int) -> Segment:
    row = connection.execute(
        "SELECT sequence, first_ms, last_ms, count, blob FROM segment WHERE id = ?", (number,)
    ).fetchone()
    return Segment(epoch, stream, *row)
