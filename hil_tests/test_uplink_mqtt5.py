"""What the contract takes from MQTT 5 is there on the wire, seen by another client of a real broker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.uplink.settings import Inbound
from gateway.wire import cose
from hil_tests.bench.broker import Broker
from hil_tests.bench.line import GATEWAY, sender_of, until
from hil_tests.bench.pki import SiteKeys, make_site_keys
from hil_tests.bench.raw_client import RawClient
from hil_tests.bench.relay import Relay

TOPIC = f"gw/v1/{GATEWAY}"


@pytest.fixture(name="keys", scope="module")
def keys_fixture(tmp_path_factory: pytest.TempPathFactory) -> SiteKeys:
    """Give keys for a gateway and a centre."""
    return make_site_keys(tmp_path_factory.mktemp("pki") / "keys", (GATEWAY,))


@pytest.fixture(name="broker")
def broker_fixture(tmp_path: Path, keys: SiteKeys) -> Iterator[Broker]:
    """Give a running broker."""
    with Broker(tmp_path / "broker", keys) as broker:
        yield broker


def platform(keys: SiteKeys, broker: Broker) -> RawClient:
    """Make a client that may read all that gateways say."""
    return RawClient(keys, keys.centre, broker.port, "centre")


def named(client: RawClient, kind: str) -> list[Any]:
    """Give what came under a topic."""
    return [message for message in client.received if message.topic == f"{TOPIC}/{kind}"]


async def test_content_type_correlation_expiry(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """Each message bears the content type of its own signed header; an answer its command's id; a question its end."""
    async with platform(keys, broker) as centre, sender_of(keys, broker.port, tmp_path) as sender:
        centre.subscribe("gw/v1/+/#")
        await until(lambda: sender.uplink.connected)
        await sender.seal(2)
        (alarm,) = await sender.add("alarm", 100)
        sender.uplink.wake(alarm)
        answer = sender.sign("ack", "gw/answer;v=1", b"answer")
        sender.uplink.publish("ack", answer, correlation=b"command-7")
        sender.uplink.publish("evt/time", sender.sign("evt", "gw/time-request;v=1", b"when"), expiry_s=10)
        wanted = ("state", "tele/schema", "tele/fine", "evt/alarm", "ack", "evt/time")
        await until(lambda: all(named(centre, kind) for kind in wanted))
        for kind in wanted:
            for message in named(centre, kind):
                assert message.properties.ContentType == cose.peek(message.payload).content, kind
                assert message.qos == 1
        assert named(centre, "ack")[0].properties.CorrelationData == b"command-7"
        assert 1 <= named(centre, "evt/time")[0].properties.MessageExpiryInterval <= 10
        assert not hasattr(named(centre, "tele/fine")[0].properties, "MessageExpiryInterval")


async def test_birth_is_retained_and_the_will_never_takes_its_place(
    keys: SiteKeys, broker: Broker, tmp_path: Path
) -> None:
    """Whoever comes later hears the signed birth; `conn` alone tells of a line that was cut, a while after."""
    async with (
        Relay(broker.port) as relay,
        platform(keys, broker) as centre,
        sender_of(keys, relay.port, tmp_path, will_delay_s=1) as sender,
    ):
        await until(lambda: sender.uplink.connected)
        centre.subscribe(f"{TOPIC}/state")
        centre.subscribe(f"{TOPIC}/conn")
        await until(lambda: bool(named(centre, "state") and named(centre, "conn")))
        assert cose.peek(named(centre, "state")[0].payload).content.startswith("gw/birth")
        relay.refusing = True
        relay.cut()
        await until(lambda: named(centre, "conn")[-1].payload == b"offline")
        relay.refusing = False
        await until(lambda: named(centre, "conn")[-1].payload == b"online")
        assert all(cose.peek(each.payload).content.startswith("gw/birth") for each in named(centre, "state"))
    async with platform(keys, broker) as late:
        late.subscribe(f"{TOPIC}/state")
        late.subscribe(f"{TOPIC}/conn")
        await until(lambda: bool(named(late, "state") and named(late, "conn")))
        assert named(late, "state")[0].retain
        assert (named(late, "conn")[0].payload, bool(named(late, "conn")[0].retain)) == (b"offline", True)


async def test_line_that_is_back_soon_is_no_absence(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A cut that lasts less than the will's delay is told to nobody."""
    async with (
        Relay(broker.port) as relay,
        platform(keys, broker) as centre,
        sender_of(keys, relay.port, tmp_path, will_delay_s=20) as sender,
    ):
        centre.subscribe(f"{TOPIC}/conn")
        await until(lambda: bool(named(centre, "conn")))
        relay.cut()
        await until(lambda: sender.uplink.state.reconnects == 1 and sender.uplink.connected)
        await until(lambda: len(named(centre, "conn")) == 2)
        assert [each.payload for each in named(centre, "conn")] == [b"online", b"online"]


async def test_session_keeps_orders_and_expiry_ends_them(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """An order that comes while the gateway is away waits in the broker; one whose time has passed dies there."""
    async with platform(keys, broker) as centre:
        async with sender_of(keys, broker.port, tmp_path) as sender:
            await until(lambda: sender.uplink.connected and sender.uplink.state.acked >= 3)
        assert await centre.published(f"{TOPIC}/cmd", b"too late", expiry_s=1) == 0
        assert await centre.published(f"{TOPIC}/cmd", b"in time", expiry_s=600) == 0
        await asyncio.sleep(2.1)
        async with sender_of(keys, broker.port, tmp_path) as sender:
            await until(lambda: bool(sender.heard))
            await asyncio.sleep(0.2)
            heard = [each for each in sender.heard if isinstance(each, Inbound)]
        assert [(each.kind, each.payload) for each in heard] == [("cmd", b"in time")]
