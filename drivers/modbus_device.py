"""A device on a Modbus bus as a Meter: its profile's points, read in the fewest requests on a fixed schedule.

Each poll class is one group (`boiler.fast`, `boiler.slow`) and each poll one tick of it, at whole multiples of its
period in boot time: no drift, and all devices of a gateway wake it up together. What a poll could not read is left out
of its tick; nothing is made up. How the bus is kept from lying stands in `drivers.modbus_bus`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from config.channel import Channel, Quantity
from drivers.errors import DeviceRefused, DeviceSilent
from drivers.modbus_bus import ModbusBus
from drivers.modbus_exceptions import ExceptionReply
from drivers.ports import Accept
from drivers.reading import Quality, Reading
from modbus.plan import Read, halves, plan
from modbus.profile import Point, Poll, Profile
from modbus.values import decode_read

_LOG = logging.getLogger(__name__)

MISSED_POLLS = 3
"""So many polls in a row without an answer end the driver; the supervisor starts it again later."""

_DOES_NOT_HAVE = frozenset({2, 3})
"""Modbus exceptions that say: not with these addresses. The read is halved until the missing value is found."""


@dataclass(slots=True)
class _Round:
    """What is read together: a poll class, its period, its requests as far as the device has taught them."""

    poll: Poll
    period_ms: int
    reads: list[Read]
    due_ms: int = 0
    without: list[str] = field(default_factory=list)


class ModbusMeter:
    """The Meter of `unit` on `bus`, read as `profile` says: fast points each `poll_s`, slow ones each `slow_poll_s`.

    `boot_ms` gives CLOCK_BOOTTIME. Raises ValueError at once for a quantity outside the site's vocabulary.
    """

    def __init__(  # noqa: PLR0913 - each is one setting of the device in the site file
        self,
        name: str,
        bus: ModbusBus,
        unit: int,
        profile: Profile,
        *,
        boot_ms: Callable[[], int],
        poll_s: float = 2,
        slow_poll_s: float = 60,
    ) -> None:
        self._name = name
        self._bus = bus
        self._unit = unit
        self._profile = profile
        self._boot_ms = boot_ms
        self._channels = {point.key: _channel(name, point) for point in profile.points}
        self._periods_ms = {Poll.FAST: int(1000 * poll_s), Poll.SLOW: int(1000 * slow_poll_s)}
        self._rounds = self._planned()
        self._missed = 0
        self._silent_since_ms: int | None = None
        self._trouble = ""

    @property
    def name(self) -> str:
        """The device's name in the site file."""
        return self._name

    @property
    def channels(self) -> Sequence[Channel]:
        """One Channel for each point, in the profile's order."""
        return tuple(self._channels.values())

    @property
    def state(self) -> str:
        """One short line for people."""
        if self._silent_since_ms is not None:
            seconds = (self._boot_ms() - self._silent_since_ms) // 1000
            return f"silent for {seconds} s: {self._trouble}"
        without = [key for each in self._rounds for key in each.without]
        requests = sum(len(each.reads) for each in self._rounds)
        lacking = f", refused: {', '.join(without)}" if without else ""
        return f"unit {self._unit}, {len(self._channels) - len(without)} values in {requests} requests{lacking}"

    async def run(self, accept: Accept) -> None:
        """Poll until cancelled; raise DriverError when the bus fails or the unit has missed three polls in a row."""
        self._missed = 0
        for each in self._rounds:
            each.due_ms = 0
        while True:
            for each in self._rounds:
                now = self._boot_ms()
                if each.due_ms <= now:
                    each.due_ms = (now // each.period_ms + 1) * each.period_ms
                    await self._poll(each, accept)
            wait_ms = min(each.due_ms for each in self._rounds) - self._boot_ms()
            await asyncio.sleep(max(0, wait_ms) / 1000)

    async def _poll(self, each: _Round, accept: Accept) -> None:
        """Read one round and hand over what came, also when the unit falls silent in the middle."""
        values: list[tuple[Point, int]] = []
        silent: DeviceSilent | None = None
        for read in tuple(each.reads):
            try:
                await self._read(each, read, values)
            except DeviceSilent as error:
                silent = error
                break
        if values:
            boot_ms = self._boot_ms()
            accept([self._reading(point, value, boot_ms) for point, value in values])
        self._note(silent)
        if not each.reads:
            raise DeviceRefused(
                f"{self._name}: unit {self._unit} refuses every value of profile {self._profile.id}; "
                "check that the profile is that of this device"
            )

    async def _read(self, each: _Round, read: Read, values: list[tuple[Point, int]]) -> None:
        """Add what `read` carries to `values`; learn from a refusal which of it the device does not have."""
        try:
            words = await self._bus.read(self._unit, read.table, read.address, read.count)
        except ExceptionReply as error:
            if error.code not in _DOES_NOT_HAVE:
                _LOG.warning("%s: %s", self._name, error)
                return
            parts = halves(read)
            at = each.reads.index(read)
            if len(parts) == 1:
                # One value alone, and refused: a device of another version. It is asked again at the next start.
                del each.reads[at]
                each.without.append(read.points[0].key)
                _LOG.warning("%s: does without '%s': %s", self._name, read.points[0].key, error)
                return
            each.reads[at : at + 1] = parts
            for part in parts:
                await self._read(each, part, values)
            return
        values += [(point, value) for point, value in decode_read(self._profile, read, words) if value is not None]

    def _note(self, silent: DeviceSilent | None) -> None:
        if silent is None:
            self._missed = 0
            self._silent_since_ms = None
            return
        self._trouble = str(silent)
        self._missed += 1
        if self._silent_since_ms is None:
            self._silent_since_ms = self._boot_ms()
            _LOG.warning("%s: %s", self._name, silent)
        if self._missed >= MISSED_POLLS:
            raise silent

    def _reading(self, point: Point, value: int, boot_ms: int) -> Reading:
        doubtful = point.plausible is not None and value not in point.plausible
        return Reading(self._channels[point.key], value, boot_ms, Quality.SUSPECT if doubtful else Quality.OK)

    def _planned(self) -> list[_Round]:
        rounds = []
        for poll, period_ms in self._periods_ms.items():
            points = [point for point in self._profile.points if point.poll is poll]
            if points:
                rounds.append(_Round(poll, period_ms, list(plan(self._profile, points, self._bus.line))))
        return rounds


def _channel(device: str, point: Point) -> Channel:
    try:
        quantity = Quantity(point.quantity)
    except ValueError:
        raise ValueError(
            f"{device}: point '{point.key}' of its profile has the quantity {point.quantity!r}; "
            f"known are {', '.join(Quantity)}"
        ) from None
    return Channel(
        name=f"{device}.{point.key}",
        device=device,
        group=f"{device}.{point.poll}",
        quantity=quantity,
        unit=point.unit,
        exponent=point.exponent,
        phase=point.phase,
    )
