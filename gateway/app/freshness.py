"""After how long without a new one a value is stale: three periods of what is read together with it, at least 10 s."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from config.channel import Channel
from config.site import Site

_LEAST_S = 10.0
"""A Linky sends a frame each second or three; two that are lost to noise make nothing stale."""

_PERIODS = 3
_NOW_AND_THEN = frozenset({"adps", "adir1", "adir2", "adir3", "pejp"})
"""What a Linky sends only while there is something to tell, apart from its texts."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age in ms from which a value is stale, by channel, and for the newest value of each meter, by its name.

    None where a value comes only now and then: its age says nothing.
    """

    channels: Mapping[str, int | None]
    meters: Mapping[str, int]

    @classmethod
    def of(cls, site: Site, channels: Iterable[Channel]) -> Self:
        """Give that of the channels of a site."""
        groups, linkys = dict(_groups(site)), {linky.name for linky in site.linky}
        bounds: dict[str, int | None] = {}
        meters: dict[str, int] = {}
        for channel in channels:
            rare = channel.device in linkys and channel.name.partition(".")[2] in _NOW_AND_THEN
            bound = None if channel.is_text or rare else groups[channel.group]
            bounds[channel.name] = bound
            if bound is not None:
                meters[channel.device] = min(bound, meters.get(channel.device, bound))
        return cls(bounds, meters)


def _groups(site: Site) -> Iterator[tuple[str, int]]:
    """Give the bound of each group of channels: the groups are the drivers' own."""
    timeouts = {bus.name: bus.timeout_s for bus in site.modbus_bus}
    for linky in site.linky:
        yield linky.name, _bound(0, 0)
    for device in site.modbus:
        for poll, period_s in (("fast", device.poll_s), ("slow", device.slow_poll_s)):
            yield f"{device.name}.{poll}", _bound(period_s, timeouts[device.bus])
    for pulse in site.pulse:
        yield f"{pulse.name}.total", _bound(pulse.poll_s, 0)


def _bound(period_s: float, answer_s: float) -> int:
    return round(1000 * max(_LEAST_S, _PERIODS * period_s + answer_s))
