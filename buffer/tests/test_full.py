"""No room: the quota first, then a disk that is truly full."""

import hashlib
from pathlib import Path

import pytest

from buffer import quota
from buffer.errors import StorageFull
from buffer.outbox import Outbox, Segment
from buffer.tests.building import check_chain, numbers, open_outbox, pack, row

QUOTA = 88


def _seal(outbox: Outbox, number: int, stream: str = "fine", size: int = 6000) -> Segment:
    outbox.commit([row(number, stream=stream, size=size)])
    segment = outbox.seal(stream, pack)
    assert segment is not None
    return segment


def test_what_the_centre_has_goes_before_what_it_lacks(tmp_path: Path) -> None:
    """Under a full quota received segments are deleted, oldest first, and no pending one is lost."""
    outbox = open_outbox(tmp_path / "o.db", QUOTA)
    for number in range(1, 25):
        _seal(outbox, number)
    outbox.received(outbox.epoch, "fine", 0, [(10, 24)])
    later = [_seal(outbox, number) for number in range(25, 44)]
    stats = outbox.stats()
    assert stats.pages_used <= QUOTA
    assert stats.dropped_segments == 0
    assert 0 < stats.segments_received < 15
    assert [each.sequence for each in outbox.pending(limit=100)] == [*range(1, 10), *range(25, 44)]
    assert outbox.resend(outbox.epoch, "fine", 10, 11) == 0
    assert outbox.resend(outbox.epoch, "fine", 24, 24) == 1
    check_chain(later, 25, hashlib.sha256(outbox.pending(limit=100)[9].blob).digest())
    outbox.close()


def test_the_oldest_undelivered_go_next_and_the_loss_is_recorded(tmp_path: Path) -> None:
    """The dropped range names stream, numbers, readings, times and the digest that the next segment calls previous."""
    outbox = open_outbox(tmp_path / "o.db", QUOTA)
    sealed = [_seal(outbox, number) for number in range(1, 100)]
    kept = outbox.pending(limit=100)
    stats = outbox.stats()
    assert stats.pages_used <= QUOTA
    lost = len(sealed) - len(kept)
    assert lost > 0
    assert kept == sealed[lost:]
    assert len(stats.dropped) == 1
    range_ = stats.dropped[0]
    assert (range_.stream, range_.first_sequence, range_.last_sequence) == ("fine", 1, lost)
    assert (range_.count, range_.first_ms, range_.last_ms) == (2 * lost, 10, lost * 10 + 9)
    assert range_.last_digest == hashlib.sha256(sealed[lost - 1].blob).digest()
    assert (stats.dropped_segments, stats.dropped_readings) == (lost, 2 * lost)
    assert stats.readings_pending == 2 * len(kept)
    check_chain(kept, lost + 1, range_.last_digest)
    outbox.close()


def test_the_finest_stream_gives_way_first(tmp_path: Path) -> None:
    """Minutes are dropped only when nothing fine is left, and what is named nowhere goes last."""
    outbox = open_outbox(tmp_path / "o.db", QUOTA)
    schema = outbox.add("schema", count=0, first_ms=0, last_ms=0, pack=pack)
    for number in range(1, 11):
        _seal(outbox, number, "minute")
    for number in range(11, 60):
        _seal(outbox, number)
    assert {each.stream for each in outbox.stats().dropped} == {"fine"}
    for number in range(60, 110):
        _seal(outbox, number, "minute")
    assert {each.stream for each in outbox.stats().dropped} == {"fine", "minute"}
    assert {each.stream for each in outbox.pending(limit=100)} == {"minute", "schema"}
    assert outbox.pending(limit=1) == [schema]
    outbox.close()


def test_what_readings_are_read_by_outlasts_them(tmp_path: Path) -> None:
    """Received schemas and clock records stay as long as there are readings that need them, and no longer."""
    outbox = open_outbox(tmp_path / "o.db", QUOTA)
    needed = ("schema", "schema.apt-1.research", "clock")
    for stream in needed:
        outbox.add(stream, count=0, first_ms=0, last_ms=0, pack=pack)
        outbox.received(outbox.epoch, stream, 1)
    for number in range(1, 60):
        _seal(outbox, number)
    assert outbox.stats().dropped_segments > 0
    assert [outbox.holds_last(stream) for stream in needed] == [True, True, True]
    while any(outbox.holds_last(stream) for stream in needed):
        outbox.add("alarm", count=0, first_ms=0, last_ms=0, pack=lambda *_: bytes(24_000))
    assert {each.stream for each in outbox.pending(limit=100)} == {"alarm"}
    outbox.close()


def test_clock_records_do_not_crowd_out_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are very many of them, as of a box that starts again and again, the oldest ones go first."""
    monkeypatch.setattr(quota, "_NEEDED_KEPT", 10)
    outbox = open_outbox(tmp_path / "o.db", QUOTA)
    for number in range(1, 30):
        outbox.add("clock", count=0, first_ms=0, last_ms=0, pack=lambda *_: bytes(6_000))
        outbox.received(outbox.epoch, "clock", number)
    kept = [_seal(outbox, number) for number in range(1, 22)]
    assert outbox.stats().dropped_segments == 0
    assert [each.sequence for each in outbox.pending(limit=100)] == [each.sequence for each in kept]
    assert outbox.stats().segments_received >= 10
    outbox.close()


def test_a_number_is_never_used_again_even_when_all_segments_are_gone(tmp_path: Path) -> None:
    """Sequence and chain go on behind segments that no longer exist."""
    path = tmp_path / "o.db"
    outbox = open_outbox(path, QUOTA)
    last = [_seal(outbox, number) for number in range(1, 6)][-1]
    outbox._db.execute("DELETE FROM segment")
    outbox.close()
    again = open_outbox(path, QUOTA)
    check_chain([_seal(again, 6)], 6, hashlib.sha256(last.blob).digest())
    again.close()


def test_a_quota_that_rows_alone_exceed_is_told_and_harms_nothing(tmp_path: Path) -> None:
    """When nothing is left to drop, the commit fails as a whole and the rows before it stay."""
    outbox = open_outbox(tmp_path / "o.db", QUOTA)
    outbox.commit([row(1, size=200_000)])
    with pytest.raises(StorageFull, match="raise the quota"):
        outbox.commit([row(2, size=200_000)])
    segment = outbox.seal("fine", pack)
    assert segment is not None
    assert numbers([segment]) == [1]
    outbox.close()


def test_a_full_disk_harms_nothing_that_was_committed(tmp_path: Path) -> None:
    """On SQLITE_FULL the write is undone as a whole; with room again, the same rows go in and all are there once."""
    path = tmp_path / "o.db"
    outbox = open_outbox(path)
    outbox.commit([row(1)])
    pages = outbox.stats().pages_used
    outbox._db.execute(f"PRAGMA max_page_count = {pages + 4}")
    big = [row(2, size=30_000), row(3, size=30_000)]
    with pytest.raises(StorageFull, match="free space"):
        outbox.commit(big, {"last": 3})
    assert outbox.stats().journal_rows == 1
    assert outbox.marks() == {}
    outbox._db.execute("PRAGMA max_page_count = 100000")
    outbox.commit(big, {"last": 3})
    segment = outbox.seal("fine", pack)
    assert segment is not None
    assert numbers([segment]) == [1, 2, 3]
    outbox.close()
    again = open_outbox(path)
    assert again.pending(limit=9) == [segment]
    again.close()


def test_a_full_disk_while_sealing_keeps_the_rows_and_the_number(tmp_path: Path) -> None:
    """A seal that finds no room leaves the journal as it was and uses no number."""
    outbox = open_outbox(tmp_path / "o.db")
    outbox.commit([row(1, size=30_000)])
    outbox._db.execute(f"PRAGMA max_page_count = {outbox.stats().pages_used}")
    with pytest.raises(StorageFull):
        outbox.seal("fine", pack)
    outbox._db.execute("PRAGMA max_page_count = 100000")
    segment = outbox.seal("fine", pack)
    assert segment is not None
    check_chain([segment])
    outbox.close()
