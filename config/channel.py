"""The closed vocabulary of what a building measures, and the Channel that carries one such quantity.

A Channel is known by its name alone; numbers are given by a schema (`gateway.wire.schema`) and mean nothing without it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Quantity(StrEnum):
    """What is measured; the unit and the exponent stand in the Channel."""

    ACTIVE_ENERGY_IMPORT = "active_energy_import"
    ACTIVE_ENERGY_EXPORT = "active_energy_export"
    REACTIVE_ENERGY = "reactive_energy"
    APPARENT_ENERGY = "apparent_energy"
    THERMAL_ENERGY = "thermal_energy"
    ACTIVE_POWER_IMPORT = "active_power_import"
    ACTIVE_POWER_EXPORT = "active_power_export"
    REACTIVE_POWER = "reactive_power"
    APPARENT_POWER_IMPORT = "apparent_power_import"
    APPARENT_POWER_EXPORT = "apparent_power_export"
    THERMAL_POWER = "thermal_power"
    SUBSCRIBED_POWER = "subscribed_power"
    CURRENT = "current"
    VOLTAGE = "voltage"
    FREQUENCY = "frequency"
    TEMPERATURE = "temperature"
    GAS_VOLUME = "gas_volume"
    WATER_VOLUME = "water_volume"
    DURATION = "duration"
    RATIO = "ratio"
    SETPOINT = "setpoint"
    SWITCH_STATE = "switch_state"
    TARIFF = "tariff"
    CALENDAR = "calendar"
    STATUS = "status"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of one device: a number is `value x 10**exponent` in `unit`, exactly; a text is an event.

    `name` is unique in the site, as `device.point` ("linky.east"). `group` names what is read at one moment together
    ("linky", "bms.fast"): one poll or one frame is one tick of its group. `obis` is None where no code exists.
    """

    name: str
    device: str
    group: str
    quantity: Quantity
    unit: str = ""
    exponent: int = 0
    is_text: bool = False
    obis: str | None = None
    phase: int | None = None
