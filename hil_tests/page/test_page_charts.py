"""The power of a day: drawn with its gap as a gap, and the same values as a table, with scripts and without."""

import re

import pytest
from playwright.async_api import expect

from hil_tests.page.house import House
from hil_tests.page.past import SILENT_MIN

pytestmark = pytest.mark.asyncio(loop_scope="package")

MINUTE_S = 60
NEAR = 2
"""Minutes, and columns of the picture, by which the ends of a line may be off."""

_DRAWN_COLUMNS = """() => {
    const canvas = document.querySelector("#chart canvas");
    const plot = document.querySelector("#chart .u-over");
    const ratio = canvas.width / canvas.clientWidth;
    const [left, top, width, height] = [plot.offsetLeft, plot.offsetTop, plot.clientWidth, plot.clientHeight]
        .map((length) => Math.round(length * ratio));
    const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    const line = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16));
    const points = canvas.getContext("2d").getImageData(left, top, width, height).data;
    const near = (at) => line.every((value, of) => Math.abs(points[at + of] - value) < 40) && points[at + 3] > 200;
    return [...Array(width).keys()].map((x) =>
        [...Array(height).keys()].some((y) => near(4 * (y * width + x))));
}"""


async def test_a_gap_is_drawn_as_a_gap(house: House) -> None:
    """The curve goes from edge to edge but for the hour in which nothing was read: there is no line, and no value."""
    async with house.visiting() as tab:
        await tab.go("/")
        await expect(tab.page.locator("#chart canvas")).to_be_visible()
        found = await tab.page.evaluate("fetch('/power.json').then((answer) => answer.json())")
        silent = [at for at, value in zip(found["t"], found["v"], strict=True) if value is None]
        assert abs(len(silent) - len(SILENT_MIN)) <= NEAR
        assert silent[-1] - silent[0] == MINUTE_S * (len(silent) - 1)
        drawn = await tab.page.evaluate(_DRAWN_COLUMNS)
        first, last = found["t"][0], found["t"][-1]
        from_x, to_x = (round((at - first) / (last - first) * len(drawn)) for at in (silent[0], silent[-1]))
        assert not any(drawn[from_x + NEAR : to_x - NEAR])
        assert all(drawn[NEAR : from_x - NEAR])
        assert all(drawn[to_x + NEAR : -NEAR])


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_the_table_says_what_the_chart_draws(house: House, scripts: bool) -> None:  # noqa: FBT001 - both cases
    """Each minute that is drawn is a row with that value, and a minute that was not read is none."""
    async with house.visiting() as tab:
        await tab.go("/")
        points = await tab.page.evaluate("fetch('/power.json').then((answer) => answer.json())")
    drawn = [round(value) for value in points["v"] if value is not None]
    async with house.visiting(scripts=scripts) as tab:
        await tab.go("/power")
        means = await tab.page.locator("tbody tr:not(.gap) td:nth-of-type(1)").all_inner_texts()
        table = [int(re.sub(r"\D", "", mean)) for mean in reversed(means)]
        # A minute may have ended, and another have grown too old, between the two.
        assert drawn[NEAR:-NEAR] == table[table.index(drawn[NEAR]) :][: len(drawn) - 2 * NEAR]
        assert len(table) - len(drawn) <= NEAR
        gaps = await tab.page.locator("tbody tr.gap").all_inner_texts()
        assert [tab.says("history.gap") in gap for gap in gaps] == [True]
        await tab.go("/")
        hours = tab.page.locator("#chart + details")
        await hours.locator("summary").click()
        rows = await hours.locator("tbody tr:not(.gap)").all_inner_texts()
        assert len(rows) in {24, 25}
        assert all(re.search(r"\d VA", " ".join(row.split())) for row in rows)
