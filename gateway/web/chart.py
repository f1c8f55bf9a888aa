"""The power of the last 24 hours, minute by minute, as a chart draws it and as a table says it; a gap stays a gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from itertools import groupby
from typing import Any
from urllib.parse import quote

from gateway.web.agent import Agent
from gateway.web.live import View
from gateway.web.numbers import exact

FRESH_S = 30.0
DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True)
class Row:
    """Some time of a channel: when it began (s UTC), its mean, lowest and highest value."""

    utc_s: int
    mean: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Gap:
    """From when to when (s UTC, not included) nothing was read."""

    utc_s: int
    until_s: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A channel's minutes, in order; minutes without a value are absent."""

    channel: str
    unit: str
    zone: tzinfo
    minutes: tuple[Row, ...]
    hours: tuple[Row, ...]

    def by_minute(self) -> list[Row | Gap]:
        """Give the minutes with the gaps between them, as a table tells them."""
        return _with_gaps(self.minutes, MINUTE_S)

    def by_hour(self) -> list[Row | Gap]:
        """Give the hours, likewise."""
        return _with_gaps(self.hours, HOUR_S)

    def points(self) -> dict[str, Any]:
        """Give what the chart draws: every minute from the first to the last, None where nothing was read."""
        known = {row.utc_s: row for row in self.minutes}
        if not known:
            return {"unit": self.unit, "t": [], "v": []}
        times = range(min(known), max(known) + 1, MINUTE_S)
        values = [float(round(known[at].mean)) if at in known else None for at in times]
        return {"unit": self.unit, "t": list(times), "v": values}


async def curve(agent: Agent, view: View) -> Curve | None:
    """Give the curve of the first electricity meter, None where there is none, or no time yet."""
    main = view.meters[0].main if view.meters else None
    if main is None or view.utc_ms is None:
        return None
    found = (await agent.known(f"/v1/history/{quote(main, safe='')}", FRESH_S)).content
    if found is None:
        return None
    minutes = tuple(_row(found["exponent"], row[0], [row]) for row in found["rows"])
    hours = tuple(
        _row(found["exponent"], start, list(rows))
        for start, rows in groupby(found["rows"], lambda row: row[0] // HOUR_S * HOUR_S)
    )
    return Curve(main, found["unit"], view.zone, minutes, hours)


def _with_gaps(rows: Sequence[Row], step_s: int) -> list[Row | Gap]:
    found: list[Row | Gap] = []
    for row in rows:
        end_s = found[-1].utc_s + step_s if found else row.utc_s
        if row.utc_s > end_s:
            found.append(Gap(end_s, row.utc_s))
        found.append(row)
    return found


def _row(exponent: int, start: int, rows: Sequence[Sequence[Any]]) -> Row:
    """Join rows as /v1/history gives them (moment, first, last, low, high, sum, count): the mean of their means."""
    means = [exact(total, exponent) / count for _, _, _, _, _, total, count in rows]
    return Row(
        start,
        sum(means, Decimal(0)) / len(means),
        min(exact(row[3], exponent) for row in rows),
        max(exact(row[4], exponent) for row in rows),
    )
