"""Coming in: the first use with a one-time code, the login, its bounds, and going out again. No agent is needed."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from hil_tests.bench.processes import Page
from hil_tests.page.browser import PASSWORD, visiting
from hil_tests.page.looks import looked_at

pytestmark = pytest.mark.asyncio(loop_scope="package")

PLACES = ("/", "/channels", "/history", "/power", "/password")
WRONG = 5
"""So many wrong passwords are answered; the next one is told to wait."""


@pytest_asyncio.fixture(loop_scope="package")
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page that nobody has used, of a box whose agent does not run."""
    running = Page(tmp_path / "control.sock", tmp_path / "page", tmp_path / "page.log")
    await running.start()
    yield running
    await running.stop()


async def test_the_first_visit_leads_from_the_code_to_the_overview(
    page: Page, browser: Browser, pictures: Path
) -> None:
    """S1: until the code of this box has set a password there is no way in; wrong codes and passwords are told why."""
    code = await page.code()
    async with visiting(browser, page.address) as tab:
        for place in PLACES:
            await tab.go(place)
            assert tab.page.url == f"{page.address}first-use"
        assert "12" in await tab.text("#rules")
        await looked_at(tab, "first-use", pictures)
        await tab.first_use("AAAAA-AAAAA")
        await expect(tab.page.locator("#fault")).to_have_text(tab.says("first.wrong"))
        # The browser itself keeps whoever fills in the form from sending less than the rules want.
        await tab.first_use(code, "court")
        assert await tab.page.evaluate("document.querySelector('input[name=new]').validity.tooShort")
        for password, again, why in (
            ("motdepasse123456", None, tab.says("password.common")),
            (PASSWORD, "trois chats verts dorment", tab.says("password.differ")),
        ):
            await tab.first_use(code, password, again)
            await expect(tab.page.locator("#fault")).to_have_text(why)
        await looked_at(tab, "first-use-refused", pictures)
        await tab.first_use(code)
        await tab.page.wait_for_url(page.address)
        await expect(tab.page.locator("main h1")).to_have_text(tab.says("overview"))
    async with visiting(browser, page.address) as tab:
        await tab.go("/first-use")
        await tab.first_use(code, "cinq canards bleus nagent")
        await expect(tab.page.locator("#fault")).to_have_text(tab.says("first.wrong"))


async def test_one_logs_in_and_out_and_a_session_outlives_the_process(
    page: Page, browser: Browser, pictures: Path
) -> None:
    """S2: without a session every page leads to the login; with one all are there, also after the page was killed."""
    async with visiting(browser, page.address, "en") as tab:
        await tab.go("/first-use")
        await tab.first_use(await page.code())
        await tab.page.wait_for_url(page.address)
        await page.kill()
        await page.start()
        for place in PLACES:
            assert await tab.go(place) == 200
            assert tab.page.url == f"{page.address.rstrip('/')}{place}"
        await tab.go("/")
        await tab.page.click("form[action='/logout'] button")
        await tab.page.wait_for_url("**/login")
        for place in PLACES:
            await tab.go(place)
            assert tab.page.url == f"{page.address}login"
        await looked_at(tab, "login", pictures)
        await tab.log_in("quatre loups gris chantent")
        await expect(tab.page.locator("#fault")).to_have_text(tab.says("login.wrong"))
        await tab.log_in()
        await tab.page.wait_for_url(page.address)


async def test_too_many_wrong_passwords_lock_the_address_out_across_a_restart(
    page: Page, browser: Browser, pictures: Path
) -> None:
    """S3: after five failures the right password is refused too, it is told when to try again, also after a restart."""
    async with visiting(browser, page.address) as tab:
        await tab.go("/first-use")
        await tab.first_use(await page.code())
        await tab.page.wait_for_url(page.address)
    async with visiting(browser, page.address) as tab:
        for _ in range(WRONG):
            await tab.log_in("quatre loups gris chantent")
            await expect(tab.page.locator("#fault")).to_have_text(tab.says("login.wrong"))
        for restart in (False, True):
            if restart:
                await page.kill()
                await page.start()
            async with tab.page.expect_response(lambda answer: answer.request.method == "POST") as answering:
                await tab.log_in()
            answer = await answering.value
            assert answer.status == 429
            wait_s = int(answer.headers["retry-after"])
            assert 0 < wait_s <= 15 * 60
            told = re.search(r"(\d+) min", await tab.text("#fault"))
            assert told is not None
            assert int(told[1]) in {-(-wait_s // 60), -(-(wait_s - 1) // 60)}
        await looked_at(tab, "locked-out", pictures)


async def test_a_new_password_ends_every_other_session(page: Page, browser: Browser) -> None:
    """Whoever has changed the password goes on; every other device, however long logged in, is led to the login."""
    async with visiting(browser, page.address) as tab, visiting(browser, page.address) as other:
        await tab.go("/first-use")
        await tab.first_use(await page.code())
        await tab.page.wait_for_url(page.address)
        await other.log_in()
        await other.page.wait_for_url(page.address)
        await tab.go("/password")
        await tab.page.fill("input[name=current]", PASSWORD)
        await tab.page.fill("input[name=new]", "six souris rouges roulent")
        await tab.page.fill("input[name=again]", "six souris rouges roulent")
        await tab.page.click("main button")
        await tab.page.wait_for_url(page.address)
        await other.go("/")
        assert other.page.url == f"{page.address}login"
