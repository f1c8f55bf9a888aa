"""What the store holds and lacks, stream by stream: gaps, duplicates, dropped ranges, broken chains, what waits."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.centre import islands, losses
from gateway.centre.tables import read_only
from gateway.wire.packing import CONTENT as SEGMENT

MOST = 50
"""Gaps, dropped ranges and breaks that are named for each stream; all are counted."""

_STREAMS = """
SELECT id, gateway, epoch, name, duplicates_dropped, conflicts FROM stream
WHERE ?1 IS NULL OR gateway = ?1 ORDER BY gateway, id
"""
_HELD = """
SELECT count(*), coalesce(sum(readings), 0), coalesce(sum(content = ?2 AND readings IS NULL), 0),
    coalesce(max(sequence), 0), max(arrived_utc_ms)
FROM message WHERE stream = ?1
"""
_UNPLACED = """
SELECT count(*) FROM message WHERE stream = ?1 AND boot_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM clock WHERE clock.gateway = ?2 AND clock.boot_id = message.boot_id)
"""
_PROVISIONAL = """
SELECT count(*) FROM message WHERE stream = ?1 AND boot_id IS NOT NULL
AND EXISTS (SELECT 1 FROM clock WHERE clock.gateway = ?2 AND clock.boot_id = message.boot_id)
AND NOT EXISTS (SELECT 1 FROM clock WHERE clock.gateway = ?2 AND clock.boot_id = message.boot_id AND source <> 'meter')
"""
_BOOTS = """
SELECT DISTINCT boot_id FROM message WHERE stream = ?1 AND boot_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM clock WHERE clock.gateway = ?2 AND clock.boot_id = message.boot_id) LIMIT ?3
"""
_DROPPED = "SELECT first, last, count, reason FROM dropped WHERE stream = ? ORDER BY first LIMIT ?"
_ABOVE = "SELECT min(arrived_utc_ms) FROM message WHERE stream = ? AND sequence > ?"


@dataclass(frozen=True, slots=True)
class DroppedPart:
    """A range that its gateway told to be gone, with so many readings (None: nobody knows), and why."""

    first: int
    last: int
    readings: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream. `missing` messages lie in `gaps`, the oldest of which something has come above for `oldest_gap_ms`.

    `undecoded` segments wait for their schema, `unplaced` ones for a clock record of one of `unplaced_boots`;
    `provisional` ones are placed by a meter's clock. `broken` are the numbers that do not follow the one before them.
    """

    gateway: str
    epoch: str
    stream: str
    messages: int
    readings: int
    highest: int
    settled_upto: int
    last_arrived_utc_ms: int | None
    missing: int
    gaps: tuple[tuple[int, int], ...]
    oldest_gap_ms: int | None
    duplicates_dropped: int
    conflicts: int
    dropped_messages: int
    dropped_readings: int
    dropped: tuple[DroppedPart, ...]
    chain_breaks: int
    broken: tuple[int, ...]
    undecoded: int
    unplaced: int
    unplaced_boots: tuple[str, ...]
    provisional: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, doubted, or waiting; what was told to be dropped is known and settled."""
        return not (self.missing or self.conflicts or self.chain_breaks or self.undecoded or self.unplaced)


def report(database: Path, now_utc_ms: int, gateway: str | None = None) -> Iterator[StreamReport]:
    """Give a report of each stream, of one gateway where told; raise sqlite3.Error."""
    with read_only(database) as connection:
        connection.execute("BEGIN")  # one moment of it
        gaps: dict[int, list[tuple[int, int]]] = {}
        for stream, low, high in islands.gaps(connection):
            gaps.setdefault(stream, []).append((low, high))
        for number, *row in connection.execute(_STREAMS, (gateway,)).fetchall():
            yield _stream(connection, number, row, gaps.get(number, []), now_utc_ms)


def tallies(database: Path) -> dict[str, int]:
    """Give what was counted over all the life of the store; raise sqlite3.Error."""
    with read_only(database) as connection:
        return dict(connection.execute("SELECT name, value FROM tally ORDER BY name").fetchall())


def _stream(
    connection: sqlite3.Connection, number: int, row: list[object], gaps: list[tuple[int, int]], now_utc_ms: int
) -> StreamReport:
    gateway, epoch, name, duplicates, conflicts = row
    one = connection.execute
    messages, readings, undecoded, highest, last = one(_HELD, (number, SEGMENT)).fetchone()
    dropped = one(
        # Not `sum`: of what gateways claim it may overflow.
        "SELECT count(*), CAST(total(last - first + 1) AS INTEGER), CAST(total(count) AS INTEGER), max(last)"
        " FROM dropped WHERE stream = ?",
        (number,),
    ).fetchone()
    broken = one("SELECT count(*) FROM broken WHERE stream = ?", (number,)).fetchone()[0]
    since = one(_ABOVE, (number, gaps[0][1])).fetchone()[0] if gaps else None
    boots = one(_BOOTS, (number, gateway, MOST)).fetchall()
    return StreamReport(
        gateway=str(gateway),
        epoch=epoch.hex() if isinstance(epoch, bytes) else "",
        stream=str(name),
        messages=messages,
        readings=readings,
        highest=max(highest, dropped[3] or 0),
        settled_upto=islands.upto(connection, number),
        last_arrived_utc_ms=last,
        missing=sum(high - low + 1 for low, high in gaps),
        gaps=tuple(gaps[:MOST]),
        oldest_gap_ms=None if since is None else max(0, now_utc_ms - since),
        duplicates_dropped=int(str(duplicates)),
        conflicts=int(str(conflicts)),
        dropped_messages=dropped[1],
        dropped_readings=dropped[2],
        dropped=tuple(_part(*each) for each in one(_DROPPED, (number, MOST)).fetchall()),
        chain_breaks=broken,
        broken=tuple(
            each[0] for each in one("SELECT sequence FROM broken WHERE stream = ? LIMIT ?", (number, MOST)).fetchall()
        ),
        undecoded=undecoded,
        unplaced=one(_UNPLACED, (number, gateway)).fetchone()[0],
        unplaced_boots=tuple(each[0].hex() for each in boots),
        provisional=one(_PROVISIONAL, (number, gateway)).fetchone()[0],
    )


def _part(first: int, last: int, count: int, reason: str) -> DroppedPart:
    return DroppedPart(first, last, losses.known(count, reason), reason)
