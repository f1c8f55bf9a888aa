"""Hearing what the driver of a Linky hears: for who wants more of a line than its Readings, as its tools do."""

from typing import Protocol

from linky_tic.decoder import Frame


class Listener(Protocol):
    """Set as the `listener` of a LinkyMeter; returns at once, raises nothing."""

    def heard(self, data: bytes) -> None:
        """Take the characters that came, 7 bits each, NUL for a damaged one; the driver has judged them already."""

    def frame(self, frame: Frame, at_ms: int) -> None:
        """Take a frame that ended at `at_ms` (boot time), its groups judged: what cannot be true is suspect."""
