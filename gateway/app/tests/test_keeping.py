"""The history is kept on the disk, whatever the disk does, and no longer than it is wanted."""

import asyncio
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.app.keeping import HOURS_KEPT, TOGETHER, Keeping
from gateway.clock import Correlation
from gateway.historian import MINUTE_MS, Historian
from gateway.sealing import Store

EAST = Channel("linky.east", "linky", "linky", Quantity.ACTIVE_ENERGY_IMPORT, "Wh")
MINUTE = 29_000_000


class HandClock:
    """A clock moved by hand, which knows the time."""

    boot_id = bytes(16)
    now_ms = 0
    ahead_ms = 0

    def boot_ms(self) -> int:
        return self.now_ms

    def correlation(self) -> Correlation | None:
        return Correlation(self.boot_id, self.now_ms, MINUTE * MINUTE_MS + self.now_ms + self.ahead_ms, 10, "kernel")


class Kept:
    """A Keeping over a real store at `path`."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.store = Store(path, quota_pages=4096)
        self.historian = Historian(ZoneInfo("Europe/Paris"))
        self.keeping = Keeping(self.historian, self.store, self.clock)

    def read(self, after_ms: int, value: int) -> None:
        self.clock.now_ms += after_ms
        self.historian.accept([Reading(EAST, value, self.clock.now_ms)])

    def minutes(self) -> list[tuple[int, int]]:
        """Give minute and last value of all that is on the disk."""
        rows = self.store.outbox.history.minutes("linky.east", MINUTE, MINUTE + 100_000)
        return [(row.moment - MINUTE, row.rollup.last) for row in rows]

    def close(self) -> None:
        self.store.close()


async def test_minutes_reach_the_disk_and_the_last_one_at_the_end(tmp_path: Path) -> None:
    """What is complete is stored when its time comes, the minute that runs when the agent stops."""
    with closing(Kept(tmp_path / "outbox.db")) as kept:
        await kept.keeping.flush()
        kept.read(1, 5)
        kept.read(MINUTE_MS, 6)
        await kept.keeping.flush()
        assert kept.minutes() == [(0, 5)]
        await kept.keeping.flush(whole=True)
        assert kept.minutes() == [(0, 5), (1, 6)]


async def test_what_the_disk_refuses_is_stored_later_and_once(tmp_path: Path) -> None:
    """A card that refuses for a while costs the history nothing, and what it took is not given to it again."""
    with closing(Kept(tmp_path / "outbox.db")) as kept:
        await kept.keeping.flush()
        kept.store.outbox._db.execute("PRAGMA query_only = 1")
        kept.read(1, 5)
        kept.read(MINUTE_MS, 6)
        await kept.keeping.flush()
        assert kept.minutes() == []
        kept.store.outbox._db.execute("PRAGMA query_only = 0")
        kept.read(MINUTE_MS, 7)
        await kept.keeping.flush()
        await kept.keeping.flush()
        assert kept.minutes() == [(0, 5), (1, 6)]
        (first, _) = kept.store.outbox.history.minutes("linky.east", MINUTE, MINUTE + 2)
        assert first.rollup.count == 1


async def test_minutes_are_forgotten_after_a_month(tmp_path: Path) -> None:
    """What is older than is kept goes, and the days stay."""
    with closing(Kept(tmp_path / "outbox.db")) as kept:
        await kept.keeping.flush()
        kept.read(1, 5)
        kept.read(MINUTE_MS * 60 * (HOURS_KEPT + 1), 6)
        await kept.keeping.flush(whole=True)
        assert [value for _, value in kept.minutes()] == [6]
        day = MINUTE // 1440
        assert [row.rollup.last for row in kept.store.outbox.history.days("linky.east", day - 1, day + 40)] == [5, 6]


async def test_a_clock_years_ahead_forgets_nothing(tmp_path: Path) -> None:
    """A kernel that is told a wrong time, and vouches for it, does not cost the history of before."""
    with closing(Kept(tmp_path / "outbox.db")) as kept:
        await kept.keeping.flush()
        kept.read(1, 5)
        kept.read(MINUTE_MS, 6)
        await kept.keeping.flush()
        kept.clock.ahead_ms = 20 * 365 * 1440 * MINUTE_MS
        kept.read(MINUTE_MS, 7)
        await kept.keeping.flush()
        kept.read(MINUTE_MS, 8)
        await kept.keeping.flush()
        assert [value for _, value in kept.minutes()][:2] == [5, 6]


async def test_whoever_asks_finds_what_waits_for_others(tmp_path: Path) -> None:
    """Minutes wait to be stored together; brought up to now by several at once, each is stored once."""
    with closing(Kept(tmp_path / "outbox.db")) as kept:
        await kept.keeping.flush()
        for value in range(4):
            kept.read(MINUTE_MS, value)
        assert (kept.historian.waiting, kept.minutes()) == (4, [])
        await asyncio.gather(*(kept.keeping.flush() for _ in range(5)))
        assert kept.minutes() == [(1, 0), (2, 1), (3, 2)]
        assert kept.historian.waiting == 1
        assert {row.rollup.count for row in kept.store.outbox.history.minutes("linky.east", MINUTE, MINUTE + 9)} == {1}


async def test_a_few_minutes_are_stored_at_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first round comes at the start, the next after a few minutes, or when memory holds many."""
    rounds: list[float] = []
    with closing(Kept(tmp_path / "outbox.db")) as kept:

        async def passes(seconds: float) -> None:
            rounds.append(seconds)
            if len(rounds) > 2 * TOGETHER + 1:
                raise asyncio.CancelledError
            kept.read(MINUTE_MS, len(rounds))

        monkeypatch.setattr("gateway.app.keeping.asyncio.sleep", passes)
        with pytest.raises(asyncio.CancelledError):
            await kept.keeping.run()
        assert [value for _, value in kept.minutes()] == list(range(1, 2 * TOGETHER))
        monkeypatch.setattr("gateway.app.keeping._MOST_TOGETHER", 0)
        rounds.clear()
        with pytest.raises(asyncio.CancelledError):
            await kept.keeping.run()
        assert len(kept.minutes()) == 2 * (2 * TOGETHER + 1) - 1  # all but the minute that runs
