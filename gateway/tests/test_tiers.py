"""The coarse tiers: one-minute means and quarter-hourly indexes, held against the readings that they are made of."""

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.channel import Channel, Quantity
from drivers.reading import Quality, Reading
from gateway.clock import Correlation
from gateway.latest import Latest
from gateway.outgoing import COARSE, FINE, INDEX, MINUTE, Outgoing, Scope
from gateway.outgoing.minute import half_even
from gateway.tests.metering import HandClock
from gateway.wire import packing
from gateway.wire.schema import Schema

POWER = Channel("m.power", "m", "m", Quantity.ACTIVE_POWER_IMPORT, "W")
ENERGY = Channel("m.energy", "m", "m", Quantity.ACTIVE_ENERGY_IMPORT, "Wh")
STATE = Channel("m.state", "m", "m", Quantity.STATUS, is_text=True)
PEAK = Channel("m.peak", "m", "m", Quantity.ACTIVE_POWER_IMPORT, "W")
GAS = Channel("g.total", "g", "g", Quantity.GAS_VOLUME, "m3", -3)
CHANNELS = (POWER, ENERGY, STATE, PEAK, GAS)
SCHEMA = Schema.of(CHANNELS)
BEGIN_MS = 1_200_000
"""A minute, and a quarter of an hour more 5 minutes, of boot time begin here."""

Said = tuple[str, int, int | str, int]


class Building:
    """An Outgoing with a clock moved by hand; `said` decodes what was taken of a tier, every record so far."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.clock.now_ms = BEGIN_MS
        self.latest = Latest()
        self.outgoing = Outgoing(
            CHANNELS, self.clock, latest=self.latest.get, stale_after_ms={"g.total": 30_000}, held={"m.peak"}
        )
        self.outgoing.open(Scope(CHANNELS))
        self.payloads: dict[str, list[bytes]] = defaultdict(list)

    def read(self, at_ms: int, *values: tuple[Channel, int | str, Quality]) -> None:
        self.clock.now_ms = max(self.clock.now_ms, at_ms)
        readings = [Reading(channel, value, at_ms, quality) for channel, value, quality in values]
        self.latest.update(readings)
        self.outgoing.accept(readings)

    def power(self, at_ms: int, value: int, quality: Quality = Quality.OK) -> None:
        self.read(at_ms, (POWER, value, quality))

    def take(self, now_ms: int | None = None) -> None:
        if now_ms is not None:
            self.clock.now_ms = now_ms
        for taken in self.outgoing.take():
            self.payloads[taken.stream].append(taken.record.payload)

    def said(self, tier: str) -> list[Said]:
        payloads = self.payloads[tier]
        return [] if not payloads else list(packing.unpack(packing.pack(payloads), SCHEMA).readings())


@pytest.mark.parametrize(
    ("values", "mean"),
    [([1, 2], 2), ([2, 3], 2), ([-1, -2], -2), ([-2, -3], -2), ([1, 1, 2], 1), ([1, 2, 2], 2), ([7], 7), ([-7], -7)],
)
def test_a_half_is_rounded_to_the_even_number(values: list[int], mean: int) -> None:
    """Neither up nor down as a rule, so that a year of means is not off to one side."""
    assert half_even(sum(values), len(values)) == mean == round(Fraction(sum(values), len(values)))


def test_a_minute_is_the_mean_of_what_was_read_in_it() -> None:
    """The tick stands at the minute's end; what was read at that very moment belongs to the next minute."""
    building = Building()
    for at_ms, value in ((0, 10), (30_000, 20), (59_999, 33), (60_000, 99), (90_000, 101)):
        building.power(BEGIN_MS + at_ms, value)
    building.take(BEGIN_MS + 125_000)
    assert building.said(MINUTE) == [
        ("m.power", BEGIN_MS + 60_000, 21, 0),
        ("m.power", BEGIN_MS + 120_000, 100, 0),
    ]


def test_counters_states_and_registers_have_the_last_value() -> None:
    """A mean of indexes, of texts or of a day's maximum says nothing."""
    building = Building()
    for at_ms, value in ((0, 5), (20_000, 9)):
        counted, peak = (ENERGY, value, Quality.OK), (PEAK, 100 * value, Quality.OK)
        building.read(BEGIN_MS + at_ms, counted, (STATE, str(value), Quality.OK), peak)
    building.take(BEGIN_MS + 65_000)
    end = BEGIN_MS + 60_000
    assert sorted(building.said(MINUTE)) == [
        ("m.energy", end, 9, 0),
        ("m.peak", end, 900, 0),
        ("m.state", end, "9", 0),
    ]


def test_a_suspect_value_counts_only_where_there_is_no_better() -> None:
    """Good values alone make the mean; suspect ones alone make a suspect one; an estimate makes an estimate."""
    building = Building()
    building.power(BEGIN_MS, 100)
    building.power(BEGIN_MS + 1_000, 9_000, Quality.SUSPECT)
    building.power(BEGIN_MS + 60_000, 50, Quality.SUSPECT)
    building.power(BEGIN_MS + 61_000, 60, Quality.SUSPECT)
    building.power(BEGIN_MS + 120_000, 10, Quality.ESTIMATED)
    building.power(BEGIN_MS + 121_000, 20)
    building.power(BEGIN_MS + 122_000, 9_000, Quality.SUSPECT)
    building.take(BEGIN_MS + 185_000)
    assert [(value, quality) for _, _, value, quality in building.said(MINUTE)] == [
        (100, Quality.OK),
        (55, Quality.SUSPECT),
        (15, Quality.ESTIMATED),
    ]


def test_a_minute_in_which_nothing_was_read_is_not_there() -> None:
    """A gap is a gap in this tier too: neither zero nor the value before."""
    building = Building()
    building.power(BEGIN_MS, 1)
    building.power(BEGIN_MS + 180_000, 3)
    building.read(BEGIN_MS + 181_000, (ENERGY, 7, Quality.OK))
    building.take(BEGIN_MS + 245_000)
    assert building.said(MINUTE) == [
        ("m.power", BEGIN_MS + 60_000, 1, 0),
        ("m.power", BEGIN_MS + 240_000, 3, 0),
        ("m.energy", BEGIN_MS + 240_000, 7, 0),
    ]


def test_a_frame_that_comes_late_is_in_its_minute() -> None:
    """A frame bears the time of its last character: a minute waits some seconds for it, whatever others say."""
    building = Building()
    building.power(BEGIN_MS + 1_000, 10)
    building.read(BEGIN_MS + 60_500, (GAS, 1, Quality.OK))
    building.take(BEGIN_MS + 61_000)
    building.power(BEGIN_MS + 59_000, 20)
    building.take(BEGIN_MS + 66_000)
    assert ("m.power", BEGIN_MS + 60_000, 15, 0) in building.said(MINUTE)


def test_a_minute_that_the_end_cuts_short_is_told_up_to_there() -> None:
    """A clean stop loses nothing of this tier either; the tick says where the minute was cut."""
    building = Building()
    building.power(BEGIN_MS + 10_000, 4)
    building.power(BEGIN_MS + 20_000, 8)
    building.outgoing.end()
    building.take()
    assert building.said(MINUTE) == [("m.power", BEGIN_MS + 20_001, 6, 0)]


def test_minutes_and_quarters_are_those_of_the_clock_once_it_is_known() -> None:
    """Before, they are those of boot time; a clock that jitters makes no minute longer."""
    building = Building()
    building.power(BEGIN_MS, 1)
    building.clock.known = Correlation(building.clock.boot_id, BEGIN_MS, 1_800_000_000_000 + 20_000, 20, "kernel")
    building.take(BEGIN_MS + 1)
    assert building.outgoing.index_due_ms == BEGIN_MS - 20_000 + 900_000
    building.power(BEGIN_MS + 70_000, 2)
    building.clock.known = Correlation(building.clock.boot_id, BEGIN_MS, 1_800_000_000_000 + 20_002, 20, "kernel")
    building.take(BEGIN_MS + 105_000)
    assert [at_ms for _, at_ms, _, _ in building.said(MINUTE)] == [BEGIN_MS + 60_000, BEGIN_MS + 100_000]


def test_a_snapshot_has_every_counter_that_was_read_lately() -> None:
    """Once each quarter of an hour; what is stale is not in it, nor what is no counter."""
    building = Building()
    due = building.outgoing.index_due_ms
    assert due == 1_800_000
    building.read(due - 31_000, (GAS, 77, Quality.OK))
    building.read(due - 1_000, (ENERGY, 5, Quality.OK), (POWER, 1, Quality.OK))
    building.take(due - 1)
    assert building.said(INDEX) == []
    building.take(due)
    building.take(due + 10_000)
    assert building.said(INDEX) == [("m.energy", due, 5, 0)]
    building.read(due + 880_000, (GAS, 78, Quality.SUSPECT))
    building.take(due + 900_000)
    assert building.said(INDEX)[-1] == ("g.total", due + 900_000, 78, int(Quality.SUSPECT))


def test_each_tier_is_a_record_of_its_own_and_stands_alone_after_its_own_seal() -> None:
    """What seals the fine tier every half minute leaves the minutes in one lot, and the other way round."""
    building = Building()
    lots: dict[str, set[bytes]] = defaultdict(set)
    for minute in range(12):
        building.power(BEGIN_MS + minute * 60_000, minute)
        building.clock.now_ms = BEGIN_MS + minute * 60_000 + 5_000
        for taken in building.outgoing.take(seal=True):
            lots[taken.stream].add(taken.record.lot)
    assert len(lots[FINE]) == 12
    assert len(lots[MINUTE]) == 1


values = st.integers(-1_000, 1_000)
qualities = st.sampled_from(Quality)
ticks = st.lists(st.tuples(st.integers(1, 25_000), values, qualities), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(ticks, st.integers(1, 12))
def test_every_minute_is_what_its_readings_say(steps: list[tuple[int, int, Quality]], take_each: int) -> None:
    """Whenever the records are taken: each minute with readings is told once, exactly, and no other."""
    building = Building()
    at_ms = BEGIN_MS
    read: list[tuple[int, int, Quality]] = []
    for count, (step, value, quality) in enumerate(steps):
        at_ms += step
        building.power(at_ms, value, quality)
        read.append((at_ms, value, quality))
        if count % take_each == 0:
            building.take()
    building.take(at_ms + 70_000)
    assert building.said(MINUTE) == list(_expected(read))


def _expected(read: Iterable[tuple[int, int, Quality]]) -> Iterable[Said]:
    minutes: dict[int, list[tuple[int, Quality]]] = defaultdict(list)
    for at_ms, value, quality in read:
        minutes[at_ms // 60_000].append((value, quality))
    for minute, entries in sorted(minutes.items()):
        good = [(value, quality) for value, quality in entries if quality is not Quality.SUSPECT]
        chosen = good or entries
        mean = round(Fraction(sum(value for value, _ in chosen), len(chosen)))
        yield "m.power", (minute + 1) * 60_000, mean, int(max(quality for _, quality in chosen))


def test_the_tiers_of_a_scope_are_those_it_names() -> None:
    """A consent for minutes lets out minutes, and its stream bears the name of dwelling and purpose."""
    clock = HandClock()
    clock.now_ms = BEGIN_MS
    outgoing = Outgoing(CHANNELS, clock, latest=lambda _: None, stale_after_ms={})
    outgoing.open(Scope((POWER, ENERGY), (MINUTE,), "apt-1", "research"))
    outgoing.accept([Reading(POWER, 3, BEGIN_MS)])
    clock.now_ms += 66_000
    assert [taken.stream for taken in outgoing.take()] == ["minute.apt-1.research"]
    assert outgoing.permits("minute.apt-1.research")
    assert outgoing.permits("schema.apt-1.research")
    assert not any(outgoing.permits(f"{tier}.apt-1.research") for tier in (FINE, INDEX))
    assert not any(outgoing.permits(f"{tier}.apt-1.advice") for tier in ("schema", *COARSE))
    assert all(outgoing.permits(name) for name in ("fine", "alarm", "schema", "clock", "dropped"))


def test_what_no_scope_may_have_goes_nowhere() -> None:
    """Without a consent not even the channel's name leaves: it is in no schema and in no record."""
    clock = HandClock()
    clock.now_ms = BEGIN_MS
    outgoing = Outgoing(CHANNELS, clock, latest=lambda _: None, stale_after_ms={})
    outgoing.open(Scope((GAS,)))
    research = Scope((POWER,), (FINE, MINUTE), "apt-1", "research")
    outgoing.accept([Reading(POWER, 1, BEGIN_MS)])
    outgoing.accept([Reading(GAS, 2, BEGIN_MS)])
    assert [(taken.stream, taken.record.count) for taken in outgoing.take()] == [("fine", 1)]
    assert [[each.name for each in schema.channels] for _, schema in outgoing.schemas()] == [["g.total"]]
    outgoing.open(research)
    outgoing.accept([Reading(POWER, 1, BEGIN_MS + 1)])
    outgoing.close(research)
    outgoing.accept([Reading(POWER, 1, BEGIN_MS + 2)])
    outgoing.end()
    assert [taken.stream for taken in outgoing.take()] == ["minute"]


def test_a_scope_that_is_widened_loses_nothing() -> None:
    """What was gathered under the narrower one leaves, the minute that runs included, unless the scope is closed."""
    building = Building()
    narrow = Scope((POWER,), (FINE, MINUTE), "apt-1", "research")
    wide = Scope((POWER, GAS), (FINE, MINUTE), "apt-1", "research")
    streams = {"fine.apt-1.research", "minute.apt-1.research"}
    for closes in (False, True):
        building.outgoing.open(narrow)
        building.power(building.clock.now_ms + 1_000, 7)
        building.outgoing.open(wide)
        if closes:
            building.outgoing.close(wide)
        taken = [each for each in building.outgoing.take() if each.stream in streams]
        assert {each.stream for each in taken} == (set() if closes else streams)
        for each in taken:
            read = packing.unpack(packing.pack([each.record.payload]), Schema.of((POWER,))).readings()
            assert [(name, value) for name, _, value, _ in read] == [("m.power", 7)]
        building.outgoing.close(wide)


def test_a_group_that_nobody_described_is_a_bug() -> None:
    """A driver that gives what the site does not have is not quietly passed over."""
    outgoing = Outgoing((GAS,), HandClock(), latest=lambda _: None, stale_after_ms={})
    with pytest.raises(KeyError):
        outgoing.accept([Reading(POWER, 1, 1)])
