"""Receipts wait for a commit, a minute or a question; none is forgotten, and what was asked for again stays so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from buffer.errors import StorageError
from buffer.outbox import Outbox, Row
from gateway.sealing import Receipts, Store
from gateway.sealing.receipts import MOST_WAITING, WAIT_MS


class Time:
    """A clock that is set."""

    now_ms = 0

    def boot_ms(self) -> int:
        return self.now_ms


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An outbox with a hundred segments."""
    made = Store(tmp_path / "outbox.db", quota_pages=1_000)
    for number in range(1, 101):
        made.outbox.commit([Row("fine", b"%d" % number, number, number, 1, b"x")])
        made.outbox.seal("fine", lambda _place, payloads: payloads[0])
    yield made
    made.close()


async def test_a_few_wait_until_they_are_due(store: Store) -> None:
    """A receipt is not on the disk at once; after a minute it is due, and booked by whoever commits."""
    time = Time()
    receipts = Receipts(store, time.boot_ms)
    await receipts.note("fine", 5)
    await receipts.note("fine", 7, [(9, 9)])
    assert (await store.stats()).segments_received == 0
    assert [receipts.due] == [False]
    time.now_ms = WAIT_MS
    assert [receipts.due] == [True]
    await receipts.book()
    assert (await store.stats()).segments_received == 8
    assert not receipts.due


async def test_many_are_booked_at_once(store: Store) -> None:
    """In a drain no more than a bound may be lost with the process."""
    receipts = Receipts(store, Time().boot_ms)
    await receipts.note("fine", MOST_WAITING)
    assert (await store.stats()).segments_received == 0
    await receipts.note("fine", MOST_WAITING + 1)
    assert (await store.stats()).segments_received == MOST_WAITING + 1


async def test_a_disk_that_refuses_forgets_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be booked waits on, and is booked with what came meanwhile."""
    receipts = Receipts(store, Time().boot_ms)
    await receipts.note("fine", 3)

    def refuses(*_: object) -> int:
        raise StorageError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "received", refuses)
        with pytest.raises(StorageError):
            await receipts.book()
    await receipts.note("fine", 4)
    await receipts.book()
    assert (await store.stats()).segments_received == 4
