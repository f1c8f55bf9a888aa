"""Load control, joined: what comes in is judged in its turn and bounded, and an overrun of the right meter decides."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.channel import Channel, Quantity
from config.load import load
from config.tests.sites import GOOD, write
from drivers.reading import Quality, Reading
from gateway.app.commanding import MOST_WAITING, Commanding
from gateway.app.devices import devices
from gateway.clock import Correlation
from gateway.commands.command import Verdict
from gateway.commands.journal import Journal
from gateway.latest import Latest
from gateway.sealing import Signer
from gateway.tests.metering import GATEWAY, KEY, PUBLIC, HandClock
from gateway.uplink.settings import Inbound
from gateway.wire import cose
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.messages import Answer

CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS = KeySet.of([TrustedKey(b"centre-1", "centre", bytes(8), frozenset({"dispatch"}), CENTRE.public_key())])


class Joined:
    """A Commanding of a small site whose BMS is not there; its answers and alarms are noted."""

    def __init__(self, folder: Path, *, overrun: bool) -> None:
        text = GOOD.replace("enabled = true\n", f"enabled = true\noverrun = {str(overrun).lower()}\n")
        self.site = load(write(folder, text))
        self.clock = HandClock()
        self.clock.known = Correlation(self.clock.boot_id, self.clock.now_ms, 1_800_000_000_000, 5, "kernel")
        self.latest = Latest()
        self.devices = devices(self.site, {}, self.clock.boot_ms)
        self.answers: list[Answer] = []
        self.alarms: list[str] = []
        self._folder = folder

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Commanding]:
        """Give it with its journal open; it does not run yet."""
        journal = await Journal.open(self._folder / "commands.db", self.clock.boot_id, Signer(GATEWAY, KEY).answer)
        try:
            yield Commanding(
                self.site,
                self.devices,
                journal,
                keys=KEYS,
                revoked=lambda _: None,
                clock=self.clock,
                latest=self.latest,
                published=self._published,
                alarm=lambda kind, _text: self.alarms.append(kind),
            )
        finally:
            await self.devices.close()
            await journal.close()

    def _published(self, _sequence: int, message: bytes) -> None:
        self.answers.append(Answer.decode(cose.verify(message, PUBLIC).payload))


@asynccontextmanager
async def running(commanding: Commanding) -> AsyncIterator[None]:
    """Run it for the length of a block."""
    task = asyncio.create_task(commanding.run())
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.wait((task,))


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a test polls
            await asyncio.sleep(0.005)


async def test_what_comes_is_judged_and_answered(tmp_path: Path) -> None:
    """Bytes that prove nothing are refused without detail, and whoever reads the topic lives on."""
    joined = Joined(tmp_path, overrun=False)
    async with joined.ready() as commanding, running(commanding):
        commanding.take(Inbound("cmd", b"noise", retained=False))
        await until(lambda: bool(joined.answers))
        assert [(a.state, a.reason, a.detail) for a in joined.answers] == [("rejected", "auth", {})]
        assert commanding.status()["running"] == []


async def test_a_flood_is_bounded_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """More messages at once than an honest centre sends are dropped unread: memory does not grow with a stranger."""
    joined = Joined(tmp_path, overrun=False)
    async with joined.ready() as commanding:
        for _ in range(MOST_WAITING + 3):
            commanding.take(Inbound("cmd", b"noise", retained=False))
        assert commanding._waiting.qsize() == MOST_WAITING
    assert len([r for r in caplog.records if "one is dropped, unread" in r.message]) == 3


async def test_without_a_heartbeat_no_shed_would_be_considered(tmp_path: Path) -> None:
    """A new start is on its own until the centre has shown that it is alive, in this boot and once."""
    joined = Joined(tmp_path, overrun=False)
    async with joined.ready() as commanding:
        assert commanding.status()["admits"] is False
        commanding.heartbeat("centre", bytes(8), 1, b"another boot's no")
        assert commanding.status()["admits"] is False
        commanding.heartbeat("centre", bytes(8), 2, commanding._link._boot_nonce)
        assert commanding.status()["admits"] is True


@pytest.mark.parametrize(
    ("read", "watts"),
    [
        ({}, None),
        ({"sinsts": 1_000}, 4_000),
        ({"papp": 1_000}, 5_000),
        ({"sinsts": 1_000, "papp": 2_000}, 5_000),
        ({"sinsts": 2_000, "papp": 1_000}, 4_000),
    ],
)
async def test_the_power_is_the_newest_that_the_line_told(
    tmp_path: Path, read: dict[str, int], watts: int | None
) -> None:
    """Standard and historique mode name it differently, and a line may change its mode at any time."""
    joined = Joined(tmp_path, overrun=False)
    for label, boot_ms in read.items():
        channel = Channel(f"main.{label}", "main", "main", Quantity.APPARENT_POWER_IMPORT, "VA")
        joined.latest.update([Reading(channel, {"sinsts": 4_000, "papp": 5_000}[label], boot_ms, Quality.OK)])
    async with joined.ready() as commanding:
        power = commanding._drawn()
        assert (None if power is None else power.watts) == watts


class Told:
    """A Linky that tells an overrun."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.overrun = True


@pytest.mark.parametrize(("told", "by", "decided"), [("on", "main", 1), ("on", "another", 0), ("off", "main", 0)])
async def test_an_overrun_counts_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, by: str, decided: int
) -> None:
    """Only the meter that the site names sheds by itself, only where the site says so, and once for one overrun."""
    joined = Joined(tmp_path, overrun=told == "on")
    async with joined.ready() as commanding:
        meter = Told(by)
        if by == "main":
            monkeypatch.setattr(commanding, "_meter", meter)
        commanding.metered(meter)  # type: ignore[arg-type]  # of a meter only this is asked
        commanding.metered(meter)  # type: ignore[arg-type]  # as above
        assert commanding._decisions.qsize() == decided
        if decided:
            decision = commanding._decisions.get_nowait()
            assert decision.verdict is Verdict.SHED
            assert set(decision.loads) == {"heater", "pump"}
