"""`gateway config check`: every mistake of a site file, or what the site has. Reads files only, asks no agent."""

import json
from collections.abc import Iterable
from pathlib import Path

from config.errors import ConfigError
from config.load import load
from config.site import Site

OK = 0
A_CHECK_FAILED = 5

SCHEMA = "gateway-config-check;v=1"
"""The JSON of `as_json`: {"schema", "ok", "mistakes": [{"file", "line", "key", "message", "right"}], "site"}."""


def check(path: Path, *, as_json: bool = False) -> int:
    """Print every mistake as `file:line: key: what is wrong; what would be right`, or "ok" and a summary.

    Exit code: 0 the site can be used, 5 it cannot (also where the file cannot be read). `as_json` prints JSON.
    """
    try:
        site = load(path)
    except ConfigError as error:
        if as_json:
            print(json.dumps({"schema": SCHEMA, "ok": False, "mistakes": _mistakes(error), "site": None}))
        else:
            print(error)
            count = len(error.mistakes)
            print(f"{path}: {count} mistake{'s' if count > 1 else ''}; the gateway will not start with this file")
        return A_CHECK_FAILED
    summary = _summary(site)
    if as_json:
        print(json.dumps({"schema": SCHEMA, "ok": True, "mistakes": [], "site": summary}))
    else:
        print("ok")
        for key, value in summary.items():
            print(f"  {key:<9} {value}")
    return OK


def _mistakes(error: ConfigError) -> list[dict[str, str | int]]:
    return [
        {"file": str(m.file), "line": m.line, "key": m.key, "message": m.message, "right": m.right}
        for m in error.mistakes
    ]


def _summary(site: Site) -> dict[str, str]:
    watts = sum(load.rated_w for load in site.load)
    shedding = (
        ("the centre's orders", site.shedding.enabled),
        ("its own on an overrun", site.shedding.overrun),
    )
    return {
        "gateway": f"{site.gateway.id}, {site.gateway.name}",
        "linky": _listed(meter.name for meter in site.linky),
        "modbus": _listed(
            f"{device.name} ({Path(device.profile).name}, {device.bus} {device.unit})" for device in site.modbus
        ),
        "pulses": _listed(f"{pulse.name} ({pulse.quantity})" for pulse in site.pulse),
        "loads": _listed(load.name for load in site.load) + (f", {watts / 1000:g} kW in all" if watts else ""),
        "shedding": _listed([name for name, on in shedding if on], "off"),
        "broker": f"{site.broker.host}:{site.broker.port}",
    }


def _listed(names: Iterable[str], otherwise: str = "none") -> str:
    return ", ".join(names) or otherwise
