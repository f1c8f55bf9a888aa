"""From committed segments to readings: counted as soon as their schema is there, decoded again whenever someone asks.

Nothing decoded is kept: what the store holds is the signed message as it came, and reading it again gives the same. A
segment whose schema has not come yet waits in the store; one whose boot has no clock record is decoded and unplaced.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gateway.centre.contents import StreamKey
from gateway.centre.store import Store
from gateway.centre.tables import read_only, transaction
from gateway.wire import cbor
from gateway.wire.errors import MalformedMessage
from gateway.wire.fields import UINT63
from gateway.wire.messages import ClockRecord
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.packing import SegmentContent, Table, unpack
from gateway.wire.placing import Timeline
from gateway.wire.schema import Schema

FINE = "fine"

_PAGE = 50

_PASS = 10
"""Segments counted in one transaction: some 100,000 readings where each holds five minutes."""

_UNDECODED = """
SELECT message.id, schema.payload, message.blob FROM message
JOIN stream ON stream.id = message.stream
JOIN schema ON schema.gateway = stream.gateway AND schema.id = message.schema
WHERE message.readings IS NULL AND message.content = ? AND (message.taker = ? OR message.arrived_utc_ms < ?) LIMIT ?
"""
_LACKING = """
SELECT DISTINCT stream.gateway, stream.epoch, stream.name FROM message JOIN stream ON stream.id = message.stream
WHERE message.readings IS NULL AND message.content = ? AND NOT EXISTS
    (SELECT 1 FROM schema WHERE schema.gateway = stream.gateway AND schema.id = message.schema)
"""
_RANGE = """
SELECT sequence, arrived_utc_ms, schema, blob FROM message
WHERE stream = ? AND sequence BETWEEN ? AND ? AND content = ? ORDER BY sequence LIMIT ?
"""

_Row = tuple[int, bytes | None, int | None, int | None, int]


@dataclass(frozen=True, slots=True)
class Decoded:
    """One segment: where it stands, when it came (UTC, ms), what it says, and what places its boot times."""

    gateway: str
    epoch: bytes
    stream: str
    sequence: int
    arrived_utc_ms: int
    schema: Schema
    content: SegmentContent
    timeline: Timeline

    @property
    def tier(self) -> str:
        """What the stream holds: "fine" everything, "minute" one-minute means, "index" counters each quarter-hour."""
        return self.stream.partition(".")[0]


class Timelines:
    """What places boot times, as the store has it at one moment; made anew for each look."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known: dict[tuple[str, bytes], Timeline] = {}

    def of(self, gateway: str, boot_id: bytes) -> Timeline:
        """Give the timeline of one boot; an empty one where no clock record has come."""
        key = (gateway, boot_id)
        if key not in self._known:
            rows = self._database.execute(
                "SELECT boot_id, boot_ms, utc_ms, uncertainty_ms, source FROM clock WHERE gateway = ? AND boot_id = ?",
                key,
            )
            self._known[key] = Timeline(ClockRecord(*row) for row in rows.fetchall())
        return self._known[key]


def count(store: Store, *, others_before_utc_ms: int = 0, at_most_s: float = 0.05) -> bool:
    """Count the readings of some segments that wait for it; False where none is left whose schema is known.

    Those that another centre has committed are left to it, but for what came before `others_before_utc_ms`.
    """
    began = time.monotonic()
    while True:
        rows = store.database.execute(_UNDECODED, (SEGMENT, store.taker, others_before_utc_ms, _PASS)).fetchall()
        if rows:
            _note(store, [_counted(*row) for row in rows])
        if len(rows) < _PASS:
            return False
        if time.monotonic() - began >= at_most_s:
            return True


def waiting(store: Store) -> int:
    """Say how many segments still wait to be decoded."""
    query = "SELECT count(*) FROM message WHERE readings IS NULL AND content = ?"
    return int(store.database.execute(query, (SEGMENT,)).fetchone()[0])


def lacking(store: Store) -> Iterator[tuple[StreamKey, tuple[int, int]]]:
    """Give the streams of schemas of which something did not come, and the numbers behind what did.

    No gap shows it: a store that begins anew has never heard of a stream that says something once in a year.
    """
    for gateway, epoch, name in store.database.execute(_LACKING, (SEGMENT,)).fetchall():
        _, dot, scope = name.partition(".")
        key = (gateway, epoch, f"schema{dot}{scope}")
        upto = store.coverage(key).upto
        if upto < UINT63:
            yield key, (upto + 1, UINT63)


def segments(database: Path, gateway: str) -> Iterator[Decoded]:
    """Give every readable segment of a gateway, stream by stream, in the order of their sequence."""
    with read_only(database) as connection:
        streams = connection.execute(
            "SELECT id, epoch, name, (SELECT max(last) FROM island WHERE island.stream = stream.id)"
            " FROM stream WHERE gateway = ? ORDER BY id",
            (gateway,),
        ).fetchall()
        for number, epoch, name, last in streams:
            yield from between(connection, (gateway, epoch, name), number, 1, last)


def between(database: sqlite3.Connection, key: StreamKey, number: int, first: int, last: int) -> Iterator[Decoded]:
    """Give the readable segments of a stream (its `number` in the store) from `first` to `last`."""
    gateway, epoch, name = key
    while True:
        rows = database.execute(_RANGE, (number, first, last, SEGMENT, _PAGE)).fetchall()
        timelines = Timelines(database)
        for sequence, arrived, identity, blob in rows:
            schema = _schema(database, gateway, identity)
            content = None if schema is None else _content(blob, schema)
            if schema is not None and content is not None:
                timeline = timelines.of(gateway, content.boot_id)
                yield Decoded(gateway, epoch, name, sequence, arrived, schema, content, timeline)
        if len(rows) < _PAGE or rows[-1][0] >= last:
            return
        first = rows[-1][0] + 1


def tables(database: Path, gateway: str, group: str) -> Iterator[Table]:
    """Give the tables of one group, one a segment of the fine tier."""
    for decoded in segments(database, gateway):
        if decoded.tier == FINE and group in decoded.content.groups:
            yield decoded.content.groups[group]


def payload_of(blob: bytes) -> bytes:
    """Take the payload out of a message that was verified before it was stored; raise MalformedMessage."""
    parts = cbor.decode(blob[1:], depth=2)
    if not isinstance(parts, list) or not isinstance(parts[2], bytes):
        raise MalformedMessage("stored message: no COSE_Sign1; the store's file is damaged")
    return parts[2]


@lru_cache(maxsize=512)
def _read(payload: bytes) -> Schema:
    return Schema.decode(payload)


def _schema(database: sqlite3.Connection, gateway: str, identity: bytes | None) -> Schema | None:
    row = database.execute("SELECT payload FROM schema WHERE gateway = ? AND id = ?", (gateway, identity)).fetchone()
    return None if row is None else _read(row[0])


def _content(blob: bytes, schema: Schema) -> SegmentContent | None:
    try:
        return unpack(payload_of(blob), schema)
    except MalformedMessage:  # counted as unreadable when it came
        return None


def _counted(number: int, schema: bytes, blob: bytes) -> _Row:
    """Give what is noted of a segment: readings, boot, first and last tick (none where it says nothing), row number."""
    content = _content(blob, _read(schema))
    if content is None:  # signed by its gateway and kept; only its content says nothing to us
        return (0, None, None, None, number)
    first = min(table.ticks[0] for table in content.groups.values())
    last = max(table.ticks[-1] for table in content.groups.values())
    return (content.count(), content.boot_id, first, last, number)


def _note(store: Store, counted: list[_Row]) -> None:
    tallies: Counter[str] = Counter()
    with transaction(store.database):
        for row in counted:
            done = store.database.execute(
                "UPDATE message SET readings = ?, boot_id = ?, first_ms = ?, last_ms = ?"
                " WHERE id = ? AND readings IS NULL",
                row,
            )
            if done.rowcount:  # else another centre was faster
                tallies["readings"] += row[0]
                tallies["unreadable"] += row[1] is None
        store.add_tallies(tallies)
