"""A past for a building: what its gateway would have kept in 400 days, but for the times in which it read nothing."""

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from buffer.history import Minute, Rollup
from buffer.outbox import Outbox
from hil_tests.bench.site import ELECTRICITY, GAS, GAS_DIAL, HEAT, LINKY, WATER, WATER_DIAL

ZONE = ZoneInfo("Europe/Paris")
POWER = f"{LINKY}.sinsts"
QUOTA_PAGES = 131_072

HOUR_MIN, DAY_MIN = 60, 24 * 60
SILENT_MIN = range(5 * 60, 6 * 60)
"""So many minutes ago nothing was read of the power."""

DAYS = 400
HOURS = 31 * 24
SILENT_H = range(12 * 24, 12 * 24 + 19)
"""So many hours ago nothing at all was read."""

INDEXES = {
    f"{LINKY}.east": (21_111_110, 96_000),
    f"{LINKY}.easf01": (8_765_432, 40_000),
    f"{LINKY}.easf02": (12_345_678, 56_000),
    f"{ELECTRICITY}.energy": (7_654_321, 6_100),
    f"{HEAT}.energy": (12_345, 15),
    f"{GAS}.total": (GAS_DIAL, 1_800),
    f"{WATER}.total": (WATER_DIAL, 150),
}
"""Channel -> what its index shows when the bench starts, and how much of that is of a day."""


def lived_in(state: Path) -> None:
    """Put that past into the state folder of an agent that has not run yet."""
    now_min = int(time.time()) // 60
    outbox = Outbox.open(state / "outbox.db", quota_pages=QUOTA_PAGES)
    try:
        outbox.history.add(
            [
                *(each for channel in INDEXES for each in _index(channel, now_min)),
                *_hours_of_power(now_min),
                *(_power(now_min - ago, 1) for ago in range(DAY_MIN, 0, -1) if ago not in SILENT_MIN),
            ]
        )
    finally:
        outbox.close()


def _index(channel: str, now_min: int) -> Iterator[Minute]:
    """Give an index at both ends of each hour, or of each day where it is older than that, oldest first."""
    shows, of_a_day = INDEXES[channel]
    this_hour = now_min // HOUR_MIN
    values = [shows]
    for hour in range(this_hour, this_hour - DAYS * 24, -1):
        values.append(values[-1] - round(of_a_day / 24 * _often(hour)))
    at = {this_hour + 1 - ago: value for ago, value in enumerate(values)}
    day_begins = [hour for hour in sorted(at)[1:-HOURS] if _day(hour * HOUR_MIN) != _day((hour - 1) * HOUR_MIN)]
    for begin, end in pairwise(day_begins):
        yield _at(channel, begin * HOUR_MIN, at[begin], 1)
        yield _at(channel, end * HOUR_MIN - 1, at[end], DAY_MIN - 1)
    for hour in range(day_begins[-1], this_hour + 1):
        if this_hour - hour not in SILENT_H:
            yield _at(channel, hour * HOUR_MIN, at[hour], 1)
            if hour < this_hour:
                yield _at(channel, hour * HOUR_MIN + 59, at[hour + 1], 59)


def _hours_of_power(now_min: int) -> Iterator[Minute]:
    this_hour = now_min // HOUR_MIN
    for ago in range(HOURS, 25, -1):
        if ago not in SILENT_H:
            yield _power((this_hour - ago) * HOUR_MIN + 59, 60)


def _often(hour: int) -> float:
    """Say how much more is used in an hour than in a usual one: by night little, in winter much."""
    return (1 + 0.7 * math.sin((hour % 24 - 8) / 24 * math.tau)) * (1 + 0.5 * math.cos(hour / 24 / 365 * math.tau))


def _at(channel: str, minute: int, value: int, covered: int) -> Minute:
    return Minute(channel, minute, _day(minute), Rollup(value, value, value, value, value, 1), covered)


def _power(minute: int, covered: int) -> Minute:
    hour = minute / 60 % 24
    mean = round(14_000 + 9_000 * math.sin((hour - 8) / 24 * math.tau) + 1_500 * math.sin(minute / 7))
    low, high = mean - 400, mean + 900
    return Minute(POWER, minute, _day(minute), Rollup(low, high, low, high, 60 * mean, 60), covered)


def _day(minute: int) -> int:
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZONE)
    return local.date().toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
