"""The labels of the yellow electronic meter (CJE), for connections of 36 to 250 kVA; a value has several fields.

Second-hand, as its norm Enedis-NOI-CPT_02E was not to be had: the specification's section 7, and Watteco's TIC tools
(tic-tools.c, CJE_expected_fields) for the sizes. What FCOU, `dp`, `abcde`, `kp`, `cg` and `dd` mean, and the units, no
source says. `fields` takes the values apart.
"""

from linky_tic.label import Grammar, Label, Mode, shape

_HOUR = rb"(?:[01][0-9]|2[0-3])"
_MINUTE = rb"[0-5][0-9]"
_DAY = rb"(?:0[0-9]|[12][0-9]|3[01])"
_MONTH = rb"(?:0[0-9]|1[0-2])"
_CODE = rb"[A-Z0-9 *-]{0,4}"
"""`pt` and `dp`: Watteco stores them as texts of no told size; two letters stand for each in the specification."""
_PERIOD = shape(11, rb":".join((_DAY, _MONTH, _HOUR, rb"[0-9]{2}")))
_FOUR = shape(23, rb"[0-9]{5}(?::[0-9]{5}){3}")


def _row(name: str, grammar: Grammar, meaning: str) -> Label:
    return Label(
        name,
        Mode.JAUNE,
        grammar,
        "",
        meaning,
        stamped=False,
        phase=None,
        three_phase=True,
        producer=False,
        personal=False,
    )


JAUNE: tuple[Label, ...] = (
    _row(
        "JAUNE",
        shape(30, rb":".join((_HOUR, _MINUTE, _DAY, _MONTH, _CODE, _CODE, rb"[0-9]{5}", rb"[0-9]{2}"))),
        "the meter's clock (hour:minute:day:month), tariff period pt, dp, abcde, kp",
    ),
    _row("ENERG", shape(41, rb"[0-9]{6}(?::[0-9]{6}){5}"), "six energy indexes, one for each tariff period"),
    _row("PERCC", _PERIOD, "start of the current period (day:month:hour), cg"),
    _row("PMAXC", _FOUR, "highest powers of the current period, one for each tariff period"),
    _row("TDEPA", _FOUR, "times above the subscribed power in the current period, one for each tariff period"),
    _row("PERCP", _PERIOD, "start of the period before (day:month:hour), cg"),
    _row("PMAXP", _FOUR, "highest powers of the period before, one for each tariff period"),
    _row("PSOUSC", _FOUR, "subscribed powers of the current period, one for each tariff period"),
    _row("PSOUSP", _FOUR, "subscribed powers of the period before, one for each tariff period"),
    _row("FCOU", shape(8, rb":".join((_HOUR, _MINUTE, rb"[0-9]{2}"))), "FCOU: hour:minute, dd; no source says of what"),
)
