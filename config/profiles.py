"""The Modbus profiles that a site file names: where they are, and whether a load fits the point that it switches.

The meaning of a profile is `modbus.profile`'s; this room only finds its text and words what is wrong for the site file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import modbus
from config.wording import nearest, shown
from modbus.errors import ProfileError
from modbus.profile import Point, Profile
from modbus.profile_text import LONGEST_TEXT, parse_profile

_BUILT_IN = Path(modbus.__file__).parent / "profiles"
_VALUES: Mapping[str, Mapping[str, int | None]] = {
    "onoff": {"on_value": 1, "off_value": 0},
    "setpoint": {"min_value": None, "max_value": None},
}


def built_in() -> tuple[str, ...]:
    """Give the names of the profiles that come with the gateway, sorted."""
    return tuple(sorted(path.stem for path in _BUILT_IN.glob("*.toml")))


def read_profile(profile: str, folder: Path = Path()) -> Profile:
    """Read a built-in profile by its name, or a file whose path ends in `.toml` (relative to `folder`).

    Raises ProfileError with every mistake of its text, also where there is no such profile or it cannot be read.
    """
    if not profile.endswith(".toml"):
        if profile not in built_in():
            raise ProfileError(profile, ["there is no built-in profile of that name"])
        return _parsed(_BUILT_IN / f"{profile}.toml")
    return _parsed(folder / profile)


def mistake(profile: str, folder: Path) -> tuple[str, str] | None:
    """Tell what is wrong with naming this profile and what would be right; None where it can be used."""
    if not profile.endswith(".toml") and profile not in built_in():
        known = nearest(profile, built_in(), "built-in profiles")
        return f"there is no built-in profile {shown(profile)}", f"{known} A path of your own ends in .toml"
    try:
        read_profile(profile, folder)
    except ProfileError as error:
        return f"the profile {profile} cannot be used: " + " | ".join(error.mistakes), "a profile without mistakes"
    return None


def load_mistakes(load: Mapping[str, Any], profile: str, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Give (key of the load, what is wrong, what would be right) where a load does not fit its device's profile.

    An unusable profile gives nothing here: `mistake` tells it where it is named.
    """
    try:
        points = read_profile(profile, folder).points
    except ProfileError:
        return
    key = load.get("point")
    writable = {point.key: point for point in points if point.limits is not None}
    if isinstance(key, str) and key in writable:
        yield from _outside(load, writable[key])
    elif isinstance(key, str):
        known = any(point.key == key for point in points)
        message = (
            f"{shown(key)} is a point that can only be read" if known else f"the profile has no point {shown(key)}"
        )
        yield "point", message, nearest("" if known else key, writable, "points that can be written")


def _outside(load: Mapping[str, Any], point: Point) -> Iterator[tuple[str, str, str]]:
    for key, default in _VALUES.get(str(load.get("kind")), {}).items():
        value = load.get(key, default)
        if isinstance(value, int) and point.limits is not None and value not in point.limits:
            yield key, f"{value} cannot be written to {point.key}", f"the profile allows {point.limits}"


def _parsed(path: Path) -> Profile:
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_TEXT * 4 + 1).decode("utf-8")
    except (OSError, ValueError) as error:
        raise ProfileError(path.name, [f"{path} cannot be read: {error}"]) from error
    return parse_profile(text, path.name)
