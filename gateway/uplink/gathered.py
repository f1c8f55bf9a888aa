"""Segments and answers that the broker has acknowledged, gathered until they are worth a transaction."""

from collections.abc import Callable, Mapping, Sequence

Place = tuple[str, int]
"""A segment: stream and sequence."""

Taken = Callable[[Mapping[str, Sequence[tuple[int, int]]]], None]
"""Takes the ranges (first, last) of each stream that the broker has acknowledged."""

_MOST = 50


class Gathered:
    """Gives `taken` what was added, in ranges; without one, nothing is gathered."""

    def __init__(self, taken: Taken | None) -> None:
        self._taken = taken
        self._places: list[Place] = []

    @property
    def is_wanted(self) -> bool:
        """Whether anybody wants to know."""
        return self._taken is not None

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, place: Place) -> None:
        """Take one more."""
        if self._taken is not None:
            self._places.append(place)
            if len(self._places) >= _MOST:
                self.hand_over()

    def hand_over(self) -> None:
        """Give what there is."""
        places, self._places = self._places, []
        if self._taken is not None and places:
            self._taken(_ranges(places))


def _ranges(places: Sequence[Place]) -> dict[str, list[tuple[int, int]]]:
    gathered: dict[str, list[tuple[int, int]]] = {}
    for stream, sequence in sorted(places):
        ranges = gathered.setdefault(stream, [])
        if ranges and ranges[-1][1] == sequence - 1:
            ranges[-1] = (ranges[-1][0], sequence)
        else:
            ranges.append((sequence, sequence))
    return gathered
