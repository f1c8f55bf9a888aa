"""`gateway centre listen` as its user has it: a window, a pipe, a database; and a store that cannot be written."""

import asyncio
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.centre.report import report
from gateway.centre.service import Centre
from gateway.centre.site import load_centre
from gateway.centre.store import Store
from hil_tests.bench.centres import ListeningCentre, SharedBroker, believed
from hil_tests.bench.pki import make_site_keys
from hil_tests.bench.postgres import Postgres
from hil_tests.bench.sender import Sender, uplink_settings
from hil_tests.bench.terminal import Terminal

GATEWAY = "gw-0001"
PATIENCE_S = 60.0


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[tuple[ListeningCentre, Sender]]:
    """Run a broker and a gateway's way out; the centre is there to be started."""
    keys = make_site_keys(folder / "keys", (GATEWAY,))
    broker = SharedBroker(folder / "broker", keys)
    centre = ListeningCentre(folder, "centre-1", keys, broker.port)
    broker.names = (centre.name,)
    believed(keys, [centre])
    with broker:
        gateway = keys.gateways[GATEWAY]
        settings = uplink_settings(keys, gateway, broker.port, resend_after_s=1.0)
        async with Sender(gateway, settings, folder / "outbox.db") as sender:
            yield centre, sender


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so; raise TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.05)


async def test_the_window_shows_the_newest_value_of_each_channel(tmp_path: Path) -> None:
    """On a terminal: what is connected, counted and newest; q ends it and leaves the terminal as it was."""
    async with site(tmp_path) as (centre, sender):
        words = ("centre", "listen", "--config", str(centre.config))
        async with Terminal(*words, columns=120, lines=24) as terminal:
            await sender.tell_time()
            await sender.seal(3)
            await terminal.shows(
                "centre-1 at 127.0.0.1", ", connected", "3 segments", "18 readings", "meter.east", "8 Wh"
            )
            await sender.seal(1)
            await terminal.shows("4 segments", "11 Wh", "meter.sinsts", "ok")
            shown = (terminal.on_other_page, terminal.cursor_is_hidden)
            terminal.type("q")
            assert await terminal.ends() == 0
            assert (shown, (terminal.on_other_page, terminal.cursor_is_hidden)) == ((True, True), (False, False))
            assert terminal.settings == terminal.found


async def test_csv_and_postgres_at_once_and_a_reader_that_leaves(tmp_path: Path) -> None:
    """Lines go where they are wanted, rows into the database; who reads no more ends it as any filter."""
    with Postgres() as server:
        async with site(tmp_path) as (centre, sender):
            program = (sys.executable, "-m", "gateway", "centre", "listen", "--config", str(centre.config))
            options = ("--csv", "--all", "--count", "5", "--postgres", server.conninfo)
            process = await asyncio.create_subprocess_exec(*program, *options, stdin=DEVNULL, stdout=PIPE)
            assert process.stdout is not None
            await sender.tell_time()
            await sender.seal(5)
            async with asyncio.timeout(PATIENCE_S):
                said, _ = await process.communicate()
            lines = said.decode().splitlines()
            assert process.returncode == 0
            assert len(lines) == 1 + 5 * 3 * 2
            assert lines[0] == "gateway;stream;time;channel;value;unit;state;clock"
            assert all(line.endswith(";ok;trusted") for line in lines[1:])
            await sender.done(PATIENCE_S)

            process = await asyncio.create_subprocess_exec(
                *program, "--json", "--all", "--postgres", server.conninfo, stdin=DEVNULL, stdout=PIPE
            )
            await until(lambda: _count(server) == 30)
            # All of the pipe's ends that read: asyncio's own transport has the only one.
            transport = process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
            transport.close()
            await sender.seal(1)
            async with asyncio.timeout(PATIENCE_S):
                assert await process.wait() == 141


async def test_nothing_is_receipted_that_could_not_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is full, then locked: it says so and goes on; once it can be written, all of it is there."""
    monkeypatch.setattr("gateway.centre.tables._WAIT_S", 0.3)
    async with site(tmp_path) as (listening, sender):
        database = tmp_path / "centre.db"
        async with Centre(load_centre(listening.config).settings()) as centre:
            await until(lambda: centre.connected and centre.birth(GATEWAY) is not None)
            await sender.seal(2)
            await sender.done(PATIENCE_S)
            pages = await centre._keeper.do(_pages)
            await centre._keeper.do(lambda store: _limit(store, pages))
            await sender.seal(40)
            await until(lambda: centre.standing.trouble is not None)
            assert "free space on the disk" in str(centre.standing.trouble)
            stored = centre.counts.segments
            assert (await sender.stats()).segments_pending >= 42 - stored
            await centre._keeper.do(lambda store: _limit(store, 1 << 20))
            await sender.done(PATIENCE_S)
            assert centre.standing.trouble is None

            holder = sqlite3.connect(database, isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            await sender.seal(3)
            await until(lambda: "held by another process" in str(centre.standing.trouble))
            assert (await sender.stats()).segments_pending == 3
            holder.execute("ROLLBACK")
            holder.close()
            await sender.done(PATIENCE_S)
            await until(lambda: centre.verified_readings == 2 * len(sender.values))
        fine = next(each for each in report(database, 0) if each.stream == "fine")
        assert (fine.settled_upto, fine.missing, fine.chain_breaks) == (45, 0, 0)


def _count(server: Postgres) -> int:
    if server.ask("SELECT to_regclass('gateway.progress')") == [(None,)]:
        return 0
    counted: int = server.ask("SELECT count(*) FROM gateway.reading WHERE state = 'ok' AND clock = 'trusted'")[0][0]
    return counted


def _pages(store: Store) -> int:
    pages: int = store.database.execute("PRAGMA page_count").fetchone()[0]
    return pages


def _limit(store: Store, pages: int) -> None:
    store.database.execute(f"PRAGMA max_page_count = {pages}")
