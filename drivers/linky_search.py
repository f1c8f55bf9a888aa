"""Which speed, and with it which mode, to listen for on a meter's line, whenever that line makes no sense.

Enedis switches meters between modes from afar, and sets the speed of a PME-PMI meter. Speeds are tried in turn: the one
remembered, 9600 Bd (standard), 1200 Bd (historique, CJE, ICE, PME-PMI as delivered), then those that only a PME-PMI
meter has. What is heard at a speed tells the mode. A wrong speed shows at once in its characters; else it is tried for
as long as a good line would need. Silence says nothing about the speed and changes nothing. Time comes in, no clock is
read.
"""

from collections.abc import Mapping

from linky_tic.label import Mode

_SPEEDS = (9_600, 1_200, 19_200, 4_800, 2_400)
_ENOUGH_GROUPS = 2
"""Valid groups that settle a mode: noise that passes checksum and grammar is rare, twice in a row unheard of."""
_TRY_CHARACTERS = 240
"""Two groups of the longest kind and a little: one that was begun already, and one that is whole."""
_TRY_MS = 500
"""For the gaps of the norm and the pieces in which characters are read. All five speeds take 6.4 s at most."""
_LOST_MS = 3_000
"""So long without a valid group although characters come: the mode or the speed has changed."""
_PAUSE_MS = 1_000
"""After a pause this long, what comes next is a new start: the gaps of the norm are 33 ms."""

_FOREIGN_SHARE = 4
"""One character in four that no frame holds is nonsense: a receiver at a wrong speed makes one in two at least (48 to
96 % for the pairs of these five speeds), a right one as many as the line has errors."""
_NONSENSE_CHARACTERS = 48
"""Enough to tell, and for a receiver that was set in the middle of a character to have found the beginning of one."""
_NONSENSE_TRY_MS = 400
_NONSENSE_LOST_MS = 1_500
"""Longer than a burst of noise that only hides a few groups."""

_NO_FOREIGN = bytes(range(0x20, 0x7F)) + b"\x02\x03\x04\t\n\r"


def foreign(data: bytes) -> int:
    """Count the characters that no frame of any mode holds, those damaged by the line among them."""
    return len(data.translate(None, _NO_FOREIGN))


class ModeSearch:
    """Follows one line; `fixed` and `fixed_speed` where the site file tells them, `remembered` what it had before.

    `speed` is the one to listen at, `found` the mode that is heard there, None while it is looked for.
    """

    def __init__(
        self,
        fixed: Mode | None = None,
        remembered: Mode | None = None,
        *,
        fixed_speed: int | None = None,
        remembered_speed: int | None = None,
    ) -> None:
        self.found: Mode | None = None
        self.resynchronisations = 0
        self._fixed = fixed
        self._speeds = _speeds(fixed, fixed_speed)
        first = [remembered_speed, None if remembered is None else remembered.baud]
        self.speed = next((speed for speed in first if speed in self._speeds), self._speeds[0])
        self._left: list[int] = []
        self._since_ms: int | None = None
        self._heard_ms = 0
        self._characters = self._foreign = 0
        self._counts: dict[Mode, int] = {}

    def heard(self, now_ms: int, characters: int, foreign_characters: int, valid: Mapping[Mode, int]) -> bool:
        """Take what came until `now_ms` (boot time): characters, `foreign` ones among them, valid groups of each mode.

        True when `speed` has changed or is to be set anew: set it and forget what was half received.
        """
        if not characters:
            return False
        if self._since_ms is None or now_ms - self._heard_ms > _PAUSE_MS:
            self._begin(now_ms)
        self._heard_ms = now_ms
        self._characters += characters
        self._foreign += foreign_characters
        for mode, count in valid.items():
            if count and self._fixed in (None, mode):
                self._begin(now_ms)
                if mode is self.found:
                    self._counts.clear()
                elif self._enough(mode, count):
                    return self._settle(mode)
        return self._is_lost(now_ms) and self._try_other(now_ms)

    def _begin(self, now_ms: int) -> None:
        self._since_ms = now_ms
        self._characters = self._foreign = 0

    def _enough(self, mode: Mode, count: int) -> bool:
        self._counts[mode] = self._counts.get(mode, 0) + count
        return self._counts[mode] >= _ENOUGH_GROUPS

    def _settle(self, mode: Mode) -> bool:
        """Believe in a mode; its speed may still have to be set where the port does not care (a pty)."""
        self.found = mode
        self._counts.clear()
        self._left.clear()
        if self.speed in mode.speeds:
            return False
        self.speed = mode.baud
        return True

    def _is_lost(self, now_ms: int) -> bool:
        waited_ms = now_ms - (self._since_ms or 0)
        nonsense = (
            len(self._speeds) > 1
            and self._characters >= _NONSENSE_CHARACTERS
            and self._foreign * _FOREIGN_SHARE >= self._characters
        )
        if self.found is not None:
            return waited_ms > (_NONSENSE_LOST_MS if nonsense else _LOST_MS)
        return waited_ms > (_NONSENSE_TRY_MS if nonsense else _TRY_MS + _TRY_CHARACTERS * 10_000 // self.speed)

    def _try_other(self, now_ms: int) -> bool:
        """Go on to the next speed, the present one comes last; a line with but one is set anew, with a clean buffer."""
        if self.found is not None:
            self.found = None
            self.resynchronisations += 1
        self._counts.clear()
        self._begin(now_ms)
        self._left = self._left or [speed for speed in self._speeds if speed != self.speed]
        if self._left:
            self.speed = self._left.pop(0)
        return True


def _speeds(fixed: Mode | None, fixed_speed: int | None) -> tuple[int, ...]:
    """Give the speeds that may be tried, in order."""
    if fixed_speed is not None:
        return (fixed_speed,)
    return _SPEEDS if fixed is None else fixed.speeds
