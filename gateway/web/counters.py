"""Today and yesterday from the indexes: how much of each thing, and what it cost where the site file has a price.

A day's use is the index at its end less the index at the end of the day before: what was used while nothing was read
counts on the day on which it was read again, and nothing is lost or guessed. Where the day before is not known, it is
counted from the first reading of the day, and said to be partial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from gateway.web.numbers import exact
from gateway.web.values import SUSPECT, Channel, Value

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


@dataclass(frozen=True, slots=True)
class Used:
    """What was used in a day, in `unit` of its counter; `partial` where its beginning is not known."""

    amount: Decimal
    partial: bool
    eur: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What one kWh or m3 of a channel costs, and what the tariff is called."""

    eur: Decimal
    name: str


@dataclass(frozen=True, slots=True)
class Counter:
    """One index and its days; `tariffs` are the parts it is made of, `index` what it shows now."""

    channel: str
    device: str
    point: str
    kind: str
    tariff: str
    unit: str
    index: Value | None
    today: Used | None
    yesterday: Used | None
    tariffs: tuple["Counter", ...] = ()

    @property
    def partial(self) -> bool:
        """Whether one of its days is not known from its beginning."""
        return any(used is not None and used.partial for used in (self.today, self.yesterday))

    @property
    def name(self) -> str:
        """What people know it by: its device, with the point where it is one of several."""
        return self.device if self.point in _PLAIN_POINTS else f"{self.device} · {self.point.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Days:
    """The days of some channels: channel -> its rows as /v1/history gives them, with the exponent of its numbers."""

    today: date
    rows: Mapping[str, Sequence[Sequence[Any]]]
    exponent: Mapping[str, int]

    def of(self, channel: Channel) -> Sequence[Sequence[Any]]:
        """Give the days of a channel, none where none are known."""
        return self.rows.get(channel.name, ())


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
    shown: Sequence[Channel], protocols: Mapping[str, str], days: Days, prices: Mapping[str, Price]
) -> list[Counter]:
    """Give each counter with its days, the tariffs of a meter under their whole, in the order of KINDS."""
    made = [_counter(each, days, prices) for each in shown]
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


def _counter(channel: Channel, days: Days, prices: Mapping[str, Price]) -> Counter:
    price = prices.get(channel.name)
    unit = "kWh" if _KIND[channel.quantity] in {IMPORT, EXPORT, HEAT} else channel.unit
    return Counter(
        channel=channel.name,
        device=channel.device,
        point=channel.point,
        kind=_KIND[channel.quantity],
        tariff="" if price is None else price.name,
        unit=unit,
        index=_index(channel.value, unit),
        today=_used(channel, days, days.today, price, now=_good(channel.value)),
        yesterday=_used(channel, days, days.today - timedelta(days=1), price),
    )


def _index(value: Value | None, unit: str) -> Value | None:
    if value is None or value.number is None or value.unit == unit:
        return value
    return replace(value, number=value.number.scaleb(-3), unit=unit)


def _good(value: Value | None) -> Decimal | None:
    """Give what an index shows now, None where that is doubted."""
    return None if value is None or value.state == SUSPECT else value.number


def _used(channel: Channel, days: Days, day: date, price: Price | None, *, now: Decimal | None = None) -> Used | None:
    """Count a day that is over, or today up to what the index shows `now`: the history has that a minute later."""
    rows = {
        row[0]: [exact(value, days.exponent[channel.name]) for value in row[1:3]]
        for row in days.of(channel)
        if row[1] is not None
    }
    own, before = rows.get(day.isoformat()), rows.get((day - timedelta(days=1)).isoformat())
    begin = before[1] if before else own[0] if own else None
    end = own[1] if now is None and own else now
    if end is None or begin is None or end < begin:  # nothing to count from; or a meter that was changed
        return None
    amount = end - begin
    if channel.unit == "Wh":
        amount /= _A_KWH
    return Used(amount, before is None, None if price is None else amount * price.eur)


def _joined(total: Counter | None, tariffs: tuple[Counter, ...]) -> Counter:
    """Give the whole of a meter: its own total, else the sum of its tariffs; priced where each part that counts is."""
    head = tariffs[0] if total is None else total
    days = {}
    for day in ("today", "yesterday"):
        parts = [used for each in tariffs if (used := getattr(each, day)) is not None]
        own: Used | None = None if total is None else getattr(total, day)
        if own is None and total is None and parts:
            own = Used(sum((used.amount for used in parts), Decimal(0)), any(used.partial for used in parts))
        if own is not None and own.eur is None:
            costly = [used for used in parts if used.amount]
            if costly and len(parts) == len(tariffs) and all(used.eur is not None for used in costly):
                own = replace(own, eur=sum((used.eur for used in costly if used.eur is not None), Decimal(0)))
        days[day] = own
    index = None if total is None else total.index
    return replace(head, tariff="", index=index, today=days["today"], yesterday=days["yesterday"], tariffs=tariffs)
