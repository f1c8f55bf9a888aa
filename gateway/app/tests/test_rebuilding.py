"""A history that was lost is made again from the segments that are kept, as it was; what is there is not touched."""

import asyncio
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from buffer.history import History, Minute, Rollup, Row
from gateway.app import rebuilding
from gateway.app.rebuilding import DONE, MARK, Rebuilding
from gateway.clock import Correlation
from gateway.counting import Reach
from gateway.export.tests.kept_outbox import BOOT, INDEX, OTHER_BOOT, POWER, TARIFF, UTC_AT_0, Filled, Read
from gateway.historian import MINUTE_MS, Historian
from gateway.sealing import Store

PARIS = ZoneInfo("Europe/Paris")
REACHES = {"main.east": Reach(1, 166_667_000)}
MINUTES = 200
FIRST = UTC_AT_0 // MINUTE_MS
WHOLE_MS = FIRST * MINUTE_MS
"""At boot time 0 a minute begins; at UTC_AT_0 one is in its midst."""
PATIENCE_S = 30


class HandClock:
    """A clock that knows the time: some hours after the last reading."""

    boot_id = BOOT

    def boot_ms(self) -> int:
        return 2 * MINUTES * MINUTE_MS

    def correlation(self) -> Correlation | None:
        return Correlation(BOOT, 0, WHOLE_MS, 10, "kernel")


def ticks(minutes: Iterable[int]) -> list[list[Read]]:
    """Give four ticks a minute: a power, an index that counts up, a text; of a power, one that is doubted."""
    return [
        [
            Read(POWER, 100 * minute + quarter, at, quality=2 if quarter == 3 else 0),
            Read(INDEX, 40 * minute + quarter, at),
            Read(TARIFF, "HP", at),
        ]
        for minute in minutes
        for quarter in range(4)
        for at in (minute * MINUTE_MS + quarter * 15_000,)
    ]


def filled(path: Path, utc_ms: int = WHOLE_MS) -> None:
    """Fill an outbox: five minutes a segment, an hour in which nothing was read, and a boot that nothing places."""
    with closing(Filled(path)) as kept:
        kept.clock(0, utc_ms)
        for first in (*range(0, 60, 5), *range(120, MINUTES, 5)):
            kept.seal("fine", ticks(range(first, first + 5)))
        kept.seal("fine", ticks(range(5)), boot=OTHER_BOOT)
        # A household's own stream, and the minutes of a time whose finer tier gave way.
        kept.seal("fine.apt-1.a", ticks(range(5)))
        kept.seal("minute", [[Read(POWER, 7, minute * MINUTE_MS + 59_999)] for minute in range(50, 90)])
        kept.seal("index", [[Read(INDEX, 40 * minute, minute * MINUTE_MS)] for minute in (45, 60, 75, 90, 105)])


def kept_alive(minutes: Iterable[int], utc_ms: int = WHOLE_MS) -> list[tuple[str, int, int]]:
    """Give (channel, minute, sum) as a history would have been kept at the time."""
    historian = Historian(PARIS, REACHES)
    known = Correlation(BOOT, 0, utc_ms, 10, "kernel")
    historian.take(0, known)
    for tick in ticks(minutes):
        historian.accept(tick)
    found = historian.take(MINUTES * MINUTE_MS, known, whole=True)
    return sorted((each.channel, each.minute, each.rollup.sum) for each in found)


def sums(history: History, channel: str) -> list[tuple[str, int, int]]:
    """Give (channel, minute, sum) of all that is in a history."""
    return [(channel, row.moment, row.rollup.sum) for row in history.minutes(channel, FIRST, FIRST + 2 * MINUTES)]


def rebuilds(
    path: Path, store: Store, hours_kept: int = 10_000, units: dict[str, tuple[str, int]] | None = None
) -> Rebuilding:
    """Give what makes the history again."""
    return Rebuilding(
        path,
        store,
        HandClock(),
        PARIS,
        REACHES,
        units=units or {},
        hours_kept=hours_kept,
        settled_s=0,
        given_up=lambda: 0,
    )


async def run(work: Rebuilding) -> None:
    """Let it run to its end."""
    async with asyncio.timeout(PATIENCE_S):
        await work.recover()


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "RESTS", 0)


async def test_it_is_what_it_was(tmp_path: Path) -> None:
    """From the fine readings each minute as it was; from minutes and indexes what these lack; unplaced: nothing."""
    path = tmp_path / "outbox.db"
    filled(path)
    with closing(Store(path, quota_pages=10_000)) as store:
        await run(rebuilds(path, store))
        history = store.outbox.history
        alive = kept_alive((*range(60), *range(120, MINUTES)))
        expected = [("main.power", FIRST + minute, 7) for minute in range(60, 90)]
        expected += [("main.east", FIRST + minute, 40 * minute) for minute in (60, 75, 90, 105)]
        assert sorted([*sums(history, "main.power"), *sums(history, "main.east")]) == sorted([*alive, *expected])
        assert sums(history, "main.tariff") == []
        assert store.outbox.marks()[MARK] == DONE


async def test_what_is_there_stays_and_a_history_that_has_something_is_left_alone(tmp_path: Path) -> None:
    """What was read since the loss is the history's own; without a loss, nothing is done."""
    path = tmp_path / "outbox.db"
    filled(path)
    with closing(Store(path, quota_pages=10_000)) as store:
        work = rebuilds(path, store)
        own = Historian(PARIS)
        own.take(0, HandClock().correlation())
        own.accept([Read(POWER, 1_000_000, 3 * MINUTE_MS)])
        await store.call(store.outbox.history.add, own.take(4 * MINUTE_MS, HandClock().correlation()))
        await run(work)
        rows: list[Row] = store.outbox.history.minutes("main.power", FIRST, FIRST + 5)
        assert [row.rollup.sum for row in rows if row.moment == FIRST + 3] == [1_000_000]
        assert len(rows) == 5
    with closing(Store(path, quota_pages=10_000)) as store:
        await store.call(store.outbox.history.prune, hours_from=FIRST // 60 + 2, days_from=0)
        await run(rebuilds(path, store))
        assert sums(store.outbox.history, "main.power")[0][1] >= FIRST // 60 * 60 + 120


async def test_it_goes_on_where_it_was_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two segments a start, until all is there, once and whole, also minutes that lie in two segments."""
    path = tmp_path / "outbox.db"
    filled(path, UTC_AT_0)
    monkeypatch.setattr(rebuilding, "ROUND_S", 0)
    starts, ended = 0, False
    while not ended:
        starts += 1
        with closing(Store(path, quota_pages=10_000)) as store:
            work = rebuilds(path, store)
            ended = store.outbox.marks().get(MARK) == DONE
            task = asyncio.create_task(work.recover())
            for _ in range(3):
                await rounds(work, task)
            task.cancel()
            await asyncio.wait((task,))
    with closing(Store(path, quota_pages=10_000)) as store:
        alive = [each for each in kept_alive(range(60), UTC_AT_0) if each[0] == "main.power"]
        # The last minute of it is one of the minute tier too, in whose midst the fine readings end.
        assert sums(store.outbox.history, "main.power")[:59] == alive[:59]
    assert starts > 10


async def rounds(work: Rebuilding, task: asyncio.Task[None]) -> None:
    """Wait until it has gone on by a round, or has ended."""
    before = work.place
    async with asyncio.timeout(PATIENCE_S):
        while work.place is before and not task.done():  # noqa: ASYNC110 - a test polls
            await asyncio.sleep(0.001)


async def test_of_what_is_older_than_minutes_only_days_are_made(tmp_path: Path) -> None:
    """A year of days, a month of minutes."""
    path = tmp_path / "outbox.db"
    filled(path)
    with closing(Store(path, quota_pages=10_000)) as store:
        await run(rebuilds(path, store, hours_kept=0))
        history = store.outbox.history
        assert sums(history, "main.power") == []
        days = history.days("main.east", FIRST // 1440 - 1, FIRST // 1440 + 2)
        assert sum(row.rollup.count for row in days) >= 4 * 140
        assert (days[0].rollup.first, days[-1].rollup.last) == (0, 40 * (MINUTES - 1) + 3)


async def test_what_came_after_the_newest_minute_is_filled_in(tmp_path: Path) -> None:
    """A power cut takes the minutes that were not stored yet: the next start has them from what was sealed."""
    path = tmp_path / "outbox.db"
    filled(path)
    own = Historian(PARIS)
    own.take(0, HandClock().correlation())
    for tick in ticks(range(140)):
        own.accept(tick)
    with closing(Store(path, quota_pages=10_000)) as store:
        await store.call(store.outbox.history.add, own.take(140 * MINUTE_MS, HandClock().correlation()))
    with closing(Store(path, quota_pages=10_000)) as store:
        work = rebuilds(path, store)
        await run(work)
        alive = [each for each in kept_alive(range(140, MINUTES)) if each[0] == "main.power"]
        assert sums(store.outbox.history, "main.power")[140:] == alive
        assert MARK not in store.outbox.marks()


async def test_what_was_given_up_while_the_clock_was_unknown_is_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is known, from what this process has sealed; once, not each minute."""
    path = tmp_path / "outbox.db"
    monkeypatch.setattr(rebuilding, "AGAIN_S", 0.01)
    filled(path)
    with closing(Store(path, quota_pages=10_000)) as store:
        store.outbox.history.began_empty = False
        work = rebuilds(path, store)
        work._started_ms, work._given_up = 0, lambda: 500
        task = asyncio.create_task(work.run())
        async with asyncio.timeout(PATIENCE_S):
            while len(sums(store.outbox.history, "main.power")) < 170:  # noqa: ASYNC110 - a test polls
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait((task,))


async def test_what_was_not_sealed_yet_is_looked_at_later(tmp_path: Path) -> None:
    """What an earlier process had committed alone is sealed by this one, a while after its start."""
    path = tmp_path / "outbox.db"
    filled(path)
    with closing(Store(path, quota_pages=10_000)) as store:
        work = rebuilds(path, store)
        work._settled_s = 1.0
        task = asyncio.create_task(work.recover())
        async with asyncio.timeout(PATIENCE_S):
            while not sums(store.outbox.history, "main.east"):  # noqa: ASYNC110 - a test polls
                await asyncio.sleep(0.001)
        with closing(Filled(tmp_path / "other.db")) as other:
            other.seal("fine", ticks(range(MINUTES, MINUTES + 5)))
            (late,) = [each for each in other.outbox.pending(limit=9) if each.stream == "fine"]
        await store.call(store.outbox.add, "fine", count=1, first_ms=0, last_ms=0, pack=lambda *_: late.blob)
        async with asyncio.timeout(PATIENCE_S):
            await task
        found = sums(store.outbox.history, "main.power")
        assert found[-1][1] == FIRST + MINUTES + 4


async def nothing() -> dict[str, tuple[int, int]]:
    """Give no newest minute."""
    return {}


async def test_the_minute_in_which_a_start_falls_is_whole_and_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read in it before the start is joined to what was read since, unless it had been stored already."""
    path = tmp_path / "outbox.db"
    filled(path)
    with closing(Store(path, quota_pages=10_000)) as store:
        work = rebuilds(path, store)
        work._started_ms = 30 * MINUTE_MS + 30_000
        own = Historian(PARIS)
        own.take(0, HandClock().correlation())
        for tick in ticks(range(30, 40))[2:]:
            own.accept(tick)
        await store.call(store.outbox.history.add, own.take(40 * MINUTE_MS, HandClock().correlation()))
        monkeypatch.setattr(work, "_newest", nothing)  # it was asked before that
        await run(work)
        alive = [each for each in kept_alive(range(40)) if each[0] == "main.power"]
        assert sums(store.outbox.history, "main.power")[:40] == alive
    with closing(Store(path, quota_pages=10_000)) as store:
        work = rebuilds(path, store)
        work._started_ms = (MINUTES - 1) * MINUTE_MS + 30_000
        before = sums(store.outbox.history, "main.power")
        await store.call(
            store.outbox.history.add,
            [Minute("main.power", FIRST + MINUTES - 1, 1, Rollup(5, 5, 5, 5, 5, 1))],
        )
        await run(work)
        assert sums(store.outbox.history, "main.power")[: len(before)] == before


async def test_what_was_read_in_another_unit_is_left_out(tmp_path: Path) -> None:
    """The history knows numbers alone: watt-hours would be shown as kilowatt-hours."""
    path = tmp_path / "outbox.db"
    filled(path)
    with closing(Store(path, quota_pages=10_000)) as store:
        await run(rebuilds(path, store, units={"main.power": ("W", 0), "main.east": ("kWh", -1)}))
        assert sums(store.outbox.history, "main.power")
        assert not sums(store.outbox.history, "main.east")


async def test_a_new_box_has_nothing_to_make_again(tmp_path: Path) -> None:
    """An empty outbox with an empty history is no loss."""
    path = tmp_path / "outbox.db"
    with closing(Store(path, quota_pages=10_000)) as store:
        work = rebuilds(path, store)
        await run(work)
        assert work.place is None
        assert MARK not in store.outbox.marks()
