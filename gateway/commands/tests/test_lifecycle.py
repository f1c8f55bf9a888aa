"""The lifecycle's table: what it promises for any order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.lifecycle import TABLE, TERMINAL, Action, Event, Life, State, diagram, step

WRITTEN = {State.STARTING, State.ACTIVE, State.RELEASING}
"""States in which a load may be held back."""


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_one_terminal_answer(events: list[Event]) -> None:
    """Any order of events, ended by its time and its release, gives exactly one terminal answer."""
    life, terminal = Life(), 0
    closing = [Event.EXPIRE, Event.END, Event.RELEASED]
    for event in [*events, *closing]:
        life, actions = step(life, event)
        terminal += life.over and Action.ANSWER in actions
    assert life.over
    assert terminal == 1


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_terminal_is_the_end(events: list[Event]) -> None:
    """After a terminal state nothing changes and nothing is done."""
    life = Life()
    for event in events:
        before = life
        life, actions = step(life, event)
        if before.over:
            assert (life, actions) == (before, ())


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_what_was_written_is_released(events: list[Event]) -> None:
    """Out of a state in which loads may be held, a terminal state is reached only through a verified release."""
    life = Life()
    for event in events:
        before = life
        life, _ = step(life, event)
        if life.over and before.state in WRITTEN:
            assert event is Event.RELEASED or (before.state is State.STARTING and event is Event.FAIL)


def test_releasing_always_has_an_outcome() -> None:
    """Every edge into releasing brings a terminal outcome, and an order to release."""
    for state, edges in TABLE.items():
        for event, edge in edges.items():
            if edge.to is State.RELEASING and state is not State.RELEASING:
                assert edge.outcome in TERMINAL, (state, event)
                assert {Action.RELEASE, Action.RELEASE_NOW} & set(edge.actions), (state, event)


def test_every_state_is_reached() -> None:
    """No state of the table is dead."""
    reached = {State.RECEIVED} | {e.to for edges in TABLE.values() for e in edges.values() if e.to}
    reached |= {edge.outcome for edges in TABLE.values() for edge in edges.values() if edge.outcome}
    assert reached == set(State)


@pytest.mark.parametrize("state", sorted(TABLE))
def test_every_state_can_end(state: State) -> None:
    """From each state a terminal one can be reached."""
    seen, lives = set(), [Life(state, State.COMPLETED if state is State.RELEASING else None)]
    while lives:
        life = lives.pop()
        if life in seen:
            continue
        seen.add(life)
        lives += [step(life, event)[0] for event in Event]
    assert any(life.over for life in seen)


def test_diagram_shows_every_edge() -> None:
    """The diagram in the documentation has a line for each edge of the table."""
    drawn = diagram()
    for state, edges in TABLE.items():
        for event, edge in edges.items():
            if edge.to is not None:
                assert f"{state} --> {edge.to}: {event}" in drawn
