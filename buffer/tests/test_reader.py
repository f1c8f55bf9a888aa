"""A look into an outbox's file: what is committed is seen, nothing is changed, what is not ours is refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from buffer import schema
from buffer.errors import StorageError
from buffer.outbox import Outbox, Row
from buffer.reader import Reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An outbox with one received and one pending segment, and a row that is not sealed."""
    path = tmp_path / "outbox.db"
    with closing(Outbox.open(path, quota_pages=64)) as outbox:
        for number in range(2):
            outbox.commit([Row("fine", b"lot", number, number, 3, b"payload")])
            outbox.seal("fine", lambda place, _: b"blob %d" % place.sequence)
        outbox.received(outbox.epoch, "fine", 1)
        outbox.commit([Row("fine", b"lot", 2, 2, 5, b"payload")])
    return path


def test_all_that_is_kept_is_seen(path: Path) -> None:
    """Streams, segments in both states by their numbers, rows that wait, and the totals of each."""
    with Reader.open(path) as reader:
        (stream,) = reader.streams()
        assert (stream.name, stream.last_sequence) == ("fine", 2)
        kept = [(each.segment.sequence, each.segment.blob, each.received) for each in reader.kept("fine")]
        assert kept == [(1, b"blob 1", True), (2, b"blob 2", False)]
        assert [segment.sequence for segment in reader.pending(9)] == [2]
        assert (reader.waiting().entries, reader.waiting().readings) == (1, 5)
        assert (reader.sealed(received=True).readings, reader.sealed(received=False).readings) == (3, 3)
        assert reader.dropped() == ()


def test_a_reader_changes_nothing(path: Path) -> None:
    """Neither a byte of the file nor a companion beside it is left behind."""
    before = path.read_bytes()
    with Reader.open(path) as reader:
        list(reader.kept("fine"))
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


def test_one_moment_is_seen_beside_a_writer(path: Path) -> None:
    """What a writer has committed is seen at once, what it commits later is not, and it is not held up."""
    with closing(Outbox.open(path, quota_pages=64)) as outbox:
        outbox.commit([Row("fine", b"lot", 3, 3, 7, b"payload")])
        with Reader.open(path) as reader:
            assert reader.waiting().readings == 12
            outbox.commit([Row("fine", b"lot", 4, 4, 9, b"payload")])
            assert reader.waiting().readings == 12
        assert outbox.stats().failures == 0


def test_what_is_not_ours_is_refused(path: Path, tmp_path: Path) -> None:
    """A file that is missing, no database, another program's or a newer version's is told, and left as it is."""
    with pytest.raises(StorageError, match="No such file"), Reader.open(tmp_path / "none.db"):
        pass
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match=r"noise\.db"), Reader.open(noise):
        pass
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE thing (x)")
    with pytest.raises(StorageError, match="is no outbox"), Reader.open(other):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StorageError, match="newer version"), Reader.open(path):
        pass
    assert not list(tmp_path.glob("*unusable*"))


def test_a_file_closed_to_us_is_a_missing_right(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks can tell it from a file that is not there; for root, as in CI, every file is open."""
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(StorageError, match="Permission denied") as raised, Reader.open(path):
        pass
    assert isinstance(raised.value.__cause__, PermissionError)


def test_marks_are_seen_as_last_committed_whatever_carries_them(path: Path) -> None:
    """Marks that still travel with a row count too; the outbox' own are not shown."""
    with closing(Outbox.open(path, quota_pages=64)) as outbox:
        outbox.commit([], {"line": "standard", "gas": 1})
        outbox.withdraw("fine")
        outbox.commit([Row("fine", b"lot", 3, 3, 7, b"payload")], {"gas": 2})
        with Reader.open(path) as reader:
            assert reader.marks() == {"line": "standard", "gas": 2} == outbox.marks()


def test_an_older_version_is_told_what_to_do(path: Path) -> None:
    """The reader brings nothing up to date; the agent does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    with pytest.raises(StorageError, match="older version of this program: start the agent"), Reader.open(path):
        pass
