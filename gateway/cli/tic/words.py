"""What a group says, for people: its value with its unit, and registers, calendars, stamps and tariffs in words."""

import re
from collections.abc import Callable, Iterator, Mapping

from linky_tic.errors import TicError
from linky_tic.fields import parse_dynamic, parse_energies, parse_fcou, parse_four, parse_jaune, parse_period_start
from linky_tic.group import Group
from linky_tic.horodate import Horodate, parse_horodate, parse_short_date
from linky_tic.label import SHORT_DATE
from linky_tic.labels import BY_MODE
from linky_tic.status import Colour, Contact, Euridis, PowerLine, Slot, parse_calendar, parse_relays, parse_status
from linky_tic.tariff import TariffPeriod, parse_demain, parse_ltarf, parse_ptec


def value(group: Group) -> str:
    """Give a value as people read it: a number without its leading zeros, its unit behind; a text as it was sent."""
    if group.value is None:
        return ""
    number, unit = group.number, group.unit
    if number is None or group.mode is None:
        return group.value.strip()
    grammar = BY_MODE[group.mode][group.label].grammar
    if grammar.base == 16:
        return group.value
    sign, digits = "-" if number < 0 else "", str(abs(number)).rjust(grammar.decimals + 1, "0")
    at = len(digits) - grammar.decimals
    return f"{sign}{digits[:at]}{'.' if grammar.decimals else ''}{digits[at:]} {unit}".rstrip()


def meaning(group: Group) -> str:
    """Give what the norm calls it; of a group that is refused, why."""
    if group.valid and group.mode is not None:
        return BY_MODE[group.mode][group.label].meaning
    return "unknown label" if group.value is not None else f"refused: {(group.reason or '').replace('_', ' ')}"


def told(group: Group) -> tuple[str, ...]:
    """Give, in words, what stands in a horodate, a register, a calendar or a tariff; nothing where there is no more."""
    if not group.valid or group.value is None:
        return ()
    try:
        stamp = () if group.horodate is None else (moment(parse_horodate(group.horodate)),)
        read = _READ.get(group.label)
        return (*stamp, *(read(group.value) if read is not None else _as_date(group)))
    except TicError as error:
        return (str(error),)


def moment(when: Horodate | None) -> str:
    """Give a stamp as a date and a time with its offset, and what is to be thought of it."""
    if when is None:
        return "no time"
    if when.season == " ":
        zone = " in France, one of two hours" if when.ambiguous else " in France"
    else:
        zone = " winter time" if when.season == "H" else " summer time"
    return f"{when.local:%Y-%m-%d %H:%M:%S}{zone}{', the meter doubts its clock' if when.degraded else ''}"


def _as_date(group: Group) -> tuple[str, ...]:
    text = group.value or ""
    return (moment(parse_short_date(text)),) if _DATE.fullmatch(text.encode()) else ()


_DATE = re.compile(SHORT_DATE)


_COLOURS = {Colour.NONE: "not told", Colour.BLUE: "blue", Colour.WHITE: "white", Colour.RED: "RED"}

_EURIDIS = {Euridis.OFF: "off", Euridis.ON_UNSECURED: "on and not secured", Euridis.ON_SECURED: "on and secured"}
_POWER_LINE = {
    PowerLine.NEW_UNLOCKED: "new, not locked",
    PowerLine.NEW_LOCKED: "new, locked",
    PowerLine.REGISTERED: "registered",
}


def _status(text: str) -> Iterator[str]:
    status = parse_status(text)
    breaker = "?" if status.breaker is None else status.breaker.name.lower().replace("_", " ")
    yield f"breaker {breaker}, dry contact {_open(is_open=status.contact_open)}"
    yield "SUBSCRIBED POWER EXCEEDED" if status.overrun else "within the subscribed power"
    if status.cover_open:
        yield "the distributor's cover is OPEN"
    if status.overvoltage:
        yield "OVERVOLTAGE on a phase"
    flow = "producer" if status.producer else "consumer"
    yield f"{flow}{', active energy is negative' if status.active_energy_negative else ''}"
    yield f"supplier's index {status.supplier_index}, distributor's index {status.distributor_index}"
    clock = "DEGRADED" if status.clock_degraded else "ok"
    yield f"clock {clock}, {'standard' if status.standard_mode else 'historique'} mode"
    euridis = "?" if status.euridis is None else _EURIDIS[status.euridis]
    line = "?" if status.power_line is None else _POWER_LINE[status.power_line]
    sync = "synchronised" if status.power_line_synchronised else "not synchronised"
    yield f"Euridis {euridis}, power line {line}, {sync}"
    if status.colour_today or status.colour_tomorrow:
        yield f"Tempo: today {_COLOURS[status.colour_today]}, tomorrow {_COLOURS[status.colour_tomorrow]}"
    if status.peak_notice:
        yield f"mobile peak {status.peak_notice} is announced"
    if status.peak_running:
        yield f"mobile peak {status.peak_running} RUNS"


def _open(*, is_open: bool) -> str:
    return "open" if is_open else "closed"


def _relays(text: str) -> Iterator[str]:
    closed = [str(number) for number, is_closed in enumerate(parse_relays(text), 1) if is_closed]
    yield f"closed: {' '.join(closed)}" if closed else "all open"


def _calendar(text: str) -> Iterator[str]:
    slots = parse_calendar(text)
    yield from map(_slot, slots)
    if not slots:
        yield "empty"


_CONTACTS = {Contact.AS_TEMPO: "contact as Tempo", Contact.OPEN: "contact opens", Contact.CLOSED: "contact closes"}


def _slot(slot: Slot) -> str:
    closed = [str(number) for number, is_closed in enumerate(slot.virtual, 1) if is_closed]
    pieces = (
        "the same index" if slot.supplier_index is None else f"index {slot.supplier_index}",
        _CONTACTS.get(slot.contact, ""),
        f"virtual contacts closed: {' '.join(closed)}" if closed else "",
    )
    return f"from {slot.start[:2]}:{slot.start[2:]} {', '.join(piece for piece in pieces if piece)}"


def _period(period: TariffPeriod) -> Iterator[str]:
    hours = {None: "", True: "off-peak hours", False: "peak hours"}[period.off_peak]
    peak = {None: "", True: "MOBILE PEAK", False: "normal hours"}[period.mobile_peak]
    colour = f"{_COLOURS[period.colour]} day" if period.colour else ""
    words = ", ".join(word for word in (hours, peak, colour) if word)
    if words:
        yield words


def _absent(text: str) -> Iterator[str]:
    absent = [str(phase) for phase in (1, 2, 3) if int(text, 16) >> phase & 1]
    yield f"absent: phase {' '.join(absent)}" if absent else "all phases are there"


def _numbers(numbers: tuple[int, ...]) -> Iterator[str]:
    yield ", ".join(map(str, numbers))


def _jaune(text: str) -> Iterator[str]:
    read = parse_jaune(text)
    yield f"{read.day:02}/{read.month:02} {read.hour:02}:{read.minute:02}, tariff period {read.period or '-'}"
    yield f"dp {read.dp or '-'}, abcde {read.abcde}, kp {read.kp}"


def _start(text: str) -> Iterator[str]:
    read = parse_period_start(text)
    yield f"{read.day:02}/{read.month:02} {read.hour:02} h, cg {read.cg}"


def _fcou(text: str) -> Iterator[str]:
    read = parse_fcou(text)
    yield f"{read.hour:02}:{read.minute:02}, dd {read.dd}"


def _dynamic(text: str) -> Iterator[str]:
    when, period = parse_dynamic(text)
    yield f"{moment(when)}, tariff period {period}"


def _option(text: str) -> Iterator[str]:
    yield {"BASE": "one price", "HC..": "peak and off-peak hours", "EJP.": "EJP"}.get(text, "Tempo")


_READ: Mapping[str, Callable[[str], Iterator[str]]] = {
    "STGE": _status,
    "RELAIS": _relays,
    "PJOURF+1": _calendar,
    "PPOINTE": _calendar,
    "OPTARIF": _option,
    "PTEC": lambda text: _period(parse_ptec(text)),
    "LTARF": lambda text: _period(parse_ltarf(text)),
    "DEMAIN": lambda text: iter((_COLOURS[parse_demain(text)],)),
    "PPOT": _absent,
    "JAUNE": _jaune,
    "PERCC": _start,
    "PERCP": _start,
    "FCOU": _fcou,
    "ENERG": lambda text: _numbers(parse_energies(text)),
    **dict.fromkeys(("PMAXC", "PMAXP", "TDEPA", "PSOUSC", "PSOUSP"), lambda text: _numbers(parse_four(text))),
    **{f"TDYN{number}{edge}": _dynamic for number in (1, 2) for edge in ("CD", "CF", "FD", "FF")},
}
