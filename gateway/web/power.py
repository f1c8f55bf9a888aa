"""Power as the page shows it, meter by meter: what is drawn and what is given back, apart, in all and by phase."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from gateway.web.values import Channel, Value

TIC = "TIC"
_DRAWN = ("active_power_import", "apparent_power_import")
_GIVEN = ("active_power_export", "apparent_power_export")
_HEAT = "thermal_power"
_TARIFFS = ("ltarf", "ptec", "ptcour", "ptcour1", "jaune_pt")
"""Labels of a TIC: standard, historique, and of older meters."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: power, voltage, current, each None where the meter does not say it."""

    number: int
    power: Value | None
    voltage: Value | None
    current: Value | None

    @property
    def age_ms(self) -> int:
        """Age of the oldest of them."""
        return max((each.age_ms for each in (self.power, self.voltage, self.current) if each is not None), default=0)


@dataclass(frozen=True, slots=True)
class Meter:
    """An electricity meter; `main` is the channel whose history is charted."""

    device: str
    about: str
    main: str | None
    drawn: Value | None
    given: Value | None
    current: Value | None
    phases: tuple[Phase, ...]
    subscribed: Value | None
    tariff: str

    @property
    def over_subscribed(self) -> bool:
        """Whether more is drawn than was subscribed, as far as both are known."""
        drawn, bound = self.drawn, self.subscribed
        known = drawn is not None and bound is not None and drawn.unit == bound.unit
        return known and (drawn.number or 0) > (bound.number or 0)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Part:
    """One power among several of a device: a heat pump of the building's controller."""

    device: str
    name: str
    value: Value


def meters(found: Sequence[Channel], devices: Iterable[Mapping[str, Any]]) -> list[Meter]:
    """Give the electricity meters, the supplier's first: devices with one power in all, or with phases."""
    protocol = {each["name"]: each["protocol"] for each in devices}
    about = {each["name"]: each["about"] for each in devices}
    made = []
    for device, group in groupby(found, lambda channel: channel.device):
        every = list(group)
        own = [each for each in every if _is_now(each, protocol.get(device)) and each.value is not None]
        whole = [each for each in own if each.phase is None and each.quantity in (*_DRAWN, *_GIVEN)]
        phased = any(each.phase is not None for each in own)
        if whole and (phased or len([each for each in whole if each.quantity in _DRAWN]) <= len(_DRAWN)):
            made.append((protocol.get(device) != TIC, _meter(device, about.get(device, ""), own, _tariff(every))))
    made.sort(key=lambda pair: pair[0])
    return [meter for _, meter in made]


def any_told(found: Iterable[Channel]) -> bool:
    """Tell whether any channel is a power, read or not."""
    return any(each.quantity in (*_DRAWN, *_GIVEN, _HEAT) for each in found)


def parts(found: Sequence[Channel], shown: Iterable[Meter]) -> list[Part]:
    """Give every other power that is read: of the building's controller, of heat meters."""
    taken = {meter.device for meter in shown}
    return [
        Part(each.device, _spoken(each), each.value)
        for each in found
        if each.value is not None
        and (each.quantity == _HEAT or (each.quantity in (*_DRAWN, *_GIVEN) and each.device not in taken))
        and each.phase is None
    ]


def _is_now(channel: Channel, protocol: str | None) -> bool:
    """Say whether a channel is the present value: of a TIC, OBIS codes tell it from means and maxima.

    D = 7 is what is so now; older meters have nothing newer than D = 4, the mean of a minute.
    """
    if protocol != TIC or channel.quantity == "subscribed_power":
        return True
    return channel.obis is not None and channel.obis.endswith((".7.0", ".4.0"))


def _meter(device: str, about: str, own: Sequence[Channel], tariff: str) -> Meter:
    drawn = _first(own, _DRAWN)
    numbers = sorted({each.phase for each in own if each.phase is not None})
    return Meter(
        device=device,
        about=about,
        main=None if drawn is None else drawn.name,
        drawn=None if drawn is None else drawn.value,
        given=_value(_first(own, _GIVEN)),
        current=_value(_first(own, ("current",))),
        phases=tuple(
            Phase(
                number,
                _value(_first(own, (*_DRAWN, *_GIVEN), number)),
                _value(_first(own, ("voltage",), number)),
                _value(_first(own, ("current",), number)),
            )
            for number in numbers
        ),
        subscribed=_value(_first(own, ("subscribed_power",))),
        tariff=tariff,
    )


def _tariff(every: Iterable[Channel]) -> str:
    """Give the name of the tariff that runs, as the meter itself says it."""
    names = (each.value.text for each in every if each.point in _TARIFFS and each.value is not None)
    return next(names, "")


def _spoken(channel: Channel) -> str:
    """Name a power as people do: "heat pump 1" of the controller, the device's own name where it has but one."""
    words = channel.point.replace("_", " ").removesuffix("power").strip()
    return words or channel.device


def _first(own: Sequence[Channel], quantities: Sequence[str], phase: int | None = None) -> Channel | None:
    """Give the first channel of the first of these quantities that is there."""
    for quantity in quantities:
        for each in own:
            if each.quantity == quantity and each.phase == phase:
                return each
    return None


def _value(channel: Channel | None) -> Value | None:
    return None if channel is None else channel.value
