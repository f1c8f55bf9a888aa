"""Fills what the history lacks from the segments that are still kept: in the background, a little at a time.

A history that was lost is made again whole. After every start what came after its newest minute is filled in: the last
minutes before a power cut. And once the clock is known, what had to be given up while it was not. The finest tier
comes first; what it lacks comes from the minutes, and what these lack from the indexes. What is there already is never
touched, so that this may begin again as often as it is cut short.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import groupby
from pathlib import Path

from buffer.errors import StorageDamaged, StorageError
from buffer.history import Minute
from buffer.reader import Reader
from config.channel import Channel
from gateway.clock import Clock, Correlation
from gateway.counting import Reach
from gateway.export.kept import Kept, Part
from gateway.historian import MINUTE_MS, Historian
from gateway.sealing import Store
from gateway.wire.schema import ChannelInfo

log = logging.getLogger(__name__)

MARK = "history_rebuilt"
DONE = "done"

TIERS = ("fine", "minute", "index")
"""Kinds of streams, in the order in which they are asked."""

ROUND_S = 0.5
"""How long it works at a time; then it rests RESTS times as long, so that it takes a tenth of a core at most."""

RESTS = 9
AGAIN_S = 60.0
_HOUR_MS = 3_600_000
_EVER_MS = 1 << 62

Unit = tuple[str, int]
"""Unit and exponent: what a channel's numbers mean."""

_UTC = Correlation(bytes(16), 0, 0, 0, "placed")
"""On this scale boot time is UTC: what is placed needs no clock."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far the work is: up to a segment of a stream, whose newest is `last`."""

    stream: str
    sequence: int
    last: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    """A reading on the scale of UTC, as the historian takes it."""

    channel: ChannelInfo
    value: int | str
    boot_ms: int
    quality: int


@dataclass(slots=True)
class _Round:
    """What one round has found, and where the next one goes on; None: nowhere."""

    minutes: list[Minute] = field(default_factory=list)
    cut: list[Minute] = field(default_factory=list)
    place: Place | None = None


class Rebuilding:
    """Fills the history from the outbox at `path`; before the last `hours_kept` hours there are only days.

    What was read in other `units` than its channel has now is left out: the history knows numbers alone. After
    `settled_s` all that an earlier process left unsealed is sealed: then it looks once more. `given_up` counts what the
    historian of this process could not hold until the clock was known.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        path: Path,
        store: Store,
        clock: Clock,
        zone: tzinfo,
        reaches: Mapping[str, Reach],
        *,
        units: Mapping[str, Unit],
        hours_kept: int,
        settled_s: float,
        given_up: Callable[[], int],
    ) -> None:
        self._path = path
        self._store = store
        self._clock = clock
        self._zone = zone
        self._reaches = reaches
        self._units = units
        self._hours_kept = hours_kept
        self._settled_s = settled_s
        self._given_up = given_up
        self._started_ms = clock.boot_ms()
        self._since_ms: int | None = None
        self._until_ms: int | None = None
        self._known: dict[str, tuple[int, int]] = {}
        self._upto: dict[str, int] = {}
        self._historian = Historian(zone, reaches)
        self.place = self._begin()
        """How far a history that was lost is made again, None where none was."""

    async def run(self) -> None:
        """Fill in what is lacking until cancelled."""
        await self.recover()
        seen = 0
        while True:
            known, lost = self._clock.correlation(), self._given_up()
            if known is not None and lost > seen:
                seen, self._since_ms, self._until_ms = lost, known.utc_ms_at(self._started_ms), None
                self._upto.clear()
                await self._work(Place("", 0))
            await asyncio.sleep(AGAIN_S)

    async def recover(self) -> None:
        """Make it again if it is lost, else fill in what came after its newest minute."""
        settled_at = time.monotonic() + self._settled_s
        place = self.place
        self._known = await self._newest()
        if place is not None:
            log.warning("the history is empty: it is made again from the segments that are kept")
            await self._note(f"{place.stream} {place.sequence}")
        elif self._known:
            self._since_ms = max(minute for minute, _ in self._known.values()) * MINUTE_MS
        else:
            return
        self._until_ms = await self._began_at()
        await self._work(place or Place("", 0))
        await asyncio.sleep(max(0, settled_at - time.monotonic()))
        await self._work(Place("", 0))
        if self.place is not None:
            await self._note(DONE)
        self.place = None

    async def _newest(self) -> dict[str, tuple[int, int]]:
        """Give the newest minute of each channel, none where it cannot be read."""
        try:
            return await self._store.call(self._store.outbox.history.newest)
        except StorageError as error:
            log.warning("history: %s", error)
            return {}

    async def _began_at(self) -> int:
        """Wait until the time is known, and give when this process began: what is read since, the historian has."""
        while (known := self._clock.correlation()) is None:  # noqa: ASYNC110 - a clock is asked, it does not tell
            await asyncio.sleep(1)
        return known.utc_ms_at(self._started_ms)

    async def _work(self, begin: Place) -> None:
        """Do all that there is, from `begin` on."""
        place: Place | None = begin
        while place is not None:
            began = time.monotonic()
            try:
                place = await self._next(place)
            except StorageDamaged:
                raise
            except StorageError as error:
                log.warning("the history cannot be filled now: %s", error)
                await asyncio.sleep(AGAIN_S)
            else:
                if self.place is not None and place is not None and place.stream:
                    self.place = place
                    # The last segment is read once more by the next start: a minute may have begun in it.
                    await self._note(f"{place.stream} {max(0, place.sequence - 1)}")
                await asyncio.sleep(RESTS * (time.monotonic() - began))

    async def _note(self, place: str) -> None:
        """Remember how far it is; a disk that refuses costs the next start some work again."""
        with contextlib.suppress(StorageError):
            await self._store.call(self._store.outbox.commit, [], {MARK: place})

    def _begin(self) -> Place | None:
        """Give where to begin or to go on; a history that has something and is not being made again is left alone."""
        outbox = self._store.outbox
        if outbox.history.began_empty:
            return Place("", 0) if self._store.last.segments_received + self._store.last.segments_pending else None
        said = str(outbox.marks().get(MARK, DONE))
        stream, _, sequence = said.rpartition(" ")
        return None if said == DONE or not sequence.isdecimal() else Place(stream, int(sequence))

    async def _next(self, place: Place) -> Place | None:
        """Do some work from `place` on, and give where to go on."""
        since_start_ms = self._clock.boot_ms() - self._started_ms
        hours_from = (await self._began_at() + since_start_ms) // _HOUR_MS - self._hours_kept
        found = await asyncio.to_thread(self._look, place)
        history = self._store.outbox.history
        await self._store.call(history.fill, found.minutes, hours_from=hours_from)
        await self._store.call(history.add, found.cut)
        return found.place

    def _is_cut(self, minute: Minute) -> bool:
        """Tell whether this process began within that minute, and has but the later part of it."""
        known, _ = self._known.get(minute.channel, (0, 0))
        return self._until_ms is not None and known < minute.minute == self._until_ms // MINUTE_MS

    def _look(self, place: Place) -> _Round:
        """Roll up some segments behind `place`."""
        until = time.monotonic() + ROUND_S
        found = _Round()
        with Reader.open(self._path) as reader:
            kept = Kept(reader)
            last = {each.name: each.last_sequence for each in reader.streams()}
            if place.stream in last:
                self._upto.setdefault(place.stream, place.sequence)
            for stream in _ordered(last):
                if stream not in self._upto and _comes_before(stream, place.stream):
                    self._upto[stream] = last[stream]  # an earlier process has done it
                for part in kept.parts(stream, start_ms=self._since_ms, after=self._upto.get(stream, 0)):
                    self._take(found, stream, self._rolled_up(part))
                    self._upto[stream] = part.sequence
                    found.place = Place(stream, part.sequence, last[stream])
                    if time.monotonic() >= until:
                        return found
                self._take(found, stream, self._taken(0, whole=True))
                self._historian = Historian(self._zone, self._reaches)
        found.place = None
        return found

    def _take(self, found: _Round, stream: str, minutes: list[Minute]) -> None:
        """Put minutes to what was found; of the finest tier, those that are to be joined to what is there apart."""
        for each in minutes:
            is_cut = stream.partition(".")[0] == TIERS[0] and self._is_cut(each)
            (found.cut if is_cut else found.minutes).append(each)

    def _rolled_up(self, part: Part) -> list[Minute]:
        """Give the minutes that are whole with this segment; what no clock record places stands nowhere."""
        since, until = self._since_ms or 0, self._until_ms or _EVER_MS
        other = {each.name for each in part.channels if self._units.get(each.name, unit_of(each)) != unit_of(each)}
        placed = (
            _Read(each.channel, each.value, each.placed.utc_ms, each.quality)
            for each in part.values
            if each.placed and since <= each.placed.utc_ms < until and each.channel.name not in other
        )
        newest = 0
        self._historian.take(0, _UTC)
        for _, readings in groupby(placed, lambda each: each.boot_ms // MINUTE_MS):
            together = list(readings)
            self._historian.accept(together)
            newest = max(newest, together[-1].boot_ms)
        return self._taken(newest)

    def _taken(self, now_ms: int, *, whole: bool = False) -> list[Minute]:
        minutes = self._historian.take(now_ms, _UTC, whole=whole)
        self._historian.stored(minutes)
        return minutes


def unit_of(channel: ChannelInfo | Channel) -> Unit:
    """Give what a channel's numbers mean."""
    return channel.unit, channel.exponent


def _ordered(streams: Iterable[str]) -> list[str]:
    """Give the streams of readings, tier by tier."""
    return sorted((each for each in streams if each.partition(".")[0] in TIERS), key=_rank)


def _comes_before(stream: str, other: str) -> bool:
    return other.partition(".")[0] in TIERS and _rank(stream) < _rank(other)


def _rank(stream: str) -> tuple[int, str]:
    return TIERS.index(stream.partition(".")[0]), stream
