"""A noisy line, and the judge of what a decoder makes of it: which values are wrong, which undamaged ones are lost.

Flips change characters and never their number, so each group that a decoder gives is held against the one that was
sent at that very place: a damaged label that became another real one, or a group told twice, is found as well.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from linky_tic.decoder import Decoder
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE
from linky_tic.tests.encoder import Item
from linky_tic.tests.meters import Sent, Stream

RATE = 1e-3
"""Flipped bits a character."""
FREE_TEXT = frozenset({"NGTF", "LTARF", "MSG1", "MSG2"})
"""The norm allows any text there: bit 6 turns one letter into another, and the checksum is blind to it."""
_SHOWN = 40

Read = Callable[[bytes], Iterable[Item]]
"""Takes the next bytes of the line; gives the values that it believes."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A value that was believed and never sent at its place; `was` None where nothing was."""

    was: Sent | None
    read: Item
    line: bytes
    """What stood on the line, from the LF of what was sent there to the CR of what was read."""
    flips: tuple[int, ...]
    """Where in `line` a bit was flipped."""


@dataclass(slots=True)
class Score:
    """What became of damaged streams. `wrong` leaves out the free texts, which `wrong_texts` counts."""

    groups: int = 0
    undamaged: int = 0
    kept: int = 0
    flips: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    wrong_texts: int = 0
    crashes: list[str] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        """Count another one's in."""
        self.groups += other.groups
        self.undamaged += other.undamaged
        self.kept += other.kept
        self.flips += other.flips
        self.wrong += other.wrong
        self.wrong_texts += other.wrong_texts
        self.crashes += other.crashes


def reader(mode: Mode | None = None) -> Read:
    """Read with our own decoder."""
    decoder = Decoder(mode)

    def read(data: bytes) -> list[Item]:
        return [
            Item(event.label, event.value or "", event.horodate)
            for event in decoder.feed(data)
            if isinstance(event, Group) and event.valid
        ]

    return read


def flipped(data: bytes, random: Random, *, rate: float = RATE, bits: int = 7) -> tuple[bytes, list[int]]:
    """Flip one bit, any of the lowest `bits`, in a share `rate` of the characters; tell in which."""
    line = bytearray(data)
    hits = list(_hits(len(data), rate, random))
    for at in hits:
        line[at] ^= 1 << random.randrange(bits)
    return bytes(line), hits


def _hits(size: int, rate: float, random: Random) -> Iterator[int]:
    """Draw the gap to the next hit rather than each character: the same law, a thousand times faster."""
    scale = math.log1p(-rate)
    at = -1
    while (at := at + 1 + int(math.log(1.0 - random.random()) / scale)) < size:
        yield at


def score(stream: Stream, line: bytes, hits: Sequence[int], make: Callable[[], Read]) -> Score:
    """Have `line`, what became of a stream, read up to each CR by itself, so that every value has its place.

    `hits` is where it was damaged. A reader that raises is a crash; a new one is made and goes on.
    """
    found = Score(groups=len(stream.sent), flips=len(hits))
    ends = [sent.end for sent in stream.sent]
    kept = set()
    read = make()
    for start, end in _to_each_cr(line):
        try:
            items = list(read(line[start:end]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            found.crashes.append(f"{error!r} at {line[max(0, start - _SHOWN) : end]!r}")
            read = make()
            continue
        for item in items:
            at = bisect_left(ends, end)
            was = stream.sent[at] if at < len(ends) else None
            if was is not None and was.end == end and was.item == item:
                kept.add(at)
            elif item.label in FREE_TEXT:
                found.wrong_texts += 1
            else:
                found.wrong.append(_wrong(was, item, line, end, hits))
    whole = [at for at, sent in enumerate(stream.sent) if not _hit(sent.start, sent.end, hits)]
    found.undamaged, found.kept = len(whole), sum(at in kept for at in whole)
    return found


def _to_each_cr(line: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(line):
        end = line.find(b"\r", start) + 1 or len(line)
        yield start, end
        start = end


def _hit(start: int, end: int, hits: Sequence[int]) -> bool:
    at = bisect_left(hits, start)
    return at < len(hits) and hits[at] < end


def _wrong(was: Sent | None, item: Item, line: bytes, end: int, hits: Sequence[int]) -> Wrong:
    start = max(0, min(end, was.start)) if was is not None else max(0, end - _SHOWN)
    inside = hits[bisect_left(hits, start) : bisect_right(hits, end - 1)]
    return Wrong(was, item, line[start:end], tuple(at - start for at in inside))


def why_believed(mode: Mode, wrong: Wrong) -> str | None:
    """Say which flips made up for one another in the checksum, and fit the label; None where that is no excuse.

    Worked out from what was on the line, not by the decoder that believed it. A single flip is never an excuse, nor is
    a group that does not stand where one was sent.
    """
    was, text = wrong.was, wrong.line[1:-1].decode("ascii", "replace")
    if was is None or len(wrong.flips) < 2 or len(wrong.line) != was.end - was.start:
        return None
    separator = mode.separator.decode()
    counted = text[:-1] if mode is Mode.STANDARD else text[:-2]
    if (sum(map(ord, counted)) & 63) + 32 != ord(text[-1]) or text[-2] != separator:
        return None
    before, after = was.item, wrong.read
    same_shape = (after.horodate is None) == (before.horodate is None) and all(
        len(new) == len(old) and all(_kind(one) == _kind(other) for one, other in zip(new, old, strict=True))
        for new, old in ((after.value, before.value), (after.horodate or "", before.horodate or ""))
    )
    if after.label not in BY_MODE[mode] or not same_shape:
        return None
    return f"flips at {wrong.flips} of {wrong.line!r}, sent as {before}: the checksum comes out the same"


def _kind(character: str) -> str:
    """Give the kind of a character: a digit for a digit, a letter for a letter, all others only for themselves."""
    return "0" if character.isdigit() else "A" if character.isascii() and character.isupper() else character
