"""A gateway reduced to what keeps readings: acquisition, sealing and a real outbox, on a clock moved by hand."""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from buffer.outbox import Segment
from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.acquisition import Acquisition
from gateway.clock import Correlation
from gateway.latest import Latest
from gateway.outgoing import FINE, Outgoing, Scope
from gateway.sealing import Sealing, Signer, Store
from gateway.wire import cose, packing
from gateway.wire.keys import SigningKey
from gateway.wire.schema import Schema

GATEWAY = "gw-test"
KEY = SigningKey(b"gw-test-2026", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
PUBLIC = {KEY.key_id: KEY.private.public_key()}
CHANNELS = tuple(Channel(f"meter.c{n:02}", "meter", "meter", Quantity.VOLTAGE, "V") for n in range(40))
SCHEMA = Schema.of(CHANNELS)
TICK_MS = 1_000
SEAL_S = 30.0
ROOMY = 4_096

Seen = tuple[str, int, int | str, int]
"""Channel, boot time in ms, value, quality."""


class HandClock:
    """A clock moved by hand; `known` is what it says of the wall clock."""

    def __init__(self, boot_id: bytes = bytes(16)) -> None:
        self.boot_id = boot_id
        self.now_ms = 1_000_000
        self.known: Correlation | None = None

    def boot_ms(self) -> int:
        return self.now_ms

    def correlation(self) -> Correlation | None:
        return self.known


class Metering:
    """Reads made-up values into a real outbox at `path`; `put` is all that was read, `sealed` what was sealed."""

    def __init__(
        self,
        path: Path,
        *,
        quota_pages: int = ROOMY,
        clock: HandClock | None = None,
        seed: int = 1,
        tiers: tuple[str, ...] = (FINE,),
    ) -> None:
        self.clock = clock or HandClock()
        self.store = Store(path, quota_pages=quota_pages)
        self.put: list[Seen] = []
        self.sealed: list[Segment] = []
        self.marks: dict[str, int | str] = {}
        self.latest = Latest()
        self.outgoing = Outgoing(CHANNELS, self.clock, latest=self.latest.get, stale_after_ms={})
        self.outgoing.open(Scope(CHANNELS, tiers))
        self.acquisition = Acquisition(self.outgoing.accept, self.latest, self._urgent)
        self.linked = False
        self.alarms: list[tuple[str, str]] = []
        self.sealing = Sealing(
            self.store,
            Signer(GATEWAY, KEY),
            self.clock,
            self.outgoing,
            marks=lambda: dict(self.marks),
            journal_s=10,
            seal_s=lambda: SEAL_S,
            linked=lambda: self.linked,
            sealed=self.sealed.append,
            alarm=lambda kind, text: self.alarms.append((kind, text)),
        )
        self._random = Random(seed)

    def _urgent(self) -> None:
        self.sealing.urgent()

    def read(self, ticks: int = 1) -> None:
        """Read so many ticks of every channel, values that no compression makes small."""
        for _ in range(ticks):
            self.clock.now_ms += TICK_MS
            readings = [Reading(channel, self._random.getrandbits(31), self.clock.now_ms) for channel in CHANNELS]
            self.acquisition.accept(readings)
            self.put += [(r.channel.name, r.boot_ms, r.value, int(r.quality)) for r in readings]

    @property
    def _database(self) -> sqlite3.Connection:
        return self.store.outbox._db

    def refuse_writes(self) -> None:
        """Let the card refuse every write, as one that has become read-only does."""
        self._database.execute("PRAGMA query_only = 1")

    def fill_disk(self) -> None:
        """Let the disk have no page left."""
        self._database.execute("PRAGMA max_page_count = 1")

    def mend(self) -> None:
        """Let the card take everything again."""
        self._database.execute("PRAGMA query_only = 0")
        self._database.execute("PRAGMA max_page_count = 1000000")

    def content(self) -> list[Seen]:
        """Give every reading in the outbox's segments, signature verified, each segment decoded alone."""
        return [
            seen
            for segment in self.store.outbox.pending(limit=10_000)
            if segment.stream == "fine"
            for seen in packing.unpack(cose.verify(segment.blob, PUBLIC).payload, SCHEMA).readings()
        ]

    def contents(self) -> Iterator[tuple[cose.Header, packing.SegmentContent]]:
        """Give header and content of each segment of readings."""
        for segment in self.store.outbox.pending(limit=10_000):
            if segment.stream == "fine":
                verified = cose.verify(segment.blob, PUBLIC)
                yield verified.header, packing.unpack(verified.payload, SCHEMA)

    def stored_marks(self) -> Mapping[str, int | str]:
        """Give the marks that are on the disk."""
        return self.store.outbox.marks()

    def close(self) -> None:
        """Close the database."""
        self.store.close()
