"""What the store holds, in the order in which it was committed, for whoever writes it elsewhere and notes how far."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.centre import decode
from gateway.centre.decode import Decoded
from gateway.centre.follow import DroppedRange, View
from gateway.centre.tables import read_only
from gateway.wire.errors import MalformedMessage
from gateway.wire.messages import Alarm, ClockRecord
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.schema import Schema

_MESSAGES = 20
_SINGLES = 500

_PAGE = """
SELECT message.id, stream, gateway, epoch, name, sequence, content, blob
FROM message JOIN stream ON stream.id = stream WHERE message.id > ? ORDER BY message.id LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the store has been read: the last message, alarm and drop record."""

    message: int = 0
    alarm: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm, where it stands, and when it came (UTC, ms)."""

    gateway: str
    epoch: bytes
    stream: str
    sequence: int
    arrived_utc_ms: int
    alarm: Alarm


@dataclass(frozen=True, slots=True)
class Clocked:
    """A clock record that has come."""

    gateway: str
    record: ClockRecord


@dataclass(frozen=True, slots=True)
class Page:
    """What comes next, and how far that is."""

    items: list[Decoded | Clocked]
    alarms: list[AlarmRow]
    dropped: list[DroppedRange]
    progress: Progress


class Source:
    """Reads one store; use it in the thread that made it, and close it. Raises sqlite3.Error."""

    def __init__(self, path: Path, tiers: frozenset[str] | None = None) -> None:
        """Open the store; of segments only those of some tiers are given, where these are told."""
        self._view = View(tiers=tiers)
        self._opened = read_only(path)
        self._database: sqlite3.Connection = self._opened.__enter__()
        self.identity: bytes = self._database.execute("SELECT id FROM identity").fetchone()[0]

    def close(self) -> None:
        """Close the store."""
        self._database.close()

    def page(self, after: Progress) -> Page | None:
        """Give what follows, None where nothing does. Segments whose schema comes later come with it."""
        items: list[Decoded | Clocked] = []
        message = after.message
        for number, stream, gateway, epoch, name, sequence, content, blob in self._database.execute(
            _PAGE, (after.message, _MESSAGES)
        ).fetchall():
            message = number
            if content == SEGMENT:
                items.extend(self._one(stream, (gateway, epoch, name), sequence))
            elif content in (ClockRecord.CONTENT, Schema.CONTENT):
                try:
                    payload = decode.payload_of(blob)
                    if content == ClockRecord.CONTENT:
                        items.append(Clocked(gateway, ClockRecord.decode(payload)))
                    else:
                        items.extend(self._waited(gateway, Schema.decode(payload).id, number))
                except MalformedMessage:  # counted as unreadable when it came
                    continue
        alarms, alarm = self._alarms(after.alarm)
        dropped, last = self._dropped(after.dropped)
        progress = Progress(message, alarm, last)
        return None if progress == after else Page(items, alarms, dropped, progress)

    def segment(self, gateway: str, epoch: bytes, stream: str, sequence: int) -> Decoded | None:
        """Give one segment as it is decoded and placed now."""
        key = (gateway, epoch, stream)
        query = "SELECT id FROM stream WHERE gateway = ? AND epoch = ? AND name = ?"
        row = self._database.execute(query, key).fetchone()
        return None if row is None else next(self._one(row[0], key, sequence), None)

    def _one(self, stream: int, key: tuple[str, bytes, str], sequence: int) -> Iterator[Decoded]:
        if not self._view.shows(key[2]):
            return iter(())
        return decode.between(self._database, key, stream, sequence, sequence)

    def _waited(self, gateway: str, schema: bytes, before: int) -> Iterator[Decoded]:
        """Give the segments that came before their schema."""
        for stream, epoch, name, sequence in self._database.execute(
            "SELECT stream, epoch, name, sequence FROM message JOIN stream ON stream.id = stream"
            " WHERE gateway = ? AND schema = ? AND content = ? AND message.id < ? ORDER BY message.id",
            (gateway, schema, SEGMENT, before),
        ).fetchall():
            yield from self._one(stream, (gateway, epoch, name), sequence)

    def _alarms(self, after: int) -> tuple[list[AlarmRow], int]:
        rows = self._database.execute(
            "SELECT id, gateway, epoch, stream, sequence, arrived_utc_ms, payload FROM alarm WHERE id > ?"
            " ORDER BY id LIMIT ?",
            (after, _SINGLES),
        ).fetchall()
        found = [
            AlarmRow(gateway, epoch, stream, sequence, arrived, Alarm.decode(payload))
            for _, gateway, epoch, stream, sequence, arrived, payload in rows
        ]
        return found, rows[-1][0] if rows else after

    def _dropped(self, after: int) -> tuple[list[DroppedRange], int]:
        rows = self._database.execute(
            "SELECT dropped.id, gateway, epoch, name, first, last, count, reason FROM dropped"
            " JOIN stream ON stream.id = stream WHERE dropped.id > ? ORDER BY dropped.id LIMIT ?",
            (after, _SINGLES),
        ).fetchall()
        return [DroppedRange(*row[1:]) for row in rows], rows[-1][0] if rows else after
