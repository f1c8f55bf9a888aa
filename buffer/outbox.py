"""The outbox: rows go in, are sealed once into segments, and leave when the other end has them.

    row --commit--> journal --seal--> segment (pending) --received--> kept while there is room

Everything is opaque bytes. `commit` has synced when it returns: what it took survives a power cut. Numbers of a
stream are never used twice, not even after all its segments are gone, and each segment is told the SHA-256 of the one
before it, so that the other end sees a gap. Whatever raises StorageError has changed nothing; the caller keeps its
rows and tries again.

An Outbox is used by one thread at a time. Times (`*_ms`) are the caller's; the outbox reads no clock.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from buffer import quota, schema, segments
from buffer.core import HISTORY_SHARE, Pack
from buffer.database import Database
from buffer.draining import DROPPED, MOST_REPORTS, Draining
from buffer.errors import StorageError
from buffer.forgetting import Forgetting
from buffer.journal import Row
from buffer.losses import Dropped
from buffer.segments import Place, Segment
from buffer.standin import StandIn
from buffer.stats import Removed, Stats, take
from buffer.storing import Storing

__all__ = [
    "DROPPED",
    "DROP_FIRST",
    "HISTORY_SHARE",
    "MOST_REPORTS",
    "Dropped",
    "Outbox",
    "Pack",
    "Place",
    "Removed",
    "Row",
    "Segment",
    "Stats",
]

DROP_FIRST = ("fine", "minute", "index")
"""Tiers that give way first when the quota is full, in this order; a stream's tier is its name up to the first "."."""


class Outbox(Storing, Draining, Forgetting):
    """The journal and the segments of one database file. Made by `open`."""

    @classmethod
    def open(cls, path: Path, *, quota_pages: int, drop_first: Sequence[str] = DROP_FIRST) -> Self:
        """Open or make the database at `path`, which may use `quota_pages` of 4,096 bytes; raise StorageError.

        One that cannot be used is moved aside (`moved_aside` says where) and an empty one, with a new epoch, takes
        its place; where only its history is damaged, one with all the rest (`rescued`).
        """
        _check(quota_pages)
        connection, moved = schema.open_database(path)
        try:
            return cls(Database(path, connection), quota_pages=quota_pages, drop_first=drop_first, aside=moved)
        except sqlite3.Error as error:
            connection.close()
            raise schema.storage_error(error, path, "opening") from error

    @classmethod
    def begin(cls, path: Path, *, quota_pages: int, drop_first: Sequence[str] = DROP_FIRST) -> Self:
        """As `open`; where the card refuses that, give one which can be read and takes nothing (`refusal` says why).

        `open_again` opens it once the card lets it. What is known until then is what the file says, if it can be read.
        """
        try:
            return cls.open(path, quota_pages=quota_pages, drop_first=drop_first)
        except StorageError as error:
            for blindly in (False, True):
                stand_in = StandIn(path, error, blindly=blindly)
                try:
                    return cls(Database(path, stand_in), quota_pages=quota_pages, drop_first=drop_first, aside=None)
                except sqlite3.Error:
                    stand_in.connection.close()
            raise

    def unsent(self) -> tuple[str, ...]:
        """Give the streams that hold rows or pending segments."""
        return tuple({**dict.fromkeys(self._journal.streams()), **dict.fromkeys(self._ledger.pending)})

    def holds_last(self, stream: str) -> bool:
        """Say whether the segment that a stream has numbered last is still here: no quota and no damage took it."""
        with self._disk.errors("reading"):
            return segments.holds_last(self._db, stream)

    def stats(self) -> Stats:
        """Say what is there; cheap whatever the backlog."""
        with self._disk.errors("reading"):
            return take(
                self._disk,
                journal=self._journal,
                ledger=self._ledger,
                quota_pages=self._quota_pages,
                last_commit_ms=self._last_commit_ms,
            )


def _check(quota_pages: int) -> None:
    if quota_pages < quota.LEAST_PAGES:
        raise ValueError(f"a quota of {quota_pages} pages: {quota.LEAST_PAGES} at least are wanted")
