"""The outbox, rule by rule."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from buffer.errors import StorageError
from buffer.outbox import Outbox, Place, Segment
from buffer.tests.building import check_chain, numbers, open_outbox, pack, row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where the database is."""
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """Give an empty outbox."""
    opened = open_outbox(path)
    yield opened
    opened.close()


def seal_each(outbox: Outbox, count: int, stream: str = "fine") -> list[Segment]:
    """Commit and seal `count` rows, each into a segment of its own."""
    sealed = []
    for number in range(1, count + 1):
        outbox.commit([row(number, stream=stream)])
        segment = outbox.seal(stream, pack)
        assert segment is not None
        sealed.append(segment)
    return sealed


def test_sealing_takes_every_row_of_a_lot_in_order_and_empties_the_journal(outbox: Outbox) -> None:
    """A segment holds all rows of its lot in the order of commits, their span and their count."""
    outbox.commit([row(1), row(2)])
    outbox.commit([row(3)])
    segment = outbox.seal("fine", pack)
    assert segment is not None
    assert numbers([segment]) == [1, 2, 3]
    assert (segment.first_ms, segment.last_ms, segment.count) == (10, 39, 6)
    assert outbox.stats().journal_rows == 0
    assert outbox.seal("fine", pack) is None


def test_rows_of_different_lots_are_never_sealed_together(outbox: Outbox) -> None:
    """A row of another lot ends the segment, even if the first lot comes again later."""
    outbox.commit([row(1, b"a"), row(2, b"a"), row(3, b"b"), row(4, b"a")])
    sealed = [outbox.seal("fine", pack) for _ in range(3)]
    assert [numbers([each]) for each in sealed if each] == [[1, 2], [3], [4]]


def test_streams_are_numbered_and_chained_apart(outbox: Outbox) -> None:
    """Each stream counts from 1 and chains its own blobs, whether sealed from rows or added whole."""
    fine = seal_each(outbox, 3)
    schema = [outbox.add("schema", count=0, first_ms=0, last_ms=0, pack=pack) for _ in range(2)]
    check_chain(fine)
    check_chain(schema)


def test_numbers_and_chain_go_on_after_a_restart(outbox: Outbox, path: Path) -> None:
    """A new process continues sequence, digest and epoch where the last one stopped."""
    before = seal_each(outbox, 2)
    outbox.close()
    again = open_outbox(path)
    assert again.epoch == outbox.epoch
    check_chain(before + seal_each(again, 2))
    again.close()


def test_two_databases_never_share_an_epoch(tmp_path: Path) -> None:
    """A replaced card cannot collide with the old one."""
    first, second = open_outbox(tmp_path / "a"), open_outbox(tmp_path / "b")
    assert first.epoch != second.epoch
    assert len(first.epoch) == 8
    first.close()
    second.close()


def test_pending_comes_in_the_order_of_sealing_across_streams(outbox: Outbox) -> None:
    """A schema stored before a segment is given before it, whatever the streams are called."""
    outbox.add("zz", count=0, first_ms=0, last_ms=0, pack=pack)
    seal_each(outbox, 2)
    outbox.add("aa", count=0, first_ms=0, last_ms=0, pack=pack)
    assert [(each.stream, each.sequence) for each in outbox.pending(limit=10)] == [
        ("zz", 1),
        ("fine", 1),
        ("fine", 2),
        ("aa", 1),
    ]


def test_pending_comes_in_the_order_of_tiers_that_is_asked_for(outbox: Outbox) -> None:
    """A tier is a name up to its first point; what no tier names comes last, and a limit keeps the first."""
    for stream in ("fine", "minute.apt-1.bill", "zz", "minute", "index", "alarm", "fine"):
        outbox.add(stream, count=0, first_ms=0, last_ms=0, pack=pack)
    wanted = ["alarm", "index", "minute.apt-1.bill", "minute", "fine", "fine", "zz"]
    order = ("alarm", "index", "minute", "fine")
    assert [each.stream for each in outbox.pending(limit=10, order=order)] == wanted
    assert [each.stream for each in outbox.pending(limit=4, order=order)] == wanted[:4]
    assert [each.stream for each in outbox.pending(limit=9, order=order, after={"index": 1})] == wanted[:1] + wanted[2:]


def test_pending_skips_what_is_in_flight_and_keeps_its_limit(outbox: Outbox) -> None:
    """`after` hides a stream's segments up to a number, and no more than `limit` are given."""
    seal_each(outbox, 5)
    assert [each.sequence for each in outbox.pending(limit=2, after={"fine": 2})] == [3, 4]
    assert outbox.pending(limit=10, after={"fine": 5}) == []


def test_the_stored_bytes_are_the_bytes_that_were_sealed(outbox: Outbox, path: Path) -> None:
    """What `pending` gives after a restart is what `seal` gave, bit for bit."""
    sealed = seal_each(outbox, 3)
    outbox.close()
    again = open_outbox(path)
    assert again.pending(limit=10) == sealed
    again.close()


def test_a_receipt_marks_what_it_names_and_nothing_else(outbox: Outbox) -> None:
    """Everything up to `upto` and in the ranges is done; the rest stays pending; a second receipt does nothing new."""
    seal_each(outbox, 9)
    assert outbox.received(outbox.epoch, "fine", 2, [(4, 5), (8, 8)]) == 5
    assert [each.sequence for each in outbox.pending(limit=10)] == [3, 6, 7, 9]
    assert outbox.received(outbox.epoch, "fine", 2, [(4, 5), (8, 8)]) == 0


@pytest.mark.parametrize(("upto", "ranges"), [(0, []), (-3, []), (0, [(5, 4)]), (0, [(1000, 2000)])])
def test_an_odd_receipt_does_nothing(outbox: Outbox, upto: int, ranges: Sequence[tuple[int, int]]) -> None:
    """Empty, inverted or unknown ranges change nothing and raise nothing."""
    seal_each(outbox, 3)
    assert outbox.received(outbox.epoch, "fine", upto, ranges) == 0
    assert len(outbox.pending(limit=10)) == 3


def test_a_receipt_beyond_what_exists_does_not_cover_what_comes(outbox: Outbox) -> None:
    """A receipt is about what exists when it arrives, however large its number."""
    seal_each(outbox, 2)
    assert outbox.received(outbox.epoch, "fine", (1 << 64) - 1) == 2
    seal_each(outbox, 1)
    assert [each.sequence for each in outbox.pending(limit=10)] == [3]


@pytest.mark.parametrize(("upto", "ranges", "told"), [(2, [(3, 3)], False), (0, [(3, 4)], True), (4, [], True)])
def test_a_receipt_for_more_than_there_ever_was_shows_an_old_copy(
    outbox: Outbox, upto: int, ranges: Sequence[tuple[int, int]], *, told: bool
) -> None:
    """A card restored from an image, or a WAL that is gone: numbers are given twice, and somebody must be told."""
    seal_each(outbox, 3)
    outbox.received(bytes(8), "fine", 9)
    outbox.received(outbox.epoch, "fine", upto, ranges)
    assert outbox.ahead == ({"fine"} if told else set())


def test_a_receipt_for_another_epoch_or_stream_does_nothing(outbox: Outbox) -> None:
    """What a centre says about a database that is no more does not touch this one."""
    seal_each(outbox, 2)
    assert outbox.received(bytes(8), "fine", 2) == 0
    assert outbox.received(outbox.epoch, "never", 2) == 0
    assert outbox.resend(bytes(8), "fine", 1, 2) == 0


def test_a_resend_makes_received_segments_pending_again(outbox: Outbox) -> None:
    """The centre gets again what it asks for, in order, and what was pending stays so."""
    sealed = seal_each(outbox, 4)
    outbox.received(outbox.epoch, "fine", 3)
    assert outbox.resend(outbox.epoch, "fine", 2, 9) == 2
    assert outbox.pending(limit=10) == sealed[1:]


def test_marks_are_committed_with_their_rows_and_survive(outbox: Outbox, path: Path) -> None:
    """After a restart each mark has its last committed value, numbers and texts alike."""
    outbox.commit([row(1)], {"pulses.gas": 7, "linky.mode": "historique"})
    outbox.commit([], {"pulses.gas": 8})
    outbox.close()
    again = open_outbox(path)
    assert again.marks() == {"pulses.gas": 8, "linky.mode": "historique"}
    again.close()


def test_a_pack_that_fails_leaves_rows_and_numbers_as_they_were(outbox: Outbox) -> None:
    """When packing or signing raises, no number is used up and the rows are sealed the next time."""

    def fail(place: Place, payloads: Sequence[bytes]) -> bytes:
        raise RuntimeError(f"no key for {place.sequence} of {len(payloads)}")

    outbox.commit([row(1)])
    with pytest.raises(RuntimeError, match="no key for 1 of 1"):
        outbox.seal("fine", fail)
    assert outbox.stats().journal_rows == 1
    segment = outbox.seal("fine", pack)
    assert segment is not None
    check_chain([segment])


def test_a_write_that_the_card_refuses_changes_nothing_and_says_what_to_do(outbox: Outbox) -> None:
    """After StorageError rows, marks and totals are as before, and the failure shows in the stats."""
    outbox.commit([row(1)], {"a": 1})
    outbox._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="check the disk"):
        outbox.commit([row(2)], {"a": 2})
    outbox._db.execute("PRAGMA query_only = OFF")
    stats = outbox.stats()
    assert (stats.journal_rows, stats.failures, outbox.marks()) == (1, 1, {"a": 1})
    assert stats.last_failure is not None
    outbox.commit([row(2)], {"a": 2})
    segment = outbox.seal("fine", pack)
    assert segment is not None
    assert numbers([segment]) == [1, 2]


def test_use_after_close_is_a_bug_and_not_a_fault_of_the_card(outbox: Outbox) -> None:
    """What we did wrong is not answered by keeping rows and trying again."""
    outbox.close()
    with pytest.raises(Exception, match="closed") as raised:
        outbox.commit([row(1)])
    assert not isinstance(raised.value, StorageError)


def test_stats_tell_what_is_there(outbox: Outbox) -> None:
    """Rows, pending and received segments, their readings, the oldest time and the last commit are told."""
    seal_each(outbox, 3)
    outbox.received(outbox.epoch, "fine", 1)
    outbox.commit([row(4)])
    stats = outbox.stats()
    assert (stats.journal_rows, stats.journal_readings) == (1, 2)
    assert (stats.segments_pending, stats.readings_pending, stats.segments_received) == (2, 4, 1)
    assert (stats.oldest_pending_ms, stats.last_commit_ms) == (20, 49)
    assert (stats.dropped_segments, stats.dropped, stats.failures) == (0, (), 0)
    assert 0 < stats.pages_used <= stats.quota_pages


def test_the_file_is_set_up_for_power_cuts_and_a_card(outbox: Outbox) -> None:
    """WAL, a sync at every commit, small pages and a WAL that wraps early: measured choices that must not slip."""
    found = {
        name: outbox._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "page_size", "wal_autocheckpoint", "auto_vacuum")
    }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "page_size": 4096,
        "wal_autocheckpoint": 0,
        "auto_vacuum": 0,
    }


def test_pending_never_reads_the_segments_that_are_done(outbox: Outbox) -> None:
    """The query for what is pending uses the index by state, however long the history is."""
    plan = outbox._db.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM segment WHERE stream = 1 AND received = 0 AND sequence > 5"
        " ORDER BY sequence LIMIT 50"
    ).fetchall()
    assert len(plan) == 1
    assert "USING COVERING INDEX segment_by_state (stream=? AND received=? AND sequence>?)" in plan[0][3]
