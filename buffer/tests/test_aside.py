"""Rows that cannot be sealed: set aside, kept for a look, bounded; sealing goes on without them and never stumbles."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from buffer.aside import MOST_BYTES
from buffer.errors import StorageError, Unsealable
from buffer.outbox import Outbox, Place
from buffer.reader import Reader
from buffer.tests.building import numbers, open_outbox, pack, row


def refuse(_place: Place, payloads: Sequence[bytes]) -> bytes:
    """Say that nothing can be made of these rows."""
    raise Unsealable(f"{len(payloads)} rows that stand on nothing")


def sealed(outbox: Outbox, stream: str = "fine") -> list[list[int]]:
    """Seal all of a stream; give the numbers of the rows in each segment."""
    found = []
    while (segment := outbox.seal(stream, pack)) is not None:
        found.append(numbers([segment]))
    return found


def change(path: Path, statement: str) -> None:
    """Change the database as a worn card does: while nobody looks."""
    with closing(open_outbox(path)) as outbox:
        assert outbox._db.execute(statement).rowcount == 1


def test_rows_of_which_no_segment_can_be_made_do_not_hold_up_the_others(tmp_path: Path) -> None:
    """The lot goes aside whole, with the reason; the next one is sealed; no number is used up; a start knows it."""
    path = tmp_path / "o.db"
    outbox = open_outbox(path)
    outbox.commit([row(1, b"a"), row(2, b"a"), row(3, b"b")])

    def only_b(place: Place, payloads: Sequence[bytes]) -> bytes:
        return pack(place, payloads) if len(payloads) == 1 else refuse(place, payloads)

    segment = outbox.seal("fine", only_b)
    assert segment is not None
    assert (segment.sequence, numbers([segment])) == (1, [3])
    assert (outbox.stats().aside_rows, outbox.stats().aside_readings, outbox.stats().journal_rows) == (2, 4, 0)
    outbox.close()
    with closing(open_outbox(path)) as outbox:
        assert outbox.stats().aside_rows == 2
    with Reader.open(path) as reader:
        assert [(each.stream, each.first_ms, each.why) for each in reader.aside()] == [
            ("fine", 10, "2 rows that stand on nothing"),
            ("fine", 20, "2 rows that stand on nothing"),
        ]
        assert reader.lost() == {"aside": (2, 4)}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal SET payload = CAST(replace(CAST(payload AS TEXT), '[3', '[4') AS BLOB) WHERE id = 3",
        "UPDATE journal SET count = 3 WHERE id = 3",
        "UPDATE journal SET first_ms = first_ms + 1 WHERE id = 3",
        "DELETE FROM journal WHERE id = 3",
        "UPDATE journal SET stream = 'gine' WHERE id = 3",
        "UPDATE journal SET lot = x'62' WHERE id = 3",
        "UPDATE journal SET crc = 7 WHERE id = 3",
    ],
)
def test_a_damaged_row_takes_along_what_may_stand_on_it_and_no_more(tmp_path: Path, damage: str) -> None:
    """What came before it in its lot is sealed, it and what is behind it is not; other lots and streams are."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path)) as outbox:
        outbox.commit([row(number, b"a") for number in range(1, 6)])
        outbox.commit([row(6, b"c"), row(7, b"m", "minute")])
    change(path, damage)
    with closing(open_outbox(path)) as outbox:
        assert outbox.moved_aside is None
        found = sealed(outbox)
        assert found[0] == [1, 2]
        assert found[-1] == [6]
        assert [each for lot in found for each in lot if each in (3, 4)] == []
        assert sealed(outbox, "minute") == [[7]]
        for stream in outbox.waiting():
            assert sealed(outbox, stream) == []
        assert outbox.waiting() == ()


def test_a_name_that_is_no_text_any_more_is_set_aside_at_the_start(tmp_path: Path) -> None:
    """One journal row does not cost the database; rows behind it in its lot are not sealed."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path)) as outbox:
        outbox.commit([row(1), row(2), row(3)])
    change(path, "UPDATE journal SET stream = CAST(x'ff6669' AS TEXT) WHERE id = 2")
    with closing(open_outbox(path)) as outbox:
        assert outbox.moved_aside is None
        assert outbox.stats().aside_rows == 1
        assert sealed(outbox) == [[1]]
        assert outbox.stats().aside_rows == 2
    with Reader.open(path) as reader:
        assert reader.aside()[0].stream == "\ufffdfi"


def test_rows_of_a_stream_that_nobody_knows_any_more_are_told_and_can_be_sealed_or_withdrawn(tmp_path: Path) -> None:
    """A household that left the configuration leaves rows behind; they are not forgotten, and hold nothing up."""
    path = tmp_path / "o.db"
    with closing(open_outbox(path)) as outbox:
        outbox.commit([row(1, stream="fine.gone.x"), row(2)])
    with closing(open_outbox(path)) as outbox:
        assert sealed(outbox) == [[2]]
        assert outbox.waiting() == ("fine.gone.x",)
        assert outbox.withdraw("fine.gone.x").rows == 1
        assert outbox.unsent() == ("fine",)


def test_a_row_that_is_there_twice_is_sealed_twice_or_refused_by_whoever_packs(tmp_path: Path) -> None:
    """The outbox does not know what a row means: it neither drops nor joins, and goes on whatever is decided."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        outbox.commit([row(1), row(1)])
        assert sealed(outbox) == [[1, 1]]
        outbox.commit([row(2), row(2)])
        assert outbox.seal("fine", refuse) is None
        assert outbox.stats().journal_rows == 0


def test_what_is_set_aside_is_bounded_and_counts_on(tmp_path: Path) -> None:
    """The newest are kept, within so many bytes; one that is larger than all of them is only counted."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        for number in range(1, 200):
            outbox.commit([row(number, size=4000)])
            outbox.seal("fine", refuse)
        kept = outbox._db.execute("SELECT min(first_ms), max(first_ms), sum(length(payload)) FROM aside").fetchone()
        assert kept[0] > 1000
        assert kept[1] == 1990
        assert MOST_BYTES * 0.9 < kept[2] <= MOST_BYTES
        outbox.commit([row(200, size=MOST_BYTES)])
        outbox.seal("fine", refuse)
        assert outbox._db.execute("SELECT count(*) FROM aside").fetchone() == (0,)
        assert outbox.stats().aside_rows == 200


def test_where_setting_aside_is_refused_the_rows_stay_where_they_are(tmp_path: Path) -> None:
    """A card that refuses costs nothing: the next time they are set aside."""
    with closing(open_outbox(tmp_path / "o.db")) as outbox:
        outbox.commit([row(1)])
        outbox._db.execute("PRAGMA query_only = 1")
        with pytest.raises(StorageError):
            outbox.seal("fine", refuse)
        outbox._db.execute("PRAGMA query_only = 0")
        assert (outbox.stats().journal_rows, outbox.stats().aside_rows) == (1, 0)
        assert outbox.seal("fine", refuse) is None
        assert (outbox.stats().journal_rows, outbox.stats().aside_rows) == (0, 1)
