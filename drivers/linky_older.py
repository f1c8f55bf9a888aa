"""Quantities of the labels of older meters (CJE, ICE, PME-PMI), which follow from their units and their names.

OBIS codes stand where a label is what the code says; the energies of these meters begin anew with each period or each
top, and have none. A CJE's values have several fields and no unit that any source tells: each field is a channel, a
number in the meter's own unit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from config.channel import Quantity
from linky_tic.decoder import Frame
from linky_tic.fields import parse_energies, parse_four, parse_jaune
from linky_tic.group import Group
from linky_tic.label import Label, Mode

_Q = Quantity
_CODES = {"PA1MN": "1.4.0", "PA10MN": "1.5.0", "U10MN": "12.5.0"}
_BY_UNIT = {
    "Wh": (_Q.ACTIVE_ENERGY_IMPORT, _Q.ACTIVE_ENERGY_EXPORT),
    "W": (_Q.ACTIVE_POWER_IMPORT, _Q.ACTIVE_POWER_EXPORT),
    "VA": (_Q.APPARENT_POWER_IMPORT, _Q.APPARENT_POWER_EXPORT),
    "VAh": (_Q.APPARENT_ENERGY, _Q.APPARENT_ENERGY),
    "varh": (_Q.REACTIVE_ENERGY, _Q.REACTIVE_ENERGY),
    "var": (_Q.REACTIVE_POWER, _Q.REACTIVE_POWER),
    "V": (_Q.VOLTAGE, _Q.VOLTAGE),
    "%": (_Q.RATIO, _Q.RATIO),
}
"""Drawn, and injected (labels that end with _i)."""
_BY_NAME = (
    (("CONTRAT", "MESURES", "PTCOUR", "TARIFDYN", "ETATDYN"), _Q.TARIFF),
    (("DATE", "DEBUT", "FIN", "Deb", "Fin", "TDYN", "PERC"), _Q.CALENDAR),
    (("TGPHI",), _Q.RATIO),
    (("",), _Q.STATUS),
)


def quantity_of(label: Label, base: str) -> tuple[Quantity, str | None]:
    """Give the quantity of a label in the unit `base` ("" for a text), and its OBIS code where one exists."""
    if base in ("W", "VA") and label.name.startswith("PS"):
        return _Q.SUBSCRIBED_POWER, None
    if base in _BY_UNIT:
        return _BY_UNIT[base][label.name.endswith("_i")], _CODES.get(label.name)
    return next(quantity for starts, quantity in _BY_NAME if label.name.startswith(starts)), None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a value that has several: what follows the label's name in the channel's, and how it is read."""

    suffix: str
    quantity: Quantity
    read: Callable[[Group], int | str | None]
    is_text: bool = False


def _numbered(parse: Callable[[str], Sequence[int]], count: int, quantity: Quantity) -> tuple[Field, ...]:
    def nth(at: int) -> Callable[[Group], int | str | None]:
        return lambda group: parse(group.value or "")[at]

    return tuple(Field(f"_{at + 1}", quantity, nth(at)) for at in range(count))


def _of_jaune(name: str) -> Callable[[Group], Any]:
    return lambda group: getattr(parse_jaune(group.value or ""), name)


FIELDS = {
    (Mode.JAUNE, "JAUNE"): (
        Field("_pt", _Q.TARIFF, _of_jaune("period"), is_text=True),
        Field("_dp", _Q.STATUS, _of_jaune("dp"), is_text=True),
        Field("_abcde", _Q.STATUS, _of_jaune("abcde")),
        Field("_kp", _Q.STATUS, _of_jaune("kp")),
    ),
    (Mode.JAUNE, "ENERG"): _numbered(parse_energies, 6, _Q.ACTIVE_ENERGY_IMPORT),
    **{
        (Mode.JAUNE, label): _numbered(parse_four, 4, quantity)
        for label, quantity in (
            ("PMAXC", _Q.APPARENT_POWER_IMPORT),
            ("PMAXP", _Q.APPARENT_POWER_IMPORT),
            ("TDEPA", _Q.DURATION),
            ("PSOUSC", _Q.SUBSCRIBED_POWER),
            ("PSOUSP", _Q.SUBSCRIBED_POWER),
        )
    },
}
"""The labels that have fields; the clock in JAUNE is none."""


class Applications:
    """Follows an ICE of four quadrants, which says most labels twice in a frame: what is drawn, and what is injected.

    An `Appli` stands before each and says which. Channels are those of what is drawn; where damage leaves it open
    whose a value is, it is nobody's.
    """

    def __init__(self) -> None:
        self._several: bool | None = None

    def drawn(self, frame: Frame, groups: Sequence[Group]) -> Iterator[Group]:
        """Give those of the frame's `groups` that tell what is drawn: of any other meter all."""
        if frame.mode is not Mode.EMERAUDE:
            yield from groups
            return
        named = [(group.value or "").lower() for group in groups if group.label == "Appli" and group.valid]
        if named:
            self._several = True
        elif frame.complete and not any(map(_may_be_appli, groups)):
            self._several = False
        is_drawn = self._several is False or (frame.complete and bool(named))
        seen: set[str] = set()
        for group in groups:
            if group.label == "Appli" and group.valid:
                text = (group.value or "").lower()
                is_drawn = "sout" in text or (frame.complete and text == named[0] and "inj" not in text)
                seen.clear()
            elif self._several and (_may_be_appli(group) or group.label in seen):
                is_drawn = False
            elif group.label.startswith(_ONCE):
                seen.add(group.label)
            if is_drawn:
                yield group


_ONCE = ("EA", "ERP", "ERN", "PA")
"""Labels that come once after an Appli: the second time its Appli was lost. PREAVIS and MODE may come again."""


def _may_be_appli(group: Group) -> bool:
    return not group.valid and group.label in ("", "Appli")
