"""A building that draws power: its meters show what its plant does, and its plant does what is written to it.

No I/O: the Linky, the BMS and the pulse outputs of the bench all look at this one model, so that a set-point written
over Modbus lowers the power that the Linky tells. Time advances in steps of 100 ms of boot time whoever asks, and its
noise comes from a seed: the same seed and the same writes at the same steps give the same building. It shows physics
just well enough for meters: ramps of a second, hysteresis of thermostats, voltage that sags under load.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import hypot
from random import Random

STEP_MS = 100
NOISE_MS = 1_000
PHASES = 3
NOMINAL_V = 230
FREQUENCY_MHZ = 50_000
MS_PER_H = 3_600_000
_COS_PHI_MOTOR = 0.95
_SAG_V_PER_KW = 0.25
_COP = 3.2
"""Heat given for each unit of electricity by a heat pump at these temperatures."""
_WATER_J_PER_L_K = 4186


@dataclass(slots=True)
class HeatPump:
    """A three-phase heat pump that may be lowered: `setpoint` is the percent of `rated_w` that it may draw."""

    rated_w: int
    setpoint: int = 100
    power_w: int = 0
    flow_c: float = 40.0
    return_c: float = 35.0

    def step(self, demand: float) -> None:
        """Follow what is asked of it, over about a second."""
        target = int(self.rated_w * min(demand, self.setpoint / 100))
        difference = target - self.power_w
        self.power_w += difference if abs(difference) < 40 else difference // 4
        share = self.power_w / self.rated_w
        self.flow_c += (33 + 12 * share - self.flow_c) / 600
        self.return_c += (31 + 6 * share - self.return_c) / 600


@dataclass(slots=True)
class WaterHeater:
    """An electric water heater of 300 litres on one phase, heating while its coil `on` lets it until it is hot."""

    rated_w: int
    phase: int
    on: bool = True
    power_w: int = 0
    water_c: float = 45.0
    thermostat: bool = True

    def step(self) -> None:
        """Heat, and lose to its room and its taps."""
        if self.water_c > 62:
            self.thermostat = False
        elif self.water_c < 58:
            self.thermostat = True
        self.power_w = self.rated_w if self.on and self.thermostat else 0
        gain_w = self.power_w - 4 * (self.water_c - 20)
        self.water_c += gain_w * STEP_MS / 1000 / (300 * _WATER_J_PER_L_K)


@dataclass(slots=True)
class ChargingPoint:
    """A charging point on one phase with a car: `setpoint` is the current in A that it may draw; under 6 A, none."""

    phase: int
    setpoint: int = 16
    wants_a: int = 32
    power_w: int = 0
    energy_wms: int = 0

    def step(self) -> None:
        """Follow the pilot signal; a car takes about a second."""
        current = min(self.setpoint, self.wants_a)
        difference = (current * NOMINAL_V if current >= 6 else 0) - self.power_w
        self.power_w += difference if abs(difference) < 40 else difference // 4
        self.energy_wms += self.power_w * STEP_MS


@dataclass(frozen=True, slots=True)
class Load:
    """What a group of loads draws: W and VA of each phase, exact to the watt."""

    phase_w: tuple[int, int, int]
    phase_va: tuple[int, int, int]

    @property
    def power_w(self) -> int:
        """W of the three phases."""
        return sum(self.phase_w)

    @property
    def apparent_va(self) -> int:
        """VA of the three phases."""
        return sum(self.phase_va)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the supplier's meter sees at `boot_ms`.

    `index_wh` holds one energy index for each tariff, `tariff` is the number (from 0) of the one that runs; `overrun`
    says that the apparent power is above the subscribed one.
    """

    boot_ms: int
    power_w: int
    apparent_va: int
    phase_va: tuple[int, int, int]
    current_a: tuple[int, int, int]
    voltage_v: tuple[int, int, int]
    index_wh: tuple[int, ...]
    tariff: int
    subscribed_kva: int
    overrun: bool

    @property
    def total_wh(self) -> int:
        """The index over all tariffs."""
        return sum(self.index_wh)


class Building:
    """The building from `start_ms` (boot time) on; `seed` fixes its noise, `tariff_ms` how long each tariff lasts.

    Anything public may be set between two steps, as the plant or a fault would: `extra_w` adds to what people use.
    """

    def __init__(
        self, start_ms: int, *, seed: int = 1, subscribed_kva: int = 36, tariff_ms: int = 45_000, base_w: int = 4_500
    ) -> None:
        self.heat_pumps = (HeatPump(6_000), HeatPump(4_000))
        self.water_heaters = tuple(WaterHeater(2_400, phase) for phase in range(PHASES))
        self.chargers = (ChargingPoint(0), ChargingPoint(1))
        self.subscribed_kva = subscribed_kva
        self.extra_w = 0
        self.outdoor_c = 4.0
        self.heat_wms = 1_234_500 * MS_PER_H
        self.circuit_ml = 98_765_000
        self.plant_wms = 7_654_321 * MS_PER_H
        self.gas_ml = 0
        self.water_ml = 0
        self.gas_l_per_h = 2_400
        self.water_l_per_h = 900
        self._random = Random(seed)
        self._base_w = base_w
        self._tariff_ms = tariff_ms
        self._start_ms = start_ms
        self._now_ms = start_ms
        self._index_wms = [8_765_432 * MS_PER_H, 12_345_678 * MS_PER_H]
        self._noise = [0.0] * PHASES
        self._demand = 0.95
        for pump in self.heat_pumps:
            pump.power_w = int(pump.rated_w * self._demand)
        for charger in self.chargers:
            charger.power_w = charger.setpoint * NOMINAL_V
        for heater in self.water_heaters:
            heater.power_w = heater.rated_w
        self.heat_w = self._heat_w()

    def step(self, boot_ms: int) -> None:
        """Advance to `boot_ms`, in whole steps; a moment that has passed changes nothing."""
        while self._now_ms + STEP_MS <= boot_ms:
            self._now_ms += STEP_MS
            self._one_step()

    def sample(self, boot_ms: int) -> Sample:
        """Advance to `boot_ms` and give what the supplier's meter shows."""
        self.step(boot_ms)
        load = self.load
        return Sample(
            boot_ms=boot_ms,
            power_w=load.power_w,
            apparent_va=load.apparent_va,
            phase_va=load.phase_va,
            current_a=_three(round(va / NOMINAL_V) for va in load.phase_va),
            voltage_v=_three(round(self.voltage_v(phase)) for phase in range(PHASES)),
            index_wh=tuple(index // MS_PER_H for index in self._index_wms),
            tariff=self.tariff,
            subscribed_kva=self.subscribed_kva,
            overrun=load.apparent_va > 1000 * self.subscribed_kva,
        )

    @property
    def tariff(self) -> int:
        """The tariff that runs: 0 off-peak, 1 peak, in turns. The bench's days are short."""
        return ((self._now_ms - self._start_ms) // self._tariff_ms + 1) % len(self._index_wms)

    @property
    def plant(self) -> Load:
        """What heat pumps, water heaters and charging points draw; the sub-meter of the BMS sees it."""
        motor = [sum(pump.power_w for pump in self.heat_pumps) // PHASES] * PHASES
        plain = [0] * PHASES
        for heater in self.water_heaters:
            plain[heater.phase] += heater.power_w
        for charger in self.chargers:
            plain[charger.phase] += charger.power_w
        return _load(motor, plain)

    @property
    def load(self) -> Load:
        """What the whole building draws."""
        plant = self.plant
        people = [round((self._base_w / PHASES) * (1 + noise)) + self.extra_w // PHASES for noise in self._noise]
        base = _load(people, [0] * PHASES)
        return Load(
            _three(a + b for a, b in zip(plant.phase_w, base.phase_w, strict=True)),
            _three(a + b for a, b in zip(plant.phase_va, base.phase_va, strict=True)),
        )

    def voltage_v(self, phase: int) -> float:
        """Voltage of a phase, which sags under its load."""
        return NOMINAL_V + 4 - _SAG_V_PER_KW * self.load.phase_w[phase] / 1000 + 2 * self._noise[phase]

    def _heat_w(self) -> int:
        return int(_COP * sum(pump.power_w for pump in self.heat_pumps))

    def _one_step(self) -> None:
        if (self._now_ms - self._start_ms) % NOISE_MS == 0:
            self._noise = [0.9 * noise + self._random.uniform(-0.06, 0.06) for noise in self._noise]
            self._demand = min(1.0, max(0.85, self._demand + self._random.uniform(-0.01, 0.01)))
            self.outdoor_c += self._random.uniform(-0.02, 0.02)
        for pump in self.heat_pumps:
            pump.step(self._demand)
        for heater in self.water_heaters:
            heater.step()
        for charger in self.chargers:
            charger.step()
        self._index_wms[self.tariff] += self.load.power_w * STEP_MS
        self.plant_wms += self.plant.power_w * STEP_MS
        self.heat_w = self._heat_w()
        self.heat_wms += self.heat_w * STEP_MS
        # The heating circuit turns at 2.4 m3/h.
        self.circuit_ml += 67
        self.gas_ml += self.gas_l_per_h * 1000 * STEP_MS // MS_PER_H
        self.water_ml += self.water_l_per_h * 1000 * STEP_MS // MS_PER_H


def _load(motor_w: list[int], plain_w: list[int]) -> Load:
    """Put loads with and without reactive power together, phase by phase."""
    reactive = (1 - _COS_PHI_MOTOR**2) ** 0.5 / _COS_PHI_MOTOR
    phase_w = _three(motor + plain for motor, plain in zip(motor_w, plain_w, strict=True))
    phase_va = _three(round(hypot(w, reactive * motor)) for w, motor in zip(phase_w, motor_w, strict=True))
    return Load(phase_w, phase_va)


def _three(values: Iterable[int]) -> tuple[int, int, int]:
    first, second, third = values
    return first, second, third
