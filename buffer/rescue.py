"""What is taken out of a damaged database: every table but some; of those with many rows all that can be read.

The copy is made beside the file and takes its place once it is whole; a cut in the midst leaves one or the other.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from buffer import salvage


def settle(path: Path) -> None:
    """End what a cut has interrupted: a copy whose original was moved away is the database, any other is discarded."""
    copy = copy_of(path)
    if copy.exists() and not path.exists():
        for suffix in ("-wal", "-shm"):  # the original's: SQLite would take them for the copy's
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        copy.replace(path)
    discard(path)
    replaced(path).unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a copy that is not wanted."""
    for suffix in ("", "-journal"):
        copy_of(path).with_name(copy_of(path).name + suffix).unlink(missing_ok=True)


def rescue(path: Path, *, made_by: str, without: str, in_part: Sequence[str]) -> tuple[Path, int] | None:
    """Copy each table whose name does not begin with `without`; give the copy, and how many rows and segments it lacks.

    Of the tables `in_part` what can be read is copied; None where another one is damaged. `made_by` makes the tables,
    empty or with rows that are replaced, in a new database. Nothing is changed at `path`.
    """
    copy = copy_of(path)
    lost = 0
    try:
        # Two connections: one that has met damage refuses to write, also elsewhere.
        with (
            closing(sqlite3.connect(copy, isolation_level=None)) as connection,
            closing(sqlite3.connect(path, isolation_level=None)) as damaged,
        ):
            connection.executescript(f"BEGIN; {made_by} COMMIT;")
            tables = [
                name
                for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
                if not name.startswith(without)
            ]
            connection.execute("BEGIN")
            holes = {name: _copy_table(damaged, connection, name, in_part) for name in tables}
            lost = salvage.record(connection, holes["segment"], salvage.listed(damaged)) + salvage.at_most(
                holes["journal"]
            )
            connection.execute("COMMIT")
    except (sqlite3.Error, UnicodeDecodeError):
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        return None
    return copy, lost


def _copy_table(
    damaged: sqlite3.Connection, connection: sqlite3.Connection, name: str, in_part: Sequence[str]
) -> list[tuple[int, int | None]]:
    """Copy a table; give where rows of it are missing."""
    connection.execute(f"DELETE FROM {name}")  # noqa: S608 - a name of ours
    if not _is_sound(damaged, name):
        if name not in in_part:
            raise sqlite3.DatabaseError(f"{name} is damaged")
        return salvage.copy(damaged, connection, name)
    for row in damaged.execute(f"SELECT * FROM {name}"):  # noqa: S608 - a name of ours
        connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - a name of ours
    return []


def _is_sound(damaged: sqlite3.Connection, name: str) -> bool:
    try:
        return damaged.execute(f"PRAGMA integrity_check({name})").fetchall() == [("ok",)]
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return False


def copy_of(path: Path) -> Path:
    """Tell where a copy is made that is to take the place of the database."""
    return path.with_name(f"{path.name}.rescued")


def replaced(path: Path) -> Path:
    """Tell where a database goes, to be removed, whose place a sound copy takes."""
    return path.with_name(f"{path.name}.replaced")
