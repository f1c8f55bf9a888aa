"""What time brings to a course: the next event, and when to look again. Pure."""

from dataclasses import dataclass

from gateway.commands.course import Course
from gateway.commands.lifecycle import Event, State

LOOK_AGAIN_MS = 1_000
MEASURE_MS = 500

_RUNNING = frozenset({State.STARTING, State.ACTIVE, State.SUSPENDED})
_WAITING = frozenset({State.ACCEPTED, State.SCHEDULED})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a course's next event depends on besides itself.

    `sure`: the centre is heard or the clock is trusted, without which nothing that waited may start; `outranked`:
    others have all its loads; `let_go`: its loads are back.
    """

    now_ms: int
    sure: bool
    outranked: bool
    let_go: bool


def due(course: Course, facts: Facts) -> Event | None:
    """Give the event that time, rank or the loads bring to a course now; None if there is none."""
    state = course.state
    if state is State.RELEASING:
        return Event.RELEASED if facts.let_go else None
    if facts.now_ms >= course.end_ms:
        return _over(course)
    if state in _WAITING:
        if facts.now_ms < course.due_ms:
            return Event.SCHEDULE if state is State.ACCEPTED else None
        return Event.DUE if state is State.ACCEPTED or facts.sure else None
    if state is State.SUSPENDED:
        return None if facts.outranked else Event.REGAIN
    return Event.OUTRANK if state in _RUNNING and facts.outranked else None


def _over(course: Course) -> Event | None:
    """Give the event that the end brings."""
    if course.state in _WAITING or (course.state is State.STARTING and not course.read_back):
        return Event.EXPIRE
    if course.state in _RUNNING:
        return Event.END_PARTLY if course.failed else Event.END
    return None


def look_again_ms(course: Course, now_ms: int) -> int | None:
    """Give when a course has to be looked at if nothing else happens; None if only others can move it."""
    match course.state:
        case State.NEEDS_TIME | State.INTERRUPTED:
            return now_ms + LOOK_AGAIN_MS
        case State.ACCEPTED:
            return now_ms
        case State.SCHEDULED:
            return min(course.end_ms, course.due_ms if course.due_ms > now_ms else now_ms + LOOK_AGAIN_MS)
        case State.ACTIVE if course.confirm_until_ms is not None:
            return min(course.end_ms, now_ms + MEASURE_MS)
        case State.STARTING | State.ACTIVE | State.SUSPENDED:
            return course.end_ms
        case _:
            return None
