"""Numbers and times as each language writes them."""

from datetime import UTC, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from gateway.web.numbers import Writing, exact
from gateway.web.words import Language

FR, EN = Writing("fr"), Writing("en")


@pytest.mark.parametrize(
    ("value", "exponent", "french", "english"),
    [
        (28_899, 0, "28\u202f899", "28,899"),
        (1_234_567, -3, "1\u202f234,567", "1,234.567"),
        (-5, -1, "\u22120,5", "\u22120.5"),
        (36, 3, "36\u202f000", "36,000"),
        (0, -2, "0,00", "0.00"),
        (999, 0, "999", "999"),
    ],
)
def test_a_number_keeps_every_digit_that_was_read(value: int, exponent: int, french: str, english: str) -> None:
    """The exponent gives the decimals; none is added, none is lost."""
    assert FR.number(exact(value, exponent)) == french
    assert EN.number(exact(value, exponent)) == english


def test_a_number_is_rounded_only_where_it_is_asked_for() -> None:
    """Kilowatt-hours of a day have one decimal."""
    assert FR.unit(Decimal("12.349"), "kWh", 1) == "12,3\u00a0kWh"
    assert EN.unit(Decimal(5), "m3") == "5\u00a0m³"
    assert FR.thousands(Decimal(36_000), "VA") == "36\u00a0kVA"


def test_euros_stand_where_each_language_has_them() -> None:
    """The sign follows in French and comes first in English."""
    assert FR.euros(Decimal("1234.5")) == "1\u202f234,50\u00a0€"
    assert EN.euros(Decimal("0.005")) == "€0.00"


@pytest.mark.parametrize(
    ("ms", "french"),
    [
        (0, "0\u00a0s"),
        (59_999, "59\u00a0s"),
        (119_999, "119\u00a0s"),
        (14 * 60_000, "14\u00a0min"),
        (3 * 86_400_000, "3\u00a0j"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_fits_twice(ms: int, french: str) -> None:
    """A stale value says "il y a 14 min"."""
    assert FR.duration(ms) == french
    assert FR.ago(ms) == f"il y a {french}"


@pytest.mark.parametrize(
    ("ms", "left"),
    [(90_000, "1 min 30 s"), (1, "1 s"), (0, "0 s"), (3_723_000, "1 h 02 min 03 s"), (60_000, "1 min 00 s")],
)
def test_a_countdown_is_told_to_the_second(ms: int, left: str) -> None:
    """What has begun counts as a whole second, so that the end is not told before it comes."""
    assert FR.countdown(ms).replace("\u00a0", " ") == left


@pytest.mark.parametrize(("language", "text"), [("fr", "26/11/2026 16:05"), ("en", "26 Nov 2026 16:05")])
def test_a_moment_is_told_in_the_buildings_zone(language: Language, text: str) -> None:
    """What the agent says in UTC is read in the building."""
    utc_ms = 1_795_705_500_000
    assert Writing(language).moment(utc_ms, timezone(timedelta(hours=1))) == text
    assert Writing(language).clock(utc_ms, UTC) == "15:05"


def test_the_hour_that_comes_twice_says_which_it_is() -> None:
    """In autumn, by its offset; no other hour does."""
    first_ms = 1_792_888_200_000  # 2026-10-25, 02:30 in Paris, summer time
    told = [Writing("fr").moment(first_ms + hours * 3_600_000, ZoneInfo("Europe/Paris")) for hours in (-1, 0, 1, 2)]
    assert told == [
        "25/10/2026 01:30",
        "25/10/2026 02:30 +02:00",
        "25/10/2026 02:30 +01:00",
        "25/10/2026 03:30",
    ]
