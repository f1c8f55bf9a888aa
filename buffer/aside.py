"""Rows of which no segment can be made, kept apart for a technician so that sealing goes on without them; bounded."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from buffer import losses

MOST_BYTES = 64 * 4096
"""What they may take together; the oldest go when there are more."""

_ROW_BYTES = 64
"""About what one takes beside its payload and its lot."""

_WHY_MOST = 200


@dataclass(frozen=True, slots=True)
class Aside:
    """A journal row that was set aside, and why; `stream` is as near as its damaged name comes."""

    why: str
    stream: str
    lot: bytes
    first_ms: int
    last_ms: int
    count: int
    payload: bytes


def move(connection: sqlite3.Connection, ids: Sequence[int], why: str) -> None:
    """Move journal rows, within the caller's transaction, and count them among the losses."""
    readings = 0
    for number in ids:
        row = connection.execute(
            "SELECT CAST(stream AS BLOB), lot, first_ms, last_ms, count, payload FROM journal WHERE id = ?", (number,)
        ).fetchone()
        readings += row[4]
        connection.execute(
            "INSERT INTO aside (why, stream, lot, first_ms, last_ms, count, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (why[:_WHY_MOST], *row),
        )
    connection.executemany("DELETE FROM journal WHERE id = ?", [(each,) for each in ids])
    losses.count(connection, losses.ASIDE, len(ids), readings)
    room = MOST_BYTES
    sizes = connection.execute("SELECT id, length(payload) + length(lot) FROM aside ORDER BY id DESC").fetchall()
    for number, size in sizes:
        room -= size + _ROW_BYTES
        if room < 0:
            connection.execute("DELETE FROM aside WHERE id <= ?", (number,))
            break


def rows(connection: sqlite3.Connection) -> list[Aside]:
    """Give what is still kept, the oldest first."""
    query = "SELECT CAST(why AS BLOB), stream, lot, first_ms, last_ms, count, payload FROM aside ORDER BY id"
    return [
        Aside(why.decode(errors="replace"), stream.decode(errors="replace"), *rest)
        for why, stream, *rest in connection.execute(query)
    ]


def forget(connection: sqlite3.Connection, stream: str) -> None:
    """Delete a stream's rows, within the caller's transaction."""
    connection.execute("DELETE FROM aside WHERE stream = ?", (stream.encode(),))
