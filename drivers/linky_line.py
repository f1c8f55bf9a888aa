"""What a meter's line is doing, for people: reading, silent, noise; a change is logged once, an error never."""

import logging
from collections.abc import Callable
from enum import StrEnum

SILENT_MS = 3_000
"""Frames follow one another within 33 ms: a line without a character for so long is silent."""
_SENSELESS_MS = 6_000
"""Longer than a change of mode takes to be found: from here on it is noise."""
_LOG_AGAIN_MS = 600_000


class Doing(StrEnum):
    """What the line is doing."""

    CLOSED = "not open"
    SEARCHING = "looking for the meter"
    READING = "reading"
    SILENT = "silent"
    SENSELESS = "noise"


class LineWatch:
    """Follows one line by the moments of boot time at which it was heard, and made sense."""

    def __init__(self) -> None:
        self.heard_ms = 0
        self.sense_ms = 0
        self._opened_ms: int | None = None
        self._ever_opened = False
        self._noise_ms = 0
        self._logged: dict[Doing, int] = {}
        self._last = Doing.CLOSED

    def opened(self, now_ms: int) -> None:
        """Note that the port is open."""
        self._opened_ms = now_ms
        if not self._ever_opened:
            self._ever_opened = True
            self.heard_ms = self._noise_ms = now_ms

    def closed(self) -> None:
        """Note that it is not."""
        self._opened_ms = None
        self._last = Doing.CLOSED

    def heard(self, now_ms: int, *, sense: bool) -> None:
        """Note that characters came, with a valid group among them or not."""
        if now_ms - self.heard_ms > SILENT_MS:
            self._noise_ms = now_ms
        self.heard_ms = now_ms
        if sense:
            self.sense_ms = self._noise_ms = now_ms

    def silent_ms(self, now_ms: int) -> int:
        """Give for how long the open port has given nothing, the time before it was opened not counted."""
        return now_ms - max(self.heard_ms, self._opened_ms or 0)

    def doing(self, now_ms: int, *, found: bool) -> Doing:
        """Tell what the line does now; `found` where its mode is known."""
        if self._opened_ms is None:
            return Doing.CLOSED
        if now_ms - self.heard_ms > SILENT_MS:
            return Doing.SILENT
        if now_ms - self._noise_ms > _SENSELESS_MS:
            return Doing.SENSELESS
        return Doing.READING if found else Doing.SEARCHING

    def said(self, now_ms: int, setting: str, *, found: bool) -> str:
        """Say it in one short line, with what to do; `setting` is the mode and the speed."""
        match self.doing(now_ms, found=found):
            case Doing.CLOSED:
                return "not open"
            case Doing.READING:
                return setting
            case Doing.SEARCHING:
                return f"looking for the meter ({setting})"
            case Doing.SILENT:
                seconds = (now_ms - self.heard_ms) // 1_000
                return f"silent for {seconds} s: check the wires at the meter's I1 and I2 ({setting})"
            case Doing.SENSELESS:
                seconds = (now_ms - self._noise_ms) // 1_000
                return f"only noise for {seconds} s: check the wires, the adapter and the mode ({setting})"

    def log_change(self, log: Callable[[int], None], now_ms: int, *, found: bool) -> None:
        """Call `log` with a level when what the line does has changed; one back within ten minutes is not told again.

        Looking for a meter is told by what comes of it.
        """
        doing = self.doing(now_ms, found=found)
        if doing is self._last:
            return
        self._last = doing
        if doing is Doing.SEARCHING or now_ms - self._logged.get(doing, -_LOG_AGAIN_MS) < _LOG_AGAIN_MS:
            return
        self._logged[doing] = now_ms
        log(logging.INFO if doing is Doing.READING else logging.WARNING)
