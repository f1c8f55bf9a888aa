"""The labels of the historique mode: Linky, single-phase and three-phase, and the electronic meters before it.

Source: Enedis-NOI-CPT_54E version 3, section 6.1 for what a Linky sends. The older meters (CBEMM, CBETM, the
téléreport concentrator with its GAZ and AUTRE) are second-hand: their norm, Enedis-NOI-CPT_02E, was not to be had.
"""

from linky_tic.label import Grammar, Label, Mode, digits, hexadecimal, serial, shape

# 9 digits, but 8 from a téléreport concentrator (second-hand: the specification, section 6).
_INDEX = Grammar(9, shape(9, rb"[0-9]{8,9}").pattern, 10)
_AMPERES = digits(3)

TRI, PERSONAL = "tri", "personal"


def _row(name: str, grammar: Grammar, unit: str, meaning: str, *kinds: str, phase: int | None = None) -> Label:
    return Label(
        name,
        Mode.HISTORIQUE,
        grammar,
        unit,
        meaning,
        stamped=False,
        phase=phase,
        three_phase=TRI in kinds,
        producer=False,
        personal=PERSONAL in kinds,
    )


def _phases(name: str, meaning: str) -> tuple[Label, ...]:
    return tuple(
        _row(f"{name}{phase}", _AMPERES, "A", f"{meaning}, phase {phase}", TRI, phase=phase) for phase in (1, 2, 3)
    )


HISTORIQUE: tuple[Label, ...] = (
    *_phases("ADIR", "current above the subscribed one, in three-phase short frames only"),
    _row("ADCO", serial(12), "", "address of the meter, its serial number", PERSONAL),
    # The letter of Tempo holds the programmes of two circuits in its bits 4 to 0, bit 5 is 1 and bit 6 is 0, to which
    # the checksum is blind. Second-hand: the teleinfo binding of openHAB, which reads the two programmes out of it.
    _row("OPTARIF", shape(4, rb"BASE|HC\.\.|EJP\.|BBR[ -?]"), "", "tariff option"),
    _row("ISOUSC", digits(2), "A", "subscribed current"),
    _row("BASE", _INDEX, "Wh", "index, base option"),
    _row("HCHC", _INDEX, "Wh", "index, off-peak hours"),
    _row("HCHP", _INDEX, "Wh", "index, peak hours"),
    _row("EJPHN", _INDEX, "Wh", "index, EJP normal hours"),
    _row("EJPHPM", _INDEX, "Wh", "index, EJP mobile-peak hours"),
    _row("BBRHCJB", _INDEX, "Wh", "index, Tempo off-peak hours of blue days"),
    _row("BBRHPJB", _INDEX, "Wh", "index, Tempo peak hours of blue days"),
    _row("BBRHCJW", _INDEX, "Wh", "index, Tempo off-peak hours of white days"),
    _row("BBRHPJW", _INDEX, "Wh", "index, Tempo peak hours of white days"),
    _row("BBRHCJR", _INDEX, "Wh", "index, Tempo off-peak hours of red days"),
    _row("BBRHPJR", _INDEX, "Wh", "index, Tempo peak hours of red days"),
    _row("PEJP", digits(2), "min", "notice of an EJP period"),
    _row("GAZ", digits(7), "dal", "gas index of a téléreport concentrator"),
    _row("AUTRE", digits(7), "dal", "other index of a téléreport concentrator"),
    _row(
        "PTEC",
        shape(4, rb"TH\.\.|HC\.\.|HP\.\.|HN\.\.|PM\.\.|H[CP]J[BWR]"),
        "",
        "tariff period now",
    ),
    _row("DEMAIN", shape(4, rb"----|BLEU|BLAN|ROUG"), "", "Tempo colour of tomorrow"),
    _row("IINST", _AMPERES, "A", "current"),
    *_phases("IINST", "current"),
    _row("ADPS", _AMPERES, "A", "current above the subscribed one, present only while it lasts"),
    _row("IMAX", _AMPERES, "A", "highest current"),
    *_phases("IMAX", "highest current"),
    # The label's table says W; the same norm's Linky column says the highest apparent power of yesterday, in VA.
    _row("PMAX", digits(5), "VA", "highest three-phase power of yesterday", TRI),
    _row("PAPP", digits(5), "VA", "apparent power"),
    _row("HHPHC", shape(1, rb"[ACDEY]"), "", "off-peak timetable"),
    # 6 characters in 54E; sources differ on the older meters, some send 10.
    _row("MOTDETAT", shape(10, rb"[0-9A-F]{6}(?:[0-9A-F]{4})?"), "", "status word"),
    _row("PPOT", hexadecimal(2, rb"0[0-9A-F]"), "", "phases that are absent: bit n is 1 for phase n", TRI),
)
