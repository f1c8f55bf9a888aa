"""An outbox with some readings in it, sealed as the agent seals them, for the tests of export and door."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from buffer.outbox import Outbox, Place, Row
from gateway.wire import cose, packing
from gateway.wire.messages import ClockRecord
from gateway.wire.record import Recorder
from gateway.wire.schema import ChannelInfo, Schema

POWER = ChannelInfo("main.power", "main", "main", "active_power_import", "W")
INDEX = ChannelInfo("main.east", "main", "main", "active_energy_import", "kWh", -3)
TARIFF = ChannelInfo("main.tariff", "main", "main", "tariff", is_text=True)
CHANNELS = (POWER, INDEX, TARIFF)

BOOT = b"b" * 16
OTHER_BOOT = b"c" * 16
UTC_AT_0 = 1_795_600_000_000
"""UTC, in ms, at boot time 0 of BOOT."""


@dataclass(frozen=True, slots=True)
class Read:
    """A reading, as the Recorder takes it."""

    channel: ChannelInfo
    value: int | str
    boot_ms: int
    quality: int = 0


class Filled:
    """`seal` puts segments into the outbox at `path`."""

    def __init__(self, path: Path, channels: Sequence[ChannelInfo] = CHANNELS) -> None:
        self.outbox = Outbox.open(path, quota_pages=10_000)
        self.schema = Schema(channels)
        self._key = Ed25519PrivateKey.generate()
        self._add("schema", Schema.CONTENT, self.schema.encode())

    def clock(self, boot_ms: int = 0, utc_ms: int = UTC_AT_0, *, boot: bytes = BOOT, source: str = "kernel") -> None:
        """Keep a clock record."""
        self._add("clock", ClockRecord.CONTENT, ClockRecord(boot, boot_ms, utc_ms, 10, source).encode())

    def seal(
        self, stream: str, ticks: Iterable[Sequence[Read]], *, boot: bytes = BOOT, utc_ms: int | None = None
    ) -> None:
        """Seal ticks, each all of a group at one moment, into one segment; sealed at `utc_ms`."""
        recorder = Recorder(self.schema, boot)
        for tick in ticks:
            recorder.add(tick)
        record = recorder.take()
        assert record is not None
        row = Row(stream, record.lot, record.first_ms, record.last_ms, record.count, record.payload)
        self.outbox.commit([row])

        def pack(place: Place, records: Sequence[bytes]) -> bytes:
            return self._sign(place, packing.CONTENT, packing.pack(records))

        self.outbox.seal(stream, pack, utc_ms=utc_ms)

    def close(self) -> None:
        """Close the file."""
        self.outbox.close()

    def _add(self, stream: str, content: str, payload: bytes) -> None:
        self.outbox.add(
            stream, count=0, first_ms=0, last_ms=0, pack=lambda place, _: self._sign(place, content, payload)
        )

    def _sign(self, place: Place, content: str, payload: bytes) -> bytes:
        header = cose.Header(
            key_id=b"test",
            content=content,
            gateway="gw-test",
            stream=place.stream,
            epoch=place.epoch,
            sequence=place.sequence,
            previous=place.previous,
            schema=self.schema.id,
        )
        return cose.sign(header, payload, self._key)
