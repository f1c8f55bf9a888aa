"""What was lost is told once, in few ranges, with what bridges the chain; a damaged segment is lost alone."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from buffer import draining, losses
from buffer.losses import MOST_OPEN
from buffer.outbox import DROPPED, Outbox, Segment
from buffer.tests.building import check_chain, open_outbox, pack, row

QUOTA = 90
LAST = (1 << 63) - 1


def seal(outbox: Outbox, number: int, stream: str = "fine", size: int = 6000) -> Segment:
    """Commit a row and seal it."""
    outbox.commit([row(number, stream=stream, size=size)])
    segment = outbox.seal(stream, pack)
    assert segment is not None
    return segment


def digest(segment: Segment) -> bytes:
    """Give the SHA-256 of a segment."""
    return hashlib.sha256(segment.blob).digest()


def test_a_range_is_told_once_and_grows_no_more(tmp_path: Path) -> None:
    """What is lost after a range was asked for begins another, told or not yet; reports are a chain of their own."""
    with closing(open_outbox(tmp_path / "o.db", QUOTA)) as outbox:
        sealed = [seal(outbox, number) for number in range(1, 60)]
        (first,) = outbox.unreported()
        sealed += [seal(outbox, number) for number in range(60, 80)]
        outbox.report(first, pack)
        with pytest.raises(ValueError, match="no range that waits"):
            outbox.report(first, pack)
        (second,) = outbox.unreported()
        assert (first.first_sequence, second.first_sequence) == (1, first.last_sequence + 1)
        assert (first.reason, second.reason) == ("quota", "quota")
        assert second.last_digest == digest(sealed[second.last_sequence - 1])
        outbox.report(second, pack, utc_ms=5)
        assert outbox.unreported() == ()
        kept = [each for each in outbox.pending(limit=1000) if each.stream == "fine"]
        check_chain(kept, second.last_sequence + 1, second.last_digest)
        reports = [each for each in outbox.pending(limit=1000) if each.stream == DROPPED]
        check_chain(reports)
        assert [each.count for each in reports] == [0, 0]
        assert outbox.stats().dropped_readings == first.count + second.count


def test_what_was_told_is_told_again_to_who_asks_for_it(tmp_path: Path) -> None:
    """A centre that has lost its store asks for what is gone, and the record of that is received and gone as well."""
    with closing(open_outbox(tmp_path / "o.db", QUOTA)) as outbox:
        for number in range(1, 60):
            seal(outbox, number)
        (told,) = outbox.unreported()
        report = outbox.report(told, pack)
        outbox.resend(outbox.epoch, "fine", 1, told.last_sequence)
        assert outbox.unreported() == ()  # the report is on its way
        for sequence in (1, 2, 3):
            outbox.received(outbox.epoch, DROPPED, report.sequence)
            outbox.received(outbox.epoch, "fine", 59)
            outbox.purge()
            outbox.resend(outbox.epoch, "minute", 1, 500)
            outbox.resend(outbox.epoch, "fine", told.last_sequence + 1, LAST)
            assert outbox.unreported() == ()
            for _ in range(2):
                outbox.resend(outbox.epoch, "fine", told.last_sequence, LAST)
            assert outbox.unreported() == (told,)
            report = outbox.report(told, pack)
            assert report.sequence == sequence + 1
            outbox.resend(outbox.epoch, "fine", 1, told.last_sequence)
            assert outbox.unreported() == ()
        assert outbox.stats().dropped_readings == told.count


def test_what_is_told_again_grows_no_more(tmp_path: Path) -> None:
    """The same range, as it was told: what is lost meanwhile is another."""
    with closing(open_outbox(tmp_path / "o.db", QUOTA)) as outbox:
        for number in range(1, 60):
            seal(outbox, number)
        (told,) = outbox.unreported()
        outbox.report(told, pack)
        outbox.received(outbox.epoch, DROPPED, 1)
        outbox.resend(outbox.epoch, "fine", 1, 500)
        for number in range(60, 80):
            seal(outbox, number)
        again, later = outbox.unreported()
        assert (again, later.first_sequence) == (told, told.last_sequence + 1)


def test_a_start_gives_what_was_asked_for_and_not_told(tmp_path: Path) -> None:
    """A range that was asked for before a kill, and not reported, is given again; what was reported is not."""
    path = tmp_path / "o.db"
    outbox = open_outbox(path, QUOTA)
    for number in range(1, 60):
        seal(outbox, number)
    asked = outbox.unreported()
    outbox.close()
    outbox = open_outbox(path, QUOTA)
    assert outbox.unreported() == asked
    outbox.report(asked[0], pack)
    outbox.close()
    with closing(open_outbox(path, QUOTA)) as outbox:
        assert outbox.unreported() == ()


def test_in_a_long_silence_losses_gather_in_few_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports that nobody receives do not crowd out what they report on: beyond a number they wait."""
    monkeypatch.setattr(draining, "MOST_REPORTS", 8)
    with closing(open_outbox(tmp_path / "o.db", QUOTA)) as outbox:
        for number in range(1, 160):
            seal(outbox, number)
            for each in outbox.unreported():
                outbox.report(each, pack)
        reports = [each for each in outbox.pending(limit=1000) if each.stream == DROPPED]
        assert len(reports) == 8
        assert outbox._db.execute("SELECT count(*) FROM dropped WHERE reported = 0").fetchone() == (1,)
        outbox.received(outbox.epoch, DROPPED, 8)
        (rest,) = outbox.unreported()
        outbox.report(rest, pack)
        told = outbox._db.execute("SELECT sum(last_sequence - first_sequence + 1), sum(count) FROM dropped").fetchone()
        assert told == (outbox.stats().dropped_segments, outbox.stats().dropped_readings)


def test_ranges_stay_few_however_much_is_lost(tmp_path: Path) -> None:
    """With every second segment received, ranges are exact up to a number, and span the received ones beyond."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        sealed = [seal(outbox, number, size=10) for number in range(1, 201)]
        outbox.received(outbox.epoch, "fine", 0, [(number, number) for number in range(2, 201, 2)])
        assert outbox.withdraw("fine").segments == 100
        ranges = outbox.unreported()
        assert len(ranges) == MOST_OPEN
        assert [(each.first_sequence, each.last_sequence) for each in ranges[:2]] == [(1, 1), (3, 3)]
        assert (ranges[-1].first_sequence, ranges[-1].last_sequence) == (2 * MOST_OPEN - 1, 199)
        assert ranges[-1].last_digest == digest(sealed[198])
        assert sum(each.count for each in ranges) == 200


def test_what_was_told_is_forgotten_in_time_and_counts_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told ranges are kept for people up to a number; the totals never forget."""
    monkeypatch.setattr(losses, "TOLD_KEPT", 10)
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        for number in range(1, 31):
            seal(outbox, number, size=10)
            outbox.withdraw("fine")
            (each,) = outbox.unreported()
            report = outbox.report(each, pack)
            outbox.received(outbox.epoch, DROPPED, report.sequence)
        assert outbox._db.execute("SELECT count(*) FROM dropped").fetchone() == (10,)
        assert outbox.stats().withdrawn_segments == 30
        assert outbox.stats().dropped_segments == 0


@pytest.mark.parametrize("asked", [[2], [1, 2, 3], [5]])
def test_a_segment_that_the_card_has_changed_is_lost_alone_and_bridged(tmp_path: Path, asked: Sequence[int]) -> None:
    """It is never sent; what it was is known by its digest, so that the chain holds; the others go out."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path)) as outbox:
        sealed = [seal(outbox, number, size=300) for number in range(1, 6)]
        for sequence in asked:
            blob = bytearray(sealed[sequence - 1].blob)
            blob[40] ^= 4
            outbox._db.execute("UPDATE segment SET blob = ? WHERE sequence = ?", (bytes(blob), sequence))
    with closing(open_outbox(path)) as outbox:
        assert outbox.moved_aside is None
        assert outbox.pending(limit=len(asked)) == [
            each for each in sealed[: len(asked)] if each.sequence not in asked
        ] or outbox.pending(limit=9)
        assert outbox.pending(limit=9) == [each for each in sealed if each.sequence not in asked]
        (range_,) = outbox.unreported()
        assert (range_.reason, range_.first_sequence, range_.last_sequence) == ("damage", asked[0], asked[-1])
        assert range_.last_digest == digest(sealed[asked[-1] - 1])
        assert outbox.stats().dropped_segments == len(asked)
        assert outbox.stats().segments_pending == 5 - len(asked)


def test_damage_on_a_card_that_refuses_writes_still_lets_the_others_out(tmp_path: Path) -> None:
    """Where the loss cannot be recorded, what is sound is given all the same."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        sealed = [seal(outbox, number, size=300) for number in range(1, 4)]
        outbox._db.execute("UPDATE segment SET blob = x'00' WHERE sequence = 2")
        outbox._db.execute("PRAGMA query_only = 1")
        assert outbox.pending(limit=9) == [sealed[0], sealed[2]]
        outbox._db.execute("PRAGMA query_only = 0")
        assert outbox.unreported() == ()
        assert outbox.pending(limit=9) == [sealed[0], sealed[2]]
        assert len(outbox.unreported()) == 1


def test_a_reason_that_the_card_has_changed_is_told_as_damage(tmp_path: Path) -> None:
    """No damaged text leads to a crash, and none is put into a report."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path)) as outbox:
        seal(outbox, 1)
        outbox.withdraw("fine")
        outbox._db.execute("UPDATE dropped SET reason = CAST(x'ff61' AS TEXT)")
    with closing(open_outbox(path)) as outbox:
        assert [each.reason for each in outbox.unreported()] == ["damage"]
        assert outbox.stats().dropped[0].reason == "damage"


def test_tiers_give_way_in_turn_and_households_alike(tmp_path: Path) -> None:
    """Fine goes first, the oldest of all households, then minutes, then index snapshots; what has no tier goes last."""
    with closing(open_outbox(tmp_path / "o.db", QUOTA)) as outbox:
        for number in range(1, 9):
            for stream in ("index", "minute.a.x", "fine.a.x", "fine.b.x", "alarm"):
                seal(outbox, number, stream, size=1500)
        for number in range(9, 70):
            seal(outbox, number, "alarm")
            left: dict[str, list[int]] = {}
            for each in outbox.pending(limit=1000):
                left.setdefault(each.stream, []).append(each.sequence)
            fine = [left.get(stream, []) for stream in ("fine.a.x", "fine.b.x")]
            assert abs(len(fine[0]) - len(fine[1])) <= 8
            if len(left.get("minute.a.x", [])) < 8:
                assert not any(fine)
            if len(left.get("index", [])) < 8:
                assert not left.get("minute.a.x")
            if left["alarm"][0] > 1:
                assert not left.get("index")
        assert {each.stream for each in outbox.stats().dropped} == {
            "fine.a.x",
            "fine.b.x",
            "minute.a.x",
            "index",
            "alarm",
        }


def test_hundreds_of_streams_are_looked_through_in_the_order_of_sealing(tmp_path: Path) -> None:
    """With as many streams as households and purposes may make, what was sealed first comes first."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        names = [f"minute.apt-{number}.research" for number in range(300)]
        for turn in range(3):
            outbox.commit([row(turn * 1000 + number, stream=name) for number, name in enumerate(names)])
            for name in names:
                outbox.seal(name, pack)
        outbox.add("alarm", count=0, first_ms=0, last_ms=0, pack=pack)
        first = [("alarm", 1), *((name, 1) for name in names)]
        assert [(each.stream, each.sequence) for each in outbox.pending(limit=301)] == first
        outbox.received(outbox.epoch, "alarm", 1)
        after = dict.fromkeys(names, 1)
        assert [(each.stream, each.sequence) for each in outbox.pending(limit=2, after=after)] == [
            (names[0], 2),
            (names[1], 2),
        ]


def test_a_name_that_is_none_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """Names are bounded, so that numbers can be kept of every stream that ever was."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        for name in ("", "x" * 33, "Fine", "a b", "é"):
            with pytest.raises(ValueError, match="no name of a stream"):
                outbox.commit([row(1, stream=name)])
            with pytest.raises(ValueError, match="no name of a stream"):
                outbox.add(name, count=0, first_ms=0, last_ms=0, pack=pack)
        assert outbox.stats().journal_rows == 0


def test_counts_survive_a_start(tmp_path: Path) -> None:
    """What the totals tell after a start is what they told before."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path, QUOTA)) as outbox:
        for number in range(1, 60):
            seal(outbox, number)
        before = outbox.stats()
    with closing(open_outbox(path, QUOTA)) as outbox:
        assert outbox.stats() == type(before)(
            **{name: getattr(before, name) for name in before.__slots__} | {"last_commit_ms": None}
        )
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT reason, entries FROM loss").fetchall() == [("quota", before.dropped_segments)]
