"""The past of a counter: each period from the first to the last that is known, and what is not known said to be so."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from gateway.web import counters, past, power
from gateway.web.agent import Agent
from gateway.web.live import View
from gateway.web.past import Choice
from gateway.web.tests import saying
from gateway.web.values import channels

PARIS = ZoneInfo("Europe/Paris")
EAST = Choice("main.east", "kind.import", "main", is_index=True)
POWER = Choice("main.sinsts", "power", "main", is_index=False)
FIELDS = [
    "x",
    "first",
    "last",
    "low",
    "high",
    "sum",
    "count",
    "covered_min",
    "length_min",
    "used",
    "estimated",
    "state",
]


@dataclass
class Saying:
    """Stands in for the agent: answers with `rows`, and notes what it was asked."""

    rows: list[list[Any]]
    unit: str = "Wh"
    exponent: int = 0
    asked: str = ""

    async def told(self, resource: str) -> Any:  # noqa: ANN401 - JSON
        self.asked = resource
        return {"unit": self.unit, "exponent": self.exponent, "fields": FIELDS, "rows": self.rows}


def view(utc_ms: int | None = saying.UTC_MS) -> View:
    """Give a view at that time, with the channels of a building."""
    found = channels(saying.channels(), saying.status(), silent_ms=0)
    protocols = {each["name"]: each["protocol"] for each in saying.site()["devices"]}
    return View(
        status=saying.status(),
        site=saying.site(),
        zone=PARIS,
        utc_ms=utc_ms,
        meters=power.meters(found, saying.site()["devices"]),
        counters=counters.counters(counters.wanted(found, protocols), protocols, {}, {}),
    )


def used(
    name: str, amount: int | None, *, estimated: int = 0, state: str = "ok", covered: int | None = 1440
) -> list[Any]:
    """Give a day of an index."""
    return [name, 1, 2, 1, 2, 3, 2, covered, 1440, amount, estimated, state]


async def shown(choice: Choice, by: str, agent: Saying) -> past.Past:
    """Give what is shown."""
    found = await past.past(cast("Agent", agent), view(), choice, by)
    assert found is not None
    return found


async def test_a_day_between_two_that_are_known_is_said_to_be_absent() -> None:
    """It is a row without a value, and no bar; before the first and behind the last one there is nothing to say."""
    agent = Saying(
        [
            used("2026-11-20", 12_500),
            used("2026-11-21", 300, state="incomplete", covered=30),
            used("2026-11-24", 900, estimated=400, state="estimated"),
        ]
    )
    found = await shown(EAST, "day", agent)
    assert [(row.amount, row.state, row.percent) for row in found.rows] == [
        (Decimal("12.5"), "ok", 100),
        (Decimal("0.3"), "incomplete", 2),
        (None, "absent", 0),
        (None, "absent", 0),
        (Decimal("0.9"), "estimated", 100),
    ]
    assert found.rows[-1].estimated == Decimal("0.4")
    points = found.points()
    assert (points["unit"], points["v"]) == ("kWh", [12.5, None, None, None, None])
    assert points["w"] == [None, 0.3, None, None, 0.9]
    assert points["t"][0] == 1_795_129_200  # midnight of 20 November in Paris
    assert "resolution=day&from=" in agent.asked


async def test_hours_and_months_have_their_own_names() -> None:
    """Hours are moments; the day on which summer time ends has 25 of them."""
    sunday = 1_792_879_200  # 2026-10-25, midnight in Paris
    hours = [[sunday + 3_600 * each, *used("", 7)[1:]] for each in range(25)]
    agent = Saying(hours)
    assert len((await shown(EAST, "hour", agent)).rows) == 0  # 31 days ago at most
    assert "resolution=hour&from=1792969200" in agent.asked
    months = [used("2026-09", 5_000), used("2026-11", 6_000)]
    found = await shown(EAST, "month", Saying(months))
    assert [row.amount for row in found.rows] == [Decimal(5), None, Decimal(6)]


async def test_a_power_is_a_mean_with_its_bounds() -> None:
    """The sum over the count, exactly; an hour without a value has none."""
    at = 1_795_701_600
    agent = Saying([[at, 5, 7, 4, 9, 13, 2, 60, 60, None, None, "ok"]], unit="VA")
    (row,) = (await shown(POWER, "hour", agent)).rows
    assert (row.amount, row.low, row.high, row.state) == (Decimal("6.5"), Decimal(4), Decimal(9), "ok")


async def test_without_a_time_or_an_agent_there_is_no_past() -> None:
    """Nothing is guessed."""

    class Silent(Saying):
        async def told(self, resource: str) -> Any:  # noqa: ANN401 - JSON
            self.asked = resource

    assert await past.past(cast("Agent", Silent([])), view(), EAST, "day") is None
    assert await past.past(cast("Agent", Saying([])), view(None), EAST, "day") is None


def test_what_can_be_chosen() -> None:
    """Each counter, its tariffs where it has several, and the power of each meter."""
    found = past.choices(view())
    assert [each.channel for each in found] == [
        "main.east",
        "main.easf01",
        "main.easf02",
        "main.eait",
        "heat.energy",
        "gas.total",
        "water.total",
        "main.sinsts",
    ]
    assert past.chosen(found, None) == found[0]
    assert past.chosen(found, "gas.total") == found[5]
    assert past.chosen(found, "nothing") is None
    assert past.chosen([], None) is None


@pytest.mark.parametrize("comma", [True, False])
async def test_totals_have_a_line_for_each_day(comma: bool) -> None:  # noqa: FBT001 - both cases
    """A day without a value has an empty amount, never 0; its length is its own."""
    agent = Saying([used("2026-10-24", 12_500), used("2026-10-26", 300, estimated=100, state="estimated")], exponent=-1)
    span = (date(2026, 10, 24), date(2026, 10, 26))
    lines = [line async for line in past.totals(cast("Agent", agent), view(), span, comma=comma)]
    point = "," if comma else "."
    assert lines[:4] == [
        "day;channel;amount;unit;state;estimated;covered_min;length_min\n",
        f"2026-10-24T00:00:00+02:00;main.east;1250{point}0;Wh;ok;0;1440;1440\n".replace(";0;1440", f";0{point}0;1440"),
        "2026-10-25T00:00:00+02:00;main.east;;Wh;absent;;0;1500\n",
        f"2026-10-26T00:00:00+01:00;main.east;30{point}0;Wh;estimated;10{point}0;1440;1440\n",
    ]
    assert len(lines) == 1 + 3 * 7
    assert "resolution=day&from=1792792800&to=1793055600" in agent.asked


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({}, (date(2026, 11, 1), date(2026, 11, 26))),
        ({"from": "2026-10-01", "to": "2026-10-31"}, (date(2026, 10, 1), date(2026, 10, 31))),
        ({"from": "2026-10-02", "to": "2026-10-01"}, None),
        ({"from": "2020-10-02", "to": "2026-10-01"}, None),
        ({"from": "yesterday"}, None),
        ({"from": "0001-01-01", "to": "0001-01-01"}, None),
        ({"from": "9999-12-31", "to": "9999-12-31"}, None),
    ],
)
def test_a_span_is_days(given: dict[str, str], days: tuple[date, date] | None) -> None:
    """This month where none is named; three years at most."""
    assert past.span(given, view()) == days


def test_without_the_time_no_day_is_this_one() -> None:
    """A form that begins in 1970 would look like a day somebody chose; two days that are named are taken."""
    timeless = View(utc_ms=None)
    assert past.span({}, timeless) is None
    assert past.span({"from": "2026-10-01"}, timeless) is None
    days = (date(2026, 10, 1), date(2026, 10, 31))
    assert past.span({"from": "2026-10-01", "to": "2026-10-31"}, timeless) == days
