"""A past for a building: what its gateway would have kept in some days, but for an hour in which it read nothing."""

import math
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from buffer.history import Minute, Rollup
from buffer.outbox import Outbox
from hil_tests.bench.site import ELECTRICITY, GAS, GAS_DIAL, HEAT, LINKY, WATER, WATER_DIAL

ZONE = ZoneInfo("Europe/Paris")
POWER = f"{LINKY}.sinsts"
QUOTA_PAGES = 131_072

DAY_MIN = 24 * 60
SILENT_MIN = range(5 * 60, 6 * 60)
"""So many minutes ago nothing was read."""

INDEXES = {
    f"{LINKY}.east": (21_111_110, 31_000, 96_000),
    f"{LINKY}.easf01": (8_765_432, 12_000, 40_000),
    f"{LINKY}.easf02": (12_345_678, 19_000, 56_000),
    f"{ELECTRICITY}.energy": (7_654_321, 20_000, 61_000),
    f"{HEAT}.energy": (12_345, 450, 1_500),
    f"{GAS}.total": (GAS_DIAL, 3_200, 9_800),
    f"{WATER}.total": (WATER_DIAL, 1_100, 4_300),
}
"""Channel -> what its index shows when the bench starts, how much of that is of today, how much of yesterday."""


def lived_in(state: Path) -> None:
    """Put that past into the state folder of an agent that has not run yet."""
    now_min = int(time.time()) // 60
    outbox = Outbox.open(state / "outbox.db", quota_pages=QUOTA_PAGES)
    try:
        outbox.history.add([_power(now_min - ago) for ago in range(DAY_MIN, 0, -1) if ago not in SILENT_MIN])
        today = _day(now_min)
        outbox.history.add(
            [
                Minute(channel, (today - days) * DAY_MIN, today - days, Rollup(value, value, value, value, value, 1))
                for channel, (now, of_today, of_yesterday) in INDEXES.items()
                for days, value in ((2, now - of_today - of_yesterday), (1, now - of_today), (0, now))
            ]
        )
    finally:
        outbox.close()


def _power(minute: int) -> Minute:
    hour = minute / 60 % 24
    mean = round(14_000 + 9_000 * math.sin((hour - 8) / 24 * math.tau) + 1_500 * math.sin(minute / 7))
    low, high = mean - 400, mean + 900
    return Minute(POWER, minute, _day(minute), Rollup(low, high, low, high, 60 * mean, 60))


def _day(minute: int) -> int:
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZONE)
    return local.date().toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
