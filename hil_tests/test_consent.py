"""A household in the whole agent: nothing of it leaves before its consent, nothing more once that is withdrawn."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.wire.messages import Alarm, Birth
from gateway.wire.schema import Schema
from hil_tests.bench.processes import gateway
from hil_tests.bench.site import DWELLING, WATER
from hil_tests.bench.whole import Status, Whole, all_first_read, boot_ms, meter

STREAM = "fine.apt-1.research"
OF_DWELLING = (WATER, "apt-1")


async def test_nothing_of_a_household_leaves_without_its_consent(tmp_path: Path) -> None:
    """Before, after, over a restart, and what was not yet delivered when it was withdrawn."""
    async with Whole(tmp_path) as whole:
        whole.change_site("[shedding]", f"{DWELLING}\n[shedding]")
        await whole.begin()
        await whole.settled()
        # People on site see it as before.
        assert meter(await whole.status(), WATER)["last_read_ms"] is not None
        assert _told(whole) == set()
        assert STREAM not in _streams(whole)

        assert await _consent(whole, "give") == (0, "apt-1, research: given\n", "")
        given_ms = boot_ms()
        await whole.until(lambda _: STREAM in _streams(whole), "the household's readings at the centre")
        assert min(_read_ms(whole)) >= given_ms - 2_000
        assert {"birth", "schema"} <= _told(whole)

        await whole.agent.stop()
        stopped_ms = boot_ms()
        await whole.begin()
        await whole.until(lambda _: max(_read_ms(whole)) > stopped_ms, "readings after a restart")
        assert f"minute.{STREAM.partition('.')[2]}" in _streams(whole)

        await _withdrawn_while_away(whole)
        assert "birth" not in _told(whole)


async def _withdrawn_while_away(whole: Whole) -> None:
    """Withdraw while nothing can be delivered: what waits is deleted and told, and a kill changes nothing."""
    whole.broker.stop()
    stopped_ms = boot_ms()
    await whole.until(lambda status: _waits(status) > 200, "a backlog")
    assert await _consent(whole, "withdraw") == (0, "apt-1, research: withdrawn\n", "")
    withdrawn_ms = boot_ms()
    assert (await whole.status())["outbox"]["withdrawn_readings"] > 0
    await whole.agent.kill()
    await whole.agent.start()
    await whole.agent.serving()
    assert (await whole.status())["consents"] == {"dwellings": 1, "consented": 0, "uncovered": 0}
    whole.broker.start()
    await whole.until(lambda _: _reasons(whole) == {"consent"}, "the word of what was deleted", patience_s=60)
    await whole.until(all_first_read, "a reading of each meter")
    await whole.settled()
    assert boot_ms() > withdrawn_ms
    # Half a segment may have been on its way when the broker fell.
    assert max(_read_ms(whole)) <= stopped_ms + 1_000
    assert meter(await whole.status(), WATER)["last_read_ms"] > withdrawn_ms
    assert [text for kind, text in alarms(whole) if kind == "consent"] == [
        "apt-1, research: given",
        "apt-1, research: withdrawn",
    ]


async def _consent(whole: Whole, word: str) -> tuple[int, str, str]:
    order = ("consent", word, "apt-1", "research", "--who", "Mme X", "--reason", "test", "--yes")
    return await gateway(*order, "--socket", whole.state / "control.sock")


def _waits(status: Status) -> int:
    return int(status["outbox"]["readings_pending"])


def _asked(whole: Whole, query: str) -> list[Any]:
    with closing(sqlite3.connect(whole.folder / "centre.db")) as database:
        return database.execute(query).fetchall()


def _streams(whole: Whole) -> set[str]:
    return {
        name for (name,) in _asked(whole, "SELECT DISTINCT stream.name FROM message JOIN stream ON stream.id = stream")
    }


def _told(whole: Whole) -> set[str]:
    """Name what the centre knows the household from: schemas that came, and the birth that holds now."""
    schemas = {
        each.name for (blob,) in _asked(whole, "SELECT payload FROM schema") for each in Schema.decode(blob).channels
    }
    birth = whole.centre.birth(whole.gateway)
    assert isinstance(birth, Birth)
    found = set()
    if any(name.startswith(f"{WATER}.") for name in schemas):
        found.add("schema")
    if any(name in line for name in OF_DWELLING for line in birth.inventory):
        found.add("birth")
    return found


def _read_ms(whole: Whole) -> list[int]:
    """Give when each of the household's readings at the centre was taken."""
    found = [
        at_ms
        for segment in whole.centre.segments(whole.gateway)
        for name, at_ms, _, _ in segment.content.readings()
        if name.startswith(f"{WATER}.")
        if segment.stream == STREAM
    ]
    building = {segment.stream for segment in whole.centre.segments(whole.gateway) if _has_water(segment.content)}
    assert all("apt-1" in stream for stream in building)
    return found


def _has_water(content: Any) -> bool:  # noqa: ANN401 - a segment's content
    return any(name.startswith(f"{WATER}.") for name, *_ in content.readings())


def _reasons(whole: Whole) -> set[str]:
    return {reason for (reason,) in _asked(whole, "SELECT reason FROM dropped")}


def alarms(whole: Whole) -> list[tuple[str, str]]:
    """Give kind and text of each alarm that has come to the centre, in order."""
    found = [Alarm.decode(blob) for (blob,) in _asked(whole, "SELECT payload FROM alarm ORDER BY rowid")]
    return [(each.kind, each.text) for each in found]
