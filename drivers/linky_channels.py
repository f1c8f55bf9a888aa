"""Which Channels the labels of a meter's customer output are, and the integer or text that a group gives each.

A mapping, no more: sizes, units and meanings are those of linky_tic's tables. Quantities and OBIS codes (IEC 62056-6-1)
of a Linky and of the blue meters stand in `linky_quantities`; of an older meter they follow from unit and name, in
`linky_older`. Left out are the labels that name the meter or the delivery point (personal data), and clocks.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from config.channel import Channel, Quantity
from drivers.linky_older import FIELDS, quantity_of
from drivers.linky_quantities import PHASED, PLAIN
from linky_tic.group import Group
from linky_tic.label import Label, Mode
from linky_tic.labels import BY_MODE

_LINKY = (Mode.STANDARD, Mode.HISTORIQUE)
_UNITS = {
    "kVA": ("VA", 3),
    "VArh": ("varh", 0),
    "dal": ("m3", -2),
    "kWh": ("Wh", 3),
    "kW": ("W", 3),
    "kvarh": ("varh", 3),
    "kvar": ("var", 3),
}
_CLOCKS = frozenset({"DATE", "DATECOUR"})
_PEAKS = frozenset({"DPM1", "FPM1", "DPM2", "FPM2", "DPM3", "FPM3"})
_NOW_AND_THEN = frozenset({"ADPS", "ADIR1", "ADIR2", "ADIR3", "PEJP"})
"""What a meter sends only while there is something to tell, apart from its texts."""
_FRAMES_MS = {
    Mode.STANDARD: 1_500,
    Mode.HISTORIQUE: 3_000,
    Mode.JAUNE: 2_700,
    Mode.EMERAUDE: 25_000,
    Mode.PME_PMI: 17_000,
}
"""The longest frame of each mode at its slowest speed.

Of a Linky as captures have it, three-phase and producer or Tempo: 1,442 and 356 characters. Of older meters what their
tables add up to, an ICE with four quadrants some 3,000 characters.
"""
_LEAST_MS = 5_000
_REPEATS_MS = 180_000
"""Three of the minutes in which everything is repeated at least once: see `linky_report`."""

Value = int | str


class Pace(StrEnum):
    """How often a value is worth a Reading."""

    FRAME = "each frame"
    INDEX = "each frame while it runs"
    CHANGE = "when it changes"


@dataclass(frozen=True, slots=True)
class Point:
    """One Channel and the label that gives it; `read` gives None for a group that says nothing of this channel."""

    label: Label
    channel: Channel
    pace: Pace
    read: Callable[[Group], Value | None]

    @property
    def stale_after_ms(self) -> int | None:
        """The age from which its value is stale, None for a text and for what comes only now and then.

        What comes with each frame: two of the mode's longest frames, at least 5 s. The rest: three minutes, for it is
        repeated each minute. Of a silent meter all is stale much earlier, whatever its channels say.
        """
        if self.channel.is_text or self.label.name in _NOW_AND_THEN:
            return None
        return max(_LEAST_MS, 2 * _FRAMES_MS[self.label.mode]) if self.pace is Pace.FRAME else _REPEATS_MS


Points = dict[tuple[Mode, str], tuple[Point, ...]]
"""The Points of each label that is a value, by mode and name, in the order of the norm."""


def modes_of(setting: str) -> tuple[Mode, ...]:
    """Give the modes that the site file's `mode` covers: "auto" a Linky's two, which the blue meters share."""
    return _LINKY if setting == "auto" else (Mode(setting),)


def points_of(device: str, modes: Iterable[Mode]) -> Points:
    """Give the Points of a device; two spellings of one label (EaP-1_s, EAP-1_s) share a Channel."""
    return {
        (mode, label.name): tuple(_points(device, label))
        for mode in modes
        for label in BY_MODE[mode].values()
        if not label.personal and label.name not in _CLOCKS
    }


def channels_of(points: Points) -> tuple[Channel, ...]:
    """Give each Channel once, in order."""
    return tuple({point.channel.name: point.channel for each in points.values() for point in each}.values())


def channel_name(device: str, label: Label) -> str:
    """Give the name of a label's channel: "linky.sinsts"; SMAXSN_1 is a maker's spelling of SMAXSN-1."""
    name = label.name.replace("_1", "-1") if label.mode is Mode.STANDARD else label.name
    return f"{device}.{name.lower()}"


def _points(device: str, label: Label) -> Iterator[Point]:
    fields = FIELDS.get((label.mode, label.name))
    if fields is not None:
        for field in fields:
            channel = _channel(device, label, field.quantity, suffix=field.suffix, is_text=field.is_text)
            yield _point(label, channel, field.read)
    elif label.is_number and label.name not in _PEAKS:
        yield from _numbers(device, label)
    else:
        channel = _channel(device, label, _row(label)[0], is_text=True)
        yield _point(label, channel, _text)


def _point(label: Label, channel: Channel, read: Callable[[Group], Value | None]) -> Point:
    pace = _pace(channel)
    if pace is Pace.CHANGE:
        channel = replace(channel, group=f"{channel.device}.slow")
    return Point(label, channel, pace, read)


def _numbers(device: str, label: Label) -> Iterator[Point]:
    """Give a Point for each unit that the values may have: one where they differ by powers of ten alone."""
    bases: dict[str, dict[str, int]] = {}
    for unit in label.grammar.units or (label.unit,):
        base, exponent = _UNITS.get(unit, (unit, 0))
        bases.setdefault(base, {})[unit] = exponent - label.grammar.decimals
    for base, exponents in bases.items():
        quantity, code = _row(label, base)
        suffix = "" if label.unit in exponents else f"_{min(exponents).lower()}"
        channel = _channel(
            device, label, quantity, suffix=suffix, unit=base, exponent=min(exponents.values()), code=code
        )
        yield _point(label, channel, _number_in(exponents))


def _number_in(exponents: dict[str, int]) -> Callable[[Group], Value | None]:
    least = min(exponents.values())
    if len(exponents) == 1:
        (only,) = exponents
        return lambda group: group.number if group.unit == only else None

    def read(group: Group) -> Value | None:
        exponent, number = exponents.get(group.unit), group.number
        return None if exponent is None or number is None else number * 10 ** (exponent - least)

    return read


def _text(group: Group) -> Value | None:
    """Give a text as sent; the edge of a mobile peak is a moment: its horodate and its number."""
    return f"{group.horodate} {group.value}" if group.label in _PEAKS else group.value


def _row(label: Label, base: str = "") -> tuple[Quantity, str | None]:
    if label.mode not in _LINKY:
        return quantity_of(label, base)
    if label.phase is None:
        return PLAIN[label.name.replace("_1", "-1")]
    quantity, code = PHASED[label.name.replace(str(label.phase), "#", 1).replace("_1", "-1")]
    if code is None:
        return quantity, None
    head, _, tail = code.partition(".")
    return quantity, f"{int(head) + 20 * label.phase}.{tail}"


def _channel(  # noqa: PLR0913 - the fields of a Channel
    device: str,
    label: Label,
    quantity: Quantity,
    *,
    suffix: str = "",
    unit: str = "",
    exponent: int = 0,
    code: str | None = None,
    is_text: bool = False,
) -> Channel:
    return Channel(
        name=f"{channel_name(device, label)}{suffix}",
        device=device,
        group=device,
        quantity=quantity,
        unit=unit,
        exponent=exponent,
        is_text=is_text,
        obis=None if code is None else f"1-0:{code}",
        phase=label.phase,
    )


_INDEXES = frozenset(
    {
        Quantity.ACTIVE_ENERGY_IMPORT,
        Quantity.ACTIVE_ENERGY_EXPORT,
        Quantity.REACTIVE_ENERGY,
        Quantity.APPARENT_ENERGY,
        Quantity.GAS_VOLUME,
        Quantity.WATER_VOLUME,
    }
)
_PRESENT = (".7.0", ".4.0")
"""The ends of OBIS codes of what is so now: instantaneous values, and the mean of the minute that runs."""
_ALWAYS = (".adps", ".adir1", ".adir2", ".adir3", ".prea1mn")


def _pace(channel: Channel) -> Pace:
    if channel.quantity in _INDEXES:
        return Pace.INDEX
    if (channel.obis or "").endswith(_PRESENT) or channel.name.endswith(_ALWAYS):
        return Pace.FRAME
    return Pace.CHANGE
