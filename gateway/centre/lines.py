"""Readings as lines: CSV for spreadsheets, JSON for programs, by the policy of docs/missing-data.md.

What was not read is no line; where that lasts, a gap is one of its own. Values are exact: the integer that was read,
shifted by the channel's exponent, never a float.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from gateway.cells import cell
from gateway.centre.decode import Decoded
from gateway.centre.follow import Alarmed, DroppedRange, Event
from gateway.wire.gaps import Gaps, bound_ms
from gateway.wire.placing import Placed
from gateway.wire.schema import ChannelInfo

STATES = ("ok", "estimated", "suspect")
ABSENT = "absent"

CSV_COLUMNS = "gateway;stream;time;channel;value;unit;state;clock"

JSON_SCHEMA = "gateway/centre-line/1"


class Lines(Protocol):
    """Makes lines of events, without their ends."""

    def head(self) -> Iterator[str]:
        """Give what stands above all."""

    def lines(self, event: Event) -> Iterator[str]:
        """Give the lines of one event."""


def state(quality: int) -> str:
    """Name a quality; one that this version does not know is not trusted."""
    return STATES[quality] if quality < len(STATES) else "suspect"


def exact(value: int, exponent: int) -> str:
    """Write value x 10^exponent in digits: 1234 with -1 is 123.4."""
    if exponent >= 0:
        return str(value * 10**exponent)
    digits = str(abs(value)).rjust(1 - exponent, "0")
    return f"{'-' if value < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"


def iso(utc_ms: int) -> str:
    """Write a moment, to the millisecond and with its offset, which is that of UTC."""
    seconds, milliseconds = divmod(utc_ms, 1_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # signed by its gateway, and beyond the year 9999
        return f"+{utc_ms}ms"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}+00:00"


@dataclass(frozen=True, slots=True)
class Row:
    """One reading, or (value None) a gap: nothing was read of the channel after `placed` until its next row."""

    channel: ChannelInfo
    boot_id: bytes
    boot_ms: int
    placed: Placed | None
    value: int | str | None
    state: str


class Rows:
    """From segments, each stream's in order, to rows in order of time, with gaps where they lie."""

    def __init__(self) -> None:
        self._gaps: dict[tuple[str, str], tuple[Gaps, bytes | None]] = {}

    def of(self, decoded: Decoded) -> Iterator[Row]:
        """Give the rows of one segment."""
        by_name = {channel.name: channel for channel in decoded.schema.channels}
        boot_id, timeline = decoded.content.boot_id, decoded.timeline
        found: list[Row] = []
        for table in decoded.content.groups.values():
            placed = [timeline.at(tick) for tick in table.ticks]
            for name, column in table.columns.items():
                channel, quality = by_name[name], table.quality.get(name)
                for at, value in enumerate(column):
                    if value is not None:
                        good = 0 if quality is None else quality[at]
                        found.append(Row(channel, boot_id, table.ticks[at], placed[at], value, state(good)))
        found.sort(key=lambda row: row.boot_ms)
        for row in found:
            yield from self._gap(decoded, row)
            yield row

    def _gap(self, decoded: Decoded, row: Row) -> Iterator[Row]:
        stream = (decoded.gateway, decoded.stream)
        gaps, scale = self._gaps.get(stream) or (Gaps(bound_ms(decoded.stream)), None)
        now = None if row.placed is not None else row.boot_id
        if scale != now and stream in self._gaps:
            gaps.forget()  # a boot that is not placed has a time of its own
        self._gaps[stream] = (gaps, now)
        at_ms = row.boot_ms if row.placed is None else row.placed.utc_ms
        before = gaps.reading(row.channel.name, at_ms)
        if before is not None:
            since = None if row.placed is None else Placed(before, row.placed.uncertainty_ms, row.placed.provisional)
            yield Row(row.channel, row.boot_id, row.boot_ms + before - at_ms, since, None, ABSENT)


class Csv:
    """`;` between columns, `.` as decimal sign, texts in quotes where they need them (RFC 4180)."""

    def __init__(self) -> None:
        self._rows = Rows()

    def head(self) -> Iterator[str]:
        """Give the names of the columns."""
        yield CSV_COLUMNS

    def lines(self, event: Event) -> Iterator[str]:
        """Give a line for each row; what is no reading has none here."""
        if not isinstance(event, Decoded):
            return
        for row in self._rows.of(event):
            if row.placed is None:
                when, clock = "", f"boot {row.boot_id.hex()} {row.boot_ms}"
            else:
                when, clock = iso(row.placed.utc_ms), "meter" if row.placed.provisional else "trusted"
            value = "" if row.value is None else row.value
            told = exact(value, row.channel.exponent) if isinstance(value, int) else cell(value)
            fields = (event.gateway, event.stream, when, cell(row.channel.name), told, cell(row.channel.unit))
            yield ";".join((*fields, row.state, clock))


class Json:
    """One JSON object a line: `type` is reading, gap, segment, dropped or alarm."""

    def __init__(self) -> None:
        self._rows = Rows()

    def head(self) -> Iterator[str]:
        """Give nothing: each line says by itself what it is."""
        return iter(())

    def lines(self, event: Event) -> Iterator[str]:
        """Give the lines of an event: of a segment one that tells where it stands, then its readings and gaps."""
        if isinstance(event, DroppedRange):
            yield _object(
                "dropped",
                gateway=event.gateway,
                stream=event.stream,
                epoch=event.epoch.hex(),
                first=event.first,
                last=event.last,
                readings=event.readings,
                reason=event.reason,
            )
        elif isinstance(event, Alarmed):
            alarm = event.alarm
            yield _object(
                "alarm",
                gateway=event.gateway,
                kind=alarm.kind,
                text=alarm.text,
                time=None if alarm.utc_ms is None else iso(alarm.utc_ms),
                boot_ms=alarm.boot_ms,
                arrived=iso(event.arrived_utc_ms),
            )
        else:
            yield from self._segment(event)

    def _segment(self, decoded: Decoded) -> Iterator[str]:
        yield _object(
            "segment",
            gateway=decoded.gateway,
            stream=decoded.stream,
            epoch=decoded.epoch.hex(),
            sequence=decoded.sequence,
            boot_id=decoded.content.boot_id.hex(),
            readings=decoded.content.count(),
            arrived=iso(decoded.arrived_utc_ms),
        )
        where = json.dumps({"gateway": decoded.gateway, "stream": decoded.stream})[1:-1]
        for row in self._rows.of(decoded):
            placed = row.placed
            facts = {
                "channel": row.channel.name,
                "time": None if placed is None else iso(placed.utc_ms),
                "clock": None if placed is None else "meter" if placed.provisional else "trusted",
                "uncertainty_ms": None if placed is None else placed.uncertainty_ms,
                "boot_ms": row.boot_ms,
                "state": row.state,
            }
            told = json.dumps(facts, ensure_ascii=False)[1:-1]
            kind = "gap" if row.value is None else "reading"
            head = f'{{"schema": "{JSON_SCHEMA}", "type": "{kind}", {where}, {told}'
            if row.value is None:
                yield f"{head}}}"
                continue
            unit = json.dumps(row.channel.unit, ensure_ascii=False)
            # Not through json: a number of it would go through a float.
            value = exact(row.value, row.channel.exponent) if isinstance(row.value, int) else json.dumps(row.value)
            yield f'{head}, "value": {value}, "unit": {unit}}}'


def _object(type_: str, **facts: object) -> str:
    return json.dumps({"schema": JSON_SCHEMA, "type": type_, **facts}, ensure_ascii=False)
