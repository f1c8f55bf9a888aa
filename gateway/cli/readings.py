"""`gateway channels`, `read` and `tail`: the values themselves, as a list, one of them, or each as it comes."""

import difflib
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.cli.asking import Door
from gateway.cli.exits import OK, UNKNOWN, Ended
from gateway.cli.status import channel_line, number

Channel = dict[str, Any]


def channels(door: Door, *, as_json: bool) -> int:
    """Print every channel with its last value, age and quality; raise Ended."""
    found = _channels(door)
    if as_json:
        print(json.dumps({"schema": "gateway/channels/1", "channels": found}))
        return OK
    width = max((len(channel["name"]) for channel in found), default=0)
    for channel in found:
        print(channel_line(channel, width))
    print(f"{len(found)} channels" if found else "no channel has been read yet: `gateway status` tells why")
    return OK


def read(door: Door, name: str, *, as_json: bool) -> int:
    """Print the last value of one channel; raise Ended, for a name that is unknown with the names close to it."""
    found = _channels(door)
    _known([name], found)
    channel = next(channel for channel in found if channel["name"] == name)
    if as_json:
        print(json.dumps({"schema": "gateway/channel/1", **channel}))
    else:
        print(channel_line(channel, 0))
    return OK


def tail(door: Door, names: Iterable[str], *, as_json: bool, interval_s: float, count: int | None) -> int:
    """Print the readings of these channels (none named: of all) as they come, a line each; raise Ended.

    The agent is asked every `interval_s`: of what is read more often, the newest is shown. Ends after `count` readings,
    else with Ctrl-C, or when the agent ends.
    """
    wanted = set(names)
    _known(wanted, _channels(door))
    for shown, channel in enumerate(_as_they_come(door, interval_s, wanted), 1):
        if as_json:
            print(json.dumps({"schema": "gateway/channel/1", **channel}), flush=True)
        else:
            print(_dated(channel), flush=True)
        if shown == count:
            break
    return OK


def _as_they_come(door: Door, interval_s: float, wanted: set[str]) -> Iterator[Channel]:
    seen: dict[str, int] = {}
    while True:
        for channel in _channels(door):
            name, boot_ms = channel["name"], channel["boot_ms"]
            if (not wanted or name in wanted) and seen.get(name) != boot_ms:
                seen[name] = boot_ms
                yield channel
        time.sleep(interval_s)


def _channels(door: Door) -> list[Channel]:
    found: list[Channel] = door.status()["channels"]
    return found


def _known(names: Iterable[str], found: list[Channel]) -> None:
    known = [channel["name"] for channel in found]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 3, 0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else "`gateway channels` lists those there are"
            raise Ended(UNKNOWN, f"no channel {name!r} has been read: {hint}")


def _dated(channel: Channel) -> str:
    """One reading: when it was by this machine's clock, name, value and unit, and what is to be thought of it."""
    when = time.strftime("%H:%M:%S", time.localtime(time.time() - channel["age_ms"] / 1000))
    doubt = "" if channel["quality"] == "ok" else f"  {channel['quality']}"
    return f"{when}  {channel['name']}  {number(channel)} {channel['unit']}".rstrip() + doubt
