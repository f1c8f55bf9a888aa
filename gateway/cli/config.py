"""`gateway config`: the mistakes of a site file, what is in force with it, and what it may hold. Asks no agent."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config.errors import ConfigError
from config.load import load
from config.site import Site, schema
from gateway.cli.exits import CHECK_FAILED, OK, Ended

SCHEMA = "gateway/config-check/1"
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
        return CHECK_FAILED
    summary = _summary(site)
    if as_json:
        print(json.dumps({"schema": SCHEMA, "ok": True, "mistakes": [], "site": summary}))
    else:
        print("ok")
        for key, value in summary.items():
            print(f"  {key:<9} {value}")
    return OK


def show(path: Path, *, as_json: bool) -> int:
    """Print what is in force with this site file, defaults included; of keys and certificates only where they are.

    Raises Ended for a file that has mistakes. For people it is TOML again, every path as it was resolved.
    """
    values = effective(path)
    if as_json:
        print(json.dumps({"schema": "gateway/config/1", "file": str(path), "site": values}))
    else:
        print("\n".join(_toml(values)))
    return OK


def effective(path: Path) -> dict[str, Any]:
    """Give the values of a site file as they are in force; raise Ended."""
    try:
        return load(path).model_dump(mode="json")
    except ConfigError as error:
        raise Ended(CHECK_FAILED, str(error)) from error


def print_schema(*, as_json: bool) -> int:
    """Print the JSON schema of a site file, for editors; `as_json` wraps it like every other answer."""
    found = schema()
    print(json.dumps({"schema": "gateway/config-schema/1", "json_schema": found} if as_json else found, indent=2))
    return OK


def _toml(tables: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Write each table of a site, and each entry of a list of them; what is not set has no line, for TOML has no null.

    A JSON text is a TOML text, and so are its numbers and truth values.
    """
    for name, part in tables.items():
        for entry in part if isinstance(part, list) else [part] if part is not None else []:
            yield f"[[{above}{name}]]" if isinstance(part, list) else f"[{above}{name}]"
            inner = {key: value for key, value in entry.items() if _is_table(value)}
            yield from (
                f"{key} = {json.dumps(value, ensure_ascii=False)}"
                for key, value in entry.items()
                if value is not None and key not in inner
            )
            yield ""
            yield from _toml(inner, f"{above}{name}.")


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


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
