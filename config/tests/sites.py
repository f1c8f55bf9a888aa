"""A small site that has no mistake, for tests to spoil."""

from pathlib import Path

GOOD = """\
[gateway]
id = "gw-test"
name = "Test"
[storage]
directory = "data"
[broker]
host = "localhost"
ca_file = "ca.pem"
certificate_file = "gateway.pem"
key_file = "gateway.key"
[signing]
key_file = "signing.key"
key_id = "gw-test-1"
[centre]
keys_file = "centre.toml"
[control]
socket = "control.sock"
[[linky]]
name = "main"
port = "tic"
[[modbus_bus]]
name = "plant"
kind = "tcp"
host = "localhost"
[[modbus_bus]]
name = "line"
kind = "rtu"
device = "rs485"
[[modbus]]
name = "boiler"
bus = "plant"
unit = 1
profile = "boiler.toml"
[[pulse]]
name = "gas"
line = "unix:gas.sock"
quantity = "gas_volume"
weight = 10
dial_index = 5
[[load]]
name = "heater"
device = "boiler"
point = "heater"
kind = "onoff"
rated_w = 3000
priority = 10
[[load]]
name = "pump"
device = "boiler"
point = "pump_setpoint"
kind = "setpoint"
rated_w = 6000
priority = 20
min_value = 10
max_value = 90
[[price]]
channel = "main.hchc"
name = "Nuit"
eur = 0.1579
per = "kWh"
[shedding]
enabled = true
meter = "main"
"""

PROFILE = """\
id = "boiler"
maker = "Maker"
models = ["One"]
source = "its manual, page 1"
[[point]]
key = "heater"
table = "coil"
address = 0
quantity = "switch_state"
access = "rw"
[[point]]
key = "pump_setpoint"
table = "holding"
address = 0
type = "u16"
quantity = "setpoint"
unit = "%"
access = "rw"
limits = [0, 100]
[[point]]
key = "power"
table = "input"
address = 0
type = "u32"
quantity = "active_power_import"
unit = "W"
"""


def write(folder: Path, text: str | bytes = GOOD) -> Path:
    """Write a site file and the profile that GOOD names; give the site file's path."""
    (folder / "boiler.toml").write_text(PROFILE)
    path = folder / "site.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def spoil(old: str, new: str) -> tuple[str, int]:
    """Replace one piece of GOOD, which must be there once; give the text and the line where the new piece begins."""
    before, found, after = GOOD.partition(old)
    if not found or old in after:
        raise ValueError(f"{old!r} must stand once in GOOD")
    return before + new + after, before.count("\n") + 1
