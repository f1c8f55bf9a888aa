"""What the words of a tariff say: PTEC and DEMAIN of the historique mode, LTARF of the standard one.

The standard mode says colours and mobile peaks in STGE too (`status`); its LTARF is the supplier's own text, in which
the usual words are looked for.
"""

from dataclasses import dataclass

from linky_tic.errors import StatusError
from linky_tic.status import Colour


@dataclass(frozen=True, slots=True)
class TariffPeriod:
    """What counts now. `off_peak` and `mobile_peak` (EJP) are None where the tariff has no such hours."""

    off_peak: bool | None = None
    mobile_peak: bool | None = None
    colour: Colour = Colour.NONE


_PTEC = {
    "TH..": TariffPeriod(),
    "HC..": TariffPeriod(off_peak=True),
    "HP..": TariffPeriod(off_peak=False),
    "HN..": TariffPeriod(mobile_peak=False),
    "PM..": TariffPeriod(mobile_peak=True),
    **{
        f"{hours}J{letter}": TariffPeriod(off_peak=hours == "HC", colour=colour)
        for hours in ("HC", "HP")
        for letter, colour in (("B", Colour.BLUE), ("W", Colour.WHITE), ("R", Colour.RED))
    },
}
_DEMAIN = {"----": Colour.NONE, "BLEU": Colour.BLUE, "BLAN": Colour.WHITE, "ROUG": Colour.RED}
_COLOURS = {"BLEU": Colour.BLUE, "BLANC": Colour.WHITE, "ROUGE": Colour.RED}
_OFF_PEAK = frozenset({"HC", "CREUSE", "CREUSES"})
_PEAK = frozenset({"HP", "PLEINE", "PLEINES"})


def parse_ptec(text: str) -> TariffPeriod:
    """Read PTEC, the tariff period now (54E section 6.1); raise StatusError."""
    try:
        return _PTEC[text]
    except KeyError:
        raise StatusError(f"PTEC {text!r} is none of {', '.join(_PTEC)} (54E section 6.1)") from None


def parse_demain(text: str) -> Colour:
    """Read DEMAIN, the Tempo colour of tomorrow, NONE while it is not known; raise StatusError."""
    try:
        return _DEMAIN[text]
    except KeyError:
        raise StatusError(f"DEMAIN {text!r} is none of {', '.join(_DEMAIN)} (54E section 6.1)") from None


def parse_ltarf(text: str) -> TariffPeriod:
    """Read LTARF, the supplier's words, as far as they are the usual ones: colour, off-peak, mobile peak."""
    words = frozenset(text.upper().split())
    colour = next((colour for word, colour in _COLOURS.items() if word in words), Colour.NONE)
    off_peak = True if words & _OFF_PEAK else False if words & _PEAK else None
    mobile_peak = True if "POINTE" in words else False if "NORMALE" in words else None
    return TariffPeriod(off_peak, mobile_peak, colour)
