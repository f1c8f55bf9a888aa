"""What the command database is given and gives back: one Change is one synced transaction. No I/O here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.wire.messages import Answer


@dataclass(frozen=True, slots=True)
class AnswerPlace:
    """Where an answer stands in its stream: epoch (8 bytes), sequence from 1, SHA-256 of the answer before it."""

    epoch: bytes
    sequence: int
    previous: bytes


Sign = Callable[[AnswerPlace, bytes], bytes]
"""Signs the payload of one answer (Answer.encode) for its place; gives the whole message."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified message: from now on its number is used up."""

    issuer: str
    epoch: bytes
    sequence: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One command as it is stored: its id, whether it is over, and the executor's own text about it."""

    id: str
    over: bool
    body: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction stores.

    `asides` are answers about a message that was refused, or news on the way: a duplicate of the command never
    repeats them. `hold`: load -> value to restore, kept if there is one already; `free`: loads that are back;
    `switched`: load -> boot time in ms of its last switching; `opt_outs`: target -> text, None removes it.
    """

    entries: Sequence[Entry] = ()
    answers: Sequence[Answer] = ()
    asides: Sequence[Answer] = ()
    hold: Mapping[str, int] = field(default_factory=dict)
    free: Sequence[str] = ()
    switched: Mapping[str, int] = field(default_factory=dict)
    arrival: Arrival | None = None
    floor_utc_ms: int | None = None
    opt_outs: Mapping[str, str | None] = field(default_factory=dict)
    all_released: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What a start finds: unfinished commands in their order, held loads, switching times of this boot, opt-outs."""

    entries: tuple[Entry, ...]
    held: Mapping[str, int]
    switched: Mapping[str, int]
    opt_outs: Mapping[str, str]
    floor_utc_ms: int
    release_all: bool
