"""One browser and one building, lived in, for the tests of the page, which leave it as they found it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from hil_tests.page.browser import chromium
from hil_tests.page.house import House, housed


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A building, lived in, with a page that is set up."""
    async with housed(tmp_path_factory.mktemp("house"), browser) as running:
        yield running


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: the folder that PAGE_SCREENSHOTS names, else one that is thrown away."""
    named = os.environ.get("PAGE_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
