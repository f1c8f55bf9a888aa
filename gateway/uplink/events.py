"""What is handed to a connection, and what comes out of it."""

from dataclasses import dataclass

from gateway.uplink.settings import Inbound


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish under our topic of `kind`; `content` is its content type with version."""

    kind: str
    payload: bytes
    qos: int = 1
    expiry_s: int | None = None
    correlation: bytes | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker answered a PUBLISH; `refusal` is None, or the failed reason code's name.

    `nobody` where it took the message and had nobody to give it to: no failure, and no delivery either.
    """

    mid: int
    refusal: str | None
    nobody: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message came; `mid` is 0 where it needs no acknowledgement."""

    message: Inbound
    mid: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """The broker does not let us subscribe; `refusal` is the failed reason code's name."""

    refusal: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection is over."""

    reason: str


Event = Acknowledged | Arrived | Unheard | Ended
