"""One building for each test, ended with it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.commands.tests.building import Building


@pytest.fixture
async def building(tmp_path: Path) -> AsyncIterator[Building]:
    """Give a building whose agent runs."""
    made = await Building(tmp_path).start()
    yield made
    await made.kill()
