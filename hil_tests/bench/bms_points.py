"""The points of the bench's profiles, as the building has them: key -> integer, and what a write to one does."""

from collections.abc import Callable, Mapping

from hil_tests.bench.building import FREQUENCY_MHZ, MS_PER_H, NOMINAL_V, PHASES, Building


def plant_values(building: Building) -> dict[str, int]:
    """Give the points of bench-bms.toml."""
    values = {"outdoor_temperature": round(10 * building.outdoor_c)}
    for number, pump in enumerate(building.heat_pumps, 1):
        values[f"heat_pump_{number}_setpoint"] = pump.setpoint
        values[f"heat_pump_{number}_power"] = pump.power_w
        values[f"heat_pump_{number}_flow_temperature"] = round(10 * pump.flow_c)
        values[f"heat_pump_{number}_return_temperature"] = round(10 * pump.return_c)
    for number, heater in enumerate(building.water_heaters, 1):
        values[f"water_heater_{number}"] = int(heater.on)
        values[f"water_heater_{number}_power"] = heater.power_w
        values[f"water_heater_{number}_temperature"] = round(10 * heater.water_c)
    for number, charger in enumerate(building.chargers, 1):
        values[f"charger_{number}_setpoint"] = charger.setpoint
        values[f"charger_{number}_power"] = charger.power_w
        values[f"charger_{number}_energy"] = charger.energy_wms // MS_PER_H
    return values


def electricity_values(building: Building) -> dict[str, int]:
    """Give the points of bench-electricity-meter.toml."""
    plant = building.plant
    values = {
        "power": plant.power_w,
        "apparent_power": plant.apparent_va,
        "frequency": FREQUENCY_MHZ // 10,
        "energy": building.plant_wms // MS_PER_H,
    }
    for phase in range(PHASES):
        values[f"voltage_{phase + 1}"] = round(10 * building.voltage_v(phase))
        values[f"current_{phase + 1}"] = round(100 * plant.phase_va[phase] / NOMINAL_V)
        values[f"power_{phase + 1}"] = plant.phase_w[phase]
    return values


def heat_values(building: Building) -> dict[str, int]:
    """Give the points of bench-heat-meter.toml."""
    pumps = building.heat_pumps
    return {
        "energy": building.heat_wms // (100 * MS_PER_H),
        "volume": building.circuit_ml // 10_000,
        "power": building.heat_w,
        "flow_temperature": round(100 * sum(pump.flow_c for pump in pumps) / len(pumps)),
        "return_temperature": round(100 * sum(pump.return_c for pump in pumps) / len(pumps)),
    }


def _heat_pump(number: int) -> Callable[[Building, int], None]:
    def write(building: Building, value: int) -> None:
        building.heat_pumps[number].setpoint = value

    return write


def _water_heater(number: int) -> Callable[[Building, int], None]:
    def write(building: Building, value: int) -> None:
        building.water_heaters[number].on = bool(value)

    return write


def _charger(number: int) -> Callable[[Building, int], None]:
    def write(building: Building, value: int) -> None:
        building.chargers[number].setpoint = value

    return write


WRITES: Mapping[str, Callable[[Building, int], None]] = {
    "heat_pump_1_setpoint": _heat_pump(0),
    "heat_pump_2_setpoint": _heat_pump(1),
    "water_heater_1": _water_heater(0),
    "water_heater_2": _water_heater(1),
    "water_heater_3": _water_heater(2),
    "charger_1_setpoint": _charger(0),
    "charger_2_setpoint": _charger(1),
}
