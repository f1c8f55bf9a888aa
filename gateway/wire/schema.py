"""The schema: which channel each number in a packed segment stands for. Channel numbers mean nothing without it.

A schema is signed and sent once in a stream of its own; every segment names it in its header. It carries what a
reader needs to understand a value (name, quantity, unit, exponent), so that a reader depends on nothing of ours;
quantities are plain texts here, because an old reader must still read the channels of a newer gateway.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from gateway.wire import cbor, fields
from gateway.wire.cose import SCHEMA_ID_BYTES
from gateway.wire.errors import MalformedMessage

CHANNELS_MAX = 4096

_VERSION = 1
_TEXT = fields.text(128)
_NAME = fields.text(128, 1)
_EXPONENT = fields.integer(-18, 18)
_PHASE = fields.integer(1, 3)


class Described(Protocol):
    """What a channel must tell of itself to be in a schema; `config.channel.Channel` does."""

    @property
    def name(self) -> str:
        """Unique in the building: "linky.east"."""

    @property
    def device(self) -> str:
        """The device that it belongs to."""

    @property
    def group(self) -> str:
        """What is read at one moment together with it."""

    @property
    def quantity(self) -> str:
        """What is measured."""

    @property
    def unit(self) -> str:
        """The unit of `value x 10**exponent`."""

    @property
    def exponent(self) -> int:
        """The power of ten."""

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""

    @property
    def obis(self) -> str | None:
        """The OBIS code, where there is one."""

    @property
    def phase(self) -> int | None:
        """The phase, 1 to 3, where it has one."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel as the schema describes it: a number is `value x 10**exponent` in `unit`, exactly."""

    name: str
    device: str
    group: str
    quantity: str
    unit: str = ""
    exponent: int = 0
    is_text: bool = False
    obis: str | None = None
    phase: int | None = None


class Schema:
    """Channels in order: a channel's number is its position from 0; groups are numbered as they first appear."""

    CONTENT: ClassVar[str] = "gw/schema;v=1"

    __slots__ = ("_encoded", "_numbers", "channels", "groups", "id")

    channels: tuple[ChannelInfo, ...]
    groups: dict[str, tuple[int, ...]]
    """The numbers of each group's channels, rising; the groups in the order of their numbers."""
    id: bytes
    """The first 8 bytes of the SHA-256 of what `encode` gives."""

    def __init__(self, channels: Iterable[ChannelInfo]) -> None:
        self.channels = tuple(channels)
        self._encoded = _encode(self.channels)
        _decode(self._encoded)  # holds the sender to what receivers will accept
        self.id = hashlib.sha256(self._encoded).digest()[:SCHEMA_ID_BYTES]
        self._numbers = {channel.name: number for number, channel in enumerate(self.channels)}
        gathered: dict[str, list[int]] = {}
        for number, channel in enumerate(self.channels):
            gathered.setdefault(channel.group, []).append(number)
        self.groups = {group: tuple(numbers) for group, numbers in gathered.items()}

    @classmethod
    def of(cls, channels: Iterable[Described]) -> Self:
        """Give each channel a number, in this order; raise MalformedMessage for a double name or a bad field."""
        return cls(
            ChannelInfo(
                name=channel.name,
                device=channel.device,
                group=channel.group,
                quantity=str(channel.quantity),
                unit=channel.unit,
                exponent=channel.exponent,
                is_text=channel.is_text,
                obis=channel.obis,
                phase=channel.phase,
            )
            for channel in channels
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read what `encode` gave; raise MalformedMessage."""
        return cls(_decode(payload))

    def encode(self) -> bytes:
        """Give the payload of a schema message: the same bytes for the same channels, always."""
        return self._encoded

    def number(self, name: str) -> int:
        """Give a channel's number; raise KeyError for a name that is not in this schema."""
        return self._numbers[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self._encoded == other._encoded

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Schema({self.id.hex()}, {len(self.channels)} channels)"


def _encode(channels: tuple[ChannelInfo, ...]) -> bytes:
    rows = [
        [
            each.name,
            each.device,
            each.group,
            each.quantity,
            each.unit,
            each.exponent,
            each.is_text,
            each.obis,
            each.phase,
        ]
        for each in channels
    ]
    return cbor.encode([_VERSION, rows])


def _decode(payload: bytes) -> list[ChannelInfo]:
    document = cbor.decode(payload, depth=3)
    if not isinstance(document, list) or len(document) != 2 or document[0] != _VERSION:
        raise MalformedMessage(f"schema: [{_VERSION}, channels] is wanted; a newer gateway needs a newer reader")
    rows = document[1]
    if not isinstance(rows, list) or len(rows) > CHANNELS_MAX:
        raise MalformedMessage(f"schema: at most {CHANNELS_MAX} channels are wanted")
    channels = [_channel(row, number) for number, row in enumerate(rows)]
    if len({channel.name for channel in channels}) != len(channels):
        raise MalformedMessage("schema: a channel's name comes twice")
    return channels


def _channel(row: cbor.Value, number: int) -> ChannelInfo:
    if not isinstance(row, list) or len(row) != 9:
        raise MalformedMessage(f"schema: channel {number}: nine fields are wanted")
    name, device, group, quantity, unit, exponent, is_text, obis, phase = row
    try:
        if not isinstance(is_text, bool):
            raise ValueError("a truth for is_text")  # noqa: TRY301, TRY004 - one message for every field, below
        return ChannelInfo(
            name=_NAME(name),
            device=_NAME(device),
            group=_NAME(group),
            quantity=_NAME(quantity),
            unit=_TEXT(unit),
            exponent=_EXPONENT(exponent),
            is_text=is_text,
            obis=None if obis is None else _NAME(obis),
            phase=None if phase is None else _PHASE(phase),
        )
    except ValueError as error:
        raise MalformedMessage(f"schema: channel {number}: {error} is wanted") from error
