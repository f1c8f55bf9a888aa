"""One measured figure against its goal, as the line of JSON that a benchmark prints."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured of one thing; `goal` is the most that it may be, or with `at_least` the least; None: only told.

    `rival` says what others need for the same, with where that is known from; None where nothing is known.
    """

    figure: str
    value: float
    unit: str
    goal: float | None = None
    rival: str | None = None
    at_least: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether the goal is kept; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self) -> str:
        """Give the one line that is printed."""
        return json.dumps(
            {
                "figure": self.figure,
                "value": self.value,
                "unit": self.unit,
                "goal": self.goal,
                "holds": self.holds,
                "rival": self.rival,
            }
        )
