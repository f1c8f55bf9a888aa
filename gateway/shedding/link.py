"""Supervision of the link to the centre: THE table, state x event -> state, actions.

Rules that the table holds:
* the centre is in control only after a heartbeat and then a verified command; neither TCP nor MQTT counts for anything;
* `link_lost` stops nothing: what runs goes on to its signed end, which is the executor's business;
* `autonomous` is left only like `init`, and never leads to `link_lost`;
* outside the controlled states a shed is considered only within 60 s after a heartbeat.

Time comes in as `now`, in ms of boot time. Whoever feeds this verifies heartbeats and commands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """Who is in control."""

    INIT = "init"
    CONTROLLED_IDLE = "controlled_idle"
    CONTROLLED_SHEDDING = "controlled_shedding"
    LINK_LOST = "link_lost"
    AUTONOMOUS = "autonomous"


class Event(StrEnum):
    """What happens on the link."""

    HEARTBEAT = "heartbeat"
    REFUSED = "refused"
    """A verified command was refused, or was a release."""
    SHED = "shed"
    """A verified shed was accepted."""
    LAST_ENDED = "last_ended"
    """The last shed ended, was released or cancelled."""
    SILENCE = "silence"
    """No heartbeat for 120 s; in init: not both, a heartbeat and a command, within 120 s."""
    FAILSAFE_OVER = "failsafe_over"
    """The failsafe duration is over and nothing runs."""


class Action(StrEnum):
    """What is to be done after a step."""

    TELL = "tell"
    """Tell the new state to people and, when it can be reached, to the centre."""


@dataclass(frozen=True, slots=True)
class Settings:
    """When the link is lost, how long a heartbeat opens the door, how long a lost link is waited for; in ms."""

    lost_ms: int = 120_000
    open_ms: int = 60_000
    failsafe_ms: int = 4 * 3_600_000


@dataclass(frozen=True, slots=True)
class Link:
    """Where the link stands: since when, the last heartbeat that counts for it, and whether a shed runs."""

    state: State
    since_ms: int
    heartbeat_ms: int | None = None
    running: bool = False


_FROM_OUTSIDE: Mapping[Event, State] = {
    Event.REFUSED: State.CONTROLLED_IDLE,
    Event.SHED: State.CONTROLLED_SHEDDING,
}

TABLE: Mapping[State, Mapping[Event, State]] = {
    State.INIT: {**_FROM_OUTSIDE, Event.SILENCE: State.AUTONOMOUS},
    State.CONTROLLED_IDLE: {Event.SHED: State.CONTROLLED_SHEDDING, Event.SILENCE: State.LINK_LOST},
    State.CONTROLLED_SHEDDING: {Event.LAST_ENDED: State.CONTROLLED_IDLE, Event.SILENCE: State.LINK_LOST},
    State.LINK_LOST: {
        **_FROM_OUTSIDE,
        # Only while a shed still runs (see `step`): the centre that started it is back.
        Event.HEARTBEAT: State.CONTROLLED_SHEDDING,
        Event.FAILSAFE_OVER: State.AUTONOMOUS,
    },
    State.AUTONOMOUS: dict(_FROM_OUTSIDE),
}

CONTROLLED = frozenset({State.CONTROLLED_IDLE, State.CONTROLLED_SHEDDING})


def begin(now_ms: int, *, running: bool = False) -> Link:
    """Give the link as it is at a start; `running` if a shed was taken up again."""
    return Link(State.INIT, now_ms, None, running)


def step(link: Link, event: Event, now_ms: int) -> tuple[Link, tuple[Action, ...]]:
    """Give the link after the event and what to do; an event that the state does not list only leaves its trace."""
    before = link
    if event is Event.HEARTBEAT:
        link = replace(link, heartbeat_ms=now_ms)
    elif event is Event.SHED:
        link = replace(link, running=True)
    elif event is Event.LAST_ENDED:
        link = replace(link, running=False)
    to = TABLE[link.state].get(event)
    if to is None or not _allowed(before, event):
        return link, ()
    if event in _FROM_OUTSIDE and link.running:
        # A refused command while a shed still runs: the centre is back, and the shed is still its shed.
        to = State.CONTROLLED_SHEDDING
    # A lost link needs a heartbeat of its own time; one from before the loss proves nothing afterwards.
    heartbeat_ms = None if to is State.LINK_LOST else link.heartbeat_ms
    return Link(to, now_ms, heartbeat_ms, link.running), (Action.TELL,)


def _allowed(link: Link, event: Event) -> bool:
    """Hold an edge to what stands beside it in the contract."""
    if event is Event.HEARTBEAT:
        return link.running
    if event is Event.FAILSAFE_OVER:
        return not link.running
    if event in _FROM_OUTSIDE and link.state not in CONTROLLED:
        return link.heartbeat_ms is not None
    return True


def due(link: Link, settings: Settings, now_ms: int) -> Event | None:
    """Give the event that time brings now, None if there is none."""
    if link.state is State.LINK_LOST:
        over = now_ms - link.since_ms >= settings.failsafe_ms and not link.running
        return Event.FAILSAFE_OVER if over else None
    if link.state is State.INIT:
        return Event.SILENCE if now_ms - link.since_ms >= settings.lost_ms else None
    if link.state in CONTROLLED:
        heard_ms = link.since_ms if link.heartbeat_ms is None else link.heartbeat_ms
        return Event.SILENCE if now_ms - heard_ms >= settings.lost_ms else None
    return None


def admits(link: Link, settings: Settings, now_ms: int) -> bool:
    """Whether a shed of the centre is considered now."""
    if link.state in CONTROLLED:
        return True
    return link.heartbeat_ms is not None and now_ms - link.heartbeat_ms <= settings.open_ms


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.INIT}"]
    lines += [f"    {state} --> {to}: {event}" for state, edges in TABLE.items() for event, to in edges.items()]
    return "\n".join(lines) + "\n"
