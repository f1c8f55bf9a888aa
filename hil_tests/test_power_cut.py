"""The power of the whole box goes, again and again: at most ten seconds of readings are lost each time, and no more.

The agent's databases lie on a card (`buffer.tests.card`) that knows what the kernel has flushed. At a cut the agent is
stopped, the card is left as a power cut would leave it, the agent is killed; then both start from what is left.
"""

import asyncio
import os
import random
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from buffer.tests import card
from buffer.tests.card import Card, mounted
from hil_tests.bench.whole import QUICK, Whole, all_first_read, boot_ms
from hil_tests.books import POLL_MS, nothing_lost
from hil_tests.demo.verdict import Span
from hil_tests.test_consent import alarms

CUTS = 8
JOURNAL_S = 10
"""As a building in service has it."""

SLACK_MS = 3_000
"""A commit takes its time on a machine that does much else, and a poll that was due during it comes late."""


@pytest.mark.soak
@pytest.mark.skipif(card.why_not() is not None, reason=str(card.why_not()))
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_cut_costs_ten_seconds_at_most(tmp_path: Path, seed: int) -> None:
    """What was committed before a cut arrives, once, in one unbroken chain, and is ten seconds old at most."""
    rng = random.Random(seed)
    async with Whole(tmp_path, tempo=replace(QUICK, journal_s=JOURNAL_S, seal_up_s=10, seal_down_s=20)) as whole:
        disk = tmp_path / "disk"
        whole.change_site(f'directory = "{whole.state}"', f'directory = "{disk / "gateway"}"')
        image: Path | None = None
        lost: list[Span] = []
        windows: list[int] = []
        since_ms = committed_ms = 0
        for number in range(CUTS):
            with _inserted(Card(tmp_path / f"card-{number}", image=image), disk) as card_:
                await whole.agent.start()
                first_ms = await whole.until(all_first_read, "a first reading of each meter")
                since_ms = since_ms or first_ms
                if committed_ms:
                    lost.append(Span(committed_ms - POLL_MS, first_ms))
                await asyncio.sleep(rng.uniform(1, 2.5 * JOURNAL_S))
                os.kill(whole.agent.pid, signal.SIGSTOP)
                cut_ms = boot_ms()
                image, _ = card_.cut(seed * 100 + number)
                await whole.agent.kill()
            committed_ms = _newest(image, tmp_path / "look")
            assert committed_ms >= first_ms
            windows.append(cut_ms - committed_ms)
            assert windows[-1] <= JOURNAL_S * 1000 + SLACK_MS
        with _inserted(Card(tmp_path / "card-last", image=image), disk):
            await whole.agent.start()
            first_ms = await whole.until(all_first_read, "a first reading of each meter")
            lost.append(Span(committed_ms - POLL_MS, first_ms))
            await nothing_lost(whole, since_ms, *lost)
            assert not [text for _, text in alarms(whole) if "damaged" in text]
            await whole.agent.stop()
    print(f"readings that no commit had seen, ms before each cut: {sorted(windows)}")


@contextmanager
def _inserted(card_: Card, disk: Path) -> Iterator[Card]:
    """Mount a card where the agent looks for its disk."""
    with card_:
        disk.unlink(missing_ok=True)
        disk.symlink_to(card_.mount)
        yield card_


def _newest(image: Path, look: Path) -> int:
    """Give the time of the newest reading that a cut has left, and hold the outbox to its own count of readings."""
    with mounted(image, look) as root, closing(sqlite3.connect(root / "gateway" / "outbox.db")) as outbox:
        newest = [
            outbox.execute(f"SELECT coalesce(max(last_ms), 0) FROM {rows}").fetchone()[0]  # noqa: S608 - the test's own
            for rows in (
                "journal WHERE stream = 'fine'",
                "segment JOIN stream ON stream.id = segment.stream WHERE name = 'fine'",
            )
        ]
    return int(max(newest))
