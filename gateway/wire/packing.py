"""A segment's payload: the records of one lot as compressed columns, and back, for whoever has the schema.

Payload: raw deflate (RFC 1951) over deterministic CBOR [version, boot id, start, groups, numbers]. A group is [number,
first tick after `start`, count of ticks, columns]. `numbers` is one byte string of varints (`numbers`), taken in the
order of the groups: the second differences of a group's further ticks, signed; the differences of its channels'
numbers, less one, beginning from -1; then what its columns ask for (`columns`).

A segment decodes alone: nothing of an earlier one is needed. Ticks are boot times; the clock records of the same boot
place them (`placing`).
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeGuard

from gateway.wire import cbor
from gateway.wire.columns import Run, read_column, write_column
from gateway.wire.errors import MalformedMessage
from gateway.wire.numbers import Numbers, write_varints, zigzag
from gateway.wire.record import Changes, read_record
from gateway.wire.schema import Schema

CONTENT = "gw/segment;v=1"

INFLATED_LIMIT = 1024 * 1024
"""Bytes that a payload may inflate to; a segment of 300 s has some 3,000."""

CELLS_LIMIT = 1_000_000
"""Values (ticks x channels) in one segment; a building of 70 readings/s makes 63,000 in a lot's 15 minutes."""

_VERSION = 1
_RAW = -15  # deflate without zlib's header and checksum: the signature is the better one
_LEVEL = 9  # 0.5 % smaller than 6, for some 30 ns a reading
_DEPTH = 7  # content, groups, group, columns, map of a column, its body, its texts
_BOOT_ID_BYTES = 16
_MS_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Table:
    """What one group read: boot times in ms, and the values of each channel that was ever read, None where it was not.

    `quality` has an entry only for channels that were not good throughout; 0 is good.
    """

    ticks: list[int]
    columns: dict[str, list[int | str | None]]
    quality: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """What a segment says; its ticks are boot times of `boot_id`."""

    boot_id: bytes
    groups: dict[str, Table]

    def readings(self) -> Iterator[tuple[str, int, int | str, int]]:
        """Give channel name, boot_ms, value and quality of every reading, channel by channel, each in order of time."""
        for table in self.groups.values():
            for name, column in table.columns.items():
                quality = table.quality.get(name) or [0] * len(column)
                for boot_ms, value, good in zip(table.ticks, column, quality, strict=True):
                    if value is not None:
                        yield name, boot_ms, value, good

    def count(self) -> int:
        """Count the readings."""
        return sum(
            len(column) - column.count(None) for table in self.groups.values() for column in table.columns.values()
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Which boot and which schema the records of a lot belong to."""

    boot_id: bytes
    schema_id: bytes


def origin(record: bytes) -> Origin:
    """Tell where a journal record comes from: a segment's header must name that schema, whatever is configured now."""
    opened = read_record(record)
    return Origin(opened.boot_id, opened.schema_id)


def pack(records: Sequence[bytes]) -> bytes:
    """Pack the records of one lot, in order, the first of which stands alone.

    Raises ValueError for records that do not belong together.
    """
    opened = [read_record(record) for record in records]
    if not opened or not opened[0].standalone:
        raise ValueError("the first record of a segment must stand alone: restart the recorder when sealing")
    boot_id = opened[0].boot_id
    if any((each.boot_id, each.schema_id) != (boot_id, opened[0].schema_id) for each in opened):
        raise ValueError("records of different boots or schemas in one segment")
    groups: dict[int, _Group] = {}
    for each in opened:
        if each.standalone:
            for group in groups.values():
                group.forget()
        for part in each.groups:
            groups.setdefault(part.group, _Group()).extend(part)
    start = min(group.ticks[0] for group in groups.values())
    numbers: list[int] = []
    written = [groups[number].write(number, start, numbers) for number in sorted(groups)]
    return deflate(cbor.encode([_VERSION, boot_id, start, written, write_varints(numbers)]))


def deflate(content: bytes) -> bytes:
    """Compress a segment's content, as `inflate` reads it."""
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    return deflater.compress(content) + deflater.flush()


def unpack(payload: bytes, schema: Schema) -> SegmentContent:
    """Decode a payload that `schema` (the one named in the segment's header) describes; raise MalformedMessage."""
    document = cbor.decode(inflate(payload), depth=_DEPTH)
    if not isinstance(document, list) or len(document) != 5 or type(document[0]) is not int or document[0] != _VERSION:
        raise MalformedMessage(
            f"segment: content of version {_VERSION} is wanted; a newer gateway needs a newer reader"
        )
    _, boot_id, start, groups, octets = document
    if not isinstance(boot_id, bytes) or len(boot_id) != _BOOT_ID_BYTES:
        raise MalformedMessage("segment: a boot id of 16 bytes is wanted")
    # A segment is sealed from what was read: one without a group says nothing, and no gateway makes it.
    if not _is_time(start) or not isinstance(groups, list) or not groups or not isinstance(octets, bytes):
        raise MalformedMessage("segment: a start, a list of groups and their numbers are wanted")
    numbers = Numbers(octets)
    tables: dict[str, Table] = {}
    room = CELLS_LIMIT
    for item in groups:
        name, table = _read_group(item, schema, start, room, numbers)
        if name in tables:
            raise MalformedMessage(f"segment: group {name} comes twice")
        tables[name] = table
        room -= len(table.ticks) * max(1, len(table.columns))
    numbers.end()
    return SegmentContent(boot_id, tables)


_Event = tuple[int, int | str | None, int]


class _Group:
    """The columns of one group while records come in: for each channel the changes, (tick, value, quality)."""

    def __init__(self) -> None:
        self.ticks: list[int] = []
        self.events: dict[int, list[_Event]] = {}

    def forget(self) -> None:
        """From the next tick on, every channel is not read until a record says otherwise."""
        for number in self.events:
            self._change(len(self.ticks), number, None, 0)

    def extend(self, part: Changes) -> None:
        """Append one record's ticks and changes."""
        start = len(self.ticks)
        for number, known, quality in part.base:
            self._change(start, number, known, quality)
        for tick, number, value, quality in part.changes:
            self._change(start + tick, number, value, quality)
        self.ticks.extend(part.ticks)

    def write(self, number: int, start: int, numbers: list[int]) -> cbor.Item:
        """Encode ticks, the first as so long after `start`, and columns; their numbers go to `numbers`."""
        columns = {channel: runs for channel in sorted(self.events) if (runs := self._runs(channel))}
        deltas = [0, *(after - before for before, after in pairwise(self.ticks))]
        numbers.extend(zigzag(after - before) for before, after in pairwise(deltas))
        numbers.extend(after - before - 1 for before, after in pairwise([-1, *columns]))
        written = [write_column(runs, numbers) for runs in columns.values()]
        return [number, self.ticks[0] - start, len(self.ticks), written]

    def _change(self, tick: int, number: int, value: int | str | None, quality: int) -> None:
        events = self.events.setdefault(number, [])
        if events and events[-1][0] == tick:
            events.pop()
        events.append((tick, value, quality))

    def _runs(self, number: int) -> list[Run]:
        """Turn a channel's changes into runs that differ from their neighbours; none if it was never read."""
        events: list[tuple[int, int | str | None, int]] = [
            (0, None, 0),
            *self.events[number],
            (len(self.ticks), None, 0),
        ]
        runs: list[Run] = []
        for (start, value, quality), (end, _, _) in pairwise(events):
            if start == end:
                continue
            if runs and (runs[-1].value, runs[-1].quality) == (value, quality):
                runs[-1] = Run(value, quality, runs[-1].length + end - start)
            else:
                runs.append(Run(value, quality, end - start))
        return runs if any(run.value is not None for run in runs) else []


def inflate(payload: bytes) -> bytes:
    """Give a segment's content; never more than INFLATED_LIMIT of it is made, else raise MalformedMessage."""
    inflater = zlib.decompressobj(_RAW)
    try:
        inflated = inflater.decompress(payload, INFLATED_LIMIT)
    except zlib.error as error:
        raise MalformedMessage(f"segment: not deflate: {error}") from error
    if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
        raise MalformedMessage(
            f"segment: cut short, followed by something, or larger than {INFLATED_LIMIT} bytes inflated"
        )
    return inflated


def _is_time(item: cbor.Value) -> TypeGuard[int]:
    return type(item) is int and 0 <= item <= _MS_MAX


def _read_group(item: cbor.Value, schema: Schema, start: int, room: int, numbers: Numbers) -> tuple[str, Table]:
    """Decode one group to its name and its table; `room` cells are allowed."""
    if not isinstance(item, list) or len(item) != 4:
        raise MalformedMessage("segment: a group of four parts is wanted")
    number, first, count, columns = item
    names = list(schema.groups)
    if type(number) is not int or not 0 <= number < len(names):
        raise MalformedMessage(f"segment: group {number!r:.20} is not in the schema")
    if not _is_time(first) or type(count) is not int or count < 1 or not isinstance(columns, list):
        raise MalformedMessage(f"segment: group {number}: a first tick, a count of ticks and columns are wanted")
    if count * max(1, len(columns)) > room:
        raise MalformedMessage(f"segment: more than {CELLS_LIMIT} values")
    ticks = list(accumulate(accumulate(numbers.take_signed(count - 1)), initial=start + first))
    if min(ticks) < 0 or max(ticks) > _MS_MAX:
        raise MalformedMessage("segment: a tick is no boot time")
    channels = [each - 1 for each in accumulate(gap + 1 for gap in numbers.take(len(columns)))]
    if not set(channels) <= set(schema.groups[names[number]]):
        raise MalformedMessage(f"segment: group {number}: its channels are not those of the schema")
    values: dict[str, list[int | str | None]] = {}
    quality: dict[str, list[int]] = {}
    for channel, column in zip(channels, columns, strict=True):
        info = schema.channels[channel]
        read = read_column(column, count, numbers)
        if any(value is not None and isinstance(value, str) is not info.is_text for value in read.values):
            raise MalformedMessage(f"segment: {info.name}: a value is not of the kind that the schema says")
        values[info.name] = read.values
        if read.quality is not None and any(read.quality):
            quality[info.name] = read.quality
    return names[number], Table(ticks, values, quality)
