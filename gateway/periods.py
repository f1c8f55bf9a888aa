"""Hours, days and months: where each begins, what it is called, and the one in which a moment lies.

Hours are those of UTC; days and months are the site's, so that a day has 23, 24 or 25 hours. Each kind is numbered:
hours and days from 1970-01-01, months from January of the year 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH = date(1970, 1, 1).toordinal()
_HOUR_S = 3_600
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Periods:
    """One kind of periods: `number` of a moment (s UTC), `start` (minutes UTC) and `name` of a number."""

    number: Callable[[int], int]
    start: Callable[[int], int]
    name: Callable[[int], int | str]

    def within(self, start_s: int, end_s: int) -> range:
        """Give the periods that have something of a range, its end not included."""
        return range(self.number(start_s), self.number(end_s - 1) + 1)

    def bounds(self, numbers: range) -> list[int]:
        """Give the minutes at which these begin, and at which the last of them ends."""
        return [self.start(number) for number in range(numbers.start, numbers.stop + 1)]


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


def periods(kind: str, zone: tzinfo) -> Periods:
    """Give hours, days or months; raise KeyError."""
    return {"hour": _hours, "day": _days, "month": _months}[kind](zone)


def month_of(day: int) -> int:
    """Give the month in which a day lies."""
    when = date.fromordinal(day + _EPOCH)
    return when.year * _MONTHS + when.month - 1


def days_of(months: range) -> range:
    """Give the days of some months."""
    return range(_first_day(months.start), _first_day(months.stop))


def _hours(_: tzinfo) -> Periods:
    return Periods(lambda at: at // _HOUR_S, lambda hour: hour * 60, lambda hour: hour * _HOUR_S)


def _days(zone: tzinfo) -> Periods:
    return Periods(lambda at: day_number(zone, at), lambda day: _midnight(zone, day), day_name)


def _months(zone: tzinfo) -> Periods:
    return Periods(
        lambda at: month_of(day_number(zone, at)),
        lambda month: _midnight(zone, _first_day(month)),
        lambda month: f"{month // _MONTHS:04}-{month % _MONTHS + 1:02}",
    )


def _first_day(month: int) -> int:
    return date(month // _MONTHS, month % _MONTHS + 1, 1).toordinal() - _EPOCH


def _midnight(zone: tzinfo, day: int) -> int:
    """Give the minute of UTC at which a day begins; where a zone skips midnight, the first one after."""
    when = date.fromordinal(day + _EPOCH)
    local = datetime(when.year, when.month, when.day, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp()) // 60
