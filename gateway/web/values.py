"""One value as the page shows it: its number, unit and age, and how far it can be trusted; and the channel it is of."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.web.numbers import exact

Json = Mapping[str, Any]

OK, ESTIMATED, SUSPECT, STALE = "ok", "estimated", "suspect", "stale"
"""States of a value."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a channel last said; `number` is None for a text."""

    number: Decimal | None
    text: str
    unit: str
    age_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the site and its last value, None if it was never read."""

    name: str
    device: str
    quantity: str
    unit: str
    phase: int | None
    obis: str | None
    value: Value | None

    @property
    def point(self) -> str:
        """The name without its device: "sinsts"."""
        return self.name.partition(".")[2]


def channels(described: Json, latest: Json, *, silent_ms: int) -> list[Channel]:
    """Join what each channel is to what it last said, `silent_ms` ago; a value whose agent is silent grows old too.

    Of a meter that has fallen silent every value is stale, also one that it gives once a minute.
    """
    last = {each["name"]: each for each in latest["channels"]}
    now_ms = latest["boot_ms"] + silent_ms
    fallen_silent = {
        each["name"]
        for each in latest["meters"]
        if each["last_read_ms"] is not None and now_ms - each["last_read_ms"] > each["stale_after_ms"]
    }
    return [
        Channel(
            name=each["name"],
            device=each["device"],
            quantity=each["quantity"],
            unit=each["unit"],
            phase=each["phase"],
            obis=each["obis"],
            value=_value(each, last.get(each["name"]), silent_ms, fallen_silent=each["device"] in fallen_silent),
        )
        for each in described["channels"]
    ]


def _value(described: Json, last: Json | None, silent_ms: int, *, fallen_silent: bool) -> Value | None:
    if last is None:
        return None
    age_ms = last["age_ms"] + silent_ms
    bound = described["stale_after_ms"]
    stale = bound is not None and (age_ms > bound or fallen_silent)
    value = last["value"]
    return Value(
        number=exact(value, last["exponent"]) if isinstance(value, int) else None,
        text="" if isinstance(value, int) else " ".join(str(value).split()),
        unit=last["unit"],
        age_ms=age_ms,
        state=STALE if stale else last["quality"],
    )
