"""A gateway's voice for the centre's tests: it signs whatever a test wants said, in chains or out of them."""

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.centre.judge import Genuine
from gateway.wire import cose
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.packing import pack
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema

EPOCH = b"epoch-01"
CHANNEL = Channel("meter.east", "meter", "meter", Quantity.ACTIVE_ENERGY_IMPORT, "Wh")
SCHEMA = Schema.of([CHANNEL])
_UNKNOWN = b"schema-0"
"""Of a segment of which only header and place matter."""


@dataclass(slots=True)
class Speaker:
    """One gateway and its key."""

    gateway: str = "gw-0001"
    key_id: bytes = b"gw-0001-2026"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    last: dict[str, bytes] = field(default_factory=dict)

    def trusted(self, role: str = "gateway") -> TrustedKey:
        """Give the public half as the centre's key set holds it."""
        return TrustedKey(self.key_id, self.gateway, bytes(8), frozenset({role}), self.key.public_key())

    def say(
        self,
        stream: str,
        sequence: int,
        content: str = SEGMENT,
        payload: bytes = b"",
        *,
        previous: bytes | None = None,
        schema: bytes | None = None,
    ) -> bytes:
        """Sign one message; in a chain it names the one said before it in its stream unless told otherwise."""
        before = None if stream in ("evt", "state") else previous or self.last.get(stream, cose.FIRST_PREVIOUS)
        if schema is None and content in (SEGMENT, Schema.CONTENT):
            schema = hashlib.sha256(payload).digest()[: cose.SCHEMA_ID_BYTES] if content != SEGMENT else _UNKNOWN
        header = cose.Header(self.key_id, content, self.gateway, stream, EPOCH, sequence, before, schema)
        blob = cose.sign(header, payload, self.key)
        self.last[stream] = cose.digest(blob)
        return blob

    def segment(self, sequence: int, values: list[int]) -> bytes:
        """Sign a segment with these values, a second apart."""
        recorder = Recorder(SCHEMA, bytes(16))
        for tick, value in enumerate(values):
            recorder.add([Reading(CHANNEL, value, 1_000 * (tick + 1))])
        record = recorder.take()
        if record is None:
            raise ValueError("a segment wants one value at least")
        return self.say("fine", sequence, SEGMENT, pack([record.payload]), schema=SCHEMA.id)

    def schema(self, sequence: int = 1) -> bytes:
        """Sign the schema of those segments."""
        return self.say("schema", sequence, Schema.CONTENT, SCHEMA.encode())

    def genuine(self, blob: bytes) -> Genuine:
        """Give a message as the judge would."""
        verified = cose.verify(blob, {self.key_id: self.key.public_key()})
        return Genuine(verified.header, verified.payload, blob)


def key_set(*speakers: Speaker) -> KeySet:
    """Give the centre's key set for these gateways."""
    return KeySet.of(speaker.trusted() for speaker in speakers)
