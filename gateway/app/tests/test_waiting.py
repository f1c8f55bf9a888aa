"""A box whose keys are not there yet: what is told, and that it goes on by itself."""

import asyncio
import base64
import socket
from pathlib import Path

import pytest
from jsonschema_rs import validator_for

from config.load import load
from config.site import Site
from gateway.app.described import described
from gateway.app.gives import WAITING
from gateway.app.serving import _keys
from gateway.app.waiting import Waiting
from gateway.control.client import get
from gateway.notify import Notifier
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import make_signing_key

EXAMPLE = Path(__file__).parents[3] / "config" / "example.toml"

CENTRE_KEYS = """version = 1
[[key]]
id = "centre-2026"
issuer = "centre"
epoch = "0011223344556677"
roles = ["receipt", "dispatch"]
public = "{public}"
"""


KEY_ID = "gw-lyon-017-2026"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The example's site, with its keys and its socket in a folder of the test."""
    text = EXAMPLE.read_text("utf-8")
    text = text.replace("/etc/gateway/keys", str(tmp_path)).replace("/run/gateway/control", str(tmp_path / "control"))
    path = tmp_path / "site.toml"
    path.write_text(text, "utf-8")
    return load(path)


def install_keys(site: Site) -> None:
    """Put both keys where the site names them."""
    key = make_signing_key(site.signing.key_file, KEY_ID)
    raw = key.private.public_key().public_bytes_raw()
    site.centre.keys_file.write_text(CENTRE_KEYS.format(public=base64.b64encode(raw).decode()), "utf-8")


async def told(site: Site) -> dict[str, list[str]]:
    """Ask the control socket until it answers."""
    async with asyncio.timeout(10):
        while not site.control.socket.exists():  # noqa: ASYNC110 - a socket tells nobody that it has come
            await asyncio.sleep(0.01)
        answer: dict[str, list[str]] = await asyncio.to_thread(get, site.control.socket, "/v1/status")
        return answer


def test_all_keys_that_are_missing_are_told_at_once(site: Site) -> None:
    """Neither key hides the other."""
    with pytest.raises(KeyFileError) as caught:
        _keys(site)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        str(site.signing.key_file),
        str(site.centre.keys_file),
    ]


async def test_a_box_without_keys_answers_what_is_missing_and_goes_on_when_it_is_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is told with what to do; then the keys come and the socket is let go."""
    monkeypatch.setattr("gateway.app.waiting.LOOK_AGAIN_S", 0.02)
    waiting = asyncio.create_task(Waiting(site, _keys, Notifier(None)).keys())
    answer = await told(site)
    files = (
        site.signing.key_file,
        site.centre.keys_file,
        site.broker.ca_file,
        site.broker.certificate_file,
        site.broker.key_file,
    )
    assert [line.partition(":")[0] for line in answer["missing"]] == [str(path) for path in files]
    assert not list(validator_for(WAITING).iter_errors(answer))
    assert await asyncio.to_thread(get, site.control.socket, "/v1/site") == described(site)
    install_keys(site)
    async with asyncio.timeout(10):
        key, keys = await waiting
    assert key.key_id.decode() == KEY_ID
    assert keys.with_role("dispatch")
    assert not site.control.socket.exists()


async def test_keys_that_are_there_are_not_waited_for(site: Site) -> None:
    """The files of the link alone hold nobody up: metering needs none of them."""
    install_keys(site)
    await Waiting(site, _keys, Notifier(None)).keys()
    assert not site.control.socket.exists()


async def test_waiting_is_ready_for_systemd_and_says_for_what(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit of Type=notify starts with an agent that waits, and its watchdog is fed."""
    monkeypatch.setattr("gateway.app.waiting.LOOK_AGAIN_S", 0.02)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(0)
        loop = asyncio.get_running_loop()
        waiting = asyncio.create_task(Waiting(site, _keys, Notifier(str(tmp_path / "notify"), 0.6)).keys())
        async with asyncio.timeout(10):
            said = [(await loop.sock_recv(manager, 4096)).decode() for _ in range(4)]
        waiting.cancel()
        await asyncio.wait({waiting})
    assert said[0] == "READY=1"
    assert said[1].startswith(f"STATUS=waits: {site.signing.key_file}: ")
    assert [each.splitlines()[0] for each in said[2:]] == ["WATCHDOG=1"] * 2
