"""Load shedding as the page shows it: what is announced, what runs, who has opted out, what came of the last order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

BUILDING = "building"
LOCAL = "local"

_NOT_HEARD = frozenset({"link_lost", "autonomous"})
_ANNOUNCED = frozenset({"received", "needs_time", "accepted", "scheduled", "interrupted"})


@dataclass(frozen=True, slots=True)
class Event:
    """One order on its way; `left_ms` is counted by the agent's clock, `shed_w` by the meter where it knows."""

    id: str
    state: str
    target: str
    percent: int
    loads: tuple[str, ...]
    failed: Mapping[str, str]
    is_local: bool
    left_ms: int
    start_utc_ms: int | None
    end_utc_ms: int | None
    expected_w: int
    shed_w: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The last order that is over."""

    outcome: str
    reason: str | None
    percent: int
    target: str
    utc_ms: int | None


@dataclass(frozen=True, slots=True)
class OptOut:
    """Somebody's refusal, until `until_utc_ms` or for `left_ms` more."""

    target: str
    reason: str
    left_ms: int
    until_utc_ms: int | None


@dataclass(frozen=True, slots=True)
class Shedding:
    """The whole of it; `link` names the state of the link to the centre.

    It is "heard" while heartbeats come in a state that only an order ends.
    """

    link: str
    running: tuple[Event, ...]
    announced: tuple[Event, ...]
    opt_outs: tuple[OptOut, ...]
    last: Ended | None

    @property
    def state(self) -> str:
        """Say in a word what the banner is about."""
        for state, there in (("active", self.running), ("opted_out", self.opt_outs), ("announced", self.announced)):
            if there:
                return state
        return "none"


def shedding(status: Json, commands: Iterable[Json], opt_outs: Iterable[Json], *, silent_ms: int) -> Shedding:
    """Join what the status, the newest commands and the opt-outs say, which was `silent_ms` ago."""
    known = {each["id"]: each for each in commands}
    now_ms = status["boot_ms"] + silent_ms
    events = [_event(each, known.get(each["id"], {}), now_ms) for each in status["shedding"]["running"]]
    over = [each for each in known.values() if each["over"] and "state" in each]
    link = status["shedding"]["link"]
    return Shedding(
        link="heard" if link in _NOT_HEARD and status["shedding"]["admits"] else link,
        running=tuple(each for each in events if each.state not in _ANNOUNCED),
        announced=tuple(each for each in events if each.state in _ANNOUNCED),
        opt_outs=tuple(
            OptOut(each["target"], each["reason"], max(0, each["left_ms"] - silent_ms), each["until_utc_ms"])
            for each in opt_outs
        ),
        last=_ended(over[0]) if over else None,
    )


def _event(running: Json, command: Json, now_ms: int) -> Event:
    before, during = command.get("before_w"), command.get("during_w")
    return Event(
        id=running["id"],
        state=running["state"],
        target=running["target"],
        percent=running["percent"],
        loads=tuple(running["values"]),
        failed=running["failed"],
        is_local=running["issuer"] == LOCAL,
        left_ms=max(0, running["end_ms"] - now_ms),
        start_utc_ms=command.get("start_utc_ms") or command.get("issued_utc_ms") or None,
        end_utc_ms=command.get("end_utc_ms"),
        expected_w=command.get("expected_w") or 0,
        shed_w=None if before is None or during is None else max(0, before - during),
    )


def _ended(command: Json) -> Ended:
    return Ended(
        outcome=command["outcome"] or command["state"],
        reason=command["reason"],
        percent=command["percent"],
        target=command["target"],
        utc_ms=command["start_utc_ms"] or command["issued_utc_ms"] or None,
    )
