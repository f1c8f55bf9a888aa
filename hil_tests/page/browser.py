"""A browser that stays on this machine, and a visitor's tab in it, which keeps what was asked and complained of."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, async_playwright, expect

from gateway.web.words import Language, said

PASSWORD = "trois chats verts dansent"  # noqa: S105 - of a test
PATIENCE_MS = 30_000
"""A safety net: what is waited for comes much sooner, and no test measures time by it."""

expect.set_options(timeout=PATIENCE_MS)

WIDTHS = (360, 768, 1280)
HEIGHT = 900
LOCALES: dict[Language, str] = {"fr": "fr-FR", "en": "en-GB"}

_ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # Whatever Chromium itself might want to ask for, no name but ours is found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

_TELL_VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", (event) =>
        window.tellViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium; raise RuntimeError where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise RuntimeError("the tests of the page need Chromium: sudo apt-get install chromium fonts-dejavu-core")
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """One visitor's page in a browser of his own, at the page's `address`, read in a language."""

    def __init__(self, address: str, context: BrowserContext, page: Page, language: Language) -> None:
        self.address = address
        self.context = context
        self.page = page
        self.language = language
        self.asked: list[str] = []
        self.complaints: list[str] = []

    def says(self, key: str, **values: object) -> str:
        """Give a word of the page in the visitor's language, with plain spaces, as `text` gives what is read."""
        return " ".join(said(self.language)(key, **values).split())

    async def go(self, path: str) -> int:
        """Open a path of the page and give the status of the answer."""
        answer = await self.page.goto(f"{self.address.rstrip('/')}{path}")
        assert answer is not None
        return answer.status

    async def first_use(self, code: str, password: str = PASSWORD, again: str | None = None) -> None:
        """Fill in the form of the first use and send it."""
        await self.page.fill("input[name=code]", code)
        await self.page.fill("input[name=new]", password)
        await self.page.fill("input[name=again]", password if again is None else again)
        await self.page.click("main button")

    async def log_in(self, password: str = PASSWORD) -> None:
        """Open the login, fill it in and send it."""
        await self.go("/login")
        await self.page.fill("input[name=password]", password)
        await self.page.click("main button")

    async def text(self, selector: str) -> str:
        """Give the text of an element as it is read, with plain spaces."""
        return " ".join((await self.page.inner_text(selector)).split())

    def heard(self, request: Request) -> None:
        """Note what the browser asks for."""
        self.asked.append(request.url)

    def complained(self, message: ConsoleMessage) -> None:
        """Note what the console says, but that an answer was no 200 or the page is away: tests ask for both."""
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def violated(self, what: str) -> None:
        """Note that the content policy stopped something."""
        self.complaints.append(what)

    def failed(self, error: Error) -> None:
        """Note that a script has failed."""
        self.complaints.append(str(error))

    @property
    def foreign(self) -> list[str]:
        """What was asked of anybody but the page."""
        return [url for url in self.asked if not url.startswith((self.address, "data:"))]


@asynccontextmanager
async def visiting(
    browser: Browser,
    address: str,
    language: Language = "fr",
    *,
    scripts: bool = True,
    width: int = WIDTHS[-1],
    **options: Any,  # noqa: ANN401 - as the browser's new_context has them
) -> AsyncIterator[Tab]:
    """Give a tab; at its end nothing foreign was asked for, no content policy was broken and no script has failed."""
    usual = {"locale": LOCALES[language], "viewport": {"width": width, "height": HEIGHT}}
    context = await browser.new_context(ignore_https_errors=True, java_script_enabled=scripts, **{**usual, **options})
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = await context.new_page()
        tab = Tab(address, context, page, language)
        page.on("request", tab.heard)
        page.on("console", tab.complained)
        page.on("pageerror", tab.failed)
        if scripts:
            await context.expose_function("tellViolation", tab.violated)
            await context.add_init_script(_TELL_VIOLATIONS)
        yield tab
        assert tab.foreign == []
        assert tab.complaints == []
    finally:
        await context.close()
