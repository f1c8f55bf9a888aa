"""A database made anew after a refused write: whole, in one step whatever interrupts it, and not at any cost."""

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buffer.database import MOST_RENEWALS
from buffer.errors import StorageError
from buffer.outbox import Outbox
from buffer.tests.building import check_chain, numbers, open_outbox, pack, row
from buffer.tests.test_failing import files_up_to

ROWS = 40


def fill(outbox: Outbox, size: int = 2000) -> None:
    """Make segments and rows, in the file and in its WAL."""
    for number in range(1, ROWS + 1):
        outbox.commit([row(number, size=size)], {"last": number})
        if number % 3 == 0:
            outbox.seal("fine", pack)


def refuse(outbox: Outbox) -> None:
    """Let the kernel refuse one write."""
    with files_up_to(0), pytest.raises(StorageError):
        outbox.commit([row(1000)])


def holds(outbox: Outbox, upto: int = ROWS) -> None:
    """Assert that all rows are there, once, and that work goes on."""
    assert outbox.moved_aside is None
    assert outbox.marks()["last"] == upto
    while outbox.seal("fine", pack) is not None:
        pass
    found = outbox.pending(limit=1000)
    check_chain(found)
    assert numbers(found) == list(range(1, upto + 1))


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "box"
    folder.mkdir()
    yield folder / "outbox.db"
    assert sorted(each.name for each in folder.iterdir() if "db-" not in each.name) == ["outbox.db"]


def test_the_database_is_in_another_file_and_whole(path: Path) -> None:
    """Rows, segments, marks, history and numbers go on in a new file; what is left of the old one is nothing."""
    with closing(open_outbox(path)) as outbox:
        fill(outbox)
        before = path.stat().st_ino
        refuse(outbox)
        outbox.commit([row(ROWS + 1)], {"last": ROWS + 1})
        assert path.stat().st_ino != before
        assert (outbox._disk.renewals, outbox.stats().failures) == (1, 1)
        holds(outbox, ROWS + 1)
    with closing(open_outbox(path)) as outbox:
        holds(outbox, ROWS + 1)


def test_the_file_is_set_up_as_before(path: Path) -> None:
    """WAL and a sync at every commit, as from the start."""
    with closing(open_outbox(path)) as outbox:
        wanted = [
            outbox._db.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous", "page_size")
        ]
        refuse(outbox)
        outbox.commit([row(1)])
        found = [
            outbox._db.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous", "page_size")
        ]
        assert found == wanted
        assert outbox._disk.renewals == 1


def test_a_kill_at_any_step_leaves_one_whole_database(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every rename, removal and sync of it the folder is copied, as a kill would leave it; each copy is whole."""
    states: list[Path] = []

    def look() -> None:
        states.append(shutil.copytree(path.parent, tmp_path / f"state-{len(states)}"))

    def looking(wrapped: Any) -> Any:  # noqa: ANN401 - any function
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - of any function
            look()
            try:
                return wrapped(*args, **kwargs)
            finally:
                look()

        return call

    with closing(open_outbox(path)) as outbox:
        fill(outbox)
        refuse(outbox)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", looking(Path.replace))
            patch.setattr(Path, "unlink", looking(Path.unlink))
            patch.setattr(os, "fsync", looking(os.fsync))
            outbox.commit([], {"more": 1})
        holds(outbox)
    assert len(states) > 10
    for state in states:
        with closing(open_outbox(state / "outbox.db")) as outbox:
            assert outbox.marks() in ({"last": ROWS}, {"last": ROWS, "more": 1})
            holds(outbox)
        assert sorted(each.name for each in state.iterdir() if "db-" not in each.name) == ["outbox.db"]


def test_a_card_that_takes_no_whole_copy_is_used_as_it_is(path: Path) -> None:
    """After some copies that failed half-way it is gone on without: better than to keep readings in memory alone."""
    with closing(open_outbox(path)) as outbox:
        fill(outbox, size=20_000)
        outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        refuse(outbox)
        with files_up_to(1 << 18):
            for _ in range(MOST_RENEWALS - 1):
                with pytest.raises(StorageError, match="being made anew"):
                    outbox.commit([row(ROWS + 1)], {"last": ROWS + 1})
            outbox.commit([row(ROWS + 1)], {"last": ROWS + 1})
        assert outbox._disk.renewals == 0
        holds(outbox, ROWS + 1)


def test_a_card_that_takes_nothing_is_only_probed(path: Path) -> None:
    """As long as not even some bytes are taken no copy is tried, and none is counted as failed."""
    with closing(open_outbox(path)) as outbox:
        fill(outbox)
        refuse(outbox)
        with files_up_to(100):
            for _ in range(3 * MOST_RENEWALS):
                with pytest.raises(StorageError, match="being made anew"):
                    outbox.commit([row(ROWS + 1)])
        outbox.commit([], {"x": 1})
        assert outbox._disk.renewals == 1
        holds(outbox)


def test_it_is_made_anew_at_the_end_too(path: Path) -> None:
    """A box that ends after a refused write leaves its database in sound blocks."""
    outbox = open_outbox(path)
    fill(outbox)
    refuse(outbox)
    before = path.stat().st_ino
    outbox.close()
    assert path.stat().st_ino != before
    with closing(open_outbox(path)) as outbox:
        holds(outbox)


def test_an_error_while_the_wal_is_carried_over_is_told_and_costs_nothing(path: Path) -> None:
    """SQLite would keep silent: the commit stands, the failure is counted, the next one makes the database anew."""
    with closing(open_outbox(path)) as outbox:
        fill(outbox, size=20_000)
        size = path.stat().st_size
        with files_up_to(max(size // 2, 1 << 16)):
            before = outbox.stats().failures
            number = ROWS
            while outbox.stats().failures == before:
                number += 1
                try:
                    outbox.commit([row(number, size=3000)], {"last": number})
                except StorageError:
                    number -= 1
                    break
        outbox.commit([], {"x": 1})
        assert outbox._disk.renewals >= 1
        holds(outbox, number)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
