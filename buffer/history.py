"""The history: what each channel did in every minute, hour and day, for the page's charts and totals.

It knows names, times and integers; what they mean, and where a day begins, is the caller's. A minute in which nothing
was read is not there: a gap is never zero. Minutes of the hour that is running are rows; an hour that has ended becomes
one row a channel with its minutes packed, so that a card is written little and a start reads little. Hours go when they
are old or the history has grown over its share of the file, days when they are old.

Used by the thread of its outbox. Minutes, hours and days are numbered from 1970-01-01; ranges end before `end`.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

from buffer import packed

VALUE_MOST = 1 << 45
"""A larger magnitude is refused, so that no sum leaves 63 bits."""

_COUNT_MOST = 1 << 17
"""A day at more than one reading a second: the sum and the count stop together here, the rest goes on."""

_ROW_BYTES = 48
"""About what an hour's row takes beside its packed minutes."""

Transaction = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Rollup:
    """A channel over some time: first and last value, lowest, highest, sum and number of its values; exact integers."""

    first: int
    last: int
    low: int
    high: int
    sum: int
    count: int

    def then(self, later: Self) -> "Rollup":
        """Join what came later."""
        fits = self.count + later.count <= _COUNT_MOST
        return Rollup(
            self.first,
            later.last,
            min(self.low, later.low),
            max(self.high, later.high),
            self.sum + later.sum if fits else self.sum,
            self.count + later.count if fits else self.count,
        )


@dataclass(frozen=True, slots=True)
class Minute:
    """What channel `channel` did in a minute, and which day that minute belongs to."""

    channel: str
    minute: int
    day: int
    rollup: Rollup


_UPSERT = f"""
    INSERT INTO {{}} VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        last = excluded.last, low = min(low, excluded.low), high = max(high, excluded.high),
        sum = sum + iif(count + excluded.count <= {_COUNT_MOST}, excluded.sum, 0),
        count = count + iif(count + excluded.count <= {_COUNT_MOST}, excluded.count, 0)
"""  # noqa: S608 - a constant
_MINUTE, _DAY = _UPSERT.format("history_minute"), _UPSERT.format("history_day")

# Rows are appended by time, so that a commit touches one page and not one a channel; a channel is read by seeking.
_SEEK = """
    WITH RECURSIVE moment (x) AS (SELECT ?1 UNION ALL SELECT x + 1 FROM moment WHERE x + 1 < ?2)
    SELECT x, {} FROM moment CROSS JOIN {} ON {} = x AND channel = ?3
"""
_VALUES = "first, last, low, high, sum, count"
_DAYS = _SEEK.format(_VALUES, "history_day", "day")
_HOURS = _SEEK.format(_VALUES, "history_hour", "hour")
_PACKED = _SEEK.format("minutes", "history_hour", "hour")
_RUNNING = f"SELECT minute, {_VALUES} FROM history_minute WHERE minute >= ? AND minute < ? AND channel = ?"  # noqa: S608 - column names of ours


class History:
    """The history in an outbox' database; made by Outbox, whose transactions and errors (StorageError) are its own."""

    def __init__(
        self, connection: sqlite3.Connection, transaction: Transaction, errors: Transaction, *, most_bytes: int
    ) -> None:
        self._db = connection
        self._transaction = transaction
        self._errors = errors
        self._most_bytes = most_bytes
        self._numbers: dict[str, int] = dict(connection.execute("SELECT name, id FROM history_channel"))

    def add(self, minutes: Sequence[Minute]) -> None:
        """Store minutes in one synced transaction; what comes for a minute that is there is joined to it, as later.

        Raises ValueError, and stores nothing, where a value is beyond VALUE_MOST.
        """
        if not minutes:
            return
        for each in minutes:
            _check(each)
        with self._transaction("storing the history"):
            numbers = self._numbered({each.channel for each in minutes})
            rows = [(each, numbers[each.channel], _columns(each.rollup)) for each in minutes]
            self._db.executemany(_MINUTE, [(each.minute, number, *values) for each, number, values in rows])
            self._db.executemany(_DAY, [(each.day, number, *values) for each, number, values in rows])
            self._settle(max(each.minute for each in minutes) // 60)
        self._numbers = numbers

    def prune(self, *, hours_from: int, days_from: int) -> None:
        """Forget the hours, with their minutes, and the days before these."""
        with self._transaction("pruning the history"):
            self._db.execute("DELETE FROM history_hour WHERE hour < ?", (hours_from,))
            self._db.execute("DELETE FROM history_minute WHERE minute < ?", (hours_from * 60,))
            self._db.execute("DELETE FROM history_day WHERE day < ?", (days_from,))

    def minutes(self, channel: str, start: int, end: int) -> list[tuple[int, Rollup]]:
        """Give a channel's minutes of a range, in order; minutes without a value are absent."""
        with self._errors("reading the history"):
            hours = self._seek(_PACKED, channel, start // 60, -(-end // 60))
            found = [
                (minute, Rollup(*values))
                for hour, blob in hours
                for minute, values in _unpacked(hour, blob)
                if start <= minute < end
            ]
            return _joined([*found, *self._running(channel, start, end)])

    def hours(self, channel: str, start: int, end: int) -> list[tuple[int, Rollup]]:
        """Give a channel's hours of a range, in order; hours without a value are absent."""
        with self._errors("reading the history"):
            found = [(hour, Rollup(*values)) for hour, *values in self._seek(_HOURS, channel, start, end)]
            running = self._running(channel, start * 60, end * 60)
            return _joined([*found, *((minute // 60, rollup) for minute, rollup in running)])

    def days(self, channel: str, start: int, end: int) -> list[tuple[int, Rollup]]:
        """Give a channel's days of a range, in order; days without a value are absent."""
        with self._errors("reading the history"):
            return [(day, Rollup(*values)) for day, *values in self._seek(_DAYS, channel, start, end)]

    def _seek(self, query: str, channel: str, start: int, end: int) -> list[tuple[Any, ...]]:
        number = self._numbers.get(channel)
        if number is None or start >= end:
            return []
        return self._db.execute(query, (start, end, number)).fetchall()

    def _running(self, channel: str, start: int, end: int) -> Iterable[tuple[int, Rollup]]:
        rows = self._db.execute(_RUNNING, (start, end, self._numbers.get(channel))).fetchall()
        return [(minute, Rollup(*values)) for minute, *values in rows]

    def _numbered(self, names: set[str]) -> dict[str, int]:
        """Give every channel's number, new names included; they count once the transaction does."""
        numbers = dict(self._numbers)
        for name in sorted(names - numbers.keys()):
            numbers[name] = self._db.execute(
                "INSERT INTO history_channel (name) VALUES (?) RETURNING id", (name,)
            ).fetchone()[0]
        return numbers

    def _settle(self, running: int) -> None:
        """Pack the hours before `running`, and keep the whole within its share."""
        query = f"SELECT minute / 60, channel, minute, {_VALUES} FROM history_minute WHERE minute < ? ORDER BY 1, 2, 3"  # noqa: S608 - column names of ours
        rows = self._db.execute(query, (running * 60,)).fetchall()
        if not rows:
            return
        for (hour, channel), group in groupby(rows, lambda row: (row[0], row[1])):
            known = self._db.execute(
                "SELECT minutes FROM history_hour WHERE hour = ? AND channel = ?", (hour, channel)
            ).fetchone()
            before = [(minute, Rollup(*values)) for minute, values in _unpacked(hour, known[0])] if known else []
            minutes = _joined([*before, *((minute, Rollup(*values)) for _, _, minute, *values in group)])
            whole = _joined([(hour, rollup) for _, rollup in minutes])[0][1]
            blob = packed.pack([(minute - hour * 60, _columns(rollup)) for minute, rollup in minutes])
            self._db.execute(
                "INSERT OR REPLACE INTO history_hour VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (hour, channel, *_columns(whole), blob),
            )
        self._db.execute("DELETE FROM history_minute WHERE minute < ?", (running * 60,))
        self._make_room()

    def _make_room(self) -> None:
        size = f"SELECT coalesce(sum(length(minutes) + {_ROW_BYTES}), 0) FROM history_hour"  # noqa: S608 - a constant
        over = self._db.execute(size).fetchone()[0] - self._most_bytes
        while over > 0:
            oldest = self._db.execute("SELECT min(hour) FROM history_hour").fetchone()[0]
            over -= self._db.execute(f"{size} WHERE hour = ?", (oldest,)).fetchone()[0]
            self._db.execute("DELETE FROM history_hour WHERE hour = ?", (oldest,))


def _check(minute: Minute) -> None:
    rollup = minute.rollup
    sound = -VALUE_MOST <= rollup.low <= rollup.first <= rollup.high <= VALUE_MOST
    if not sound or not rollup.low <= rollup.last <= rollup.high or not 0 < rollup.count <= _COUNT_MOST:
        raise ValueError(f"{minute}: no rollup of values up to {VALUE_MOST}")
    if not rollup.low * rollup.count <= rollup.sum <= rollup.high * rollup.count:
        raise ValueError(f"{minute}: the sum is none of such values")


def _columns(rollup: Rollup) -> tuple[int, int, int, int, int, int]:
    return rollup.first, rollup.last, rollup.low, rollup.high, rollup.sum, rollup.count


def _unpacked(hour: int, blob: bytes) -> Iterator[tuple[int, packed.Values]]:
    """Give an hour's minutes; none where a worn card has changed them: a gap is better than a wrong value."""
    try:
        entries = packed.unpack(blob)
    except packed.DamagedError:
        return
    for offset, values in entries:
        yield hour * 60 + offset, values


def _joined(found: Iterable[tuple[int, Rollup]]) -> list[tuple[int, Rollup]]:
    """Put moments in order, and join those that are there more than once, the earlier found first."""
    by_moment: dict[int, Rollup] = {}
    for moment, rollup in found:
        known = by_moment.get(moment)
        by_moment[moment] = rollup if known is None else known.then(rollup)
    return sorted(by_moment.items())
