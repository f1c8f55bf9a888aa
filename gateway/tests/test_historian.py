"""What the historian makes of Readings: exact minutes of UTC, whatever the clock knew when they were read."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffer.history import VALUE_MOST, Jump, Minute, Rollup
from config.channel import Channel, Quantity
from drivers.reading import Quality, Reading
from gateway.clock import Correlation
from gateway.counting import Reach
from gateway.historian import MINUTE_MS, MOST_HELD, Historian
from gateway.periods import day_name, day_number

PARIS = ZoneInfo("Europe/Paris")
POWER = Channel("linky.papp", "linky", "linky", Quantity.APPARENT_POWER_IMPORT, "VA")
TARIFF = Channel("linky.ptec", "linky", "linky", Quantity.TARIFF, is_text=True)
BOOT = 20 * MINUTE_MS
MINUTE = 29_000_000
KNOWN = Correlation(bytes(16), BOOT, MINUTE * MINUTE_MS, 10, "kernel")
"""At boot time BOOT minute MINUTE began."""


def put(historian: Historian, values: Iterable[tuple[int, int]], quality: Quality = Quality.OK) -> None:
    """Read (ms after BOOT, power) in order."""
    for after, value in values:
        historian.accept([Reading(POWER, value, BOOT + after, quality)])


@pytest.fixture(name="historian")
def _historian() -> Historian:
    """Give one that knows the time."""
    historian = Historian(PARIS)
    assert historian.take(BOOT, KNOWN) == []
    return historian


def test_a_minute_is_given_once_it_is_over(historian: Historian) -> None:
    """First, last, extremes, sum and count of a minute of UTC; the minute that runs is not given yet."""
    put(historian, [(0, 500), (20_000, 900), (40_000, 100), (59_999, 300), (60_000, 7)])
    assert historian.take(BOOT + 60_000, KNOWN) == [
        Minute("linky.papp", MINUTE, day_number(PARIS, MINUTE * 60), Rollup(500, 300, 100, 900, 1800, 4))
    ]


def test_at_the_end_the_running_minute_is_given_too(historian: Historian) -> None:
    """An agent that stops loses nothing of the minute that it is in."""
    put(historian, [(0, 5)])
    assert [each.rollup.count for each in historian.take(BOOT + 1, KNOWN, whole=True)] == [1]


def test_what_was_not_stored_comes_again(historian: Historian) -> None:
    """A disk that refuses a minute is offered it again, and never after it took it."""
    put(historian, [(0, 5)])
    first = historian.take(BOOT + 60_000, KNOWN)
    put(historian, [(60_000, 6)])
    both = historian.take(BOOT + 120_000, KNOWN)
    assert (both[:1], len(both)) == (first, 2)
    historian.stored(both)
    assert historian.take(BOOT + 180_000, KNOWN) == []


def test_texts_suspect_values_and_what_no_sum_holds_are_left_out(historian: Historian) -> None:
    """A text has no minimum, a suspect value is none, and a number beyond all meters is no measure."""
    historian.accept([Reading(TARIFF, "HP", BOOT)])
    put(historian, [(0, 99)], Quality.SUSPECT)
    put(historian, [(0, VALUE_MOST + 1), (0, -VALUE_MOST - 1)])
    assert historian.take(BOOT + 60_000, KNOWN) == []
    put(historian, [(60_000, 4), (61_000, VALUE_MOST + 1)])
    put(historian, [(62_000, 5)], Quality.ESTIMATED)
    assert [each.rollup for each in historian.take(BOOT + 120_000, KNOWN)] == [Rollup(4, 5, 4, 5, 9, 2)]


def test_nothing_is_dated_before_the_clock_is_known() -> None:
    """What is read under boot time alone waits, and is placed by the correlation, a minute late at most."""
    historian = Historian(PARIS)
    put(historian, [(-600_000, 1), (-30_000, 2)])
    assert historian.take(BOOT, None) == []
    vague = Correlation(KNOWN.boot_id, BOOT, KNOWN.utc_ms, 31_000, "kernel")
    assert historian.take(BOOT, vague) == []
    assert [(each.minute, each.rollup.last) for each in historian.take(BOOT, KNOWN)] == [
        (MINUTE - 10, 1),
        (MINUTE - 1, 2),
    ]


def test_what_waited_for_the_clock_never_comes_before_what_was_read_before() -> None:
    """An index of a new start, placed before the last one of the old, would look like a meter that was changed."""
    for second in range(0, 60, 7):
        historian = Historian(PARIS, REACHES)
        historian.resume({"linky.east": (MINUTE, 100)})
        start_ms = BOOT + 10 * MINUTE_MS + 1_000 * second
        for after_ms in range(0, 90_000, 5_000):
            historian.accept([Reading(INDEX, 101 + after_ms, start_ms + after_ms)])
        known = Correlation(bytes(16), start_ms, MINUTE * MINUTE_MS + 50_000, 10, "centre")
        found = historian.take(start_ms + 90_000, known, whole=True)
        assert [each.minute for each in found] == sorted(each.minute for each in found)
        assert found[0].minute >= MINUTE
        assert all(each.joint is each.inside is None for each in found)


def test_nothing_is_placed_in_the_future() -> None:
    """What was read just before the clock became known stands in the minute that runs, not in the one that comes."""
    late = Correlation(KNOWN.boot_id, BOOT, KNOWN.utc_ms + 50_000, 10, "kernel")
    historian = Historian(PARIS)
    put(historian, [(0, 1)])
    assert [each.minute for each in historian.take(BOOT + 5_000, late)] == [MINUTE]


def test_a_clock_that_never_comes_costs_bounded_memory() -> None:
    """Of what waits for the clock, the oldest goes, and is counted."""
    historian = Historian(PARIS)
    for minute in range(MOST_HELD + 5):
        put(historian, [(minute * MINUTE_MS, minute)])
        if minute % 100 == 0:
            assert historian.take(BOOT + minute * MINUTE_MS, None) == []
    assert historian.take(BOOT + (MOST_HELD + 5) * MINUTE_MS, None) == []
    assert historian.given_up == 5
    now = BOOT + (MOST_HELD + 5) * MINUTE_MS
    placed = historian.take(now, Correlation(KNOWN.boot_id, now, KNOWN.utc_ms, 10, "centre"))
    assert (len(placed), placed[0].rollup.first) == (MOST_HELD, 5)


def test_a_disk_that_never_takes_anything_costs_bounded_memory(historian: Historian) -> None:
    """Of what waits for the disk, the oldest goes, and is counted."""
    put(historian, [(minute * MINUTE_MS, minute) for minute in range(MOST_HELD + 7)])
    placed = historian.take(BOOT + (MOST_HELD + 7) * MINUTE_MS, KNOWN)
    assert (len(placed), placed[0].rollup.first, historian.given_up) == (MOST_HELD, 7, 7)


def test_a_day_begins_where_the_building_stands() -> None:
    """The day is that of the site's zone, summer time and all; 23 and 25 hours make one day too."""
    before = 1_774_738_799  # 2026-03-28 23:59:59 in Paris
    assert [day_name(day_number(PARIS, before + each)) for each in (0, 1, 23 * 3600, 23 * 3600 + 1)] == [
        "2026-03-28",
        "2026-03-29",
        "2026-03-29",
        "2026-03-30",
    ]


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(-VALUE_MOST, VALUE_MOST)), max_size=60), st.data())
def test_nothing_is_lost_or_counted_twice(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """Whenever it is asked, the minutes that it gives hold each value exactly once."""
    historian = Historian(PARIS)
    historian.take(BOOT, KNOWN)
    given_: list[Minute] = []
    now = BOOT
    for step, value in steps:
        now += step
        historian.accept([Reading(POWER, value, now)])
        if data.draw(st.booleans()):
            taken = historian.take(now, KNOWN)
            historian.stored(taken)
            given_ += taken
    given_ += historian.take(now, KNOWN, whole=True)
    assert sum(each.rollup.count for each in given_) == len(steps)
    assert sum(each.rollup.sum for each in given_) == sum(value for _, value in steps)
    assert len({each.minute for each in given_}) == len(given_)


INDEX = Channel("linky.east", "linky", "linky", Quantity.ACTIVE_ENERGY_IMPORT, "Wh")
SLOW = Channel("bms.cvc", "bms", "bms.slow", Quantity.TEMPERATURE, "degC")
REACHES = {"linky.east": Reach(1, 166_667), "bms.cvc": Reach(10)}


def told(historian: Historian, *ticks: tuple[float, Channel, int]) -> list[Minute]:
    """Read (minutes after BOOT, channel, value) in order, and give what is made of them up to the end."""
    for after, channel, value in ticks:
        historian.accept([Reading(channel, value, BOOT + int(after * MINUTE_MS))])
    minutes = historian.take(BOOT + int(ticks[-1][0] * MINUTE_MS), KNOWN, whole=True)
    historian.stored(minutes)
    return minutes


def knowing(newest: dict[str, tuple[int, int]] | None = None) -> Historian:
    """Give one that knows the time, the channels, and what an earlier process stored."""
    historian = Historian(PARIS, REACHES)
    historian.resume(newest or {})
    historian.take(BOOT, KNOWN)
    return historian


def test_a_channel_that_is_read_seldom_covers_the_minutes_between() -> None:
    """As far as its reach goes: after a longer silence it covers its own minute alone."""
    minutes = told(knowing(), *((each, SLOW, 20) for each in (0, 5, 15, 30)))
    assert [each.covered for each in minutes] == [1, 5, 10, 1]
    assert [each.covered for each in told(knowing({"bms.cvc": (MINUTE - 3, 20)}), (0, SLOW, 20))] == [3]


def test_a_minute_with_an_estimated_value_says_so(historian: Historian) -> None:
    """One is enough."""
    put(historian, [(0, 4)])
    put(historian, [(1, 4)], Quality.ESTIMATED)
    put(historian, [(60_000, 4)])
    assert [each.estimated for each in historian.take(BOOT + 120_000, KNOWN)] == [True, False]


def test_an_index_that_jumps_is_noted_where_it_does() -> None:
    """Within a minute, between two, and after a restart; a power may go where it likes."""
    minutes = told(
        knowing(), (0, INDEX, 100), (0.5, INDEX, 3), (0.6, INDEX, 4), (1, INDEX, 900_000), (2, INDEX, 900_001)
    )
    assert [(each.joint, each.inside) for each in minutes] == [
        (None, Jump(100, 3)),
        (Jump(4, 900_000), None),
        (None, None),
    ]
    assert [each.joint for each in told(knowing({"linky.east": (MINUTE - 9, 7)}), (0, INDEX, 5))] == [Jump(7, 5)]
    (cut,) = told(knowing({"linky.east": (MINUTE, 7)}), (0, INDEX, 5))
    assert (cut.joint, cut.inside, cut.covered) == (None, Jump(7, 5), 1)
    assert [each.joint for each in told(knowing(), (0, POWER, 9_000), (1, POWER, 3))] == [None, None]


def test_what_a_clock_years_ahead_has_left_is_no_reading_before() -> None:
    """Else no index would jump, and no channel cover what lies between, until that year has come."""
    far = MINUTE + 20 * 365 * 1440
    found = told(knowing({"linky.east": (far, 7), "bms.cvc": (far, 20)}), (0, INDEX, 8), (1, INDEX, 3), (5, SLOW, 20))
    assert [(each.joint, each.inside) for each in found] == [(None, None), (Jump(8, 3), None), (None, None)]
    slow = told(knowing({"bms.cvc": (far, 20)}), (0, SLOW, 20), (5, SLOW, 20))
    assert [each.covered for each in slow] == [1, 5]


def test_a_glitch_within_a_minute_counts_nothing() -> None:
    """Down to zero and back is two jumps; what was counted up beside them is the minute's."""
    (minute,) = told(knowing(), (0, INDEX, 500_000), (0.1, INDEX, 0), (0.2, INDEX, 500_010), (0.3, INDEX, 500_012))
    assert minute.inside == Jump(500_000, 500_010)
