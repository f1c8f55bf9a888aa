"""How good a meter's line is: what became of its frames, groups and characters, counted, never logged one by one."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from linky_tic.group import Group, Reason

_REFUSED = frozenset(f"groups_{reason.value}" for reason in Reason if reason is not Reason.UNKNOWN_LABEL)
"""What the line did; a label that nobody knows came whole."""
_LEAST_MS = 10_000
"""Over less than this a rate says nothing."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a line gave in a span: frames a minute, groups refused in %, characters with wrong parity in 1,000."""

    frames_per_min: float
    refused_percent: float
    parity_per_1000: float


class _Seen(NamedTuple):
    """Counts up to a moment of boot time, of what came while the line's mode was known."""

    at_ms: int
    frames: int = 0
    groups: int = 0
    refused: int = 0
    characters: int = 0
    damaged: int = 0


class _Window:
    """Remembers what was seen in the last `span_ms`, in twelve steps, or sixty of an hour."""

    def __init__(self, span_ms: int, step_ms: int) -> None:
        self._span_ms = span_ms
        self._step_ms = step_ms
        self._seen: deque[_Seen] = deque()

    def add(self, seen: _Seen) -> None:
        if not self._seen or seen.at_ms - self._seen[-1].at_ms >= self._step_ms:
            self._seen.append(seen)
        while len(self._seen) > 1 and seen.at_ms - self._seen[1].at_ms >= self._span_ms:
            self._seen.popleft()

    def rates(self, now: _Seen) -> Rates | None:
        """Give the rates since the first moment that is remembered; None while that is not long ago."""
        if not self._seen or now.at_ms - self._seen[0].at_ms < _LEAST_MS:
            return None
        first = self._seen[0]
        groups, characters = now.groups - first.groups, now.characters - first.characters
        return Rates(
            round((now.frames - first.frames) * 60_000 / (now.at_ms - first.at_ms), 1),
            round(100 * (now.refused - first.refused) / groups, 2) if groups else 0.0,
            round(1_000 * (now.damaged - first.damaged) / characters, 2) if characters else 0.0,
        )


class LineQuality:
    """Counts since the start of this process, and rates; `searching` while the line's mode is not known.

    What a wrong speed makes of a line says nothing about that line: rates leave it out.
    """

    def __init__(self) -> None:
        self.searching = True
        self.counters = dict.fromkeys(
            (
                "frames",
                "frames_incomplete",
                "groups_valid",
                "groups_suspect",
                *(f"groups_{reason.value}" for reason in Reason),
                "characters",
                "characters_damaged",
                "resynchronisations",
                "openings",
            ),
            0,
        )
        self._known = _Seen(0)
        self._minute = _Window(60_000, 5_000)
        self._hour = _Window(3_600_000, 60_000)

    def group(self, group: Group) -> None:
        """Count a group by what became of it."""
        became = "groups_valid" if group.valid else f"groups_{group.reason}"
        self.counters[became] += 1
        if not self.searching:
            known = self._known
            self._known = known._replace(groups=known.groups + 1, refused=known.refused + (became in _REFUSED))

    def frame(self, *, complete: bool, suspect: int) -> None:
        """Count a frame, and the values in it that cannot be true."""
        self.counters["frames" if complete else "frames_incomplete"] += 1
        self.counters["groups_suspect"] += suspect
        if complete and not self.searching:
            self._known = self._known._replace(frames=self._known.frames + 1)

    def characters(self, count: int, damaged: int) -> None:
        """Count characters, those with wrong parity among them."""
        self.counters["characters"] += count
        self.counters["characters_damaged"] += damaged
        if not self.searching:
            known = self._known
            self._known = known._replace(characters=known.characters + count, damaged=known.damaged + damaged)

    def passed(self, now_ms: int) -> None:
        """Let time pass; call it each second or so."""
        seen = self._known._replace(at_ms=now_ms)
        self._minute.add(seen)
        self._hour.add(seen)

    def rates(self, now_ms: int) -> dict[str, Rates | None]:
        """Give the rates over the last minute and the last hour, or since the start, at least 10 s ago."""
        self.passed(now_ms)
        seen = self._known._replace(at_ms=now_ms)
        return {"minute": self._minute.rates(seen), "hour": self._hour.rates(seen)}
