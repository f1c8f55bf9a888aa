"""What the centre has goes after its time, or at a word; what it has not stays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from buffer.errors import StorageError
from buffer.outbox import Place
from gateway.app.retention import Retention
from gateway.app.steady import STEADY_MS
from gateway.clock import Correlation
from gateway.control.routes import Call, Refusal
from gateway.sealing import Store
from gateway.tests.metering import HandClock

DAY_MS = 86_400_000
NOW_MS = 1_800_000_000_000


class Keeping:
    """A retention of ten days over a real outbox with one received and one pending segment of each age in days."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.clock.known = Correlation(self.clock.boot_id, self.clock.now_ms, NOW_MS, 5, "kernel")
        self.store = Store(path, quota_pages=4096)
        self.alarms: list[tuple[str, str]] = []
        self.retention = Retention(
            self.store, self.clock, days=10, alarm=lambda kind, text: self.alarms.append((kind, text))
        )
        outbox = self.store.outbox
        for days in (30, 11, 9, 0):
            for stream in ("fine", "minute"):
                utc_ms = NOW_MS - days * DAY_MS
                outbox.add(stream, count=1, first_ms=1, last_ms=1, pack=_blob, utc_ms=utc_ms)
        outbox.received(outbox.epoch, "fine", 4)

    async def look(self) -> None:
        """Look as often as it takes for a clock to be believed."""
        await self.retention.look()
        self.clock.now_ms += STEADY_MS
        await self.retention.look()

    async def received(self) -> int:
        return (await self.store.stats()).segments_received


def _blob(place: Place, _: object) -> bytes:
    return f"{place.stream} {place.sequence}".encode()


@pytest.fixture(name="keeping")
def keeping_fixture(tmp_path: Path) -> Iterator[Keeping]:
    """Give it over a new file."""
    keeping = Keeping(tmp_path / "outbox.db")
    yield keeping
    keeping.store.close()


async def test_what_is_older_than_its_days_goes(keeping: Keeping) -> None:
    """Of what was received alone: what is still owed stays however old it is."""
    await keeping.look()
    assert await keeping.received() == 2
    assert (await keeping.store.stats()).segments_pending == 4


@pytest.mark.parametrize("source", [None, "meter"])
async def test_nothing_goes_while_the_time_is_not_trusted(keeping: Keeping, source: str | None) -> None:
    """A wrong clock must not empty the card."""
    known = Correlation(keeping.clock.boot_id, keeping.clock.now_ms, NOW_MS + 900 * DAY_MS, 5, source or "")
    keeping.clock.known = None if source is None else known
    await keeping.look()
    assert await keeping.received() == 4


async def test_a_clock_that_was_just_set_is_not_believed(keeping: Keeping) -> None:
    """Years ahead, and vouched for by the kernel: what it would delete is there once somebody has set it right."""
    right = keeping.clock.known
    await keeping.retention.look()
    for _ in range(3):
        keeping.clock.now_ms += STEADY_MS
        keeping.clock.known = Correlation(
            keeping.clock.boot_id, keeping.clock.now_ms, NOW_MS + 900 * DAY_MS, 5, "kernel"
        )
        await keeping.retention.look()
        assert await keeping.received() == 4
        keeping.clock.known = right
        await keeping.retention.look()
    await keeping.look()
    assert await keeping.received() == 2


async def test_a_clock_too_vague_is_not_trusted(keeping: Keeping) -> None:
    """As for commands."""
    keeping.clock.known = Correlation(keeping.clock.boot_id, keeping.clock.now_ms, NOW_MS, 60_000, "kernel")
    await keeping.look()
    assert await keeping.received() == 4


async def test_a_disk_that_refuses_is_asked_again_later(keeping: Keeping) -> None:
    """Deleting is no reason to end."""
    keeping.store.outbox._db.execute("PRAGMA query_only = 1")
    await keeping.look()
    keeping.store.outbox._db.execute("PRAGMA query_only = 0")
    assert await keeping.received() == 4


async def test_a_purge_deletes_all_that_was_received_and_is_told(keeping: Keeping) -> None:
    """Somebody wants the card empty before the box leaves; the centre hears who asked why."""
    answer = keeping.retention.route().answer
    assert answer is not None
    assert await answer(Call({}, {}, {"reason": "the box moves"})) == {"segments": 4}
    assert await keeping.received() == 0
    assert (await keeping.store.stats()).segments_pending == 4
    assert keeping.alarms == [("purge", "4 segments that the centre has were deleted here: the box moves")]


async def test_a_purge_that_the_disk_refuses_says_so(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, as every fault of the disk."""

    def refuse() -> int:
        raise StorageError("check the disk")

    monkeypatch.setattr(keeping.store.outbox, "purge", refuse)
    answer = keeping.retention.route().answer
    assert answer is not None
    with pytest.raises(Refusal, match="check the disk"):
        await answer(Call({}, {}, {"reason": "x"}))


async def test_a_schema_stays_as_long_as_what_it_explains(keeping: Keeping) -> None:
    """The building's, a household's, and a clock record: without it, what still waits could not be read or placed."""
    outbox = keeping.store.outbox
    for stream in ("schema", "schema.apt-12.research", "clock"):
        outbox.add(stream, count=0, first_ms=1, last_ms=1, pack=_blob, utc_ms=NOW_MS - 30 * DAY_MS)
        outbox.received(outbox.epoch, stream, 1)
    keeping.store.outbox.purge()
    assert await keeping.received() == 3
