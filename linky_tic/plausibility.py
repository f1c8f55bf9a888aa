"""Values that are valid by every rule of the norm and cannot be true: flagged, never dropped.

A real three-phase meter sent 48,370 VA on a phase where it measured 2 A, all checksums right. An index that jumps or
goes backwards is the other case: a flipped pair of bits passes the checksum.
"""

from collections.abc import Sequence
from dataclasses import replace

from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE

_PHASES = tuple((f"SINSTS{n}", f"IRMS{n}", f"URMS{n}") for n in (1, 2, 3))
_POWERS = frozenset(name for phase in _PHASES for name in phase) | {"SINSTS"}
_AN_AMPERE_EACH_VA = 3 * 230
_FASTEST_VA = 250_000
"""No meter with a customer output of these two modes switches more; an index cannot rise faster."""
_OVER_CONTRACT = 2
"""Breakers let more than the contract pass for a while; twice as much as a mean between two frames, none does."""
_SLACK_WH = 50
"""What an index may rise between two frames whatever the time: meters step it in whole Wh, and catch up."""


def judge_power(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Flag each apparent power of one frame that its other values cannot carry; A is whole, hence the one ampere more.

    SINSTSx above 1.2 x (IRMSx + 1) x URMSx, SINSTS of a single-phase meter likewise, and SINSTS of a three-phase one
    above 1.2 x the sum of its SINSTSx and an ampere each; below the sum it may be, a phase that injects counts less.
    """
    numbers = {group.label: int(group.value or 0) for group in groups if group.label in _POWERS and group.valid}
    absurd: dict[str, str] = {}
    if "SINSTS" in numbers and not numbers.keys() & _PHASES_2_AND_3:
        _judge_phase(numbers, ("SINSTS", "IRMS1", "URMS1"), absurd)
    for phase in _PHASES:
        _judge_phase(numbers, phase, absurd)
    if numbers.keys() >= _SUM:
        parts = sum(numbers[power] for power, _, _ in _PHASES)
        limit = 12 * parts // 10 + _AN_AMPERE_EACH_VA
        if numbers["SINSTS"] > limit:
            absurd["SINSTS"] = f"{numbers['SINSTS']} VA, but its phases make {parts} VA"
    return flagged(groups, absurd)


_PHASES_2_AND_3 = frozenset(name for phase in _PHASES[1:] for name in phase) | {"SINSTS1"}
_SUM = frozenset({"SINSTS", *(power for power, _, _ in _PHASES)})


def _judge_phase(numbers: dict[str, int], names: tuple[str, str, str], absurd: dict[str, str]) -> None:
    power, current, voltage = (numbers.get(name) for name in names)
    if power is not None and current is not None and voltage is not None:
        limit = 12 * (current + 1) * voltage // 10
        if power > limit:
            absurd[names[0]] = f"{power} VA, but {current} A and {voltage} V allow {limit} VA"


def flagged(groups: Sequence[Group], reasons: dict[str, str]) -> tuple[Group, ...]:
    """Give the groups back with the valid ones named in `reasons` (label to reason) made suspect."""
    if not reasons:
        return tuple(groups)
    return tuple(
        replace(group, suspect=True, reason=reasons[group.label]) if group.valid and group.label in reasons else group
        for group in groups
    )


class IndexWatch:
    """Remembers each energy index of one meter; flags one that goes backwards or rises faster than it can.

    One that was flagged is compared with the value after it as well as the one before: a wrong reading leaves the
    next right one alone, and an index that really jumped (another meter) is believed at the second value.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}
        self._doubted: dict[str, tuple[int, int]] = {}

    def judge(self, groups: Sequence[Group], now_ms: int) -> tuple[Group, ...]:
        """Flag the indexes of a frame ended at `now_ms` (boot time), measured by the contract that the frame tells."""
        reasons: dict[str, str] = {}
        contract_va = _contract_va(groups)
        for group in groups:
            if not group.valid or group.label not in _INDEXES:
                continue
            label, index = group.label, group.number or 0
            fastest_va = contract_va if contract_va and not label.startswith(_NOT_DRAWN) else _FASTEST_VA
            why = _doubt(self._last.get(label), index, now_ms, fastest_va)
            doubted = self._doubted.pop(label, None)
            if why and (doubted is None or _doubt(doubted, index, now_ms, fastest_va)):
                reasons[label] = why
                self._doubted[label] = index, now_ms
            else:
                self._last[label] = index, now_ms
        return flagged(groups, reasons)


_INDEXES = frozenset(
    label.name
    for mode in (Mode.STANDARD, Mode.HISTORIQUE)
    for label in BY_MODE[mode].values()
    if label.unit in ("Wh", "VArh")
)
"""Those of a Linky and of the meters before it; CJE, ICE and PME-PMI start theirs anew with each period."""
_NOT_DRAWN = ("EAIT", "ERQ")
"""Indexes that the subscribed power says nothing about."""


def _doubt(before: tuple[int, int] | None, index: int, now_ms: int, fastest_va: int) -> str | None:
    """Tell why an index cannot follow the one `before` (its value and when it was read); None where it can."""
    if before is None:
        return None
    last, then_ms = before
    if index < last:
        return f"{index} after {last}: an index never goes backwards"
    if index > last + _SLACK_WH + fastest_va * max(0, now_ms - then_ms) // 3_600_000:
        return f"{index} after {last}, {(now_ms - then_ms) // 1000} s before: too fast"
    return None


def _contract_va(groups: Sequence[Group]) -> int:
    """Give what the contract of a frame lets its meter draw, with a margin; 0 where the frame does not tell."""
    told = {group.label: group.number or 0 for group in groups if group.valid and group.label in _CONTRACT}
    phases = 3 if "IINST1" in told else 1
    most = max(told.get("PREF", 0), told.get("PCOUP", 0)) * 1_000 or told.get("ISOUSC", 0) * 230 * phases
    return _OVER_CONTRACT * most


_CONTRACT = frozenset({"PREF", "PCOUP", "ISOUSC", "IINST1"})
