"""What holds of every state of every page: it fits each width, it can be read and touched, and its picture is kept."""

import json
from collections.abc import Sequence
from pathlib import Path

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]

from hil_tests.page.browser import HEIGHT, WIDTHS, Tab

SMALLEST_TARGET = 24
"""CSS pixels each way, WCAG 2.2 AA (2.5.8), for whatever is not a link in the midst of a sentence."""

TALLEST = 8_000
"""What is higher is shown by its beginning."""

_RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}

_SMALL_TARGETS = """(least) => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")]
    .filter((each) => each.checkVisibility() && !each.closest("p") && !each.matches(".skip:not(:focus)"))
    .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
    .filter(([_, box]) => box.width < least || box.height < least)
    .map(([html, box]) => `${html}: ${box.width} x ${box.height}`)
"""


async def looked_at(tab: Tab, name: str, pictures: Path, widths: Sequence[int] = WIDTHS) -> None:
    """Hold what is shown now against all of it, in every width."""
    wrong = []
    for width in widths:
        await tab.page.set_viewport_size({"width": width, "height": HEIGHT})
        tall = await tab.page.evaluate("document.documentElement.scrollHeight")
        await tab.page.screenshot(path=pictures / f"{name}-{tab.language}-{width}.png", full_page=tall < TALLEST)
        wide = await tab.page.evaluate("document.documentElement.scrollWidth")
        small = await tab.page.evaluate(_SMALL_TARGETS, SMALLEST_TARGET)
        found = (await Axe().run(tab.page, options=_RULES)).response["violations"]
        wrong += [f"{width} px: {wide} px are wanted"] if wide > width else []
        wrong += [f"{width} px: {each} is hard to touch" for each in small]
        wrong += [f"{width} px: {each['id']}: {node['html']}" for each in found for node in each["nodes"]]
    assert wrong == [], f"{name}: " + json.dumps(wrong, indent=1)
