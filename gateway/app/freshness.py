"""After how long without a new one a value is stale: three periods of what is read together with it, at least 10 s.

What the customer output of a meter gives has the bound of its own label: see `drivers.linky_channels`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from config.channel import Channel
from config.site import Site
from drivers.linky_channels import modes_of, points_of

_LEAST_S = 10.0
_PERIODS = 3


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
        groups = dict(_groups(site))
        bounds = {
            point.channel.name: point.stale_after_ms
            for linky in site.linky
            for points in points_of(linky.name, modes_of(linky.mode)).values()
            for point in points
        }
        meters: dict[str, int] = {}
        for channel in channels:
            if channel.name not in bounds:
                bounds[channel.name] = None if channel.is_text else groups[channel.group]
            bound = bounds[channel.name]
            if bound is not None:
                meters[channel.device] = min(bound, meters.get(channel.device, bound))
        return cls(bounds, meters)


def _groups(site: Site) -> Iterator[tuple[str, int]]:
    """Give the bound of each group of channels: the groups are the drivers' own."""
    timeouts = {bus.name: bus.timeout_s for bus in site.modbus_bus}
    for device in site.modbus:
        for poll, period_s in (("fast", device.poll_s), ("slow", device.slow_poll_s)):
            yield f"{device.name}.{poll}", _bound(period_s, timeouts[device.bus])
    for pulse in site.pulse:
        yield f"{pulse.name}.total", _bound(pulse.poll_s, 0)


def _bound(period_s: float, answer_s: float) -> int:
    return round(1000 * max(_LEAST_S, _PERIODS * period_s + answer_s))
