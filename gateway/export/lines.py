"""Readings as the CSV of docs/missing-data.md: exact values, a state for each, and a row for each gap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from gateway.cells import cell
from gateway.export.kept import Value
from gateway.wire.gaps import Gaps
from gateway.wire.schema import ChannelInfo

HEADER = "time;channel;value;unit;state;clock"

STATES = {0: "ok", 1: "estimated", 2: "suspect"}

_LATER = 1 << 62


@dataclass(slots=True)
class Count:
    """How many rows were written, and how many of them tell of a gap."""

    rows: int = 0
    gaps: int = 0


@dataclass(slots=True)
class Lines:
    """Writes readings in the order in which they come, from `start_ms` up to before `end_ms` (UTC; None: no bound).

    `bound_ms` is that of the tier (`gateway.wire.gaps.bound_ms`); `comma` writes decimals as French spreadsheets do.
    """

    zone: tzinfo
    bound_ms: int
    start_ms: int | None = None
    end_ms: int | None = None
    comma: bool = False
    count: Count = field(default_factory=Count)

    def write(self, values: Iterable[Value], channels: Iterable[ChannelInfo]) -> Iterator[str]:
        """Give the lines, the first names the columns; `channels` are all that might have said something."""
        yield HEADER
        gaps: dict[bytes | None, Gaps] = {}  # each boot that is not placed has a scale of its own
        for each in values:
            scale, at_ms = (each.boot_id, each.boot_ms) if each.placed is None else (None, each.placed.utc_ms)
            if scale is None and not (self.start_ms or -_LATER) <= at_ms < (self.end_ms or _LATER):
                continue
            known = gaps.setdefault(scale, Gaps(self.bound_ms))
            is_first = known.last(each.channel.name) is None
            before = known.reading(each.channel.name, at_ms)
            if is_first and scale is None and self.start_ms is not None and at_ms - self.start_ms > self.bound_ms:
                before = self.start_ms
            if before is not None:
                yield self._gap(each.channel, before, scale)
            yield self._line(each)
        yield from self._ends(gaps.get(None) or Gaps(self.bound_ms), channels)

    def _ends(self, placed: Gaps, channels: Iterable[ChannelInfo]) -> Iterator[str]:
        """Give the gaps that last up to the end of the file."""
        if self.end_ms is None:
            return
        for channel in channels:
            if placed.open_at(channel.name, self.end_ms):
                last = placed.last(channel.name)
                since = self.start_ms if last is None else last
                if since is not None:
                    yield self._gap(channel, since, None)

    def _line(self, each: Value) -> str:
        self.count.rows += 1
        channel = each.channel
        if isinstance(each.value, int):
            value = _number(each.value, channel.exponent)
            value = value.replace(".", ",") if self.comma else value
        else:
            value = cell(each.value)
        state = STATES.get(each.quality, "suspect")
        if each.placed is None:
            return _row("", channel, value, state, _boot(each.boot_id, each.boot_ms))
        clock = "meter" if each.placed.provisional else "trusted"
        return _row(self._time(each.placed.utc_ms), channel, value, state, clock)

    def _gap(self, channel: ChannelInfo, since_ms: int, boot_id: bytes | None) -> str:
        self.count.rows += 1
        self.count.gaps += 1
        time, clock = (self._time(since_ms), "") if boot_id is None else ("", _boot(boot_id, since_ms))
        return _row(time, channel, "", "absent", clock)

    def _time(self, utc_ms: int) -> str:
        moment = datetime.fromtimestamp(utc_ms // 1000, UTC).replace(microsecond=utc_ms % 1000 * 1000)
        return moment.astimezone(self.zone).isoformat(timespec="milliseconds")


def _row(time: str, channel: ChannelInfo, value: str, state: str, clock: str) -> str:
    return f"{time};{cell(channel.name)};{value};{cell(channel.unit)};{state};{clock}"


def _number(value: int, exponent: int) -> str:
    return format(Decimal(value).scaleb(exponent), "f") if exponent else str(value)


def _boot(boot_id: bytes, boot_ms: int) -> str:
    return f"boot {boot_id.hex()} {boot_ms}"
