"""Room: how many pages the database may use, and what gives way when there are more.

What the other end has already goes first, then what was never delivered, the finest tier and the oldest segment
first; such a loss is recorded as a range, for people and for the other end to see. Schemas and clock records stay as
long as there is anything that may need them to be read, here or at a centre that begins anew. Pages in use are counted,
not bytes of the file: on a disk that is truly full SQLite cannot even delete, so the quota acts long before.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

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

_NEEDED = ("schema", "clock")
"""Kinds of streams (a name up to its first ".") without which readings cannot be read, or placed."""

_NEEDED_KEPT = 1_000
"""Of each of these, so many received ones outlast all readings: some 40 days of clock records, in 80 pages."""

_ANY = (1 << 63) - 1


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
    spared = _spared(connection)
    # The segment just made is in none of these figures, and it must stay.
    while pages_used(connection) > quota_pages:
        left = [
            [(number, name) for number, name in tier if ledger.pending.get(name) != gone.pending.get(name)]
            for tier in tiers
        ]
        has_received = ledger.received > gone.received
        for received, those, upto in ((1, tiers, spared), (0, left[:-1], {}), (1, tiers, {}), (0, left[-1:], {})):
            if received and not has_received:
                continue
            stream, ids = _oldest(connection, those, received, newest_id, upto)
            if ids and received:
                connection.executemany("DELETE FROM segment WHERE id = ?", [(each,) for each in ids])
                gone.received += len(ids)
            elif ids:
                gone.lose(stream, Total(len(ids), losses.record(connection, ids, "quota", closed)))
            if ids:
                break
        else:
            raise StorageFull(
                f"the outbox uses {pages_used(connection)} pages, its quota is {quota_pages}, "
                "and nothing is left to drop: raise the quota"
            )
    return gone


def _spared(connection: sqlite3.Connection) -> dict[int, int]:
    """Give, for each stream that is needed to read others, the number above which received ones are spared."""
    return {
        number: last - _NEEDED_KEPT
        for number, name, last in connection.execute("SELECT id, name, last_sequence FROM stream")
        if name.partition(".")[0] in _NEEDED
    }


def _tiers(connection: sqlite3.Connection, drop_first: Sequence[str]) -> list[list[tuple[int, str]]]:
    """Sort the streams (id, name) into tiers, those that give way first ahead."""
    tiers: list[list[tuple[int, str]]] = [[] for _ in range(len(drop_first) + 1)]
    rank = {name: position for position, name in enumerate(drop_first)}
    for number, name in connection.execute("SELECT id, name FROM stream ORDER BY id"):
        tiers[rank.get(name.partition(".")[0], len(drop_first))].append((number, name))
    return tiers


def _oldest(
    connection: sqlite3.Connection,
    tiers: Iterable[Iterable[tuple[int, str]]],
    received: int,
    newest_id: int,
    upto: Mapping[int, int],
) -> tuple[str, list[int]]:
    """Give a stream, and the ids of its oldest segments in one state: of the first tier that has any, the oldest.

    Of one stream, so that a range grows by several at once. Of a stream in `upto`, only up to that number.
    """
    query = (
        "SELECT id FROM segment WHERE stream = ? AND received = ? AND id <> ? AND sequence <= ?"
        " ORDER BY sequence LIMIT ?"
    )
    for tier in tiers:
        oldest = min(
            (
                (row[0], number, name)
                for number, name in tier
                if (
                    row := connection.execute(
                        query, (number, received, newest_id, upto.get(number, _ANY), 1)
                    ).fetchone()
                )
                is not None
            ),
            default=None,
        )
        if oldest is not None:
            _, number, name = oldest
            found = connection.execute(query, (number, received, newest_id, upto.get(number, _ANY), _AT_ONCE))
            return name, [row[0] for row in found]
    return "", []
