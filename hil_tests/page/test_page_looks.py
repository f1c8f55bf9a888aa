"""The pages while all is well: each fits every width, is accessible, and says what the building has."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from hil_tests.page.house import House
from hil_tests.page.looks import looked_at
from hil_tests.page.past import DAY_MIN, SILENT_MIN

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_the_overview_fits_and_is_accessible(house: House, pictures: Path) -> None:
    """The overview with everything in it: no violation, no sideways scrolling, nothing too small, at any width."""
    async with house.visiting() as tab:
        await tab.go("/")
        await expect(tab.page.locator("#chart canvas")).to_be_visible()
        await expect(tab.page.locator("#alerts .note")).to_have_count(0)
        await looked_at(tab, "overview", pictures)


@pytest.mark.parametrize("name", ["channels", "password", "nowhere"])
async def test_every_other_page_fits_and_is_accessible(house: House, pictures: Path, name: str) -> None:
    """The same holds of each page behind the login, and of the one that says that there is no such page."""
    async with house.visiting("en") as tab:
        assert await tab.go(f"/{name}") == (404 if name == "nowhere" else 200)
        await looked_at(tab, name, pictures)


async def test_the_table_of_a_day_fits_and_is_accessible(house: House, pictures: Path) -> None:
    """The same holds of the table of a day's minutes, of whose rows the first twenty stand for all."""
    async with house.visiting("en") as tab:
        await tab.go("/power")
        rows = await tab.page.evaluate("""() => {
            const rows = document.querySelectorAll("tbody tr");
            [...rows].slice(20).forEach((row) => row.remove());
            return rows.length;
        }""")
        assert rows >= DAY_MIN - len(SILENT_MIN)
        await looked_at(tab, "power", pictures)
