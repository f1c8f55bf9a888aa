"""From what the broker delivers to what is committed: judge, store, say what follows. Runs in the store's thread."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.centre.contents import StreamKey
from gateway.centre.judge import ALARMS, Genuine, Judge, Refusal
from gateway.centre.store import Single, Store
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
    alarms: list[Single] = []
    births: list[Single] = []
    for arrival in batch:
        verdict = judge.judge(arrival.topic, arrival.payload)
        if isinstance(verdict, Refusal):
            taken.tallies[verdict.value] += 1
        elif verdict.header.content == Birth.CONTENT:
            births.append(Single(verdict, arrival.utc_ms))
        elif verdict.header.content == Alarm.CONTENT and verdict.header.stream != ALARMS:
            alarms.append(Single(verdict, arrival.utc_ms))
        elif verdict.header.stream != "evt":
            kept.append((verdict, arrival.utc_ms))
    for each in births:
        _birth(store, each.genuine, each.utc_ms, taken)
    if kept or alarms or taken.tallies:
        taken.due = store.commit(kept, taken.tallies, alarms).due
    return taken


def _birth(store: Store, genuine: Genuine, when: int, taken: Taken) -> None:
    try:
        birth = Birth.decode(genuine.payload)
    except MalformedMessage:
        taken.tallies["unreadable"] += 1
        return
    store.keep_birth(genuine.header.gateway, when, genuine.payload)
    taken.births.append((genuine.header.gateway, birth))
