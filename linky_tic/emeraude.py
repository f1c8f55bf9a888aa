"""The labels of the green electronic meter's customer interface (ICE, Emeraude), two and four quadrants.

Second-hand, as its norm Enedis-NOI-CPT_02E was not to be had: the specification's section 7; Watteco's TIC tools
(tic-tools.c, ICE_expected_fields) for formats and units; Tasmota's teleinfo driver for `Appli`. The tools write numbers
with fixed and with free width and give no sizes, so a number here has one digit up to the most that their types hold.
They never take DATEEAp, DATEERPp and DATEERNp from the line; the specification lists them.
"""

from collections.abc import Iterator

from linky_tic.label import Grammar, Label, Mode, decimal, shape, short_date, with_unit

_DATE = short_date()
_CODE = shape(3, rb"[A-Z0-9 ?]{1,3}")
_KW = with_unit(5, "kW")
_KVAR = with_unit(5, "kvar", sign="[+-]?")
# "xxxxxYkw" in Watteco's notes: Y marks a truncated mean, which character does is not told.
_MEAN_KW = Grammar(8, shape(8, rb"[0-9]{1,5}[A-Z *]?k[Ww]").pattern, 10, suffixed=True)
_ENERGY = with_unit(9, "Wh", "kWh")
_REACTIVE = with_unit(9, "varh", "kvarh")
_PERCENT = with_unit(3, "%")

TARIFF_PERIODS = {
    "P": "peak",
    "PM": "mobile peak",
    "HCE": "off-peak hours of summer",
    "HCH": "off-peak hours of winter",
    "HH": "winter hours",
    "HCD": "off-peak hours between the seasons",
    "HD": "hours between the seasons",
    "JA": "July and August",
    "HPE": "peak hours of summer",
    "HPH": "peak hours of winter",
    "HPD": "peak hours between the seasons",
    "SCM": "hours of the low mobile season",
    "HM": "mobile hours of winter",
    "DSM": "mobile hours between the seasons",
}
"""The tariff periods in the order of the sources; JA and the hours between seasons are of eight-period contracts."""


def _row(name: str, grammar: Grammar, unit: str, meaning: str) -> Label:
    return Label(
        name,
        Mode.EMERAUDE,
        grammar,
        unit,
        meaning,
        stamped=False,
        phase=None,
        three_phase=True,
        producer=False,
        personal=False,
    )


def _energies(suffix: str, when: str) -> Iterator[Label]:
    """Give what is told of the current period p, or of the one before, p1."""
    yield _row(f"DEBUT{suffix}", _DATE, "", f"start of {when}")
    yield _row(f"FIN{suffix}", _DATE, "", f"end of {when}")
    yield _row(f"CAF{suffix}", Grammar(5, shape(5, rb"[0-9]{1,5}").pattern, 10), "", f"CAF of {when}")
    for letters, what, grammar, unit in (
        ("EA", "active energy", _ENERGY, "kWh"),
        ("ERP", "positive reactive energy", _REACTIVE, "kvarh"),
        ("ERN", "negative reactive energy", _REACTIVE, "kvarh"),
    ):
        yield _row(f"DATE{letters}{suffix}", _DATE, "", f"date of the indexes of {what}, {when}")
        for code, period in TARIFF_PERIODS.items():
            yield _row(f"{letters}{suffix}{code}", grammar, unit, f"{what}, {period}, {when}")


def _means() -> Iterator[Label]:
    for number in range(1, 7):
        yield _row(f"DATEPA{number}", _DATE, "", f"date of mean power {number}")
        yield _row(f"PA{number}", _MEAN_KW, "kW", f"mean active power {number} of the last six")


EMERAUDE: tuple[Label, ...] = (
    _row("CONTRAT", shape(16, rb"[A-Z0-9 _/+.-]{1,16}"), "", "contract"),
    _row("Appli", shape(16, rb"[ -~]{1,16}"), "", "application of what follows: drawn or injected (four quadrants)"),
    _row("DATECOUR", _DATE, "", "the meter's clock"),
    _row("DATE", _DATE, "", "the meter's clock, on meters of version 2.4"),
    _row("EA", _ENERGY, "Wh", "active energy"),
    _row("ERP", _REACTIVE, "varh", "positive reactive energy"),
    _row("PTCOUR", _CODE, "", "tariff period now"),
    _row("PREAVIS", shape(8, rb"[A-Z0-9 -]{1,8}"), "", "notice, may come several times"),
    _row("MODE", shape(8, rb"(?:CONTROLE)?"), "", "the meter is being checked"),
    *_means(),
    *_energies("p", "the current period"),
    *_energies("p1", "the period before"),
    _row("KDC", _PERCENT, "%", "coefficient KDC"),
    _row("KDCD", _PERCENT, "%", "coefficient KDCD"),
    _row("TGPHI", decimal(5, 2), "", "tangent phi"),
    *(_row(f"PS{code}", _KW, "kW", f"subscribed power, {period}") for code, period in TARIFF_PERIODS.items()),
    _row("PA1MN", _KW, "kW", "active power over a minute"),
    _row("PA10MN", _KW, "kW", "active power over ten minutes"),
    _row("PREA1MN", _KVAR, "kvar", "reactive power over a minute"),
    _row("PREA10MN", _KVAR, "kvar", "reactive power over ten minutes"),
    _row("U10MN", with_unit(6, "V"), "V", "voltage over ten minutes"),
)
