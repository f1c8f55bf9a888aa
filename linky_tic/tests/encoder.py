"""The other end of the line: what a meter in a given state sends, in any mode, for the tests and for the bench.

It shares nothing with the decoder but the names of the modes, so that a mistake in one is not hidden by the same in
the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from linky_tic.label import Mode

STX, ETX, EOT = b"\x02", b"\x03", b"\x04"


class Item(NamedTuple):
    """A label, its value as sent, and its horodate where it has one."""

    label: str
    value: str
    horodate: str | None = None


def encode_group(mode: Mode, item: Item) -> bytes:
    """Give one group, from its LF to its CR."""
    separator = "\t" if mode is Mode.STANDARD else " "
    pieces = [item.label, *([item.horodate] if item.horodate is not None else []), item.value]
    text = separator.join(pieces)
    counted = text + separator if mode is Mode.STANDARD else text
    check = chr((sum(map(ord, counted)) & 63) + 32)
    return f"\n{text}{separator}{check}\r".encode("ascii")


def encode_frame(mode: Mode, items: Iterable[Item]) -> bytes:
    """Give one frame, from its STX to its ETX."""
    return STX + b"".join(encode_group(mode, item) for item in items) + ETX


Tariff = Literal["BASE", "HC", "EJP", "TEMPO"]


@dataclass(frozen=True, slots=True)
class MeterState:
    """What a meter knows at one moment. Sequences have one entry a phase, `indexes_wh` ten: the supplier's.

    `stamp` is the meter's clock as a horodate; `mean_v` is what UMOY says, the present voltage where it is empty;
    `running` is the supplier's index that counts now, from 1; `colour_today` and `colour_tomorrow` are 0 none, 1 blue,
    2 white, 3 red. `overrun` tells that a phase is above its part of `subscribed_kva`.
    """

    stamp: str = "H250101120000"
    east_wh: int = 0
    indexes_wh: Sequence[int] = (0,) * 10
    distributor_wh: Sequence[int] = (0,) * 4
    injected_wh: int = 0
    reactive_varh: Sequence[int] = (0,) * 4
    power_va: Sequence[int] = (0,)
    injected_va: int = 0
    voltage_v: Sequence[int] = (230,)
    highest_va: Sequence[int] = (0,)
    mean_w: int = 0
    mean_v: Sequence[int] = ()
    subscribed_kva: int = 9
    tariff: Tariff = "BASE"
    running: int = 1
    colour_today: int = 0
    colour_tomorrow: int = 0
    overrun: bool = False
    producer: bool = False
    relays: int = 0
    adsc: str = "041876000001"
    prm: str = "01234567000001"
    message: str = "PAS DE          MESSAGE         "
    mobile_peaks: Sequence[Item] = field(default=())

    @property
    def phases(self) -> int:
        """1 or 3."""
        return len(self.power_va)

    @property
    def currents_a(self) -> list[int]:
        """Rms current of each phase, rounded to the nearest ampere."""
        return [_round(power, volts) for power, volts in zip(self.power_va, self.voltage_v, strict=True)]


_CALENDARS = {"BASE": "BASE", "HC": "H PLEINE/CREUSE", "EJP": "EJP", "TEMPO": "TEMPO"}
_PERIODS: dict[Tariff, Sequence[tuple[str, str, str]]] = {
    # PTEC, label of the historique index, LTARF; one for each of the supplier's indexes
    "BASE": (("TH..", "BASE", "BASE"),),
    "HC": (("HC..", "HCHC", "HEURE  CREUSE"), ("HP..", "HCHP", "HEURE  PLEINE")),
    "EJP": (("HN..", "EJPHN", "HEURE NORMALE"), ("PM..", "EJPHPM", "POINTE MOBILE")),
    "TEMPO": (
        ("HCJB", "BBRHCJB", "HC BLEU"),
        ("HPJB", "BBRHPJB", "HP BLEU"),
        ("HCJW", "BBRHCJW", "HC BLANC"),
        ("HPJW", "BBRHPJW", "HP BLANC"),
        ("HCJR", "BBRHCJR", "HC ROUGE"),
        ("HPJR", "BBRHPJR", "HP ROUGE"),
    ),
}
_OPTIONS = {"BASE": "BASE", "HC": "HC..", "EJP": "EJP.", "TEMPO": "BBR("}
_TOMORROW = ("----", "BLEU", "BLAN", "ROUG")


def standard_items(state: MeterState) -> list[Item]:
    """Give the groups of a standard frame in the norm's order."""
    stamp, tri, many = state.stamp, state.phases == 3, range(state.phases)
    total = sum(state.power_va)

    def phases(label: str, values: Sequence[int], width: int, horodate: str | None = None) -> list[Item]:
        return [Item(label.replace("#", str(n + 1)), f"{values[n]:0{width}}", horodate) for n in many]

    items = [Item("ADSC", state.adsc), Item("VTIC", "02"), Item("DATE", "", stamp)]
    items += [Item("NGTF", f"{_CALENDARS[state.tariff]:^16}")]
    items += [Item("LTARF", f"{_PERIODS[state.tariff][state.running - 1][2]:^16}")]
    items += [Item("EAST", f"{state.east_wh:09}")]
    items += [Item(f"EASF{n:02}", f"{wh:09}") for n, wh in enumerate(state.indexes_wh, 1)]
    items += [Item(f"EASD{n:02}", f"{wh:09}") for n, wh in enumerate(state.distributor_wh, 1)]
    if state.producer:
        items += [Item("EAIT", f"{state.injected_wh:09}")]
        items += [Item(f"ERQ{n}", f"{varh:09}") for n, varh in enumerate(state.reactive_varh, 1)]
    items += phases("IRMS#", state.currents_a, 3) + phases("URMS#", state.voltage_v, 3)
    items += [Item("PREF", f"{state.subscribed_kva:02}"), Item("PCOUP", f"{state.subscribed_kva:02}")]
    items += [Item("SINSTS", f"{total:05}")] + (phases("SINSTS#", state.power_va, 5) if tri else [])
    for label in ("SMAXSN", "SMAXSN-1"):
        items += [Item(label, f"{sum(state.highest_va):05}", stamp)]
        if tri:
            items += phases(label.replace("SMAXSN", "SMAXSN#"), state.highest_va, 5, stamp)
    if state.producer:
        items += [Item("SINSTI", f"{state.injected_va:05}")]
        items += [Item(label, f"{state.injected_va:05}", stamp) for label in ("SMAXIN", "SMAXIN-1")]
    items += [Item(label, f"{state.mean_w:05}", stamp) for label in ("CCASN", "CCASN-1")]
    if state.producer:
        items += [Item(label, f"{state.injected_va:05}", stamp) for label in ("CCAIN", "CCAIN-1")]
    items += phases("UMOY#", state.mean_v or state.voltage_v, 3, stamp)
    items += [Item("STGE", f"{_stge(state):08X}"), *state.mobile_peaks, Item("MSG1", state.message)]
    items += [Item("PRM", state.prm), Item("RELAIS", f"{state.relays:03}"), Item("NTARF", f"{state.running:02}")]
    items += [Item("NJOURF", "00"), Item("NJOURF+1", "00")]
    items += [Item("PJOURF+1", " ".join(["00008001", *["NONUTILE"] * 10]))]
    return items


def historique_items(state: MeterState) -> list[Item]:
    """Give the groups of a historique frame (the long one of a three-phase meter) in the norm's order."""
    tri = state.phases == 3
    subscribed = state.subscribed_kva * 5 // state.phases
    currents, total = state.currents_a, sum(state.power_va)
    period = _PERIODS[state.tariff][state.running - 1][0]
    items = [Item("ADCO", state.adsc), Item("OPTARIF", _OPTIONS[state.tariff]), Item("ISOUSC", f"{subscribed:02}")]
    indexes = [state.east_wh] if state.tariff == "BASE" else state.indexes_wh
    items += [Item(label, f"{wh:09}") for (_, label, _), wh in zip(_PERIODS[state.tariff], indexes, strict=False)]
    if state.tariff == "EJP" and state.colour_tomorrow:
        items += [Item("PEJP", "30")]
    items += [Item("PTEC", period)]
    if state.tariff == "TEMPO":
        items += [Item("DEMAIN", _TOMORROW[state.colour_tomorrow])]
    if tri:
        items += [Item(f"IINST{n}", f"{amps:03}") for n, amps in enumerate(currents, 1)]
        items += [Item(f"IMAX{n}", "060") for n in (1, 2, 3)]
        items += [Item("PMAX", f"{sum(state.highest_va):05}")]
    else:
        items += [Item("IINST", f"{currents[0]:03}")]
        items += [Item("ADPS", f"{currents[0]:03}")] if state.overrun else []
        items += [Item("IMAX", "090")]
    items += [Item("PAPP", f"{min(_round(total, 10) * 10, 99_990):05}")]
    items += [Item("HHPHC", "A"), Item("MOTDETAT", "000000")]
    return items + ([Item("PPOT", "00")] if tri else [])


def short_items(state: MeterState) -> list[Item]:
    """Give the groups of the short frame that a three-phase historique meter sends while a phase is in excess."""
    subscribed = state.subscribed_kva * 5 // state.phases
    excess = [Item(f"ADIR{n}", f"{amps:03}") for n, amps in enumerate(state.currents_a, 1) if amps > subscribed]
    return [
        *excess,
        Item("ADCO", state.adsc),
        *(Item(f"IINST{n}", f"{amps:03}") for n, amps in enumerate(state.currents_a, 1)),
    ]


def jaune_items(state: MeterState) -> list[Item]:
    """Give the groups of a frame of a yellow meter, which counts in kWh and kVA."""
    year_month_day, hour, minute = state.stamp[1:7], state.stamp[7:9], state.stamp[9:11]
    month, day = year_month_day[2:4], year_month_day[4:]
    kva = sum(state.power_va) // 1_000
    four = ":".join(f"{n:05}" for n in (kva, kva + 7, 0, 99_999))
    six = ":".join(f"{wh // 1_000 % 1_000_000:06}" for wh in state.indexes_wh[:6])
    return [
        Item(
            "JAUNE",
            f"{hour}:{minute}:{day}:{month}:{_CODES[state.running - 1]}:{'D' if state.overrun else ' '}:{kva:05}:01",
        ),
        Item("ENERG", six),
        Item("PERCC", f"01:{month}:00:02"),
        *(Item(label, four) for label in ("PMAXC", "TDEPA")),
        Item("PERCP", "01:11:02:01"),
        *(Item(label, four) for label in ("PMAXP", "PSOUSC", "PSOUSP")),
        Item("FCOU", "23:30:07"),
    ]


def emeraude_items(state: MeterState) -> list[Item]:
    """Give the groups of a frame of an ICE meter: the general ones, then the periods p and p1."""
    date, kw = _short_date(state.stamp), sum(state.power_va) // 1_000
    items = [Item("CONTRAT", "BASE_A8"), Item("DATECOUR", date), Item("EA", f"{state.east_wh % 100_000:05}Wh")]
    items += [Item("ERP", f"{state.reactive_varh[0]:05}varh"), Item("PTCOUR", _CODES[state.running - 1])]
    items += [Item("PREAVIS", "DEP")] if state.overrun else []
    for n in range(1, 7):
        items += [Item(f"DATEPA{n}", date), Item(f"PA{n}", f"{kw:05} kW" if n == 1 else f"{kw:05}kW")]
    for period in ("p", "p1"):
        items += [
            Item(f"DEBUT{period}", date),
            Item(f"FIN{period}", "00/00/00 00:00:00"),
            Item(f"CAF{period}", "00002"),
        ]
        for letters, unit in (("EA", "kWh"), ("ERP", "kvarh"), ("ERN", "kvarh")):
            for code, wh in zip(_CODES, state.indexes_wh, strict=False):
                items += [Item(f"{letters}{period}{code}", f"{wh // 1_000:07}{unit}")]
    items += [Item("KDC", "100%"), Item("KDCD", "85%")]
    items += [Item(f"PS{code}", f"{state.subscribed_kva}kW") for code in _CODES]
    items += [Item("PA1MN", f"{kw}kW"), Item("PREA1MN", f"-{kw}kvar"), Item("TGPHI", "-00000,12")]
    return [*items, Item("U10MN", "20012V")]


def pme_pmi_items(state: MeterState) -> list[Item]:
    """Give the groups of a frame of a PME-PMI meter of 2013: numbers without leading zeros, each with its unit."""
    date, kw, period = _short_date(state.stamp), sum(state.power_va) // 1_000, _CODES[state.running - 1]
    kwh = state.indexes_wh[state.running - 1] // 1_000
    items = [Item("ADS", state.adsc), Item("MESURES1", "BT 4 SUP36"), Item("DATE", date)]
    for flow, wh in (("s", state.east_wh), ("i", state.injected_wh)):
        items += [Item(f"EA_{flow}", f"{wh}Wh"), Item(f"ER+_{flow}", "12varh"), Item(f"ER-_{flow}", "0varh")]
        items += [Item(f"EAPP_{flow}", f"{wh + 3}VAh")]
    items += [Item("PTCOUR1", period), Item("TARIFDYN", "INACTIF"), Item("ETATDYN1", "000"), Item("PREAVIS1", "TD-HPH")]
    items += [Item("TDYN1FD", f"{date}-XXX"), Item("TDYN1FF", f"{date}-{period}")]
    for n in range(1, 7):
        items += [Item(f"DATEPA{n}", date), Item(f"PA{n}_s", f"{kw}kW"), Item(f"PA{n}_i", "0kW")]
    items += [Item("DebP", date), Item("EAP_s", f"{kwh}kWh"), Item("EAP_i", "0kWh"), Item("ER+P_s", "7kvarh")]
    items += [Item("ER-P_i", "0kvarh"), Item("DebP-1", date), Item("FinP-1", date), Item("EaP-1_s", f"{kwh}kWh")]
    items += [Item("ER+P-1_s", "33kvarh"), Item("PS", f"{state.subscribed_kva}kVA")]
    items += [Item("PREAVIS", "DEP")] if state.overrun else []
    items += [Item("PA1MN", f"{kw}kW"), Item("PMAX_s", f"{kw}kVA"), Item("PMAX_i", "0kVA"), Item("TGPHI_s", "-2.83")]
    items += [Item("MESURES2", "BT 4 SUP36"), Item("PTCOUR2", period), Item("DebP_2", date)]
    return [*items, Item("EaP_s2", f"{kwh}kWh"), Item("EaP-1_s2", f"{kwh}kWh")]


def items_of(mode: Mode, state: MeterState) -> list[Item]:
    """Give the groups of a frame of that mode."""
    match mode:
        case Mode.STANDARD:
            return standard_items(state)
        case Mode.HISTORIQUE:
            return historique_items(state)
        case Mode.JAUNE:
            return jaune_items(state)
        case Mode.EMERAUDE:
            return emeraude_items(state)
        case Mode.PME_PMI:
            return pme_pmi_items(state)


_CODES = ("HPH", "HCH", "HPE", "HCE", "P", "JA")
"""Tariff periods of the older meters, one for each of the supplier's indexes."""


def _short_date(stamp: str) -> str:
    """Give the older meters' date, without a season."""
    year, month, day, hour, minute, second = (stamp[at : at + 2] for at in range(1, 13, 2))
    return f"{day}/{month}/{year} {hour}:{minute}:{second}"


def _stge(state: MeterState) -> int:
    return (
        state.overrun << 7
        | state.producer << 8
        | (state.running - 1) << 10
        | 1 << 17
        | 0b11 << 19
        | 0b01 << 21
        | state.colour_today << 24
        | state.colour_tomorrow << 26
        | (1 - (state.relays & 1))
    )


def _round(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)
