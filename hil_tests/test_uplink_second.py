"""A second broker where the first is only half there. There and back with the whole agent: `test_link_settings`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.uplink import session
from gateway.uplink.probe import answers
from gateway.uplink.settings import Fallback
from hil_tests.bench.broker import Broker
from hil_tests.bench.line import GATEWAY, NOBODY, all_there, centre_of, sender_of, until
from hil_tests.bench.pki import Authority, SiteKeys, make_site_keys
from hil_tests.bench.relay import Relay
from hil_tests.bench.sender import uplink_settings

QUICK = {"reconnect_max_s": 0.1, "resend_after_s": 1.0}


@pytest.fixture(name="keys", scope="module")
def keys_fixture(tmp_path_factory: pytest.TempPathFactory) -> SiteKeys:
    """Give keys for a gateway and a centre."""
    return make_site_keys(tmp_path_factory.mktemp("pki") / "keys", (GATEWAY,))


@pytest.fixture(name="brokers")
def brokers_fixture(tmp_path: Path, keys: SiteKeys) -> Iterator[tuple[Broker, Broker]]:
    """Give two running brokers."""
    with Broker(tmp_path / "first", keys) as first, Broker(tmp_path / "second", keys) as second:
        yield first, second


async def test_first_that_does_not_speak_mqtt_is_left_again(
    keys: SiteKeys, brokers: tuple[Broker, Broker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first broker that takes TLS and answers no CONNECT is tried, and left at once for the second."""
    monkeypatch.setattr(session, "_ANSWER_S", 0.5)
    first, second = brokers
    fallback = Fallback("127.0.0.1", second.port, after_s=0.3, return_s=0.3)
    async with (
        centre_of(keys, second.port, tmp_path) as centre,
        Relay(first.port) as relay,
        sender_of(keys, relay.port, tmp_path, fallback=fallback, **QUICK) as sender,
    ):
        await until(lambda: sender.uplink.connected)
        first.kill()
        await until(lambda: sender.uplink.state.on_fallback and sender.uplink.connected)
        first.start()
        before = relay.connections
        # Behind the relay TLS is whole, so the probes are content; then the broker freezes, as one does that is full.
        await until(lambda: relay.connections >= before + 3)
        first.freeze()
        await sender.seal(20, ticks=1)
        await until(lambda: sender.uplink.state.on_fallback and sender.uplink.connected)
        first.thaw()
        await all_there(centre, sender)


async def test_probe_knows_who_takes_us(keys: SiteKeys, brokers: tuple[Broker, Broker], tmp_path: Path) -> None:
    """A broker that takes our certificate answers; one that refuses it does not, nor does a port with nobody there."""
    settings = uplink_settings(keys, keys.gateways[GATEWAY], brokers[0].port)
    is_there, cost = await answers(settings)
    assert is_there
    assert 2_000 < cost.total < 20_000
    stranger = Authority(tmp_path / "stranger", "stranger-ca").issue(GATEWAY)
    assert (await answers(replace(settings, cert_file=stranger.cert, key_file=stranger.key)))[0] is False
    assert (await answers(replace(settings, port=NOBODY)))[0] is False
    assert (await answers(replace(settings, ca_file=tmp_path / "none")))[0] is False
