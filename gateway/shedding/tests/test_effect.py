"""What of a Reading load control believes, and what proves an effect."""

import pytest

from config.channel import Channel, Quantity
from drivers.reading import Quality, Reading
from gateway.commands.confirm import Effect, Power, judge, usable_before
from gateway.shedding.effect import MeterPower


def channel(exponent: int = 0) -> Channel:
    """Give a channel of power."""
    return Channel("linky.sinsts", "linky", "linky", Quantity.APPARENT_POWER_IMPORT, "VA", exponent)


@pytest.mark.parametrize(("value", "exponent", "watts"), [(5_432, 0, 5_432), (54, 2, 5_400), (54_329, -1, 5_432)])
def test_power_in_watts(value: int, exponent: int, watts: int) -> None:
    """A value of any exponent comes out in watts, with the moment of its Reading."""
    meter = MeterPower(lambda _name: Reading(channel(exponent), value, 77), "linky.sinsts")
    assert meter() == Power(watts, 77, trustworthy=True)


def test_no_power() -> None:
    """A channel never read, or a text, is no power; a suspect value is not trusted."""
    assert MeterPower(lambda _name: None, "linky.sinsts")() is None
    assert MeterPower(lambda _name: Reading(channel(), "x", 1), "linky.sinsts")() is None
    suspect = MeterPower(lambda _name: Reading(channel(), 5, 1, Quality.SUSPECT), "linky.sinsts")()
    assert suspect == Power(5, 1, trustworthy=False)


BEFORE = Power(10_000, 0, trustworthy=True)


@pytest.mark.parametrize(
    ("before", "after", "now_ms", "effect"),
    [
        (BEFORE, Power(6_000, 2_000, trustworthy=True), 2_000, Effect.EFFECTIVE),
        (BEFORE, Power(8_000, 2_000, trustworthy=True), 2_000, Effect.EFFECTIVE),
        (BEFORE, Power(8_001, 2_000, trustworthy=True), 2_000, None),
        (BEFORE, Power(6_000, 900, trustworthy=True), 2_000, None),
        (BEFORE, Power(6_000, 2_000, trustworthy=False), 2_000, None),
        (BEFORE, Power(9_900, 2_000, trustworthy=True), 61_000, Effect.NO_EFFECT),
        (BEFORE, Power(6_000, 900, trustworthy=True), 61_000, Effect.UNMEASURED),
        (BEFORE, Power(6_000, 2_000, trustworthy=False), 61_000, Effect.UNMEASURED),
        (BEFORE, None, 61_000, Effect.UNMEASURED),
        (None, Power(6_000, 2_000, trustworthy=True), 61_000, Effect.UNMEASURED),
    ],
)
def test_judgement(before: Power | None, after: Power | None, now_ms: int, effect: Effect | None) -> None:
    """Half of what was expected, on a value the meter vouches for from after the write, proves the effect."""
    found = judge(before=before, after=after, written_ms=1_000, expected_w=4_000, deadline_ms=61_000, now_ms=now_ms)
    assert found is effect


def test_stale_before() -> None:
    """A power from long before the shed cannot stand for the moment before it."""
    assert usable_before(BEFORE, 30_000) == BEFORE
    assert usable_before(BEFORE, 30_001) is None
    assert usable_before(Power(1, 0, trustworthy=False), 0) is None
