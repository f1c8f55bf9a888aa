"""Marks: small values that are committed with the rows they belong to, for whoever wants them at the next start.

A card writes whole pages, and a table of their own would cost one with each commit. So what has changed travels as a
text in the newest row or segment of its commit, and goes to the table `mark` once in a while, and before the row that
carries it is deleted.
"""

import json
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Value = int | str


class Connected(Protocol):
    """Whatever holds the connection of now."""

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection."""


EVERY = 32
"""After so many commits they go to their table."""

LONGEST = 1_500
"""Characters that a row carries."""

_WINDOW = 256
"""Among so many of the newest segments the one that carries them is looked for."""

WITHDRAWN = "withdrawn."
"""Before a stream's name: the mark, of the outbox itself, that keeps the last number that a withdrawal met."""

_NUMBER = ""
"""The mark that numbers the commits that changed any; what a row carries counts if its number is higher."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A row that carries marks: of the table "journal" or "segment"."""

    table: str
    number: int


@dataclass(slots=True)
class _State:
    values: dict[str, Value]
    loose: dict[str, Value] = field(default_factory=dict)
    number: int = 0
    written: int = 0
    carrier: Carrier | None = None

    def copy(self) -> "_State":
        return _State(dict(self.values), dict(self.loose), self.number, self.written, self.carrier)


class Marks:
    """The marks of a database, as last committed; what changes them does so within a transaction of the caller's."""

    def __init__(self, database: Connected) -> None:
        self._disk = database
        values: dict[str, Value] = dict(self._db.execute("SELECT name, value FROM mark").fetchall())
        number = int(values.pop(_NUMBER, 0))
        self._state = _State(values, number=number, written=number)
        for table in ("journal", "segment"):
            self._look(table)

    @property
    def values(self) -> Mapping[str, Value]:
        """Give every mark."""
        return self._state.values

    def changed(self, marks: Mapping[str, Value]) -> dict[str, Value]:
        """Give those that are not as they were."""
        return {name: value for name, value in marks.items() if self.values.get(name) != value}

    def set(self, changed: Mapping[str, Value], carrier: Carrier | None = None) -> None:
        """Store what has changed; `carrier` is a row of the same transaction that may carry it."""
        if not changed:
            return
        state = self._state
        state.values.update(changed)
        state.loose.update(changed)
        state.number += 1
        text = _written(state.number, state.loose)
        if carrier is None or state.number - state.written >= EVERY or len(text) > LONGEST:
            self._settle()
            return
        before, state.carrier = state.carrier, carrier
        if before is not None and before != carrier:
            self._db.execute(f"UPDATE {before.table} SET marks = NULL WHERE id = ?", (before.number,))  # noqa: S608 - ours
        self._db.execute(f"UPDATE {carrier.table} SET marks = ? WHERE id = ?", (text, carrier.number))  # noqa: S608 - ours

    def keep(self) -> None:
        """See to it, at the end of a transaction that deleted rows, that the marks are not gone with them."""
        carrier = self._state.carrier
        if carrier is None:
            return
        query = f"SELECT id > (SELECT max(id) FROM {carrier.table}) - {_WINDOW} FROM {carrier.table} WHERE id = ?"  # noqa: S608 - ours
        found = self._db.execute(query, (carrier.number,)).fetchone()
        if found is None or not found[0]:
            self._settle()

    def known(self) -> Any:  # noqa: ANN401 - only `restore` looks into it
        """Give what is known in memory, for `restore`."""
        return self._state.copy()

    def restore(self, known: Any) -> None:  # noqa: ANN401 - as `known` gave it
        """Forget what was noted since: it did not happen."""
        self._state = known

    def shown(self) -> dict[str, Value]:
        """Give every mark of the callers'."""
        return shown(self.values)

    @property
    def _db(self) -> sqlite3.Connection:
        return self._disk.connection

    def _settle(self) -> None:
        """Put all that rows carry into the table."""
        state = self._state
        rows = [*state.loose.items(), (_NUMBER, state.number)]
        self._db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", rows)
        if state.carrier is not None:
            self._db.execute(
                f"UPDATE {state.carrier.table} SET marks = NULL WHERE id = ?",  # noqa: S608 - ours
                (state.carrier.number,),
            )
        state.loose, state.written, state.carrier = {}, state.number, None

    def _look(self, table: str) -> None:
        """Take what the newest row of a table carries, where it is newer than what is known."""
        query = (
            f"SELECT id, CAST(marks AS BLOB) FROM {table} WHERE marks IS NOT NULL"  # noqa: S608 - ours
            f" AND id > (SELECT max(id) FROM {table}) - {_WINDOW} ORDER BY id DESC"
        )
        state = self._state
        for number, text in self._db.execute(query).fetchall():
            found = _read(text)
            if found is not None and found[0] > state.number:
                state.number, loose = found
                state.loose = loose
                state.values.update(loose)
                state.carrier = Carrier(table, number)
                return


def shown(marks: Mapping[str, Value]) -> dict[str, Value]:
    """Give those of the callers'."""
    return {name: value for name, value in marks.items() if name != _NUMBER and not name.startswith(WITHDRAWN)}


def _written(number: int, marks: Mapping[str, Value]) -> str:
    text = json.dumps([number, marks], separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x}{text}"


def _read(carried: bytes) -> tuple[int, dict[str, Value]] | None:
    """Read what `_written` wrote; None where the card has changed it."""
    crc, text = carried[:8], carried[8:]
    if crc != b"%08x" % zlib.crc32(text):
        return None
    number, marks = json.loads(text)
    return number, marks
