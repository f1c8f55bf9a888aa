"""Room: how many pages the database may use, and what gives way when there are more.

What the other end has already goes first, then what was never delivered, the finest stream and the oldest segment
first; such a loss is recorded as a range, for people and for the other end to see. Pages in use are counted, not
bytes of the file: on a disk that is truly full SQLite cannot even delete, so the quota acts long before.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from buffer.errors import StorageFull
from buffer.schema import pragma

LEAST_PAGES = 64
"""Below this a quota leaves no room for the tables and one long segment."""

_AT_ONCE = 8
"""Segments removed between two looks at the room: about a page each."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Segments that the quota removed before they were delivered; `last_digest` is what the next one calls previous."""

    stream: str
    first_sequence: int
    last_sequence: int
    count: int
    first_ms: int
    last_ms: int
    last_digest: bytes


@dataclass(frozen=True, slots=True)
class Removed:
    """What making room cost: received segments, and pending ones with their readings."""

    received: int = 0
    pending: int = 0
    pending_readings: int = 0


def pages_used(connection: sqlite3.Connection) -> int:
    """Pages of 4,096 bytes that hold something."""
    return pragma(connection, "page_count") - pragma(connection, "freelist_count")


def make_room(connection: sqlite3.Connection, quota_pages: int, drop_first: Sequence[str], newest_id: int) -> Removed:
    """Within the caller's transaction, remove segments until the quota holds; never the one whose id is `newest_id`.

    `drop_first` names the streams that give way first, in order; the others go last. Raises StorageFull if that does
    not suffice.
    """
    received = pending = pending_readings = 0
    while pages_used(connection) > quota_pages:
        state, victims = _victims(connection, drop_first, newest_id)
        if not victims:
            raise StorageFull(
                f"the outbox uses {pages_used(connection)} pages, its quota is {quota_pages}, "
                "and nothing is left to drop: raise the quota"
            )
        if state:
            received += len(victims)
        else:
            pending += len(victims)
            pending_readings += sum(_record(connection, each) for each in victims)
        connection.executemany("DELETE FROM segment WHERE id = ?", [(each,) for each in victims])
    return Removed(received, pending, pending_readings)


def dropped_total(connection: sqlite3.Connection) -> tuple[int, int]:
    """Count the segments and the readings that were ever lost."""
    segments, readings = connection.execute(
        "SELECT coalesce(sum(last_sequence - first_sequence + 1), 0), coalesce(sum(count), 0) FROM dropped"
    ).fetchone()
    return segments, readings


def dropped_ranges(connection: sqlite3.Connection, newest: int) -> tuple[Dropped, ...]:
    """Give the newest ranges that were lost, the oldest of them first."""
    rows = connection.execute(
        "SELECT name, first_sequence, dropped.last_sequence, count, first_ms, last_ms, dropped.last_digest"
        " FROM dropped JOIN stream ON stream.id = dropped.stream ORDER BY dropped.id DESC LIMIT ?",
        (newest,),
    ).fetchall()
    return tuple(Dropped(*row) for row in reversed(rows))


def _victims(connection: sqlite3.Connection, drop_first: Sequence[str], newest_id: int) -> tuple[int, list[int]]:
    """Ids of the segments to go next, all of one stream and one state, oldest first."""
    rank = {name: position for position, name in enumerate(drop_first)}
    streams = connection.execute("SELECT id, name FROM stream").fetchall()
    streams.sort(key=lambda stream: (rank.get(stream[1], len(rank)), stream[0]))
    for received in (1, 0):
        for stream, _ in streams:
            found = connection.execute(
                "SELECT id FROM segment WHERE stream = ? AND received = ? AND id <> ? ORDER BY sequence LIMIT ?",
                (stream, received, newest_id, _AT_ONCE),
            ).fetchall()
            if found:
                return received, [row[0] for row in found]
    return 0, []


def _record(connection: sqlite3.Connection, segment: int) -> int:
    """Add a pending segment to its stream's dropped ranges; give its count."""
    stream, sequence, count, first_ms, last_ms, blob = connection.execute(
        "SELECT stream, sequence, count, first_ms, last_ms, blob FROM segment WHERE id = ?", (segment,)
    ).fetchone()
    digest = hashlib.sha256(blob).digest()
    extended = connection.execute(
        "UPDATE dropped SET last_sequence = ?, count = count + ?, last_digest = ?,"
        " first_ms = min(first_ms, ?), last_ms = max(last_ms, ?) WHERE stream = ? AND last_sequence = ?",
        (sequence, count, digest, first_ms, last_ms, stream, sequence - 1),
    )
    if extended.rowcount == 0:
        connection.execute(
            "INSERT INTO dropped (stream, first_sequence, last_sequence, count, first_ms, last_ms, last_digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (stream, sequence, sequence, count, first_ms, last_ms, digest),
        )
    return int(count)
