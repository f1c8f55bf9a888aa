"""The 71 labels of the standard mode, in the order in which a meter sends them.

Source: Enedis-NOI-CPT_54E version 3, section 6.2 (table of the standard groups). SMAXSN1-1 has 9 characters although
the same norm allows a label 8; that is how meters send it.
"""

from dataclasses import replace

from linky_tic.label import (
    Grammar,
    Label,
    Mode,
    bounded,
    digits,
    free_text,
    hexadecimal,
    serial,
    shape,
)

_CALENDAR = shape(98, rb"(?:[0-9A-F]{8}|NONUTILE)(?: (?:[0-9A-F]{8}|NONUTILE)){10}")
_EMPTY = shape(0, rb"")
_INDEX = digits(9)
_POWER = digits(5)
_THREE = digits(3)
_TWO = digits(2)
_RELAYS = bounded(3, rb"[01][0-9]{2}|2[0-4][0-9]|25[0-5]")
_TARIFF_NUMBER = bounded(2, rb"0[0-9]|10")
_DAY_NUMBER = bounded(2, rb"0[0-9]")

STAMPED, TRI, PRODUCER, PERSONAL = "stamped", "tri", "producer", "personal"


def _row(name: str, grammar: Grammar, unit: str, meaning: str, *kinds: str, phase: int | None = None) -> Label:
    return Label(
        name,
        Mode.STANDARD,
        grammar,
        unit,
        meaning,
        stamped=STAMPED in kinds,
        phase=phase,
        three_phase=TRI in kinds,
        producer=PRODUCER in kinds,
        personal=PERSONAL in kinds,
    )


def _phases(name: str, grammar: Grammar, unit: str, meaning: str, *kinds: str) -> tuple[Label, ...]:
    """Give one row a phase: `#` in the name is the phase; phases 2 and 3 are on three-phase meters only."""
    return tuple(
        _row(
            name.replace("#", str(phase)),
            grammar,
            unit,
            f"{meaning}, phase {phase}",
            *kinds,
            *((TRI,) if phase > 1 else ()),
            phase=phase,
        )
        for phase in (1, 2, 3)
    )


def _mobile_peaks() -> tuple[Label, ...]:
    """DPM1, FPM1 .. DPM3, FPM3: their horodate has a SPACE for season."""
    return tuple(
        _row(f"{letter}PM{number}", _TWO, "", f"{what} of mobile peak {number}", STAMPED)
        for number in (1, 2, 3)
        for letter, what in (("D", "start"), ("F", "end"))
    )


STANDARD: tuple[Label, ...] = (
    _row("ADSC", serial(12), "", "secondary address of the meter, its serial number", PERSONAL),
    _row("VTIC", serial(2), "", "version of the customer output"),
    _row("DATE", _EMPTY, "", "the meter's clock: the value is the horodate", STAMPED),
    _row("NGTF", free_text(16), "", "name of the supplier's calendar"),
    _row("LTARF", free_text(16), "", "supplier's tariff now"),
    _row("EAST", _INDEX, "Wh", "active energy drawn, total"),
    *(_row(f"EASF{n:02}", _INDEX, "Wh", f"active energy drawn, supplier's index {n}") for n in range(1, 11)),
    *(_row(f"EASD{n:02}", _INDEX, "Wh", f"active energy drawn, distributor's index {n}") for n in range(1, 5)),
    _row("EAIT", _INDEX, "Wh", "active energy injected, total", PRODUCER),
    *(_row(f"ERQ{n}", _INDEX, "VArh", f"reactive energy, quadrant {n}", PRODUCER) for n in range(1, 5)),
    *_phases("IRMS#", _THREE, "A", "rms current"),
    *_phases("URMS#", _THREE, "V", "rms voltage"),
    _row("PREF", _TWO, "kVA", "reference (subscribed) apparent power"),
    _row("PCOUP", _TWO, "kVA", "apparent power at which the meter cuts off"),
    _row("SINSTS", _POWER, "VA", "apparent power drawn"),
    *_phases("SINSTS#", _POWER, "VA", "apparent power drawn", TRI),
    _row("SMAXSN", _POWER, "VA", "highest apparent power drawn today", STAMPED),
    *_phases("SMAXSN#", _POWER, "VA", "highest apparent power drawn today", STAMPED, TRI),
    _row("SMAXSN-1", _POWER, "VA", "highest apparent power drawn yesterday", STAMPED),
    *_phases("SMAXSN#-1", _POWER, "VA", "highest apparent power drawn yesterday", STAMPED, TRI),
    _row("SINSTI", _POWER, "VA", "apparent power injected", PRODUCER),
    _row("SMAXIN", _POWER, "VA", "highest apparent power injected today", STAMPED, PRODUCER),
    _row("SMAXIN-1", _POWER, "VA", "highest apparent power injected yesterday", STAMPED, PRODUCER),
    _row("CCASN", _POWER, "W", "last point of the load curve drawn", STAMPED),
    _row("CCASN-1", _POWER, "W", "point before the last of the load curve drawn", STAMPED),
    _row("CCAIN", _POWER, "W", "last point of the load curve injected", STAMPED, PRODUCER),
    _row("CCAIN-1", _POWER, "W", "point before the last of the load curve injected", STAMPED, PRODUCER),
    *_phases("UMOY#", _THREE, "V", "mean voltage over 10 minutes", STAMPED),
    _row("STGE", hexadecimal(8), "", "status register"),
    *_mobile_peaks(),
    _row("MSG1", free_text(32), "", "short message"),
    _row("MSG2", free_text(16), "", "ultra-short message, sent once"),
    _row("PRM", serial(14), "", "number of the delivery point", PERSONAL),
    _row("RELAIS", _RELAYS, "", "eight relays, bit 0 the real contact, 1 closed"),
    _row("NTARF", _TARIFF_NUMBER, "", "number of the supplier's index that runs now"),
    _row("NJOURF", _DAY_NUMBER, "", "number of today in the supplier's calendar"),
    _row("NJOURF+1", _DAY_NUMBER, "", "number of tomorrow in the supplier's calendar"),
    _row("PJOURF+1", _CALENDAR, "", "supplier's calendar of tomorrow"),
    _row("PPOINTE", _CALENDAR, "", "supplier's calendar of the next mobile peak"),
)

WITH_UNDERSCORE: tuple[Label, ...] = tuple(
    replace(label, name=label.name.replace("-1", "_1"))
    for label in STANDARD
    if label.name.endswith("-1") and not label.name.startswith("SMAXIN")
)
"""SMAXSN_1 and others, as meters of one maker write SMAXSN-1 (second-hand: Watteco's TIC tools, on ISKRA meters)."""
