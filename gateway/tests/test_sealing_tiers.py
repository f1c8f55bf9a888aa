"""All three tiers from readings to segments; withdrawals, what cannot be sealed, what is told of losses."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cbor2
import pytest

from buffer.errors import StorageDamaged, StorageError
from buffer.outbox import Place, Row
from gateway.clock import Correlation
from gateway.outgoing import TIERS, Scope
from gateway.tests.metering import CHANNELS, PUBLIC, SCHEMA, Metering
from gateway.wire import cose, packing
from gateway.wire.messages import Dropped
from gateway.wire.schema import Schema

RESEARCH = Scope(CHANNELS, ("fine",), "apt-1", "research")
STREAM = "fine.apt-1.research"
QUARTER_MS = 900_000


@pytest.fixture(name="metering")
def metering_fixture(tmp_path: Path) -> Iterator[Metering]:
    """Give a gateway that reads into an empty outbox, in all tiers."""
    metering = Metering(tmp_path / "outbox.db", tiers=TIERS)
    yield metering
    metering.close()


def streams(metering: Metering) -> list[str]:
    """Name the streams that hold segments without a receipt, each once for each."""
    return [segment.stream for segment in metering.store.outbox.pending(limit=10_000)]


async def test_minutes_are_committed_with_the_rest_and_sealed_by_the_quarter(metering: Metering) -> None:
    """The coarse tiers share each commit; a seal of the fine tier leaves them in the journal, their own takes all."""
    for _ in range(4):
        metering.read(60)
        await metering.sealing.flush(seal=True)
    assert streams(metering) == ["schema", *["fine"] * 4]
    assert metering.store.outbox.waiting() == ("minute",)
    await metering.sealing.flush(seal=False, coarse=True)
    (minutes,) = (each for each in metering.sealed if each.stream == "minute")
    content = packing.unpack(cose.verify(minutes.blob, PUBLIC).payload, SCHEMA)
    assert len(content.groups["meter"].ticks) == 4
    assert minutes.count == content.count() == 4 * len(CHANNELS)


async def test_coarse_tiers_are_due_each_quarter_with_a_link_and_each_hour_without(metering: Metering) -> None:
    """Some seconds after the quarter, when its last minute has surely ended."""
    begin = metering.clock.now_ms
    hour = (begin // 3_600_000 + 1) * 3_600_000
    quarter = (begin // QUARTER_MS + 1) * QUARTER_MS
    for linked, due in ((False, hour), (True, quarter)):
        metering.linked = linked
        metering.clock.now_ms = due + 4_999
        assert not metering.sealing.coarse_is_due()
        metering.clock.now_ms = due + 5_000
        assert metering.sealing.coarse_is_due()
    await metering.sealing.flush(seal=False, coarse=True)
    assert not metering.sealing.coarse_is_due()


async def test_an_end_commits_the_minute_that_runs_and_a_start_seals_what_is_left(tmp_path: Path) -> None:
    """A clean restart loses nothing of any tier, and nothing waits for an hour to be over."""
    first = Metering(tmp_path / "outbox.db", tiers=TIERS)
    first.read(30)
    await first.sealing.end()
    first.close()
    second = Metering(tmp_path / "outbox.db", tiers=TIERS, seed=2)
    await second.sealing.flush(seal=True, coarse=True)
    counts = {each.stream: each.count for each in second.sealed if each.stream in TIERS}
    assert counts == {"fine": 30 * len(CHANNELS), "minute": 2 * len(CHANNELS)}
    second.close()


async def test_the_time_of_sealing_is_kept_where_it_is_known(metering: Metering) -> None:
    """What is old is found by it; a meter's own clock is not enough."""
    times = []
    for source in (None, "meter", "kernel"):
        if source is not None:
            metering.clock.known = Correlation(
                metering.clock.boot_id, metering.clock.now_ms, 1_800_000_000_000, 9, source
            )
        metering.read()
        await metering.sealing.flush(seal=True)
        query = "SELECT utc_ms FROM segment ORDER BY id DESC LIMIT 1"
        times.append(metering.store.outbox._db.execute(query).fetchone()[0])
    assert times == [None, None, 1_800_000_000_000 + 1_000]


async def test_a_withdrawal_takes_out_what_is_in_memory_and_on_the_disk(metering: Metering) -> None:
    """Rows that wait, rows committed and segments unsent are gone with the next commit; the centre is told so."""
    metering.outgoing.open(RESEARCH)
    metering.read(3)
    await metering.sealing.flush(seal=True)
    metering.read(3)
    await metering.sealing.flush(seal=False)
    metering.refuse_writes()
    metering.read(3)
    await metering.sealing.flush(seal=False)
    metering.outgoing.close(RESEARCH)
    metering.sealing.withdraw(["schema.apt-1.research", STREAM], {"schema.apt-1.research": ""})
    metering.read(3)
    await metering.sealing.flush(seal=False)
    before = metering.sealing.withdrawing
    metering.mend()
    metering.linked = True
    await metering.sealing.flush(seal=True)
    assert (before, metering.sealing.withdrawing) == (True, False)
    assert not [each for each in metering.store.outbox.unsent() if "apt-1" in each]
    assert metering.stored_marks()["schema.apt-1.research"] == ""
    told = [Dropped.decode(cose.verify(s.blob, PUBLIC).payload) for s in metering.sealed if s.stream == "dropped"]
    assert {(each.stream, each.first, each.last, each.reason) for each in told} == {
        ("schema.apt-1.research", 1, 1, "consent"),
        (STREAM, 1, 1, "consent"),
    }
    assert sorted(metering.content()) == sorted(metering.put)


async def test_a_consent_given_again_goes_on_in_the_same_stream(metering: Metering) -> None:
    """Its schema is announced anew, and its numbers go on behind what was dropped."""
    for _ in range(2):
        metering.outgoing.open(RESEARCH)
        metering.read(3)
        await metering.sealing.flush(seal=True)
        segment = next(each for each in metering.store.outbox.pending(limit=99) if each.stream == STREAM)
        metering.outgoing.close(RESEARCH)
        metering.sealing.withdraw(["schema.apt-1.research", STREAM], {"schema.apt-1.research": ""})
        await metering.sealing.flush(seal=False)
    assert segment.sequence == 2
    schemas = [each for each in metering.sealed if each.stream == "schema.apt-1.research"]
    assert [each.sequence for each in schemas] == [1, 2]
    assert Schema.decode(cose.verify(schemas[1].blob, PUBLIC).payload) == SCHEMA


async def test_a_segment_whose_consent_ends_while_it_is_sealed_does_not_go_out(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the disk and the link the consent is looked at once more."""
    metering.outgoing.open(RESEARCH)
    metering.read(3)
    await metering.sealing.flush(seal=False)
    pack = metering.sealing._pack

    def closing(place: Place, records: Sequence[bytes]) -> bytes:
        metering.outgoing.close(RESEARCH)
        return pack(place, records)

    monkeypatch.setattr(metering.sealing, "_pack", closing)
    await metering.sealing.flush(seal=True)
    assert STREAM not in {each.stream for each in metering.sealed}


async def test_rows_of_which_no_segment_can_begin_are_set_aside_and_told(metering: Metering) -> None:
    """What an older version left so is no crash loop: one alarm, the status says it, and what comes is sealed."""
    whole = cbor2.dumps([1, bytes(16), SCHEMA.id, False, []])
    other = cbor2.dumps([99, bytes(16), SCHEMA.id, True, []])
    rows = [Row("fine", bytes([n]), 1, 2, 5, payload) for n, payload in enumerate((whole, b"\xff", other, b""))]
    await metering.store.call(metering.store.outbox.commit, rows)
    metering.read(2)
    await metering.sealing.flush(seal=True)
    assert metering.sealing.failure is None
    assert sorted(metering.content()) == sorted(metering.put)
    assert (await metering.store.stats()).aside_rows == 4
    assert [kind for kind, _ in metering.alarms] == ["storage"]
    metering.read(2)
    await metering.sealing.flush(seal=True)
    assert len(metering.alarms) == 1


async def test_what_was_dropped_is_told_once_there_is_a_link(tmp_path: Path) -> None:
    """While the centre is away the range grows; with the link it becomes one signed message, and never again."""
    metering = Metering(tmp_path / "outbox.db", quota_pages=80)
    for _ in range(40):
        metering.read(60)
        await metering.sealing.flush(seal=True)
    assert "dropped" not in streams(metering)
    metering.linked = True
    for _ in range(2):
        await metering.sealing.flush(seal=False)
    (told,) = [Dropped.decode(cose.verify(s.blob, PUBLIC).payload) for s in metering.sealed if s.stream == "dropped"]
    first_kept = next(header for header, _ in metering.contents())
    assert (told.stream, told.first, told.last, told.reason) == ("fine", 1, first_kept.sequence - 1, "quota")
    assert told.last_digest == first_kept.previous
    assert told.epoch == metering.store.outbox.epoch
    metering.close()


async def test_damage_ends_the_process_so_that_the_next_start_moves_it_aside(metering: Metering) -> None:
    """Whoever meets it: nothing goes on beside a database that is not sound."""

    def damaged() -> None:
        raise StorageDamaged("a page is not what it was")

    with pytest.raises(StorageDamaged):
        await metering.store.call(damaged)
    with pytest.raises(StorageDamaged, match="a page"):
        await metering.store.watch()


async def test_a_disk_that_is_damaged_is_not_taken_for_one_that_refuses(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows in memory are no help against damage: the work ends."""

    def damaged(*_: object, **__: object) -> None:
        raise StorageDamaged("a page is not what it was")

    monkeypatch.setattr(metering.store.outbox, "commit", damaged)
    metering.read()
    with pytest.raises(StorageDamaged):
        await metering.sealing.flush(seal=False)


async def test_marks_that_wait_for_the_disk_are_written_when_it_takes_them(metering: Metering) -> None:
    """A withdrawal without anything to delete is noted all the same."""
    metering.refuse_writes()
    metering.sealing.withdraw((), {"consents": "none"})
    await metering.sealing.flush(seal=False)
    before = metering.sealing.withdrawing
    metering.mend()
    await metering.sealing.flush(seal=False)
    assert metering.stored_marks()["consents"] == "none"
    assert (before, metering.sealing.withdrawing) == (True, False)


async def test_a_refusal_while_withdrawing_leaves_the_rest_for_later(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read goes on being kept in memory while a withdrawal cannot be written."""
    metering.outgoing.open(RESEARCH)
    metering.read(2)
    await metering.sealing.flush(seal=True)

    def refuse(_stream: str) -> None:
        raise StorageError("no")

    with monkeypatch.context() as patched:
        patched.setattr(metering.store.outbox, "withdraw", refuse)
        metering.outgoing.close(RESEARCH)
        metering.sealing.withdraw([STREAM], {})
        metering.read(2)
        await metering.sealing.flush(seal=True)
    assert STREAM in metering.store.outbox.unsent()
    await metering.sealing.flush(seal=False)
    assert STREAM not in metering.store.outbox.unsent()
    assert sorted(metering.content()) == sorted(metering.put)
