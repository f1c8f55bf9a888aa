"""Turns Readings into the minutes that the history keeps; it reads no clock and touches no disk.

Numbers alone are rolled up: a text is an event, and a suspect value is no value. Of an index it also notes where it
jumped, and of every channel how many minutes its word covers. Minutes are those of UTC. Until the clock is known,
minutes of boot time are held, and placed once it is: by their last reading, so up to a minute late, but never before
what was read before. What is held is bounded: where there is too much, the oldest goes, from the page's charts alone;
the journal has every reading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from buffer.history import VALUE_MOST, Jump, Minute, Rollup
from buffer.rollup import COVERED_MOST
from drivers.reading import Quality
from gateway.clock import Correlation
from gateway.counting import Reach, jumps
from gateway.periods import day_number
from gateway.wire.record import Read

MINUTE_MS = 60_000
MOST_HELD = 10_000
"""Rollups that wait for the clock or the disk: hours of a large building, about three megabytes."""

_UNCERTAIN_MS = MINUTE_MS // 2
_FAR_MIN = 1440
"""A reading that is so far ahead was filed by a clock that was: it tells nothing of those that come now."""
_USUAL = Reach()


@dataclass(slots=True)
class _Open:
    """A channel's minute while it is rolled up: what Rollup has, and what Minute has beside it."""

    first: int
    last: int
    low: int
    high: int
    sum: int
    count: int = 1
    estimated: bool = False
    jumped: list[Jump] = field(default_factory=list)


class Historian:
    """Rolls Readings up, minute by minute; days are those of `zone`, `reaches` tells of each channel by its name."""

    def __init__(self, zone: tzinfo, reaches: Mapping[str, Reach] | None = None) -> None:
        self._zone = zone
        self._reaches = dict(reaches or {})
        self._most = {name: each.most for name, each in self._reaches.items() if each.most is not None}
        self._newest: dict[str, tuple[int, int]] = {}
        self._offset_ms: int | None = None
        self._open: dict[int, dict[str, _Open]] = {}
        self._held: dict[int, dict[str, _Open]] = {}
        self._last_ms: dict[int, int] = {}
        self._placed: list[Minute] = []
        self.given_up = 0
        """Rollups that were lost because neither clock nor disk came in time."""

    @property
    def waiting(self) -> int:
        """How many rollups wait for the disk, those of the minute that runs included."""
        return len(self._placed) + sum(map(len, self._open.values()))

    def resume(self, newest: Mapping[str, tuple[int, int]]) -> None:
        """Take the minute and value of each channel's newest reading that an earlier process stored."""
        self._newest = {**newest, **self._newest}

    def accept(self, readings: Sequence[Read]) -> None:
        """Take the Readings of one tick."""
        minute = (readings[0].boot_ms + (self._offset_ms or 0)) // MINUTE_MS
        rows = self._open.get(minute)
        if rows is None:
            rows = self._open[minute] = {}
        if self._offset_ms is None:
            self._last_ms[minute] = max(readings[-1].boot_ms, self._last_ms.get(minute, 0))
        for reading in readings:
            value = reading.value
            if value.__class__ is not int or reading.quality == Quality.SUSPECT:
                continue
            assert isinstance(value, int)  # noqa: S101 - for mypy, which does not know the faster test above
            row = rows.get(reading.channel.name)
            if not -VALUE_MOST <= value <= VALUE_MOST:
                continue
            if row is None:
                row = rows[reading.channel.name] = _Open(value, value, value, value, value)
            else:
                if value != row.last:
                    self._change(reading.channel.name, row, value)
                row.sum += value
                row.count += 1
            if reading.quality == Quality.ESTIMATED:
                row.estimated = True

    def _change(self, channel: str, row: _Open, value: int) -> None:
        most = self._most.get(channel)
        if most is not None and jumps(row.last, value, 0, most):
            row.jumped.append(Jump(row.last, value))
        row.last = value
        if value < row.low:
            row.low = value
        elif value > row.high:
            row.high = value

    def take(self, now_ms: int, correlation: Correlation | None, *, whole: bool = False) -> list[Minute]:
        """Give what is complete at boot time `now_ms` (with `whole`, also the minute that runs) and not yet `stored`.

        The same comes again with more at the next call, until `stored` is called.
        """
        known = correlation is not None and correlation.uncertainty_ms_at(now_ms) <= _UNCERTAIN_MS
        running = (now_ms + (self._offset_ms or 0)) // MINUTE_MS
        for minute in sorted(self._open):
            if minute < running or whole or (known and self._offset_ms is None):
                rows = self._open.pop(minute)
                if self._offset_ms is None:
                    self._held[minute] = rows
                else:
                    self._place(minute, rows)
        if correlation is not None and known:
            self._offset_ms = correlation.utc_ms - correlation.boot_ms
            for minute in sorted(self._held):
                self._place(correlation.utc_ms_at(self._last_ms[minute]) // MINUTE_MS, self._held.pop(minute))
            self._last_ms.clear()
        self._give_up()
        return list(self._placed)

    def stored(self, minutes: Sequence[Minute]) -> None:
        """Forget what `take` gave: it is on the disk."""
        del self._placed[: len(minutes)]

    def _place(self, minute: int, rows: dict[str, _Open]) -> None:
        day = day_number(self._zone, minute * 60)
        self._placed += [self._minute(name, minute, day, row) for name, row in rows.items()]

    def _minute(self, name: str, minute: int, day: int, row: _Open) -> Minute:
        """Give a placed minute, compared with the channel's newest reading before it."""
        reach = self._reaches.get(name, _USUAL)
        at, value = self._newest.get(name, (minute - COVERED_MOST, row.first))
        if at - minute > _FAR_MIN:
            at, value = minute - COVERED_MOST, row.first
        passed = minute - at
        jumped, joint = row.jumped, None
        if passed >= 0:
            self._newest[name] = minute, row.last
            if reach.most is not None and jumps(value, row.first, passed, reach.most):
                joint = Jump(value, row.first)
                if not passed:  # a restart cut this minute in two: it lies within the whole
                    jumped, joint = [joint, *jumped], None
        return Minute(
            name,
            minute,
            day,
            Rollup(row.first, row.last, row.low, row.high, row.sum, row.count),
            passed if 0 < passed <= min(reach.minutes, COVERED_MOST) else 1,
            row.estimated,
            joint,
            _as_one(jumped),
        )

    def _give_up(self) -> None:
        held = sum(map(len, self._held.values()))
        while held > MOST_HELD:
            oldest = min(self._held)
            del self._last_ms[oldest]
            gone = len(self._held.pop(oldest))
            held -= gone
            self.given_up += gone
        over = len(self._placed) - MOST_HELD
        if over > 0:
            del self._placed[:over]
            self.given_up += over


def _as_one(jumped: Sequence[Jump]) -> Jump | None:
    """Give what jumps make together: what was counted up between them is no part of it."""
    if not jumped:
        return None
    over = sum(each.before - each.after for each in jumped)
    return Jump(jumped[0].before, jumped[0].before - over)
