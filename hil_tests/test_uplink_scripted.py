"""The uplink against a broker that refuses, keeps silent or hangs up to order."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.uplink import pacing
from gateway.wire import cose
from hil_tests.bench.pki import SiteKeys, make_site_keys
from hil_tests.bench.scripted_broker import Publish, ScriptedBroker
from hil_tests.bench.sender import Sender, uplink_settings

GATEWAY = "gw-0001"
QUOTA_EXCEEDED = 0x97
FINE = "tele/fine"
NOBODY = 9
"""A port of the loopback where nothing listens (discard)."""


@pytest.fixture(name="keys", scope="module")
def keys_fixture(tmp_path_factory: pytest.TempPathFactory) -> SiteKeys:
    """Give keys for one gateway."""
    return make_site_keys(tmp_path_factory.mktemp("pki") / "keys", (GATEWAY,))


def sender_of(keys: SiteKeys, port: int, folder: Path, **figures: object) -> Sender:
    """Make a gateway's way out on the scripted broker."""
    gateway = keys.gateways[GATEWAY]
    figures = {"resend_after_s": 600, "ahead": 500, **figures}  # nobody here gives receipts
    return Sender(gateway, uplink_settings(keys, gateway, port, **figures), folder / "o.db")


@pytest.fixture(name="wide_line")
def wide_line_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let more go at once than a line may take of which nothing is known: a silent broker tells nothing of it."""
    monkeypatch.setattr(pacing, "LEAST_BYTES", 65_536)


async def until(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something is so; raise TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.01)


def silent_on_readings(publish: Publish) -> int | None:
    """Acknowledge everything but what lies under tele/."""
    return None if publish.kind.startswith("tele/") else 0


def numbers(broker: ScriptedBroker) -> list[int]:
    """Give the sequence of every `fine` segment that came, in order."""
    return [cose.peek(publish.payload).sequence for publish in broker.published if publish.kind == FINE]


async def test_refused_segments_go_again_in_order(keys: SiteKeys, tmp_path: Path) -> None:
    """A PUBACK 0x97 leaves the segment to be sent, after a pause, lowest first; what was taken goes once."""
    refused: list[int] = []

    def answer(publish: Publish) -> int:
        if publish.kind == FINE and len(refused) < 7:
            refused.append(cose.peek(publish.payload).sequence)
            return QUOTA_EXCEEDED
        return 0

    async with sender_of(keys, NOBODY, tmp_path) as away:
        await away.seal(20, ticks=1)
    async with ScriptedBroker(keys, answer) as broker, sender_of(keys, broker.port, tmp_path) as sender:
        await until(lambda: sender.uplink.state.acked >= 20 + 3)  # and schema, birth, conn
        state = sender.uplink.state
        assert state.failed == 7
        assert sorted(numbers(broker)) == sorted([*range(1, 21), *refused])
        again = numbers(broker)[-len(set(refused)) :]
        assert again == sorted(again)
        assert state.refused_reason is None
        assert (await sender.stats()).segments_pending == 21


async def test_refusal_is_said_while_it_lasts(keys: SiteKeys, tmp_path: Path) -> None:
    """While the broker refuses, the state says so, and the pauses grow instead of flooding it."""
    async with (
        ScriptedBroker(keys, lambda publish: QUOTA_EXCEEDED if publish.kind == FINE else 0) as broker,
        sender_of(keys, broker.port, tmp_path) as sender,
    ):
        await until(lambda: sender.uplink.state.connected)
        await sender.seal(1)
        await until(lambda: sender.uplink.state.failed == 2)
        assert "0x97" in str(sender.uplink.state.refused_reason)
        assert sender.uplink.state.connected


@pytest.mark.usefixtures("wide_line")
@pytest.mark.parametrize(("receive_maximum", "most"), [(65_535, 40), (7, 6)])
async def test_window_is_kept_and_the_brokers_limit_too(
    keys: SiteKeys, tmp_path: Path, receive_maximum: int, most: int
) -> None:
    """Segments never fill the window, and the broker's Receive Maximum counts where it is smaller."""
    async with (
        ScriptedBroker(keys, silent_on_readings, receive_maximum=receive_maximum) as broker,
        sender_of(keys, broker.port, tmp_path, window=45) as sender,
    ):
        await sender.seal(80, ticks=1)
        await until(lambda: broker.most_unanswered == most)
        await asyncio.sleep(0.1)
        assert broker.most_unanswered == most
        async with asyncio.timeout(20):
            while len(broker.published) < 80 + 3:
                broker.answer_all()
                await asyncio.sleep(0.01)
        assert broker.most_unanswered == most


@pytest.mark.usefixtures("wide_line")
async def test_alarm_passes_a_full_window_and_a_backlog(keys: SiteKeys, tmp_path: Path) -> None:
    """What is signed singly is published at once although segments wait for their acknowledgements."""
    async with (
        ScriptedBroker(keys, silent_on_readings) as broker,
        sender_of(keys, broker.port, tmp_path) as sender,
    ):
        await sender.seal(100, ticks=1)
        await until(lambda: sender.uplink.state.in_flight == 45)
        assert await sender.uplink.publish("evt/alarm", b"alarm") is True
        assert broker.kinds()[-1] == "evt/alarm"


@pytest.mark.usefixtures("wide_line")
async def test_fresh_segment_passes_the_backlog(keys: SiteKeys, tmp_path: Path) -> None:
    """A segment sealed now goes before those that have waited since the line fell."""
    async with ScriptedBroker(keys, silent_on_readings) as broker:
        async with sender_of(keys, NOBODY, tmp_path) as away:
            await away.seal(150, ticks=1)
        async with sender_of(keys, broker.port, tmp_path) as sender:
            await until(lambda: len(numbers(broker)) == 44)  # and the schema: the window is full
            before = 44
            assert max(numbers(broker)) < 50
            (fresh,) = await sender.seal(1)
            broker.answer_all()
            await until(lambda: len(numbers(broker)) > before)
            assert (fresh.sequence, numbers(broker)[before]) == (151, 151)
            async with asyncio.timeout(20):
                while len(numbers(broker)) < 151:
                    broker.answer_all()
                    await asyncio.sleep(0.01)
            assert sorted(numbers(broker)) == list(range(1, 152))


async def test_refused_alarm_keeps_its_place(keys: SiteKeys, tmp_path: Path) -> None:
    """A message signed singly that was refused goes again, and only its acceptance is reported."""
    codes = [QUOTA_EXCEEDED, 0]
    async with (
        ScriptedBroker(keys, lambda publish: codes.pop(0) if publish.kind == "ack" and codes else 0) as broker,
        sender_of(keys, broker.port, tmp_path) as sender,
    ):
        assert await sender.uplink.publish("ack", b"answer") is True
        assert broker.kinds().count("ack") == 2


@pytest.mark.usefixtures("wide_line")
async def test_what_was_in_flight_goes_again_after_the_line_fell(keys: SiteKeys, tmp_path: Path) -> None:
    """A line that falls costs a repeat of what was unacknowledged, once, and nothing else."""
    async with (
        ScriptedBroker(keys, silent_on_readings) as broker,
        sender_of(keys, broker.port, tmp_path) as sender,
    ):
        await sender.seal(30, ticks=1)
        await until(lambda: len(numbers(broker)) == 30)
        broker.hang_up()
        await until(lambda: len(numbers(broker)) == 60)
        assert sorted(numbers(broker)) == sorted([*range(1, 31), *range(1, 31)])
        second = [p for p in broker.published if p.connection == 2]
        assert [p.kind for p in second[:2]] == ["state", "conn"]
        assert sender.birth_count == 2


async def test_broker_that_acknowledges_nothing_is_left(keys: SiteKeys, tmp_path: Path) -> None:
    """A broker that answers pings and acknowledges nothing is connected to anew: paho itself would wait for ever."""
    async with (
        ScriptedBroker(keys, silent_on_readings) as broker,
        sender_of(keys, broker.port, tmp_path, keepalive_s=1) as sender,
    ):
        await sender.seal(1)
        await until(lambda: numbers(broker) == [1, 1])
        assert broker.connections == 2


async def test_expired_message_is_given_up(keys: SiteKeys, tmp_path: Path) -> None:
    """A message past its expiry is not sent, and its maker is told."""
    async with ScriptedBroker(keys, lambda _: 0) as broker:
        sender = sender_of(keys, broker.port, tmp_path)
        outcome = sender.uplink.publish("evt/alarm", b"too late", expiry_s=0)
        async with sender:
            assert await outcome is False
            await until(lambda: len(broker.published) == 3)
        assert "evt/alarm" not in broker.kinds()
        assert sender.uplink.state.dropped == 1


async def test_stream_that_is_refused_holds_no_other_back(keys: SiteKeys, tmp_path: Path) -> None:
    """A broker that lets one stream not through gets the others without a pause; that one waits, and is named."""
    async with ScriptedBroker(keys, lambda publish: 0x87 if publish.kind == "tele/minute" else 0) as broker:
        async with sender_of(keys, NOBODY, tmp_path) as away:
            await away.add("minute", 100, 3)
            await away.add("fine", 100, 60)
        async with sender_of(keys, broker.port, tmp_path) as sender:
            await until(lambda: len(numbers(broker)) == 60)
            assert "of stream 'minute'" in str(sender.uplink.state.refused_reason)
            assert "0x87" in str(sender.uplink.state.refused_reason)
            assert (await sender.stats()).segments_pending == 64


async def test_segment_that_is_too_large_for_the_broker_is_told_and_passed(keys: SiteKeys, tmp_path: Path) -> None:
    """Sent, it would end the connection, and the next one, for ever; so it stays here, and the rest goes."""
    async with ScriptedBroker(keys, lambda _: 0, packet_maximum=2_000) as broker:
        async with sender_of(keys, NOBODY, tmp_path) as away:
            for size in (100, 5_000, 100):
                await away.add("fine", size)
        async with sender_of(keys, broker.port, tmp_path) as sender:
            await until(lambda: numbers(broker) == [1, 3])
            assert "the broker takes 2000" in str(sender.uplink.state.refused_reason)
            assert sender.uplink.state.reconnects == 0
            assert sender.uplink.connected


async def test_word_of_the_broker_as_a_receipt(keys: SiteKeys, tmp_path: Path) -> None:
    """With receipts = "puback" an acknowledgement ends a segment, and one that found nobody (0x10) does not."""
    nobody = [True]
    async with (
        ScriptedBroker(keys, lambda publish: 0x10 if nobody[0] and publish.kind == FINE else 0) as broker,
        sender_of(keys, broker.port, tmp_path, receipts="puback", resend_after_s=1.0, ahead=60) as sender,
    ):
        await sender.seal(50, ticks=1)
        await until(lambda: len(numbers(broker)) == 50 and sender.uplink.state.in_flight == 0)
        await until(lambda: sender.uplink.state.unreceipted == 50)  # the schema's was success
        assert (await sender.stats()).segments_pending >= 50
        nobody[0] = False
        await sender.done(60)
        assert sender.uplink.state.unreceipted == 0
        assert sorted(set(numbers(broker))) == list(range(1, 51))


async def test_metered_line_sends_what_counts_and_keeps_the_rest(keys: SiteKeys, tmp_path: Path) -> None:
    """Beyond the day's budget answers, alarms and records go, and nothing else; after a restart that is still so."""
    figures = {"receipts": "puback", "metered_bytes": 30_000}
    async with ScriptedBroker(keys, lambda _: 0) as broker:
        async with sender_of(keys, NOBODY, tmp_path) as away:
            for stream, count in (("fine", 40), ("minute", 40), ("index", 3), ("alarm", 2), ("dropped", 1)):
                await away.add(stream, 1_000, count)
        async with sender_of(keys, broker.port, tmp_path, **figures) as sender:
            await until(lambda: broker.kinds().count("tele/index") == 3)
            await until(lambda: "minute" in sender.uplink.state.day.held)
            kinds = broker.kinds()
            assert [kinds.count(f"tele/{name}") for name in ("index", "dropped", "fine")] == [3, 1, 0]
            assert kinds.count("evt/alarm") == 2
            assert kinds.count("tele/minute") < 40
            assert await sender.uplink.publish("ack", sender.sign("ack", "gw/answer;v=1", b"1")) is True
            (alarm,) = await sender.add("alarm", 2_000)
            sender.uplink.wake(alarm)
            await until(lambda: broker.kinds().count("evt/alarm") == 3)
            await until(lambda: sender.uplink.state.day.sent > 10_000)
            state = sender.uplink.state
            assert state.day.held[-1] == "fine"
            books = sender.uplink.books
        gateway = keys.gateways[GATEWAY]
        again = Sender(gateway, uplink_settings(keys, gateway, broker.port, **figures), tmp_path / "o.db", kept=books)
        minutes = broker.kinds().count("tele/minute")
        async with again:
            await until(lambda: again.uplink.connected and again.uplink.state.acked >= 2)
            assert again.uplink.state.day.sent >= state.day.sent * 0.9
            assert broker.kinds().count("tele/fine") == 0
            assert broker.kinds().count("tele/minute") <= minutes + 2
