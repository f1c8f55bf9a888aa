"""Which mode, and with it which speed, to listen for on a Linky's line, whenever that line makes no sense.

Enedis switches meters between modes from afar. A wrong speed shows as characters without one valid group, so each
mode is tried for as long as a good line would need; silence says nothing about the speed and changes nothing. Time
comes in, no clock is read.
"""

from collections.abc import Mapping

from linky_tic.label import Mode

_ENOUGH_GROUPS = 2
"""Valid groups that settle a mode: noise that passes checksum and grammar is rare, twice in a row unheard of."""
_TRY_MS = {mode: 2_000 if mode is Mode.STANDARD else 2_500 for mode in Mode}
"""Longer than the longest group takes with the gaps of the norm, many times over; all modes are tried in under 5 s."""
_LOST_MS = 3_000
"""So long without a valid group although characters come: the mode or the speed has changed."""
_PAUSE_MS = 1_000
"""After a pause this long, what comes next is a new start: the gaps of the norm are 33 ms."""


class ModeSearch:
    """Follows one line; `fixed` when the site file says the mode, `remembered` the mode that it had before."""

    def __init__(self, fixed: Mode | None = None, remembered: Mode | None = None) -> None:
        self.trying = fixed or remembered or Mode.HISTORIQUE
        self.found: Mode | None = None
        self.resynchronisations = 0
        self._fixed = fixed
        self._since_ms: int | None = None
        self._heard_ms = 0
        self._counts: dict[Mode, int] = {}

    def heard(self, now_ms: int, characters: int, valid: Mapping[Mode, int]) -> bool:
        """Take what came until `now_ms` (boot time): characters, and valid groups of each mode.

        True when `trying` has changed: set the speed and forget what was half received.
        """
        if not characters:
            return False
        if self._since_ms is None or now_ms - self._heard_ms > _PAUSE_MS:
            self._since_ms = now_ms
        self._heard_ms = now_ms
        for mode, count in valid.items():
            if count and self._fixed in (None, mode):
                self._since_ms = now_ms
                if mode is not self.found:
                    self._counts[mode] = self._counts.get(mode, 0) + count
                    if self._counts[mode] >= _ENOUGH_GROUPS:
                        return self._settle(mode)
        if now_ms - self._since_ms <= (_LOST_MS if self.found else _TRY_MS[self.trying]):
            return False
        return self._try_other(now_ms)

    def _settle(self, mode: Mode) -> bool:
        """Believe in a mode; its speed may still have to be set where the port does not care (a pty)."""
        changed, self.found, self.trying = mode is not self.trying, mode, mode
        self._counts.clear()
        return changed

    def _try_other(self, now_ms: int) -> bool:
        if self.found is not None:
            self.found = None
            self.resynchronisations += 1
        self._counts.clear()
        self._since_ms = now_ms
        if self._fixed is None:
            self.trying = Mode.STANDARD if self.trying is Mode.HISTORIQUE else Mode.HISTORIQUE
        # A fixed mode is set anew as well: a line that lost its rhythm starts from a clean buffer.
        return True
