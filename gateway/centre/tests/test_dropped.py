"""What a gateway tells to be dropped is settled: not missing, not asked for, and the chain goes on across it."""

import json
from pathlib import Path

import pytest

from gateway.centre import losses
from gateway.centre.follow import DroppedRange
from gateway.centre.lines import Json
from gateway.centre.receipts import receipt
from gateway.centre.store import Outcome, Single, Store
from gateway.centre.tests.speaker import EPOCH, Speaker
from gateway.wire import cose
from gateway.wire.messages import Alarm, Dropped

KEY = ("gw-0001", EPOCH, "fine")


@pytest.fixture(name="store")
def store_fixture(tmp_path: Path) -> Store:
    """Give an empty store."""
    return Store.open(tmp_path / "centre.db")


def told(first: int, last: int, last_digest: bytes, *, stream: str = "fine", reason: str = "quota") -> bytes:
    """Give the payload of a drop record."""
    return Dropped(EPOCH, stream, first, last, 10, 1_000, 2_000, last_digest, reason).encode()


def commit(store: Store, speaker: Speaker, *blobs: bytes) -> list[Outcome]:
    """Commit messages as one batch."""
    return store.commit([(speaker.genuine(blob), 1) for blob in blobs], {}).outcomes


@pytest.mark.parametrize("record_first", [True, False])
def test_receipts_go_past_what_was_dropped(store: Store, *, record_first: bool) -> None:
    """The range is no gap any more, whichever came first, and what follows it links to the digest that was told."""
    speaker = Speaker()
    blobs = [speaker.segment(number, [number]) for number in range(1, 7)]
    record = speaker.say("dropped", 1, Dropped.CONTENT, told(2, 4, cose.digest(blobs[3])))
    kept = [blobs[0], blobs[4], blobs[5]]
    commit(store, speaker, *([record, *kept] if record_first else [*kept, record]))
    assert receipt(KEY, store.coverage(KEY)).upto == 6
    assert list(store.gaps()) == []
    assert store.missing() == 0
    assert store.tallies() == {"segments": 3, "dropped_readings": 10}
    store.close()


def test_a_gap_beside_it_stays_one(store: Store) -> None:
    """Only what was told is settled."""
    speaker = Speaker()
    blobs = [speaker.segment(number, [number]) for number in range(1, 10)]
    record = speaker.say("dropped", 1, Dropped.CONTENT, told(3, 5, cose.digest(blobs[4])))
    commit(store, speaker, blobs[0], record, blobs[8])
    assert list(store.gaps()) == [(KEY, (2, 2)), (KEY, (6, 8))]
    assert store.missing() == 4
    store.close()


@pytest.mark.parametrize("record_first", [True, False])
def test_a_chain_that_does_not_go_on_is_broken(store: Store, *, record_first: bool) -> None:
    """A record with another digest than its successor names as previous is a break, kept under that number, once."""
    speaker = Speaker()
    blobs = [speaker.segment(number, [number]) for number in range(1, 6)]
    record = speaker.say("dropped", 1, Dropped.CONTENT, told(2, 4, b"x" * 32))
    commit(store, speaker, *([record, blobs[0], blobs[4]] if record_first else [blobs[0], blobs[4], record]))
    commit(store, speaker, record, blobs[4])
    assert store.tallies()["chain_breaks"] == 1
    assert store.database.execute("SELECT sequence FROM broken").fetchall() == [(5,)]
    store.close()


@pytest.mark.parametrize("record_first", [True, False])
def test_a_range_whose_last_digest_is_lost_breaks_no_chain(store: Store, *, record_first: bool) -> None:
    """A damaged card took it too: that is no forgery, and one that comes all the same is no break either."""
    speaker = Speaker()
    blobs = [speaker.segment(number, [number]) for number in range(1, 6)]
    record = speaker.say("dropped", 1, Dropped.CONTENT, told(2, 4, cose.NO_DIGEST, reason="damage"))
    commit(store, speaker, *([record, blobs[0], blobs[4]] if record_first else [blobs[0], blobs[4], record]))
    commit(store, speaker, blobs[3])
    assert "chain_breaks" not in store.tallies()
    assert receipt(KEY, store.coverage(KEY)).upto == 5
    store.close()


def test_what_was_told_to_be_dropped_and_comes_all_the_same_is_kept(store: Store) -> None:
    """A message that was on its way when its range was dropped is one more, if it is the one that the record means."""
    speaker = Speaker()
    blobs = [speaker.segment(number, [number]) for number in range(1, 4)]
    record = speaker.say("dropped", 1, Dropped.CONTENT, told(1, 2, cose.digest(blobs[1])))
    assert commit(store, speaker, record, *blobs) == [Outcome.NEW] * 4
    assert store.coverage(KEY).upto == 3
    assert "chain_breaks" not in store.tallies()
    store.close()


def test_a_record_settles_a_stream_of_which_nothing_came(store: Store) -> None:
    """A stream that was withdrawn before anything of it had come is settled, and receipted so that nobody waits."""
    speaker = Speaker()
    payload = told(1, 3, bytes(32), stream="minute.apt-1.research", reason="consent")
    done = store.commit([(speaker.genuine(speaker.say("dropped", 1, Dropped.CONTENT, payload)), 1)], {})
    withdrawn = ("gw-0001", EPOCH, "minute.apt-1.research")
    assert done.due == {("gw-0001", EPOCH, "dropped"), withdrawn}
    assert store.coverage(withdrawn).upto == 3
    store.close()


def test_an_alarm_that_says_nothing_is_counted_and_shown_to_nobody(store: Store) -> None:
    """Signed, and no alarm: whoever reads alarms later must not stumble over it."""
    speaker = Speaker()
    chained = speaker.genuine(speaker.say("alarm", 1, Alarm.CONTENT, b"no alarm"))
    single = Single(speaker.genuine(speaker.say("evt", 1, Alarm.CONTENT, b"no alarm")), 1)
    store.commit([(chained, 1)], {}, [single])
    assert store.tallies() == {"unreadable": 2}
    assert store.database.execute("SELECT count(*) FROM alarm").fetchone() == (0,)
    store.close()


def test_alarms_are_kept_once_in_their_chain_or_singly(store: Store) -> None:
    """A chained alarm is committed and receipted; one said singly is kept too; both count once."""
    speaker = Speaker()
    payload = Alarm("storage", "no room left", 5, None).encode()
    chained = speaker.say("alarm", 1, Alarm.CONTENT, payload)
    single = Single(speaker.genuine(speaker.say("evt", 1, Alarm.CONTENT, payload)), 1)
    done = store.commit([(speaker.genuine(chained), 1)], {}, [single])
    store.commit([(speaker.genuine(chained), 2)], {}, [single])
    assert done.due == {("gw-0001", EPOCH, "alarm")}
    assert store.tallies() == {"alarms": 2, "duplicates_dropped": 1}
    assert store.coverage(("gw-0001", EPOCH, "alarm")).upto == 1
    store.close()


def test_what_a_damaged_card_does_not_tell_is_no_zero() -> None:
    """Of a quota the number is exact; of damage it is at least so many, or nobody knows."""
    said = {(count, reason): losses.known(count, reason) for count in (0, 12) for reason in ("quota", "damage")}
    assert said == {(0, "quota"): 0, (0, "damage"): None, (12, "quota"): 12, (12, "damage"): 12}
    assert losses.told(0, "quota") == "0 readings"
    assert losses.told(12, "damage") == "at least 12 readings"
    assert losses.told(None, "damage") == "an unknown number of readings"
    unknown = DroppedRange("gw-0001", EPOCH, "fine", 4, 6, 0, "damage")
    assert [json.loads(line)["readings"] for line in Json().lines(unknown)] == [None]
