"""Room: how many pages the database may use, and what gives way when there are more.

What the other end has already goes first, then what was never delivered, the finest tier and the oldest segment
first; such a loss is recorded as a range, for people and for the other end to see. Pages in use are counted, not
bytes of the file: on a disk that is truly full SQLite cannot even delete, so the quota acts long before.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from buffer import losses
from buffer.errors import StorageFull
from buffer.ledger import Gone, Ledger
from buffer.losses import Dropped
from buffer.schema import pragma
from buffer.segments import Total

__all__ = ["LEAST_PAGES", "Dropped", "make_room", "pages_used"]

LEAST_PAGES = 64
"""Below this a quota leaves no room for the tables and one long segment."""

_AT_ONCE = 8
"""Segments removed between two looks at the room: about a page each."""


def pages_used(connection: sqlite3.Connection) -> int:
    """Pages of 4,096 bytes that hold something."""
    return pragma(connection, "page_count") - pragma(connection, "freelist_count")


def make_room(  # noqa: PLR0913 - what bounds the search, each named
    connection: sqlite3.Connection,
    quota_pages: int,
    drop_first: Sequence[str],
    *,
    newest_id: int,
    ledger: Ledger,
    closed: Iterable[int],
) -> Gone:
    """Within the caller's transaction, remove segments until the quota holds; never the one whose id is `newest_id`.

    `drop_first` names the tiers (a stream's name up to its first ".") that give way first, in order; the others go
    last. `ledger` tells what was there before the transaction, `closed` the ranges that are just being told. Raises
    StorageFull if that does not suffice.
    """
    gone = Gone()
    if pages_used(connection) <= quota_pages:
        return gone
    tiers = _tiers(connection, drop_first)
    # The segment just made is in none of these figures, and it must stay.
    while pages_used(connection) > quota_pages:
        if ledger.received > gone.received:
            _, ids = _oldest(connection, tiers, 1, newest_id)
            connection.executemany("DELETE FROM segment WHERE id = ?", [(each,) for each in ids])
            gone.received += len(ids)
            if ids:
                continue
        left = [
            [(number, name) for number, name in tier if ledger.pending.get(name) != gone.pending.get(name)]
            for tier in tiers
        ]
        stream, ids = _oldest(connection, left, 0, newest_id)
        if not ids:
            raise StorageFull(
                f"the outbox uses {pages_used(connection)} pages, its quota is {quota_pages}, "
                "and nothing is left to drop: raise the quota"
            )
        gone.lose(stream, Total(len(ids), losses.record(connection, ids, "quota", closed)))
    return gone


def _tiers(connection: sqlite3.Connection, drop_first: Sequence[str]) -> list[list[tuple[int, str]]]:
    """Sort the streams (id, name) into tiers, those that give way first ahead."""
    tiers: list[list[tuple[int, str]]] = [[] for _ in range(len(drop_first) + 1)]
    rank = {name: position for position, name in enumerate(drop_first)}
    for number, name in connection.execute("SELECT id, name FROM stream ORDER BY id"):
        tiers[rank.get(name.partition(".")[0], len(drop_first))].append((number, name))
    return tiers


def _oldest(
    connection: sqlite3.Connection, tiers: Iterable[Iterable[tuple[int, str]]], received: int, newest_id: int
) -> tuple[str, list[int]]:
    """Give a stream, and the ids of its oldest segments in one state: of the first tier that has any, the oldest.

    Of one stream, so that a range grows by several at once.
    """
    query = "SELECT id FROM segment WHERE stream = ? AND received = ? AND id <> ? ORDER BY sequence LIMIT ?"
    for tier in tiers:
        oldest = min(
            (
                (row[0], number, name)
                for number, name in tier
                if (row := connection.execute(query, (number, received, newest_id, 1)).fetchone()) is not None
            ),
            default=None,
        )
        if oldest is not None:
            _, number, name = oldest
            return name, [row[0] for row in connection.execute(query, (number, received, newest_id, _AT_ONCE))]
    return "", []
