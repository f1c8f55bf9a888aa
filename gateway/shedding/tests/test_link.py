"""The link's table against the contract, edge by edge and for any order of events."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.shedding.link import (
    CONTROLLED,
    TABLE,
    Action,
    Event,
    Link,
    Settings,
    State,
    admits,
    begin,
    diagram,
    due,
    step,
)

RULES = Settings()


def walk(*events: Event, state: State = State.INIT) -> State:
    """Carry a link through events a second apart."""
    link = Link(state, 0)
    for moment, event in enumerate(events):
        link, _ = step(link, event, moment * 1_000)
    return link.state


@pytest.mark.parametrize("state", [State.INIT, State.LINK_LOST, State.AUTONOMOUS])
def test_control_needs_heartbeat_then_command(state: State) -> None:
    """Control is taken by a heartbeat and then a verified command, by neither alone, nor the other way round."""
    assert walk(Event.HEARTBEAT, Event.REFUSED, state=state) is State.CONTROLLED_IDLE
    assert walk(Event.HEARTBEAT, Event.SHED, state=state) is State.CONTROLLED_SHEDDING
    assert walk(Event.HEARTBEAT, state=state) is state
    assert walk(Event.REFUSED, state=state) is state
    assert walk(Event.REFUSED, Event.HEARTBEAT, state=state) is state


@pytest.mark.parametrize(
    ("state", "events", "to"),
    [
        (State.INIT, [Event.SILENCE], State.AUTONOMOUS),
        (State.CONTROLLED_IDLE, [Event.SHED], State.CONTROLLED_SHEDDING),
        (State.CONTROLLED_IDLE, [Event.REFUSED], State.CONTROLLED_IDLE),
        (State.CONTROLLED_IDLE, [Event.SILENCE], State.LINK_LOST),
        (State.CONTROLLED_SHEDDING, [Event.LAST_ENDED], State.CONTROLLED_IDLE),
        (State.CONTROLLED_SHEDDING, [Event.REFUSED], State.CONTROLLED_SHEDDING),
        (State.CONTROLLED_SHEDDING, [Event.SILENCE], State.LINK_LOST),
        (State.LINK_LOST, [Event.FAILSAFE_OVER], State.AUTONOMOUS),
        (State.AUTONOMOUS, [Event.SILENCE], State.AUTONOMOUS),
    ],
)
def test_edges(state: State, events: list[Event], to: State) -> None:
    """Each edge of the contract, and the ones that are not there."""
    assert walk(*events, state=state) is to


def test_shed_still_running_takes_control_back() -> None:
    """A heartbeat after a loss, while a shed still runs, is enough: it is that centre's shed."""
    assert walk(Event.SHED, Event.SILENCE, Event.HEARTBEAT, state=State.CONTROLLED_IDLE) is State.CONTROLLED_SHEDDING
    ended = (Event.SHED, Event.SILENCE, Event.LAST_ENDED, Event.HEARTBEAT)
    assert walk(*ended, state=State.CONTROLLED_IDLE) is State.LINK_LOST


def test_failsafe_waits_for_what_runs() -> None:
    """The failsafe duration ends nothing that runs; once nothing runs the building is on its own."""
    link = Link(State.LINK_LOST, 0, None, running=True)
    assert due(link, RULES, RULES.failsafe_ms) is None
    link, _ = step(link, Event.LAST_ENDED, RULES.failsafe_ms)
    assert due(link, RULES, RULES.failsafe_ms) is Event.FAILSAFE_OVER
    assert due(link, RULES, RULES.failsafe_ms - 1) is None


def test_loss_after_120_s() -> None:
    """120 s without a heartbeat lose the link, counted from the last one."""
    link = Link(State.CONTROLLED_IDLE, 0, 50_000)
    assert due(link, RULES, 169_999) is None
    assert due(link, RULES, 170_000) is Event.SILENCE
    assert due(begin(0), RULES, 119_999) is None
    assert due(begin(0), RULES, 120_000) is Event.SILENCE
    assert due(Link(State.AUTONOMOUS, 0), RULES, 10**12) is None


def test_door_is_open_for_60_s() -> None:
    """Outside the controlled states a shed is considered only within 60 s after a heartbeat."""
    link, _ = step(begin(0), Event.HEARTBEAT, 10_000)
    assert not admits(begin(0), RULES, 0)
    assert admits(link, RULES, 70_000)
    assert not admits(link, RULES, 70_001)
    assert admits(Link(State.CONTROLLED_IDLE, 0), RULES, 119_000)


def test_loss_forgets_the_heartbeat() -> None:
    """A heartbeat from before the loss opens no door after it: the failsafe ends only with a new one."""
    link, _ = step(Link(State.CONTROLLED_IDLE, 0, 1_000), Event.SILENCE, 2_000)
    assert not admits(link, RULES, 3_000)
    assert step(link, Event.REFUSED, 3_000)[0].state is State.LINK_LOST


@given(st.lists(st.tuples(st.sampled_from(Event), st.integers(0, 200_000)), max_size=40))
def test_any_order(events: list[tuple[Event, int]]) -> None:
    """Whatever happens, each change is an edge of the table and is told, and autonomous never becomes link_lost."""
    link, now, states = begin(0), 0, [State.INIT]
    for event, later in events:
        now += later
        before = link
        link, actions = step(link, event, now)
        if link.state is not before.state:
            assert actions == (Action.TELL,)
            assert event in TABLE[before.state]
        states.append(link.state)
    assert (State.AUTONOMOUS, State.LINK_LOST) not in set(pairwise(states))
    if link.state in CONTROLLED:
        assert any(event is Event.HEARTBEAT for event, _ in events)


def test_diagram_shows_every_edge() -> None:
    """The diagram in the documentation has a line for each edge of the table."""
    drawn = diagram()
    for state, edges in TABLE.items():
        for event, to in edges.items():
            assert f"{state} --> {to}: {event}" in drawn
