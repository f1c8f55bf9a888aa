"""The statements of `buffer.history`: constants, put together from column names of ours.

Rows are appended by time, so that a commit touches one page and not one a channel; a channel is read by seeking.
"""
# ruff: noqa: S608 - constants alone

from buffer.rollup import COUNT_MOST

JUMPS_MOST = 4096
"""Jumps that are kept: a meter that is changed makes one, one that is misread for months makes many."""

_SUMS = f"""
        low = min(low, excluded.low), high = max(high, excluded.high),
        sum = sum + iif(count + excluded.count <= {COUNT_MOST}, excluded.sum, 0),
        count = count + iif(count + excluded.count <= {COUNT_MOST}, excluded.count, 0)
"""
RETIRE = "UPDATE history_channel SET name = name || '@' || id WHERE name = ?"
"""No channel has an @ in its name."""
MINUTE = f"""
    INSERT INTO history_minute VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        last = excluded.last, {_SUMS},
        covered = max(covered, excluded.covered), estimated = max(estimated, excluded.estimated)
"""
DAY = f"""
    INSERT INTO history_day VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        first = iif(excluded.first_at < first_at, excluded.first, first), first_at = min(first_at, excluded.first_at),
        last = iif(excluded.last_at >= last_at, excluded.last, last), last_at = max(last_at, excluded.last_at), {_SUMS},
        covered = covered + excluded.covered, estimated = estimated + excluded.estimated
"""
JUMP = """
    INSERT INTO history_jump VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        after = after + excluded.after - excluded.before
"""

_SEEK = """
    WITH RECURSIVE moment (x) AS (SELECT ?1 UNION ALL SELECT x + 1 FROM moment WHERE x + 1 < ?2)
    SELECT x, {} FROM moment CROSS JOIN {} ON {} = x AND channel = ?3
"""
VALUES = "first, last, low, high, sum, count"
_SPAN = f"{VALUES}, first_at, last_at, covered, estimated"
DAYS = _SEEK.format(_SPAN, "history_day", "day")
HOURS = _SEEK.format(_SPAN, "history_hour", "hour")
PACKED = _SEEK.format("minutes", "history_hour", "hour")
RUNNING = f"""
    SELECT minute, covered, estimated, {VALUES} FROM history_minute
    WHERE minute >= ? AND minute < ? AND channel = ? ORDER BY minute
"""
HOUR_PACKED = "SELECT minutes FROM history_hour WHERE hour = ? AND channel = ?"
HOUR_RUNNING = "SELECT minute FROM history_minute WHERE minute >= ? AND minute < ? AND channel = ?"
DAY_SPAN = "SELECT first_at, last_at FROM history_day WHERE day = ? AND channel = ?"
_EDGE = "SELECT {}, {} FROM {} WHERE channel = ?1 AND {} ORDER BY {} LIMIT 1"
_AT_FIRST, _AT_LAST = "day * 1440 + first_at", "day * 1440 + last_at"
BEFORE_DAY = _EDGE.format(_AT_LAST, "last", "history_day", f"{_AT_LAST} < ?2 AND day <= ?2 / 1440 + 1", "day DESC")
BEFORE = (
    _EDGE.format("minute", "last", "history_minute", "minute < ?2", "minute DESC"),
    _EDGE.format("hour * 60 + last_at", "last", "history_hour", "hour < ?2 / 60", "hour DESC"),
)
AFTER = (
    _EDGE.format("minute", "first", "history_minute", "minute >= ?2", "minute"),
    _EDGE.format("hour * 60 + first_at", "first", "history_hour", "hour > ?2 / 60", "hour"),
    _EDGE.format(_AT_FIRST, "first", "history_day", f"{_AT_FIRST} >= ?2 AND day >= ?2 / 1440 - 1", "day"),
)
"""Minute and value of a channel (?1) next to a minute (?2): within hours and days that lie wholly beyond it."""

NEWEST = """
    SELECT name, max(day * 1440 + last_at), last FROM history_day JOIN history_channel ON history_channel.id = channel
    WHERE day > (SELECT max(day) FROM history_day) - 31 GROUP BY channel
"""
TO_PACK = f"""
    SELECT minute / 60, channel, minute, covered, estimated, {VALUES} FROM history_minute
    WHERE minute < ? ORDER BY 1, 2, 3
"""
_ROW_BYTES = 52  # about what an hour's row takes beside its packed minutes
SIZE = f"SELECT coalesce(sum(length(minutes) + {_ROW_BYTES}), 0) FROM history_hour"
FORGET_JUMPS = f"""
    DELETE FROM history_jump WHERE minute <= (
        SELECT minute FROM history_jump ORDER BY minute DESC LIMIT 1 OFFSET {JUMPS_MOST})
"""
