"""French and English: each page is whole in both, numbers and moments included, and a choice is remembered."""

import re

import pytest
from playwright.async_api import expect

from gateway.web.words import LANGUAGES, WORDS, Language
from hil_tests.page.browser import LOCALES, visiting
from hil_tests.page.house import House

pytestmark = pytest.mark.asyncio(loop_scope="package")

PATHS = ("/", "/channels", "/history", "/power", "/password", "/nowhere")
SAME = frozenset(key for key, (french, english) in WORDS.items() if french == english)
SHORT = 12
"""A shorter text may be a part of another one by chance."""


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_text_is_in_the_language_that_was_chosen(house: House, language: Language) -> None:
    """No page has a text of the other language, and each says its own language to whoever reads it aloud."""
    other = 1 - LANGUAGES.index(language)
    foreign = {said[other] for key, said in WORDS.items() if key not in SAME and "{" not in said[other]}
    async with house.visiting(language) as tab:
        for path in PATHS:
            await tab.go(path)
            assert await tab.page.get_attribute("html", "lang") == language
            text = await tab.text("body")
            assert [each for each in foreign if len(each) >= SHORT and each in text] == []


@pytest.mark.parametrize(
    ("language", "power", "moment", "cost"),
    [
        ("fr", r"\d\d\u202f\d{3}\u00a0VA", r"\d\d/\d\d/\d{4} \d\d:\d\d", r"\d+,\d\d\u00a0€"),
        ("en", r"\d\d,\d{3}\u00a0VA", r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d", r"€\d+\.\d\d"),
    ],
)
async def test_numbers_and_moments_are_written_as_each_language_does(
    house: House, language: Language, power: str, moment: str, cost: str
) -> None:
    """French has its narrow space and comma, English its comma and point; moments and amounts follow."""
    async with house.visiting(language) as tab:
        await tab.go("/")
        assert re.search(power, await tab.page.inner_text("#power"))
        assert re.search(moment, await tab.page.inner_text("#now"))
        assert re.search(cost, await tab.page.inner_text("#counters"))


@pytest.mark.parametrize(
    ("accepts", "language"),
    [("en-GB,en;q=0.9", "en"), ("fr-CH,en;q=0.8", "fr"), ("de-DE,en;q=0.7,fr;q=0.3", "en"), ("ja", "fr"), ("", "fr")],
)
async def test_the_browsers_preference_is_honoured_french_where_there_is_none(
    house: House, accepts: str, language: str
) -> None:
    """A first visit is in the language that the browser prefers of the two, and in French where it prefers neither."""
    address = house.whole.page.address
    async with visiting(house.browser, address, locale=None, extra_http_headers={"Accept-Language": accepts}) as tab:
        await tab.go("/login")
        assert await tab.page.get_attribute("html", "lang") == language


async def test_a_choice_is_kept_whatever_the_browser_prefers(house: House) -> None:
    """Chosen by its link, a language stays for the next pages and, in a cookie of this page's alone, for next time."""
    async with house.visiting("fr") as tab:
        await tab.go("/")
        await tab.page.get_by_role("link", name="English").click()
        await expect(tab.page.locator("html")).to_have_attribute("lang", "en")
        await expect(tab.page.get_by_role("link", name="English")).to_have_attribute("aria-current", "true")
        await tab.go("/channels")
        assert await tab.page.get_attribute("html", "lang") == "en"
        (kept,) = [each for each in await tab.context.cookies() if each.get("name") == "lang"]
        assert (kept.get("value"), kept.get("sameSite"), kept.get("secure")) == ("en", "Strict", True)
        await tab.page.close()
        again = await tab.context.new_page()
        await again.goto(tab.address)
        assert await again.get_attribute("html", "lang") == "en"
        assert await again.evaluate("navigator.language") == LOCALES["fr"]
