"""Who holds which load: decided anew at each change, by rank, among the courses that ask for it.

The value to restore belongs to the load, not to a course: however many orders follow each other on a load, the last
one to let go gives back what was there before the first.
"""

from collections.abc import Mapping

from gateway.commands.course import Course
from gateway.commands.hand import Hand
from gateway.commands.lifecycle import State

HOLDING = frozenset({State.STARTING, State.ACTIVE, State.SUSPENDED})
"""States in which a command asks for its loads."""


class Arbiter:
    """Shares the hands out among the courses."""

    def __init__(self, hands: Mapping[str, Hand], courses: Mapping[str, Course]) -> None:
        self._hands = hands
        self._courses = courses
        self._claimed: set[str] = set()
        self._holder: dict[str, str | None] = dict.fromkeys(hands)

    def holder(self, load: str) -> Course | None:
        """Give the course that has a load."""
        return self._courses.get(self._holder[load] or "")

    def claim(self, course: Course) -> None:
        """Let a course ask for its loads: its intent is stored."""
        self._claimed.add(course.id)
        for load in course.values:
            self.arrange(load)

    def forget(self, course: Course) -> None:
        """Take a finished course out."""
        self._claimed.discard(course.id)

    def arrange(self, load: str, *, not_before_ms: int = 0, at_once: bool = False) -> None:
        """Give a load to whoever ranks highest among those who ask for it, or back to the building."""
        asking = [c for c in self._courses.values() if self._asks(c) and load in c.values]
        winner = min(asking, key=lambda c: c.rank, default=None)
        hand = self._hands[load]
        if winner is None:
            self._holder[load] = None
            if not hand.free:
                hand.release(not_before_ms, at_once=at_once)
        elif self._holder[load] != winner.id or hand.goal != winner.values[load]:
            self._holder[load] = winner.id
            hand.hold(winner.values[load])
        else:
            hand.abandon()

    def _asks(self, course: Course) -> bool:
        return course.id in self._claimed and course.state in HOLDING

    def drop(self, course: Course, load: str, why: str, *, at_once: bool = False) -> None:
        """Take one load out of a course and let it go."""
        course.values.pop(load, None)
        course.failed[load] = why
        self.arrange(load, at_once=at_once)

    def won(self, course: Course) -> list[str]:
        """Give the loads that a course has."""
        return [load for load in course.values if self._holder[load] == course.id]

    def outranked(self, course: Course) -> bool:
        """Tell whether others have every load that a course asks for."""
        return self._asks(course) and bool(course.values) and not self.won(course)

    def let_go(self, course: Course) -> bool:
        """Tell whether every load that a course ever had is back, or another's."""
        return all(self._hands[load].free or self._holder[load] is not None for load in course.touched)
