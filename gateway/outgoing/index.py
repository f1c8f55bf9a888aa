"""The index tier: what every counter showed at each quarter of an hour, as one tick of each group.

A counter that was not read lately is not read: a snapshot never repeats what may have moved on. What a counter is, its
quantity tells: energies and volumes.
"""

from collections.abc import Callable, Iterable, Mapping

from config.channel import Channel, Quantity
from drivers.reading import Reading
from gateway.wire.record import Record, Recorder

COUNTERS = frozenset(
    {
        Quantity.ACTIVE_ENERGY_IMPORT,
        Quantity.ACTIVE_ENERGY_EXPORT,
        Quantity.REACTIVE_ENERGY,
        Quantity.APPARENT_ENERGY,
        Quantity.THERMAL_ENERGY,
        Quantity.GAS_VOLUME,
        Quantity.WATER_VOLUME,
    }
)


class Indexes:
    """Snapshots of the counters among `channels`; `latest` gives a channel's newest Reading.

    `stale_after_ms` is the age from which a channel's value says nothing of now, None where age says nothing.
    """

    def __init__(
        self,
        channels: Iterable[Channel],
        recorder: Recorder,
        *,
        latest: Callable[[str], Reading | None],
        stale_after_ms: Mapping[str, int | None],
    ) -> None:
        self._recorder = recorder
        self._latest = latest
        self._stale_after_ms = stale_after_ms
        self._groups: dict[str, list[Channel]] = {}
        for channel in channels:
            if channel.quantity in COUNTERS and not channel.is_text:
                self._groups.setdefault(channel.group, []).append(channel)

    def snapshot(self, at_ms: int) -> None:
        """Note every counter that was read lately."""
        for channels in self._groups.values():
            found = [reading for channel in channels if (reading := self._fresh(channel.name, at_ms)) is not None]
            if found:
                self._recorder.add([Reading(each.channel, each.value, at_ms, each.quality) for each in found])

    def take(self, *, restart: bool) -> Record | None:
        """Give the snapshots made since the last call; what follows a `restart` stands alone."""
        record = self._recorder.take()
        if restart:
            self._recorder.restart()
        return record

    def _fresh(self, name: str, at_ms: int) -> Reading | None:
        reading, bound = self._latest(name), self._stale_after_ms.get(name)
        return reading if reading is not None and (bound is None or at_ms - reading.boot_ms <= bound) else None
