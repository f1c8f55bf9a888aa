"""A building with a page that somebody has set up: what most tests of the page begin with."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator

from gateway.control import client
from gateway.web.words import Language
from hil_tests.bench.whole import Whole
from hil_tests.page.browser import PASSWORD, WIDTHS, Tab, visiting
from hil_tests.page.past import lived_in
from hil_tests.test_commands import ready

PATIENCE_S = 45.0
LOOK_S = 0.1


@dataclass
class House:
    """The building, a browser, and the cookies of a manager who has logged in."""

    whole: Whole
    browser: Browser
    cookies: Any

    def visiting(
        self, language: Language = "fr", *, scripts: bool = True, width: int = WIDTHS[-1]
    ) -> AbstractAsyncContextManager[Tab]:
        """Give the tab of a manager who is logged in."""
        address = self.whole.page.address
        return visiting(self.browser, address, language, scripts=scripts, width=width, storage_state=self.cookies)

    def stranger(self, language: Language = "fr", *, scripts: bool = True) -> AbstractAsyncContextManager[Tab]:
        """Give the tab of somebody who is not logged in."""
        return visiting(self.browser, self.whole.page.address, language, scripts=scripts)

    async def ask(self, resource: str) -> Any:  # noqa: ANN401 - JSON is what it is
        """Read something at the agent's own socket."""
        return await asyncio.to_thread(client.get, self.whole.state / "control.sock", resource)


@asynccontextmanager
async def housed(folder: Path, browser: Browser) -> AsyncIterator[House]:
    """Run a whole building with a past, and a page of it, set up."""
    async with Whole(folder, heartbeat_s=1) as whole:
        lived_in(whole.state)
        await ready(whole)
        await whole.page.start()
        yield House(whole, browser, await set_up(whole, browser))


async def set_up(whole: Whole, browser: Browser) -> Any:  # noqa: ANN401 - as the browser's storage_state gives it
    """Choose the password as a manager does, and give the cookies that come of it."""
    async with visiting(browser, whole.page.address) as tab:
        await tab.go("/")
        await tab.first_use(await whole.page.code(), PASSWORD)
        await tab.page.wait_for_url(tab.address)
        return await tab.context.storage_state()


async def until_text(element: Locator, good: Callable[[str], bool]) -> str:
    """Wait until the text of an element is as it should be, and give it with plain spaces."""
    deadline = time.monotonic() + PATIENCE_S
    text = ""
    while time.monotonic() < deadline:
        text = " ".join("\n".join(await element.all_inner_texts()).split())
        if good(text):
            return text
        await asyncio.sleep(LOOK_S)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s; the last text was: {text}")
