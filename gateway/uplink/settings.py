"""What the uplink is told, what it tells, and what it asks of the outbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from gateway.uplink.allowance import Day
from gateway.uplink.figures import LinkQuality


@dataclass(frozen=True, slots=True)
class Fallback:
    """The second broker, with the same authority and certificates.

    `after_s`: so long without a connection to the first until the second is tried; `return_s`: so long the first must
    have answered until it is gone back to.
    """

    host: str
    port: int
    after_s: float = 300.0
    return_s: float = 300.0


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """One broker, and how this gateway proves who it is.

    `gateway` is the id in every topic, and the name in the certificate. `window`: PUBLISHes without a PUBACK at one
    time. `ahead`: segments published and not yet receipted by the centre; it keeps a backlog from overflowing the
    broker's queue while the centre is away, and bounds how many go twice when the process dies: with a fifth more for
    alarms and records, and what `sealing` has not booked yet, they are fewer than 100. Reconnects are spread evenly
    between `reconnect_min_s` and `reconnect_max_s`. `fallback` is a second broker, `metered_bytes` what a day may cost
    on the line (None: no limit). With `receipts` "puback" the broker's acknowledgement counts in place of the centre's
    receipt.
    """

    host: str
    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path
    gateway: str
    window: int = 50
    ahead: int = 56
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 60.0
    resend_after_s: float = 60.0
    keepalive_s: int = 60
    session_expiry_s: int = 7 * 86_400
    will_delay_s: int = 30
    inbound_limit: int = 65_536
    fallback: Fallback | None = None
    metered_bytes: int | None = None
    receipts: Literal["signed", "puback"] = "signed"

    def __post_init__(self) -> None:
        """Refuse figures that would lose order or never connect; raise ValueError."""
        if not 1 <= self.window <= 100:
            raise ValueError(
                f"uplink window is {self.window}: give 1 to 100 (paho's cost for each PUBACK grows with it)"
            )
        if self.ahead < self.window:
            raise ValueError(f"uplink ahead is {self.ahead}: give at least the window ({self.window})")
        if not 0 <= self.reconnect_min_s <= self.reconnect_max_s:
            raise ValueError("uplink reconnect_min_s must lie between 0 and reconnect_max_s")

    def topic(self, kind: str) -> str:
        """Give the topic of a kind: `tele/<stream>`, `evt/<kind>`, `state`, `conn`, `ack`, `cmd`, `cfg`, `receipt`."""
        return f"gw/v1/{self.gateway}/{kind}"


class Identity(Protocol):
    """Which certificate is shown to the broker, when there may be two: the one in use, and one that is to follow it."""

    def pair(self) -> tuple[Path, Path]:
        """Give certificate and key for the attempt that begins now."""

    def taken(self) -> None:
        """Note that the broker gave its CONNACK to the pair given last."""

    def failed(self, why: str, *, refused: bool) -> None:
        """Note that the attempt with the pair given last led to no CONNACK; `refused` where the broker was there."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message from the broker, nothing of it verified: `kind` is `cmd`, `cfg` or `receipt`."""

    kind: str
    payload: bytes
    retained: bool
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link at one moment, for people and for the control socket. Times are CLOCK_BOOTTIME in milliseconds.

    `text` says in a line what is going on, or what is wrong and what to do. `refused_reason` is None while nothing is
    wrong. `since_boot_ms`: since when it has been connected, or not. `broker` is the one that is used or tried,
    `on_fallback` whether it is the second. `puback_receipts`: nobody but the broker says that readings have arrived.
    """

    connected: bool
    since_boot_ms: int
    text: str
    refused_reason: str | None
    last_puback_boot_ms: int | None
    in_flight: int
    unreceipted: int
    waiting: int
    sent: int
    acked: int
    failed: int
    dropped: int
    reconnects: int
    broker: str
    on_fallback: bool
    puback_receipts: bool
    quality: LinkQuality
    day: Day


class Sealed(Protocol):
    """A sealed segment as the outbox keeps it: its bytes are published as they are."""

    @property
    def stream(self) -> str:
        """Name of the stream."""

    @property
    def sequence(self) -> int:
        """Place in the stream, counted from 1."""

    @property
    def blob(self) -> bytes:
        """The signed message."""


class Spool(Protocol):
    """What the uplink asks of the outbox, across the hop to its thread."""

    async def pending(self, *, limit: int, after: Mapping[str, int], order: Sequence[str]) -> Sequence[Sealed]:
        """Give at most `limit` segments without a receipt, in each stream above `after` and in order.

        Streams go by their tier, in the `order` given, those of no named tier last; within a tier by time of sealing.
        Fewer than `limit` means that there is no more for now.
        """
