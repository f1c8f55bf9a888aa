"""The meter's clock beside ours: it says what time it is while nobody better does, and confirms or refutes who does.

Alone it makes no command acceptable, for anybody can wire a meter's output: `gateway.clock` keeps it apart. A
disagreement with the trusted clock, or between the two that are trusted, is an alarm, told once until they agree again:
one of the two is wrong, and a technician has to find out which.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from drivers.linky_clock import UNCERTAINTY_MS, MeterTime
from gateway.clock import SystemClock

LOOK_S = 5.0
FRESH_MS = 60_000
"""What a meter that fell silent said longer ago proves nothing of its clock now."""

DISAGREE_MS = 30_000
"""Four times what is not known of the meter's clock: a clock that was set wrong or runs away, never jitter."""


class Metered(Protocol):
    """A meter that may tell the time; `drivers.linky.LinkyMeter` is one."""

    @property
    def name(self) -> str:
        """The device's name in the site file."""

    @property
    def time(self) -> MeterTime | None:
        """What its clock showed last, None where it tells none."""


class MeterClock:
    """Compares the clocks of some meters with ours; `alarm` tells people."""

    def __init__(self, clock: SystemClock, meters: Sequence[Metered], alarm: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._meters = meters
        self._alarm = alarm
        self._apart: set[str] = set()
        self._trusted_apart = False

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Take the first meter's time for what it is worth, and compare the clocks."""
        for at, each in enumerate(self.compared()):
            if at == 0:
                self._clock.metered(each["boot_ms"], each["utc_ms"], UNCERTAINTY_MS)
            if each["agrees"]:
                self._apart.discard(each["name"])
            elif each["name"] not in self._apart:
                self._apart.add(each["name"])
                self._alarm("clock", each["text"])
        off_ms = self._clock.apart_ms()
        if off_ms and not self._trusted_apart:
            how = "ahead of" if off_ms > 0 else "behind"
            self._alarm("clock", f"the kernel's clock is {abs(off_ms) / 1000:.1f} s {how} the centre's: one is wrong")
        self._trusted_apart = bool(off_ms)

    def compared(self) -> list[dict[str, Any]]:
        """Give what each meter's clock shows, and how far that is from the trusted clock where there is one."""
        now = self._clock.boot_ms()
        found = [(meter.name, meter.time) for meter in self._meters]
        return [self._one(name, time, now) for name, time in found if time and now - time.boot_ms < FRESH_MS]

    def _one(self, name: str, time: MeterTime, now: int) -> dict[str, Any]:
        ours = self._clock.trusted()
        off_ms = None if ours is None else time.utc_ms - ours.utc_ms_at(time.boot_ms)
        told = {"name": name, "boot_ms": time.boot_ms, "utc_ms": time.utc_ms, "off_ms": off_ms}
        shown = _shown(time.utc_ms)
        if ours is None or off_ms is None:
            return {**told, "agrees": True, "text": f"{name} shows {shown}; nothing better is known"}
        agrees = abs(off_ms) <= DISAGREE_MS + ours.uncertainty_ms_at(now)
        text = f"{name} shows {shown}, the clock from the {ours.source} {_shown(ours.utc_ms_at(time.boot_ms))}"
        return {**told, "agrees": agrees, "text": text if agrees else f"{text}: {abs(off_ms) // 1_000} s apart"}


def _shown(utc_ms: int) -> str:
    return f"{datetime.fromtimestamp(utc_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
