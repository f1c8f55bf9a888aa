"""The journal: rows that are safe on the card and wait to be sealed."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass


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
    """The oldest rows of a stream that may be sealed together: their payloads in order, their ids, what they hold."""

    ids: tuple[int, ...]
    payloads: tuple[bytes, ...]
    count: int
    first_ms: int
    last_ms: int


def append(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Store rows, in order, within the caller's transaction."""
    connection.executemany(
        "INSERT INTO journal (stream, lot, first_ms, last_ms, count, payload) VALUES (?, ?, ?, ?, ?, ?)",
        [(row.stream, row.lot, row.first_ms, row.last_ms, row.count, row.payload) for row in rows],
    )


def oldest_lot(connection: sqlite3.Connection, stream: str) -> Lot | None:
    """Give a stream's rows from the oldest on, up to the first of another lot; None if it has none."""
    rows: list[tuple[int, bytes, int, int, int, bytes]] = []
    query = "SELECT id, lot, first_ms, last_ms, count, payload FROM journal WHERE stream = ? ORDER BY id"
    with closing(connection.execute(query, (stream,))) as cursor:
        for row in cursor:
            if rows and row[1] != rows[0][1]:
                break
            rows.append(row)
    if not rows:
        return None
    ids, _, first, last, counts, payloads = zip(*rows, strict=True)
    return Lot(ids, payloads, sum(counts), min(first), max(last))


def remove(connection: sqlite3.Connection, lot: Lot) -> None:
    """Delete the rows of a lot within the caller's transaction."""
    connection.executemany("DELETE FROM journal WHERE id = ?", [(each,) for each in lot.ids])


def total(connection: sqlite3.Connection) -> tuple[int, int]:
    """Count rows and their readings."""
    rows, readings = connection.execute("SELECT count(*), coalesce(sum(count), 0) FROM journal").fetchone()
    return rows, readings
