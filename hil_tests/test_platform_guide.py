"""The platform's guide is true: its example, as it stands there, receives, verifies and sheds a whole building."""

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from hil_tests.bench.whole import Whole

GUIDE = Path(__file__).parents[1] / "docs" / "platform.md"
PATIENCE_S = 60


async def test_the_example_of_the_guide_sheds_a_building(tmp_path: Path) -> None:
    """What the platform's people copy connects, verifies, is answered step by step, and leaves every load as it was."""
    example = tmp_path / "example.py"
    (found,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    example.write_text(found, "utf-8")
    async with Whole(tmp_path / "building") as whole, whole.centre_away():
        keys = {
            "ca.pem": whole.keys.ca,
            "centre.pem": whole.keys.centre.cert,
            "centre.key": whole.keys.centre.key,
            "signing.pem": whole.keys.centre_signing_key,
            "gateways.toml": whole.keys.gateway_keys,
        }
        folder = tmp_path / "keys"
        folder.mkdir(mode=0o700)
        for name, path in keys.items():
            shutil.copy(path, folder / name)
        before = await whole.loads()
        where = ("127.0.0.1", str(whole.broker.port), str(folder), whole.gateway)
        process = await asyncio.create_subprocess_exec(sys.executable, str(example), *where, stdout=PIPE, stderr=STDOUT)
        try:
            # After the centre, so that its question for the time is answered at once.
            await whole.begin()
            async with asyncio.timeout(PATIENCE_S):
                said = (await process.communicate())[0].decode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, said
        first, *steps = said.splitlines()
        assert "bad_signatures=0, malformed=0, misplaced=0, chain_breaks=0, conflicts=0" in first
        states = [state for step in steps if (state := step.split()[0]) != "needs_time"]
        assert states[:3] == ["received", "accepted", "started"]
        assert states[-2:] == ["releasing", "completed"]
        assert sum((await whole.writes()).values()) > 0
        assert await whole.loads() == before
