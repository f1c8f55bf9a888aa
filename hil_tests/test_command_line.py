"""The command line against the real agent, as programs: at work, killed, and started again."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from hil_tests.bench.whole import Whole

SCHEMAS = {
    "status": "gateway/status/1",
    "doctor": "gateway/doctor/1",
    "channels": "gateway/channels/1",
    "queue stats": "gateway/queue-stats/1",
    "queue peek": "gateway/queue-peek/1",
    "queue verify": "gateway/queue-verify/1",
}
COULD_BE = {"doctor": {0, 6}}
"""Whether this machine's clock is known is its own affair, and it is only a warning."""


OPT_OUT = "commands opt-out {} --for 1h --reason exams --yes"


async def gateway(site: Path, words: str) -> tuple[int, Any]:
    """Run a command with --json; give its exit code and what it printed, the last line where it is many."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *words.split(),
        "--config",
        str(site),
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    assert process.returncode is not None
    lines = out.decode().splitlines()
    return process.returncode, json.loads(lines[-1]) if lines else None


async def test_every_command_at_work_and_after_a_kill(tmp_path: Path) -> None:
    """Beside an agent at work each ends well; after kill -9 the files still tell all, and the agent starts again.

    Nothing that was looked at is changed by it: what the agent then sends is whole at the centre.
    """
    async with Whole(tmp_path) as whole:
        await whole.begin()
        await whole.settled()
        for words, schema in SCHEMAS.items():
            code, told = await gateway(whole.site, words)
            assert code in COULD_BE.get(words, {0}), (words, told)
            assert told["schema"] == schema
        names = [channel["name"] for channel in (await gateway(whole.site, "channels"))[1]["channels"]]
        code, read = await gateway(whole.site, f"read {names[0]}")
        assert (code, read["name"]) == (0, names[0])
        code, last = await gateway(whole.site, f"tail {names[0]} --count 2 --interval 0.1")
        assert (code, last["name"]) == (0, names[0])
        assert last["boot_ms"] > read["boot_ms"]

        await whole.agent.kill()
        code, counted = await gateway(whole.site, "queue stats")
        assert (code, counted["source"]) == (0, "file")
        code, verified = await gateway(whole.site, "queue verify")
        assert code == 0, verified
        assert {each["stream"] for each in verified["streams"]} >= {"fine", "schema"}
        code, examined = await gateway(whole.site, "doctor")
        failed = [each["check"] for each in examined["checks"] if each["state"] == "failed"]
        assert (code, failed) == (5, ["agent"])
        assert (await gateway(whole.site, "channels"))[0] == 3
        code, ordered = await gateway(whole.site, "commands list")
        assert (code, ordered["source"], ordered["commands"]) == (0, "file", [])

        await whole.begin()
        await whole.settled()
        assert (await gateway(whole.site, "queue verify"))[0] == 0
        counts = whole.centre.counts
        assert (counts.bad_signatures, counts.chain_breaks, counts.conflicts, counts.gaps) == (0, 0, 0, 0)


async def test_an_opt_out_is_given_listed_and_shown(tmp_path: Path) -> None:
    """The real agent takes an opt-out, lists it with its order, shows that order, and knows no load of another name."""
    async with Whole(tmp_path) as whole:
        await whole.begin()
        code, given = await gateway(whole.site, OPT_OUT.format("building"))
        assert (code, given["schema"], given["target"]) == (0, "gateway/opt-out/1", "building")
        assert (await gateway(whole.site, OPT_OUT.format("nothing")))[0] == 4
        code, listed = await gateway(whole.site, "commands list")
        (order,) = listed["commands"]
        (opt_out,) = listed["opt_outs"]
        assert (code, opt_out["target"], opt_out["reason"]) == (0, "building", "exams")
        code, shown = await gateway(whole.site, f"commands show {order['id']}")
        assert (code, shown["schema"], shown["id"]) == (0, "gateway/command/1", order["id"])
        assert (await gateway(whole.site, "commands show none"))[0] == 4
