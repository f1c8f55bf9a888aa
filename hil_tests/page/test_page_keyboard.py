"""By keyboard alone: one comes in, reaches everything, sees where one is, and opts out."""

import pytest
from playwright.async_api import expect

from hil_tests.page.browser import PASSWORD, Tab
from hil_tests.page.house import House, until_text
from hil_tests.page.test_page_sheds import opt_in

pytestmark = pytest.mark.asyncio(loop_scope="package")

MOST_STOPS = 60


async def tab_to(tab: Tab, selector: str) -> list[str]:
    """Press Tab until the focus is on an element, seeing at each stop where it is; give the stops."""
    stops: list[str] = []
    while len(stops) < MOST_STOPS:
        await tab.page.keyboard.press("Tab")
        stop, style, is_there = await tab.page.evaluate(
            """(selector) => {
                const at = document.activeElement;
                return [at.outerHTML.slice(0, 60), getComputedStyle(at).outlineStyle, at.matches(selector)];
            }""",
            selector,
        )
        stops.append(stop)
        assert style != "none", f"nobody sees that the focus is on {stop}"
        if is_there:
            return stops
    raise AssertionError(f"{selector} is not reached by Tab: {stops}")


async def test_one_logs_in_and_opts_out_by_keyboard_alone(house: House) -> None:
    """From the login to the end of an opt-out no mouse is needed, and the focus can be seen at every stop."""
    async with house.stranger() as tab:
        await tab.go("/login")
        await expect(tab.page.locator("input[name=password]")).to_be_focused()
        await tab.page.keyboard.type(PASSWORD)
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url(tab.address)
        await tab_to(tab, "details.act summary")
        await tab.page.keyboard.press("Enter")
        await tab_to(tab, "select[name=duration_s]")
        await tab.page.keyboard.press("ArrowUp")
        await tab_to(tab, "input[name=reason]")
        await tab.page.keyboard.type("examens")
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.locator("#shedding .banner")).to_have_class("banner opted_out")
        assert "examens" in await tab.text("#shedding")
        await tab_to(tab, "#shedding button")
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.locator("main > .note.good")).to_have_text(tab.says("done.opt_in"))


async def test_the_first_stop_leads_past_the_navigation(house: House) -> None:
    """Whoever goes by keyboard can skip what each page begins with."""
    async with house.visiting() as tab:
        await tab.go("/")
        (stop,) = await tab_to(tab, "a.skip")
        assert tab.says("skip") in stop
        await tab.page.keyboard.press("Enter")
        stops = await tab_to(tab, "details.act summary")
        assert len(stops) == 1


async def test_the_focus_stays_where_it_is_while_the_page_lives(house: House) -> None:
    """A button in what is renewed each second keeps the focus, and an opened table stays open."""
    async with house.visiting() as tab:
        await tab.go("/")
        await tab.page.click("details.act summary")
        await tab.page.fill("input[name=reason]", "visite")
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url("**/?done=opt_out**")
        await tab.page.click("#chart + details summary")
        await tab_to(tab, "a[href='/power']")
        await tab.page.focus("#shedding button")
        banner = tab.page.locator("#shedding .banner")
        before = await banner.inner_text()
        await until_text(banner, lambda text: text != " ".join(before.split()))
        assert await tab.page.evaluate("document.activeElement.matches('#shedding button')")
        assert await tab.page.locator("#chart + details").get_attribute("open") is not None
        await opt_in(tab)
