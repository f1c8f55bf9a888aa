"""Writes the site file of the bench's building, as an installer would: what is wired where, and what may be shed."""

from dataclasses import dataclass
from pathlib import Path

from hil_tests.bench.pki import GatewayKeys, SiteKeys

LINKY, GAS, WATER, BMS, ELECTRICITY, HEAT = "linky", "gas", "water", "bms", "electricity", "heat"

GAS_DIAL, WATER_DIAL = 1_234_560, 87_650
GAS_WEIGHT, WATER_WEIGHT = 10, 1
"""Litres that a pulse stands for."""

UNITS = {BMS: (1, "bench-bms"), ELECTRICITY: (2, "bench-electricity-meter"), HEAT: (3, "bench-heat-meter")}
"""Device -> its unit on the bus, its profile."""

ABOUT = {
    LINKY: "the supplier's meter, in the cellar",
    GAS: "boiler",
    WATER: "whole building",
    BMS: "heat pumps, water heaters, charging points",
    ELECTRICITY: "sub-meter of the plant room",
    HEAT: "heating circuit",
}
"""Device -> what is connected, as the page tells it."""

PRICES = {
    f"{LINKY}.easf01": (0.1635, "kWh", "Heures creuses"),
    f"{LINKY}.easf02": (0.2146, "kWh", "Heures pleines"),
    f"{GAS}.total": (1.1210, "m3", "Gaz"),
    f"{WATER}.total": (4.3400, "m3", "Eau"),
}
"""Channel -> EUR, for what, and what the tariff is called."""

LOADS = {
    "water-heater-1": ("water_heater_1", 2_400, 90, None),
    "water-heater-2": ("water_heater_2", 2_400, 85, None),
    "water-heater-3": ("water_heater_3", 2_400, 80, None),
    "charger-1": ("charger_1_setpoint", 7_360, 70, (6, 32)),
    "charger-2": ("charger_2_setpoint", 7_360, 65, (6, 32)),
    "heat-pump-1": ("heat_pump_1_setpoint", 6_000, 50, (20, 100)),
    "heat-pump-2": ("heat_pump_2_setpoint", 4_000, 45, (20, 100)),
}
"""Load -> the point that switches it, its rated W, its priority (99 is shed first), bounds of its set-point."""


DWELLING = f"""
[[dwelling]]
name = "apt-1"
devices = ["{WATER}"]
[[dwelling.purpose]]
name = "research"
tiers = ["fine", "minute"]
"""
"""A household whose meter is read, for a site file that wants one; it consents to nothing by itself."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the bench put its ends."""

    linky_port: Path
    modbus_port: int
    gas_socket: Path
    water_socket: Path


@dataclass(frozen=True, slots=True)
class Tempo:
    """How often things happen; the defaults are those of a building in service."""

    poll_s: float = 10
    slow_poll_s: float = 60
    journal_s: float = 10
    seal_up_s: float = 10
    seal_down_s: float = 900
    reconnect_max_s: float = 60
    resend_after_s: float = 60
    effect_after_s: float = 60
    spread_s: float = 300
    min_time_s: float = 300


def site_text(
    keys: SiteKeys,
    gateway: GatewayKeys,
    wiring: Wiring,
    *,
    tempo: Tempo,
    broker_port: int,
    state: Path,
    linky_mode: str = "auto",
) -> str:
    """Give the text of the site file of one gateway, whose databases and socket lie in `state`."""
    parts = [
        f"""
[gateway]
id = "{gateway.name}"
name = "Bench building"

[storage]
directory = "{state}"
journal_s = {tempo.journal_s}
seal_up_s = {tempo.seal_up_s}
seal_down_s = {tempo.seal_down_s}

[broker]
host = "127.0.0.1"
port = {broker_port}
ca_file = "{keys.ca}"
certificate_file = "{gateway.tls.cert}"
key_file = "{gateway.tls.key}"
reconnect_min_s = {min(0.2, tempo.reconnect_max_s)}
reconnect_max_s = {tempo.reconnect_max_s}
resend_after_s = {tempo.resend_after_s}

[signing]
key_file = "{gateway.signing_key}"
key_id = "{gateway.name}-2026"

[centre]
keys_file = "{gateway.centre_keys}"

[control]
socket = "{state / "control.sock"}"

[[linky]]
name = "{LINKY}"
about = "{ABOUT[LINKY]}"
port = "{wiring.linky_port}"
mode = "{linky_mode}"

[[modbus_bus]]
name = "plant"
kind = "tcp"
host = "127.0.0.1"
port = {wiring.modbus_port}

[shedding]
enabled = true
meter = "{LINKY}"
start_spread_s = {tempo.spread_s}
release_spread_s = {tempo.spread_s}
effect_after_s = {tempo.effect_after_s}
"""
    ]
    parts += [
        f"""
[[modbus]]
name = "{name}"
about = "{ABOUT[name]}"
bus = "plant"
unit = {unit}
profile = "{profile}"
poll_s = {tempo.poll_s}
slow_poll_s = {tempo.slow_poll_s}
"""
        for name, (unit, profile) in UNITS.items()
    ]
    parts += [
        f"""
[[pulse]]
name = "{name}"
about = "{ABOUT[name]}"
line = "unix:{socket}"
quantity = "{quantity}"
weight = {weight}
dial_index = {dial}
poll_s = {tempo.poll_s}
"""
        for name, socket, quantity, weight, dial in (
            (GAS, wiring.gas_socket, "gas_volume", GAS_WEIGHT, GAS_DIAL),
            (WATER, wiring.water_socket, "water_volume", WATER_WEIGHT, WATER_DIAL),
        )
    ]
    parts += [
        f"""
[[price]]
channel = "{channel}"
name = "{name}"
eur = {eur}
per = "{per}"
"""
        for channel, (eur, per, name) in PRICES.items()
    ]
    parts += [_load(name, tempo) for name in LOADS]
    return "".join(parts).lstrip()


def _load(name: str, tempo: Tempo) -> str:
    point, rated_w, priority, bounds = LOADS[name]
    kind = (
        'kind = "onoff"' if bounds is None else f'kind = "setpoint"\nmin_value = {bounds[0]}\nmax_value = {bounds[1]}'
    )
    return f"""
[[load]]
name = "{name}"
device = "{BMS}"
point = "{point}"
rated_w = {rated_w}
priority = {priority}
min_on_s = {tempo.min_time_s}
min_off_s = {tempo.min_time_s}
{kind}
"""
