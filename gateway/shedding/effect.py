"""The building's power as load control may use it: with its moment, and no more trusted than its Reading.

Whether it proves the effect of a shed is judged in `gateway.commands.confirm`; stale or suspect values prove
nothing there.
"""

from collections.abc import Callable

from drivers.reading import Quality, Reading
from gateway.commands.confirm import Power


class MeterPower:
    """Gives the last value of one channel (watts or volt-amperes, any exponent) as a Power."""

    def __init__(self, last: Callable[[str], Reading | None], channel: str) -> None:
        self._last = last
        self._channel = channel

    def __call__(self) -> Power | None:
        """Give the power, None while the channel was never read or holds a text."""
        reading = self._last(self._channel)
        if reading is None or isinstance(reading.value, str):
            return None
        exponent = reading.channel.exponent
        watts = reading.value * 10**exponent if exponent >= 0 else reading.value // 10**-exponent
        return Power(int(watts), reading.boot_ms, reading.quality is Quality.OK)
