"""Today, yesterday and this month from the indexes: how much of each thing, and what it cost where there is a price.

How much was used in a period, and how far that is known, the agent tells (docs/missing-data.md): what lacks something
is that much at least, and what is a share of what a gap took in all is estimated. Today and the month go on up to what
the index shows now: the history has that some minutes later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from gateway.web.numbers import exact
from gateway.web.values import SUSPECT, Channel, Value

INCOMPLETE = "incomplete"
"""The state of a row of the history that lacks something."""

TIC = "TIC"

KINDS = IMPORT, EXPORT, HEAT, GAS, WATER = "import", "export", "heat", "gas", "water"
_KIND = {
    "active_energy_import": IMPORT,
    "active_energy_export": EXPORT,
    "thermal_energy": HEAT,
    "gas_volume": GAS,
    "water_volume": WATER,
}
_WHOLE = ("1-0:1.8.0", "1-0:2.8.0")
_PLAIN_POINTS = frozenset({"total", "energy", "east", "eait", "base"})
_A_KWH = Decimal(1000)


SPANS = TODAY, YESTERDAY, MONTH = "today", "yesterday", "month"


@dataclass(frozen=True, slots=True)
class Used:
    """What was used in a period, in its counter's unit: "at least" where `incomplete`, `estimated` of it by share."""

    amount: Decimal
    incomplete: bool = False
    estimated: Decimal = Decimal(0)
    eur: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What one kWh or m3 of a channel costs, and what the tariff is called."""

    eur: Decimal
    name: str


@dataclass(frozen=True, slots=True)
class Counter:
    """One index and its use, by spans; `tariffs` are the parts it is made of, `index` what it shows now."""

    channel: str
    device: str
    point: str
    kind: str
    tariff: str
    unit: str
    index: Value | None
    used: Mapping[str, Used | None]
    tariffs: tuple["Counter", ...] = ()

    @property
    def name(self) -> str:
        """What people know it by: its device, with the point where it is one of several."""
        return self.device if self.point in _PLAIN_POINTS else f"{self.device} · {self.point.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Period:
    """What the agent says of an index in a period: what was used, how far that is known, and its last value there."""

    used: Decimal
    estimated: Decimal
    incomplete: bool
    last: Decimal | None


Periods = Mapping[str, Mapping[str, Period]]
"""Channel -> span -> what is known of it."""


def period(row: Sequence[Any], fields: Sequence[str], exponent: int) -> Period | None:
    """Read a row of /v1/history; None where it tells no use."""
    told = dict(zip(fields, row, strict=True))
    if told["used"] is None:
        return None
    last = None if told["last"] is None else exact(told["last"], exponent)
    used, estimated = exact(told["used"], exponent), exact(told["estimated"], exponent)
    return Period(used, estimated, told["state"] == INCOMPLETE, last)


def wanted(channels: Sequence[Channel], protocols: Mapping[str, str]) -> list[Channel]:
    """Give the indexes that are shown: those that were read, of a TIC without the distributor's and those at zero."""
    hot = {each.device for each in channels if each.quantity == "thermal_energy"}
    found = []
    for each in channels:
        kind = _KIND.get(each.quantity)
        if kind is None or each.value is None or each.value.number is None:
            continue
        if (
            protocols.get(each.device) == TIC
            and kind in {IMPORT, EXPORT}
            and (each.obis is None or not each.value.number)
        ):
            continue
        # A heat meter's volume is what its circuit turned over, not water that was used.
        if not (kind == WATER and each.device in hot):
            found.append(each)
    return found


def counters(
    shown: Sequence[Channel], protocols: Mapping[str, str], periods: Periods, prices: Mapping[str, Price]
) -> list[Counter]:
    """Give each counter with its use, the tariffs of a meter under their whole, in the order of KINDS."""
    made = [_counter(each, periods.get(each.name, {}), prices) for each in shown]
    whole: list[Counter] = []
    for device in dict.fromkeys(each.device for each in shown):
        own = [counter for counter in made if counter.device == device]
        if protocols.get(device) != TIC:
            whole += own
            continue
        obis = {each.name: each.obis for each in shown}
        for kind in KINDS:
            parts = tuple(c for c in own if c.kind == kind and obis[c.channel] not in _WHOLE)
            total = next((c for c in own if c.kind == kind and obis[c.channel] in _WHOLE), None)
            if kind not in {IMPORT, EXPORT}:
                whole += parts
            elif total is not None or parts:
                whole.append(_joined(total, parts))
    return sorted(whole, key=lambda counter: KINDS.index(counter.kind))


def _counter(channel: Channel, periods: Mapping[str, Period], prices: Mapping[str, Price]) -> Counter:
    price = prices.get(channel.name)
    unit = "kWh" if _KIND[channel.quantity] in {IMPORT, EXPORT, HEAT} else channel.unit
    now = _good(channel.value)
    return Counter(
        channel=channel.name,
        device=channel.device,
        point=channel.point,
        kind=_KIND[channel.quantity],
        tariff="" if price is None else price.name,
        unit=unit,
        index=_index(channel.value, unit),
        used={
            TODAY: _used(channel, _today(periods), price, now=now),
            YESTERDAY: _used(channel, periods.get(YESTERDAY), price),
            MONTH: _used(channel, periods.get(MONTH), price, now=now),
        },
    )


def _today(periods: Mapping[str, Period]) -> Period | None:
    """Give today's use; before its first minute is known, nothing since the end of yesterday."""
    before = periods.get(YESTERDAY)
    if TODAY in periods or before is None or before.last is None:
        return periods.get(TODAY)
    return replace(before, used=Decimal(0), estimated=Decimal(0))


def _index(value: Value | None, unit: str) -> Value | None:
    if value is None or value.number is None or value.unit == unit:
        return value
    return replace(value, number=value.number.scaleb(-3), unit=unit)


def _good(value: Value | None) -> Decimal | None:
    """Give what an index shows now, None where that is doubted."""
    return None if value is None or value.state == SUSPECT else value.number


def _used(channel: Channel, known: Period | None, price: Price | None, *, now: Decimal | None = None) -> Used | None:
    """Count a period, one that runs up to what the index shows `now`."""
    if known is None:
        return None
    since = now - known.last if now is not None and known.last is not None and now > known.last else Decimal(0)
    scale = _A_KWH if channel.unit == "Wh" else Decimal(1)
    amount, estimated = (known.used + since) / scale, known.estimated / scale
    return Used(amount, known.incomplete, estimated, None if price is None else amount * price.eur)


def _joined(total: Counter | None, tariffs: tuple[Counter, ...]) -> Counter:
    """Give the whole of a meter: its own total, else the sum of its tariffs; priced where each part that counts is."""
    head = tariffs[0] if total is None else total
    used = {}
    for span in SPANS:
        parts = [each.used[span] for each in tariffs]
        own = _sum(parts) if total is None else total.used[span]
        if own is not None and own.eur is None:
            costly = [part for part in parts if part is None or part.amount]
            known = [part.eur for part in costly if part is not None and part.eur is not None]
            if known and len(known) == len(costly):
                own = replace(own, eur=sum(known, Decimal(0)))
        used[span] = own
    index = None if total is None else total.index
    return replace(head, tariff="", index=index, used=used, tariffs=tariffs)


def _sum(parts: Sequence[Used | None]) -> Used | None:
    """Add parts; without one of them the sum is incomplete."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Used(
        sum((part.amount for part in known), Decimal(0)),
        len(known) < len(parts) or any(part.incomplete for part in known),
        sum((part.estimated for part in known), Decimal(0)),
    )
