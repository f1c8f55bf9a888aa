"""Whether messages are what their gateways signed, and all of it: signatures, chains, gaps, duplicates, drop records.

It takes messages in any order and from anywhere, and says at the end what follows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.centre.contents import StreamKey
from gateway.centre.coverage import Coverage
from gateway.centre.islands import joined
from gateway.wire import cose
from gateway.wire.errors import MalformedMessage, RevokedKey, SignatureError
from gateway.wire.keys import KeySet
from gateway.wire.messages import Dropped

MOST_FAULTS = 50
"""Faults that are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Link:
    """A message in its chain: its SHA-256, and that of the one before it as it names it."""

    digest: bytes
    previous: bytes | None


@dataclass(slots=True)
class StreamProof:
    """What became of one stream: its messages by number, and what does not hold."""

    key: StreamKey
    links: dict[int, Link] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    duplicates: int = 0
    conflicts: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    is_chained: bool = False

    @property
    def missing(self) -> int:
        """Count the messages between its first and its last one here that are neither here nor told to be dropped."""
        return sum(last - first + 1 for first, last in self.gaps)


@dataclass(slots=True)
class Proof:
    """Takes messages; `keys` are those of all who may have signed them."""

    keys: KeySet
    streams: dict[StreamKey, StreamProof] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    unknown_keys: int = 0
    revoked_keys: int = 0
    messages: int = 0
    good: int = 0
    """Signed by a key that is known and may say it."""

    def take(self, where: str, blob: bytes) -> None:
        """Judge one message; `where` names it for people."""
        self.messages += 1
        try:
            header = cose.peek(blob)
            if header.key_id not in self.keys.keys:
                self.unknown_keys += 1  # its chain can still be followed
                self._follow(header, blob, b"")
                return
            payload = self._verified(blob).payload
        except (MalformedMessage, SignatureError) as error:
            self.fault(f"{where}: {error}")
            return
        key, role = self.keys.keys[header.key_id], _FROM_CENTRE.get(header.stream, _GATEWAY)
        if role not in key.roles or (role == _GATEWAY and key.issuer != header.gateway):
            may = ", ".join(sorted(key.roles))
            self.fault(f"{where}: {_named(header)} was signed with a key of {key.issuer}, whose role is {may}")
            return
        self.good += 1
        self._follow(header, blob, payload)

    def told(self, gateway: str, dropped: Dropped) -> None:
        """Take a dropped range."""
        self._stream((gateway, dropped.epoch, dropped.stream)).dropped.append(dropped)

    def fault(self, text: str) -> None:
        """Note what is wrong with a message."""
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(text)

    def finish(self) -> list[StreamProof]:
        """Judge chains and gaps, now that all is here; give the streams."""
        for stream in self.streams.values():
            if stream.is_chained:
                stream.broken = sorted(_broken(stream))
            stream.gaps = list(_gaps(stream))
        return sorted(self.streams.values(), key=lambda stream: stream.key)

    def _verified(self, blob: bytes) -> cose.Verified:
        try:
            return self.keys.verify(blob)
        except RevokedKey:  # it may have been good when it was signed
            self.revoked_keys += 1
            return cose.verify(blob, {key_id: key.public for key_id, key in self.keys.keys.items()})

    def _follow(self, header: cose.Header, blob: bytes, payload: bytes) -> None:
        stream = self._stream((header.gateway, header.epoch, header.stream))
        stream.is_chained = stream.is_chained or header.previous is not None
        link = Link(cose.digest(blob), header.previous)
        known = stream.links.setdefault(header.sequence, link)
        if known is not link:
            if known.digest == link.digest:
                stream.duplicates += 1
            else:
                stream.conflicts.append(header.sequence)
        if header.content == Dropped.CONTENT and payload:
            try:
                self.told(header.gateway, Dropped.decode(payload))
            except MalformedMessage as error:
                self.fault(f"{_named(header)}: {error}")

    def _stream(self, key: StreamKey) -> StreamProof:
        return self.streams.setdefault(key, StreamProof(key))


_GATEWAY = "gateway"
_FROM_CENTRE = {"cmd": "dispatch", "receipt": "receipt", "cfg": "config"}
"""The streams that are the centre's, and the role that each wants."""


def _named(header: cose.Header) -> str:
    return f"{header.gateway}/{header.stream} {header.sequence}"


def _broken(stream: StreamProof) -> Iterator[int]:
    told = {each.last: each.last_digest for each in stream.dropped if each.last_digest != cose.NO_DIGEST}
    for sequence, link in stream.links.items():
        before = stream.links.get(sequence - 1)
        digest = cose.FIRST_PREVIOUS if sequence == 1 else before.digest if before else told.get(sequence - 1)
        if (digest is not None and digest != link.previous) or told.get(sequence, link.digest) != link.digest:
            yield sequence


def _gaps(stream: StreamProof) -> Iterator[tuple[int, int]]:
    """Give what is missing; before the first message that is here nothing is known to have been sent."""
    ranges = [(number, number) for number in stream.links]
    ranges += [(each.first, each.last) for each in stream.dropped]
    lowest = min((first for first, _ in ranges), default=1)
    yield from (gap for gap in Coverage(joined(ranges)).gaps() if gap[0] >= lowest)
