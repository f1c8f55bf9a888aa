"""Whether what is kept of a stream is what this gateway once signed: every signature, every number, the whole chain."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from buffer.quota import Dropped
from buffer.reader import Kept, Stream
from gateway.wire import cose
from gateway.wire.errors import MalformedMessage, SignatureError

MOST_FAULTS = 20
"""Told for each stream; a stranger's database has as many faults as segments."""


@dataclass(slots=True)
class Verdict:
    """What became of one stream: how many segments are kept, `other_keys` of them signed by a key that is not ours now.

    `dropped` numbers gave way before they were delivered; `gone` were delivered and gave way since. `faults` are told
    for people, the first ones; `fault_count` counts them all.
    """

    stream: str
    kept: int = 0
    other_keys: int = 0
    dropped: int = 0
    gone: int = 0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    def fault(self, sequence: int, text: str) -> None:
        """Note what is wrong with the segment of that number."""
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(f"{self.stream} {sequence}: {text}")


def verdict(
    stream: Stream,
    kept: Iterable[Kept],
    dropped: Iterable[Dropped],
    *,
    gateway: str,
    keys: Mapping[bytes, Ed25519PublicKey],
) -> Verdict:
    """Judge what is kept of one stream, in the order of its numbers; `keys` are the gateway's own."""
    found = Verdict(stream.name)
    ranges = [each for each in dropped if each.stream == stream.name]
    found.dropped = sum(each.last_sequence - each.first_sequence + 1 for each in ranges)
    # The digest of each segment that is known without being kept, and of the one before the first.
    digests = {each.last_sequence: each.last_digest for each in ranges if each.last_digest != cose.NO_DIGEST}
    digests[0] = cose.FIRST_PREVIOUS
    last, digest = 0, cose.FIRST_PREVIOUS
    for each in kept:
        segment = each.segment
        found.kept += 1
        previous = digest if segment.sequence == last + 1 else digests.get(segment.sequence - 1)
        try:
            header = _signed(segment.blob, keys, found)
        except (MalformedMessage, SignatureError) as error:
            found.fault(segment.sequence, str(error))
        else:
            said = (header.gateway, header.stream, header.epoch, header.sequence)
            if said != (gateway, stream.name, segment.epoch, segment.sequence):
                found.fault(segment.sequence, f"was signed as {header.gateway}/{header.stream} {header.sequence}")
            if previous is not None and header.previous != previous:
                found.fault(segment.sequence, "the chain is broken: it does not follow the one before it")
        last, digest = segment.sequence, cose.digest(segment.blob)
    if last == stream.last_sequence and digest != stream.last_digest:
        found.fault(last, "is not the one that was sealed last")
    if last > stream.last_sequence:
        found.fault(last, f"is numbered above the stream's last, {stream.last_sequence}")
    found.gone = max(0, stream.last_sequence - found.kept - found.dropped)
    return found


def _signed(blob: bytes, keys: Mapping[bytes, Ed25519PublicKey], found: Verdict) -> cose.Header:
    """Give the header; of a key that is not ours now only the chain can be judged, and it is counted."""
    header = cose.peek(blob)
    if header.key_id in keys:
        return cose.verify(blob, keys).header
    found.other_keys += 1
    return header
