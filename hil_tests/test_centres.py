"""Several centres side by side, as processes: one store, one shared subscription, any of them killed at any time."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.centre import decode
from gateway.centre.report import report, tallies
from gateway.centre.tables import read_only
from gateway.wire.messages import Heartbeat
from hil_tests.bench.centres import ListeningCentre, SharedBroker, believed
from hil_tests.bench.pki import make_site_keys
from hil_tests.bench.processes import tail
from hil_tests.bench.sender import Sender, uplink_settings

GATEWAY = "gw-0001"
PATIENCE_S = 60.0


async def until(true: Callable[[], bool], *centres: ListeningCentre) -> None:
    """Wait until something is so; else tell what the centres have said."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError("\n".join(f"{each.name}: {tail(each.log)}" for each in centres)) from None


@asynccontextmanager
async def side_by_side(folder: Path, count: int) -> AsyncIterator[tuple[Sender, list[ListeningCentre]]]:
    """Run a broker, so many centres, and a gateway's way out."""
    keys = make_site_keys(folder / "keys", (GATEWAY,))
    broker = SharedBroker(folder / "broker", keys)
    centres = [ListeningCentre(folder, f"centre-{number}", keys, broker.port) for number in range(1, count + 1)]
    broker.names = tuple(each.name for each in centres)
    believed(keys, centres)
    with broker:
        try:
            for each in centres:
                await each.start("--json")
            await until(lambda: all("listens" in each.log.read_text() for each in centres), *centres)
            gateway = keys.gateways[GATEWAY]
            settings = uplink_settings(keys, gateway, broker.port, resend_after_s=1.0)
            async with Sender(gateway, settings, folder / "outbox.db") as sender:
                yield sender, centres
        finally:
            for each in centres:
                await each.end(signal.SIGKILL)


def read(store: Path) -> list[int | str | None]:
    """Give every value of one channel that the store can decode, in order."""
    return [value for table in decode.tables(store, GATEWAY, "meter") for value in table.columns["meter.east"]]


ROUNDS = pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=pytest.mark.soak)])


@ROUNDS
async def test_three_centres_lose_nothing_and_count_nothing_twice_while_any_is_killed(
    tmp_path: Path, rounds: int
) -> None:
    """All is committed once, receipted, and shown once and in order, whichever took it and whichever died meanwhile.

    When the one on duty dies another takes over, with numbers that gateways take; one that signs with the key of
    another does not start.
    """
    chance, store, sealed = random.Random(rounds), tmp_path / "centre.db", 30 * rounds
    async with side_by_side(tmp_path, 3) as (sender, centres):
        await sender.tell_time()
        for _ in range(rounds):
            victim = chance.choice(centres[1:])
            await sender.seal(15)
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            await victim.end(signal.SIGKILL)
            await sender.seal(15)
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            await victim.start("--json")
        await sender.done(PATIENCE_S)
        await until(lambda: tallies(store).get("readings") == 2 * len(sender.values), *centres)
        assert read(store) == sender.values
        fine = next(each for each in report(store, 0) if each.stream == "fine")
        assert (fine.messages, fine.settled_upto, fine.missing) == (sealed, sealed, 0)
        assert (fine.chain_breaks, fine.conflicts, fine.unplaced) == (0, 0, 0)
        with read_only(store) as database:
            takers = dict(database.execute("SELECT taker, count(*) FROM message GROUP BY taker").fetchall())
        assert len(takers) == 3
        await until(lambda: len(centres[0].lines("segment")) == sealed, *centres)
        shown = [each["value"] for each in centres[0].lines("reading") if each["channel"] == "meter.east"]
        assert shown == sender.values

        on_duty = next(each for each in centres if each.key.key_id == heard_from(sender)[-1])
        await on_duty.end(signal.SIGKILL)
        await until(lambda: heard_from(sender)[-1] != on_duty.key.key_id, *centres)
        thief = on_duty.config.with_name("thief.toml")
        other = next(each for each in centres if each is not on_duty)
        thief.write_text(other.config.read_text("utf-8").replace(f'name = "{other.name}"', 'name = "thief"'), "utf-8")
        on_duty.config = thief
        await on_duty.start()
        await until(lambda: not on_duty.running, *centres)
        assert "give each centre its own" in on_duty.log.read_text()
        assert await other.end() == 0


def heard_from(sender: Sender) -> list[bytes]:
    """Name the keys that have signed the heartbeats that the gateway has heard, one after another."""
    return [each.key_id for each in sender.headers if each.content == Heartbeat.CONTENT]
