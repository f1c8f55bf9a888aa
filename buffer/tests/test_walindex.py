"""The locks on the WAL's index stay ours, whatever is committed, so that nobody else takes himself for the only one."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from buffer.outbox import Outbox, Row

LOCKED, FREE = "locked", "free"
TRY = """
import fcntl, sys
with open(sys.argv[1], "r+b") as index:
    try:
        fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except OSError:
        print("locked")
    else:
        print("free")
"""
"""Byte 128 is locked by whoever has the index open, shared: SQLite's "deadman switch", UNIX_SHM_DMS in os_unix.c."""


def standing(path: Path) -> str:
    """Tell what another process finds."""
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", TRY, path], check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()


def test_a_commit_keeps_the_locks(tmp_path: Path) -> None:
    """Before, between and after commits; at the end they are given back."""
    index = tmp_path / "outbox.db-shm"
    with closing(Outbox.open(tmp_path / "outbox.db", quota_pages=64)) as outbox:
        for number in range(3):
            outbox.commit([Row("fine", b"lot", number, number, 3, b"payload")])
            assert standing(index) == LOCKED
    index.touch()
    assert standing(index) == FREE
