"""The shed scene: the centre orders, the page counts down, and a manager opts out, with scripts or without."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.async_api import expect

from gateway.centre.dispatch import now_utc_ms
from hil_tests.page.browser import Tab
from hil_tests.page.house import House, until_text
from hil_tests.page.looks import looked_at
from hil_tests.test_commands import answer

pytestmark = pytest.mark.asyncio(loop_scope="package")

LASTS_S = 900


def audited(house: House) -> list[tuple[str, str, str]]:
    """Give the audit rows of the page, as they are on the disk: what, from where, about what."""
    with closing(sqlite3.connect(house.whole.page.state / "page.db")) as database:
        return list(database.execute("SELECT kind, address, text FROM audit ORDER BY number"))


async def opt_out(tab: Tab, reason: str, target: str = "building") -> None:
    """Fill in the form and send it."""
    await tab.page.click("details.act summary")
    await tab.page.select_option("select[name=target]", target)
    await tab.page.select_option("select[name=duration_s]", "3600")
    await tab.page.fill("input[name=reason]", reason)
    await tab.page.click("details.act button")


async def opt_in(tab: Tab) -> None:
    """Press the button that ends the opt-out, and see it gone."""
    await tab.page.click("#shedding button")
    await expect(tab.page.locator("main > .note.good")).to_have_text(tab.says("done.opt_in"))
    await expect(tab.page.locator("#shedding .banner")).to_have_class("banner none")


def seconds(countdown: str) -> int:
    """Give a countdown as it is read in seconds."""
    units = {"h": 3600, "min": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)\s(h|min|s)\b", countdown))


async def test_a_manager_sees_a_shed_counts_down_and_opts_out(house: House, pictures: Path) -> None:
    """The banner says how much, what, till when, and the kW by the meter; an opt-out ends it and the centre knows."""
    before = await house.whole.loads()
    async with house.visiting("en") as tab:
        await tab.go("/")
        command = await house.whole.centre.shed(house.whole.gateway, 40, LASTS_S)
        banner = tab.page.locator("#shedding .banner")
        await expect(banner).to_have_class("banner active")
        text = await until_text(banner, lambda text: "by the meter" in text)
        assert "40 % of the whole building" in text
        during = await house.whole.loads()
        assert {load for load in before if during[load] != before[load]} == {load for load in before if load in text}
        kilowatts = re.search(r"([0-9.]+) kW by the meter", text)
        assert kilowatts is not None
        told = (await answer(house.whole, command, "effective")).detail
        assert kilowatts[1] == f"{(int(str(told['before_w'])) - int(str(told['during_w']))) / 1000:.1f}"
        first = seconds(await tab.text(".countdown"))
        assert 0 < first <= LASTS_S
        await until_text(tab.page.locator(".countdown"), lambda text: 0 < seconds(text) < first)
        await looked_at(tab, "overview-shedding", pictures)
        await opt_out(tab, "final exams")
        await expect(tab.page.locator("main > .note.good")).to_have_text(tab.says("done.opt_out"))
        await expect(banner).to_have_class("banner opted_out")
        text = await until_text(banner, lambda text: "another" in text)
        assert "the whole building" in text
        assert "final exams" in text
        assert 0 < seconds(await banner.inner_text()) <= 3600
        await house.whole.until(lambda status: not status["shedding"]["running"], "the end of the shed")
        assert await house.whole.loads() == before
        ended = await answer(house.whole, command, "opted_out")
        assert ended.reason == "local_override"
        assert audited(house)[-1] == ("opt_out", "127.0.0.1", "building: final exams")
        await until_text(tab.page.locator("#shedding"), lambda text: "Last order" in text and "ended on site" in text)
        await looked_at(tab, "overview-opted-out", pictures)
        await opt_in(tab)
        assert audited(house)[-1] == ("opt_in", "127.0.0.1", "building")
        assert (await house.ask("/v1/opt-out"))["opt_outs"] == []


async def test_an_opt_out_works_without_javascript(house: House) -> None:
    """The same forms do the same where no script runs, for a load as for the building; it is told how to refresh."""
    before = await house.whole.loads()
    async with house.visiting("fr", scripts=False) as tab:
        command = await house.whole.centre.shed(house.whole.gateway, 40, LASTS_S)
        await answer(house.whole, command, "started")
        await tab.go("/")
        assert "40 % sur tout le bâtiment" in await tab.text("#shedding")
        assert tab.says("refresh") in await tab.text("main")
        await opt_out(tab, "visite")
        assert "visite" in await tab.text("#shedding .banner")
        await answer(house.whole, command, "opted_out")
        await house.whole.until(lambda status: not status["shedding"]["running"], "the end of the shed")
        assert await house.whole.loads() == before
        await opt_in(tab)
        await opt_out(tab, "cuisson", "water-heater-2")
        (refusal,) = (await house.ask("/v1/opt-out"))["opt_outs"]
        assert (refusal["target"], refusal["reason"], refusal["role"]) == ("water-heater-2", "cuisson", "manager")
        assert "water-heater-2" in await tab.text("#shedding .banner")
        await opt_in(tab)


async def test_an_announced_shed_is_shown_before_it_starts(house: House, pictures: Path) -> None:
    """An order for later stands there with its time, before anything is shed, and goes when the centre cancels it."""
    before = await house.whole.loads()
    async with house.visiting("fr") as tab:
        await tab.go("/")
        later = now_utc_ms() + 1_800_000
        command = await house.whole.centre.shed(house.whole.gateway, 30, 3_600, start_utc_ms=later, expires_s=7_200)
        await answer(house.whole, command, "scheduled")
        banner = tab.page.locator("#shedding .banner")
        moment = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d – \d\d:\d\d")
        text = await until_text(banner, lambda text: moment.search(text) is not None)
        assert f"{tab.says('event.scheduled')} 30 % sur tout le bâtiment" in text
        assert await house.whole.loads() == before
        await looked_at(tab, "overview-announced", pictures)
        await answer(house.whole, await house.whole.centre.cancel(house.whole.gateway, command), "completed")
        await expect(banner).to_have_class("banner none")


async def test_who_does_not_say_why_is_asked_again(house: House) -> None:
    """An opt-out without a reason is not sent by the browser, and refused with what to do where one sends it anyway."""
    async with house.visiting("fr") as tab:
        await tab.go("/")
        await opt_out(tab, "")
        assert await tab.page.evaluate("document.querySelector('input[name=reason]').validity.valueMissing")
        assert tab.page.url == tab.address
        await tab.page.evaluate("document.querySelector('details.act form').noValidate = true")
        async with tab.page.expect_response(lambda got: got.request.method == "POST") as answering:
            await tab.page.click("details.act button")
        assert (await answering.value).status == 422
        assert tab.says("opt_out.incomplete") in await tab.text("main")
        assert (await house.ask("/v1/opt-out"))["opt_outs"] == []


async def test_what_is_typed_and_opened_outlives_what_changes_around_it(house: House) -> None:
    """While values change, an opened form stays open, half a reason stays typed, and the focus stays where it is."""
    async with house.visiting("fr") as tab:
        await tab.go("/")
        await tab.page.click("details.act summary")
        await tab.page.select_option("select[name=duration_s]", "86400")
        await tab.page.type("input[name=reason]", "exam")
        power = await tab.text("#power .big >> nth=0")
        await until_text(tab.page.locator("#power .big >> nth=0"), lambda text: text != power)
        command = await house.whole.centre.shed(house.whole.gateway, 40, LASTS_S)
        await expect(tab.page.locator("#shedding .banner")).to_have_class("banner active")
        await tab.page.keyboard.type("ens")
        assert await tab.page.input_value("input[name=reason]") == "examens"
        assert await tab.page.input_value("select[name=duration_s]") == "86400"
        await answer(house.whole, await house.whole.centre.cancel(house.whole.gateway, command), "completed")
        await house.whole.until(lambda status: not status["shedding"]["running"], "the end of the shed")
