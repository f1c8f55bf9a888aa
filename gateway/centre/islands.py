"""What is settled of each stream, kept in the store as ranges that neither overlap nor touch.

It is read where it is needed and held nowhere else: other centres write the same file.
"""

import sqlite3
from collections.abc import Iterable, Iterator

from gateway.centre.coverage import Coverage

_GAPS = """
SELECT stream, before + 1 AS lowest, first - 1 AS highest FROM (
    SELECT island.stream, first, lag(last, 1, 0) OVER (PARTITION BY island.stream ORDER BY first) AS before
    FROM island WHERE island.stream IN (SELECT stream FROM island WHERE first > 1)
) WHERE first > before + 1 ORDER BY stream, lowest
"""


def joined(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join ranges (first, last; both included) that overlap or touch; give them rising."""
    low = high = 0
    for first, last in sorted(ranges):
        if high and first <= high + 1:
            high = max(high, last)
            continue
        if high:
            yield low, high
        low, high = first, last
    if high:
        yield low, high


def add(database: sqlite3.Connection, stream: int, first: int, last: int) -> None:
    """Note a range as settled; what was settled already, or lies beside it, is joined."""
    execute = database.execute
    touched = execute(
        "SELECT first, last FROM island WHERE stream = ?1 AND first BETWEEN"
        " coalesce((SELECT max(first) FROM island WHERE stream = ?1 AND first <= ?2), 0) AND ?3 + 1 AND last >= ?2 - 1",
        (stream, first, last),
    ).fetchall()
    low, high = min([first, *(each[0] for each in touched)]), max([last, *(each[1] for each in touched)])
    if touched == [(low, high)]:
        return
    if len(touched) == 1 and touched[0][0] == low:
        execute("UPDATE island SET last = ? WHERE stream = ? AND first = ?", (high, stream, low))
        return
    execute("DELETE FROM island WHERE stream = ? AND first BETWEEN ? AND ?", (stream, low, high))
    execute("INSERT INTO island VALUES (?, ?, ?)", (stream, low, high))


def coverage(database: sqlite3.Connection, stream: int, limit: int = -1) -> Coverage:
    """Give what is settled of a stream: the lowest `limit` ranges, all of them where it is negative."""
    query = "SELECT first, last FROM island WHERE stream = ? ORDER BY first LIMIT ?"
    return Coverage(database.execute(query, (stream, limit)))


def upto(database: sqlite3.Connection, stream: int) -> int:
    """Give the number up to which all is settled, 0 where nothing is."""
    row = database.execute("SELECT last FROM island WHERE stream = ? AND first = 1", (stream,)).fetchone()
    return 0 if row is None else int(row[0])


def reached(database: sqlite3.Connection, stream: int, above: int) -> int:
    """Give how far all above that number is settled, itself where not even the next one is."""
    query = "SELECT last FROM island WHERE stream = ? AND first <= ? + 1 ORDER BY first DESC LIMIT 1"
    row = database.execute(query, (stream, above)).fetchone()
    return above if row is None else max(above, int(row[0]))


def gaps(database: sqlite3.Connection) -> Iterator[tuple[int, int, int]]:
    """Give what is neither here nor told to be dropped, below the highest number of its stream: stream, first, last."""
    yield from database.execute(_GAPS)


def missing(database: sqlite3.Connection) -> int:
    """Count the messages of all gaps."""
    # Not `sum`: of what gateways claim it may overflow, and end the centre.
    (count,) = database.execute(f"SELECT total(highest - lowest + 1) FROM ({_GAPS})").fetchone()  # noqa: S608 - a constant
    return int(count)
