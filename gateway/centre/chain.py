"""Whether each message follows the one before it: link by link, as soon as both ends of a link are in the store.

Where a range was dropped, its record tells the digest of its last message, and so holds the next link; where a damaged
card has taken that too (NO_DIGEST), that link is not judged. What follows a number is reckoned by SQLite: behind the
highest that a gateway may use there is none that Python could hand over.
"""

import sqlite3

from gateway.wire.cose import FIRST_PREVIOUS, NO_DIGEST
from gateway.wire.messages import Dropped


def follow(database: sqlite3.Connection, stream: int, sequence: int, previous: bytes | None, digest: bytes) -> int:
    """Check the links of a new message to both sides; give how many do not hold, each of which is kept in the store."""
    execute = database.execute
    breaks = 0
    before = _digest(database, stream, sequence - 1)
    if before is not None and before != previous:
        breaks += _broken(database, stream, sequence)
    for (named,) in execute(
        "SELECT previous FROM message WHERE stream = ? AND sequence = ? + 1", (stream, sequence)
    ).fetchall():
        if named != digest:
            breaks += _broken(database, stream, sequence + 1)
    # Told to be dropped, and here all the same: it must be the one that the record means.
    for (told,) in execute(
        "SELECT last_digest FROM dropped WHERE stream = ? AND last = ?", (stream, sequence)
    ).fetchall():
        if told not in {digest, NO_DIGEST}:
            breaks += _broken(database, stream, sequence)
    return breaks


def bridge(database: sqlite3.Connection, stream: int, dropped: Dropped) -> int:
    """Check the links that a new drop record holds; give how many do not hold."""
    breaks = 0
    if dropped.last_digest == NO_DIGEST:
        return breaks
    for sequence, digest, previous in database.execute(
        "SELECT sequence, digest, previous FROM message WHERE stream = ?1 AND sequence BETWEEN ?2 AND ?2 + 1",
        (stream, dropped.last),
    ).fetchall():
        if dropped.last_digest != (digest if sequence == dropped.last else previous):
            breaks += _broken(database, stream, sequence)
    return breaks


def _digest(database: sqlite3.Connection, stream: int, sequence: int) -> bytes | None:
    """Give the digest of a message that is here, or that a drop record tells; None where it is not known."""
    if sequence == 0:
        return FIRST_PREVIOUS
    for query in (
        "SELECT digest FROM message WHERE stream = ? AND sequence = ?",
        "SELECT last_digest FROM dropped WHERE stream = ? AND last = ?",
    ):
        row = database.execute(query, (stream, sequence)).fetchone()
        if row is not None:
            return None if row[0] == NO_DIGEST else bytes(row[0])
    return None


def _broken(database: sqlite3.Connection, stream: int, sequence: int) -> int:
    """Keep that a link does not hold, once."""
    return database.execute("INSERT OR IGNORE INTO broken VALUES (?, ?)", (stream, sequence)).rowcount
