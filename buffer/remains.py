"""The marks that can still be read in a database that was moved aside: what stands in no other place."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from buffer.marks import Marks, Value, shown


@dataclass(frozen=True, slots=True)
class _Opened:
    connection: sqlite3.Connection


def marks(path: Path) -> dict[str, Value]:
    """Give what can be read of them, those of some commits ago where rows that carry newer ones are damaged.

    Changes nothing at `path` and never raises: there may be nothing.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error, ValueError, OSError), closing(sqlite3.connect(uri, uri=True)) as connection:
        with suppress(sqlite3.Error, ValueError):
            return Marks(_Opened(connection)).shown()
        return shown(dict(connection.execute("SELECT name, value FROM mark").fetchall()))
    return {}
