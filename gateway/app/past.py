"""What the control socket serves of the history: a range of a channel, by minute, hour, day or month, gaps as gaps.

What is lacking, and what is a share of what a gap took in all, is told as docs/missing-data.md says.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from buffer.errors import StorageError as OutboxError
from buffer.history import History, Row
from config.channel import Channel
from gateway.app.gives import HISTORY
from gateway.clock import Clock
from gateway.control.routes import Call, Choice, Field, Refusal, Route, Whole, get
from gateway.counting import Point, Reach, Use, Uses
from gateway.periods import Periods, days_of, month_of, periods
from gateway.sealing import Store

_LAST_S = 1 << 33
_DAY_S = 86_400
_YEAR_S = 366 * _DAY_S
_LONGEST_S = {"minute": 7 * _DAY_S, "hour": 62 * _DAY_S, "day": 1_100 * _DAY_S, "month": 4 * _YEAR_S}
_USUAL_S = {"minute": _DAY_S, "hour": 31 * _DAY_S, "day": 31 * _DAY_S, "month": 3 * _YEAR_S}

OK, ESTIMATED, INCOMPLETE = "ok", "estimated", "incomplete"
"""States of a row."""

_SETTLING_MIN = 2
"""A minute is in the history a minute or two after it has ended."""

_VALUES = ("first", "last", "low", "high", "sum", "count")
_MORE = ("covered_min", "length_min", "used", "estimated", "state")
_NOTHING = (None, None, None, None, None, 0)

_ABOUT = (
    "What a channel did, by minute, hour, day or month; where nothing was read, and nothing is known of it otherwise, "
    "there is no row. docs/missing-data.md tells what the states mean."
)
_RANGE = (
    Field("from", Whole(0, _LAST_S), "first moment, in s UTC; a usual span before the last if absent"),
    Field("to", Whole(0, _LAST_S), "last moment, not included, in s UTC; now if absent"),
    Field(
        "resolution",
        Choice(("minute", "hour", "day", "month")),
        "length of a row; days and months are the site's",
        default="minute",
    ),
)

_Told = list[int | str | None]


@dataclass(frozen=True, slots=True)
class Past:
    """Answers from the history; `known` gives the channel of a name, or raises Refusal.

    `fresh` brings the history up to now: what is complete waits a few minutes for the disk where nobody asks.
    """

    known: Callable[[str], Channel]
    reaches: Mapping[str, Reach]
    store: Store
    fresh: Callable[[], Awaitable[None]]
    clock: Clock
    zone: tzinfo

    def route(self) -> Route:
        """Give the route /v1/history/{channel}."""
        return get("/v1/history/{channel}", _ABOUT, self._history, *_RANGE, gives=HISTORY)

    async def _history(self, call: Call) -> object:
        channel = self.known(call.path["channel"])
        if channel.is_text:
            raise Refusal(404, f"{channel.name} is a text: only numbers have a history")
        resolution = str(call.query["resolution"])
        start, end = self._range(call, resolution)
        history = self.store.outbox.history
        await self.fresh()
        try:
            rows: list[_Told]
            if resolution == "minute":
                found = await self.store.call(history.minutes, channel.name, start // 60, -(-end // 60))
                rows = [[row.moment * 60, *_values(row)] for row in found]
            else:
                asked = _Asked(channel.name, resolution, periods(resolution, self.zone), (start, end))
                rows = await self.store.call(self._long, history, asked)
        except OutboxError as error:
            raise Refusal(503, str(error)) from error
        moment = "day" if resolution == "day" else "month" if resolution == "month" else "utc_s"
        return {
            "channel": channel.name,
            "quantity": channel.quantity.value,
            "unit": channel.unit,
            "exponent": channel.exponent,
            "resolution": resolution,
            "from": start,
            "to": end,
            "fields": [moment, *_VALUES, *(() if resolution == "minute" else _MORE)],
            "rows": rows,
        }

    def _long(self, history: History, asked: "_Asked") -> list[_Told]:
        """Give hours, days or months, each with how far it is known; on the thread of the history."""
        numbers = asked.periods.within(*asked.range_s)
        bounds = asked.periods.bounds(numbers)
        rows = asked.rows(history, numbers)
        now = self._now_min() or bounds[-1]
        uses = self._uses(history, asked.channel, bounds, rows, now)
        by_number = _by_period(rows, asked.resolution)
        told = []
        for at, number in enumerate(numbers):
            row, use = by_number.get(number), uses.get(at)
            if row is not None or use is not None:
                passed = max(0, min(bounds[at + 1], now) - bounds[at])
                name = asked.periods.name(number)
                told.append([name, *_row(row, use, passed, is_running=now < bounds[at + 1] + _SETTLING_MIN)])
        return told

    def _uses(self, history: History, channel: str, bounds: list[int], rows: list[Row], now: int) -> dict[int, Use]:
        """Give what was used in each period, by its place; nothing for what is no index."""
        reach = self.reaches.get(channel)
        if reach is None or reach.most is None:
            return {}
        before, after = history.before(channel, bounds[0]), history.after(channel, bounds[-1])
        jumped = history.jumps(channel, bounds[0], bounds[-1])
        uses = Uses(bounds, reach, None if before is None else Point(*before))
        for row in rows:
            uses.add(row, jumped)
        # What is filed ahead of now was read while the clock was wrong.
        uses.close(None if after is None or after[0] > now + _SETTLING_MIN else Point(*after), now)
        return uses.found

    def _now_min(self) -> int | None:
        known = self.clock.correlation()
        return None if known is None else known.utc_ms_at(self.clock.boot_ms()) // 60_000

    def _range(self, call: Call, resolution: str) -> tuple[int, int]:
        """Give the moments asked for, in s UTC, the second not included."""
        end = call.query.get("to")
        if end is None:
            known = self.clock.correlation()
            if known is None:
                raise Refusal(503, "the time is not known yet: name from= and to=")
            end = known.utc_ms_at(self.clock.boot_ms()) // 1000 + 1
        start = call.query.get("from", max(0, int(end) - _USUAL_S[resolution]))
        longest = _LONGEST_S[resolution]
        if not 0 < int(end) - int(start) <= longest:
            raise Refusal(422, f"from= is before to=, by {longest} s at most at a resolution of one {resolution}")
        return int(start), int(end)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is wanted: a channel's periods of some kind that have something of `range_s`."""

    channel: str
    resolution: str
    periods: Periods
    range_s: tuple[int, int]

    def rows(self, history: History, numbers: range) -> list[Row]:
        """Give the rows in these periods: hours, or days, of which months are made."""
        if self.resolution == "hour":
            return history.hours(self.channel, numbers.start, numbers.stop)
        days = numbers if self.resolution == "day" else days_of(numbers)
        return history.days(self.channel, days.start, days.stop)


def _by_period(rows: list[Row], resolution: str) -> dict[int, Row]:
    """Give each row by its number, days joined to months where months are wanted."""
    found: dict[int, Row] = {}
    for row in rows:
        number = month_of(row.moment) if resolution == "month" else row.moment
        known = found.get(number)
        found[number] = row.of(number) if known is None else known.joined(row.of(number))
    return found


def _row(row: Row | None, use: Use | None, length_min: int, *, is_running: bool) -> _Told:
    """Tell a period's values, and how far it is known."""
    covered = 0 if row is None else row.covered
    covered = None if covered is None else min(covered, length_min)
    if use is not None:
        is_whole, is_shared = not use.incomplete, use.shared
    else:
        is_whole = covered is None or length_min - covered <= (_SETTLING_MIN if is_running else 0)
        is_shared = False
    is_estimated = is_shared or (row is not None and row.estimated > 0)
    state = INCOMPLETE if not is_whole else ESTIMATED if is_estimated else OK
    used, estimated = (None, None) if use is None else (use.used, use.estimated)
    return [*(_NOTHING if row is None else _values(row)), covered, length_min, used, estimated, state]


def _values(row: Row) -> tuple[int, ...]:
    rollup = row.rollup
    return rollup.first, rollup.last, rollup.low, rollup.high, rollup.sum, rollup.count
