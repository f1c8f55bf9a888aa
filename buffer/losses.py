"""What was sealed and is gone before it was delivered: ranges of each stream to be told to the other end, and totals.

A range that was told never changes any more; what is lost later begins another. Ranges stay few however much is lost:
neighbours become one, beyond some also over segments between them that were delivered, and those that were told are
forgotten in time. The totals go on.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Reason = Literal["quota", "consent", "damage"]

ASIDE = "aside"
"""Among the totals: journal rows of which no segment could be made. They never had a number, so no range tells them."""

MOST_OPEN = 16
"""Ranges of one stream and reason that may wait to be told before delivered segments between them are spanned."""

TOLD_KEPT = 256
"""Ranges that were told and are still shown to people."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Segments that were removed before they were delivered; `last_digest` is what the next one calls previous.

    `count` readings were in them; between the first and the last there may also be segments that were delivered.
    """

    stream: str
    first_sequence: int
    last_sequence: int
    count: int
    first_ms: int
    last_ms: int
    last_digest: bytes
    reason: Reason = "quota"


REASONS: tuple[Reason, ...] = ("quota", "consent", "damage")

_COLUMNS = (
    "name, first_sequence, dropped.last_sequence, count, first_ms, last_ms, dropped.last_digest, CAST(reason AS BLOB)"
    " FROM dropped JOIN stream ON stream.id = dropped.stream"
)


def count(connection: sqlite3.Connection, reason: str, entries: int, readings: int) -> None:
    """Add to the totals, within the caller's transaction."""
    connection.execute(
        "INSERT INTO loss VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
        " entries = entries + excluded.entries, readings = readings + excluded.readings",
        (reason, entries, readings),
    )


def totals(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Give segments (for ASIDE: rows) and readings lost for each reason."""
    query = "SELECT CAST(reason AS BLOB), entries, readings FROM loss"
    return {name.decode(errors="replace"): (some, held) for name, some, held in connection.execute(query)}


def record(connection: sqlite3.Connection, ids: Iterable[int], reason: Reason, closed: Iterable[int] = ()) -> int:
    """Note that pending segments, in the order of their numbers, are being lost, and delete them; give their readings.

    Within the caller's transaction. `closed` are ids of ranges that are just being told.
    """
    some = readings = 0
    shut = frozenset(closed)
    for each in ids:
        stream, sequence, held, first_ms, last_ms, digest, blob = connection.execute(
            "SELECT stream, sequence, count, first_ms, last_ms, digest, blob FROM segment WHERE id = ?", (each,)
        ).fetchone()
        digest = digest or hashlib.sha256(blob).digest()
        connection.execute("DELETE FROM segment WHERE id = ?", (each,))
        grown = _grown(connection, stream, sequence, reason, shut)
        if grown is None:
            connection.execute(
                "INSERT INTO dropped (stream, first_sequence, last_sequence, count, first_ms, last_ms, last_digest,"
                " reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (stream, sequence, sequence, held, first_ms, last_ms, digest, reason),
            )
        else:
            connection.execute(
                "UPDATE dropped SET last_sequence = ?, count = count + ?, last_digest = ?,"
                " first_ms = min(first_ms, ?), last_ms = max(last_ms, ?) WHERE id = ?",
                (sequence, held, digest, first_ms, last_ms, grown),
            )
        some += 1
        readings += held
    count(connection, reason, some, readings)
    return readings


def _grown(connection: sqlite3.Connection, stream: int, sequence: int, reason: str, shut: frozenset[int]) -> int | None:
    """Give the id of the range that takes in `sequence`, if one does."""
    rows = connection.execute(
        "SELECT id, last_sequence FROM dropped WHERE stream = ? AND reason = ? AND reported = 0 AND last_sequence < ?"
        " ORDER BY last_sequence DESC",
        (stream, reason, sequence),
    ).fetchall()
    open_ = [(number, last) for number, last in rows if number not in shut]
    if not open_:
        return None
    number, last = open_[0]
    if last == sequence - 1:
        return int(number)
    if len(open_) < MOST_OPEN:
        return None
    between = connection.execute(
        "SELECT 1 FROM segment WHERE stream = ? AND received = 0 AND sequence BETWEEN ? AND ? LIMIT 1",
        (stream, last + 1, sequence - 1),
    ).fetchone()
    return int(number) if between is None else None


def untold(connection: sqlite3.Connection) -> list[tuple[int, Dropped]]:
    """Give the ranges that were not told yet, with their ids, the oldest first."""
    query = f"SELECT dropped.id, {_COLUMNS} WHERE reported = 0 ORDER BY dropped.id"
    return [(number, _dropped(row)) for number, *row in connection.execute(query)]


def tell(connection: sqlite3.Connection, dropped: Dropped) -> None:
    """Mark a range as told, within the caller's transaction; raise ValueError if it is none that waits."""
    told = connection.execute(
        "UPDATE dropped SET reported = 1 WHERE reported = 0 AND first_sequence = ? AND last_sequence = ?"
        " AND stream = (SELECT id FROM stream WHERE name = ?)",
        (dropped.first_sequence, dropped.last_sequence, dropped.stream),
    )
    if told.rowcount != 1:
        raise ValueError(f"{dropped}: no range that waits to be told")
    connection.execute(
        "DELETE FROM dropped WHERE reported = 1 AND id <="
        " (SELECT id FROM dropped WHERE reported = 1 ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (TOLD_KEPT,),
    )


def untell(connection: sqlite3.Connection, stream: str, first: int, last: int, most: int) -> list[int]:
    """Let ranges that were told and touch `first` to `last` wait to be told again, the oldest `most`; give their ids.

    Within the caller's transaction.
    """
    rows = connection.execute(
        "UPDATE dropped SET reported = 0 WHERE id IN (SELECT id FROM dropped WHERE reported = 1"
        " AND stream = (SELECT id FROM stream WHERE name = ?) AND first_sequence <= ? AND last_sequence >= ?"
        " ORDER BY id LIMIT ?) RETURNING id",
        (stream, last, first, most),
    )
    return [number for (number,) in rows.fetchall()]


def ranges(connection: sqlite3.Connection, newest: int) -> tuple[Dropped, ...]:
    """Give the newest ranges, told or not, the oldest of them first."""
    query = f"SELECT {_COLUMNS} ORDER BY dropped.id DESC LIMIT ?"
    return tuple(_dropped(row) for row in reversed(connection.execute(query, (newest,)).fetchall()))


def _dropped(row: Sequence[Any]) -> Dropped:
    *rest, reason = row
    # A reason that the card has changed is told as what that is.
    stream, first, last, held, first_ms, last_ms, digest = rest
    known: Reason = next((each for each in REASONS if each.encode() == reason), "damage")
    return Dropped(stream, first, last, held, first_ms, last_ms, digest, known)
