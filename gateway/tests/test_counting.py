"""What was used in a period: exact where that can be known, a share and said so where it cannot, never a guess."""

from hypothesis import given
from hypothesis import strategies as st

from buffer.history import Jump, Jumped, Rollup, Row
from config.channel import Channel, Quantity
from gateway.counting import Point, Reach, Use, Uses, jumps, most_a_minute, reach

EAST = Channel("linky.east", "linky", "linky", Quantity.ACTIVE_ENERGY_IMPORT, "Wh")
HOUR = 60
INDEX = Reach(minutes=3, most=1000)
BOUNDS = [0, 60, 120, 180, 240]


def row(first_at: int, first: int, last_at: int, last: int) -> Row:
    """Give an hour of an index."""
    return Row(first_at // HOUR, Rollup(first, last, first, last, first + last, 2), first_at, last_at, 60)


def counted(
    *rows: Row,
    before: Point | None = None,
    after: Point | None = None,
    jumped: tuple[Jumped, ...] = (),
    now: int = 10_000,
) -> dict[int, Use]:
    """Give the use of each of four hours."""
    uses = Uses(BOUNDS, INDEX, before)
    for each in rows:
        uses.add(each, jumped)
    uses.close(after, now)
    return {period: use for period, use in uses.found.items() if 0 <= period < len(BOUNDS) - 1}


def test_hours_that_follow_each_other_share_nothing() -> None:
    """What lies between the last value of an hour and the first of the next belongs to the next."""
    assert counted(row(0, 10, 59, 20), row(60, 21, 119, 30), before=Point(-1, 8)) == {0: Use(12), 1: Use(10)}


def test_a_gap_within_an_hour_costs_nothing() -> None:
    """The difference is exact whatever happened meanwhile."""
    assert counted(row(0, 10, 2, 11), row(40, 31, 59, 40), before=Point(-1, 10))[0] == Use(30)


def test_a_gap_over_an_hour_is_shared_by_time_and_adds_up() -> None:
    """Of 101 in a gap of 90 minutes, 30 in the first hour and 60 in the second: 34 and 67, both said to be shares."""
    assert counted(row(0, 0, 29, 0), row(120, 101, 179, 111), before=Point(-1, 0)) == {
        0: Use(34, 34, shared=True),
        1: Use(67, 67, shared=True),
        2: Use(10),
    }


def test_an_index_that_stood_still_over_a_gap_is_exact() -> None:
    """Nothing was used, in each hour of the gap."""
    assert counted(row(0, 5, 10, 7), row(200, 7, 239, 7), before=Point(-1, 5), after=Point(240, 7)) == {
        0: Use(2),
        1: Use(),
        2: Use(),
        3: Use(),
    }


def test_a_gap_that_ends_or_begins_at_a_full_hour_is_exact() -> None:
    """All of it lies in one hour."""
    assert counted(row(0, 5, 10, 7), row(60, 9, 119, 9), before=Point(-1, 5))[0] == Use(4)
    assert counted(row(0, 5, 59, 7), row(100, 9, 119, 9), before=Point(-1, 5))[1] == Use(2)


def test_a_gap_may_begin_before_and_end_after_all_that_is_asked_for() -> None:
    """Each hour has its part."""
    found = counted(before=Point(-61, 0), after=Point(300, 360))
    assert found == {each: Use(60, 60, shared=True) for each in range(4)}


def test_what_begins_in_an_hour_is_that_much_at_least() -> None:
    """Without a value before, an hour counts from its first, and says so."""
    assert counted(row(20, 10, 59, 30), now=59) == {0: Use(20, incomplete=True)}


def test_what_has_fallen_silent_is_that_much_at_least() -> None:
    """An hour that has ended, or runs, and whose newest value is old; not one that was read a minute ago."""
    assert counted(row(0, 10, 30, 30), before=Point(-1, 10)) == {0: Use(20, incomplete=True)}
    assert counted(row(0, 10, 30, 30), before=Point(-1, 10), now=45) == {0: Use(20, incomplete=True)}
    assert counted(row(0, 10, 30, 30), before=Point(-1, 10), now=33) == {0: Use(20)}


def test_nothing_is_counted_over_a_jump() -> None:
    """A meter that was changed, or misread, costs what lay around it, and is told."""
    changed = Jumped(30, inside=False, jump=Jump(5010, 3))
    found = counted(row(0, 5000, 59, 9), before=Point(-1, 5000), jumped=(changed,))
    assert found == {0: Use(16, incomplete=True)}
    found = counted(row(0, 0, 29, 10), row(130, 2, 179, 5), before=Point(-1, 0))
    assert found == {0: Use(10, incomplete=True), 2: Use(3, incomplete=True)}
    assert counted(row(0, 0, 59, 9), row(60, 5, 119, 7), before=Point(-1, 0)) == {
        0: Use(9),
        1: Use(2, incomplete=True),
    }


def test_a_jump_that_an_earlier_version_did_not_note_counts_nothing() -> None:
    """An index that fell within an hour, of which nobody knows how, is no consumption."""
    assert counted(row(0, 100, 59, 3), before=Point(-1, 100)) == {0: Use(0, incomplete=True)}


def test_a_jump_of_another_hour_is_none_of_this() -> None:
    """Before the first value of a row, or after its last, it lies between the rows, and they show it themselves."""
    outside = (Jumped(60, inside=False, jump=Jump(9, 1)), Jumped(130, inside=True, jump=Jump(9, 1)))
    assert counted(row(60, 10, 119, 12), before=Point(59, 10), jumped=outside) == {1: Use(2)}


STEPS = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 900)), min_size=1, max_size=20)


@given(STEPS, st.integers(0, 300), st.integers(1, 5))
def test_nothing_is_lost_or_counted_twice(steps: list[tuple[int, int]], start: int, often: int) -> None:
    """Whatever gaps there are, the parts add up to the difference of the index, and a part is never negative."""
    readings = [Point(start, 50)]
    for minutes, more in steps:
        readings.append(Point(readings[-1].minute + minutes, readings[-1].value + more))
    bounds = [each * 60 * often for each in range(-1, 60)]
    uses = Uses(bounds, INDEX, None)
    for each in readings:
        uses.add(row(each.minute, each.value, each.minute, each.value), ())
    uses.close(None, readings[-1].minute)
    assert sum(use.used for use in uses.found.values()) == readings[-1].value - readings[0].value
    assert all(0 <= use.estimated <= use.used for use in uses.found.values())
    assert all(use.shared for use in uses.found.values() if use.estimated)


def test_a_reach_is_whole_minutes_and_what_no_consumption_explains() -> None:
    """10 MW and 1,000 m3/h, in the units of the index; a power or a text is no index."""
    assert reach(EAST, 4_200) == Reach(1, 166_667)
    assert reach(EAST, 150_000) == Reach(3, 166_667)
    water = Channel("w.total", "w", "w", Quantity.WATER_VOLUME, "m3", -3)
    assert most_a_minute(water) == 16_667
    assert most_a_minute(Channel("h.energy", "h", "h", Quantity.THERMAL_ENERGY, "kWh", 0)) == 167
    assert most_a_minute(Channel("h.energy", "h", "h", Quantity.THERMAL_ENERGY, "kWh", 3)) == 1
    assert most_a_minute(Channel("l.p", "l", "l", Quantity.ACTIVE_POWER_IMPORT, "W")) is None
    assert most_a_minute(Channel("l.t", "l", "l", Quantity.TARIFF, is_text=True)) is None
    assert not jumps(5, 5, 0, 1)
    assert jumps(5, 4, 100, 1)
    assert [jumps(0, each, 1, 10) for each in (20, 21)] == [False, True]
