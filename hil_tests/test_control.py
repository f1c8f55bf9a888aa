"""The control socket of the whole agent: what people on site see and order there, while the centre sheds."""

import asyncio
import contextlib
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from gateway.control import client
from gateway.wire.messages import Alarm
from hil_tests.bench.site import LINKY
from hil_tests.bench.whole import PATIENCE_S, Whole
from hil_tests.test_commands import answer, commanded

EAST = f"{LINKY}.east"


async def ask(whole: Whole, resource: str) -> Any:  # noqa: ANN401 - JSON is what it is
    """Read something at the agent's socket."""
    return await asyncio.to_thread(client.get, whole.state / "control.sock", resource)


def _commands_until(whole: Whole, last: str) -> list[str]:
    """Listen to answers to commands, on a connection of its own, until one has that state."""
    heard: list[str] = []
    for event in client.stream(whole.state / "control.sock", "/v1/events", {"kind": "commands"}):
        if event["event"] == "commands":
            heard.append(event["state"])
            if event["state"] == last:
                break
    return heard


async def _alarms(whole: Whole) -> list[tuple[str, str]]:
    """Give kind and text of each alarm that the centre has verified and kept, once there is one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.closing(sqlite3.connect(whole.folder / "centre.db")) as kept:
            found = [Alarm.decode(payload) for (payload,) in kept.execute("SELECT payload FROM alarm")]
        if found:
            return [(each.kind, each.text) for each in found]
        await asyncio.sleep(0.1)
    raise TimeoutError("the centre has kept no alarm")


async def test_an_opt_out_ends_what_the_centre_sheds(tmp_path: Path) -> None:
    """People on site end a shed and bar the next one; the loads go back, the centre is told who and why."""
    async with commanded(tmp_path) as (whole, _, before):
        listening = asyncio.create_task(asyncio.to_thread(_commands_until, whole, "rejected"))
        command = await whole.centre.shed(whole.gateway, 40, 600)
        await answer(whole, command, "started")
        assert await whole.loads() != before
        order: dict[str, str | int] = {"target": "building", "reason": "visite", "duration_s": 600, "role": "manager"}
        ordered = await asyncio.to_thread(client.post, whole.state / "control.sock", "/v1/opt-out", order)
        assert ordered["accepted"] is True
        await whole.until(lambda status: not status["shedding"]["running"], "the end of the shed")
        assert await whole.loads() == before
        told = await ask(whole, f"/v1/commands/{command}")
        assert (told["over"], told["reason"]) == (True, "local_override")
        (opt_out,) = (await ask(whole, "/v1/opt-out"))["opt_outs"]
        assert (opt_out["target"], opt_out["reason"], opt_out["role"]) == ("building", "visite", "manager")
        barred = await whole.centre.shed(whole.gateway, 40, 600)
        await answer(whole, barred, "rejected")
        told_centre = await _alarms(whole)
        assert ("opt_out", "building for 600 s, by the manager: visite") in told_centre
        async with asyncio.timeout(20):
            heard = await listening
        assert (heard[0], heard[-1]) == ("received", "rejected")
        assert "started" in heard


async def test_the_history_survives_the_end_of_the_agent(tmp_path: Path) -> None:
    """What was read up to a stop is in the history of the next start, by minute and by day, as the meter had it."""
    async with Whole(tmp_path) as whole:
        await whole.begin()
        await whole.until(lambda status: status["clock"]["trusted"], "a trusted clock")
        # The first frame is one that we came in the middle of: the index may be missing in it.
        known = await whole.until(lambda s: [c for c in s["channels"] if c["name"] == EAST] or None, "the energy index")
        await whole.agent.stop()
        await whole.agent.start()
        await whole.until(lambda status: status["clock"]["trusted"], "a trusted clock")
        found = await ask(whole, f"/v1/history/{EAST}")
        assert found["unit"] == "Wh"
        counts = [row[-1] for row in found["rows"]]
        assert counts
        assert min(counts) > 0
        assert found["rows"][-1][2] >= known[0]["value"]
        (day, *values) = (await ask(whole, f"/v1/history/{EAST}?resolution=day"))["rows"][-1]
        assert len(day) == len("2026-01-01")
        assert values[1] == found["rows"][-1][2]
        # The card spoils a page of it: what waits for the centre stays whole, and the history is made again from that.
        await whole.agent.stop()
        spoil(whole.state / "outbox.db", "history_day")
        await whole.agent.start()
        await whole.until(lambda status: status["clock"]["trusted"], "a trusted clock")
        await whole.until(lambda status: status["history"]["made_again"] is None, "the history made again")
        again = await ask(whole, f"/v1/history/{EAST}")
        # What came before the clock was known had been placed a minute late at most; clock records place it exactly.
        assert abs(again["rows"][0][0] - found["rows"][0][0]) <= 60
        assert again["rows"][0][3] == found["rows"][0][3]
        assert (await ask(whole, f"/v1/history/{EAST}?resolution=day"))["rows"][-1][1] == values[0]
        alarms = await _alarms(whole)
        assert any("the history was damaged" in text for _, text in alarms)
        await whole.settled()
        assert whole.centre.counts.chain_breaks == 0


def spoil(path: Path, table: str) -> None:
    """Fill a page of a table with noise, as a worn card does."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT max(pageno) FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)
        ).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = random.Random(1).randbytes(4096)
    path.write_bytes(content)


async def test_readings_are_heard_as_they_come(tmp_path: Path) -> None:
    """A listener is told each tick of each group, with its values, within the tick."""
    async with Whole(tmp_path) as whole:
        await whole.begin()

        def listen() -> set[str]:
            names: set[str] = set()
            for event in client.stream(whole.state / "control.sock", "/v1/events", {"kind": "readings"}):
                names |= {channel["name"] for channel in event.get("channels", ())}
                if EAST in names and len({name.partition(".")[0] for name in names}) > 1:
                    break
            return names

        async with asyncio.timeout(20):
            heard = await asyncio.to_thread(listen)
        known = {channel["name"] for channel in (await ask(whole, "/v1/channels"))["channels"]}
        assert heard <= known
