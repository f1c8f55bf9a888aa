"""What the outbox tells of itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from buffer import losses, quota, segments
from buffer.database import Database
from buffer.journal import Journal
from buffer.ledger import Ledger
from buffer.losses import Dropped

_DROPPED_SHOWN = 32


@dataclass(frozen=True, slots=True)
class Removed:
    """What a withdrawal took out before it was delivered: rows that had no number yet, and segments."""

    rows: int
    segments: int
    readings: int


@dataclass(frozen=True, slots=True)
class Stats:
    """What the outbox holds and what became of the rest.

    `dropped_*` were lost, to the quota or to a worn card; `withdrawn_*` were taken out because a consent ended;
    `aside_*` are journal rows of which no segment could be made: all since the database was made. `dropped` are the
    newest ranges. `oldest_pending_ms` is the first time of the oldest pending segment, in its own boot's milliseconds;
    `last_commit_ms` the last time of the newest row committed since the outbox was opened.
    """

    journal_rows: int
    journal_readings: int
    segments_pending: int
    readings_pending: int
    segments_received: int
    oldest_pending_ms: int | None
    pages_used: int
    quota_pages: int
    dropped_segments: int
    dropped_readings: int
    withdrawn_segments: int
    withdrawn_readings: int
    aside_rows: int
    aside_readings: int
    dropped: tuple[Dropped, ...]
    last_commit_ms: int | None
    failures: int
    last_failure: str | None


def take(
    disk: Database,
    *,
    journal: Journal,
    ledger: Ledger,
    quota_pages: int,
    last_commit_ms: int | None,
) -> Stats:
    """Look at everything; costs little, whatever the backlog."""
    connection = disk.connection
    lost = losses.totals(connection)
    return Stats(
        journal_rows=journal.rows,
        journal_readings=journal.readings,
        segments_pending=ledger.whole.entries,
        readings_pending=ledger.whole.readings,
        segments_received=ledger.received,
        oldest_pending_ms=segments.oldest_ms(connection, ledger.pending),
        pages_used=quota.pages_used(connection),
        quota_pages=quota_pages,
        dropped_segments=_sum(lost, 0, ("quota", "damage")),
        dropped_readings=_sum(lost, 1, ("quota", "damage")),
        withdrawn_segments=_sum(lost, 0, ("consent",)),
        withdrawn_readings=_sum(lost, 1, ("consent",)),
        aside_rows=_sum(lost, 0, (losses.ASIDE,)),
        aside_readings=_sum(lost, 1, (losses.ASIDE,)),
        dropped=losses.ranges(connection, _DROPPED_SHOWN),
        last_commit_ms=last_commit_ms,
        failures=disk.failures,
        last_failure=disk.last_failure,
    )


def _sum(lost: Mapping[str, tuple[int, int]], column: int, reasons: Iterable[str]) -> int:
    return sum(lost[reason][column] for reason in reasons if reason in lost)
