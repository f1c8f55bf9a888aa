"""The whole agent on a card that refuses: metering goes on, everybody is told, nothing that was committed is harmed."""

import contextlib
import json
import os
import resource
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from buffer.tests import card
from buffer.tests.card import Card
from gateway.web.alerts import alerts
from gateway.web.shedding import Shedding
from hil_tests.bench.processes import gateway
from hil_tests.bench.whole import Status, Whole, all_first_read, boot_ms
from hil_tests.books import POLL_MS, nothing_lost
from hil_tests.demo.verdict import Span
from hil_tests.test_consent import alarms

CARD_BYTES = 12 << 20


def failure(status: Status) -> str | None:
    """Give what is wrong with the disk."""
    found: str | None = status["outbox"]["failure"]
    return found


async def goes_on(whole: Whole, said: str, *, all_refused: bool = True) -> None:
    """Hold the agent to what it promises while the disk refuses: it meters, and says what is wrong and what to do."""
    text = await whole.until(failure, "a failure of the disk")
    assert said in text
    before = await whole.status()
    again = await whole.until(
        lambda status: status if status["readings_taken"] > before["readings_taken"] + 80 else None, "more readings"
    )
    # A full card still takes what fits into pages that are there already.
    assert not all_refused or again["outbox"]["last_commit_ms"] == before["outbox"]["last_commit_ms"]
    assert again["outbox"]["given_up_readings"] == 0
    shown = alerts(again, [], cast("Shedding", SimpleNamespace(running=())), silent_ms=0)
    assert [alert.detail for alert in shown if alert.key == "storage"] == [failure(again)]


async def tells(whole: Whole, said: str) -> None:
    """Hold the command line to telling a technician what is wrong, as long as it is."""
    code, told, _ = await gateway("doctor", "--config", whole.site, "--json")
    assert code == 5
    (storing,) = (each for each in json.loads(told)["checks"] if each["check"] == "storing")
    assert (storing["state"], said in storing["text"]) == ("failed", True)
    code, told, _ = await gateway("status", "--config", whole.site)
    assert said in told


async def test_a_disk_that_refuses_for_a_while(tmp_path: Path) -> None:
    """Every write is refused (a limit of the kernel stands in for the disk), then none: all that was read arrives."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        await whole.settled()
        _, hard = resource.prlimit(whole.agent.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(whole.agent.pid, resource.RLIMIT_FSIZE, (1, hard))
        await goes_on(whole, "check the disk")
        await tells(whole, "check the disk")
        resource.prlimit(whole.agent.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        await whole.until(lambda status: failure(status) is None, "a disk that works again")
        await nothing_lost(whole, since_ms)
        told = [text for kind, text in alarms(whole) if kind == "storage"]
        assert ["wait in memory" in told[0], told[1]] == [True, "the disk takes readings again"]


@pytest.mark.skipif(card.why_not() is not None, reason=str(card.why_not()))
async def test_a_full_card_then_one_that_fails(tmp_path: Path) -> None:
    """Full, with room again: nothing is lost. Failing until it is read-only: after a start all committed arrives."""
    with Card(tmp_path / "card", size=CARD_BYTES) as failing:
        async with Whole(tmp_path) as whole:
            folder = failing.mount / "gateway"
            whole.change_site(f'directory = "{whole.state}"', f'directory = "{folder}"')
            since_ms = await whole.begin()
            filler = failing.mount / "filler"
            fill(filler)
            await goes_on(whole, "no room", all_refused=False)
            filler.unlink()
            await whole.until(lambda status: failure(status) is None, "room again")
            await nothing_lost(whole, since_ms)

            failing.fail(write=True, flush=True)
            await goes_on(whole, "check the disk")
            committed = (await whole.status())["outbox"]["last_commit_ms"]
            await whole.agent.kill()  # its answer to the power switch
            failing.fail()
            _mount_again(failing.mount)
            await whole.agent.start()
            again_ms = await whole.until(all_first_read, "a first reading of each meter")
            await nothing_lost(whole, since_ms, Span(committed - POLL_MS, again_ms))
            assert boot_ms() > again_ms
            assert not [text for _, text in alarms(whole) if "damaged" in text]


def _mount_again(place: Path) -> None:
    """Let the kernel take the card anew, as a start of the machine does: it gives up one that failed for good."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    (device,) = (words[0] for words in mounts if words[1] == str(place))
    subprocess.run(["umount", str(place)], check=True)
    subprocess.run(["mount", "-t", "ext4", device, str(place)], check=True)


def fill(filler: Path) -> None:
    """Write into a file until its disk is full: what the kernel set aside for the writes themselves, too."""
    with filler.open("wb", buffering=0) as file:
        for _ in range(3):
            with contextlib.suppress(OSError):
                while file.write(bytes(65_536)):
                    pass
            os.fsync(file.fileno())
