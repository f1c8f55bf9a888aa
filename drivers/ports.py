"""The two things a device can be: a Meter, which gives Readings, and a Switch, which holds a load back."""

from collections.abc import Callable, Sequence
from typing import Protocol

from config.channel import Channel
from drivers.reading import Reading

Accept = Callable[[Sequence[Reading]], None]
"""Takes the Readings of one tick: one group, one `boot_ms`; never empty. Returns at once, raises nothing."""


class Meter(Protocol):
    """A device that is read."""

    @property
    def name(self) -> str:
        """The device's name in the site file."""

    @property
    def channels(self) -> Sequence[Channel]:
        """Every Channel that it can ever give, known before it is opened, in a stable order."""

    @property
    def state(self) -> str:
        """One short line for people: what it is doing or what is wrong ("standard, 9600 Bd")."""

    async def run(self, accept: Accept) -> None:
        """Read until cancelled; raise DriverError when the device or its line fails (it is started again)."""


class Switch(Protocol):
    """A load that can be held back: a coil, a relay (0 or 1) or a set-point (in the device's own integer steps)."""

    @property
    def name(self) -> str:
        """The load's name in the site file."""

    async def read(self) -> int:
        """Give the value that the device holds now; raise DriverError."""

    async def write(self, value: int) -> None:
        """Write once, without retrying; raise DriverError, WriteUncertain where the outcome is unknown."""
