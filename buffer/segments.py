"""Sealed segments: how one is numbered and stored, and which of them the other end has, lacks or wants once more."""

import hashlib
import heapq
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

_FIRST_DIGEST = bytes(32)

FIRST = ("alarm", "dropped", "schema", "clock")
"""Streams that go ahead of any backlog: tiny, and some of them needed to understand what follows."""


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

    def minus(self, other: "Total") -> "Total":
        """Take away, entry by entry and reading by reading."""
        return Total(self.entries - other.entries, self.readings - other.readings)


@dataclass(frozen=True, slots=True)
class Held:
    """What a segment holds: so many readings from one time to another, sealed at `utc_ms` where that is known."""

    count: int
    first_ms: int
    last_ms: int
    utc_ms: int | None


def insert(
    connection: sqlite3.Connection, epoch: bytes, stream: str, held: Held, pack: Callable[[Place], bytes]
) -> tuple[Segment, int]:
    """Store a segment under the next number of a stream; give also its id."""
    row = connection.execute("SELECT id, last_sequence, last_digest FROM stream WHERE name = ?", (stream,)).fetchone()
    if row is None:
        new = connection.execute("INSERT INTO stream VALUES (NULL, ?, 0, ?)", (stream, _FIRST_DIGEST)).lastrowid
        row = (new, 0, _FIRST_DIGEST)
    number, last, previous = row
    place = Place(epoch, stream, last + 1, previous)
    blob = pack(place)
    digest = hashlib.sha256(blob).digest()
    connection.execute(
        "UPDATE stream SET last_sequence = ?, last_digest = ? WHERE id = ?", (place.sequence, digest, number)
    )
    inserted = connection.execute(
        "INSERT INTO segment (stream, sequence, first_ms, last_ms, count, blob, utc_ms, digest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, place.sequence, held.first_ms, held.last_ms, held.count, blob, held.utc_ms, digest),
    ).lastrowid
    return Segment(epoch, stream, place.sequence, held.first_ms, held.last_ms, held.count, blob), inserted or 0


def last_sequence(connection: sqlite3.Connection, stream: str) -> int:
    """Give the number that a stream has used last, 0 if none."""
    row = connection.execute("SELECT last_sequence FROM stream WHERE name = ?", (stream,)).fetchone()
    return int(row[0]) if row else 0


def last_sequences(connection: sqlite3.Connection) -> dict[str, int]:
    """Give the number that each stream has used last."""
    return dict(connection.execute("SELECT name, last_sequence FROM stream").fetchall())


def holds_last(connection: sqlite3.Connection, stream: str) -> bool:
    """Tell whether the segment that a stream has numbered last is still here, with or without a receipt."""
    query = (
        "SELECT 1 FROM stream JOIN segment ON segment.stream = stream.id AND segment.sequence = stream.last_sequence"
        " WHERE name = ? AND received IN (0, 1)"
    )
    return connection.execute(query, (stream,)).fetchone() is not None


def total(connection: sqlite3.Connection, *, received: bool) -> Total:
    """Count the segments in one state; reads them all, so it is for the start only."""
    return Total(
        *connection.execute(
            "SELECT count(*), coalesce(sum(count), 0) FROM segment WHERE received = ?", (received,)
        ).fetchone()
    )


def totals(connection: sqlite3.Connection) -> dict[str, Total]:
    """Count the pending segments of each stream that has some; reads them all, as `total` does."""
    rows = connection.execute(
        "SELECT name, count(*), sum(count) FROM segment JOIN stream ON stream.id = segment.stream"
        " WHERE received = 0 GROUP BY segment.stream"
    )
    return {name: Total(some, held) for name, some, held in rows}


def pending(  # noqa: PLR0913 - what a reader may want of it
    connection: sqlite3.Connection,
    epoch: bytes,
    limit: int,
    after: Mapping[str, int],
    names: Iterable[str],
    *,
    order: Sequence[str],
) -> tuple[list[Segment], dict[str, list[int]]]:
    """Give segments without a receipt, and the ids, for each stream, of those met that are damaged.

    Streams of the tiers (a name up to its first ".") in `order` come first, in that order, then the rest; within a tier
    in the order of sealing; of each stream those numbered above `after`. `names` are the streams that may have some.
    """
    ranks = {tier: place for place, tier in enumerate(order)}
    found: list[tuple[int, int, str]] = []  # a heap of the best so far: the worst of them on top
    for name in names:
        rank = ranks.get(name.partition(".")[0], len(ranks))
        query = (
            "SELECT segment.id FROM stream JOIN segment ON segment.stream = stream.id"
            " WHERE stream.name = ? AND received = 0 AND sequence > ? ORDER BY sequence"
        )
        with closing(connection.execute(query, (name, after.get(name, 0)))) as cursor:
            for (number,) in cursor:
                entry = (-rank, -number, name)
                if len(found) < limit:
                    heapq.heappush(found, entry)
                elif found and entry > found[0]:
                    heapq.heapreplace(found, entry)
                else:
                    break
    segments: list[Segment] = []
    damaged: dict[str, list[int]] = {}
    for _, number, name in sorted(found, reverse=True):
        sequence, first_ms, last_ms, held, blob, digest = connection.execute(
            "SELECT sequence, first_ms, last_ms, count, blob, digest FROM segment WHERE id = ?", (-number,)
        ).fetchone()
        if digest is None or hashlib.sha256(blob).digest() == digest:
            segments.append(Segment(epoch, name, sequence, first_ms, last_ms, held, blob))
        else:
            damaged.setdefault(name, []).append(-number)
    return segments, damaged


def oldest_ms(connection: sqlite3.Connection, names: Iterable[str]) -> int | None:
    """Give the first time of the pending segment that was sealed first."""
    query = (
        "SELECT segment.id FROM stream JOIN segment ON segment.stream = stream.id"
        " WHERE stream.name = ? AND received = 0 ORDER BY sequence LIMIT 1"
    )
    ids = [row[0] for name in names if (row := connection.execute(query, (name,)).fetchone()) is not None]
    if not ids:
        return None
    return int(connection.execute("SELECT first_ms FROM segment WHERE id = ?", (min(ids),)).fetchone()[0])


def mark(connection: sqlite3.Connection, stream: str, ranges: Iterable[Sequence[int]], *, received: bool) -> Total:
    """Set the state of the segments in `ranges` (first, last; both included) that have the other one; tell how many."""
    changed = Total()
    row = connection.execute("SELECT id FROM stream WHERE name = ?", (stream,)).fetchone()
    if row is None:
        return changed
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
        changed = changed.plus(Total(some, held))
    return changed
