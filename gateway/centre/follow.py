"""What the store receives, handed on in order: each stream's segments by their numbers, as far as all below is settled.

So whoever writes lines sees no gap that is only a backlog on its way. A hole, or a boot whose time is not known yet,
holds its stream back for `patience_s`; after that what is there goes on without it.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.centre import decode, islands, losses
from gateway.centre.contents import StreamKey
from gateway.centre.decode import Decoded
from gateway.centre.tables import read_only
from gateway.wire.messages import Alarm
from gateway.wire.packing import CONTENT as SEGMENT

PATIENCE_S = 60.0

_NEXT = "SELECT min(first) FROM island WHERE stream = ? AND first > ?"


@dataclass(frozen=True, slots=True)
class DroppedRange:
    """A range that its gateway told to be gone for good; `count` as it told it."""

    gateway: str
    epoch: bytes
    stream: str
    first: int
    last: int
    count: int
    reason: str

    @property
    def readings(self) -> int | None:
        """How many readings it had; None: nobody knows."""
        return losses.known(self.count, self.reason)


@dataclass(frozen=True, slots=True)
class Alarmed:
    """An alarm and when it came (UTC, ms)."""

    gateway: str
    arrived_utc_ms: int
    alarm: Alarm


Event = Decoded | DroppedRange | Alarmed


@dataclass(slots=True)
class _Position:
    shown: int
    held_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is followed: `everything` in the store, or what comes from now on; of one `gateway`, of some `tiers`.

    A tier is the first word of a stream's name; None: all. `patience_s`: so long a stream is held back.
    """

    everything: bool = False
    gateway: str | None = None
    tiers: frozenset[str] | None = None
    patience_s: float = PATIENCE_S

    def shows(self, stream: str) -> bool:
        """Tell whether a stream is of its tiers."""
        return self.tiers is None or stream.partition(".")[0] in self.tiers


class Follower:
    """Reads the store again and again; use it in the thread that made it, and close it. Raises sqlite3.Error."""

    def __init__(self, path: Path, view: View, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._opened = read_only(path)
        self._database: sqlite3.Connection = self._opened.__enter__()
        self._view = view
        self._now_s = now_s
        self._positions: dict[int, _Position] = {}
        self._alarms = self._dropped = 0
        self._version: int | None = None
        self._given_up: set[tuple[str, bytes]] = set()
        self.held = 0
        """Streams that were held back at the last look."""
        if not view.everything:
            for number, _ in self._streams():
                self._positions[number] = _Position(islands.upto(self._database, number))
            self._alarms = self._highest("alarm")
            self._dropped = self._highest("dropped")

    def close(self) -> None:
        """Close the store."""
        self._database.close()

    def look(self) -> Iterator[Event]:
        """Give what has become ready since the last look."""
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        if version == self._version and not self.held:
            return
        self._version, self.held = version, 0
        yield from self._new_alarms()
        yield from self._new_dropped()
        for number, key in self._streams():
            position = self._positions.setdefault(number, _Position(0))
            before = -1
            while position.shown != before:  # the last round finds what holds it back from then on
                before = position.shown
                yield from self._ready(number, key, position)
                if position.shown != before:
                    position.held_since_s = None

    def _ready(self, number: int, key: StreamKey, position: _Position) -> Iterator[Decoded]:
        upto = islands.reached(self._database, number, position.shown)
        if upto == position.shown:
            (following,) = self._database.execute(_NEXT, (number, position.shown)).fetchone()
            if following is None or not self._is_over(position):
                return
            position.shown = following - 1  # it never came: go on behind it
            upto = islands.reached(self._database, number, position.shown)
        undecoded = self._database.execute(
            "SELECT sequence, schema FROM message WHERE stream = ? AND sequence BETWEEN ? AND ? AND content = ?"
            " AND readings IS NULL ORDER BY sequence LIMIT 1",
            (number, position.shown + 1, upto, SEGMENT),
        ).fetchone()
        if undecoded is not None:
            upto = undecoded[0] - 1
            if upto <= position.shown:
                if self._is_over(position, (key[0], undecoded[1])):  # its schema does not come: nothing can be told
                    position.shown = undecoded[0]
                return
        for decoded in decode.between(self._database, key, number, position.shown + 1, upto):
            start = min(table.ticks[0] for table in decoded.content.groups.values())
            boot = (key[0], decoded.content.boot_id)
            if decoded.timeline.at(start) is None and not self._is_over(position, boot):
                position.shown = decoded.sequence - 1
                return
            position.shown = decoded.sequence
            yield decoded
        position.shown = upto

    def _is_over(self, position: _Position, what: tuple[str, bytes] | None = None) -> bool:
        """Tell whether a stream has been held back for long enough; once for each boot or schema that is waited for."""
        now = self._now_s()
        if position.held_since_s is None:
            position.held_since_s = now
        if what in self._given_up or now - position.held_since_s >= self._view.patience_s:
            if what is not None:
                self._given_up.add(what)
            return True
        self.held += 1
        return False

    def _streams(self) -> list[tuple[int, StreamKey]]:
        rows = self._database.execute(
            "SELECT id, gateway, epoch, name FROM stream WHERE ?1 IS NULL OR gateway = ?1 ORDER BY id",
            (self._view.gateway,),
        ).fetchall()
        return [(number, (gateway, epoch, name)) for number, gateway, epoch, name in rows if self._view.shows(name)]

    def _new_alarms(self) -> Iterator[Alarmed]:
        rows = self._database.execute(
            "SELECT id, gateway, arrived_utc_ms, payload FROM alarm WHERE id > ?1 AND (?2 IS NULL OR gateway = ?2)"
            " ORDER BY id LIMIT 1000",
            (self._alarms, self._view.gateway),
        ).fetchall()
        for number, gateway, when, payload in rows:
            self._alarms = number
            yield Alarmed(gateway, when, Alarm.decode(payload))

    def _new_dropped(self) -> Iterator[DroppedRange]:
        rows = self._database.execute(
            "SELECT dropped.id, gateway, epoch, name, first, last, count, reason FROM dropped"
            " JOIN stream ON stream.id = stream WHERE dropped.id > ?1 AND (?2 IS NULL OR gateway = ?2)"
            " ORDER BY dropped.id LIMIT 1000",
            (self._dropped, self._view.gateway),
        ).fetchall()
        for number, *row in rows:
            self._dropped = number
            yield DroppedRange(*row)

    def _highest(self, table: str) -> int:
        return int(self._database.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0])  # noqa: S608 - names of ours
