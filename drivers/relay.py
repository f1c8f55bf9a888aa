"""Loads that are held back through a Modbus point: a coil, or a set-point in a holding register.

A switch writes once and reads back on demand; when to write, to repeat and to restore is `gateway.commands`' to decide.
"""

from drivers.errors import DeviceRefused, DeviceSilent
from drivers.modbus_bus import ModbusBus
from modbus.errors import ValueRefusedError
from modbus.profile import Profile
from modbus.values import decode, encode


class ModbusSwitch:
    """The Switch of the point `key` of `unit` on `bus`, which `profile` must allow to write.

    Raises ValueError at once where the profile has no such point or allows no writing.
    """

    def __init__(self, name: str, bus: ModbusBus, unit: int, profile: Profile, key: str) -> None:
        try:
            self._point = profile.point(key)
        except KeyError:
            raise ValueError(f"load {name}: profile {profile.id} has no point '{key}'") from None
        if self._point.limits is None:
            raise ValueError(f"load {name}: point '{key}' of profile {profile.id} is read only")
        self._limits = self._point.limits
        self._name = name
        self._bus = bus
        self._unit = unit
        self._profile = profile

    @property
    def name(self) -> str:
        """The load's name in the site file."""
        return self._name

    async def read(self) -> int:
        """Give the value that the device holds now; raise DriverError."""
        words = await self._bus.read(
            self._unit, self._point.table, self._point.address, self._point.kind.width, urgent=True
        )
        value = decode(self._profile, self._point, words)
        if value is None:
            raise DeviceSilent(f"load {self._name}: unit {self._unit} says that '{self._point.key}' is not available")
        return value

    async def write(self, value: int) -> None:
        """Write once, without retrying; raise DriverError, WriteUncertain where the outcome is unknown.

        A value outside the profile's limits is refused (DeviceRefused) before anything is sent.
        """
        if value not in self._limits:
            raise DeviceRefused(
                f"load {self._name}: {value} is outside {self._limits}, which profile {self._profile.id} allows; "
                "nothing was written"
            )
        try:
            words = encode(self._profile, self._point, value)
        except ValueRefusedError as error:
            raise DeviceRefused(f"load {self._name}: {error}; nothing was written") from error
        await self._bus.write(self._unit, self._point.table, self._point.address, words)
