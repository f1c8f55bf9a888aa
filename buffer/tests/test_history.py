"""The history gives back, minute by minute, hour by hour and day by day, exactly what it was given."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffer import packed, tables
from buffer.database import Database
from buffer.errors import StorageFull
from buffer.history import VALUE_MOST, History, Jump, Jumped, Minute, Rollup, Row
from buffer.history_sql import JUMPS_MOST
from buffer.outbox import Outbox
from buffer.tests.building import open_outbox

HOUR, DAY = 60, 1440
START = 29_000_000 // HOUR * HOUR


def rollup(*values: int) -> Rollup:
    """Roll values up."""
    return Rollup(values[0], values[-1], min(values), max(values), sum(values), len(values))


def minute(number: int, *values: int, channel: str = "linky.east", day: int = 20_000) -> Minute:
    """Make minute START + number with these values."""
    return Minute(channel, START + number, day, rollup(*values))


def pairs(rows: Iterable[Row]) -> list[tuple[int, Rollup]]:
    """Give moments and values alone."""
    return [(row.moment, row.rollup) for row in rows]


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
    assert pairs(history.minutes("linky.east", START, START + HOUR)) == expected
    history.add([minute(HOUR, 9)])
    assert pairs(history.minutes("linky.east", START, START + HOUR)) == expected
    assert history.minutes("linky.none", START, START + HOUR) == []


def test_what_comes_twice_for_a_minute_is_joined(history: History) -> None:
    """A minute cut in two by a restart, or placed late, counts whole, also in its hour after it was packed."""
    history.add([minute(1, 5, 9)])
    history.add([minute(1, 2)])
    history.add([minute(HOUR, 1)])
    history.add([minute(1, 7)])
    assert pairs(history.minutes("linky.east", START, START + 2)) == [(START + 1, rollup(5, 9, 2, 7))]
    history.add([minute(HOUR + 1, 1)])
    assert pairs(history.minutes("linky.east", START, START + 2)) == [(START + 1, rollup(5, 9, 2, 7))]
    assert pairs(history.hours("linky.east", START // HOUR, START // HOUR + 1)) == [(START // HOUR, rollup(5, 9, 2, 7))]


def test_it_survives_being_closed(tmp_path: Path) -> None:
    """Numbers of channels mean the same after a start."""
    with closing(open_outbox(tmp_path / "outbox.db")) as outbox:
        outbox.history.add([minute(0, 1, channel="a"), minute(0, 2, channel="b")])
    with closing(open_outbox(tmp_path / "outbox.db")) as outbox:
        outbox.history.add([minute(1, 3, channel="c"), minute(1, 4, channel="b")])
        found = {name: pairs(outbox.history.minutes(name, START, START + HOUR)) for name in "abc"}
    assert found == {
        "a": [(START, rollup(1))],
        "b": [(START, rollup(2)), (START + 1, rollup(4))],
        "c": [(START + 1, rollup(3))],
    }


def test_a_database_without_history_is_brought_up_to_date(tmp_path: Path) -> None:
    """An outbox that an earlier version made keeps its epoch, and gets a history."""
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(tables.MIGRATIONS[0])
        old.executescript(f"PRAGMA application_id = {tables.APPLICATION_ID}; PRAGMA user_version = 1;")
        epoch = old.execute("SELECT epoch FROM identity").fetchone()[0]
    with closing(open_outbox(path)) as outbox:
        assert (outbox.moved_aside, outbox.epoch) == (None, epoch)
        outbox.history.add([minute(0, 1)])
        assert pairs(outbox.history.days("linky.east", 20_000, 20_001)) == [(20_000, rollup(1))]


def test_what_is_old_is_forgotten(history: History) -> None:
    """Pruning takes the hours with their minutes, and the days, before the ones named."""
    history.add([minute(0, 1, day=1), minute(HOUR, 2, day=2), minute(2 * HOUR, 3, day=3)])
    history.prune(hours_from=START // HOUR + 1, days_from=3)
    found = history.minutes("linky.east", START, START + 3 * HOUR)
    assert [row.moment for row in found] == [START + HOUR, START + 2 * HOUR]
    assert pairs(history.days("linky.east", 0, 10)) == [(3, rollup(3))]


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
        left = [row.moment for row in outbox.history.hours("ca", START // HOUR, START // HOUR + 80)]
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
    assert pairs(history.days("a", 1, 2)) == [(1, expected)]
    assert pairs(history.minutes("a", START, START + 1)) == [(START, expected)]


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    """What the disk refuses is not half there, names of channels included, and goes in once there is room."""
    with closing(open_outbox(tmp_path / "outbox.db")) as outbox:
        outbox.history.add([minute(0, 1)])
        pages = tables.pragma(outbox._db, "page_count")
        outbox._db.execute(f"PRAGMA max_page_count = {pages}")
        many = [minute(each, each, channel=f"channel-{each}") for each in range(600)]
        with pytest.raises(StorageFull):
            outbox.history.add(many)
        assert outbox.history.minutes("channel-1", START, START + HOUR) == []
        outbox._db.execute(f"PRAGMA max_page_count = {pages + 4096}")
        outbox.history.add(many)
        assert pairs(outbox.history.minutes("channel-599", START, START + 600)) == [(START + 599, rollup(599))]


def test_a_changed_byte_in_a_packed_hour_is_a_gap(history: History, outbox: Outbox) -> None:
    """Bytes that a worn card changed give no minutes rather than wrong ones, and break nothing that follows."""
    history.add([minute(0, 1), minute(HOUR, 2), minute(2 * HOUR, 3)])
    outbox._db.execute("UPDATE history_hour SET minutes = x'ff' WHERE hour = ?", (START // HOUR,))
    found = history.minutes("linky.east", START, START + 3 * HOUR)
    assert [row.moment for row in found] == [START + HOUR, START + 2 * HOUR]
    history.add([minute(5, 4), minute(3 * HOUR, 4)])
    assert pairs(history.minutes("linky.east", START, START + HOUR)) == [(START + 5, rollup(4))]


VALUES = st.lists(st.integers(-VALUE_MOST, VALUE_MOST), min_size=1, max_size=5)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from("ab"), VALUES, st.integers(1, 3)), max_size=30),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_every_range_gives_what_was_put_in(
    given_minutes: list[tuple[int, str, list[int], int]], start: int, length: int
) -> None:
    """Whatever comes in whatever order, each range holds exactly the minutes, hours and days that it should."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in tables.MIGRATIONS:
            connection.executescript(migration)
        history = History(Database(Path("none"), connection), most_bytes=1 << 30)
        values: dict[int, list[int]] = {}
        covered: dict[int, int] = {}
        for number, channel, some, covers in given_minutes:
            day = (START + number) // DAY
            history.add([Minute(channel, START + number, day, rollup(*some), covers, estimated=covers == 3)])
            if channel == "a":
                values.setdefault(number, []).extend(some)
                covered[number] = max(covers, covered.get(number, 0))
        end = start + length
        minutes = history.minutes("a", START + start, START + end)
        assert [(row.moment - START, row.rollup, row.covered, row.estimated) for row in minutes] == [
            (each, rollup(*values[each]), covered[each], covered[each] == 3)
            for each in sorted(values)
            if start <= each < end
        ]
        for length_min, found in (
            (HOUR, history.hours("a", START // HOUR, START // HOUR + 6)),
            (DAY, history.days("a", START // DAY, START // DAY + 2)),
        ):
            moments = sorted({(START + each) // length_min for each in values})
            assert [row.moment for row in found] == moments
            for row in found:
                own = [each for each in sorted(values) if (START + each) // length_min == row.moment]
                assert (row.first_at, row.last_at) == (START + own[0], START + own[-1])
                # A minute that comes late is joined as the later part of its minute; the order within is of no moment.
                assert row.rollup.first == values[own[0]][0]
                every = rollup(*(value for each in own for value in values[each]))
                assert (row.rollup.low, row.rollup.high) == (every.low, every.high)
                assert (row.rollup.sum, row.rollup.count) == (every.sum, every.count)
                if length_min == HOUR:
                    assert row.covered == sum(covered[each] for each in own)
                    assert row.estimated == sum(covered[each] == 3 for each in own)
        for at in (start, end):
            earlier, later = [each for each in values if each < at], [each for each in values if each >= at]
            assert history.before("a", START + at) == (
                (START + max(earlier), values[max(earlier)][-1]) if earlier else None
            )
            assert history.after("a", START + at) == ((START + min(later), values[min(later)][0]) if later else None)


def test_a_minute_cut_in_two_is_covered_once(history: History) -> None:
    """A restart within a minute makes the day no longer than it was."""
    history.add([minute(1, 5), minute(1, 6)])
    history.add([minute(1, 7), minute(2, 7)])
    (day,) = history.days("linky.east", 20_000, 20_001)
    assert (day.covered, day.rollup.count) == (2, 4)


def test_what_an_earlier_version_kept_has_no_coverage(tmp_path: Path) -> None:
    """What was never counted is not known, rather than whole or nothing; its values are all there."""
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for migration in tables.MIGRATIONS[:2]:
            old.executescript(migration)
        old.executescript(f"PRAGMA application_id = {tables.APPLICATION_ID}; PRAGMA user_version = 2;")
        old.execute("INSERT INTO history_channel VALUES (1, 'linky.east')")
        old.execute("INSERT INTO history_day VALUES (20000, 1, 3, 9, 3, 9, 12, 2)")
        old.execute(
            "INSERT INTO history_hour VALUES (?, 1, 3, 9, 3, 9, 12, 2, ?)",
            (START // HOUR, packed.pack([(7, 1, False, (3, 9, 3, 9, 12, 2))])),
        )
    with closing(open_outbox(path)) as outbox:
        history = outbox.history
        (day,), (hour,) = (
            history.days("linky.east", 20_000, 20_001),
            history.hours("linky.east", START // HOUR, START // HOUR + 1),
        )
        assert (day.rollup, day.covered, hour.rollup, hour.covered) == (rollup(3, 9), None, rollup(3, 9), None)
        assert [row.moment for row in history.minutes("linky.east", START, START + HOUR)] == [START + 7]
        history.add([minute(8, 10), minute(HOUR, 11)])
        (day,), (hour,) = (
            history.days("linky.east", 20_000, 20_001),
            history.hours("linky.east", START // HOUR, START // HOUR + 1),
        )
        assert (day.covered, hour.covered, hour.rollup.last) == (None, 2, 10)


def test_the_newest_reading_of_each_channel_is_found(history: History) -> None:
    """A start knows where each index stood, and when."""
    today = START // DAY
    history.add([minute(0, 1, 2, day=today), minute(3, 5, day=today), minute(1, 7, channel="b", day=today)])
    assert history.newest() == {"linky.east": (START + 3, 5), "b": (START + 1, 7)}


def test_jumps_are_kept_where_they_were_and_bounded(history: History) -> None:
    """A jump is found by its minute; several inside one minute tell what they made together; the oldest go."""
    joint, inside, more = Jump(100, 3), Jump(9, 0), Jump(4, 7)
    history.add([Minute("a", START, 1, rollup(3, 9, 4), joint=joint, inside=inside)])
    history.add([Minute("a", START, 1, rollup(7), inside=more)])
    assert history.jumps("a", START, START + 1) == [
        Jumped(START, inside=False, jump=joint),
        Jumped(START, inside=True, jump=Jump(9, 3)),
    ]
    assert history.jumps("b", START, START + 1) == history.jumps("a", START + 1, START + 2) == []
    many = [Minute("a", START + each, 1, rollup(1), joint=joint) for each in range(1, JUMPS_MOST + HOUR)]
    history.add(many)
    assert len(history.jumps("a", START, START + JUMPS_MOST + HOUR)) == JUMPS_MOST


ENTRIES = st.dictionaries(st.integers(0, 59), st.tuples(st.integers(1, 1440), st.booleans(), VALUES))


@given(ENTRIES)
def test_a_packed_hour_comes_back_as_it_was(minutes: dict[int, tuple[int, bool, list[int]]]) -> None:
    """Packing loses nothing."""
    entries: list[packed.Entry] = [
        (each, covered, estimated, (v[0], v[-1], min(v), max(v), sum(v), len(v)))
        for each, (covered, estimated, v) in sorted(minutes.items())
    ]
    assert packed.unpack(packed.pack(entries)) == entries


@given(st.binary(max_size=200))
def test_any_bytes_are_an_hour_or_damage(data: bytes) -> None:
    """Unpacking ends, for whatever bytes, with sound values or with the one error that it promises."""
    try:
        entries = packed.unpack(data)
    except packed.DamagedError:
        return
    for offset, covered, _, (first, last, low, high, _, count) in entries:
        assert 0 <= offset < 60
        assert 0 < covered <= 1440
        assert low <= first <= high
        assert low <= last <= high
        assert count > 0


def test_what_is_filled_in_never_touches_what_is_there(history: History) -> None:
    """Only minutes that are lacking come in, running or packed, and as often as it is told."""
    history.add([minute(1, 5), minute(HOUR + 1, 6)])
    for _ in range(2):
        history.fill(
            [minute(1, 9), minute(2, 7), minute(HOUR + 1, 9), minute(HOUR + 2, 8), minute(0, 4)],
            hours_from=START // HOUR,
        )
    assert pairs(history.minutes("linky.east", START, START + 2 * HOUR)) == [
        (START, rollup(4)),
        (START + 1, rollup(5)),
        (START + 2, rollup(7)),
        (START + HOUR + 1, rollup(6)),
        (START + HOUR + 2, rollup(8)),
    ]
    (day,) = history.days("linky.east", 20_000, 20_001)
    assert (day.rollup.first, day.rollup.last, day.rollup.count, day.covered) == (4, 8, 5, 5)


def test_what_is_older_than_minutes_are_kept_counts_in_its_day_alone(history: History) -> None:
    """And once: what lies within the part of the day that is known is known."""
    for some in ([minute(3, 5), minute(4, 6)], [minute(3, 5), minute(4, 6), minute(5, 9)], [minute(4, 7)]):
        history.fill(some, hours_from=START // HOUR + 1)
    assert history.minutes("linky.east", START, START + HOUR) == []
    (day,) = history.days("linky.east", 20_000, 20_001)
    assert (day.rollup, day.covered) == (rollup(5, 6, 9), 3)
