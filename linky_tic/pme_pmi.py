"""The labels of the PME-PMI meter of firms (36 kVA and more), of 2010 and of 2013.

Second-hand, as its norm Enedis-NOI-CPT_02E was not to be had: the specification's section 7; tic2json (ticv01pme.l and
.y) for labels and meanings; Watteco's TIC tools (tic-tools.c, PMEPMI_expected_fields) for formats, units and the four
labels that some meters write with a capital A. No source gives sizes: a number has one digit up to the most that
Watteco's types hold, and ends with its unit. `_s` is drawn (soutirage), `_i` injected.
"""

from collections.abc import Iterator

from linky_tic.label import SHORT_DATE, Grammar, Label, Mode, decimal, serial_hex, shape, short_date, with_unit

_DATE = short_date()
_CODE_PATTERN = rb"[A-Z0-9 ?]{1,3}"
_CODE = shape(3, _CODE_PATTERN)
_CONTRACT = shape(16, rb"[A-Z0-9 _/+.-]{1,16}")
_DYNAMIC = shape(21, SHORT_DATE + rb"-" + _CODE_PATTERN)
_KW = with_unit(5, "kW")
_KW_OR_KVA = with_unit(8, "kW", "kVA")
_KWH, _KVARH = with_unit(9, "kWh"), with_unit(9, "kvarh")
_TANGENT = decimal(5, 2)

_FLOWS = {"s": "drawn", "i": "injected"}


def _row(name: str, grammar: Grammar, unit: str, meaning: str, *, personal: bool = False) -> Label:
    return Label(
        name,
        Mode.PME_PMI,
        grammar,
        unit,
        meaning,
        stamped=False,
        phase=None,
        three_phase=True,
        producer=name.endswith("_i"),
        personal=personal,
    )


def _since_top() -> Iterator[Label]:
    for flow, word in _FLOWS.items():
        yield _row(f"EA_{flow}", with_unit(9, "Wh"), "Wh", f"active energy {word} since the last top Td")
        for sign, reactive in (("+", "positive"), ("-", "negative")):
            meaning = f"{reactive} reactive energy since the last top Td, while energy is {word}"
            yield _row(f"ER{sign}_{flow}", with_unit(9, "varh"), "varh", meaning)
        yield _row(f"EAPP_{flow}", with_unit(9, "VAh"), "VAh", f"apparent energy {word} since the last top Td")


def _dynamic(number: int) -> Iterator[Label]:
    """Give the dynamic tariff of the first or the second set of measures."""
    yield _row(f"PTCOUR{number}", _CODE, "", f"tariff period now, measures {number}")
    if number == 1:
        yield _row("TARIFDYN", shape(7, rb"INACTIF| {0,2}ACTIF {0,2}"), "", "signal of the dynamic tariff")
    yield _row(f"ETATDYN{number}", _CODE, "", f"dynamic tariff period now, measures {number}")
    yield _row(f"PREAVIS{number}", shape(6, rb"TD-" + _CODE_PATTERN), "", f"notice of a dynamic period, {number}")
    for letters, meaning in (
        ("CD", "start of the running dynamic period"),
        ("CF", "end of the running dynamic period"),
        ("FD", "start of the next dynamic period"),
        ("FF", "end of the next dynamic period"),
    ):
        yield _row(f"TDYN{number}{letters}", _DYNAMIC, "", f"{meaning}, measures {number}")


def _means() -> Iterator[Label]:
    for number in range(1, 7):
        yield _row(f"DATEPA{number}", _DATE, "", f"date of mean power {number}")
        for flow, word in _FLOWS.items():
            yield _row(f"PA{number}_{flow}", _KW, "kW", f"mean active power {number} of the last six, {word}")


def _period(suffix: str, when: str, names: tuple[str, ...]) -> Iterator[Label]:
    """Give the indexes of the tariff period that runs now; `names` are the spellings of the active one."""
    for flow, word in _FLOWS.items():
        for name in names:
            yield _row(f"{name}P{suffix}_{flow}", _KWH, "kWh", f"active energy {word}, tariff period now, {when}")
    for flow, word in _FLOWS.items():
        for sign, reactive in (("+", "positive"), ("-", "negative")):
            meaning = f"{reactive} reactive energy while energy is {word}, tariff period now, {when}"
            yield _row(f"ER{sign}P{suffix}_{flow}", _KVARH, "kvarh", meaning)


PME_PMI: tuple[Label, ...] = (
    _row("TRAME", shape(8, rb"[A-Z0-9]{1,8}"), "", "TEST in a test frame (2013)"),
    _row("ADS", serial_hex(12), "", "address of the meter, its serial number (2013)", personal=True),
    _row("MESURES1", _CONTRACT, "", "tariff of the first set of measures"),
    _row("DATE", _DATE, "", "the meter's clock"),
    *_since_top(),
    *_dynamic(1),
    _row("MODE", shape(8, rb"(?:CONTROLE)?"), "", "the meter is being checked"),
    _row("CONFIG", shape(5, rb"CONSO|PROD"), "", "consumer or producer"),
    *_means(),
    _row("DebP", _DATE, "", "start of period P"),
    *_period("", "period P", ("EA",)),
    _row("DebP-1", _DATE, "", "start of period P-1"),
    _row("FinP-1", _DATE, "", "end of period P-1"),
    *_period("-1", "period P-1", ("Ea", "EA")),
    _row("PS", _KW_OR_KVA, "kVA", "subscribed power of the tariff period now"),
    _row("PREAVIS", shape(3, rb"DEP"), "", "notice that the subscribed power is exceeded, present only meanwhile"),
    _row("PA1MN", _KW, "kW", "active power over a minute"),
    _row("PMAX_s", _KW_OR_KVA, "kVA", "highest power drawn, tariff period now"),
    _row("PMAX_i", _KW_OR_KVA, "kVA", "highest power injected, tariff period now"),
    _row("TGPHI_s", _TANGENT, "", "tangent phi over ten minutes while energy is drawn"),
    _row("TGPHI_i", _TANGENT, "", "tangent phi over ten minutes while energy is injected"),
    _row("MESURES2", _CONTRACT, "", "tariff of the second set of measures"),
    *_dynamic(2),
    _row("DebP_2", _DATE, "", "start of period P, measures 2"),
    *(_row(f"{name}P_s2", _KWH, "kWh", "active energy drawn, period P, measures 2") for name in ("Ea", "EA")),
    _row("DebP-1_2", _DATE, "", "start of period P-1, measures 2"),
    _row("FinP-1_2", _DATE, "", "end of period P-1, measures 2"),
    *(_row(f"{name}P-1_s2", _KWH, "kWh", "active energy drawn, period P-1, measures 2") for name in ("Ea", "EA")),
)
