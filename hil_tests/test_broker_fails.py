"""A broker that is away or refuses: nothing is lost, the status says what to do, and once mended everything arrives."""

import shutil
from pathlib import Path

import pytest

from hil_tests.bench.broker import Access
from hil_tests.bench.pki import Authority, Certificate
from hil_tests.bench.whole import Status, Whole, all_first_read, boot_ms
from hil_tests.books import POLL_MS, nothing_lost
from hil_tests.demo.verdict import Span


def backlog(status: Status) -> int:
    """Give how many readings have no receipt."""
    return int(status["outbox"]["readings_pending"])


async def grows(whole: Whole) -> None:
    """Wait until the backlog is well above what is always on its way."""
    before = backlog(await whole.status())
    await whole.until(lambda s: backlog(s) > before + 300, "a backlog that grows")


async def test_a_broker_that_refuses_our_readings(tmp_path: Path) -> None:
    """A PUBACK that says no (0x87) is told with what to check; the readings stay, and arrive when it is mended."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        whole.broker.restart(Access.NO_READINGS)
        said = await whole.until(lambda s: s["link"]["refused"] if s["link"]["connected"] else None, "a refusal")
        assert "0x87" in said
        assert "check its access rules and quotas; nothing is lost" in said
        await grows(whole)
        status = await whole.status()
        assert status["link"]["text"] == status["link"]["refused"]
        assert status["link"]["failed"] > 0
        whole.broker.restart(Access.CONTRACT)
        await nothing_lost(whole, since_ms)
        assert (await whole.status())["link"]["refused"] is None


@pytest.mark.parametrize("wrong", ["the broker's authority", "our certificate", "our expired certificate"])
async def test_tls_that_does_not_fit(tmp_path: Path, wrong: str) -> None:
    """The wrong CA, or a certificate that the broker does not know: told, readings kept; the right file mends it."""
    async with Whole(tmp_path) as whole:
        gateway = whole.keys.gateways[whole.gateway]
        stranger = Authority(tmp_path / "stranger", "stranger-ca")
        ca, ours = whole.keys.ca, gateway.tls
        mounted = Certificate(tmp_path / "our.crt", tmp_path / "our.key")
        place = tmp_path / "ca.crt"
        for old, new in ((ca, place), (ours.cert, mounted.cert), (ours.key, mounted.key)):
            shutil.copy(old, new)
            whole.change_site(f'"{old}"', f'"{new}"')
        if wrong == "the broker's authority":
            shutil.copy(stranger.cert, place)
            hint = "install the right one"
        else:
            days = 30 if wrong == "our certificate" else -1
            other = stranger.issue(whole.gateway, days=days)
            shutil.copy(other.cert, mounted.cert)
            shutil.copy(other.key, mounted.key)
            hint = "check that the broker's authority signed it" if days > 0 else "renew it"
        await whole.agent.start()
        await whole.agent.serving()
        said = await whole.until(lambda s: s["link"]["refused"], "a refusal")
        assert hint in said
        since_ms = await whole.until(all_first_read, "a first reading of each meter")
        await grows(whole)
        assert not (await whole.status())["link"]["connected"]
        for right, used in ((ca, place), (ours.cert, mounted.cert), (ours.key, mounted.key)):
            shutil.copy(right, used)
        await nothing_lost(whole, since_ms)


async def test_killed_while_the_broker_is_away(tmp_path: Path) -> None:
    """With a backlog and no broker SIGKILL costs what was not committed, and nothing else; chains stay whole."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        whole.broker.kill()
        await grows(whole)
        status = await whole.status()
        committed, waiting = status["outbox"]["last_commit_ms"], backlog(status)
        await whole.agent.kill()
        killed_ms = boot_ms()
        await whole.agent.start()
        again_ms = await whole.until(all_first_read, "a first reading of each meter")
        assert backlog(await whole.status()) >= waiting
        await grows(whole)
        whole.broker.start()
        verdict = await nothing_lost(whole, since_ms, Span(committed - POLL_MS, again_ms))
        assert verdict.put > waiting
        assert killed_ms - committed < 10_000
        # Repeats are dropped, never counted twice: what is stored here is what is verified there.
        stored = (await whole.status())["outbox"]["readings_stored"]
        assert whole.centre.counts.verified_readings <= stored


async def test_a_centre_that_is_away_leaves_the_readings_ours(tmp_path: Path) -> None:
    """The broker's acknowledgement is no receipt: with the broker lost before the centre has read, all goes again."""
    async with Whole(tmp_path) as whole:
        since_ms = await whole.begin()
        async with whole.centre_away():
            before = (await whole.status())["link"]["acked"]
            await whole.until(lambda s: s["link"]["acked"] > before + 3, "acknowledgements of the broker")
            assert backlog(await whole.status()) > 0
            whole.broker.restart()
        await nothing_lost(whole, since_ms)
