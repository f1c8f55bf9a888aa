"""What is deleted on purpose: old receipts, all receipts, and what a consent no longer lets out."""

from contextlib import closing
from pathlib import Path

import pytest

from buffer.outbox import Outbox
from buffer.tests.building import open_outbox, pack, row

DAY = 86_400_000


def fill(outbox: Outbox, times: list[int | None]) -> None:
    """Seal a segment at each of these times, and have all received."""
    for number, utc_ms in enumerate(times, 1):
        outbox.commit([row(number)])
        outbox.seal("fine", pack, utc_ms=utc_ms)
    outbox.received(outbox.epoch, "fine", len(times))


def kept(outbox: Outbox, stream: str = "fine") -> list[int]:
    """Give the numbers of what is kept of a stream."""
    outbox.resend(outbox.epoch, stream, 1, 1000)
    found = [each.sequence for each in outbox.pending(limit=1000) if each.stream == stream]
    outbox.received(outbox.epoch, stream, 1000)
    return found


@pytest.mark.parametrize(
    ("times", "left"),
    [
        ([1, 2, 3, 4, 5], [3, 4, 5]),
        ([1, 2], []),
        ([7, 8], [1, 2]),
        ([None, 1, None, 2, None, 3, None], [5, 6, 7]),
        ([None, None], [1, 2]),
        ([9, 9, 1, 2, 3], [5]),
        ([1, 2, 3, 4, 2, 6], [3, 4, 5, 6]),
    ],
    ids=["old", "all", "none", "unknown", "never known", "was ahead", "was behind"],
)
def test_what_was_sealed_before_a_time_expires(tmp_path: Path, times: list[int | None], left: list[int]) -> None:
    """Segments go by the order in which they were sealed; an unknown time, or a wrong one, goes with its neighbours."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        fill(outbox, [None if each is None else each * DAY for each in times])
        expired = outbox.expire(3 * DAY)
        while outbox.expire(3 * DAY):  # a wrong clock may take a few looks
            pass
        assert bool(expired) is (len(left) < len(times))
        assert kept(outbox) == left


def test_what_was_not_received_never_expires(tmp_path: Path) -> None:
    """However old it is, it waits for the other end."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        fill(outbox, [1, 2, 3])
        outbox.resend(outbox.epoch, "fine", 2, 2)
        assert outbox.expire(DAY) == 2
        assert [each.sequence for each in outbox.pending(limit=9)] == [2]
        assert outbox.stats().segments_received == 0


def test_thousands_expire_in_small_steps_and_schemas_stay(tmp_path: Path) -> None:
    """The WAL stays small whatever is deleted; without its schema nothing that stays could be read."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path)) as outbox:
        for name in ("schema", "schema.a.x"):
            outbox.add(name, count=0, first_ms=0, last_ms=0, pack=pack, utc_ms=1)
            outbox.received(outbox.epoch, name, 1)
        with outbox.together("filling"):
            fill(outbox, [1] * 2000)
        outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert outbox.purge() == 2000
        assert (outbox.stats().segments_received, kept(outbox, "schema"), kept(outbox, "schema.a.x")) == (2, [1], [1])
        assert path.with_name("o.db-wal").stat().st_size < 4 << 20
        assert outbox.purge() == 0


def test_a_withdrawal_takes_out_all_that_was_not_delivered_of_one_stream(tmp_path: Path) -> None:
    """Rows, rows set aside and pending segments go; other streams stay; numbers and chain go on after it."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        for stream in ("fine.a.x", "fine.b.x"):
            for number in range(1, 701):
                outbox.commit([row(number, stream=stream)], seal={stream: pack})
            outbox.received(outbox.epoch, stream, 50)
            outbox.commit([row(701, stream=stream), row(702, stream=stream)])
        removed = outbox.withdraw("fine.a.x")
        assert (removed.rows, removed.segments, removed.readings) == (2, 650, 1304)
        assert {each.stream for each in outbox.pending(limit=5000)} == {"fine.b.x"}
        (range_,) = outbox.unreported()
        assert (range_.reason, range_.first_sequence, range_.last_sequence, range_.count) == ("consent", 51, 700, 1300)
        assert outbox.resend(outbox.epoch, "fine.a.x", 1, 700) == 0
        outbox.commit([row(703, stream="fine.a.x")])
        again = outbox.seal("fine.a.x", pack)
        assert again is not None
        assert again.sequence == 701
        outbox.received(outbox.epoch, "fine.a.x", 701)
        assert outbox.resend(outbox.epoch, "fine.a.x", 1, 701) == 1
        assert outbox.withdraw("never") == type(removed)(0, 0, 0)


def test_a_withdrawal_holds_after_a_start(tmp_path: Path) -> None:
    """What was delivered before it is not sent again, whoever asks and however often the box was started."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path)) as outbox:
        fill(outbox, [1, 2])
        outbox.withdraw("fine")
        assert outbox.marks() == {}
    with closing(open_outbox(path)) as outbox:
        assert outbox.resend(outbox.epoch, "fine", 1, 2) == 0
        assert (outbox.marks(), outbox.stats().segments_received) == ({}, 2)
