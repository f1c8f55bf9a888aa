"""What is deleted on purpose: what was received and is old, or all of it; and what a consent no longer lets out.

Each step is small and within a transaction of the caller's, so that the WAL stays small too; the caller repeats it
until nothing is left.
"""

import sqlite3
from collections.abc import Collection, Iterable

from buffer import losses
from buffer.segments import Total

SPARED = ("schema",)
"""Kinds of streams (a name up to its first ".") that keep what was received: the rest needs these few to be read."""

PURGE_SPARED = (*SPARED, "clock")
"""What a purge keeps as well: what is left is placed by them; they say nothing of anybody, and expire in time."""

_AT_ONCE = 256


def cut(connection: sqlite3.Connection, before_utc_ms: int) -> int:
    """Give the id up to which segments were sealed before that time, 0 where none was.

    Ids grow in the order of sealing, so a few looks suffice. A segment whose time is not known, or wrong because the
    clock was, goes with its neighbours.
    """
    low, high = 0, connection.execute("SELECT coalesce(max(id), 0) FROM segment").fetchone()[0] + 1
    found = 0
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            "SELECT id, utc_ms FROM segment WHERE id > ? AND utc_ms IS NOT NULL ORDER BY id LIMIT 1", (middle,)
        ).fetchone()
        if row is not None and row[1] < before_utc_ms:
            found = low = row[0]
        else:
            high = middle
    return found


def received_upto(connection: sqlite3.Connection, last_id: int, spare: Collection[str]) -> int:
    """Delete some of the received segments up to an id, but for kinds of streams; give how many, 0 at the end."""
    streams = connection.execute("SELECT id, name FROM stream").fetchall()
    spared = [number for number, name in streams if name.partition(".")[0] in spare]
    marks = ", ".join("?" * len(spared))
    ids = connection.execute(
        "SELECT id FROM segment WHERE received = 1 AND id <= ?"  # noqa: S608 - question marks
        f" AND stream NOT IN ({marks}) ORDER BY id LIMIT ?",
        (last_id, *spared, _AT_ONCE),
    ).fetchall()
    connection.executemany("DELETE FROM segment WHERE id = ?", ids)
    return len(ids)


def unreceived(connection: sqlite3.Connection, stream: str, closed: Iterable[int]) -> Total:
    """Delete some pending segments of a stream whose consent has ended; give how many, none at the end."""
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT segment.id FROM stream JOIN segment ON segment.stream = stream.id"
            " WHERE stream.name = ? AND received = 0 ORDER BY sequence LIMIT ?",
            (stream, _AT_ONCE),
        )
    ]
    if not ids:
        return Total()
    return Total(len(ids), losses.record(connection, ids, "consent", closed))
