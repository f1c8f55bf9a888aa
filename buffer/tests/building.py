"""What the tests of the outbox share: rows that can be told apart, and a pack whose blob shows what was sealed."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from buffer.outbox import Outbox, Place, Row, Segment

QUOTA = 4096


def open_outbox(path: Path, quota_pages: int = QUOTA) -> Outbox:
    """Open with a quota that never matters."""
    return Outbox.open(path, quota_pages=quota_pages)


def row(number: int, lot: bytes = b"lot", stream: str = "fine", size: int = 0) -> Row:
    """Make row `number`: two readings, at times that its number tells, with `size` bytes of ballast."""
    return Row(stream, lot, number * 10, number * 10 + 9, 2, json.dumps([number, "x" * size]).encode())


def pack(place: Place, payloads: Sequence[bytes]) -> bytes:
    """Write place and rows so that `numbers` and `check_chain` can read them again."""
    rows = [json.loads(payload) for payload in payloads]
    return json.dumps([place.epoch.hex(), place.stream, place.sequence, place.previous.hex(), rows]).encode()


def numbers(segments: Iterable[Segment]) -> list[int]:
    """Give the numbers of the rows in the segments, in order."""
    return [number for segment in segments for number, _ in json.loads(segment.blob)[4]]


def check_chain(segments: Sequence[Segment], first: int = 1, previous: bytes = bytes(32)) -> None:
    """Assert that sequences are contiguous from `first` and that each blob names the digest of the one before."""
    for expected, segment in enumerate(segments, first):
        epoch, stream, sequence, named, _ = json.loads(segment.blob)
        assert (epoch, stream, sequence) == (segment.epoch.hex(), segment.stream, segment.sequence)
        assert sequence == expected
        assert named == previous.hex()
        previous = hashlib.sha256(segment.blob).digest()
