"""The last Reading of every Channel, for the page, the status and load control: it forgets nothing, age tells."""

from collections.abc import Iterable, Sequence

from drivers.reading import Reading


class Latest:
    """The last Reading of each Channel, by name."""

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}
        self.taken = 0
        """Readings taken since the start of this process."""

    def update(self, readings: Sequence[Reading]) -> None:
        """Take one tick's Readings."""
        self.taken += len(readings)
        known = self._readings
        for reading in readings:
            known[reading.channel.name] = reading

    def get(self, channel: str) -> Reading | None:
        """Give the last Reading of a channel, None if it was never read since the start."""
        return self._readings.get(channel)

    def all(self) -> Iterable[Reading]:
        """Every channel's last Reading, in the order in which the channels were first read."""
        return self._readings.values()

    def device_read_at(self, device: str) -> int | None:
        """Boot time in ms at which anything of a device was last read, None if nothing was."""
        return max((r.boot_ms for r in self._readings.values() if r.channel.device == device), default=None)
