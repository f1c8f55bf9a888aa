"""What the control socket serves of the history: a range of a channel, by minute, hour or day, gaps as gaps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from buffer.errors import StorageError as OutboxError
from buffer.history import Rollup
from config.channel import Channel
from gateway.app.gives import HISTORY
from gateway.clock import Clock
from gateway.control.routes import Call, Choice, Field, Refusal, Route, Whole, get
from gateway.historian import day_name, day_number
from gateway.sealing import Store

_LAST_S = 1 << 33
_HOUR_S, _DAY_S = 3_600, 86_400
_LONGEST_S = {"minute": 7 * _DAY_S, "hour": 62 * _DAY_S, "day": 1_100 * _DAY_S}
_USUAL_S = {"minute": _DAY_S, "hour": 31 * _DAY_S, "day": 31 * _DAY_S}

_ABOUT = "What a channel did, minute by minute, hour by hour or day by day; where nothing was read there is no row."
_RANGE = (
    Field("from", Whole(0, _LAST_S), "first moment, in s UTC; a usual span before the last if absent"),
    Field("to", Whole(0, _LAST_S), "last moment, not included, in s UTC; now if absent"),
    Field("resolution", Choice(("minute", "hour", "day")), "length of a row; days are the site's", default="minute"),
)


@dataclass(frozen=True, slots=True)
class Past:
    """Answers from the history; `known` gives the channel of a name, or raises Refusal."""

    known: Callable[[str], Channel]
    store: Store
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
        zone, history, name = self.zone, self.store.outbox.history, channel.name
        try:
            if resolution == "day":
                days = await self.store.call(history.days, name, day_number(zone, start), day_number(zone, end - 1) + 1)
                rows = [[day_name(day), *_values(rollup)] for day, rollup in days]
            else:
                length, ask = (60, history.minutes) if resolution == "minute" else (_HOUR_S, history.hours)
                found = await self.store.call(ask, name, start // length, -(-end // length))
                rows = [[moment * length, *_values(rollup)] for moment, rollup in found]
        except OutboxError as error:
            raise Refusal(503, str(error)) from error
        return {
            "channel": name,
            "quantity": channel.quantity.value,
            "unit": channel.unit,
            "exponent": channel.exponent,
            "resolution": resolution,
            "from": start,
            "to": end,
            "fields": ["day" if resolution == "day" else "utc_s", "first", "last", "low", "high", "sum", "count"],
            "rows": rows,
        }

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


def _values(rollup: Rollup) -> tuple[int, ...]:
    return rollup.first, rollup.last, rollup.low, rollup.high, rollup.sum, rollup.count
