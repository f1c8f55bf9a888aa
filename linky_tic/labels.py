"""Looking a label up: every one of both modes, with what the norm says of it."""

from collections.abc import Mapping
from types import MappingProxyType

from linky_tic.errors import UnknownLabelError
from linky_tic.historique import HISTORIQUE
from linky_tic.label import Label, Mode
from linky_tic.standard import STANDARD

BY_MODE: Mapping[Mode, Mapping[str, Label]] = MappingProxyType(
    {
        Mode.HISTORIQUE: MappingProxyType({label.name: label for label in HISTORIQUE}),
        Mode.STANDARD: MappingProxyType({label.name: label for label in STANDARD}),
    }
)

LONGEST_LABEL = 9
"""SMAXSN1-1; the norm says 8 and contradicts itself."""

LONGEST_GROUP = 111
"""Bytes of the longest group of the norm, PJOURF+1, from its LF to its CR."""


def label_of(mode: Mode, name: str) -> Label:
    """Give the norm's row of a label; raise UnknownLabelError."""
    try:
        return BY_MODE[mode][name]
    except KeyError:
        raise UnknownLabelError(f"{name!r} is no label of the {mode} mode (Enedis-NOI-CPT_54E section 6)") from None


__all__ = ["BY_MODE", "HISTORIQUE", "LONGEST_GROUP", "LONGEST_LABEL", "STANDARD", "Label", "Mode", "label_of"]
