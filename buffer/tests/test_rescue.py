"""A damaged history takes nothing along: what waits for the other end goes on in a copy, under the same epoch."""

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from buffer import rescue, schema
from buffer.history import Minute, Rollup
from buffer.outbox import Outbox
from buffer.tests.building import check_chain, numbers, open_outbox, pack, row

PAGE = schema.PAGE_BYTES
ROWS = 60


def _filled(path: Path) -> bytes:
    """Make a database with pending and received segments, rows, marks, and a history of some pages; give its epoch."""
    with closing(open_outbox(path)) as outbox:
        for number in range(1, ROWS + 1):
            outbox.commit([row(number, size=300)], {"last": number})
            if number % 4 == 0:
                outbox.seal("fine", pack)
        outbox.commit([row(ROWS + 1, lot=b"next")])
        outbox.received(outbox.epoch, "fine", 5)
        rollup = Rollup(1, 1, 1, 1, 1, 1)
        for hour in range(40):
            outbox.history.add(
                [Minute(f"c{channel}", hour * 60 + each, hour, rollup) for channel in range(9) for each in range(60)]
            )
        return outbox.epoch


def _pages(path: Path, table: str) -> list[int]:
    """Give the numbers of a table's pages, from 1: of those that hold rows."""
    with closing(sqlite3.connect(path)) as connection:
        pages = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno", (table,)
        )
        return [number for (number,) in pages.fetchall()]


def _spoil(path: Path, page: int) -> None:
    data = bytearray(path.read_bytes())
    data[(page - 1) * PAGE : page * PAGE] = random.Random(page).randbytes(PAGE)
    path.write_bytes(data)


def _whole(outbox: Outbox) -> None:
    """Assert that all but the history is as it was, and works."""
    assert outbox.marks()["last"] == ROWS
    outbox.resend(outbox.epoch, "fine", 1, 5)
    found = outbox.pending(limit=1000)
    check_chain(found)
    assert numbers(found) == list(range(1, ROWS + 1))
    segment = outbox.seal("fine", pack)
    assert segment is not None
    assert (segment.sequence, numbers([segment])) == (ROWS // 4 + 1, [ROWS + 1])
    check_chain([segment], segment.sequence, hashlib.sha256(found[-1].blob).digest())
    assert outbox.history.days("c1", 0, 100) == []
    outbox.history.add([Minute("c1", 60, 1, Rollup(1, 1, 1, 1, 1, 1))])


def test_a_damaged_history_does_not_take_the_outbox_along(tmp_path: Path) -> None:
    """Epoch, numbers, chain, receipts, rows and marks are what they were; the damaged file is kept."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    _spoil(path, _pages(path, "history_hour")[1])
    spoilt = path.read_bytes()
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.epoch) == (True, epoch)
        assert outbox.moved_aside is not None
        assert outbox.moved_aside.read_bytes() == spoilt
        _whole(outbox)
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.moved_aside, outbox.epoch) == (False, None, epoch)
    assert sorted(each.name for each in tmp_path.iterdir() if "rescued" in each.name) == []


def test_a_name_that_is_no_text_any_more_is_damage_of_the_history_alone(tmp_path: Path) -> None:
    """What SQLite's own check does not see is rescued from as well."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE history_channel SET name = CAST(x'ff41' AS TEXT) WHERE id = 3")
        connection.commit()
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.epoch) == (True, epoch)
        _whole(outbox)


@pytest.mark.parametrize("table", ["stream", "mark", "dropped"])
def test_where_more_is_damaged_nothing_is_made_up(tmp_path: Path, table: str) -> None:
    """With a page of what numbers, marks or losses are in spoilt as well, all begins anew."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    for each in (_pages(path, "history_hour")[0], _pages(path, table)[0]):
        _spoil(path, each)
    with closing(open_outbox(path)) as outbox:
        assert outbox.moved_aside is not None
        assert (outbox.rescued, outbox.epoch == epoch) == (False, False)
        assert outbox.pending(limit=10) == []


def _what_became_of_each(outbox: Outbox) -> dict[int, str]:
    """Say of each number of the stream whether it is there, or told as lost."""
    found = {each.sequence: "there" for each in outbox.pending(limit=1000)}
    for each in outbox.unreported():
        assert each.reason == "damage"
        told = range(each.first_sequence, each.last_sequence + 1)
        assert not found.keys() & set(told)
        found |= dict.fromkeys(told, "told")
    return found


@pytest.mark.parametrize("seed", range(12))
def test_what_can_be_read_of_the_segments_goes_on_and_the_rest_is_told(tmp_path: Path, seed: int) -> None:
    """Whichever pages are spoilt, epoch and numbers stay, every segment is there or told as lost, and few are lost."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    pages = _pages(path, "segment")
    rng = random.Random(seed)
    spoilt = rng.sample(pages, rng.choice((1, 1, 1, 2, 4)))
    for page in spoilt:
        _spoil(path, page)
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.epoch) == (True, epoch)
        assert 0 < outbox.lost_at_start <= 4 * len(spoilt)
        assert outbox.stats().dropped_segments == outbox.lost_at_start
        outbox.resend(outbox.epoch, "fine", 1, 5)
        became = _what_became_of_each(outbox)
        assert sorted(became) == list(range(1, ROWS // 4 + 1))
        assert list(became.values()).count("told") == outbox.lost_at_start
        segment = outbox.seal("fine", pack)
        assert segment is not None
        assert (segment.sequence, numbers([segment])) == (ROWS // 4 + 1, [ROWS + 1])
        for each in outbox.unreported():
            outbox.report(each, pack)
    with closing(open_outbox(path)) as outbox:
        assert (outbox.moved_aside, outbox.lost_at_start) == (None, 0)


@pytest.mark.parametrize("seed", range(4))
def test_a_page_that_the_card_gives_for_another_is_told_as_lost(tmp_path: Path, seed: int) -> None:
    """It looks sound, and what it should hold is gone all the same: nobody may say that nothing was lost."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    pages = _pages(path, "segment")
    of, given = random.Random(seed).sample(pages[1:], 2)  # the first ones hold what has its receipt
    data = bytearray(path.read_bytes())
    data[(of - 1) * PAGE : of * PAGE] = data[(given - 1) * PAGE : given * PAGE]
    path.write_bytes(data)
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.epoch) == (True, epoch)
        outbox.resend(outbox.epoch, "fine", 1, 5)
        became = _what_became_of_each(outbox)
        assert set(range(6, ROWS // 4 + 1)) <= became.keys()
        assert 0 < list(became.values()).count("told") == outbox.lost_at_start


def test_a_spoilt_index_costs_nothing(tmp_path: Path) -> None:
    """Where the rows themselves are sound all of them go on."""
    path = tmp_path / "outbox.db"
    _filled(path)
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT pageno FROM dbstat WHERE name = 'segment_by_state'").fetchone()
    _spoil(path, page)
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.lost_at_start) == (True, 0)
        _whole(outbox)


def test_rows_that_cannot_be_read_are_lost_with_what_stands_on_them(tmp_path: Path) -> None:
    """A spoilt page of the journal costs its rows, and those behind it in their lot are set aside; others are not."""
    path = tmp_path / "outbox.db"
    with closing(open_outbox(path)) as outbox:
        outbox.commit([row(number, b"a", size=900) for number in range(1, 41)])
        outbox.commit([row(41, b"b")])
        epoch = outbox.epoch
    pages = _pages(path, "journal")
    _spoil(path, pages[len(pages) // 2])
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.epoch) == (True, epoch)
        first, second = outbox.seal("fine", pack), outbox.seal("fine", pack)
        assert first is not None
        assert second is not None
        assert numbers([first]) == list(range(1, len(numbers([first])) + 1))
        assert numbers([second]) == [41]
        lost, set_aside = outbox.lost_at_start, outbox.stats().aside_rows
        assert lost > 0
        assert set_aside > 0
        assert len(numbers([first])) + lost + set_aside == 40


def test_a_copy_whose_original_was_moved_away_is_the_database(tmp_path: Path) -> None:
    """The power may go between the two renames."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    path.rename(path.with_name("outbox.db.rescued"))
    with closing(open_outbox(path)) as outbox:
        assert (outbox.epoch, outbox.moved_aside) == (epoch, None)


def test_a_copy_that_was_not_ended_is_discarded(tmp_path: Path) -> None:
    """The power may go while it is made: the original is there, and is rescued from again."""
    path = tmp_path / "outbox.db"
    epoch = _filled(path)
    _spoil(path, _pages(path, "history_hour")[1])
    path.with_name("outbox.db.rescued").write_bytes(b"half of it")
    path.with_name("outbox.db.rescued-journal").write_bytes(b"half of that")
    with closing(open_outbox(path)) as outbox:
        assert (outbox.rescued, outbox.epoch) == (True, epoch)


KILLED = """
import os, sys
from pathlib import Path
from buffer.tests.building import open_outbox
left = int(sys.argv[2])
for name in ("rename", "replace", "unlink", "fsync"):
    real = getattr(os, name)
    def counting(*arguments, real=real, **how):
        global left
        left -= 1
        if left == 0:
            os._exit(9)
        return real(*arguments, **how)
    setattr(os, name, counting)
open_outbox(Path(sys.argv[1])).close()
"""


def test_it_survives_being_killed_in_the_midst(tmp_path: Path) -> None:
    """At whichever step it ends, the next start has everything."""
    path = tmp_path / "spoilt.db"
    epoch = _filled(path)
    _spoil(path, _pages(path, "history_hour")[1])
    spoilt, step, ended = path.read_bytes(), 0, False
    while not ended:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        (folder / "outbox.db").write_bytes(spoilt)
        ran = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-c", KILLED, str(folder / "outbox.db"), str(step)],
            env={**os.environ, "PYTHONPATH": str(Path(rescue.__file__).parents[1])},
            check=False,
        )
        ended = ran.returncode == 0
        with closing(open_outbox(folder / "outbox.db")) as outbox:
            assert outbox.epoch == epoch
            _whole(outbox)
    assert step > 3
