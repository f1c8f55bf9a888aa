"""Whether a meter, or what stands between it and us, sends the same frame for ever: valid by every rule, and not live.

    with a clock    the whole frame is the same although its clock should have moved: 10 s where it tells seconds and
                    a frame takes 2 s at most (standard), a minute at 1200 Bd (ICE, PME-PMI), three where it tells
                    minutes (CJE)
    historique      it has no clock, and an idle house may stay the same for a night. The whole frame is the same for
                    10 minutes, and the power that it tells would have made 200 VAh meanwhile: even at a power factor
                    of 0.005, which no installation has, an index would have moved by one Wh

A meter without PAPP, or without a time to give (zeros), is never said to be stuck.
"""

from dataclasses import replace

from linky_tic.decoder import Frame
from linky_tic.group import Group
from linky_tic.label import Mode

_CLOCKS = {
    (Mode.STANDARD, "DATE"): 10_000,
    (Mode.EMERAUDE, "DATECOUR"): 60_000,
    (Mode.EMERAUDE, "DATE"): 60_000,
    (Mode.PME_PMI, "DATE"): 60_000,
    (Mode.JAUNE, "JAUNE"): 180_000,
}
_IDLE_MS = 600_000
_MOVES_VAH = 200
_FRAMES = 3
"""A frame that was read twice after a pause is no proof."""


class StuckWatch:
    """Follows the complete frames of one meter; incomplete ones say nothing."""

    def __init__(self) -> None:
        self._groups: tuple[Group, ...] = ()
        self._since_ms = 0
        self._count = 0

    def judge(self, frame: Frame, now_ms: int) -> tuple[Group, ...]:
        """Give the groups of a frame ended at `now_ms` (boot time), every valid one suspect while frames are stuck."""
        if not frame.complete:
            return frame.groups
        if frame.groups != self._groups:
            self._groups, self._since_ms, self._count = frame.groups, now_ms, 0
        self._count += 1
        same_ms = now_ms - self._since_ms
        if self._count < _FRAMES or not _is_stuck(frame, same_ms):
            return frame.groups
        reason = f"the same frame for {same_ms // 1_000} s: the meter's values no longer move"
        return tuple(replace(group, suspect=True, reason=reason) if group.valid else group for group in frame.groups)


def _is_stuck(frame: Frame, same_ms: int) -> bool:
    for group in frame.groups:
        limit_ms = _CLOCKS.get((group.mode, group.label)) if group.valid and group.mode is not None else None
        if limit_ms is not None:
            return same_ms > limit_ms and any(digit in "123456789" for digit in f"{group.horodate or ''}{group.value}")
        if group.valid and group.label == "PAPP":
            return same_ms >= _IDLE_MS and (group.number or 0) * same_ms >= _MOVES_VAH * 3_600_000
    return False
