"""From committed segments to readings: counted as soon as their schema is there, decoded again whenever someone asks.

Nothing decoded is kept: what the store holds is the signed message as it came, and reading it again gives the same. A
segment whose schema has not come yet waits in the store.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.centre.store import Store, read_only
from gateway.wire import cbor
from gateway.wire.errors import MalformedMessage
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.packing import SegmentContent, Table, unpack
from gateway.wire.schema import Schema

_PASS = 20
"""Segments decoded before the store's thread is free for others again."""

_COMMITTED = """
SELECT stream.epoch, stream.name, message.sequence, message.arrived_utc_ms, message.schema, message.blob
FROM message JOIN stream ON stream.id = message.stream
WHERE stream.gateway = ? AND message.content = ? ORDER BY message.stream, message.sequence
"""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One segment: where it stands, when it came (UTC, ms) and what it says."""

    epoch: bytes
    stream: str
    sequence: int
    arrived_utc_ms: int
    content: SegmentContent


def count(store: Store) -> bool:
    """Count the readings of some segments that wait for it; False where none is left whose schema is known."""
    rows = store.undecoded(SEGMENT, _PASS)
    counted: list[tuple[int, int]] = []
    tallies: Counter[str] = Counter()
    for number, schema, blob in rows:
        readings = 0
        try:
            readings = unpack(_payload(blob), Schema.decode(schema)).count()
        except MalformedMessage:  # signed by its gateway and kept; only its content says nothing to us
            tallies["unreadable"] += 1
        counted.append((readings, number))
        tallies["readings"] += readings
    if rows:
        store.counted(counted, tallies)
    return len(rows) == _PASS


def segments(database: Path, gateway: str) -> Iterator[Decoded]:
    """Give every readable segment of a gateway, stream by stream, in the order of their sequence."""
    with read_only(database) as connection:
        schemas = {
            identity: Schema.decode(payload)
            for identity, payload in connection.execute("SELECT id, payload FROM schema WHERE gateway = ?", (gateway,))
        }
        for epoch, stream, sequence, arrived, identity, blob in connection.execute(_COMMITTED, (gateway, SEGMENT)):
            if identity in schemas:
                try:
                    content = unpack(_payload(blob), schemas[identity])
                except MalformedMessage:  # counted as unreadable when it came
                    continue
                yield Decoded(epoch, stream, sequence, arrived, content)


def tables(database: Path, gateway: str, group: str) -> Iterator[Table]:
    """Give the tables of one group, one a segment."""
    for decoded in segments(database, gateway):
        if group in decoded.content.groups:
            yield decoded.content.groups[group]


def _payload(blob: bytes) -> bytes:
    """Take the payload out of a message that was verified before it was stored."""
    parts = cbor.decode(blob[1:], depth=2)
    if not isinstance(parts, list) or not isinstance(parts[2], bytes):
        raise MalformedMessage("stored message: no COSE_Sign1; the store's file is damaged")
    return parts[2]
