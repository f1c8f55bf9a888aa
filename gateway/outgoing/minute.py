"""The minute tier: what each channel was in each minute, as one tick of its group at the minute's end.

    what is so at one moment   the mean of the minute's good values, rounded half to even at the channel's exponent
    counters                   the last value
    states, texts, registers   the last value

Where a minute has suspect values alone, theirs are taken and the result is suspect; an estimate among the values makes
it one. What was not read in a minute is not read. A tick tells what was read since the minute began, its own moment
not included; one that stands between two ends of minutes closes a minute that was cut short by the end of a process.
"""

from collections.abc import Container, Iterable, Sequence

from config.channel import Channel, Quantity
from drivers.reading import Quality, Reading
from gateway.outgoing.quarters import MINUTE_MS, Quarters
from gateway.wire.record import Record, Recorder

MEANS = frozenset(
    {
        Quantity.ACTIVE_POWER_IMPORT,
        Quantity.ACTIVE_POWER_EXPORT,
        Quantity.REACTIVE_POWER,
        Quantity.APPARENT_POWER_IMPORT,
        Quantity.APPARENT_POWER_EXPORT,
        Quantity.THERMAL_POWER,
        Quantity.CURRENT,
        Quantity.VOLTAGE,
        Quantity.FREQUENCY,
        Quantity.TEMPERATURE,
        Quantity.RATIO,
    }
)
"""Quantities of which a minute has a mean."""

LATE_MS = 5_000
"""So long after its end a minute waits for what was read in it: a frame bears the time of its last character."""


class _Cell:
    """One channel in the minute that runs: sums and numbers of good and of suspect values, the last of each."""

    __slots__ = ("bad", "bad_count", "good", "good_count", "is_estimated", "last", "last_bad")

    def __init__(self) -> None:
        self.good = self.good_count = self.bad = self.bad_count = 0
        self.is_estimated = False
        self.last: Reading | None = None
        self.last_bad: Reading | None = None

    def add(self, reading: Reading, value: int) -> None:
        if reading.quality is Quality.SUSPECT:
            self.bad += value
            self.bad_count += 1
            self.last_bad = reading
        else:
            self.good += value
            self.good_count += 1
            self.last = reading
            if reading.quality is not Quality.OK:
                self.is_estimated = True


class _Group:
    """The minute that runs of one group; `ends_ms` None before its first tick."""

    __slots__ = ("cells", "ends_ms")

    def __init__(self) -> None:
        self.cells: dict[str, _Cell] = {}
        self.ends_ms: int | None = None


class Minutes:
    """Gathers minutes of `channels` into `recorder`; `held` are channels whose value a register holds."""

    def __init__(
        self, channels: Iterable[Channel], recorder: Recorder, quarters: Quarters, *, held: Container[str]
    ) -> None:
        channels = tuple(channels)
        self._recorder = recorder
        self._quarters = quarters
        self._groups = {channel.group: _Group() for channel in channels}
        self._means = frozenset(
            channel.name
            for channel in channels
            if channel.quantity in MEANS and not channel.is_text and channel.name not in held
        )

    def accept(self, readings: Sequence[Reading]) -> None:
        """Take the Readings of one tick."""
        group = self._groups[readings[0].channel.group]
        at_ms = readings[0].boot_ms
        if group.ends_ms is None:
            group.ends_ms = self._quarters.end(at_ms, MINUTE_MS)
        elif at_ms >= group.ends_ms:
            self._close(group, group.ends_ms)
            group.ends_ms = self._quarters.end(at_ms, MINUTE_MS)
        cells, means = group.cells, self._means
        for reading in readings:
            name = reading.channel.name
            cell = cells.get(name)
            if cell is None:
                cell = cells[name] = _Cell()
            value = reading.value
            cell.add(reading, value if name in means and isinstance(value, int) else 0)

    def elapse(self, now_ms: int) -> None:
        """End the minutes that are over, of groups that give nothing more as well."""
        for group in self._groups.values():
            if group.ends_ms is not None and now_ms >= group.ends_ms + LATE_MS:
                self._close(group, group.ends_ms)
                group.ends_ms = None

    def end(self, now_ms: int) -> None:
        """End the minutes that run, as far as they have come: the process ends."""
        for group in self._groups.values():
            if group.ends_ms is not None:
                self._close(group, min(group.ends_ms, now_ms + 1))
                group.ends_ms = None

    def take(self, *, restart: bool) -> Record | None:
        """Give the minutes that have ended since the last call; what follows a `restart` stands alone."""
        record = self._recorder.take()
        if restart:
            self._recorder.restart()
        return record

    def _close(self, group: _Group, at_ms: int) -> None:
        told = [self._told(cell, at_ms) for cell in group.cells.values()]
        group.cells = {}
        if told:
            self._recorder.add(told)

    def _told(self, cell: _Cell, at_ms: int) -> Reading:
        last = cell.last or cell.last_bad
        assert last is not None  # noqa: S101 - a cell is made for a reading
        channel = last.channel
        if channel.name not in self._means:
            return Reading(channel, last.value, at_ms, last.quality)
        if cell.last is None:
            return Reading(channel, half_even(cell.bad, cell.bad_count), at_ms, Quality.SUSPECT)
        quality = Quality.ESTIMATED if cell.is_estimated else Quality.OK
        return Reading(channel, half_even(cell.good, cell.good_count), at_ms, quality)


def half_even(total: int, count: int) -> int:
    """Divide exactly and round to the nearest whole number, a half to the even one."""
    quotient, rest = divmod(total, count)
    return quotient + (2 * rest > count or (2 * rest == count and quotient % 2 == 1))
