"""What of a Linky's frames must arrive by the rule that docs/linky.md gives, worked out here from the ledger alone.

    each frame   a value of now must arrive
    a change     must arrive, once; of an index also what follows within a minute of it
    no change    may arrive; but what the centre knows of a channel is what the meter says, and a minute old at most

A frame that may have been heard in part only leaves open whether its change arrived then or with the next whole one.
"""

import bisect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hil_tests.demo.verdict import LATE_MS, SOON_MS, Seen, Span, Value

_NOW = re.compile(r"[iu]rms\d|sinsts\d?|sinsti|iinst\d?|papp|adps|adir\d")
_INDEX = re.compile(r"eas[tfd]\d*|eait|erq\d|base|hc[hp][cp]|ejph.*|bbrh.*|gaz|autre")
_RUNS_MS = 55_000
"""For so long after it moved an index runs: a minute, less what a stamp may be late on either side."""
_REPEATED_MS = 60_000

Sightings = dict[str, list[Seen]]


@dataclass(slots=True)
class _Channel:
    """What the meter has said of one channel: for certain, and perhaps since then, with the first moment of each."""

    known: Value | None = None
    perhaps: dict[Value, int] = field(default_factory=dict)
    moved_ms: int | None = None


class Due:
    """Takes the Linky's entries in the order of time."""

    def __init__(self) -> None:
        self.certain: Sightings = defaultdict(list)
        self.perhaps: Sightings = defaultdict(list)
        self.said: Sightings = defaultdict(list)
        """What was said for certain by whole frames, of channels that are not given with each."""
        self._channels: dict[str, _Channel] = defaultdict(_Channel)

    def frame(self, boot_ms: int, values: Mapping[str, Value], *, certain: bool) -> None:
        """Take a frame, its values by channel."""
        for name, value in values.items():
            label = name.partition(".")[2]
            must = certain
            if not _NOW.fullmatch(label):
                must = self._must(name, boot_ms, value, certain=certain)
                if certain:
                    self.said[name].append((boot_ms, value))
            (self.certain if must else self.perhaps)[name].append((boot_ms, value))

    def _must(self, name: str, boot_ms: int, value: Value, *, certain: bool) -> bool:
        channel = self._channels[name]
        if not certain:
            channel.perhaps.setdefault(value, boot_ms)
            return False
        changed = value != channel.known
        if changed:
            channel.moved_ms = channel.perhaps.get(value, boot_ms)
        runs = _INDEX.fullmatch(name.partition(".")[2]) and boot_ms - (channel.moved_ms or 0) < _RUNS_MS
        must = bool(runs) or (changed and value not in channel.perhaps)
        channel.known = value
        channel.perhaps.clear()
        return must


def unknown(said: Sightings, arrived: Mapping[str, Sequence[Seen]], left_out: Sequence[Span]) -> Iterator[str]:
    """Give the channel of each certain value that the centre did not know when it should, or knew for too long."""
    for name, sightings in said.items():
        seen = sorted(arrived.get(name, ()))
        times = [boot_ms for boot_ms, _ in seen]
        for boot_ms, value in sightings:
            if any(span.holds(boot_ms) for span in left_out):
                continue
            soon, late = (bisect.bisect_right(times, boot_ms + after_ms) for after_ms in (SOON_MS, LATE_MS))
            oldest_ms = boot_ms - _REPEATED_MS
            if not any(at_ms > oldest_ms and each == value for at_ms, each in seen[max(0, soon - 1) : late]):
                yield name
