"""What no single table of a site file can know: names used twice, references to nothing, two devices on one port.

Works on the plain data, not on the model, so that these mistakes are told together with those that keep the model from
being made. Whatever has the wrong type is passed over here: the model tells it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config import prices, profiles
from config.locate import Path as KeyPath
from config.wording import Problem, nearest, shown
from linky_tic.label import Mode

Data = Mapping[str, Any]
Relation = Callable[[Data, Path], Iterator[Problem]]

_DEVICES = ("linky", "modbus", "pulse")
_BUILDING = "building"


def problems(site: Data, folder: Path) -> Iterator[Problem]:
    """Give every mistake between the tables; `folder` is where relative paths begin."""
    for relation in _RELATIONS:
        yield from relation(site, folder)


def _entries(site: Data, *kinds: str) -> Iterator[tuple[KeyPath, Data]]:
    for kind in kinds:
        entries = site.get(kind)
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict):
                yield (kind, at), entry


def _texts(site: Data, key: str, *kinds: str) -> Iterator[tuple[KeyPath, str]]:
    for path, entry in _entries(site, *kinds):
        if isinstance(entry.get(key), str):
            yield (*path, key), entry[key]


def _table(site: Data, kind: str) -> Data:
    table = site.get(kind)
    return table if isinstance(table, dict) else {}


def _list(table: Data, key: str) -> list[Any]:
    found = table.get(key)
    return found if isinstance(found, list) else []


def _number(table: Data, key: str, otherwise: float) -> float | None:
    value = table.get(key, otherwise)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _twice(named: Iterator[tuple[KeyPath, Any]], message: str, right: str) -> Iterator[Problem]:
    """Tell each value that came before; `message` may use {value} and {first}."""
    first: dict[Any, KeyPath] = {}
    for path, value in named:
        if value in first:
            kind, at = first[value][:2]
            yield Problem(path, message.format(value=value, first=f"{kind}[{int(at) + 1}]"), right)
        else:
            first[value] = path


def _names(site: Data, folder: Path) -> Iterator[Problem]:
    del folder
    for kinds in (_DEVICES, ("modbus_bus",), ("load",)):
        yield from _twice(
            _texts(site, "name", *kinds), '"{value}" is already the name of {first}', "every name only once"
        )
    for path, name in _texts(site, "name", "load"):
        if name == _BUILDING:
            yield Problem(path, f'"{name}" means all loads together in an order', "another name")


def _references(site: Data, folder: Path) -> Iterator[Problem]:
    del folder
    for kind, key, target in (("modbus", "bus", "modbus_bus"), ("load", "device", "modbus")):
        known = {name for _, name in _texts(site, "name", target)}
        for path, name in _texts(site, key, kind):
            if name not in known:
                yield Problem(path, f'there is no [[{target}]] named "{name}"', nearest(name, known, f"[[{target}]]"))


def _serial_ports(site: Data, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    for key, kind in (("port", "linky"), ("device", "modbus_bus")):
        for path, port in _texts(site, key, kind):
            # /dev/serial/by-id/... and /dev/ttyUSB0 may be one port; a NUL is told by the model.
            yield path, os.path.realpath(folder / port.replace("\0", ""))


def _ports(site: Data, folder: Path) -> Iterator[Problem]:
    serial = "is the port of {first} already"
    yield from _twice(_serial_ports(site, folder), serial, "one port for each meter and each bus")
    connections = (
        ((*path, "host"), (entry["host"], entry.get("port", 502)))
        for path, entry in _entries(site, "modbus_bus")
        if isinstance(entry.get("host"), str) and isinstance(entry.get("port", 502), int)
    )
    yield from _twice(
        connections,
        "is the same connection as {first}",
        "one bus for each host and port, shared by the devices behind it",
    )
    units = (
        ((*path, "unit"), (entry["bus"], entry["unit"]))
        for path, entry in _entries(site, "modbus")
        if isinstance(entry.get("bus"), str) and isinstance(entry.get("unit"), int)
    )
    yield from _twice(units, "is the unit of {first} on the same bus", "one entry for each unit of a bus")
    lines = ((path, line.strip()) for path, line in _texts(site, "line", "pulse"))
    yield from _twice(lines, '"{value}" is the line of {first} already', "one line for each counter")


def _speeds(site: Data, folder: Path) -> Iterator[Problem]:
    del folder
    for path, meter in _entries(site, "linky"):
        mode = meter.get("mode", "auto")
        if meter.get("speed") in Mode.PME_PMI.speeds and mode in {"auto", *Mode} - {"pme-pmi"}:
            wrong = f"the mode {shown(mode)} has its own speed"
            yield Problem((*path, "speed"), wrong, 'leave it out, or mode = "pme-pmi"')


def _profiles(site: Data, folder: Path) -> Iterator[Problem]:
    for path, profile in _texts(site, "profile", "modbus"):
        wrong = profiles.mistake(profile, folder)
        if wrong:
            yield Problem(path, *wrong)


def _loads(site: Data, folder: Path) -> Iterator[Problem]:
    devices = {entry["name"]: entry for _, entry in _entries(site, "modbus") if isinstance(entry.get("name"), str)}
    for path, load in _entries(site, "load"):
        device = devices.get(load["device"]) if isinstance(load.get("device"), str) else None
        if device and isinstance(device.get("profile"), str):
            for key, message, right in profiles.load_mistakes(load, device["profile"], folder):
                yield Problem((*path, key), message, right)
        low, high = load.get("min_value"), load.get("max_value")
        if isinstance(low, int) and isinstance(high, int) and low >= high:
            yield Problem((*path, "min_value"), f"{low} is not below max_value", f"less than {high}")
        on, off = load.get("on_value", 1), load.get("off_value", 0)
        if load.get("kind") == "onoff" and on == off:
            key = "on_value" if "on_value" in load else "off_value"
            yield Problem((*path, key), "on_value and off_value are the same", "two values that the device tells apart")
    outputs = (
        ((*path, "point"), (load["device"], load["point"]))
        for path, load in _entries(site, "load")
        if isinstance(load.get("device"), str) and isinstance(load.get("point"), str)
    )
    yield from _twice(outputs, "is the point that {first} switches already", "one load for each point")


def _prices(site: Data, folder: Path) -> Iterator[Problem]:
    devices: dict[str, tuple[str, Data]] = {}
    for path, entry in _entries(site, *_DEVICES):
        if isinstance(entry.get("name"), str):
            devices.setdefault(entry["name"], (str(path[0]), entry))
    for path, price in _entries(site, "price"):
        for key, message, right in prices.mistakes(price, devices, folder):
            yield Problem((*path, key), message, right)
    priced = _texts(site, "channel", "price")
    yield from _twice(priced, '"{value}" has the price of {first} already', "one price for each channel")


_SLOW_METERS = frozenset({Mode.JAUNE, Mode.EMERAUDE, Mode.PME_PMI})
"""Their newest power is the mean of a minute, in whole kW."""


def _shedding(site: Data, folder: Path) -> Iterator[Problem]:
    del folder
    shedding = _table(site, "shedding")
    meters = {name for _, name in _texts(site, "name", "linky")}
    meter = shedding.get("meter")
    if isinstance(meter, str) and meter not in meters:
        message = f'there is no [[linky]] named "{meter}"'
        yield Problem(("shedding", "meter"), message, nearest(meter, meters, "[[linky]]"))
    mode = next((each.get("mode") for _, each in _entries(site, "linky") if each.get("name") == meter), None)
    if shedding.get("enabled") is True and mode in _SLOW_METERS:
        message = f"a {mode} meter tells no power of now: nothing proves the effect"
        yield Problem(("shedding", "meter"), message, "a [[linky]] that is one, in either mode")
    for key in ("enabled", "overrun"):
        if shedding.get(key) is True and meter is None:
            yield Problem(("shedding", key), "nothing proves the effect", "meter = the name of a [[linky]]")
        if shedding.get(key) is True and not site.get("load"):
            yield Problem(("shedding", key), "there is nothing to shed", f"a [[load]], or {key} = false")


_ORDERED = (
    ("storage", "journal_s", 10, "seal_up_s", 10),
    ("storage", "journal_s", 10, "seal_down_s", 900),
    ("broker", "reconnect_min_s", 1, "reconnect_max_s", 60),
)


def _durations(site: Data, folder: Path) -> Iterator[Problem]:
    del folder
    for kind, low_key, low_default, high_key, high_default in _ORDERED:
        table = _table(site, kind)
        low, high = _number(table, low_key, low_default), _number(table, high_key, high_default)
        if low is not None and high is not None and low > high:
            key = high_key if high_key in table else low_key
            yield Problem(
                (kind, key), f"{low_key} ({low}) is longer than {high_key} ({high})", f"{low_key} <= {high_key}"
            )


def _dwellings(site: Data, folder: Path) -> Iterator[Problem]:
    del folder
    again = '"{value}" is already the name of {first}'
    yield from _twice(_texts(site, "name", "dwelling"), again, "every name only once")
    devices = {name for _, name in _texts(site, "name", *_DEVICES)}
    seen: dict[str, str] = {}
    for path, dwelling in _entries(site, "dwelling"):
        for at, name in enumerate(_list(dwelling, "devices")):
            if isinstance(name, str) and name not in devices:
                message = f'there is no device named "{shown(name)[1:-1]}"'
                yield Problem((*path, "devices", at), message, nearest(name, devices, "devices"))
            elif isinstance(name, str) and name in seen:
                message = f'"{name}" is a device of {seen[name]} already'
                yield Problem((*path, "devices", at), message, "every device in one dwelling at most")
            elif isinstance(name, str):
                seen[name] = f"dwelling[{int(path[1]) + 1}]"
        known: set[str] = set()
        for at, purpose in enumerate(_list(dwelling, "purpose")):
            name = purpose.get("name") if isinstance(purpose, dict) else None
            if isinstance(name, str) and name in known:
                message = f'"{shown(name)[1:-1]}" is a purpose of this dwelling already'
                yield Problem((*path, "purpose", at, "name"), message, "every purpose only once")
            elif isinstance(name, str):
                known.add(name)
    meter = _table(site, "shedding").get("meter")
    if isinstance(meter, str) and meter in seen:
        message = f'"{meter}" is of {seen[meter]}: each answer to an order would tell its power'
        yield Problem(("shedding", "meter"), message, "a [[linky]] of the building itself")


_RELATIONS: tuple[Relation, ...] = (
    _names,
    _references,
    _ports,
    _speeds,
    _profiles,
    _loads,
    _prices,
    _shedding,
    _durations,
    _dwellings,
)
