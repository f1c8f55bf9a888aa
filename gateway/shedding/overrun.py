"""Local overrun: the meter says that the building takes more than it subscribed, so the least important loads go first.

The flag is the meter's own (ADPS, STGE bit 7, or SINSTS over PREF); whoever feeds this reads it. Nothing here
depends on the centre, the broker or the disk.
"""

from dataclasses import dataclass

from gateway.commands.command import Decision, Verdict

SOURCE = "overrun"


@dataclass(frozen=True, slots=True)
class Settings:
    """Which loads may go, how long it must be calm before they come back, and the longest that they stay away.

    The meter trips after some minutes of overrun; coming back too early only brings it on again, hence the calm.
    """

    loads: tuple[str, ...]
    calm_s: int = 300
    longest_s: int = 3_600


class Overrun:
    """Decides when to shed and when to let go; pure but for its memory, time comes in as `now_ms`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shed_ms: int | None = None
        self._over_ms = 0

    def seen(self, *, over: bool, now_ms: int) -> Decision | None:
        """Take what a frame says about an overrun; give a decision when there is one to carry out."""
        settings = self._settings
        if over:
            self._over_ms = now_ms
            if self._shed_ms is None or now_ms - self._shed_ms >= settings.longest_s * 1000:
                self._shed_ms = now_ms
                return Decision(SOURCE, Verdict.SHED, settings.loads, settings.longest_s)
            return None
        if self._shed_ms is not None and now_ms - self._over_ms >= settings.calm_s * 1000:
            self._shed_ms = None
            return Decision(SOURCE, Verdict.RELEASE, settings.loads)
        return None
