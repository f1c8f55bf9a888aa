"""The life of one command: THE table, state x event -> state, outcome, actions.

    received -> rejected | needs_time | accepted -> scheduled -> starting -> active -> releasing -> a terminal state

Rules that the table holds:
* a terminal state knows no event: there is one terminal answer and nothing after it;
* once something may have been written, the only way to a terminal state leads through `releasing`, and out of it leads
  only `released`: every load verified back at its old value. The outcome is decided when `releasing` is entered;
* `suspended` and `interrupted` hold nothing back: another command has the loads, or a power cut released them;
* an event that a state does not list changes nothing: a late END, a second CANCEL and the like are harmless.

This room decides nothing about time, loads or storage: the executor makes the events and carries out the actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a command stands."""

    RECEIVED = "received"
    NEEDS_TIME = "needs_time"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    STARTING = "starting"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    INTERRUPTED = "interrupted"
    RELEASING = "releasing"

    REJECTED = "rejected"
    COMPLETED = "completed"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    OPTED_OUT = "opted_out"
    PARTIAL = "partial"
    FAILED = "failed"
    ABORTED_SAFETY = "aborted_safety"


TERMINAL = frozenset(
    {
        State.REJECTED,
        State.COMPLETED,
        State.EXPIRED,
        State.SUPERSEDED,
        State.CANCELLED,
        State.OPTED_OUT,
        State.PARTIAL,
        State.FAILED,
        State.ABORTED_SAFETY,
    }
)


class Event(StrEnum):
    """What happens to a command."""

    REFUSE = "refuse"
    """A policy says no."""
    PARK = "park"
    """It may be good, but the clock is not trusted yet."""
    ACCEPT = "accept"
    SCHEDULE = "schedule"
    """Accepted, and its start lies ahead."""
    DUE = "due"
    """Its start has come."""
    EXPIRE = "expire"
    """Its time is over and nothing of it was carried out."""
    HELD = "held"
    """Every load of it is written and read back."""
    HELD_PARTLY = "held_partly"
    """Some loads are written and read back, the others failed."""
    FAIL = "fail"
    """It cannot be carried out, and nothing was written."""
    BREAK = "break"
    """It cannot be carried out, and something was, or may have been, written."""
    OUTRANK = "outrank"
    """Commands that rank higher hold every one of its loads."""
    REGAIN = "regain"
    """A load is free for it again, and its time is not over."""
    END = "end"
    END_PARTLY = "end_partly"
    """Its end has come, and not every load took part all the time."""
    LIMIT = "limit"
    """A budget is used up."""
    CANCEL = "cancel"
    OPT_OUT = "opt_out"
    SAFETY = "safety"
    POWER_CUT = "power_cut"
    """The machine was restarted and it cannot be told whether the end is past."""
    RELEASED = "released"
    """Every load that it held is verified back at its old value, or held by another."""


class Action(StrEnum):
    """What the executor has to do after a step."""

    ANSWER = "answer"
    """Answer the new state."""
    CLAIM = "claim"
    """Ask for the loads: journal the intent, then write."""
    CONFIRM = "confirm"
    """Look for the effect on the meter."""
    RELEASE = "release"
    """Give the loads back, staggered."""
    RELEASE_NOW = "release_now"
    """Give the loads back at once."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where an event leads: `to` None means "the outcome that was decided on entering releasing"."""

    to: State | None
    outcome: State | None = None
    actions: tuple[Action, ...] = (Action.ANSWER,)


@dataclass(frozen=True, slots=True)
class Life:
    """A state, and while releasing the terminal state that it will end in."""

    state: State = State.RECEIVED
    outcome: State | None = None

    @property
    def over(self) -> bool:
        """Whether this is a terminal state."""
        return self.state in TERMINAL


def _release(outcome: State, *, now: bool = False) -> Edge:
    return Edge(State.RELEASING, outcome, (Action.ANSWER, Action.RELEASE_NOW if now else Action.RELEASE))


_NOTHING_WRITTEN: Mapping[Event, Edge] = {
    Event.CANCEL: Edge(State.CANCELLED),
    Event.OPT_OUT: Edge(State.OPTED_OUT),
    Event.SAFETY: Edge(State.ABORTED_SAFETY),
    Event.EXPIRE: Edge(State.EXPIRED),
}
_MAYBE_WRITTEN: Mapping[Event, Edge] = {
    Event.CANCEL: _release(State.CANCELLED),
    Event.OPT_OUT: _release(State.OPTED_OUT, now=True),
    Event.SAFETY: _release(State.ABORTED_SAFETY, now=True),
    Event.LIMIT: _release(State.PARTIAL, now=True),
    Event.BREAK: _release(State.FAILED, now=True),
    Event.END: _release(State.COMPLETED),
    Event.END_PARTLY: _release(State.PARTIAL),
    Event.EXPIRE: _release(State.EXPIRED),
    Event.OUTRANK: Edge(State.SUSPENDED),
    Event.POWER_CUT: Edge(State.INTERRUPTED, None, (Action.ANSWER, Action.RELEASE_NOW)),
}

TABLE: Mapping[State, Mapping[Event, Edge]] = {
    State.RECEIVED: {
        Event.REFUSE: Edge(State.REJECTED),
        Event.EXPIRE: Edge(State.EXPIRED),
        Event.PARK: Edge(State.NEEDS_TIME),
        Event.ACCEPT: Edge(State.ACCEPTED),
    },
    State.NEEDS_TIME: {
        **_NOTHING_WRITTEN,
        Event.REFUSE: Edge(State.REJECTED),
        Event.ACCEPT: Edge(State.ACCEPTED),
    },
    State.ACCEPTED: {
        **_NOTHING_WRITTEN,
        Event.SCHEDULE: Edge(State.SCHEDULED),
        Event.DUE: Edge(State.STARTING, None, (Action.CLAIM,)),
        Event.POWER_CUT: Edge(State.INTERRUPTED),
    },
    State.SCHEDULED: {
        **_NOTHING_WRITTEN,
        Event.DUE: Edge(State.STARTING, None, (Action.CLAIM,)),
        Event.POWER_CUT: Edge(State.INTERRUPTED),
    },
    State.STARTING: {
        **_MAYBE_WRITTEN,
        Event.FAIL: Edge(State.FAILED),
        Event.HELD: Edge(State.ACTIVE, None, (Action.ANSWER, Action.CONFIRM)),
        Event.HELD_PARTLY: Edge(State.ACTIVE, None, (Action.ANSWER, Action.CONFIRM)),
    },
    State.ACTIVE: dict(_MAYBE_WRITTEN),
    State.SUSPENDED: {
        **_MAYBE_WRITTEN,
        Event.END: _release(State.SUPERSEDED),
        Event.END_PARTLY: _release(State.SUPERSEDED),
        Event.REGAIN: Edge(State.STARTING, None, (Action.CLAIM,)),
    },
    State.INTERRUPTED: {
        **_MAYBE_WRITTEN,
        Event.END: _release(State.PARTIAL),
        Event.END_PARTLY: _release(State.PARTIAL),
        Event.REGAIN: Edge(State.STARTING, None, (Action.CLAIM,)),
    },
    State.RELEASING: {
        Event.RELEASED: Edge(None),
        Event.SAFETY: Edge(State.RELEASING, None, (Action.RELEASE_NOW,)),
        Event.OPT_OUT: Edge(State.RELEASING, None, (Action.RELEASE_NOW,)),
    },
}


def step(life: Life, event: Event) -> tuple[Life, tuple[Action, ...]]:
    """Give the life after the event and what to do; an event that the state does not list changes nothing."""
    edge = TABLE.get(life.state, {}).get(event)
    if edge is None:
        return life, ()
    if edge.to is None:
        # `releasing` is entered only by edges that bring an outcome, so there always is one.
        return Life(life.outcome or State.FAILED), edge.actions
    return Life(edge.to, edge.outcome or (life.outcome if edge.to is State.RELEASING else None)), edge.actions


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> received"]
    for state, edges in TABLE.items():
        for event, edge in edges.items():
            if edge.to is None:
                continue
            suffix = f" ({edge.outcome})" if edge.outcome else ""
            lines.append(f"    {state} --> {edge.to}: {event}{suffix}")
    outcomes = sorted({edge.outcome for edges in TABLE.values() for edge in edges.values() if edge.outcome})
    lines += [f"    releasing --> {outcome}: released" for outcome in outcomes]
    lines += [f"    {state} --> [*]" for state in sorted(TERMINAL)]
    return "\n".join(lines) + "\n"
