"""The page's figures: how heavy it is to load, what its process takes, and what those who watch it cost the agent.

The page runs with the memory settings of its unit; viewers are real TLS clients that read the stream of each second.
"""

import asyncio
import contextlib
import http.client
import re
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from gateway.web.tests.browser import Browser, unverified
from hil_tests.bench.whole import Whole
from hil_tests.benchmarks.cost import Cost
from hil_tests.benchmarks.figure import Figure

WEIGHT_KB, IDLE_MB, PEAK_MB, VIEWERS_PERCENT = 60, 40, 60, 1.0
"""The most that each may be."""

VIEWERS = 10
MEASURED_S = 60.0
CALM_S = 5.0

UNIT = Path(__file__).parents[2] / "systemd" / "gateway-web.service"
_SETTING = re.compile(r"^Environment=(\w+)=(\S+)$", re.MULTILINE)
_PART = re.compile(r"(?:src|href|data-points)=\"(/[^\"?#]+\.(?:js|css|svg|json))\"")


async def page(whole: Whole) -> list[Figure]:
    """Serve the page, load it, watch it, log in while it is watched."""
    await whole.page.start(environment=settings())
    await asyncio.sleep(CALM_S)
    idle = Cost.of(whole.page.pid)
    browser = Browser(int(whole.page.address.rstrip("/").rpartition(":")[2]))
    await asyncio.to_thread(browser.first_use, await whole.page.code())
    weight = await asyncio.to_thread(_weight, browser)
    before_agent, _ = await _spent(whole, MEASURED_S)
    async with _watching(browser):
        await asyncio.sleep(CALM_S)
        agent, own = await _spent(whole, MEASURED_S)
        await asyncio.to_thread(Browser(browser.port).log_in)
        watched = Cost.of(whole.page.pid)
    return [
        Figure("page_weight_compressed", round(weight / 1000, 1), "kB", WEIGHT_KB),
        Figure("page_rss_idle", round(idle.rss_mb, 1), "MB", IDLE_MB),
        Figure("page_rss_highest_ten_viewers_and_login", round(watched.rss_peak_mb, 1), "MB", PEAK_MB),
        Figure("ten_viewers_cost_the_agent", round(agent - before_agent, 2), "% of a core", VIEWERS_PERCENT),
        Figure("ten_viewers_cost_the_page", round(own, 2), "% of a core"),
    ]


def settings() -> Mapping[str, str]:
    """Give the environment that the page's unit sets."""
    return dict(_SETTING.findall(UNIT.read_text("utf-8")))


def _weight(browser: Browser) -> int:
    """Load the overview with all that it names, as a browser does for the first time; give the bytes of all answers."""
    first = browser.get("/")
    parts = sorted(set(_PART.findall(first.text)))
    if len(parts) < 5:
        raise RuntimeError(f"the overview names {parts} only: was it loaded?")
    return sum(_transferred(browser, path) for path in ("/", *parts))


def _transferred(browser: Browser, path: str) -> int:
    """Give the bytes of one answer, its head included, as a browser takes it: compressed."""
    asked = http.client.HTTPSConnection("127.0.0.1", browser.port, context=unverified())
    with contextlib.closing(asked):
        asked.request("GET", path, headers={"Accept-Encoding": "gzip", "Cookie": _cookies(browser)})
        found = asked.getresponse()
        if found.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path}: {found.status}")
        return len(found.read()) + sum(len(name) + len(value) + 4 for name, value in found.getheaders())


def _cookies(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


async def _spent(whole: Whole, span_s: float) -> tuple[float, float]:
    """Give what agent and page took of a core meanwhile, in percent."""
    pids = (whole.agent.pid, whole.page.pid)
    before, begun = [Cost.of(pid).cpu_s for pid in pids], time.monotonic()
    await asyncio.sleep(span_s)
    lasted = time.monotonic() - begun
    agent, own = (100 * (Cost.of(pid).cpu_s - was) / lasted for pid, was in zip(pids, before, strict=True))
    return agent, own


@contextlib.asynccontextmanager
async def _watching(browser: Browser) -> AsyncIterator[None]:
    """Have ten viewers read the stream of the overview; one that is not served is an error."""
    context = unverified()
    served = [await _viewer(browser, context) for _ in range(VIEWERS)]
    reading = [asyncio.create_task(_read(reader)) for reader, _ in served]
    try:
        yield
        for task in reading:
            if task.done():
                raise RuntimeError("a viewer's stream ended before it was measured")
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        for _, writer in served:
            writer.transport.abort()


async def _viewer(browser: Browser, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", browser.port, ssl=context, limit=1 << 20)
    head = ("GET /live/overview HTTP/1.1", f"Host: 127.0.0.1:{browser.port}", f"Cookie: {_cookies(browser)}", "", "")
    writer.write("\r\n".join(head).encode())
    status = await reader.readline()
    if b" 200 " not in status:
        raise RuntimeError(f"a viewer was not served: {status!r}")
    return reader, writer


async def _read(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass
