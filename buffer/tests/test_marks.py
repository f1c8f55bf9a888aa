"""Marks are those of the last commit, whatever carries them and whatever becomes of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from buffer.marks import EVERY, LONGEST
from buffer.outbox import Outbox
from buffer.tests.building import open_outbox, pack, row


def again(outbox: Outbox, path: Path) -> Outbox:
    """Start anew from the file."""
    outbox.close()
    return open_outbox(path)


def in_table(path: Path) -> dict[str, object]:
    """What stands in the table of marks."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, value FROM mark WHERE name <> ''").fetchall())


@pytest.mark.parametrize("sealed", [False, True])
def test_they_travel_with_rows_and_segments(tmp_path: Path, *, sealed: bool) -> None:
    """Each commit's marks are there after a start, though few commits touch their table; what was not changed stays."""
    path = tmp_path / "outbox.db"
    outbox = open_outbox(path)
    outbox.commit([], {"line": "standard"})
    for number in range(1, EVERY - 1):
        outbox.commit([row(number)], {"pulses": number}, seal={"fine": pack} if sealed else None)
    assert in_table(path) == {"line": "standard"}
    outbox = again(outbox, path)
    assert outbox.marks() == {"line": "standard", "pulses": EVERY - 2}
    outbox.commit([row(99)], {"pulses": 99}, seal={"fine": pack} if sealed else None)
    outbox.commit([row(100)], {"pulses": 100}, seal={"fine": pack} if sealed else None)
    assert in_table(path) == {"line": "standard", "pulses": 100}
    assert again(outbox, path).marks() == {"line": "standard", "pulses": 100}


def test_they_outlive_what_carried_them(tmp_path: Path) -> None:
    """Sealed, withdrawn, received and purged: before the row that carries them goes, they are in their table."""
    path = tmp_path / "outbox.db"
    outbox = open_outbox(path)
    outbox.commit([row(1)], {"a": 1})
    outbox.seal("fine", pack)
    assert in_table(path) == {"a": 1}
    outbox.commit([row(2)], {"a": 2})
    outbox.withdraw("fine")
    assert again(outbox, path).marks() == {"a": 2}
    outbox = open_outbox(path)
    outbox.commit([row(3)], {"a": 3}, seal={"fine": pack})
    outbox.received(outbox.epoch, "fine", 9)
    assert outbox.purge() == 1
    assert again(outbox, path).marks() == {"a": 3}


def test_an_old_carrier_is_left_for_a_new_one(tmp_path: Path) -> None:
    """Only the newest row carries any: kept segments are not made longer by what is of no use."""
    path = tmp_path / "outbox.db"
    outbox = open_outbox(path)
    for number in range(1, 9):
        outbox.commit([row(number)], {"a": number}, seal={"fine": pack})
    outbox.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM segment WHERE marks IS NOT NULL").fetchone() == (1,)


def test_long_ones_go_to_their_table_at_once(tmp_path: Path) -> None:
    """What would make a row long does not travel."""
    path = tmp_path / "outbox.db"
    outbox = open_outbox(path)
    outbox.commit([row(1)], {"long": "x" * LONGEST})
    assert in_table(path) == {"long": "x" * LONGEST}


def test_a_carrier_that_the_card_has_changed_is_not_believed(tmp_path: Path) -> None:
    """Older marks are better than wrong ones."""
    path = tmp_path / "outbox.db"
    outbox = open_outbox(path)
    outbox.commit([], {"a": 1})
    outbox.commit([row(1)], {"a": 2})
    outbox.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE journal SET marks = replace(marks, '2}', '7}')")
    assert open_outbox(path).marks() == {"a": 1}


def test_what_is_undone_is_not_remembered(tmp_path: Path) -> None:
    """A transaction that failed leaves the marks as they were, in memory and on the card."""
    path = tmp_path / "outbox.db"
    outbox = open_outbox(path)
    outbox.commit([row(1)], {"a": 1})
    with pytest.raises(ZeroDivisionError), outbox.together("trying"):  # noqa: PT012 - the whole of it is undone
        outbox.commit([row(2)], {"a": 2, "b": 2})
        outbox.seal("fine", pack)
        raise ZeroDivisionError
    assert outbox.marks() == {"a": 1}
    outbox.commit([row(2)], {"c": 3})
    assert again(outbox, path).marks() == {"a": 1, "c": 3}
