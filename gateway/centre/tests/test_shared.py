"""One store for several centres: nothing in memory goes stale, nothing counts twice, one is on duty."""

import sqlite3
from pathlib import Path

import pytest

from gateway.centre import decode
from gateway.centre.errors import StoreUnavailable, StoreUnusable
from gateway.centre.keeper import Keeper
from gateway.centre.receipts import receipt
from gateway.centre.store import Outcome, Store
from gateway.centre.tables import APPLICATION_ID, VERSION
from gateway.centre.tests.speaker import EPOCH, Speaker

KEY = ("gw-0001", EPOCH, "fine")


@pytest.fixture(name="path")
def path_fixture(tmp_path: Path) -> Path:
    """Give the place of a store."""
    return tmp_path / "centre.db"


def test_what_another_centre_committed_is_known_at_once(path: Path) -> None:
    """Whoever receipts tells all that is committed, by whomever; a duplicate is one across centres too."""
    one, two, speaker = Store.open(path, "one"), Store.open(path, "two"), Speaker()
    blobs = [speaker.genuine(speaker.segment(number, [number])) for number in range(1, 5)]
    assert one.commit([(blobs[0], 1), (blobs[2], 1)], {}).outcomes == [Outcome.NEW] * 2
    assert two.commit([(blobs[1], 1), (blobs[2], 1)], {}).outcomes == [Outcome.NEW, Outcome.DUPLICATE]
    assert one.commit([(blobs[3], 1), (blobs[1], 1)], {}).outcomes == [Outcome.NEW, Outcome.DUPLICATE]
    assert [receipt(KEY, store.coverage(KEY)).upto for store in (one, two)] == [4, 4]
    assert two.tallies() == {"segments": 4, "duplicates_dropped": 2}
    one.close()
    two.close()


def test_readings_are_counted_once(path: Path) -> None:
    """Each counts what it committed; what one left behind another counts later, and nobody counts it again."""
    one, two, speaker = Store.open(path, "one"), Store.open(path, "two"), Speaker()
    one.commit([(speaker.genuine(speaker.schema()), 1), (speaker.genuine(speaker.segment(1, [1, 2])), 1_000)], {})
    two.commit([(speaker.genuine(speaker.segment(2, [3])), 1_000)], {})
    decode.count(two)
    assert two.tallies()["readings"] == 1
    decode.count(two, others_before_utc_ms=2_000)
    decode.count(one, others_before_utc_ms=2_000)
    assert (one.tallies()["readings"], decode.waiting(one)) == (3, 0)
    one.close()
    two.close()


def test_one_alone_is_on_duty(path: Path) -> None:
    """A lease goes over when it is not renewed or given back, and not even a clock set back holds it for ever."""
    one, two = Store.open(path, "one"), Store.open(path, "two")
    assert one.lease("duty", 1_000, 500)
    assert not two.lease("duty", 1_400, 500)
    assert one.lease("duty", 1_400, 500)
    assert two.lease("duty", 1_901, 500)
    assert not one.lease("duty", 1_902, 500)
    two.release()
    assert one.lease("duty", 1_903, 500)
    assert two.lease("duty", 100, 500)
    one.close()
    two.close()


def test_a_centre_that_starts_again_takes_its_lease_again(path: Path) -> None:
    """A centre that was killed needs not wait for its own lease to run out."""
    one = Store.open(path, "one")
    assert one.lease("duty", 1_000, 500)
    again = Store.open(path, "one")
    assert again.lease("duty", 1_001, 500)
    one.close()
    again.close()


async def test_a_store_that_is_held_by_another_is_unavailable_and_whole_again_afterwards(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked or full: nothing of the batch counts, it is said so, and later the same batch is committed."""
    monkeypatch.setattr("gateway.centre.tables._WAIT_S", 0.05)
    keeper, speaker = Keeper(path, "one"), Speaker()
    await keeper.open()
    batch = [(speaker.genuine(speaker.say("fine", 1, payload=bytes(200_000))), 1)]
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="held by another process"):
        await keeper.do(lambda store: store.commit(batch, {}))
    holder.execute("ROLLBACK")
    holder.close()
    pages = await keeper.do(lambda store: store.database.execute("PRAGMA page_count").fetchone()[0])
    await keeper.do(lambda store: store.database.execute(f"PRAGMA max_page_count = {pages + 2}"))
    with pytest.raises(StoreUnavailable, match="free space on the disk"):
        await keeper.do(lambda store: store.commit(batch, {}))
    assert await keeper.do(lambda store: (store.coverage(KEY).upto, store.tallies())) == (0, {})
    await keeper.do(lambda store: store.database.execute("PRAGMA max_page_count = 100000"))
    assert (await keeper.do(lambda store: store.commit(batch, {}))).outcomes == [Outcome.NEW]
    await keeper.close()


def test_another_file_is_never_taken_for_a_store(tmp_path: Path) -> None:
    """What is no database, another program's, or another version's is named, and left as it is."""
    for name, make in (
        ("text", None),
        ("foreign", f"PRAGMA application_id = {APPLICATION_ID - 1}; CREATE TABLE theirs (a)"),
        ("newer", f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION + 1}; CREATE TABLE t (a)"),
    ):
        path = tmp_path / name
        if make is None:
            path.write_bytes(b"no database at all, but long enough to be looked at" * 20)
        else:
            database = sqlite3.connect(path)
            database.executescript(make)
            database.close()
        with pytest.raises(StoreUnusable, match=str(path)):
            Store.open(path)
