"""Values that are valid by every rule of the norm and cannot be true: flagged, never dropped.

A real three-phase meter sent 48,370 VA on a phase where it measured 2 A, all checksums right. An index that jumps or
goes backwards is the other case: a flipped pair of bits passes the checksum.
"""

from collections.abc import Sequence
from dataclasses import replace

from linky_tic.group import Group
from linky_tic.label import Mode

_PHASES = tuple((f"SINSTS{n}", f"IRMS{n}", f"URMS{n}") for n in (1, 2, 3))
_FASTEST_VA = 250_000
"""No meter with a customer output of these two modes switches more; an index cannot rise faster."""
_SLACK_WH = 50
"""What an index may rise between two frames whatever the time: meters step it in whole Wh, and catch up."""


def judge_power(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Flag each SINSTSx of one frame that is above 1.2 x (IRMSx + 1) x URMSx; A is whole, hence the one ampere more."""
    numbers = {group.label: number for group in groups if group.valid and (number := group.number) is not None}
    absurd: dict[str, str] = {}
    for power, current, voltage in _PHASES:
        if power in numbers and current in numbers and voltage in numbers:
            limit = 12 * (numbers[current] + 1) * numbers[voltage] // 10
            if numbers[power] > limit:
                absurd[power] = (
                    f"{numbers[power]} VA, but {numbers[current]} A and {numbers[voltage]} V allow {limit} VA"
                )
    return flagged(groups, absurd)


def flagged(groups: Sequence[Group], reasons: dict[str, str]) -> tuple[Group, ...]:
    """Give the groups back with the valid ones named in `reasons` (label to reason) made suspect."""
    if not reasons:
        return tuple(groups)
    return tuple(
        replace(group, suspect=True, reason=reasons[group.label]) if group.valid and group.label in reasons else group
        for group in groups
    )


class IndexWatch:
    """Remembers each energy index of one meter; flags one that goes backwards or rises faster than any meter can."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}

    def judge(self, groups: Sequence[Group], now_ms: int) -> tuple[Group, ...]:
        """Flag the indexes of a frame ended at `now_ms` (boot time); the next is compared with it, flagged or not."""
        reasons: dict[str, str] = {}
        for group in groups:
            if not group.valid or not _is_index(group):
                continue
            index = group.number or 0
            if group.label in self._last:
                before, then_ms = self._last[group.label]
                highest = before + _SLACK_WH + _FASTEST_VA * max(0, now_ms - then_ms) // 3_600_000
                if index < before:
                    reasons[group.label] = f"{index} after {before}: an index never goes backwards"
                elif index > highest:
                    reasons[group.label] = f"{index} after {before}, {(now_ms - then_ms) // 1000} s before: too fast"
            self._last[group.label] = (index, now_ms)
        return flagged(groups, reasons)


def _is_index(group: Group) -> bool:
    """Tell whether a valid group holds an energy index: every 9-digit label of both modes is one."""
    return (
        group.mode in (Mode.STANDARD, Mode.HISTORIQUE)
        and group.value is not None
        and len(group.value) == 9
        and group.value.isdigit()
    )
