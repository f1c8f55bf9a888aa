"""Turns Readings into the minutes that the history keeps; it reads no clock and touches no disk.

Numbers alone are rolled up: a text is an event, and a suspect value is no value. Minutes are those of UTC. Until the
clock is known, minutes of boot time are held, and placed once it is, half a minute off at most. What is held is
bounded: where there is too much, the oldest goes, from the page's charts alone; the journal has every reading.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from buffer.history import VALUE_MOST, Minute, Rollup
from drivers.reading import Quality, Reading
from gateway.clock import Correlation

MINUTE_MS = 60_000
MOST_HELD = 10_000
"""Rollups that wait for the clock or the disk: hours of a large building, about three megabytes."""

_UNCERTAIN_MS = MINUTE_MS // 2
_EPOCH = date(1970, 1, 1).toordinal()


class Historian:
    """Rolls Readings up, minute by minute; days are those of `zone`."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._offset_ms: int | None = None
        self._open: dict[int, dict[str, list[int]]] = {}
        self._held: dict[int, dict[str, list[int]]] = {}
        self._placed: list[Minute] = []
        self.given_up = 0
        """Rollups that were lost because neither clock nor disk came in time."""

    def accept(self, readings: Sequence[Reading]) -> None:
        """Take the Readings of one tick."""
        minute = (readings[0].boot_ms + (self._offset_ms or 0)) // MINUTE_MS
        rows = self._open.get(minute)
        if rows is None:
            rows = self._open[minute] = {}
        for reading in readings:
            value = reading.value
            if value.__class__ is not int or reading.quality is Quality.SUSPECT:
                continue
            assert isinstance(value, int)  # noqa: S101 - for mypy, which does not know the faster test above
            row = rows.get(reading.channel.name)
            if row is not None and -VALUE_MOST <= value <= VALUE_MOST:
                row[1] = value
                if value < row[2]:
                    row[2] = value
                elif value > row[3]:
                    row[3] = value
                row[4] += value
                row[5] += 1
            elif -VALUE_MOST <= value <= VALUE_MOST:
                rows[reading.channel.name] = [value, value, value, value, value, 1]

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
                middle_ms = min(now_ms, minute * MINUTE_MS + MINUTE_MS // 2)  # of the minute that runs: not the future
                self._place(correlation.utc_ms_at(middle_ms) // MINUTE_MS, self._held.pop(minute))
        self._give_up()
        return list(self._placed)

    def stored(self, minutes: Sequence[Minute]) -> None:
        """Forget what `take` gave: it is on the disk."""
        del self._placed[: len(minutes)]

    def _place(self, minute: int, rows: dict[str, list[int]]) -> None:
        day = day_number(self._zone, minute * 60)
        self._placed += [Minute(name, minute, day, Rollup(*values)) for name, values in rows.items()]

    def _give_up(self) -> None:
        held = sum(map(len, self._held.values()))
        while held > MOST_HELD:
            gone = len(self._held.pop(min(self._held)))
            held -= gone
            self.given_up += gone
        over = len(self._placed) - MOST_HELD
        if over > 0:
            del self._placed[:over]
            self.given_up += over


def zone_of(name: str) -> tzinfo:
    """Give a time zone, UTC on a machine that has no time zone database."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return UTC


def day_number(zone: tzinfo, utc_s: int) -> int:
    """Give the day of a moment in that zone, counted from 1970-01-01."""
    return datetime.fromtimestamp(utc_s, zone).toordinal() - _EPOCH


def day_name(day: int) -> str:
    """Write a day's number as people and ISO 8601 do."""
    return date.fromordinal(day + _EPOCH).isoformat()
