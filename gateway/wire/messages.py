"""Every message but segment, schema and those of enrolment: what centre and gateway say, one dataclass each.

A message is the payload of a COSE message whose `Header.content` is the class's `CONTENT`; who says it, to whom, and
its number stand in that header. `encode` refuses what `decode` would refuse: MalformedMessage either way. Times:
`boot_ms` counts milliseconds of the sender's boot, `utc_ms` milliseconds of Unix time.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from gateway.wire import cose, fields
from gateway.wire.errors import MalformedMessage
from gateway.wire.fields import UINT63, Detail, Field

_MS = fields.integer(0, UINT63)
_STREAM = fields.matching(cose.STREAM_NAME)
_NONCE = fields.octets(8, 32)
_BOOT_ID = fields.octets(16)
_EPOCH = fields.octets(8)
_NUMBER = fields.integer(1, UINT63)


@dataclass(frozen=True, slots=True)
class Message:
    """What all messages can do; each names its content and its fields."""

    CONTENT: ClassVar[str]
    FIELDS: ClassVar[tuple[Field, ...]]

    def encode(self) -> bytes:
        """Give the payload; raise MalformedMessage for a value out of bounds."""
        self.check()
        return fields.write(self, self.FIELDS)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload; raise MalformedMessage."""
        message = cls(**fields.read(payload, cls.FIELDS, cls.__name__))
        message.check()
        return message

    def check(self) -> None:
        """Raise MalformedMessage for fields that, each within its bounds, do not go together."""


@dataclass(frozen=True, slots=True)
class Receipt(Message):
    """The centre has committed everything of (epoch, stream) up to `upto` (0: nothing yet), and `ranges` above it."""

    CONTENT: ClassVar[str] = "gw/receipt;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "epoch", _EPOCH),
        Field(2, "stream", _STREAM),
        Field(3, "upto", fields.integer(0, UINT63)),
        Field(4, "ranges", fields.ranges(1024)),
    )

    epoch: bytes
    stream: str
    upto: int
    ranges: tuple[tuple[int, int], ...] = ()

    def check(self) -> None:
        """Hold the ranges apart from `upto`, as they are from each other."""
        if self.ranges and self.ranges[0][0] <= self.upto + 1:
            raise MalformedMessage(
                f"Receipt: a range from {self.ranges[0][0]}, where everything to {self.upto} is named"
            )


@dataclass(frozen=True, slots=True)
class Resend(Message):
    """The centre asks for `first` to `last` of (epoch, stream) once more, both included."""

    CONTENT: ClassVar[str] = "gw/resend;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "epoch", _EPOCH),
        Field(2, "stream", _STREAM),
        Field(3, "first", _NUMBER),
        Field(4, "last", _NUMBER),
    )

    epoch: bytes
    stream: str
    first: int
    last: int

    def check(self) -> None:
        """Hold the range to its order."""
        if self.first > self.last:
            raise MalformedMessage(f"Resend: {self.first} to {self.last} is no range")


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """The centre is there and speaks to the boot whose birth named `boot_nonce`; the header's sequence counts it."""

    CONTENT: ClassVar[str] = "gw/heartbeat;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field(1, "boot_nonce", _NONCE),)

    boot_nonce: bytes


@dataclass(frozen=True, slots=True)
class TimeRequest(Message):
    """The gateway asks for the time; a reply counts only with this nonce."""

    CONTENT: ClassVar[str] = "gw/time-request;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field(1, "nonce", _NONCE),)

    nonce: bytes


@dataclass(frozen=True, slots=True)
class TimeReply(Message):
    """The centre's time when it answered the request with that nonce."""

    CONTENT: ClassVar[str] = "gw/time;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field(1, "nonce", _NONCE), Field(2, "utc_ms", _MS))

    nonce: bytes
    utc_ms: int


@dataclass(frozen=True, slots=True)
class Birth(Message):
    """What a gateway is since it started: kept by the broker on `state` for whoever comes later.

    `epoch` is the outbox's; `schema` the id of the schema in use; `clock` a word on how far the clock is trusted;
    `inventory` a line for each device.
    """

    CONTENT: ClassVar[str] = "gw/birth;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "version", fields.text(32, 1)),
        Field(2, "boot_id", _BOOT_ID),
        Field(3, "boot_nonce", _NONCE),
        Field(4, "epoch", _EPOCH),
        Field(5, "schema", fields.octets(8), optional=True),
        Field(6, "clock", fields.text(64)),
        Field(7, "capabilities", fields.sequence(fields.text(64, 1), 64)),
        Field(8, "inventory", fields.sequence(fields.text(256, 1), 512)),
    )

    version: str
    boot_id: bytes
    boot_nonce: bytes
    epoch: bytes
    schema: bytes | None
    clock: str
    capabilities: tuple[str, ...] = ()
    inventory: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm(Message):
    """Something that a person at the centre should see: `kind` for machines, `text` for people."""

    CONTENT: ClassVar[str] = "gw/alarm;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "kind", fields.text(32, 1)),
        Field(2, "text", fields.text(512)),
        Field(3, "boot_ms", _MS),
        Field(4, "utc_ms", _MS, optional=True),
    )

    kind: str
    text: str
    boot_ms: int
    utc_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Command(Message):
    """An order to a building; issuer, number and audience stand in the header (key id, sequence, gateway).

    A magnitude or a duration that makes no sense, or no duration, is answered (clamped, or refused), not garbled.
    `target` is "building" or a load; `start_utc_ms` None means now; of two orders the lower `priority` wins;
    `boot_nonce` binds an order to one boot, for a gateway without a trusted clock. `refers_to` is the id of the order
    that a cancel or a modify is about.
    """

    CONTENT: ClassVar[str] = "gw/command;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "id", fields.text(64, 1)),
        Field(2, "operation", fields.text(16, 1)),
        Field(3, "target", fields.text(64, 1)),
        Field(4, "magnitude_percent", fields.integer(-1000, 1000)),
        Field(5, "start_utc_ms", _MS, optional=True),
        Field(6, "duration_s", fields.integer(-UINT63, UINT63), optional=True),
        Field(7, "priority", fields.integer(0, 15)),
        Field(8, "issued_utc_ms", _MS),
        Field(9, "expires_utc_ms", _MS),
        Field(10, "boot_nonce", _NONCE, optional=True),
        Field(11, "refers_to", fields.text(64, 1), optional=True),
    )

    id: str
    operation: str
    target: str
    magnitude_percent: int
    start_utc_ms: int | None
    duration_s: int | None
    priority: int
    issued_utc_ms: int
    expires_utc_ms: int
    boot_nonce: bytes | None = None
    refers_to: str | None = None

    @property
    def lasts_s(self) -> int:
        """Seconds that it asks for; 0 where it names none, which is neither endless nor over at once: it is refused."""
        return self.duration_s or 0


@dataclass(frozen=True, slots=True)
class Answer(Message):
    """What became of an order, one message for each step; `reason` tells why where it was refused or failed."""

    CONTENT: ClassVar[str] = "gw/answer;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "command_id", fields.text(64, 1)),
        Field(2, "state", fields.text(32, 1)),
        Field(3, "reason", fields.text(256), optional=True),
        Field(4, "boot_ms", _MS),
        Field(5, "utc_ms", _MS, optional=True),
        Field(6, "detail", fields.detail),
    )

    command_id: str
    state: str
    reason: str | None
    boot_ms: int
    utc_ms: int | None
    detail: Detail


@dataclass(frozen=True, slots=True)
class ClockRecord(Message):
    """At `boot_ms` of that boot it was `utc_ms` +- `uncertainty_ms`, says `source`; places what was sealed before."""

    CONTENT: ClassVar[str] = "gw/clock;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "boot_id", _BOOT_ID),
        Field(2, "boot_ms", _MS),
        Field(3, "utc_ms", _MS),
        Field(4, "uncertainty_ms", _MS),
        Field(5, "source", fields.text(32, 1)),
    )

    boot_id: bytes
    boot_ms: int
    utc_ms: int
    uncertainty_ms: int
    source: str

    def utc_ms_at(self, boot_ms: int) -> int:
        """Place a moment of the same boot on the UTC scale."""
        return self.utc_ms + boot_ms - self.boot_ms


@dataclass(frozen=True, slots=True)
class Dropped(Message):
    """The gateway no longer has `first` to `last` of (epoch, stream), both included: they will never come.

    `count` readings, from `first_ms` of the first message to `last_ms` of the last, each in the boot time of its
    message. `last_digest` is the SHA-256 of message `last`, which the one after it names as its previous: so the
    chain goes on across the hole; `cose.NO_DIGEST` where a damaged card took it too. `reason` is "quota", "consent" or
    "damage"; a reader takes any other as well.
    """

    CONTENT: ClassVar[str] = "gw/dropped;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "epoch", _EPOCH),
        Field(2, "stream", _STREAM),
        Field(3, "first", _NUMBER),
        Field(4, "last", _NUMBER),
        Field(5, "count", fields.integer(0, UINT63)),
        Field(6, "first_ms", _MS),
        Field(7, "last_ms", _MS),
        Field(8, "last_digest", fields.octets(32)),
        Field(9, "reason", fields.text(32, 1)),
    )

    epoch: bytes
    stream: str
    first: int
    last: int
    count: int
    first_ms: int
    last_ms: int
    last_digest: bytes
    reason: str

    def check(self) -> None:
        """Hold the range to its order."""
        if self.first > self.last:
            raise MalformedMessage(f"Dropped: {self.first} to {self.last} is no range")
