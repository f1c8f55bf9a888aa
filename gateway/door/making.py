"""A day of the site as CSV, from what is kept for the centre; which days there are, and whether one is complete.

No clock is read: a day is over once something placed behind its end is kept, by the same clock records that place the
readings of the day. What is kept for a year costs a day, for a stream is in the order in which it was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from operator import attrgetter
from pathlib import Path

from buffer.errors import StorageError
from buffer.reader import Reader
from gateway.door.errors import DoorError
from gateway.door.spool import Csv
from gateway.export.kept import Kept, Part, Value
from gateway.export.lines import Lines
from gateway.outgoing.consents import MARK, Consents
from gateway.wire.gaps import bound_ms
from gateway.wire.schema import ChannelInfo


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the files of one site from the outbox at `path`.

    `tier` is "minute" or "index"; a dwelling is in only where it has a stream for `purpose`, by its own consent.
    """

    path: Path
    zone: tzinfo
    tier: str
    purpose: str | None

    def days(self, at_most: int) -> list[date]:
        """Name the days that are over and of which something may be kept, the newest `at_most`; raise DoorError."""
        try:
            with Reader.open(self.path) as reader:
                kept = Kept(reader)
                ends = [_ends(kept, stream) for stream in self._streams(reader, kept)]
        except StorageError as error:
            raise DoorError(str(error)) from error
        known = [each for each in ends if each is not None]
        if not known:
            return []
        first = self._day(min(begin for begin, _ in known))
        last = self._day(max(end for _, end in known))
        many = min((last - first).days, at_most)
        return [last - timedelta(days=back) for back in range(many, 0, -1)]

    def make(self, day: date) -> Csv:
        """Give the day as CSV; raise DoorError where the outbox cannot be read."""
        start_ms, end_ms = self._begins(day), self._begins(day + timedelta(days=1))
        lines = Lines(self.zone, bound_ms(self.tier), start_ms, end_ms)
        values: list[Value] = []
        channels: dict[str, ChannelInfo] = {}
        try:
            with Reader.open(self.path) as reader:
                kept = Kept(reader)
                streams = self._streams(reader, kept)
                complete = bool(streams)
                for stream in streams:
                    parts = list(kept.parts(stream, start_ms=start_ms, end_ms=end_ms))
                    complete = _complete(reader, stream, parts, end_ms) and complete
                    channels |= {each.name: each for part in parts for each in part.channels}
                    values += _within(parts, start_ms, end_ms)
                complete = complete and not kept.unreadable
        except StorageError as error:
            raise DoorError(str(error)) from error
        values.sort(key=attrgetter("order"))
        written = "".join(f"{line}\n" for line in lines.write(values, channels.values()))
        return Csv(written.encode(), lines.count.rows, lines.count.gaps, complete)

    def _streams(self, reader: Reader, kept: Kept) -> list[str]:
        consents = Consents.read(reader.marks().get(MARK))
        return [name for name in kept.streams() if self._is_ours(name, consents)]

    def _is_ours(self, stream: str, consents: Consents) -> bool:
        """Tell whether a stream is of our tier and may be in the file: a household may have withdrawn its consent."""
        tier, *scope = stream.split(".")
        if tier != self.tier or not scope:
            return tier == self.tier
        dwelling, purpose = scope
        return purpose == self.purpose and consents.covers(dwelling, purpose, tier)

    def _day(self, utc_ms: int) -> date:
        return datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(self.zone).date()

    def _begins(self, day: date) -> int:
        return int(datetime.combine(day, time(), self.zone).timestamp() * 1000)


def _ends(kept: Kept, stream: str) -> tuple[int, int] | None:
    """Give the first and the last placed time that is kept of a stream; None where nothing is placed."""
    first = next((part.first_utc_ms for part in kept.parts(stream) if part.first_utc_ms is not None), None)
    last = next((part.last_utc_ms for part in kept.newest(stream) if part.last_utc_ms is not None), None)
    return None if first is None or last is None else (first, last)


def _within(parts: Sequence[Part], start_ms: int, end_ms: int) -> list[Value]:
    return [
        value for part in parts for value in part.values if value.placed and start_ms <= value.placed.utc_ms < end_ms
    ]


def _complete(reader: Reader, stream: str, parts: Sequence[Part], end_ms: int) -> bool:
    """Tell whether a stream's segments cover a day: none is missing, something lies behind it, no time will move."""
    if not parts:
        return False
    if any(value.placed is None or value.placed.provisional for part in parts for value in part.values):
        return False
    numbers = [part.sequence for part in parts]
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        return False
    last = parts[-1].last_utc_ms
    return last is not None and last >= end_ms and (numbers[0] == 1 or reader.holds(stream, numbers[0] - 1))
