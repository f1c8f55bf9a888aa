"""The past of one counter or power, by hour, day or month, and the daily totals of all counters as CSV.

Every period from the first to the last that is known is there; one of which nothing is known says so. What the states
mean stands in docs/missing-data.md.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from gateway.web.agent import Agent
from gateway.web.counters import INCOMPLETE
from gateway.web.live import View
from gateway.web.numbers import exact
from gateway.web.values import ESTIMATED

BY = HOUR, DAY, MONTH = "hour", "day", "month"
DAYS_BACK = {HOUR: 31, DAY: 396, MONTH: 3 * 366}
"""How far each goes back: 31 days, 13 months, three years."""

ABSENT = "absent"
MOST_DAYS = 1_099
"""Days in one file of totals."""

FIRST, LAST = date(1970, 1, 1), date(9999, 12, 30)
"""Whose beginning and end are moments that a computer can name."""

COLUMNS = "day;channel;amount;unit;state;estimated;covered_min;length_min"
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Choice:
    """A channel whose past can be shown: an index, or a power; `name` tells its tariff or device."""

    channel: str
    kind: str
    name: str
    is_index: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A period that began at `utc_s`: what was used, or the mean with its bounds; None where nothing is known."""

    utc_s: int
    amount: Decimal | None
    estimated: Decimal
    low: Decimal | None
    high: Decimal | None
    state: str
    covered: int | None
    length: int

    @property
    def percent(self) -> int | None:
        """How much of it was measured, in %, rounded down so that only the whole is 100."""
        return None if self.covered is None else 100 * self.covered // max(1, self.length)


@dataclass(frozen=True, slots=True)
class Past:
    """What is shown: of a choice, by hour, day or month; rows in order."""

    choice: Choice
    by: str
    unit: str
    zone: tzinfo
    rows: tuple[Row, ...]

    def points(self) -> dict[str, Any]:
        """Give what the chart draws: what is known for good, and what is estimated or that much at least, apart."""
        good = [_drawn(row) if row.state not in {ESTIMATED, INCOMPLETE} else None for row in self.rows]
        vague = [_drawn(row) if row.state in {ESTIMATED, INCOMPLETE} else None for row in self.rows]
        return {"unit": self.unit, "t": [row.utc_s for row in self.rows], "v": good, "w": vague}


def choices(view: View) -> list[Choice]:
    """Give what can be chosen: each counter with its tariffs, and the power of each electricity meter."""
    found = []
    for counter in view.counters:
        found.append(Choice(counter.channel, f"kind.{counter.kind}", counter.name, is_index=True))
        found += [
            Choice(part.channel, f"kind.{part.kind}", part.tariff or part.name, is_index=True)
            for part in counter.tariffs
            if len(counter.tariffs) > 1
        ]
    found += [
        Choice(meter.main, "power", meter.device, is_index=False) for meter in view.meters if meter.main is not None
    ]
    return found


async def past(agent: Agent, view: View, choice: Choice, by: str) -> Past | None:
    """Give the past of a choice; None while the agent or the time is not known."""
    if view.utc_ms is None:
        return None
    since = _local(view.utc_ms, view.zone).date() - timedelta(days=DAYS_BACK[by])
    since = since.replace(day=1) if by == MONTH else since
    history = await _history(agent, choice.channel, by, _begin(since, view.zone))
    if history is None:
        return None
    scale = Decimal(1000) if choice.is_index and history["unit"] == "Wh" else Decimal(1)
    known = {row[0]: dict(zip(history["fields"], row, strict=True)) for row in history["rows"]}
    begins = dict(_periods(by, since, view))
    begins = _trimmed(begins, known.keys())
    rows = tuple(_row(begin, known.get(name), choice, history["exponent"], scale) for name, begin in begins.items())
    return Past(choice, by, "kWh" if scale != 1 else history["unit"], view.zone, rows)


async def totals(agent: Agent, view: View, span: tuple[date, date], *, comma: bool) -> AsyncIterator[str]:
    """Give the lines of a CSV: each day of a span, its last included, of each counter and tariff."""
    yield f"{COLUMNS}\n"
    first, last = span
    begin, end = _begin(first, view.zone), _begin(last + timedelta(days=1), view.zone)
    for choice in choices(view):
        history = await _history(agent, choice.channel, DAY, begin, end) if choice.is_index else None
        if history is None:
            continue
        known = {row[0]: dict(zip(history["fields"], row, strict=True)) for row in history["rows"]}
        for day in _days(first, last):
            at = datetime(day.year, day.month, day.day, tzinfo=view.zone)
            row = _row(0, known.get(day.isoformat()), choice, history["exponent"], Decimal(1))
            length = row.length or (_begin(day + timedelta(days=1), view.zone) - _begin(day, view.zone)) // 60
            numbers = [_plain(row.amount), _plain(row.estimated if row.amount is not None else None)]
            amount, estimated = (each.replace(".", ",") if comma else each for each in numbers)
            covered = "" if row.covered is None else row.covered
            yield (
                f"{at.isoformat()};{choice.channel};{amount};{history['unit']};{row.state};{estimated};{covered};{length}\n"
            )


async def _history(agent: Agent, channel: str, by: str, since_s: int, until_s: int | None = None) -> Any | None:  # noqa: ANN401 - JSON
    until = "" if until_s is None else f"&to={until_s}"
    resource = f"/v1/history/{quote(channel, safe='')}?resolution={by}&from={since_s}{until}"
    return await agent.told(resource)


def _row(utc_s: int, told: Mapping[str, Any] | None, choice: Choice, exponent: int, scale: Decimal) -> Row:
    """Read a row of /v1/history, or give one of which nothing is known."""
    if told is None:
        return Row(utc_s, None, Decimal(0), None, None, ABSENT, 0, 0)

    def number(value: int | None) -> Decimal | None:
        return None if value is None else exact(value, exponent) / scale

    if choice.is_index:
        amount = number(told["used"])
    else:
        amount = None if not told["count"] else exact(told["sum"], exponent) / told["count"]
    return Row(
        utc_s,
        amount,
        Decimal(0) if told["estimated"] is None else exact(told["estimated"], exponent) / scale,
        number(told["low"]),
        number(told["high"]),
        ABSENT if amount is None else told["state"],
        told["covered_min"],
        told["length_min"],
    )


def _periods(by: str, since: date, view: View) -> Iterator[tuple[int | str, int]]:
    """Give the name and the beginning (s UTC) of each period up to now, as the agent names them."""
    now_s = (view.utc_ms or 0) // 1000
    if by == HOUR:
        first = _begin(since, view.zone) // _HOUR_S * _HOUR_S
        yield from ((at, at) for at in range(first, now_s + 1, _HOUR_S))
        return
    for day in _days(since, _local(now_s * 1000, view.zone).date()):
        if by == DAY:
            yield day.isoformat(), _begin(day, view.zone)
        elif day.day == 1:
            yield f"{day:%Y-%m}", _begin(day, view.zone)


def _trimmed(begins: Mapping[int | str, int], known: Any) -> dict[int | str, int]:  # noqa: ANN401 - keys of a dict
    """Leave out what is before the first period of which something is known, and behind the last one."""
    there = [at for name, at in begins.items() if name in known]
    return {name: at for name, at in begins.items() if there and there[0] <= at <= there[-1]}


def _days(first: date, last: date) -> Iterator[date]:
    for days in range((last - first).days + 1):
        yield first + timedelta(days=days)


def _begin(day: date, zone: tzinfo) -> int:
    """Give the beginning of a day, in s UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _local(utc_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(zone)


def _drawn(row: Row) -> float | None:
    return None if row.amount is None else float(round(row.amount, 3))


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def span(given: Mapping[str, str], view: View) -> tuple[date, date] | None:
    """Read the days of a range, this month where none is named; None for what is no range, or too long a one.

    While the time is not known no day is this one: both are to be named then.
    """
    if view.utc_ms is None and not (given.get("from") and given.get("to")):
        return None
    today = _local(view.utc_ms or 0, view.zone).date()
    try:
        first = date.fromisoformat(given["from"]) if given.get("from") else today.replace(day=1)
        last = date.fromisoformat(given["to"]) if given.get("to") else today
    except ValueError:
        return None
    is_one = FIRST <= first <= last <= LAST and last - first <= timedelta(days=MOST_DAYS)
    return (first, last) if is_one else None


def chosen(found: Sequence[Choice], channel: str | None) -> Choice | None:
    """Give the choice of that channel, the first where none is named."""
    if channel is None:
        return found[0] if found else None
    return next((each for each in found if each.channel == channel), None)
