"""What the channels of a device count, known from the site file and what it names, so that a price can be checked.

`config` stands below the drivers that make the channels; that both say the same is held by a test of the agent.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from config.profiles import read_profile
from config.wording import nearest, shown
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE
from modbus.errors import ProfileError

_PER = {
    ("active_energy_import", "Wh"): "kWh",
    ("active_energy_export", "Wh"): "kWh",
    ("thermal_energy", "Wh"): "kWh",
    ("gas_volume", "m3"): "m3",
    ("water_volume", "m3"): "m3",
}
_LABELS = {"Wh": "kWh", "kWh": "kWh", "dal": "m3"}
_LINKY = ("standard", "historique")
_COUNTS = {"kWh": "an energy", "m3": "a volume"}

Devices = Mapping[str, tuple[str, Mapping[str, Any]]]
"""Name -> the kind of its table ("modbus"), the table."""

Points = Mapping[str, str | None]
"""What follows the dot in a channel's name -> "kWh" or "m3", None where it counts neither."""


def points(kind: str, device: Mapping[str, Any], folder: Path) -> Points | None:
    """Give what each channel of a device counts; None where its table has mistakes of its own, told elsewhere."""
    if kind == "linky":
        mode = device.get("mode", "auto")
        modes = [Mode(each) for each in (_LINKY if mode == "auto" else (mode,)) if each in set(Mode)]
        labels = {label.name.lower(): _LABELS.get(label.unit) for each in modes for label in BY_MODE[each].values()}
        return labels or None
    if kind == "pulse":
        per = _PER.get((str(device.get("quantity")), "m3"))
        return None if per is None else {"total": per}
    profile = device.get("profile")
    try:
        found = read_profile(profile, folder).points if isinstance(profile, str) else None
    except ProfileError:
        return None
    return None if found is None else {point.key: _PER.get((point.quantity, point.unit)) for point in found}


def mistakes(price: Mapping[str, Any], devices: Devices, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Give (key of the price, what is wrong, what would be right) where its channel is none that can have it."""
    channel = price.get("channel")
    if not isinstance(channel, str) or not channel:
        return
    name, _, point = channel.partition(".")
    if name not in devices:
        right = nearest(name, devices, "devices")
        yield "channel", f"{shown(channel)}: there is no device {shown(name)}", f"a channel is device.point; {right}"
        return
    counted = points(*devices[name], folder)
    if counted is None:
        return
    per = counted.get(point)
    if per is None:
        wrong = (
            "counts neither an energy in Wh nor a volume in m3" if point in counted else "is no channel of this site"
        )
        priced = [f"{name}.{key}" for key, unit in counted.items() if unit is not None]
        near = "" if point in counted else channel
        yield "channel", f"{shown(channel)} {wrong}", nearest(near, priced, f"channel of {name} that can have a price")
    elif price.get("per") in tuple(_COUNTS) and price["per"] != per:
        yield "per", f"{channel} counts {_COUNTS[per]}", shown(per)
