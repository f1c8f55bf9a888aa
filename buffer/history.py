"""The history: what each channel did in every minute, hour and day, for the page's charts and totals.

It knows names, times and integers; what they mean, and where a day begins, is the caller's. A minute in which nothing
was read is not there: a gap is never zero. Minutes of the hour that is running are rows; an hour that has ended becomes
one row a channel with its minutes packed, so that a card is written little and a start reads little. Hours go when they
are old or the history has grown over its share of the file, days when they are old.

Used by the thread of its outbox. Minutes, hours and days are numbered from 1970-01-01; ranges end before `end`.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from buffer import history_sql as sql
from buffer import packed
from buffer.database import Database
from buffer.rollup import VALUE_MOST, Jump, Jumped, Minute, Rollup, Row, check

__all__ = ["VALUE_MOST", "History", "Jump", "Jumped", "Minute", "Rollup", "Row"]

_HOUR_MIN, _DAY_MIN = 60, 1440


class History:
    """The history in an outbox' database; made by Outbox, whose transactions and errors (StorageError) are its own."""

    def __init__(self, database: Database, *, most_bytes: int) -> None:
        self._disk = database
        self._transaction = database.transaction
        self._errors = database.errors
        self._most_bytes = most_bytes
        self._numbers: dict[str, int] = dict(self._db.execute("SELECT name, id FROM history_channel"))
        self.began_empty = not self._numbers
        """Whether nothing was in it when it was opened."""

    @property
    def _db(self) -> sqlite3.Connection:
        return self._disk.connection

    def known(self) -> dict[str, int]:
        """Give what is known in memory, for `restore`."""
        return self._numbers

    def restore(self, known: dict[str, int]) -> None:
        """Forget what was noted since: it did not happen."""
        self._numbers = known

    def add(self, minutes: Sequence[Minute]) -> None:
        """Store minutes in one synced transaction; what comes for a minute that is there is joined to it, as later.

        Raises ValueError, and stores nothing, where a value is beyond VALUE_MOST.
        """
        self._store(minutes, lambda rows: rows)

    def fill(self, minutes: Sequence[Minute], *, hours_from: int) -> None:
        """Store what is not there yet of minutes that are long past, as often as it is told.

        Those of hours before `hours_from` count in their days alone, and there is nothing known of them but from the
        first to the last minute of a day.
        """
        self._store(minutes, lambda rows: self._lacking(rows, hours_from), minutes_from=hours_from * _HOUR_MIN)

    def _store(
        self,
        minutes: Sequence[Minute],
        chosen: Callable[[list[tuple[Minute, int]]], list[tuple[Minute, int]]],
        *,
        minutes_from: int = 0,
    ) -> None:
        if not minutes:
            return
        for each in minutes:
            check(each)
        with self._transaction("storing the history"):
            numbers = self._numbered({each.channel for each in minutes})
            rows = chosen([(each, numbers[each.channel]) for each in minutes])
            self._db.executemany(sql.DAY, list(self._days_of(rows)))  # asks what is there before it is changed
            late = [_minute_row(each, number) for each, number in rows if each.minute >= minutes_from]
            self._db.executemany(sql.MINUTE, late)
            self._db.executemany(sql.JUMP, [jump for each, number in rows for jump in _jump_rows(each, number)])
            self._settle(max(each.minute for each in minutes) // _HOUR_MIN)
        self._numbers = numbers

    def retire(self, channels: Collection[str]) -> None:
        """Put out of sight what is known of some channels: from now on their numbers mean something else."""
        with self._transaction("retiring channels"):
            self._db.executemany(sql.RETIRE, [(name,) for name in channels])
        self._numbers = {name: number for name, number in self._numbers.items() if name not in channels}

    def prune(self, *, hours_from: int, days_from: int) -> None:
        """Forget the hours, with their minutes, and the days before these."""
        with self._transaction("pruning the history"):
            self._db.execute("DELETE FROM history_hour WHERE hour < ?", (hours_from,))
            self._db.execute("DELETE FROM history_minute WHERE minute < ?", (hours_from * _HOUR_MIN,))
            self._db.execute("DELETE FROM history_day WHERE day < ?", (days_from,))
            self._db.execute("DELETE FROM history_jump WHERE minute < ?", (days_from * _DAY_MIN,))

    def minutes(self, channel: str, start: int, end: int) -> list[Row]:
        """Give a channel's minutes of a range, in order; minutes without a value are absent."""
        with self._errors("reading the history"):
            return self._minutes(channel, start, end)

    def hours(self, channel: str, start: int, end: int) -> list[Row]:
        """Give a channel's hours of a range, in order; hours without a value are absent."""
        with self._errors("reading the history"):
            found = {row[0]: _row(row, _HOUR_MIN) for row in self._seek(sql.HOURS, channel, start, end)}
            for hour in {row.moment // _HOUR_MIN for row in self._running(channel, start * _HOUR_MIN, end * _HOUR_MIN)}:
                (found[hour],) = _joined(
                    row.of(hour) for row in self._minutes(channel, hour * _HOUR_MIN, (hour + 1) * _HOUR_MIN)
                )
            return [found[hour] for hour in sorted(found)]

    def days(self, channel: str, start: int, end: int) -> list[Row]:
        """Give a channel's days of a range, in order; days without a value are absent."""
        with self._errors("reading the history"):
            return [_row(row, _DAY_MIN) for row in self._seek(sql.DAYS, channel, start, end)]

    def before(self, channel: str, minute: int) -> tuple[int, int] | None:
        """Give the minute and the value of the newest reading before `minute`, None where none is known."""
        with self._errors("reading the history"):
            found = [(row.moment, row.rollup.last) for row in self._minutes(channel, minute // 60 * 60, minute)[-1:]]
            found += self._edges(channel, minute, sql.BEFORE)
            at, last = max(found or self._edges(channel, minute, (sql.BEFORE_DAY,)), default=(None, 0))
            return None if at is None else (at, self._joined_at(channel, at, Rollup(0, last, 0, 0, 0, 0)).last)

    def after(self, channel: str, minute: int) -> tuple[int, int] | None:
        """Give the minute and the value of the oldest reading from `minute` on, None where none is known."""
        with self._errors("reading the history"):
            found = [(row.moment, row.rollup.first) for row in self._minutes(channel, minute, minute // 60 * 60 + 60)]
            found += self._edges(channel, minute, sql.AFTER)
            at, first = min(found, default=(None, 0))
            return None if at is None else (at, self._joined_at(channel, at, Rollup(first, 0, 0, 0, 0, 0)).first)

    def newest(self) -> dict[str, tuple[int, int]]:
        """Give the minute and the value of each channel's newest reading, of the last 31 days that have any."""
        with self._errors("reading the history"):
            return {name: (minute, last) for name, minute, last in self._db.execute(sql.NEWEST).fetchall()}

    def jumps(self, channel: str, start: int, end: int) -> list[Jumped]:
        """Give a channel's jumps in the minutes of a range, in order."""
        with self._errors("reading the history"):
            rows = self._db.execute(
                "SELECT minute, inside, before, after FROM history_jump"
                " WHERE minute >= ? AND minute < ? AND channel = ? ORDER BY minute, inside",
                (start, end, self._numbers.get(channel)),
            ).fetchall()
            return [Jumped(minute, bool(inside), Jump(before, after)) for minute, inside, before, after in rows]

    def _minutes(self, channel: str, start: int, end: int) -> list[Row]:
        hours = self._seek(sql.PACKED, channel, start // _HOUR_MIN, -(-end // _HOUR_MIN))
        found = [row for hour, blob in hours for row in _unpacked(hour, blob) if start <= row.moment < end]
        return _joined([*found, *self._running(channel, start, end)])

    def _seek(self, query: str, channel: str, start: int, end: int) -> list[tuple[Any, ...]]:
        number = self._numbers.get(channel)
        if number is None or start >= end:
            return []
        return self._db.execute(query, (start, end, number)).fetchall()

    def _running(self, channel: str, start: int, end: int) -> Iterable[Row]:
        rows = self._db.execute(sql.RUNNING, (start, end, self._numbers.get(channel))).fetchall()
        return [_minute(row[0], row[1], row[2], row[3:]) for row in rows]

    def _joined_at(self, channel: str, minute: int, otherwise: Rollup) -> Rollup:
        """Give what is known of a minute, also where a part of it came late."""
        found = self._minutes(channel, minute, minute + 1)
        return found[0].rollup if found else otherwise

    def _edges(self, channel: str, minute: int, queries: Iterable[str]) -> Iterator[tuple[int, int]]:
        for query in queries:
            found = self._db.execute(query, (self._numbers.get(channel), minute)).fetchone()
            if found is not None:
                yield found

    def _numbered(self, names: set[str]) -> dict[str, int]:
        """Give every channel's number, new names included; they count once the transaction does."""
        numbers = dict(self._numbers)
        for name in sorted(names - numbers.keys()):
            numbers[name] = self._db.execute(
                "INSERT INTO history_channel (name) VALUES (?) RETURNING id", (name,)
            ).fetchone()[0]
        return numbers

    def _lacking(self, rows: Iterable[tuple[Minute, int]], hours_from: int) -> list[tuple[Minute, int]]:
        """Give those minutes of which nothing is there."""
        there: dict[tuple[bool, int, int], range | set[int]] = {}
        found: dict[tuple[int, int], tuple[Minute, int]] = {}
        for each, number in rows:
            is_kept = each.minute // _HOUR_MIN >= hours_from
            key = (is_kept, each.minute // _HOUR_MIN if is_kept else each.day, number)
            if key not in there:
                there[key] = self._known_minutes(*key[1:]) if is_kept else self._known_span(*key[1:])
            if each.minute not in there[key]:
                found.setdefault((each.minute, number), (each, number))
        return list(found.values())

    def _known_minutes(self, hour: int, number: int) -> set[int]:
        blob = self._db.execute(sql.HOUR_PACKED, (hour, number)).fetchone()
        start = hour * _HOUR_MIN
        running = self._db.execute(sql.HOUR_RUNNING, (start, start + _HOUR_MIN, number)).fetchall()
        return {row.moment for row in (_unpacked(hour, blob[0]) if blob else ())} | {minute for (minute,) in running}

    def _known_span(self, day: int, number: int) -> range:
        found = self._db.execute(sql.DAY_SPAN, (day, number)).fetchone()
        return range(0) if found is None else range(day * _DAY_MIN + found[0], day * _DAY_MIN + found[1] + 1)

    def _days_of(self, rows: Sequence[tuple[Minute, int]]) -> Iterator[tuple[int, ...]]:
        """Give what minutes add to their days: a minute that is there already, cut in two by a restart, counts once."""
        known: dict[tuple[int, int], tuple[int, int]] = {}
        for minute in {each.minute for each, _ in rows}:
            for number, covered, estimated in self._db.execute(
                "SELECT channel, covered, estimated FROM history_minute WHERE minute = ?", (minute,)
            ):
                known[minute, number] = covered, estimated
        for each, number in rows:
            covered, estimated = known.get((each.minute, number), (0, 0))
            known[each.minute, number] = max(covered, each.covered), max(estimated, each.estimated)
            at = each.minute - each.day * _DAY_MIN
            more = known[each.minute, number]
            yield each.day, number, *_columns(each.rollup), at, at, more[0] - covered, more[1] - estimated

    def _settle(self, running: int) -> None:
        """Pack the hours before `running`, and keep the whole within its share."""
        rows = self._db.execute(sql.TO_PACK, (running * _HOUR_MIN,)).fetchall()
        if not rows:
            return
        for (hour, channel), group in groupby(rows, lambda row: (row[0], row[1])):
            blob = self._db.execute(sql.HOUR_PACKED, (hour, channel)).fetchone()
            before = list(_unpacked(hour, blob[0])) if blob else []
            minutes = _joined([*before, *(_minute(row[2], row[3], row[4], row[5:]) for row in group)])
            self._db.execute(
                "INSERT OR REPLACE INTO history_hour VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                _hour_row(hour, channel, minutes),
            )
        self._db.execute("DELETE FROM history_minute WHERE minute < ?", (running * _HOUR_MIN,))
        self._make_room()

    def _make_room(self) -> None:
        over = self._db.execute(sql.SIZE).fetchone()[0] - self._most_bytes
        while over > 0:
            oldest = self._db.execute("SELECT min(hour) FROM history_hour").fetchone()[0]
            over -= self._db.execute(f"{sql.SIZE} WHERE hour = ?", (oldest,)).fetchone()[0]
            self._db.execute("DELETE FROM history_hour WHERE hour = ?", (oldest,))
        self._db.execute(sql.FORGET_JUMPS)


def _columns(rollup: Rollup) -> tuple[int, int, int, int, int, int]:
    return rollup.first, rollup.last, rollup.low, rollup.high, rollup.sum, rollup.count


def _minute_row(minute: Minute, number: int) -> tuple[int, ...]:
    return minute.minute, number, *_columns(minute.rollup), minute.covered, minute.estimated


def _jump_rows(minute: Minute, number: int) -> Iterator[tuple[int, ...]]:
    for inside, jump in enumerate((minute.joint, minute.inside)):
        if jump is not None:
            yield minute.minute, number, inside, jump.before, jump.after


def _hour_row(hour: int, channel: int, minutes: Sequence[Row]) -> tuple[int | bytes | None, ...]:
    start = hour * _HOUR_MIN
    (whole,) = _joined([row.of(hour) for row in minutes])
    blob = packed.pack(
        (row.moment - start, row.covered or 1, bool(row.estimated), _columns(row.rollup)) for row in minutes
    )
    at = whole.first_at - start, whole.last_at - start
    return hour, channel, *_columns(whole.rollup), blob, *at, whole.covered, whole.estimated


def _row(found: tuple[Any, ...], length: int) -> Row:
    moment, *values, first_at, last_at, covered, estimated = found
    start = moment * length
    return Row(moment, Rollup(*values), start + first_at, start + last_at, covered, estimated)


def _minute(minute: int, covered: int, estimated: int, values: Iterable[int]) -> Row:
    return Row(minute, Rollup(*values), minute, minute, covered, estimated)


def _unpacked(hour: int, blob: bytes) -> Iterator[Row]:
    """Give an hour's minutes; none where a worn card has changed them: a gap is better than a wrong value."""
    try:
        entries = packed.unpack(blob)
    except packed.DamagedError:
        return
    for offset, covered, estimated, values in entries:
        yield _minute(hour * _HOUR_MIN + offset, covered, int(estimated), values)


def _joined(found: Iterable[Row]) -> list[Row]:
    """Put moments in order, and join those that are there more than once, the earlier found first."""
    by_moment: dict[int, Row] = {}
    for row in found:
        known = by_moment.get(row.moment)
        by_moment[row.moment] = row if known is None else known.joined(row)
    return sorted(by_moment.values(), key=lambda row: row.moment)
