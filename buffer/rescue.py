"""What is taken out of a damaged database: every table but some, where only those are damaged.

The copy is made beside the file and takes its place once it is whole; a cut in the midst leaves one or the other.
"""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path


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


def rescue(path: Path, *, made_by: str, without: str) -> Path | None:
    """Copy every table whose name does not begin with `without`, and give the copy; None where one of them is damaged.

    `made_by` makes the tables, empty or with rows that are replaced, in a new database. Nothing is changed at `path`.
    """
    copy = copy_of(path)
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            connection.executescript(f"BEGIN; {made_by} COMMIT;")
            connection.execute("ATTACH ? AS damaged", (str(path),))
            tables = [
                name
                for (name,) in connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall()
                if not name.startswith(without)
            ]
            connection.execute("BEGIN")
            for name in tables:
                if connection.execute(f"PRAGMA damaged.integrity_check({name})").fetchall() != [("ok",)]:
                    raise sqlite3.DatabaseError(f"{name} is damaged")
                connection.execute(f"DELETE FROM main.{name}")  # noqa: S608 - a name of ours
                connection.execute(f"INSERT INTO main.{name} SELECT * FROM damaged.{name}")  # noqa: S608 - a name of ours
            connection.execute("COMMIT")
    except (sqlite3.Error, UnicodeDecodeError):
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        return None
    return copy


def copy_of(path: Path) -> Path:
    """Tell where a copy is made that is to take the place of the database."""
    return path.with_name(f"{path.name}.rescued")


def replaced(path: Path) -> Path:
    """Tell where a database goes, to be removed, whose place a sound copy takes."""
    return path.with_name(f"{path.name}.replaced")
