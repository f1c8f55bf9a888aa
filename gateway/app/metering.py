"""The meters at work: each supervised, and each tick handed to whoever keeps, rolls up, tells or judges it."""

from collections.abc import Callable, Sequence

from drivers.ports import Meter
from drivers.reading import Reading
from gateway.app.devices import Devices
from gateway.clock import Clock
from gateway.supervise import LONGEST_DELAY_S, PLUGGED_S, Supervised

Takes = Callable[[Sequence[Reading]], None]
"""Takes the Readings of one tick; returns at once."""


class Metering:
    """Reads every meter of `devices`; each tick goes to each of `takes`, and then its meter to `metered`."""

    def __init__(
        self, devices: Devices, clock: Clock, *, takes: Sequence[Takes], metered: Callable[[Meter], None]
    ) -> None:
        self._clock = clock
        self._takes = tuple(takes)
        self._metered = metered
        self.first_read_ms: dict[str, int] = {}
        """Boot time of the first tick of each meter, by its name."""
        self.supervised: dict[str, Supervised] = {
            meter.name: self._supervise(meter, is_plugged=meter in devices.linky) for meter in devices.meters
        }

    def in_a_line(self) -> str:
        """Say how many fail."""
        failing = sum(each.failure is not None for each in self.supervised.values())
        return f"{failing or 'none'} of {len(self.supervised)} meters fail{'s' if failing <= 1 else ''}"

    def _supervise(self, meter: Meter, *, is_plugged: bool) -> Supervised:
        def accept(readings: Sequence[Reading]) -> None:
            supervised.reads_again()
            self.first_read_ms.setdefault(meter.name, readings[0].boot_ms)
            for take in self._takes:
                take(readings)
            self._metered(meter)

        supervised = Supervised(
            meter.name,
            lambda: meter.run(accept),
            now_s=lambda: self._clock.boot_ms() / 1000,
            longest_delay_s=PLUGGED_S if is_plugged else LONGEST_DELAY_S,
        )
        return supervised
