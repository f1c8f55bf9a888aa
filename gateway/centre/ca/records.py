"""What an authority has issued and taken back, in one SQLite file, synced before anything of it is given out."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS issued (
    serial TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, key BLOB NOT NULL, begins INTEGER NOT NULL,
    ends INTEGER NOT NULL, issued INTEGER NOT NULL, cause TEXT NOT NULL, pem TEXT NOT NULL,
    revoked INTEGER, reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS issued_name ON issued (name);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_COLUMNS = "serial, kind, name, key, begins, ends, issued, cause, pem, revoked, reason"


@dataclass(frozen=True, slots=True)
class Record:
    """One certificate: `key` is the SHA-256 of its SubjectPublicKeyInfo, times are Unix seconds.

    `cause` is who had it issued: "operator" or "renewal". `revoked` is None while it counts.
    """

    serial: str
    kind: str
    name: str
    key: bytes
    begins: int
    ends: int
    issued: int
    cause: str
    pem: str
    revoked: int | None = None
    reason: str | None = None


class Records:
    """The file; every method raises sqlite3.Error where it cannot be used."""

    def __init__(self, path: Path) -> None:
        """Open or make the file."""
        # A long wait: an operator and a centre may both be at it.
        self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Let nobody else change records or the files beside them for the length of a block; all of it or nothing."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def add(self, record: Record) -> None:
        """Keep a certificate that was made."""
        values = tuple(getattr(record, name) for name in _COLUMNS.split(", "))
        self._database.execute(f"INSERT INTO issued ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608 - names of ours

    def every(self) -> list[Record]:
        """Give all of them, oldest first."""
        return self._found("ORDER BY issued, rowid")

    def of_name(self, name: str) -> list[Record]:
        """Give those of one name, oldest first."""
        return self._found("WHERE name = ? ORDER BY issued, rowid", name)

    def of_serial(self, serial: str) -> Record | None:
        """Give the one with a serial number, as hex digits."""
        return next(iter(self._found("WHERE serial = ?", serial)), None)

    def revoke(self, serial: str, when: int, reason: str) -> None:
        """Take one back."""
        self._database.execute(
            "UPDATE issued SET revoked = ?, reason = ? WHERE serial = ? AND revoked IS NULL", (when, reason, serial)
        )

    def next_number(self, name: str) -> int:
        """Count one further, from 1."""
        (number,) = self._database.execute(
            "INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(number)

    def _found(self, where: str, *values: str) -> list[Record]:
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM issued {where}", values)  # noqa: S608 - as above
        return [Record(*row) for row in rows]
