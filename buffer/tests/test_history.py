"""The history gives back, minute by minute, hour by hour and day by day, exactly what it was given."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffer import packed, schema
from buffer.errors import StorageFull
from buffer.history import VALUE_MOST, History, Minute, Rollup
from buffer.outbox import Outbox
from buffer.tests.building import open_outbox

HOUR = 60
START = 29_000_000 // HOUR * HOUR


def rollup(*values: int) -> Rollup:
    """Roll values up."""
    return Rollup(values[0], values[-1], min(values), max(values), sum(values), len(values))


def minute(number: int, *values: int, channel: str = "linky.east", day: int = 20_000) -> Minute:
    """Make minute START + number with these values."""
    return Minute(channel, START + number, day, rollup(*values))


@pytest.fixture(name="outbox")
def _outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(open_outbox(tmp_path / "outbox.db")) as outbox:
        yield outbox


@pytest.fixture(name="history")
def _history(outbox: Outbox) -> History:
    return outbox.history


def test_a_gap_is_absent_and_never_zero(history: History) -> None:
    """Minutes in which nothing was read are not there, neither while their hour runs nor after it was packed."""
    history.add([minute(0, 5), minute(3, 7, 6)])
    expected = [(START, rollup(5)), (START + 3, rollup(7, 6))]
    assert history.minutes("linky.east", START, START + HOUR) == expected
    history.add([minute(HOUR, 9)])
    assert history.minutes("linky.east", START, START + HOUR) == expected
    assert history.minutes("linky.none", START, START + HOUR) == []


def test_what_comes_twice_for_a_minute_is_joined(history: History) -> None:
    """A minute cut in two by a restart, or placed late, counts whole, also in its hour after it was packed."""
    history.add([minute(1, 5, 9)])
    history.add([minute(1, 2)])
    history.add([minute(HOUR, 1)])
    history.add([minute(1, 7)])
    assert history.minutes("linky.east", START, START + 2) == [(START + 1, rollup(5, 9, 2, 7))]
    history.add([minute(HOUR + 1, 1)])
    assert history.minutes("linky.east", START, START + 2) == [(START + 1, rollup(5, 9, 2, 7))]
    assert history.hours("linky.east", START // HOUR, START // HOUR + 1) == [(START // HOUR, rollup(5, 9, 2, 7))]


def test_it_survives_being_closed(tmp_path: Path) -> None:
    """Numbers of channels mean the same after a start."""
    with closing(open_outbox(tmp_path / "outbox.db")) as outbox:
        outbox.history.add([minute(0, 1, channel="a"), minute(0, 2, channel="b")])
    with closing(open_outbox(tmp_path / "outbox.db")) as outbox:
        outbox.history.add([minute(1, 3, channel="c"), minute(1, 4, channel="b")])
        found = {name: outbox.history.minutes(name, START, START + HOUR) for name in "abc"}
    assert found == {
        "a": [(START, rollup(1))],
        "b": [(START, rollup(2)), (START + 1, rollup(4))],
        "c": [(START + 1, rollup(3))],
    }


def test_a_database_without_history_is_brought_up_to_date(tmp_path: Path) -> None:
    """An outbox that an earlier version made keeps its epoch, and gets a history."""
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(schema._MIGRATIONS[0])
        old.executescript(f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = 1;")
        epoch = old.execute("SELECT epoch FROM identity").fetchone()[0]
    with closing(open_outbox(path)) as outbox:
        assert (outbox.moved_aside, outbox.epoch) == (None, epoch)
        outbox.history.add([minute(0, 1)])
        assert outbox.history.days("linky.east", 20_000, 20_001) == [(20_000, rollup(1))]


def test_what_is_old_is_forgotten(history: History) -> None:
    """Pruning takes the hours with their minutes, and the days, before the ones named."""
    history.add([minute(0, 1, day=1), minute(HOUR, 2, day=2), minute(2 * HOUR, 3, day=3)])
    history.prune(hours_from=START // HOUR + 1, days_from=3)
    found = history.minutes("linky.east", START, START + 3 * HOUR)
    assert [each for each, _ in found] == [START + HOUR, START + 2 * HOUR]
    assert history.days("linky.east", 0, 10) == [(3, rollup(3))]


def test_it_stays_within_its_share_of_the_file(tmp_path: Path) -> None:
    """A history that outgrows its share loses its oldest hours, never the outbox its room."""
    with closing(open_outbox(tmp_path / "outbox.db", quota_pages=64)) as outbox:
        for hour in range(80):
            outbox.history.add(
                [
                    minute(hour * HOUR + each, each * 999_983 % 7_919, channel=f"c{c}")
                    for each in range(60)
                    for c in "ab"
                ]
            )
        left = [hour for hour, _ in outbox.history.hours("ca", START // HOUR, START // HOUR + 80)]
        assert left == list(range(left[0], START // HOUR + 80))
        assert START // HOUR < left[0] < START // HOUR + 79
        assert outbox.stats().pages_used <= 64


def test_a_value_that_no_sum_could_hold_is_refused_whole(history: History) -> None:
    """A rollup out of bounds, or that contradicts itself, is a mistake of the caller and stores nothing."""
    for wrong in (rollup(VALUE_MOST + 1), Rollup(1, 1, 2, 3, 1, 1), Rollup(1, 1, 1, 1, 2, 1), Rollup(1, 1, 1, 1, 0, 0)):
        with pytest.raises(ValueError, match="linky"):
            history.add([minute(0, 1), Minute("linky.east", START, 1, wrong)])
    assert history.minutes("linky.east", START, START + HOUR) == []


def test_the_longest_day_of_the_largest_values_fits(history: History) -> None:
    """Sum and count stop together before 64 bits are left; first, last and the extremes go on."""
    big = Rollup(VALUE_MOST, VALUE_MOST, VALUE_MOST, VALUE_MOST, VALUE_MOST << 17, 1 << 17)
    history.add([Minute("a", START, 1, big), Minute("a", START, 1, rollup(3))])
    expected = Rollup(VALUE_MOST, 3, 3, VALUE_MOST, VALUE_MOST << 17, 1 << 17)
    assert history.days("a", 1, 2) == [(1, expected)]
    assert history.minutes("a", START, START + 1) == [(START, expected)]


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    """What the disk refuses is not half there, names of channels included, and goes in once there is room."""
    with closing(open_outbox(tmp_path / "outbox.db")) as outbox:
        outbox.history.add([minute(0, 1)])
        pages = schema.pragma(outbox._db, "page_count")
        outbox._db.execute(f"PRAGMA max_page_count = {pages}")
        many = [minute(each, each, channel=f"channel-{each}") for each in range(600)]
        with pytest.raises(StorageFull):
            outbox.history.add(many)
        assert outbox.history.minutes("channel-1", START, START + HOUR) == []
        outbox._db.execute(f"PRAGMA max_page_count = {pages + 4096}")
        outbox.history.add(many)
        assert outbox.history.minutes("channel-599", START, START + 600) == [(START + 599, rollup(599))]


def test_a_changed_byte_in_a_packed_hour_is_a_gap(history: History, outbox: Outbox) -> None:
    """Bytes that a worn card changed give no minutes rather than wrong ones, and break nothing that follows."""
    history.add([minute(0, 1), minute(HOUR, 2), minute(2 * HOUR, 3)])
    outbox._db.execute("UPDATE history_hour SET minutes = x'ff' WHERE hour = ?", (START // HOUR,))
    found = history.minutes("linky.east", START, START + 3 * HOUR)
    assert [each for each, _ in found] == [START + HOUR, START + 2 * HOUR]
    history.add([minute(5, 4), minute(3 * HOUR, 4)])
    assert history.minutes("linky.east", START, START + HOUR) == [(START + 5, rollup(4))]


VALUES = st.lists(st.integers(-VALUE_MOST, VALUE_MOST), min_size=1, max_size=5)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from("ab"), VALUES), max_size=30),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_every_range_gives_what_was_put_in(
    given_minutes: list[tuple[int, str, list[int]]], start: int, length: int
) -> None:
    """Whatever comes in whatever order, each range holds exactly the minutes, hours and days that it should."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in schema._MIGRATIONS:
            connection.executescript(migration)
        history = History(connection, lambda _: nullcontext(), lambda _: nullcontext(), most_bytes=1 << 30)
        expected: dict[str, dict[tuple[str, int], list[int]]] = {"minute": {}, "hour": {}, "day": {}}
        for number, channel, values in given_minutes:
            history.add([minute(number, *values, channel=channel, day=number // 100)])
            for kind, moment in (("minute", number), ("hour", number // HOUR), ("day", number // 100)):
                expected[kind].setdefault((channel, moment), []).extend(values)
        end = start + length
        found = [(each - START, got) for each, got in history.minutes("a", START + start, START + end)]
        minutes = {each: values for (channel, each), values in expected["minute"].items() if channel == "a"}
        assert found == [(each, rollup(*minutes[each])) for each in sorted(minutes) if start <= each < end]
        days = {each: values for (channel, each), values in expected["day"].items() if channel == "a"}
        assert history.days("a", 0, 4) == [(each, rollup(*days[each])) for each in sorted(days)]
        # A minute that comes late is joined as the later part of its minute, but keeps its place within its hour.
        hours = {each: values for (channel, each), values in expected["hour"].items() if channel == "a"}
        got = history.hours("a", START // HOUR, START // HOUR + 6)
        assert [(each - START // HOUR, h.low, h.high, h.sum, h.count) for each, h in got] == [
            (each, min(hours[each]), max(hours[each]), sum(hours[each]), len(hours[each])) for each in sorted(hours)
        ]


@given(st.dictionaries(st.integers(0, 59), VALUES))
def test_a_packed_hour_comes_back_as_it_was(minutes: dict[int, list[int]]) -> None:
    """Packing loses nothing."""
    entries: list[tuple[int, packed.Values]] = [
        (each, (v[0], v[-1], min(v), max(v), sum(v), len(v))) for each, v in sorted(minutes.items())
    ]
    assert packed.unpack(packed.pack(entries)) == entries


@given(st.binary(max_size=200))
def test_any_bytes_are_an_hour_or_damage(data: bytes) -> None:
    """Unpacking ends, for whatever bytes, with sound values or with the one error that it promises."""
    try:
        entries = packed.unpack(data)
    except packed.DamagedError:
        return
    for offset, (first, last, low, high, _, count) in entries:
        assert 0 <= offset < 60
        assert low <= first <= high
        assert low <= last <= high
        assert count > 0
