"""The demo is the promise of the first page: it keeps it, in a minute, and says so in a line that programs read."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KEYS = [
    "readings_stored",
    "readings_verified",
    "lost",
    "uncommitted_s",
    "duplicates_dropped",
    "bad_signatures",
    "shed_acknowledged",
    "shed_power_before_w",
    "shed_power_during_w",
    "restored",
    "order_to_relay_ms",
]


@pytest.fixture(name="short")
def short_folder() -> Iterator[Path]:
    """Give a folder with a short name: the demo puts a socket below it, whose path may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


async def test_the_fast_demo_keeps_its_promise(short: Path) -> None:
    """Exit 0 with nothing lost or unverified, a shed that shows on the meter and is undone, and no file left behind."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hil_tests.demo",
        cwd=ROOT,
        env={**os.environ, "DEMO_FAST": "1", "TMPDIR": str(short)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        out, _ = await process.communicate()
    told = out.decode()
    assert process.returncode == 0, told
    figures = json.loads(told.splitlines()[-1])
    assert list(figures) == KEYS
    assert (figures["lost"], figures["bad_signatures"]) == (0, 0)
    assert figures["readings_stored"] >= figures["readings_verified"] > 0
    assert 0 <= figures["uncommitted_s"] <= 10
    assert figures["shed_acknowledged"] is True
    assert figures["restored"] is True
    # 40 % of what the loads are rated for is more than a tenth of what the building draws.
    assert figures["shed_power_during_w"] < 0.9 * figures["shed_power_before_w"]
    assert figures["order_to_relay_ms"] > 0
    assert figures["duplicates_dropped"] >= 0
    assert "Traceback" not in told
    assert list(short.iterdir()) == []
