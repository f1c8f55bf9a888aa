"""The page lives: values change, grow old where nothing comes, and what is out of reach is said and comes back."""

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from hil_tests.bench.site import BMS, LINKY, UNITS
from hil_tests.page.house import House, until_text
from hil_tests.page.looks import looked_at

pytestmark = pytest.mark.asyncio(loop_scope="package")

TRIES_AGAIN_MS = 30_000
TRIES = 10
"""A page that there was no room for asks again so much later; the browser's clock is put forward by that."""

AGE = re.compile(r"il y a \d+ (s|min)")


@asynccontextmanager
async def silenced(house: House) -> AsyncIterator[None]:
    """Let the Linky and the building's controller say nothing for the length of a block."""
    bench = house.whole.bench
    await bench.ask("linky", silent=True)
    await bench.ask("unit", unit=UNITS[BMS][0], silent=True)
    try:
        yield
    finally:
        await bench.ask("linky", silent=False)
        await bench.ask("unit", unit=UNITS[BMS][0], silent=False)


async def test_values_change_by_themselves_each_with_unit_age_and_state(house: House) -> None:
    """The power that is shown follows the meter without the page being loaded again; every row has all of it."""
    async with house.visiting() as tab:
        await tab.go("/")
        big = tab.page.locator("#power .big").first
        before = await until_text(big, lambda text: AGE.search(text) is not None)
        assert re.fullmatch(r"[\d ]+ VA il y a \d+ s", before)
        await until_text(big, lambda text: text.partition(" VA")[0] != before.partition(" VA")[0])
        documents = [url for url in tab.asked if url == tab.address]
        assert len(documents) == 1
        await tab.go("/channels")
        rows = [" ".join(row.split()) for row in await tab.page.locator("tbody tr").all_inner_texts()]
        assert len(rows) > 80
        aged = re.compile(r"(à jour|estimé|douteux|périmé) \d+ (s|min)")
        assert [row for row in rows if aged.search(row) is None] == []
        assert any("linky" not in row and "VA à jour" in row for row in rows)


async def test_a_meter_that_falls_silent_is_named_and_its_values_are_greyed(house: House, pictures: Path) -> None:
    """A silent meter is in the alerts by name, its values are called stale and greyed, those of others are not."""
    async with house.visiting() as tab:
        await tab.go("/")
        big = tab.page.locator("#power .big .value")
        fresh = await big.first.evaluate("(each) => getComputedStyle(each).color")
        async with silenced(house):
            told = await until_text(
                tab.page.locator("#alerts"), lambda text: f"compteur {LINKY}" in text and f"compteur {BMS}" in text
            )
            assert "ne dit plus rien" in told
            assert AGE.search(told)
            await expect(big.first).to_have_class("value stale")
            assert tab.says("state.stale") in await tab.text("#power")
            assert await big.first.evaluate("(each) => getComputedStyle(each).color") != fresh
            await expect(big.nth(1)).to_have_class("value ok")
            await looked_at(tab, "overview-stale", pictures)
        await expect(tab.page.locator("#alerts .note")).to_have_count(0)
        await expect(big.first).to_have_class("value ok")


async def test_a_dead_agent_is_told_its_values_grow_stale_and_it_comes_back(house: House, pictures: Path) -> None:
    """The page stands while the agent is dead: it says so, lets what it knew grow old, and lives again after."""
    async with house.visiting() as tab:
        await tab.go("/")
        await house.whole.agent.kill()
        alert = tab.page.locator("#alerts .note").first
        told = await until_text(alert, lambda text: tab.says("agent.silent") in text)
        assert AGE.search(told)
        value = tab.page.locator("#power .big .value").first
        await expect(value).to_have_class("value stale")
        await expect(tab.page.locator("#lost")).to_be_hidden()
        # The meters are not to blame for it.
        assert "ne dit plus rien" not in await tab.text("#alerts")
        await looked_at(tab, "overview-agent-dead", pictures)
        await tab.page.click("details.act summary")
        await tab.page.fill("input[name=reason]", "essai")
        await tab.page.click("details.act button")
        assert tab.says("order.unreachable") in await tab.text("main")
        await tab.go("/")
        await house.whole.begin()
        await expect(tab.page.locator("#power .big .value").first).to_have_class("value ok")
        await expect(tab.page.locator("#alerts .note.bad")).to_have_count(0)


async def test_a_lost_page_is_told_and_found_again(house: House) -> None:
    """While the page's own process is away the browser says that nothing is up to date, and goes on by itself after."""
    async with house.visiting() as tab:
        await tab.go("/")
        lost = tab.page.locator("#lost")
        await expect(lost).to_be_hidden()
        await house.whole.page.kill()
        await expect(lost).to_be_visible()
        assert "interrompue" in await lost.inner_text()
        await house.whole.page.start()
        await expect(lost).to_be_hidden()
        big = tab.page.locator("#power .big").first
        before = await big.inner_text()
        await until_text(big, lambda text: text != before)
        assert len([url for url in tab.asked if url == tab.address]) == 1


async def test_eleven_watchers_are_one_too_many(house: House) -> None:
    """Ten pages live at once; the eleventh is loaded, says that it does not live, and lives when another one leaves."""
    async with house.visiting() as tab:
        await tab.go("/")
        status = """async (path) => {
            const leaving = new AbortController();
            const answer = await fetch(path, { signal: leaving.signal });
            (window.leaving ??= []).push(leaving);
            return [answer.status, answer.headers.get("retry-after")];
        }"""
        # A browser opens six connections to one place: more watchers are in other browsers.
        async with house.visiting() as second:
            await second.go("/power")
            got = [await tab.page.evaluate(status, "/live/overview") for _ in range(4)]
            got += [await second.page.evaluate(status, "/live/channels") for _ in range(5)]
            assert [answer for answer, _ in got] == [200] * 9
            async with house.visiting() as eleventh:
                await eleventh.page.clock.install()
                assert await eleventh.go("/") == 200
                await expect(eleventh.page.locator("#lost")).to_be_visible()
                await tab.page.evaluate("window.leaving.forEach((each) => each.abort())")
                # The server learns only when it next writes that somebody has left: an early try is refused once more.
                for _ in range(TRIES):
                    await eleventh.page.clock.fast_forward(TRIES_AGAIN_MS)
                    with contextlib.suppress(AssertionError):
                        await expect(eleventh.page.locator("#lost")).to_be_hidden(timeout=3_000)
                        break
                await expect(eleventh.page.locator("#lost")).to_be_hidden()
