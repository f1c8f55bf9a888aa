"""What is committed, once, and what its chains say."""

import sqlite3
from pathlib import Path

import pytest

from gateway.centre import decode, duties
from gateway.centre.receipts import RESEND_MAX, Holes
from gateway.centre.store import Outcome, Store
from gateway.centre.tests.speaker import EPOCH, SCHEMA, Speaker
from gateway.wire.fields import UINT63
from gateway.wire.messages import Resend
from gateway.wire.schema import Schema

KEY = ("gw-0001", EPOCH, "fine")
NEW, DUPLICATE, CONFLICT = Outcome.NEW, Outcome.DUPLICATE, Outcome.CONFLICT


@pytest.fixture(name="path")
def path_fixture(tmp_path: Path) -> Path:
    """Give the place of a store."""
    return tmp_path / "centre.db"


def commit(store: Store, speaker: Speaker, *blobs: bytes) -> list[Outcome]:
    """Commit messages as one batch."""
    return store.commit([(speaker.genuine(blob), 1) for blob in blobs], {}).outcomes


def test_a_new_store_is_its_owners_alone(path: Path) -> None:
    """It tells how people live: neither it nor what SQLite lays beside it is readable by others."""
    store = Store.open(path)
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in path.parent.glob("centre.db*")}
    store.close()
    assert set(modes.values()) == {"0o600"}, modes


def test_same_message_twice_is_one(path: Path) -> None:
    """A duplicate is dropped and counted, in the same batch and in a later one."""
    store, speaker = Store.open(path), Speaker()
    blob = speaker.segment(1, [1])
    assert commit(store, speaker, blob, blob) == [NEW, DUPLICATE]
    assert commit(store, speaker, blob) == [DUPLICATE]
    assert store.tallies() == {"segments": 1, "duplicates_dropped": 2}
    store.close()


def test_other_message_in_the_same_place_is_a_conflict(path: Path) -> None:
    """The first message of a place stays; another one is counted and kept out."""
    store, speaker = Store.open(path), Speaker()
    assert commit(store, speaker, speaker.segment(1, [1]), speaker.segment(1, [2])) == [NEW, CONFLICT]
    assert store.tallies()["conflicts"] == 1
    store.close()


def test_coverage_survives_a_restart(path: Path) -> None:
    """Watermark and ranges after opening the file again are those before."""
    store, speaker = Store.open(path), Speaker()
    blobs = [speaker.segment(sequence, [sequence]) for sequence in range(1, 8)]
    commit(store, speaker, blobs[0], blobs[1], blobs[3], blobs[6])
    store.close()
    store = Store.open(path)
    coverage = store.coverage(KEY)
    assert (coverage.upto, coverage.ranges(9)) == (2, ((4, 4), (7, 7)))
    assert commit(store, speaker, *blobs) == [DUPLICATE, DUPLICATE, NEW, DUPLICATE, NEW, NEW, DUPLICATE]
    assert store.coverage(KEY).upto == 7
    assert "chain_breaks" not in store.tallies()
    store.close()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
def test_broken_chain_is_seen_in_any_order(path: Path, order: tuple[int, ...]) -> None:
    """A message that names another one before it than there was is found as soon as both are here."""
    store, speaker = Store.open(path), Speaker()
    blobs = [speaker.segment(1, [1]), speaker.segment(2, [2]), speaker.say("fine", 3, previous=b"x" * 32)]
    for place in order:
        commit(store, speaker, blobs[place])
    assert store.tallies()["chain_breaks"] == 1
    store.close()


def test_chain_that_does_not_begin_is_broken(path: Path) -> None:
    """The first message of a stream names none before it."""
    store, speaker = Store.open(path), Speaker()
    commit(store, speaker, speaker.say("fine", 1, previous=b"x" * 32))
    assert store.tallies()["chain_breaks"] == 1
    store.close()


def test_streams_and_gateways_do_not_mix(path: Path) -> None:
    """The same number in another stream or of another gateway is another message."""
    store, one, two = Store.open(path), Speaker(), Speaker("gw-0002", b"gw-0002-2026")
    assert commit(store, one, one.segment(1, [1]), one.schema(1)) == [NEW, NEW]
    assert commit(store, two, two.segment(1, [1])) == [NEW]
    assert len(list(store.streams())) == 3
    store.close()


def test_failed_transaction_leaves_nothing(path: Path) -> None:
    """Where a commit fails nothing of its batch counts, the watermark included."""
    store, speaker = Store.open(path), Speaker()
    blob = speaker.genuine(speaker.segment(1, [1]))
    with pytest.raises(sqlite3.IntegrityError):
        store.commit([(blob, 1)], {None: 1})  # type: ignore[dict-item]
    assert (list(store.streams()), store.tallies()) == ([], {})
    assert store.commit([(blob, 1)], {}).outcomes == [NEW]
    store.close()
    store = Store.open(path)
    assert store.coverage(KEY).upto == 1
    store.close()


def test_segment_waits_for_its_schema(path: Path) -> None:
    """Readings are counted when their schema is here, whichever came first, and read back as they were."""
    store, speaker = Store.open(path), Speaker()
    commit(store, speaker, speaker.segment(1, [5, 5, 6]), speaker.segment(2, [7]))
    decode.count(store)
    assert (store.tallies().get("readings"), decode.waiting(store)) == (None, 2)
    commit(store, speaker, speaker.schema())
    decode.count(store)
    assert (store.tallies()["readings"], decode.waiting(store)) == (4, 0)
    tables = list(decode.tables(path, "gw-0001", "meter"))
    assert [table.columns["meter.east"] for table in tables] == [[5, 5, 6], [7]]
    assert [table.ticks for table in tables] == [[1_000, 2_000, 3_000], [1_000]]
    assert list(decode.tables(path, "gw-0001", "other")) == []
    assert list(decode.tables(path, "gw-0002", "meter")) == []
    store.close()


def test_a_schema_that_was_never_heard_of_is_asked_for(path: Path) -> None:
    """No hole shows it to a store that begins anew: the gateway said it once, to the store before."""
    store, speaker = Store.open(path), Speaker()
    schema = ("gw-0001", EPOCH, "schema")
    store.commit([(speaker.genuine(speaker.segment(number, [number])), 1) for number in (8, 9)], {})
    assert list(decode.lacking(store)) == [(schema, (1, UINT63))]
    holes = Holes(1_000)
    assert duties.wanted(store, holes, 0, undecoded=True) == []
    asked = duties.wanted(store, holes, 1_000, undecoded=True)
    assert (schema, Resend(EPOCH, "schema", 1, RESEND_MAX)) in asked
    assert {key for key, _ in asked} == {schema, ("gw-0001", EPOCH, "fine")}
    store.commit([(speaker.genuine(speaker.schema()), 1)], {})
    assert list(decode.lacking(store)) == []
    store.close()


def test_a_later_schema_that_does_not_come_is_asked_for_behind_those_that_did(path: Path) -> None:
    """Each household's and purpose's in its own stream."""
    store, speaker = Store.open(path), Speaker()
    stream = "minute.apt-12.research"
    other = speaker.say("schema.apt-12.research", 1, Schema.CONTENT, Schema.of([]).encode())
    store.commit([(speaker.genuine(each), 1) for each in (other, speaker.say(stream, 1))], {})
    assert list(decode.lacking(store)) == [(("gw-0001", EPOCH, "schema.apt-12.research"), (2, UINT63))]
    store.close()


def test_unreadable_content_is_kept_and_counted(path: Path) -> None:
    """A genuine message whose content says nothing is committed all the same, and hides no other."""
    store, speaker = Store.open(path), Speaker()
    unreadable = speaker.say("fine", 1, payload=b"no segment", schema=SCHEMA.id)
    assert commit(store, speaker, speaker.schema(), unreadable, speaker.segment(2, [1, 2])) == [NEW, NEW, NEW]
    decode.count(store)
    assert (store.tallies()["unreadable"], store.tallies()["readings"]) == (1, 2)
    assert [table.columns["meter.east"] for table in decode.tables(path, "gw-0001", "meter")] == [[1, 2]]
    store.close()


def test_numbers_are_given_once(path: Path) -> None:
    """Numbers of our own streams rise over restarts, for each gateway and stream by itself."""
    store = Store.open(path)
    assert [store.reserve(EPOCH, "gw-0001", "cmd", 1) for _ in range(2)] == [1, 2]
    assert store.reserve(EPOCH, "gw-0001", "receipt", 100) == 1
    store.close()
    store = Store.open(path)
    assert store.reserve(EPOCH, "gw-0001", "cmd", 1) == 3
    assert store.reserve(EPOCH, "gw-0001", "receipt", 100) == 101
    assert store.reserve(EPOCH, "gw-0002", "cmd", 1) == 1
    store.close()


def test_command_without_an_answer_is_undelivered(path: Path) -> None:
    """A command that expired unanswered is named once."""
    store = Store.open(path)
    store.keep_command("early", "gw-0001", 1, 1_000, b"")
    store.keep_command("late", "gw-0001", 2, 9_000, b"")
    assert store.unanswered(5_000) == ["early"]
    assert store.unanswered(5_000) == []
    store.close()
