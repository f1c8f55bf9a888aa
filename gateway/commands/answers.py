"""What is said about a course at each step: pure wording, within the bounds of the message."""

from collections.abc import Mapping

from gateway.commands.course import Course
from gateway.commands.hand import Delayed
from gateway.commands.lifecycle import State
from gateway.commands.verify import Refused, Times
from gateway.wire.fields import UNPRINTABLE
from gateway.wire.messages import Answer

Value = int | str | bool | list[int | str | bool]

_ENTRIES = 64
_CHARACTERS = 256

RECEIVED = "received"
COMPLETED = "completed"
_SAID: Mapping[State, str] = {State.ACTIVE: "started"}
"""The contract's word where it differs from the state's: "started" is answered when all is written and read back."""


def answer(course: Course, times: Times, detail: Mapping[str, Value], said: str | None = None) -> Answer:
    """Say where a course stands, or `said` about it."""
    more: dict[str, Value] = {"sequence": course.sequence, **{name: _said(each) for name, each in detail.items()}}
    return Answer(
        command_id=course.id,
        state=said or _SAID.get(course.state, course.state.value),
        reason=course.reason,
        boot_ms=times.boot_ms,
        utc_ms=times.utc_ms,
        detail=more,
    )


def _said(value: Value) -> Value:
    """Give what a message can hold: a driver's words may bring ends of lines, which none has."""
    if isinstance(value, list):
        return [UNPRINTABLE.sub(" ", each) if isinstance(each, str) else each for each in value]
    return UNPRINTABLE.sub(" ", value) if isinstance(value, str) else value


def refusal(refused: Refused, times: Times) -> Answer:
    """Say why a message moves nothing."""
    return Answer(
        command_id=refused.command_id,
        state=refused.state,
        reason=refused.reason,
        boot_ms=times.boot_ms,
        utc_ms=times.utc_ms,
        detail={"sequence": refused.sequence} if refused.sequence else {},
    )


def about_command(command_id: str, sequence: int, said: str, times: Times, reason: str | None = None) -> Answer:
    """Say something about an order that has no course of its own: a cancel, a modify."""
    return Answer(command_id, said, reason, times.boot_ms, times.utc_ms, {"sequence": sequence})


def loads(course: Course) -> dict[str, Value]:
    """Tell which loads hold which value, which failed and why, and what was asked and is expected."""
    held = sorted(course.values)[:_ENTRIES]
    failed = sorted(course.failed)[:_ENTRIES]
    detail: dict[str, Value] = {
        "loads": list(held),
        "values": [course.values[name] for name in held],
        "read_back": [course.read_back.get(name, "") for name in held],
        "asked_w": course.asked_w,
        "expected_w": course.expected_w,
    }
    if course.clamped or course.expected_w < course.asked_w:
        detail["clamped"] = True
    if failed:
        detail["failed"] = list(failed)
        detail["failures"] = [course.failed[name][:_CHARACTERS] for name in failed]
    if course.relay_boot_ms is not None:
        detail["relay_boot_ms"] = course.relay_boot_ms
    return detail


def power(course: Course) -> dict[str, Value]:
    """Tell the power before and during the shed, as far as it was measured."""
    known = {"before_w": course.before_w, "during_w": course.during_w}
    return {name: watts for name, watts in known.items() if watts is not None}


def delay(delayed: Delayed, times: Times) -> dict[str, Value]:
    """Tell which load a minimum time holds, and when it will be switched."""
    detail: dict[str, Value] = {"delayed": delayed.load, "planned_boot_ms": delayed.boot_ms}
    if times.utc_ms is not None:
        detail["planned_utc_ms"] = times.utc_ms + delayed.boot_ms - times.boot_ms
    return detail
