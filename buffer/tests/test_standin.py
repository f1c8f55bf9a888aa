"""A database that the card does not let us open: read as far as it can be, nothing taken, opened when it can be."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from buffer import standin, tables
from buffer.errors import StorageDamaged, StorageError
from buffer.outbox import Outbox
from buffer.rollup import Minute, Rollup
from buffer.tests.building import check_chain, numbers, open_outbox, pack, row
from buffer.tests.test_failing import files_up_to

QUOTA = 4096


def fill(outbox: Outbox) -> None:
    """Put rows, marks, segments and history into an outbox."""
    for number in range(1, 9):
        outbox.commit([row(number)], {"last": number})
        if number % 4 == 0:
            outbox.seal("fine", pack)
    outbox.commit([row(9)], {"last": 9})
    outbox.history.add([Minute("heat", 100, 0, Rollup(1, 2, 1, 2, 3, 2))])


def killed(path: Path) -> None:
    """Make a filled database as a process that was killed leaves it: with its WAL."""
    with closing(open_outbox(path.with_name("first.db"))) as outbox:
        fill(outbox)
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(path.with_name(f"first.db{suffix}"), path.with_name(f"{path.name}{suffix}"))


def holds(outbox: Outbox, path: Path) -> None:
    """Assert that nothing was taken meanwhile, and that all goes on in the file from where it was."""
    assert outbox.refusal is None
    outbox.commit([row(10)], {"last": 10})
    epoch = outbox.epoch
    outbox.close()
    with closing(open_outbox(path)) as again:
        assert (again.epoch, again.marks()["last"], again.moved_aside) == (epoch, 10, None)
        while again.seal("fine", pack) is not None:
            pass
        found = again.pending(limit=1000)
        check_chain(found)
        assert numbers(found)[-1] == 10


def test_a_first_start(tmp_path: Path) -> None:
    """Without a file nothing is taken; once one can be made it has the identity that was told all along."""
    path = tmp_path / "folder" / "outbox.db"
    tmp_path.joinpath("folder").write_text("no folder yet")
    outbox = Outbox.begin(path, quota_pages=QUOTA)
    with pytest.raises(StorageError, match="nothing is kept"):
        outbox.commit([row(1)], {"last": 1})
    with pytest.raises(StorageError):
        outbox.open_again()
    assert (outbox.marks(), outbox.pending(limit=10), outbox.stats().journal_rows) == ({}, [], 0)
    tmp_path.joinpath("folder").unlink()
    outbox.open_again()
    outbox.commit([row(number) for number in range(1, 10)], {"last": 9})
    holds(outbox, path)


@pytest.mark.parametrize("room", [0, 4096])
def test_a_full_card_leaves_an_empty_file(tmp_path: Path, room: int) -> None:
    """A file without a byte in it, or with nothing but a header, is none."""
    path = tmp_path / "outbox.db"
    with files_up_to(room):
        outbox = Outbox.begin(path, quota_pages=QUOTA)
        with pytest.raises(StorageError):
            outbox.open_again()
    assert path.stat().st_size == room
    outbox.open_again()
    outbox.commit([row(number) for number in range(1, 10)], {"last": 9})
    holds(outbox, path)


@pytest.mark.parametrize("closed", [True, False])
def test_what_is_there_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, closed: bool) -> None:
    """Identity, marks, what waits and history are those of the file; nothing of it changes until it is opened."""
    path = tmp_path / "outbox.db"
    killed(path)
    if closed:
        open_outbox(path).close()
    before = path.read_bytes()
    outbox = beginning_refused(path, monkeypatch)
    with pytest.raises(StorageError, match="check the disk; nothing is kept"):
        outbox.commit([row(10)], {"last": 10})
    with pytest.raises(StorageError):
        outbox.history.add([Minute("heat", 101, 0, Rollup(1, 2, 1, 2, 3, 2))])
    with files_up_to(0), pytest.raises(StorageError):
        outbox.open_again()
    assert (outbox.marks()["last"], numbers(outbox.pending(limit=10))) == (9, list(range(1, 9)))
    assert [each.moment for each in outbox.history.minutes("heat", 0, 1000)] == [100]
    assert path.read_bytes() == before
    outbox.open_again()
    assert [each.moment for each in outbox.history.minutes("heat", 0, 1000)] == [100]
    holds(outbox, path)


@pytest.mark.parametrize("without", ["-shm", "-wal"])
def test_what_a_cut_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, without: str) -> None:
    """A WAL whose index is gone is read from a copy; an empty WAL, which a full card leaves, is none."""
    path = tmp_path / "outbox.db"
    killed(path)
    if without == "-wal":
        open_outbox(path).close()
        path.with_name("outbox.db-wal").touch()
    path.with_name("outbox.db-shm").unlink(missing_ok=True)
    if without == "-shm":
        monkeypatch.setattr(standin, "_file", _unreadable)
    outbox = beginning_refused(path, monkeypatch)
    assert (outbox.marks()["last"], numbers(outbox.pending(limit=10))) == (9, list(range(1, 9)))
    outbox.open_again()
    holds(outbox, path)


def test_an_older_version_is_brought_up_to_date_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that is full just after an update: the file stays as it is, and is brought up to date when it can be."""
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(tables.MIGRATIONS[0] + f"PRAGMA application_id = {tables.APPLICATION_ID};")
        old.executescript("PRAGMA user_version = 1; INSERT INTO mark VALUES ('last', 9);")
        (epoch,) = old.execute("SELECT epoch FROM identity").fetchone()
    outbox = beginning_refused(path, monkeypatch)
    assert (outbox.epoch, outbox.marks()) == (epoch, {"last": 9})
    outbox.open_again()
    outbox.commit([row(number) for number in range(1, 10)])
    holds(outbox, path)


def test_what_cannot_be_read_wants_a_new_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file tells nothing, what is in it must not be mixed with what this process knows."""
    path = tmp_path / "outbox.db"
    killed(path)
    monkeypatch.setattr(standin, "_file", _unreadable)
    monkeypatch.setattr(standin, "_copied", _unreadable)
    outbox = beginning_refused(path, monkeypatch)
    assert outbox.marks() == {}
    with pytest.raises(StorageDamaged, match="only a new start"):
        outbox.open_again()
    with pytest.raises(StorageError):
        outbox.commit([row(1)])
    outbox.close()
    with closing(open_outbox(path)) as again:
        assert again.marks()["last"] == 9


def test_a_card_that_fails_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes some bytes and then no more: what was read can be read on, and it is tried once more."""
    path = tmp_path / "outbox.db"
    killed(path)
    outbox = beginning_refused(path, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("buffer.schema.open_database", _refuses)
        with pytest.raises(StorageError, match="check the disk"):
            outbox.open_again()
        patch.setattr(standin, "_file", _unreadable)
        with pytest.raises(StorageError):
            outbox.pending(limit=10)
        with pytest.raises(StorageError, match="nothing is kept"):
            outbox.commit([row(10)], {"last": 10})
    assert numbers(outbox.pending(limit=10)) == list(range(1, 9))
    outbox.open_again()
    holds(outbox, path)


@pytest.mark.parametrize("soon", [True, False])
def test_a_damaged_one_is_left_to_a_new_start(tmp_path: Path, *, soon: bool) -> None:
    """On a card without room it stays where it is; what becomes of it once there is room is told by the new start."""
    path = tmp_path / "outbox.db"
    with closing(open_outbox(path)) as whole:
        fill(whole)
        epoch = whole.epoch
    with closing(sqlite3.connect(path)) as connection:  # what SQLite does not see, and takes the history along
        connection.execute("UPDATE history_channel SET name = CAST(x'ff41' AS TEXT)")
        connection.commit()
    with files_up_to(1 << 16):  # room for the WAL's index
        outbox = Outbox.begin(path, quota_pages=QUOTA)
        with pytest.raises(StorageError):
            outbox.open_again()
    assert outbox.refusal is not None
    if soon:
        with pytest.raises(StorageDamaged, match="only a new start"):
            outbox.open_again()
    outbox.close()
    with closing(open_outbox(path)) as again:
        assert (again.rescued, again.moved_aside is not None) == (True, True)
        assert (again.epoch, again.marks()["last"]) == (epoch, 9)
        assert numbers(again.pending(limit=10)) == list(range(1, 9))


def test_another_database_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that was changed meanwhile is another one: only a new start can go on with it."""
    path = tmp_path / "outbox.db"
    killed(path)
    outbox = beginning_refused(path, monkeypatch)
    for each in tmp_path.glob("outbox.db*"):
        each.unlink()
    with closing(open_outbox(path)) as other:
        other.commit([row(1)], {"last": 1})
    with pytest.raises(StorageDamaged, match="only a new start"):
        outbox.open_again()
    outbox.close()


def beginning_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """Begin with a file that cannot be opened for writing; it can be once this returns."""
    with monkeypatch.context() as patch:
        patch.setattr("buffer.schema.open_database", _refuses)
        outbox = Outbox.begin(path, quota_pages=QUOTA)
    assert outbox.refusal is not None
    return outbox


def _refuses(path: Path, *, may_replace: bool = True) -> None:
    del may_replace
    raise StorageError(f"{path}: {os.strerror(5)}: check the disk")


def _unreadable(_: Path) -> None:
    raise sqlite3.OperationalError("disk I/O error")
