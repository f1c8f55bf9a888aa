"""From what the broker delivers to what is committed: judge, store, say what follows. Runs in the store's thread."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.centre.judge import Genuine, Judge, Refusal
from gateway.centre.store import Outcome, Store, StreamKey
from gateway.wire.errors import MalformedMessage
from gateway.wire.messages import Alarm, Birth


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the broker delivered it, and when (UTC, ms)."""

    topic: str
    payload: bytes
    utc_ms: int


@dataclass(slots=True)
class Taken:
    """What follows from a batch: streams whose receipt is due, births (gateway, birth), and what was counted."""

    due: set[StreamKey] = field(default_factory=set)
    births: list[tuple[str, Birth]] = field(default_factory=list)
    tallies: Counter[str] = field(default_factory=Counter)


def take(store: Store, judge: Judge, batch: Sequence[Arrival]) -> Taken:
    """Commit what is genuine, count what is not; raise sqlite3.Error, and then nothing of the batch counts."""
    taken = Taken()
    kept: list[tuple[Genuine, int]] = []
    for arrival in batch:
        verdict = judge.judge(arrival.topic, arrival.payload)
        if isinstance(verdict, Refusal):
            taken.tallies[verdict.value] += 1
        elif verdict.header.content == Birth.CONTENT:
            _birth(store, verdict, arrival.utc_ms, taken)
        elif verdict.header.content == Alarm.CONTENT:
            store.keep_alarm(verdict, arrival.utc_ms)
            taken.tallies["alarms"] += 1
        elif verdict.header.stream != "evt":
            kept.append((verdict, arrival.utc_ms))
    outcomes = store.commit(kept, taken.tallies)
    for (genuine, _), outcome in zip(kept, outcomes, strict=True):
        header = genuine.header
        if outcome is not Outcome.CONFLICT:
            taken.due.add((header.gateway, header.epoch, header.stream))
    return taken


def _birth(store: Store, genuine: Genuine, when: int, taken: Taken) -> None:
    try:
        birth = Birth.decode(genuine.payload)
    except MalformedMessage:
        taken.tallies["unreadable"] += 1
        return
    store.keep_birth(genuine.header.gateway, when, genuine.payload)
    taken.births.append((genuine.header.gateway, birth))
