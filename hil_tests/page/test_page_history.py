"""The past by hour, day and month: bars with gaps as gaps, the same as a table, and daily totals to take along."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from hil_tests.bench.site import LINKY
from hil_tests.page.house import House
from hil_tests.page.looks import looked_at
from hil_tests.page.past import POWER, SILENT_H

pytestmark = pytest.mark.asyncio(loop_scope="package")

EAST = f"{LINKY}.east"


async def test_thirteen_months_by_day_fit_and_are_accessible(house: House, pictures: Path) -> None:
    """The page as it opens: a chart, and a table whose first twenty rows stand for all."""
    async with house.visiting() as tab:
        await tab.go("/history")
        await expect(tab.page.locator("#past canvas")).to_be_visible()
        rows = await tab.page.evaluate("""() => {
            const rows = document.querySelectorAll(".scroll tbody tr");
            [...rows].slice(20).forEach((row) => row.remove());
            return rows.length;
        }""")
        assert 390 <= rows <= 397
        await looked_at(tab, "history", pictures)


_ONLY_ESTIMATED = """() => {
    const rows = [...document.querySelectorAll(".scroll tbody tr")];
    const first = rows.findIndex((row) => row.textContent.includes("estim"));
    rows.forEach((row, at) => at < first - 3 || at > first + 22 ? row.remove() : 0);
}"""


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_a_gap_over_hours_is_shared_and_said_to_be(house: House, pictures: Path, scripts: bool) -> None:  # noqa: FBT001 - both cases
    """The hours in which nothing was read have their share and say so; a power of them is nothing at all."""
    async with house.visiting(scripts=scripts) as tab:
        await tab.go(f"/history?channel={EAST}&by=hour")
        estimated = tab.page.locator(".scroll tbody tr", has_text="estimé")
        assert await estimated.count() >= len(SILENT_H)
        told = " ".join((await estimated.nth(5).inner_text()).split())
        assert re.search(r"kWh estimé 0 %", told)
        await tab.go(f"/history?channel={POWER}&by=hour")
        gaps = tab.page.locator(".scroll tbody tr", has_text=tab.says("history.gap"))
        assert await gaps.count() >= len(SILENT_H)
        if scripts:
            await tab.go(f"/history?channel={EAST}&by=hour")
            await expect(tab.page.locator("#past canvas")).to_be_visible()
            await tab.page.evaluate(_ONLY_ESTIMATED)
            await looked_at(tab, "history-hours", pictures)


async def test_months_and_what_is_not_known_of_the_first(house: House) -> None:
    """The month in which the gateway came is that much at least."""
    async with house.visiting("en") as tab:
        await tab.go(f"/history?channel={EAST}&by=month")
        rows = [" ".join(row.split()) for row in await tab.page.locator(".scroll tbody tr").all_inner_texts()]
        assert 13 <= len(rows) <= 15
        assert "at least" in rows[-1]
        assert all(re.search(r"[\d,.]+ kWh", row) for row in rows)
        points = await tab.page.evaluate(
            f"fetch('/history.json?channel={EAST}&by=month').then((answer) => answer.json())"
        )
        assert len(points["t"]) == len(rows)
        assert points["v"][0] is None
        assert points["w"][0] > 0


async def test_daily_totals_can_be_taken_along(house: House) -> None:
    """A file for spreadsheets, in the reader's language; what is no range is refused."""
    async with house.visiting() as tab:
        await tab.go("/history")
        async with tab.page.expect_download() as download:
            await tab.page.click("main form[action='/totals.csv'] button")
        path = await (await download.value).path()
        lines = Path(path).read_text("utf-8").splitlines()
        assert lines[0] == "day;channel;amount;unit;state;estimated;covered_min;length_min"
        ours = [line.split(";") for line in lines[1:] if f";{EAST};" in line]
        assert re.fullmatch(r"\d{4}-\d\d-01T00:00:00\+0[12]:00", ours[0][0])
        assert (ours[0][3], ours[0][4]) == ("Wh", "ok")
        assert await tab.go("/totals.csv?from=2026-02-02&to=2026-02-01") == 422
        assert tab.says("totals.wrong") in await tab.text("main")
        assert await tab.go("/history?channel=nothing") == 404
