"""The readings of kept segments, placed on the UTC scale by the clock records that are kept beside them.

A stream is in the order in which it was read, and what was read in a range was sealed after its beginning: so a day of
a year costs a day. Nothing is verified here: it is our own file, and `gateway queue verify` is for that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from buffer.reader import Reader
from gateway.wire import cose
from gateway.wire.errors import MalformedMessage
from gateway.wire.messages import ClockRecord
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.packing import SegmentContent, unpack
from gateway.wire.placing import Placed, Timeline
from gateway.wire.schema import ChannelInfo, Schema


@dataclass(frozen=True, slots=True)
class Value:
    """A reading: `value x 10**channel.exponent`, or a text; `placed` is None while its boot's clock is not known."""

    channel: ChannelInfo
    value: int | str
    quality: int
    boot_id: bytes
    boot_ms: int
    placed: Placed | None

    @property
    def order(self) -> tuple[int, str]:
        """What a file is sorted by: the time (boot time where there is no other), then the channel's name."""
        return (self.boot_ms if self.placed is None else self.placed.utc_ms, self.channel.name)


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's readings, in order; `sequence` is its number, `channels` are those of its schema."""

    sequence: int
    channels: tuple[ChannelInfo, ...]
    values: tuple[Value, ...]

    @property
    def first_utc_ms(self) -> int | None:
        """Give the earliest placed time, None where nothing is placed."""
        return min((each.placed.utc_ms for each in self.values if each.placed), default=None)

    @property
    def last_utc_ms(self) -> int | None:
        """Give the latest placed time, None where nothing is placed."""
        return max((each.placed.utc_ms for each in self.values if each.placed), default=None)


class Kept:
    """What a reader's outbox holds, decoded; segments that cannot be read are counted in `unreadable` and left out."""

    def __init__(self, reader: Reader) -> None:
        """Read the clock records and the schemas; raise StorageError."""
        self._reader = reader
        self.unreadable = 0
        self._schemas: dict[bytes, dict[str, ChannelInfo]] = {}
        # A household's has a stream of its own: "schema.apt-12.research".
        for stream in (name for name in self.streams() if name.partition(".")[0] == "schema"):
            for message in self._messages(stream, Schema.CONTENT):
                schema = Schema.decode(message.payload)
                self._schemas[schema.id] = {each.name: each for each in schema.channels}
        records: dict[bytes, list[ClockRecord]] = {}
        for message in self._messages("clock", ClockRecord.CONTENT):
            record = ClockRecord.decode(message.payload)
            records.setdefault(record.boot_id, []).append(record)
        self._timelines = {boot_id: Timeline(those) for boot_id, those in records.items()}

    def streams(self) -> list[str]:
        """Name the streams."""
        return [each.name for each in self._reader.streams()]

    def channels(self) -> dict[str, ChannelInfo]:
        """Give every channel that a schema which is kept has, by name; of one that changed, the newest."""
        return {name: channel for schema in self._schemas.values() for name, channel in schema.items()}

    def parts(
        self, stream: str, *, start_ms: int | None = None, end_ms: int | None = None, after: int = 0
    ) -> Iterator[Part]:
        """Give the segments of a stream that may hold something read from `start_ms` to before `end_ms` (UTC).

        Also those that cannot be placed, and the first one behind the range, if there is one. With `after`, only those
        with a higher number.
        """
        for each in self._reader.kept(stream, sealed_from_ms=start_ms or 0, after=after):
            part = self._part(each.segment.blob)
            if part is None:
                continue
            yield part
            first = part.first_utc_ms
            if end_ms is not None and first is not None and first >= end_ms:
                return

    def newest(self, stream: str) -> Iterator[Part]:
        """Give the segments of a stream from the newest back."""
        for each in self._reader.kept(stream, newest_first=True):
            part = self._part(each.segment.blob)
            if part is not None:
                yield part

    def _part(self, blob: bytes) -> Part | None:
        try:
            message = cose.content(blob)
            header = message.header
            if header.content != SEGMENT:
                return None
            channels = self._schemas.get(header.schema or b"")
            if channels is None:  # a damaged card took it
                self.unreadable += 1
                return None
            content = unpack(message.payload, Schema(channels.values()))
        except MalformedMessage:
            self.unreadable += 1
            return None
        return Part(header.sequence, tuple(channels.values()), self._values(content, channels))

    def _values(self, content: SegmentContent, channels: dict[str, ChannelInfo]) -> tuple[Value, ...]:
        timeline = self._timelines.get(content.boot_id) or Timeline(())
        placed: dict[int, Placed | None] = {}
        found = []
        for name, boot_ms, value, quality in content.readings():
            if boot_ms not in placed:  # the channels of a tick share it
                placed[boot_ms] = timeline.at(boot_ms)
            found.append(Value(channels[name], value, quality, content.boot_id, boot_ms, placed[boot_ms]))
        return tuple(sorted(found, key=attrgetter("order")))

    def _messages(self, stream: str, content: str) -> Iterator[cose.Verified]:
        for each in self._reader.kept(stream):
            try:
                message = cose.content(each.segment.blob)
            except MalformedMessage:
                self.unreadable += 1
                continue
            if message.header.content == content:
                yield message
