"""The whole agent with what a site may say of its link: a second broker, the broker's word as a receipt, a budget."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.centre.service import Centre
from gateway.wire.keys import KeySet, make_signing_key
from hil_tests.bench.broker import Broker
from hil_tests.bench.pki import CENTRE, CENTRE_EPOCH, CENTRE_ROLES, trusted
from hil_tests.bench.processes import gateway
from hil_tests.bench.whole import PATIENCE_S, Status, Whole
from hil_tests.books import nothing_lost


def say(whole: Whole, text: str) -> None:
    """Add lines to the end of the site's [broker]."""
    whole.change_site("\n[signing]", f"{text}\n\n[signing]")


def trust(whole: Whole, signing_key: Path) -> None:
    """Let the gateway believe another key of the centre, which is made."""
    key = make_signing_key(signing_key, "centre-at-the-second")
    path = whole.keys.gateways[whole.gateway].centre_keys
    known = KeySet.load(path)
    more = trusted(key, CENTRE, CENTRE_EPOCH, CENTRE_ROLES)
    path.write_text(KeySet.of([*known.keys.values(), more], revision=known.revision + 1).to_toml(), "utf-8")


def received(status: Status) -> int:
    """Give how many segments have a receipt."""
    return int(status["outbox"]["segments_received"])


async def test_a_second_broker_takes_over_and_is_left_again(tmp_path: Path) -> None:
    """The first broker dies and comes back; the platform listens at both, and misses no reading."""
    async with Whole(tmp_path) as whole:
        with Broker(tmp_path / "second", whole.keys) as second:
            lines = f'[broker.fallback]\nhost = "127.0.0.1"\nport = {second.port}\nafter_s = 1\nreturn_s = 1'
            say(whole, lines)
            signing_key = tmp_path / "second-signing.pem"
            trust(whole, signing_key)
            settings = replace(whole._centre_settings(), port=second.port, signing_key=signing_key)
            async with Centre(settings):
                since_ms = await whole.begin()
                whole.broker.kill()
                link = await whole.until(lambda s: s["link"] if s["link"]["fallback"] else None, "the second broker")
                assert link["broker"] == f"127.0.0.1:{second.port}"
                before = received(await whole.status())
                await whole.until(lambda s: received(s) > before + 3, "receipts by way of the second broker")
                _, said, _ = await gateway("doctor", "--config", whole.site)
                assert "the first broker is not reached" in said
                whole.broker.start()
                await whole.until(lambda s: s["link"]["connected"] and not s["link"]["fallback"], "the first broker")
                await nothing_lost(whole, since_ms)
                status = await whole.status()
        assert status["link"]["last_24h"]["reconnects"] >= 2
        assert status["link"]["last_failure"]["text"]
        assert status["link"]["puback_ms"]["median"] <= status["link"]["puback_ms"]["p95"]
        assert status["link"]["today"]["sent_bytes"] > 10_000


async def test_the_brokers_word_and_a_days_budget(tmp_path: Path) -> None:
    """In short: receipts come while nobody listens, then readings wait for another day's bytes; an order passes."""
    async with Whole(tmp_path) as whole:
        say(whole, 'receipts = "puback"\nmetered_mb_day = 0.012')  # which the connection alone takes
        async with asyncio.timeout(PATIENCE_S):
            while not whole.centre.connected:  # what nobody has ever subscribed to is no receipt
                await asyncio.sleep(0.05)
        async with whole.centre_away():
            await whole.begin()
            await whole.until(lambda s: received(s) > 0, "a receipt that is the broker's")
            await whole.until(lambda s: "fine" in s["link"]["today"]["held_back"], "a budget that is felt")
            before = int((await whole.status())["outbox"]["segments_pending"])
            await whole.until(lambda s: s["outbox"]["segments_pending"] > before, "fine segments that wait")
        await whole.until(lambda s: s["clock"]["trusted"], "the centre's word on the time")
        order = await whole.centre.shed(whole.gateway, 40, 60)
        await whole.centre.answered(order, "received", 30)
        await whole.until(lambda s: "fine" in s["link"]["today"]["held_back"], "readings that still wait")


@pytest.mark.soak
async def test_the_brokers_word_as_a_receipt(tmp_path: Path) -> None:
    """With receipts = "puback" the outbox empties while the platform is away; doctor says what that may cost."""
    async with Whole(tmp_path) as whole:
        say(whole, 'receipts = "puback"')
        since_ms = await whole.begin()
        async with whole.centre_away():
            before = received(await whole.status())
            await whole.until(lambda s: received(s) > before + 5, "receipts that are the broker's")
            code, said, _ = await gateway("doctor", "--config", whole.site)
            assert "the broker's word counts as a receipt" in said
            assert code == 0
        await nothing_lost(whole, since_ms)  # this broker lost nothing


@pytest.mark.soak
async def test_a_metered_link(tmp_path: Path) -> None:
    """Twenty kilobytes a day, which the connection alone takes: readings wait, after a restart too, orders do not."""
    async with Whole(tmp_path) as whole:
        say(whole, "metered_mb_day = 0.02")
        await whole.begin()
        today = await whole.until(
            lambda s: s["link"]["today"] if "fine" in s["link"]["today"]["held_back"] else None, "a budget that is felt"
        )
        assert today["budget_bytes"] == 20_000
        before = int((await whole.status())["outbox"]["segments_pending"])
        await whole.until(lambda s: s["outbox"]["segments_pending"] > before + 3, "fine segments that wait")
        _, said, _ = await gateway("status", "--config", whole.site)
        assert "of 0.02 MB today" in said
        assert "readings wait for more" in said
        used = (await whole.status())["link"]["today"]["sent_bytes"]
        assert await whole.agent.stop() == 0
        await whole.agent.start()
        status = await whole.agent.serving()
        assert status["link"]["today"]["sent_bytes"] >= used * 0.8
        assert "fine" in status["link"]["today"]["held_back"]
        order = await whole.centre.shed(whole.gateway, 40, 60)
        await whole.centre.answered(order, "received", 30)
