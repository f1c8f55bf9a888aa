"""What a first visit to the page costs a phone: the bytes that come over the wire, as the browser counts them."""

import asyncio
from typing import Any

from playwright.async_api import Browser

FIRST_VISIT_KB = 60
"""The most that it may be, in kB of 1000 bytes."""

PATIENCE_S = 30.0


async def first_visit(browser: Browser, address: str, cookies: Any) -> float:  # noqa: ANN401 - as storage_state gives it
    """Give the kB, compressed, with heads, that a browser with an empty cache gets of the page at an address.

    `cookies` are those of somebody who is logged in. The live stream has no end: its first message is counted.
    """
    context = await browser.new_context(ignore_https_errors=True, storage_state=cookies)
    try:
        page = await context.new_page()
        network = await context.new_cdp_session(page)
        whole: dict[str, float] = {}
        begun: dict[str, float] = {}
        urls: dict[str, str] = {}
        lives = asyncio.Event()

        def asked(event: dict[str, Any]) -> None:
            urls[event["requestId"]] = event["request"]["url"]

        def heard(event: dict[str, Any]) -> None:
            begun[event["requestId"]] = begun.get(event["requestId"], 0) + event["encodedDataLength"]
            if "/live/" in urls.get(event["requestId"], "") and event["encodedDataLength"]:
                lives.set()

        def ended(event: dict[str, Any]) -> None:
            whole[event["requestId"]] = event["encodedDataLength"]

        network.on("Network.requestWillBeSent", asked)
        network.on("Network.dataReceived", heard)
        network.on("Network.loadingFinished", ended)
        await network.send("Network.enable")
        await page.goto(address)
        await page.locator("#chart canvas").wait_for()
        async with asyncio.timeout(PATIENCE_S):
            await lives.wait()
        return sum({**begun, **whole}.values()) / 1000
    finally:
        await context.close()
