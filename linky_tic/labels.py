"""Looking a label up: every one of each mode, with what its norm says of it."""

from collections.abc import Mapping
from types import MappingProxyType

from linky_tic.emeraude import EMERAUDE
from linky_tic.errors import UnknownLabelError
from linky_tic.historique import HISTORIQUE
from linky_tic.jaune import JAUNE
from linky_tic.label import Label, Mode
from linky_tic.pme_pmi import PME_PMI
from linky_tic.standard import STANDARD, WITH_UNDERSCORE

_ROWS = {
    Mode.HISTORIQUE: HISTORIQUE,
    Mode.STANDARD: (*STANDARD, *WITH_UNDERSCORE),
    Mode.JAUNE: JAUNE,
    Mode.EMERAUDE: EMERAUDE,
    Mode.PME_PMI: PME_PMI,
}
BY_MODE: Mapping[Mode, Mapping[str, Label]] = MappingProxyType(
    {mode: MappingProxyType({label.name: label for label in rows}) for mode, rows in _ROWS.items()}
)

LONGEST_LABEL = max(len(label.name) for rows in _ROWS.values() for label in rows)
"""9, SMAXSN1-1; the norm says 8 and contradicts itself."""

LONGEST_GROUP = max(label.longest for rows in _ROWS.values() for label in rows)
"""Bytes of the longest group of any mode from its LF to its CR: 111, PJOURF+1."""

MOST_LABELS = max(map(len, _ROWS.values()))
"""Labels of the mode that has the most: 139, EMERAUDE."""


def label_of(mode: Mode, name: str) -> Label:
    """Give the norm's row of a label; raise UnknownLabelError."""
    try:
        return BY_MODE[mode][name]
    except KeyError:
        norm = "54E section 6" if mode in (Mode.STANDARD, Mode.HISTORIQUE) else "02E"
        raise UnknownLabelError(f"{name!r} is no label of the {mode} mode (Enedis-NOI-CPT_{norm})") from None


__all__ = [
    "BY_MODE",
    "EMERAUDE",
    "HISTORIQUE",
    "JAUNE",
    "LONGEST_GROUP",
    "LONGEST_LABEL",
    "MOST_LABELS",
    "PME_PMI",
    "STANDARD",
    "Label",
    "Mode",
    "label_of",
]
