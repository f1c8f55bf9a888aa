"""The locks on a database stay ours while its file is looked at beside SQLite, for closing a file gives them up."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from buffer import moving
from buffer.outbox import Outbox, Row
from buffer.reader import Reader

LOCKED, FREE = "locked", "free"
TRY = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, int(sys.argv[2]), int(sys.argv[3]))
    except OSError:
        print("locked")
    else:
        print("free")
"""

SHARED = (510, 0x40000002)
"""So many bytes from there are locked, shared, by whoever has it open in WAL mode: SHARED_FIRST, os_unix.c."""

DEADMAN = (1, 128)
"""The same of its index, PATH-shm: UNIX_SHM_DMS."""


def standing(path: Path, where: tuple[int, int]) -> str:
    """Tell what another process finds."""
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", TRY, path, *map(str, where)], check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()


def looked_into(path: Path) -> None:
    """Read it as the history's rebuilding does."""
    with Reader.open(path) as reader:
        assert reader.epoch


def asked(path: Path) -> None:
    """Ask whether the card answers, as after an error."""
    assert moving.answers(path)


@pytest.mark.parametrize("look", [looked_into, asked])
def test_a_look_keeps_the_locks(tmp_path: Path, look: Callable[[Path], None]) -> None:
    """Whatever reads the file in our process, another one still finds it in use; after our end it does not."""
    path = tmp_path / "outbox.db"
    with closing(Outbox.open(path, quota_pages=64)) as outbox:
        outbox.commit([Row("fine", b"lot", 1, 1, 3, b"payload")])
        assert standing(path, SHARED) == LOCKED
        for _ in range(2):
            look(path)
            assert standing(path, SHARED) == LOCKED
    assert standing(path, SHARED) == FREE


def test_a_commit_keeps_the_locks(tmp_path: Path) -> None:
    """Between commits, which look how far the WAL has grown; at the end they are given back."""
    index = tmp_path / "outbox.db-shm"
    with closing(Outbox.open(tmp_path / "outbox.db", quota_pages=64)) as outbox:
        for number in range(3):
            outbox.commit([Row("fine", b"lot", number, number, 3, b"payload")])
            assert standing(index, DEADMAN) == LOCKED
    index.touch()
    assert standing(index, DEADMAN) == FREE


def test_a_file_in_the_place_of_another_is_read(tmp_path: Path) -> None:
    """Files stay open between two looks: a new one of that name is looked at anew, and few stay open."""
    for number in range(20):
        path = tmp_path / f"{number}.db"
        path.write_bytes(b"a")
        assert moving.answers(path)
        path.rename(tmp_path / "old")
        assert moving.answers(path)  # nothing there: nothing that does not answer
        path.write_bytes(b"b")
        assert moving.answers(path)
    assert len(moving._HELD) <= moving._MOST_HELD
