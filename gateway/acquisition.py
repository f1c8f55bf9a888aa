"""Where Readings enter the agent: to the latest values, and to the records of what may leave.

It never waits and never touches a disk: a slow card cannot slow a bus down. `gateway.outgoing` gathers records,
`gateway.sealing` takes them when they are due.
"""

from collections.abc import Callable, Sequence

from config.channel import Quantity
from drivers.reading import Reading
from gateway.latest import Latest

URGENT = frozenset({Quantity.TARIFF, Quantity.STATUS, Quantity.SWITCH_STATE})
"""A change of these is committed at once: what was billed, and what was held back, must survive the next second."""


class Acquisition:
    """Takes each tick of each group and hands it to `record`; `urgent` is called when it should be committed now."""

    def __init__(self, record: Callable[[Sequence[Reading]], None], latest: Latest, urgent: Callable[[], None]) -> None:
        self._record = record
        self._latest = latest
        self._urgent = urgent
        self._begun: set[str] = set()

    def accept(self, readings: Sequence[Reading]) -> None:
        """Take the Readings of one tick."""
        latest = self._latest
        # The first tick of each group is committed at once, so that a gateway that restarts in a loop still meters:
        # a Modbus unit answers long before a Linky has ended its first frame.
        group = readings[0].channel.group
        urgent = group not in self._begun
        self._begun.add(group)
        for reading in readings:
            if reading.channel.quantity in URGENT:
                before = latest.get(reading.channel.name)
                urgent = urgent or (before is not None and before.value != reading.value)
        latest.update(readings)
        self._record(readings)
        if urgent:
            self._urgent()
