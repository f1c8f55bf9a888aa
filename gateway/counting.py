"""Indexes: which channels count up, what no consumption can explain, and what was used between two of their values.

The rules are those of docs/missing-data.md. Nothing here reads a clock or a disk.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from buffer.rollup import Jumped, Row
from config.channel import Channel, Quantity

_MOST_KW = 10_000
_MOST_M3_H = 1_000
_ENERGIES = {
    Quantity.ACTIVE_ENERGY_IMPORT,
    Quantity.ACTIVE_ENERGY_EXPORT,
    Quantity.REACTIVE_ENERGY,
    Quantity.APPARENT_ENERGY,
    Quantity.THERMAL_ENERGY,
}
_VOLUMES = {Quantity.GAS_VOLUME, Quantity.WATER_VOLUME}
_HOUR_MIN = 60
_SETTLING_MIN = 2
"""A minute is in the history a minute or two after it has ended."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a channel's word goes: whole minutes that may lie between two readings that are no gap apart.

    `most` is how much an index can grow in a minute, in its own units, None for a channel that is no index.
    """

    minutes: int = 1
    most: int | None = None


def reach(channel: Channel, stale_after_ms: int | None) -> Reach:
    """Give the reach of a channel whose value is stale after so long."""
    minutes = 1 if stale_after_ms is None else max(1, -(-stale_after_ms // 60_000))
    return Reach(minutes, most_a_minute(channel))


def reaches(channels: Iterable[Channel], stale_after_ms: Mapping[str, int | None]) -> dict[str, Reach]:
    """Give the reach of each channel, by its name, from the ages at which their values are stale."""
    return {each.name: reach(each, stale_after_ms.get(each.name)) for each in channels}


def most_a_minute(channel: Channel) -> int | None:
    """Give by how much an index can grow in a minute, rounded up, None for what is no index."""
    if channel.is_text:
        return None
    if channel.quantity in _ENERGIES:
        most = _MOST_KW if channel.unit.startswith("k") else _MOST_KW * 1000
    elif channel.quantity in _VOLUMES:
        most = _MOST_M3_H
    else:
        return None
    up: int = 10 ** max(0, -channel.exponent)
    down: int = 10 ** max(0, channel.exponent)
    return -(-most * up // (_HOUR_MIN * down))


def jumps(before: int, after: int, minutes: int, most: int) -> bool:
    """Tell whether an index that went so far in so many minutes cannot have got there by consumption."""
    return not 0 <= after - before <= most * (minutes + 1)


@dataclass(frozen=True, slots=True)
class Point:
    """What an index showed in a minute."""

    minute: int
    value: int


@dataclass(slots=True)
class Use:
    """What was used in a period, in the index's units; `estimated` of it is a share of what a gap took in all.

    `shared` tells that there is such a share, be it nothing; `incomplete` that it was this much at least.
    """

    used: int = 0
    estimated: int = 0
    shared: bool = False
    incomplete: bool = False


class Uses:
    """Divides what an index tells among periods; period n goes from minute `bounds[n]` to `bounds[n + 1]`.

    Tell it what the index showed last before the first period, then its rows in order, each within one period (`add`);
    then `close`. `found` has nothing for a period of which nothing is known.
    """

    def __init__(self, bounds: Sequence[int], reach: Reach, before: Point | None) -> None:
        self.found: dict[int, Use] = {}
        self._bounds = bounds
        self._reach = reach
        self._most = reach.most or 0
        self._last = before

    def add(self, row: Row, jumped: Sequence[Jumped]) -> None:
        """Count a row; `jumped` are the index's jumps, of any time."""
        first = Point(row.first_at, row.rollup.first)
        period = self._period(first.minute)
        if self._last is not None:
            self._bridge(self._last, first)
        elif first.minute - self._bounds[period] > self._reach.minutes:
            self._of(period).incomplete = True
        use = self._of(period)
        lost = [each.jump for each in jumped if _is_within(each, row)]
        gained = row.rollup.last - row.rollup.first + sum(each.before - each.after for each in lost)
        if lost or jumps(0, gained, row.last_at - row.first_at, self._most):
            use.incomplete = True
        if not jumps(0, gained, row.last_at - row.first_at, self._most):
            use.used += gained
        self._last = Point(row.last_at, row.rollup.last)

    def close(self, after: Point | None, now: int) -> None:
        """End with what the index showed first after the last period, None if nothing has come up to minute `now`."""
        last = self._last
        if last is None:
            return
        if after is not None:
            self._bridge(last, after)
        elif last.minute >= self._bounds[0]:
            period = self._period(last.minute)
            if min(self._bounds[period + 1], now + 1) - last.minute > self._reach.minutes + _SETTLING_MIN:
                self._of(period).incomplete = True

    def _bridge(self, last: Point, first: Point) -> None:
        """Count what lies between two readings."""
        here, there = self._period(last.minute), self._period(first.minute)
        begin, end = last.minute + 1, first.minute
        amount = first.value - last.value
        is_gap = first.minute - last.minute > self._reach.minutes or there > here + 1
        if jumps(last.value, first.value, first.minute - last.minute, self._most):
            for period in {here, there} if is_gap else {there}:
                self._of(period).incomplete = True
        elif here == there or not is_gap or begin >= self._bounds[max(there, 0)]:
            self._of(there).used += amount
        else:
            for period in range(max(here, 0), min(there, len(self._bounds) - 2) + 1):
                start, stop = max(begin, self._bounds[period]), min(end, self._bounds[period + 1])
                if start < stop:
                    self._share(period, amount, (start - begin, stop - begin, end - begin))

    def _share(self, period: int, amount: int, times: tuple[int, int, int]) -> None:
        """Give a period its part of an amount: of a gap of so many minutes, those from the first to the second."""
        start, stop, whole = times
        use = self._of(period)
        part = _rounded(amount * stop, whole) - _rounded(amount * start, whole)
        use.used += part
        if amount and (start, stop) != (0, whole):
            use.estimated += part
            use.shared = True

    def _of(self, period: int) -> Use:
        """Give the use of a period; of one outside, something that nobody looks at."""
        return self.found.setdefault(period, Use())

    def _period(self, minute: int) -> int:
        """Give the number of the period of a minute, -1 or the number of periods for one outside."""
        return bisect_right(self._bounds, minute) - 1


def _is_within(jumped: Jumped, row: Row) -> bool:
    return row.first_at < jumped.minute <= row.last_at or (jumped.minute == row.first_at and jumped.inside)


def _rounded(numerator: int, denominator: int) -> int:
    """Divide, to the nearest whole number."""
    return (2 * numerator + denominator) // (2 * denominator)
