"""From a sealed segment to the centre's receipt, over a real mosquitto; and what happens where something fails."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.centre.service import Centre
from gateway.uplink.settings import Inbound
from gateway.wire import cose
from gateway.wire.keys import KeySet, make_signing_key
from gateway.wire.messages import Command, Heartbeat, Receipt, Resend, TimeReply
from hil_tests.bench.broker import Access, Broker
from hil_tests.bench.line import GATEWAY, centre_of, read, sender_of, until
from hil_tests.bench.pki import CENTRE_EPOCH, Authority, SiteKeys, make_site_keys
from hil_tests.bench.raw_client import RawClient
from hil_tests.bench.sender import STREAM, Sender, uplink_settings

OTHER = "gw-0002"


@pytest.fixture(name="keys", scope="module")
def keys_fixture(tmp_path_factory: pytest.TempPathFactory) -> SiteKeys:
    """Give keys for two gateways and a centre."""
    return make_site_keys(tmp_path_factory.mktemp("pki") / "keys", (GATEWAY, OTHER))


@pytest.fixture(name="broker")
def broker_fixture(tmp_path: Path, keys: SiteKeys) -> Iterator[Broker]:
    """Give a running broker."""
    with Broker(tmp_path / "broker", keys) as broker:
        yield broker


@asynccontextmanager
async def both(keys: SiteKeys, broker: Broker, folder: Path, **figures: object) -> AsyncIterator[tuple[Centre, Sender]]:
    """Run a centre that is connected, and a gateway."""
    async with centre_of(keys, broker.port, folder) as centre:
        await until(lambda: centre.connected)
        async with sender_of(keys, broker.port, folder, **figures) as sender:
            yield centre, sender


async def test_what_is_sealed_is_verified_receipted_and_done(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """Every reading arrives verified and in order, and only the centre's receipt ends its segment."""
    async with both(keys, broker, tmp_path) as (centre, sender):
        await sender.seal(60)
        await sender.done()
        await until(lambda: centre.verified_readings == 2 * len(sender.values))
        assert read(centre) == sender.values
        assert centre.counts.segments == 60
        assert (centre.counts.duplicates_dropped, centre.counts.chain_breaks) == (0, 0)
        await until(lambda: centre.counts.gaps == 0)
        stats = await sender.stats()
        assert (stats.segments_pending, stats.segments_received) == (0, 61)


async def test_broker_killed_while_it_drains_loses_nothing(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A broker that dies twice in the middle of a backlog costs repeats at most."""
    async with both(keys, broker, tmp_path, resend_after_s=1.0) as (centre, sender):
        for _ in range(2):
            await sender.seal(100, ticks=1)
            broker.kill()
            await sender.seal(20, ticks=1)
            await until(lambda: not sender.uplink.state.connected)
            broker.start()
        await sender.done()
        await until(lambda: centre.verified_readings == 2 * len(sender.values))
        assert read(centre) == sender.values
        assert centre.counts.bad_signatures == 0


async def test_nothing_is_published_while_the_broker_is_away(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """Without a connection nothing is handed to paho, which would keep it and send it a second time."""
    async with both(keys, broker, tmp_path) as (_, sender):
        await until(lambda: sender.uplink.state.connected)
        broker.kill()
        await until(lambda: not sender.uplink.state.connected)
        sent = sender.uplink.state.sent
        await sender.seal(5)
        alarm = sender.uplink.publish("evt/alarm", b"queued")
        late = sender.uplink.publish("evt/time", b"qos 0", qos=0)
        assert sender.uplink.state.sent == sent
        assert "nothing listens" in sender.uplink.state.text or "ended" in sender.uplink.state.text
        assert await late is False
        broker.start()
        assert await alarm is True
        await sender.done()


async def test_broker_without_a_subscriber_loses_nothing(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A PUBACK with 0x10 is no failure and no proof: all of it goes again once the centre is there."""
    async with sender_of(keys, broker.port, tmp_path, resend_after_s=0.5) as sender:
        await sender.seal(30)
        await until(lambda: sender.uplink.state.acked >= 33)
        assert sender.uplink.state.failed == 0
        assert (await sender.stats()).segments_pending == 31
        async with centre_of(keys, broker.port, tmp_path) as centre:
            await sender.done()
            await until(lambda: centre.verified_readings == 2 * len(sender.values))
            assert read(centre) == sender.values


async def test_silent_centre_is_not_flooded(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """While no receipt comes, no more than `ahead` segments are on their way."""
    async with sender_of(keys, broker.port, tmp_path, window=10, ahead=20) as sender:
        await sender.seal(40, ticks=1)
        await until(lambda: sender.uplink.state.unreceipted == 20 and sender.uplink.state.in_flight == 0)
        await asyncio.sleep(0.2)
        assert sender.uplink.state.sent == 20 + 2  # and the birth, and that it is online
        async with centre_of(keys, broker.port, tmp_path):
            await sender.done()


async def test_refusing_broker_is_told_and_loses_nothing(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A PUBACK 0x87 takes nothing from the outbox, is said in words, and ends with the refusal."""
    broker.restart(Access.NO_READINGS)
    async with both(keys, broker, tmp_path) as (centre, sender):
        await sender.seal(5)
        await until(lambda: sender.uplink.state.failed > 0)
        assert "refuses what we publish" in str(sender.uplink.state.refused_reason)
        assert "0x87" in str(sender.uplink.state.refused_reason)
        assert (await sender.stats()).segments_pending == 6
        broker.restart(Access.CONTRACT)
        await sender.done()
        await until(lambda: read(centre) == sender.values)
        assert sender.uplink.state.refused_reason is None


async def test_bad_signature_is_counted_and_never_receipted(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A gateway that signs with a key that is not its own gets no receipt, and nothing of it becomes data."""
    forged = tmp_path / "forged.pem"
    make_signing_key(forged, f"{GATEWAY}-2026")
    forger = replace(keys.gateways[GATEWAY], signing_key=forged)
    async with centre_of(keys, broker.port, tmp_path) as centre:
        await until(lambda: centre.connected)
        settings = uplink_settings(keys, forger, broker.port)
        async with Sender(forger, settings, tmp_path / "outbox.db") as sender:
            await sender.seal(4)
            await until(lambda: centre.counts.bad_signatures >= 6)  # four segments, the schema and the birth
            assert not [said for said in sender.heard if isinstance(said, Receipt)]
            assert (await sender.stats()).segments_pending == 5
        assert centre.counts.segments == 0
        assert centre.verified_readings == 0
        assert centre.birth(GATEWAY) is None


async def test_foreign_topics_deliver_nothing(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A gateway neither publishes under another's name nor hears what is said to it, whatever the SUBACK says."""
    async with both(keys, broker, tmp_path) as (centre, sender):
        await until(lambda: sender.uplink.state.connected)
        async with RawClient(keys, keys.gateways[OTHER].tls, broker.port, OTHER) as other:
            for topic in (f"gw/v1/{GATEWAY}/cmd", f"gw/v1/{GATEWAY}/receipt", "gw/v1/+/cmd", "#"):
                other.subscribe(topic)
            await other.published(f"gw/v1/{GATEWAY}/tele/fine", b"under another's name")
            await other.published(f"gw/v1/{GATEWAY}/cmd", b"an order to a neighbour")
            await other.published(f"gw/v1/{OTHER}/tele/fine", b"under its own")
            await centre.shed(GATEWAY, 40, 60)
            await sender.seal()
            await sender.done()
            await until(lambda: centre.counts.malformed == 1)
            assert [heard.kind for heard in sender.heard if isinstance(heard, Inbound)] == ["cmd"]
            assert other.messages == []
        assert centre.counts.malformed == 1


async def test_foreign_client_id_throws_nobody_out(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A client that takes another's client id gets the name of its own certificate instead."""
    async with both(keys, broker, tmp_path) as (_, sender):
        await until(lambda: sender.uplink.state.connected)
        async with RawClient(keys, keys.gateways[OTHER].tls, broker.port, GATEWAY) as impostor:
            impostor.subscribe(f"gw/v1/{GATEWAY}/receipt")
            await sender.seal()
            await sender.done()
            assert impostor.messages == []
        assert sender.uplink.state.reconnects == 0


async def test_duplicates_are_dropped_and_receipted_again(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """The same bytes twice count once, and the gateway hears again that they are there."""
    async with both(keys, broker, tmp_path) as (centre, sender):
        await sender.seal(6)
        await sender.done()
        await until(lambda: centre.verified_readings == 2 * len(sender.values))
        sender.heard.clear()
        await sender._again(Resend(sender.epoch, STREAM, 2, 4))
        await sender.done()
        await until(lambda: centre.counts.duplicates_dropped == 3)
        assert any(isinstance(said, Receipt) and said.upto == 6 for said in sender.heard)
        assert read(centre) == sender.values
        assert centre.verified_readings == 2 * len(sender.values)


async def test_hole_is_asked_for_and_filled(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """What vanished on the way is asked for by the centre, long before the gateway would send it by itself."""
    async with both(keys, broker, tmp_path, resend_after_s=600.0) as (centre, sender):
        await until(lambda: sender.uplink.state.connected)
        sender.uplink._progress.sent(STREAM, 3, 2**40)  # as if it had been sent, and acknowledged, and lost
        await sender.seal(6)
        await until(lambda: centre.counts.gaps == 1)
        await sender.done()
        assert any(isinstance(said, Resend) and (said.first, said.last) == (3, 3) for said in sender.heard)
        await until(lambda: read(centre) == sender.values and centre.counts.gaps == 0)


async def test_centre_that_returns_goes_on_where_it_was(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A centre started again on its store takes what was queued, repeats no number and counts nothing twice."""
    async with sender_of(keys, broker.port, tmp_path, resend_after_s=1.0) as sender:
        async with centre_of(keys, broker.port, tmp_path) as centre:
            await sender.seal(5)
            await sender.done()
            await centre.shed(GATEWAY, 10, 60)
        await sender.seal(5)
        async with centre_of(keys, broker.port, tmp_path) as centre:
            await until(lambda: centre.connected)
            await centre.shed(GATEWAY, 20, 60)
            await sender.done()
            await until(lambda: centre.verified_readings == 2 * len(sender.values))
            assert read(centre) == sender.values
            assert centre.counts.segments == 10
            assert centre.birth(GATEWAY) is not None
        orders = [heard for heard in sender.heard if isinstance(heard, Inbound)]
        assert [cose.peek(order.payload).sequence for order in orders] == [1, 2]


async def test_order_reaches_its_gateway_and_its_answers_the_centre(
    keys: SiteKeys, broker: Broker, tmp_path: Path
) -> None:
    """An order arrives signed, for its building alone, its id as correlation; each answer reaches the centre."""
    async with both(keys, broker, tmp_path) as (centre, sender):
        await until(lambda: centre.birth(GATEWAY) is not None)
        order = await centre.shed(GATEWAY, 40, 1800, bind_to_boot=True)
        await until(lambda: any(isinstance(heard, Inbound) for heard in sender.heard))
        inbound = next(heard for heard in sender.heard if isinstance(heard, Inbound))
        verified = cose.verify(inbound.payload, KeySet.load(keys.gateways[GATEWAY].centre_keys).with_role("dispatch"))
        command = Command.decode(verified.payload)
        assert (verified.header.gateway, verified.header.stream, verified.header.epoch) == (
            GATEWAY,
            "cmd",
            CENTRE_EPOCH,
        )
        assert (command.id, command.magnitude_percent, command.duration_s) == (order, 40, 1800)
        assert command.boot_nonce == sender.boot_nonce
        assert inbound.correlation == order.encode()
        assert not inbound.retained
        assert await sender.answer(order, "received")
        answered = await centre.answered(order, "received", 10)
        assert answered.gateway == GATEWAY
        assert [received.answer.state for received in centre.answers(order)] == ["received"]
        cancel = await centre.cancel(GATEWAY, order)
        await until(lambda: len([heard for heard in sender.heard if isinstance(heard, Inbound)]) == 2)
        last = [heard for heard in sender.heard if isinstance(heard, Inbound)][-1]
        taken_back = Command.decode(
            cose.verify(last.payload, KeySet.load(keys.gateways[GATEWAY].centre_keys).with_role("dispatch")).payload
        )
        assert (taken_back.id, taken_back.operation, taken_back.refers_to) == (cancel, "cancel", order)


async def test_order_that_nobody_hears_is_undelivered(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """An order to a gateway that never subscribed is recorded as undelivered, not as refused."""
    async with centre_of(keys, broker.port, tmp_path) as centre:
        await until(lambda: centre.connected)
        order = await centre.shed(OTHER, 40, 60)
        await until(lambda: centre.undelivered(order))
        assert centre.answers(order) == []


async def test_time_is_told_to_the_nonce_that_asked(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A signed time reply carries the nonce of its request."""
    async with both(keys, broker, tmp_path) as (_, sender):
        await until(lambda: sender.uplink.state.connected)
        nonce = sender.ask_time()
        await until(lambda: any(isinstance(said, TimeReply) and said.nonce == nonce for said in sender.heard))


async def test_heartbeat_is_bound_to_the_boot(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """As soon as a birth is known, heartbeats carry its boot nonce."""
    async with both(keys, broker, tmp_path) as (_, sender):
        await until(lambda: any(isinstance(said, Heartbeat) for said in sender.heard))
        assert {said.boot_nonce for said in sender.heard if isinstance(said, Heartbeat)} == {sender.boot_nonce}


async def test_birth_is_kept_for_a_centre_that_comes_later(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """The birth is retained by the broker, and signed."""
    async with sender_of(keys, broker.port, tmp_path) as sender:
        await until(lambda: sender.uplink.state.connected and sender.uplink.state.acked >= 2)
        async with centre_of(keys, broker.port, tmp_path) as centre:
            await until(lambda: centre.birth(GATEWAY) is not None)
            birth = centre.birth(GATEWAY)
            assert birth is not None
            assert (birth.boot_nonce, birth.epoch) == (sender.boot_nonce, sender.epoch)


async def refused(sender: Sender, words: str) -> None:
    """Wait until the uplink says so, and see that it never connected."""
    async with sender:
        await until(lambda: words in str(sender.uplink.state.refused_reason))
        assert not sender.uplink.state.connected
        assert sender.uplink.state.sent == 0
        assert sender.birth_count == 0


async def test_broker_of_a_foreign_authority_is_never_spoken_to(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A broker that our authority has not signed gets nothing, and the text names the file to look at."""
    foreign = Authority(tmp_path / "foreign", "foreign-ca")
    gateway = keys.gateways[GATEWAY]
    settings = replace(uplink_settings(keys, gateway, broker.port), ca_file=foreign.cert)
    await refused(Sender(gateway, settings, tmp_path / "outbox.db"), f"not signed by the authority in {foreign.cert}")


async def test_broker_with_another_name_is_never_spoken_to(keys: SiteKeys, tmp_path: Path) -> None:
    """A broker whose certificate names another host or address gets nothing."""
    authority = Authority(tmp_path / "own")
    own = replace(keys, ca=authority.cert, broker=authority.issue("broker", hosts=("elsewhere.example",)))
    with Broker(tmp_path / "broker", own) as broker:
        await refused(sender_of(own, broker.port, tmp_path), "names another address")


async def test_broker_with_an_expired_certificate_is_never_spoken_to(keys: SiteKeys, tmp_path: Path) -> None:
    """A broker whose certificate is past gets nothing, and the text speaks of the clock too."""
    authority = Authority(tmp_path / "own")
    own = replace(keys, ca=authority.cert, broker=authority.issue("broker", hosts=("127.0.0.1",), days=-1))
    with Broker(tmp_path / "broker", own) as broker:
        await refused(sender_of(own, broker.port, tmp_path), "expired")


async def test_refused_certificate_is_said(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A certificate that the broker does not take shows as a hang-up before CONNACK, and is said to be one."""
    stranger = Authority(tmp_path / "foreign", "foreign-ca").issue(GATEWAY)
    gateway = replace(keys.gateways[GATEWAY], tls=stranger)
    settings = uplink_settings(keys, gateway, broker.port)
    await refused(Sender(gateway, settings, tmp_path / "outbox.db"), "it refuses our certificate")


async def test_expired_certificate_of_ours_is_said(keys: SiteKeys, tmp_path: Path) -> None:
    """A certificate of ours that is past is named with its date."""
    authority = Authority(tmp_path / "own")
    own = replace(keys, ca=authority.cert, broker=authority.issue("broker", hosts=("127.0.0.1",)))
    gateway = replace(keys.gateways[GATEWAY], tls=authority.issue(GATEWAY, days=-1))
    with Broker(tmp_path / "broker", own) as broker:
        settings = uplink_settings(own, gateway, broker.port)
        await refused(Sender(gateway, settings, tmp_path / "outbox.db"), "which expired on")
