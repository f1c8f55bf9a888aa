"""From a record to a signed segment in a real outbox: on time, in order, once; and what a bad card does to it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from buffer.errors import StorageError
from buffer.outbox import Outbox
from gateway.app import status
from gateway.clock import Correlation
from gateway.sealing import unsaved
from gateway.tests.metering import PUBLIC, SCHEMA, HandClock, Metering
from gateway.wire import cose
from gateway.wire.messages import ClockRecord
from gateway.wire.schema import Schema


@pytest.fixture(name="metering")
def metering_fixture(tmp_path: Path) -> Iterator[Metering]:
    """Give a gateway that reads into an empty outbox."""
    metering = Metering(tmp_path / "outbox.db")
    yield metering
    metering.close()


async def test_what_is_read_is_what_is_sealed(metering: Metering) -> None:
    """Every reading stands in one segment, signed for this gateway, and each segment decodes alone."""
    for _ in range(3):
        metering.read(5)
        await metering.sealing.flush(seal=False)
        metering.read(5)
        await metering.sealing.flush(seal=True)
    assert sorted(metering.content()) == sorted(metering.put)
    headers = [header for header, _ in metering.contents()]
    assert [header.sequence for header in headers] == [1, 2, 3]
    assert {(header.gateway, header.stream, header.schema) for header in headers} == {("gw-test", "fine", SCHEMA.id)}
    assert metering.sealing.readings_stored == len(metering.put)


async def test_the_schema_comes_before_the_first_segment_and_once(tmp_path: Path) -> None:
    """The centre has what it needs to decode before it needs it; a restart with the same schema says nothing anew."""
    for _ in range(2):
        metering = Metering(tmp_path / "outbox.db")
        metering.read()
        await metering.sealing.flush(seal=True)
        pending = metering.store.outbox.pending(limit=10)
        assert pending[0].stream == "schema"
        assert [segment.stream for segment in pending].count("schema") == 1
        verified = cose.verify(pending[0].blob, PUBLIC)
        assert Schema.decode(verified.payload).id == SCHEMA.id
        metering.close()


async def test_a_schema_that_is_gone_is_said_again(tmp_path: Path) -> None:
    """A page of the card, or the quota, took it: what is sealed from then on must not be unreadable for ever."""
    for lost in (True, False):
        metering = Metering(tmp_path / "outbox.db")
        metering.read()
        await metering.sealing.flush(seal=True)
        schemas = [each.sequence for each in metering.store.outbox.pending(limit=10) if each.stream == "schema"]
        assert schemas == ([1] if lost else [2])
        if lost:
            metering.store.outbox._db.execute("DELETE FROM segment WHERE id = 1")
        metering.close()


async def test_an_outbox_that_is_an_older_copy_is_told_once(metering: Metering) -> None:
    """The centre signs for numbers that were never given here."""
    metering.read()
    await metering.sealing.flush(seal=True)
    assert not metering.alarms
    for _ in range(2):
        await metering.sealing.receipts.note("fine", 700)
        await metering.sealing.receipts.book()
        await metering.sealing.flush(seal=True)
    (kind, text) = metering.alarms[0]
    assert (kind, len(metering.alarms), "an old copy" in text) == ("storage", 1, True)


async def test_marks_are_stored_with_the_readings_they_belong_to(metering: Metering) -> None:
    """A pulse total on the disk is the one of the newest reading on the disk."""
    metering.marks = {"gas.pulses": 7}
    metering.read()
    await metering.sealing.flush(seal=False)
    assert metering.stored_marks()["gas.pulses"] == 7
    metering.marks = {"gas.pulses": 8}
    assert metering.stored_marks()["gas.pulses"] == 7


async def test_the_clock_stands_in_a_stream_of_its_own(metering: Metering) -> None:
    """A known clock is recorded once while nothing about it changes; an unknown one is not made up."""
    metering.read()
    await metering.sealing.flush(seal=True)
    assert not [s for s in metering.store.outbox.pending(limit=10) if s.stream == "clock"]
    metering.clock.known = Correlation(metering.clock.boot_id, metering.clock.now_ms, 1_800_000_000_000, 20, "kernel")
    for _ in range(2):
        metering.read()
        await metering.sealing.flush(seal=True)
    records = [s for s in metering.store.outbox.pending(limit=10) if s.stream == "clock"]
    assert len(records) == 1
    known = ClockRecord.decode(cose.verify(records[0].blob, PUBLIC).payload)
    assert (known.source, known.utc_ms) == ("kernel", 1_800_000_000_000)


async def test_a_centre_that_begins_anew_gets_a_clock_record_at_once(metering: Metering) -> None:
    """It has none of this boot: the next one is up to an hour away. One, and not before the clock is known."""
    metering.sealing.clock_anew()
    await metering.sealing.flush(seal=False)
    metering.clock.known = Correlation(metering.clock.boot_id, metering.clock.now_ms, 1_800_000_000_000, 20, "kernel")
    for number, told in enumerate((1, 1, 2, 2)):
        if number == 2:
            metering.sealing.clock_anew()
        await metering.sealing.flush(seal=False)
        assert [each.stream for each in metering.sealed].count("clock") == told


async def test_what_an_earlier_boot_left_is_sealed_as_its_own(tmp_path: Path) -> None:
    """Readings that a power cut left unsealed keep their boot id."""
    before = Metering(tmp_path / "outbox.db", clock=HandClock(b"b" * 16))
    before.read(2)
    await before.sealing.flush(seal=False)
    before.close()
    after = Metering(tmp_path / "outbox.db", clock=HandClock(b"a" * 16), seed=2)
    after.clock.known = Correlation(b"a" * 16, 0, 1_800_000_000_000, 20, "kernel")
    after.read(2)
    await after.sealing.flush(seal=True)
    assert [c.boot_id[:1] for _, c in after.contents()] == [b"b", b"a"]
    assert sorted(after.content()) == sorted(before.put + after.put)
    after.close()


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        (Metering.refuse_writes, "check the disk and who may write there"),
        (Metering.fill_disk, "free space on the disk"),
    ],
    ids=["read-only", "full"],
)
async def test_a_disk_that_refuses_loses_nothing(
    metering: Metering, refuse: Callable[[Metering], None], said: str
) -> None:
    """Rows wait in memory in their order, metering goes on, the status says what to do; mended, all is committed."""
    metering.read(2)
    await metering.sealing.flush(seal=True)
    stored = metering.sealing.readings_stored
    refuse(metering)
    for number in range(8):
        metering.read(20)
        await metering.sealing.flush(seal=number % 3 == 2)
    text = status.outbox(await metering.store.stats(), metering.sealing, 0)["text"]
    assert said in text
    assert metering.sealing.readings_stored < len(metering.put)
    assert metering.latest.taken == len(metering.put)
    metering.mend()
    metering.read()
    await metering.sealing.flush(seal=True)
    assert metering.sealing.failure is None
    assert metering.sealing.given_up == 0
    assert metering.sealing.readings_stored == len(metering.put) > stored
    assert sorted(metering.content()) == sorted(metering.put)
    assert sum(segment.count for segment in metering.store.outbox.pending(limit=100)) == len(metering.put)


async def test_a_disk_that_refuses_from_the_start_ends_nothing(metering: Metering) -> None:
    """The agent starts on a read-only card; the schema and the readings are stored when it takes them."""
    metering.refuse_writes()
    running = asyncio.create_task(metering.sealing.run())
    metering.read()
    await _until(lambda: metering.sealing.failure is not None)
    assert not running.done()
    metering.mend()
    metering.sealing.urgent()
    await _until(lambda: metering.sealing.failure is None)
    await metering.sealing.flush(seal=True)
    assert [segment.stream for segment in metering.store.outbox.pending(limit=5)] == ["schema", "fine"]
    assert sorted(metering.content()) == sorted(metering.put)
    await _cancelled(running)


async def test_what_memory_cannot_hold_goes_oldest_first_and_is_counted(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses for long costs the oldest readings only; the rest can be decoded, and the status tells."""
    monkeypatch.setattr(unsaved, "MOST_BYTES", 10_000)
    metering.refuse_writes()
    for number in range(32):
        metering.read()
        await metering.sealing.flush(seal=number % 3 == 2)
    metering.mend()
    metering.read()
    await metering.sealing.flush(seal=True)
    kept = metering.content()
    lost = len(metering.put) - len(kept)
    assert lost == metering.sealing.given_up > 0
    assert sorted(kept) == sorted(metering.put[lost:])
    assert len(kept) >= 7 * len(SCHEMA.channels)
    assert f"{lost} readings lost" in status.outbox(await metering.store.stats(), metering.sealing, 0)["text"]


async def test_a_seal_that_failed_is_made_up_for_at_the_next_commit(metering: Metering) -> None:
    """A segment is late by one commit, not by one whole segment, and the failure stays told until then."""
    metering.read()
    metering.refuse_writes()
    await metering.sealing.flush(seal=True)
    metering.mend()
    metering.read()
    await metering.sealing.flush(seal=False)
    assert sorted(metering.content()) == sorted(metering.put)


async def test_a_seal_that_is_owed_ends_its_lot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has room for rows and none for a segment, then room again: what came meanwhile stands alone too."""
    first = Metering(tmp_path / "outbox.db")
    first.read(2)
    await first.sealing.flush(seal=True)
    first.read(2)

    def refuse(*_: object, **__: object) -> None:
        raise StorageError("no room for a segment")

    with monkeypatch.context() as patched:
        patched.setattr(first.store.outbox, "seal", refuse)
        await first.sealing.flush(seal=True)
    for seal in (False, False, True):
        first.read(2)
        await first.sealing.flush(seal=seal)
    assert sorted(first.content()) == sorted(first.put)
    first.read(2)
    await first.sealing.flush(seal=False)
    first.close()
    second = Metering(tmp_path / "outbox.db", seed=2)
    second.read(2)
    await second.sealing.flush(seal=True)
    assert sorted(second.content()) == sorted(first.put + second.put)
    second.close()


async def test_a_full_quota_drops_the_oldest_and_goes_on_metering(tmp_path: Path) -> None:
    """Over the quota the newest readings are kept, the loss is recorded as a range, and the status says how much."""
    metering = Metering(tmp_path / "outbox.db", quota_pages=80)
    for _ in range(60):
        metering.read(60)
        await metering.sealing.flush(seal=True)
    stats = await metering.store.stats()
    assert stats.pages_used <= 80
    kept = metering.content()
    assert stats.dropped_readings == len(metering.put) - len(kept) > 0
    assert sorted(kept) == sorted(metering.put[stats.dropped_readings :])
    assert metering.sealing.readings_stored == len(metering.put)
    assert metering.sealing.failure is None
    assert (stats.dropped[0].stream, stats.dropped[0].first_sequence) == ("fine", 1)
    assert stats.dropped[0].last_sequence + 1 == next(metering.contents())[0].sequence
    text = status.outbox(stats, metering.sealing, 0)["text"]
    assert f"{stats.dropped_readings} readings dropped over the quota" in text
    metering.close()


async def test_a_stop_in_the_midst_of_a_commit_stores_nothing_twice(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk has when the agent is told to stop is not committed again by its last flush."""
    commit = Outbox.commit
    entered, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(outbox: Outbox, rows: object, marks: object = None, **how: object) -> object:
        if rows:
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        return commit(outbox, rows, marks, **how)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(Outbox, "commit", slow)
    running = asyncio.create_task(metering.sealing.run())
    metering.read(3)
    await entered.wait()
    running.cancel()
    loop.call_later(0.05, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await running
    metering.read()
    await metering.sealing.flush(seal=True)
    assert sorted(metering.content()) == sorted(metering.put)


async def test_the_status_is_served_while_the_disk_cannot_be_read(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dying card must not take the status away, which is where a technician looks."""
    metering.read()
    await metering.sealing.flush(seal=True)
    before = await metering.store.stats()

    def damaged(_outbox: Outbox) -> None:
        raise StorageError("the card is gone")

    monkeypatch.setattr(Outbox, "stats", damaged)
    assert await metering.store.stats() == before


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the store has no event for it
            await asyncio.sleep(0.01)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_disk_that_goes_on_refusing_is_an_alarm_and_one_hiccup_is_none(metering: Metering) -> None:
    """People are told once, with what to do, and once more when it is over."""
    for rounds in (2, 5):
        metering.refuse_writes()
        for _ in range(rounds):
            metering.read()
            await metering.sealing.flush(seal=False)
        metering.mend()
        await metering.sealing.flush(seal=False)
    (kind, refused), (_, over) = metering.alarms
    assert kind == "storage"
    assert "check the disk and who may write there" in refused
    assert over == "the disk takes readings again"
