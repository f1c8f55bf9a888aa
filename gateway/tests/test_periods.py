"""Hours are those of UTC, days and months the site's: none is lost, doubled, or of a wrong length."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.periods import day_name, day_number, days_of, month_of, periods, zone_of

PARIS = ZoneInfo("Europe/Paris")


def utc_s(*when: int) -> int:
    """Give a moment of Paris."""
    return int(datetime(*when, tzinfo=PARIS).timestamp())  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(("day", "minutes"), [((2026, 3, 29), 1380), ((2026, 3, 30), 1440), ((2026, 10, 25), 1500)])
def test_a_day_is_as_long_as_it_is(day: tuple[int, int, int], minutes: int) -> None:
    """23 hours in spring, 25 in autumn."""
    days = periods("day", PARIS)
    (number,) = days.within(utc_s(*day), utc_s(*day) + 1)
    begin, end = days.bounds(range(number, number + 1))
    assert (days.name(number), begin * 60, end - begin) == ("-".join(f"{n:02}" for n in day), utc_s(*day), minutes)


def test_a_month_is_made_of_its_days() -> None:
    """October has 31 of them, one with 25 hours."""
    months = periods("month", PARIS)
    (number,) = months.within(utc_s(2026, 10, 5), utc_s(2026, 10, 31, 23))
    begin, end = months.bounds(range(number, number + 1))
    assert months.name(number) == "2026-10"
    assert end - begin == 31 * 1440 + 60
    days = days_of(range(number, number + 1))
    assert [day_name(days[0]), day_name(days[-1]), len(days)] == ["2026-10-01", "2026-10-31", 31]
    assert {month_of(day) for day in days} == {number}
    assert [months.name(each) for each in months.within(utc_s(2025, 12, 31), utc_s(2026, 2, 1))] == [
        "2025-12",
        "2026-01",
    ]


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """Each has its own number, and begins an hour after the other."""
    hours = periods("hour", PARIS)
    begin = utc_s(2026, 10, 25)
    assert len(hours.within(begin, begin + 25 * 3600)) == 25
    assert hours.bounds(hours.within(begin, begin + 3600)) == [begin // 60, begin // 60 + 60]


@given(
    st.integers(86_400, 1 << 32),
    st.sampled_from(["Europe/Paris", "Pacific/Marquesas", "America/Sao_Paulo", "Indian/Reunion", "UTC"]),
    st.sampled_from(["hour", "day", "month"]),
)
def test_every_moment_lies_in_its_period(at: int, name: str, kind: str) -> None:
    """From the beginning of its period to before the beginning of the next."""
    found = periods(kind, zone_of(name))
    (number,) = found.within(at, at + 1)
    begin, end = found.bounds(range(number, number + 1))
    assert begin * 60 <= at < end * 60


def test_an_unknown_zone_is_utc_and_days_are_counted_from_1970() -> None:
    """A machine may have no time zones."""
    assert zone_of("Nowhere/Town").utcoffset(None) == timedelta(0)
    assert day_number(PARIS, 0) == 0
