"""Why a centre has no connection is said: by the files that are wrong, or by what the broker does."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.centre.errors import LinkUnusable
from gateway.centre.service import Centre
from hil_tests.bench.broker import Broker
from hil_tests.bench.line import GATEWAY, centre_settings, until
from hil_tests.bench.pki import Authority, SiteKeys, make_site_keys


@pytest.fixture(name="keys", scope="module")
def keys_fixture(tmp_path_factory: pytest.TempPathFactory) -> SiteKeys:
    """Give keys for a gateway and a centre."""
    return make_site_keys(tmp_path_factory.mktemp("pki") / "keys", (GATEWAY,))


@pytest.fixture(name="broker")
def broker_fixture(tmp_path: Path, keys: SiteKeys) -> Iterator[Broker]:
    """Give a running broker."""
    with Broker(tmp_path / "broker", keys) as broker:
        yield broker


async def test_what_the_broker_does_is_said(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """Away, then there, then away again: each is told while it is so, and only then."""
    broker.kill()
    async with Centre(centre_settings(keys, broker.port, tmp_path)) as centre:
        await until(lambda: "cannot be reached (Connection refused)" in str(centre.troubles))
        broker.start()
        await until(lambda: centre.connected and centre.troubles == [])
        broker.kill()
        await until(lambda: len(centre.troubles) == 1)


async def test_a_refused_certificate_and_a_foreign_broker_are_said(
    keys: SiteKeys, broker: Broker, tmp_path: Path
) -> None:
    """Neither looks like a network that is down: whoever reads it knows which certificate to change."""
    stranger = Authority(tmp_path / "stranger")
    own = stranger.issue("centre")
    settings = centre_settings(keys, broker.port, tmp_path)
    async with Centre(replace(settings, cert_file=own.cert, key_file=own.key)) as centre:
        await until(lambda: f"it refuses our certificate {own.cert}" in str(centre.troubles))
    async with Centre(replace(settings, ca_file=stranger.cert)) as centre:
        await until(lambda: "its certificate is not trusted" in str(centre.troubles))


@pytest.mark.parametrize(
    ("field", "said"),
    [("ca_file", "ca_file: .*cannot be read"), ("cert_file", "make no TLS identity")],
)
async def test_files_that_cannot_be_used_are_named(keys: SiteKeys, tmp_path: Path, field: str, said: str) -> None:
    """At the start, with what is wrong, and without a traceback."""
    wrong = tmp_path / "wrong.pem"
    if field == "cert_file":
        wrong.write_text("no certificate")
    with pytest.raises(LinkUnusable, match=said):
        async with Centre(replace(centre_settings(keys, 1, tmp_path), **{field: wrong})):  # type: ignore[arg-type]
            pass
