"""Of a database that was moved aside, the marks are read as far as they can be."""

from contextlib import closing
from pathlib import Path

import pytest

from buffer import remains
from buffer.tests.building import open_outbox, row


def _moved(path: Path, *statements: str) -> Path:
    """Make a database with marks, in its table and in a row, spoil it, open it, and give where the old one is."""
    with closing(open_outbox(path)) as outbox:
        outbox.commit([], {"gas.pulses": 700, "withdrawn.fine.a.b": 3})
        outbox.commit([row(1)], {"gas.pulses": 712})
        for statement in statements:
            outbox._db.execute(statement)
    with closing(open_outbox(path)) as outbox:
        assert outbox.moved_aside is not None
        assert outbox.marks() == {}
        return outbox.moved_aside


@pytest.mark.parametrize(
    ("spoil", "pulses"),
    [("DELETE FROM identity", 712), ("DROP TABLE journal", 700), ("PRAGMA user_version = 99", 712)],
    ids=["epoch", "rows", "newer"],
)
def test_marks_outlive_their_database(tmp_path: Path, spoil: str, pulses: int) -> None:
    """The newest where the row that carries them can be read, else those of the table."""
    assert remains.marks(_moved(tmp_path / "o.db", spoil)) == {"gas.pulses": pulses}


@pytest.mark.parametrize("content", [b"", b"something else" * 999])
def test_where_nothing_can_be_read_there_is_nothing(tmp_path: Path, content: bytes) -> None:
    """Another program's file, or none."""
    path = tmp_path / "o.db"
    assert remains.marks(path) == {}
    path.write_bytes(content)
    assert remains.marks(path) == {}
