"""The journal's record: what was read in some ten seconds, as changes only, and exactly.

A Recorder gathers ticks and gives records; each continues the one before it, until `restart`: from then on what it
gives can be understood without anything earlier, so a segment sealed from there on decodes alone. A channel that a
tick of its group leaves out was not read then, which is a change of its own: "unchanged" and "not read" are never
confused.

A record is opaque to whoever stores it. `packing` turns a lot of them into a segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cbor2

from gateway.wire.schema import Schema

LOT_MS = 15 * 60_000
"""A lot of everything never spans more, even if nobody seals for hours: segments stay within what receivers accept."""

VALUE_BOUND = 1 << 64
"""Values lie strictly between minus this and this: any register of 64 bits, signed or not."""

TEXT_BYTES = 1024

_VERSION = 1


class Named(Protocol):
    """What a reading tells of its channel; `config.channel.Channel` does."""

    @property
    def name(self) -> str:
        """The channel's name."""

    @property
    def group(self) -> str:
        """What is read at one moment together with it."""


class Read(Protocol):
    """One value as it was read; `drivers.reading.Reading` is one."""

    @property
    def channel(self) -> Named:
        """What was read."""

    @property
    def value(self) -> int | str:
        """The value, exact."""

    @property
    def boot_ms(self) -> int:
        """When, in milliseconds of boot time."""

    @property
    def quality(self) -> int:
        """0 where the value is good."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record for the journal: `count` readings from `first_ms` to `last_ms`.

    Records of one `lot` follow each other and the first of them stands alone; those of different lots must not be
    sealed together.
    """

    lot: bytes
    first_ms: int
    last_ms: int
    count: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """One group's part of a record; `base`, where told, is the state before its first tick (number, value, quality).

    `ticks` are boot times; each change is (index of the tick, channel number, value or None for "not read", quality).
    """

    group: int
    base: list[tuple[int, int | str, int]]
    ticks: list[int]
    changes: list[tuple[int, int, int | str | None, int]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A record read back; `standalone` says that nothing before it matters."""

    boot_id: bytes
    schema_id: bytes
    standalone: bool
    groups: list[Changes]


@dataclass(slots=True)
class _Channel:
    """Last state of a channel; `value` None: not read. `tick` is the last one, of all of its group's, that had it."""

    number: int
    is_text: bool
    value: int | str | None = None
    quality: int = 0
    tick: int = 0


class _Group:
    """What one group has read since the last record."""

    __slots__ = ("_added", "base", "changes", "channels", "count", "number", "present", "ticks")

    def __init__(self, number: int, channels: dict[str, _Channel]) -> None:
        self.number = number
        self.channels = channels
        self.present = 0
        self.base: list[tuple[int, int | str, int]] = []
        self.ticks: list[int] = []
        self.changes: list[tuple[int, int, int | str | None, int]] = []
        self.count = 0
        self._added = 0

    def add(self, readings: Sequence[Read]) -> None:
        """Note one tick. This runs for every reading: a comparison each, and little more."""
        position = len(self.ticks)
        if position == 0:
            self.base = self.state()
        self._added = added = self._added + 1
        channels = self.channels
        for reading in readings:
            channel = channels[reading.channel.name]
            if channel.tick == added:
                raise ValueError(f"{reading.channel.name}: read twice in one tick")
            channel.tick = added
            value = reading.value
            if value != channel.value or reading.quality != channel.quality:
                _must_fit(value, channel, reading.channel.name)
                if channel.value is None:
                    self.present += 1
                channel.value = value
                channel.quality = int(reading.quality)
                self.changes.append((position, channel.number, value, channel.quality))
        self.ticks.append(readings[0].boot_ms)
        self.count += len(readings)
        if len(readings) != self.present:
            self._note_missing(position)

    def state(self) -> list[tuple[int, int | str, int]]:
        """Give number, value and quality of each channel that was read in the last tick."""
        return [(each.number, each.value, each.quality) for each in self.channels.values() if each.value is not None]

    def forget(self) -> None:
        """Take every channel as not read."""
        for channel in self.channels.values():
            channel.value = None
        self.present = 0

    def take(self, *, with_base: bool) -> Changes:
        """Give what was noted since the last time."""
        taken = Changes(self.number, self.base if with_base else [], self.ticks, self.changes)
        self.base, self.ticks, self.changes, self.count = [], [], [], 0
        return taken

    def _note_missing(self, position: int) -> None:
        for channel in self.channels.values():
            if channel.value is not None and channel.tick != self._added:
                channel.value = None
                self.present -= 1
                self.changes.append((position, channel.number, None, 0))


class Recorder:
    """Gathers the ticks of one boot under one schema; a lot spans `lot_ms` at most."""

    def __init__(self, schema: Schema, boot_id: bytes, *, lot_ms: int = LOT_MS) -> None:
        self._lot_ms = lot_ms
        self._schema_id = schema.id
        self._boot_id = boot_id
        self._groups = {
            name: _Group(
                number,
                {schema.channels[each].name: _Channel(each, schema.channels[each].is_text) for each in channels},
            )
            for number, (name, channels) in enumerate(schema.groups.items())
        }
        self._standalone = True
        self._lot_began: int | None = None

    def add(self, readings: Sequence[Read]) -> None:
        """Note one tick: readings of one group with one `boot_ms`, each channel once at most.

        Raises KeyError, TypeError or ValueError for readings that break this, or that the schema does not know.
        """
        group = self._groups[readings[0].channel.group]
        if self._lot_began is None:
            self._lot_began = readings[0].boot_ms
        group.add(readings)

    def restart(self) -> None:
        """Let all that is not taken yet be understood without anything taken before; call it at each seal."""
        for group in self._groups.values():
            if not group.ticks:
                group.forget()
        self._standalone = True
        first = [group.ticks[0] for group in self._groups.values() if group.ticks]
        self._lot_began = min(first, default=None)

    def take(self) -> Record | None:
        """Give what was added since the last time, or None if nothing was."""
        groups = [group for group in self._groups.values() if group.ticks]
        if not groups or self._lot_began is None:
            return None
        first_ms = min(group.ticks[0] for group in groups)
        last_ms = max(group.ticks[-1] for group in groups)
        count = sum(group.count for group in groups)
        opened = Opened(
            self._boot_id,
            self._schema_id,
            self._standalone,
            [group.take(with_base=self._standalone) for group in groups],
        )
        self._standalone = False
        lot = self._boot_id + self._schema_id + self._lot_began.to_bytes(8, "big")
        if last_ms - self._lot_began >= self._lot_ms:
            self.restart()
        return Record(lot, first_ms, last_ms, count, write_record(opened))


def write_record(opened: Opened) -> bytes:
    """Encode a record."""
    groups = [[part.group, part.base, part.ticks, part.changes] for part in opened.groups]
    return cbor2.dumps([_VERSION, opened.boot_id, opened.schema_id, opened.standalone, groups])


def read_record(payload: bytes) -> Opened:
    """Decode what `write_record` gave; raise ValueError for what it cannot have given."""
    try:
        version, boot_id, schema_id, standalone, groups = cbor2.loads(payload)
        if version != _VERSION:
            raise ValueError(f"journal record of version {version}, {_VERSION} is wanted")
        parts = [
            Changes(group, [tuple(each) for each in base], ticks, [tuple(each) for each in changes])
            for group, base, ticks, changes in groups
        ]
    except (cbor2.CBORDecodeError, EOFError, TypeError) as error:
        raise ValueError(f"no journal record: {error}") from error
    return Opened(boot_id, schema_id, standalone, parts)


def _must_fit(value: int | str, channel: _Channel, name: str) -> None:
    """Hold a driver to its channel's kind, before what it gave is stored for good."""
    if isinstance(value, str) is not channel.is_text or isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{name}: {value!r:.80} where a {'text' if channel.is_text else 'whole number'} is wanted")
    if isinstance(value, str):
        if len(value.encode()) > TEXT_BYTES:
            raise ValueError(f"{name}: a text of more than {TEXT_BYTES} bytes")
    elif not -VALUE_BOUND < value < VALUE_BOUND:
        raise ValueError(f"{name}: {value} is beyond 64 bits")
