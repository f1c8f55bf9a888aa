"""Other buildings: with electricity, water or gas alone, and a box whose keys are not there yet."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from hil_tests.bench.site import GAS, LINKY, WATER
from hil_tests.bench.whole import Whole
from hil_tests.page.browser import WIDTHS
from hil_tests.page.house import House, set_up, until_text
from hil_tests.page.looks import looked_at

pytestmark = pytest.mark.asyncio(loop_scope="package")

BOTH = (WIDTHS[0], WIDTHS[-1])


@dataclass(frozen=True)
class Kind:
    """A building with one meter: what its page says of it, in French, and what it must not speak of."""

    meter: str
    says: Mapping[str, str]
    never: tuple[str, ...] = field(default=())


KINDS = (
    Kind(LINKY, {"#power": r"[\d ]+ VA il y a", "#counters": "Électricité soutirée linky"}, ("Gaz", "Eau", "Chaleur")),
    Kind(
        WATER,
        {"#counters": r"Eau water.*87,\d+ m³"},
        ("Gaz", "Chaleur", "kWh", " VA", "Puissance", "La courbe"),
    ),
    Kind(
        GAS,
        {"#counters": r"Gaz gas.*1 234,\d+ m³"},
        ("Eau", "Chaleur", "kWh", " VA", "Puissance", "La courbe"),
    ),
)


def only(text: str, meter: str) -> str:
    """Give a site file with one meter, and nothing that can be shed."""
    parts = re.split(r"\n(?=\[)", text)
    kept = [
        part
        for part in parts
        if not part.startswith(("[[", "[shedding]"))
        or (f'name = "{meter}"' in part and not part.startswith("[[load]]"))
    ]
    return "\n".join(kept)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def other(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A building whose agent does not run yet, with a page that is set up."""
    async with Whole(tmp_path_factory.mktemp("other"), heartbeat_s=1) as whole:
        await whole.page.start()
        yield House(whole, browser, await set_up(whole, browser))


async def test_a_box_without_keys_says_what_is_missing_and_lives_when_it_is_there(other: House, pictures: Path) -> None:
    """The page names each key that is missing, by its file, and shows the building when they were put there."""
    whole = other.whole
    gateway = whole.keys.gateways[whole.gateway]
    keys = {path: path.read_bytes() for path in (gateway.signing_key, gateway.centre_keys)}
    for path in keys:
        path.unlink()
    await whole.agent.start("--await-keys")
    async with other.visiting() as tab:
        await tab.go("/")
        alerts = tab.page.locator("#alerts")
        told = await until_text(alerts, lambda text: tab.says("missing") in text)
        assert all(str(path) in told for path in keys)
        assert tab.says("never_read") in await tab.text("#power")
        await expect(tab.page.locator("details.act")).to_have_count(0)
        await looked_at(tab, "overview-keys-missing", pictures)
        await tab.go("/channels")
        assert tab.says("nothing_yet") in await tab.text("main")
        await tab.go("/")
        for path, content in keys.items():
            path.touch(mode=0o600)
            path.write_bytes(content)
        # The page loads itself anew, and then has all that a building at work has.
        await expect(tab.page.locator("details.act")).to_have_count(1)
        await until_text(tab.page.locator("#power"), lambda text: "VA il y a" in text)
        await expect(alerts.locator(".note.bad")).to_have_count(0)
    await whole.agent.stop()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.meter)
async def test_a_building_with_one_meter_is_rendered(other: House, pictures: Path, kind: Kind) -> None:
    """What is metered is shown, what is not is left out or said to be absent, and nothing looks broken."""
    whole = other.whole
    whole_site = whole.site.read_text("utf-8")
    whole.site.write_text(only(whole_site, kind.meter), "utf-8")
    try:
        await whole.page.stop()
        await whole.begin()
        await whole.page.start()
        async with other.visiting() as tab:
            await tab.go("/")
            for place, pattern in kind.says.items():
                wanted = re.compile(pattern)
                await until_text(tab.page.locator(place), lambda text, wanted=wanted: bool(wanted.search(text)))  # type: ignore[misc]
            await expect(tab.page.locator("#alerts .note.bad")).to_have_count(0)
            text = await tab.text("#live")
            assert [each for each in kind.never if each in text] == []
            assert await tab.page.locator("select[name=target] option").count() == 1
            await looked_at(tab, f"overview-{kind.meter}-only", pictures, BOTH)
            await tab.go("/channels")
            assert await tab.page.locator("#channels h2").all_inner_texts() == [kind.meter]
            await looked_at(tab, f"channels-{kind.meter}-only", pictures, BOTH)
    finally:
        await whole.agent.stop()
        whole.site.write_text(whole_site, "utf-8")
