"""Whether the meter confirms a shed: pure arithmetic on two powers. A bad or stale measurement proves nothing."""

from dataclasses import dataclass
from enum import StrEnum

STALE_MS = 30_000
"""A power older than this says nothing of the moment before a shed; frames come every 1.4 s, polls every 2 to 10 s."""

PROOF_PERCENT = 50
"""Share of the expected reduction that must show: the rest of the building goes on living meanwhile."""


@dataclass(frozen=True, slots=True)
class Power:
    """What the meter said: watts taken, when (boot time), and whether the meter vouches for it."""

    watts: int
    boot_ms: int
    trustworthy: bool


class Effect(StrEnum):
    """What the meter proves."""

    EFFECTIVE = "effective"
    NO_EFFECT = "no_effect"
    UNMEASURED = "unmeasured"
    """No measurement that could prove anything came in time."""


def usable_before(power: Power | None, now_ms: int) -> Power | None:
    """Give the power if it can stand for the moment before the shed."""
    if power is None or not power.trustworthy or now_ms - power.boot_ms > STALE_MS:
        return None
    return power


def judge(  # noqa: PLR0913 - six plain numbers, named at the call
    *, before: Power | None, after: Power | None, written_ms: int, expected_w: int, deadline_ms: int, now_ms: int
) -> Effect | None:
    """Give what is proved by now, None while it is too early to say."""
    good = after is not None and after.trustworthy and after.boot_ms > written_ms
    if before is not None and after is not None and good:
        fell_w = before.watts - after.watts
        if fell_w > 0 and fell_w * 100 >= expected_w * PROOF_PERCENT:
            return Effect.EFFECTIVE
    if now_ms < deadline_ms:
        return None
    return Effect.NO_EFFECT if before is not None and good else Effect.UNMEASURED
