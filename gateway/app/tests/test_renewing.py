"""A certificate is renewed in time, tried before it replaces anything, and whatever is in the way is told."""

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.renewing import KIND, REFUSALS_MOST, Renewing, Ways
from gateway.app.showing import Showing
from gateway.clock import Correlation
from gateway.enrolment import box
from gateway.enrolment.places import Identity, Pair, PlaceError, Places, load_signing, look
from gateway.enrolment.request import Request, read
from gateway.enrolment.tests.boxes import NOW, Given, asked, certificate, enrolled, granted, places
from gateway.wire.enrolling import Issued
from gateway.wire.keys import SigningKey

LIFE = dt.timedelta(days=100, hours=1)
DUE = NOW - dt.timedelta(hours=1) + LIFE * 2 / 3
HOUR_MS = 3_600_000
LATER = Given(days=300)


class Time:
    """A clock that a test sets; `known` tells whether anybody knows the time."""

    boot_id = bytes(16)

    def __init__(self, utc: dt.datetime) -> None:
        self.now_ms = 1_000
        self.utc_ms = round(utc.timestamp() * 1_000)
        self.known = True

    def boot_ms(self) -> int:
        return self.now_ms

    def correlation(self) -> Correlation | None:
        return Correlation(bytes(16), self.now_ms, self.utc_ms, 5, "centre") if self.known else None

    def go(self, ms: int) -> None:
        """Let time pass."""
        self.now_ms += ms
        self.utc_ms += ms


@dataclass
class Agent:
    """A renewing agent whose other rooms are lists."""

    at: Places
    time: Time
    asked: list[Request] = field(default_factory=list)
    reconnected: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    keys: list[SigningKey] = field(default_factory=list)
    connected: bool = True

    def __post_init__(self) -> None:
        self.renewing = Renewing(
            self.at,
            self.time,
            load_signing(self.at.signing),
            Ways(
                ask=lambda message: self.asked.append(read(message)),
                reconnect=self.reconnected.append,
                alarm=lambda kind, text: self.alarms.append(f"{kind}: {text}"),
                sign_with=self.keys.append,
                connected=lambda: self.connected,
            ),
        )
        self.showing = self.renewing.showing

    async def step(self, ms: int = 2_000) -> None:
        self.time.go(ms)
        await self.renewing.step()

    async def connect(self) -> None:
        """Connect as the uplink does, and let that be seen."""
        self.showing.pair()
        self.showing.taken()
        await self.renewing.step()

    async def answer(self, given: Given = LATER) -> None:
        """Answer what was asked last."""
        request = self.asked[-1]
        der = certificate(request, given).public_bytes(Encoding.DER)
        self.renewing.heard(Issued(request.key, request.key_id, (der,)))
        await self.renewing.step()

    def state(self) -> object:
        """Give the word of the status."""
        return self.renewing.status()["state"]


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An agent whose certificate has just come to two thirds of its life."""
    return Agent(enrolled(tmp_path / "box"), Time(DUE + dt.timedelta(seconds=1)))


async def test_it_asks_after_two_thirds_of_its_life_and_not_before(agent: Agent) -> None:
    """With a new key; the old one is not touched."""
    old = agent.at.key.read_bytes()
    agent.time.utc_ms -= 5_000
    await agent.connect()
    await agent.step()
    assert (agent.asked, agent.state()) == ([], "ok")
    await agent.step()
    assert [request.gateway for request in agent.asked] == [agent.at.gateway]
    assert agent.state() == "due"
    assert agent.at.key.read_bytes() == old
    assert agent.at.next_key.exists()


async def test_it_asks_for_nothing_while_nobody_knows_the_time(agent: Agent) -> None:
    """A box whose clock is wrong would ask for ever."""
    agent.time.known = False
    await agent.connect()
    await agent.step()
    assert agent.asked == []
    assert agent.renewing.status()["life_gone_percent"] is None


async def test_it_asks_again_each_hour_with_the_same_request_and_alarms_after_a_day(agent: Agent) -> None:
    """A centre that does not answer costs one message an hour, and people hear of it."""
    await agent.connect()
    for _ in range(25 * 4):
        await agent.step(HOUR_MS // 4)
    assert 24 <= len(agent.asked) <= 27
    assert len({request.message for request in agent.asked}) == 1
    assert len(agent.alarms) == 1
    assert agent.alarms[0].startswith(f"{KIND}: ours ends on 2027-03-06 and no other came: the centre has not answered")
    for _ in range(24):
        await agent.step(HOUR_MS)
    assert len(agent.alarms) == 2


async def test_the_new_one_is_tried_and_follows_once_the_broker_has_taken_it(agent: Agent) -> None:
    """Until the CONNACK the old pair stays where it is."""
    await agent.connect()
    old = agent.at.certificate.read_bytes()
    await agent.answer()
    assert agent.state() == "changing"
    assert len(agent.reconnected) == 1
    assert agent.showing.pair() == (agent.at.next_certificate, agent.at.next_key)
    assert agent.at.certificate.read_bytes() == old
    agent.showing.taken()
    await agent.step()
    assert agent.state() == "ok"
    assert agent.at.certificate.read_bytes() != old
    assert not agent.at.next_certificate.exists()
    assert agent.showing.pair() == (agent.at.certificate, agent.at.key)
    await agent.step()
    assert len(agent.reconnected) == 1
    assert len(agent.asked) == 1


async def test_refused_by_the_broker_the_old_one_serves_on_and_the_new_one_is_tried_later(agent: Agent) -> None:
    """Ever more rarely; in the end another one is asked for."""
    await agent.connect()
    await agent.answer()
    kept = agent.at.certificate.read_bytes()
    for refusal in range(1, REFUSALS_MOST + 1):
        assert agent.showing.pair()[0] == agent.at.next_certificate, refusal
        agent.showing.failed("revoked", refused=True)
        assert agent.showing.pair()[0] == agent.at.certificate
        agent.showing.taken()
        await agent.step()
        if refusal < REFUSALS_MOST:
            assert agent.state() == "refused"
            assert len(agent.reconnected) == refusal
            await agent.step(5 * 60_000)
            assert len(agent.reconnected) == refusal
            await agent.step(6 * HOUR_MS)
            assert len(agent.reconnected) == refusal + 1
    assert agent.at.certificate.read_bytes() == kept
    assert not agent.at.next_certificate.exists()
    assert agent.alarms[0] == f"{KIND}: the broker refuses the new certificate, the old one serves on: revoked"
    assert all("ours ends on" in text for text in agent.alarms[1:])
    assert len({request.key for request in agent.asked}) == 2


async def test_the_network_says_nothing_about_a_certificate(tmp_path: Path) -> None:
    """While nobody is reached, both take turns; whichever comes through decides."""
    at = enrolled(tmp_path / "box")
    box.install(at, granted(asked(at, new_key=True), Given(days=300)), NOW)
    found = look(at)
    now, told = [0], [0]
    showing = Showing(at, lambda: now[0], lambda: told.__setitem__(0, told[0] + 1), lambda: 1_000)
    showing.see(found)
    order = []
    for _ in range(4):
        order.append(showing.pair()[0])
        showing.failed("nothing listens there", refused=False)
    assert order == [at.next_certificate, at.certificate] * 2
    showing.pair()
    showing.taken()
    assert showing.proven
    assert showing.refusals == 0


async def test_a_failure_that_only_the_new_one_meets_is_its_own_in_the_end(tmp_path: Path) -> None:
    """Three times the new one led nowhere and the old one did: then it is told as refused."""
    at = enrolled(tmp_path / "box")
    pair = look(at).current
    assert pair is not None
    box.install(at, granted(asked(at, new_key=True), Given(days=300)), NOW)
    now = [0]
    showing = Showing(at, lambda: now[0], lambda: None, lambda: 1_000)
    showing.see(look(at))
    for time in range(1, 4):
        showing.pair()
        showing.failed("no answer", refused=False)
        showing.pair()
        showing.taken()
        assert showing.refusals == time
        assert (showing.refused is None) is (time < 3)
        assert showing.wanted == pair
        now[0] += 100_000
    showing.see(Identity(pair, None, None))
    assert (showing.refused, showing.refusals) == (None, 0)


async def test_without_a_whole_pair_the_site_s_files_are_named(tmp_path: Path) -> None:
    """So that the uplink can tell what is wrong with them."""
    at = places(tmp_path / "box")
    showing = Showing(at, lambda: 0, lambda: None, lambda: 1_000)
    assert showing.pair() == (at.certificate, at.key)
    showing.failed("cannot read", refused=False)
    showing.taken()
    assert showing.in_use is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given(name="gw-0002"), "for 'gw-0002'"),
        (Given(days=60), "ended on"),
    ],
)
async def test_a_certificate_that_could_not_serve_is_not_kept(agent: Agent, given: Given, said: str) -> None:
    """The centre may be wrong, or another: nothing changes, people hear of it, and it is asked again hours later."""
    await agent.connect()
    await agent.answer(given)
    assert not agent.at.next_certificate.exists()
    assert agent.state() == "due"
    assert said in agent.alarms[0]
    await agent.step(HOUR_MS)
    assert len(agent.asked) == 1
    await agent.step(6 * HOUR_MS)
    assert len(agent.asked) == 2


async def test_what_nobody_asked_for_is_not_kept(agent: Agent, tmp_path: Path) -> None:
    """A certificate for another key, even of this gateway's name, moves nothing."""
    await agent.connect()
    other = asked(enrolled(tmp_path / "other"))
    der = certificate(other).public_bytes(Encoding.DER)
    agent.renewing.heard(Issued(other.key, other.key_id, (der,)))
    agent.renewing.heard(Issued(agent.asked[0].key, agent.asked[0].key_id, (der,)))
    await agent.renewing.step()
    assert not agent.at.next_certificate.exists()


async def test_a_refusal_of_the_centre_is_told_and_waited_out(agent: Agent) -> None:
    """Its words reach people; the next question comes hours later."""
    await agent.connect()
    agent.renewing.heard(Issued(agent.asked[0].key, agent.asked[0].key_id, refused="revoked"))
    await agent.renewing.step()
    assert agent.alarms == [f"{KIND}: the centre gives no new certificate: revoked"]
    assert agent.renewing.failure is not None
    await agent.step(5 * HOUR_MS)
    assert len(agent.asked) == 1


async def test_a_technician_may_ask_at_any_time(agent: Agent) -> None:
    """Whatever the certificate's age; with a signing key too, which signs once the centre has said that it takes it."""
    agent.time.utc_ms -= 30 * 86_400_000
    await agent.connect()
    assert agent.asked == []
    old = load_signing(agent.at.signing).key_id
    agent.renewing.want(signing=True)
    await agent.step()
    assert agent.asked[0].key_id != old
    assert agent.keys == []
    await agent.answer()
    assert [key.key_id for key in agent.keys] == [agent.asked[0].key_id]
    assert load_signing(agent.at.signing).key_id == agent.asked[0].key_id
    assert agent.renewing.status()["signing_key"] == agent.asked[0].key_id.decode()


async def test_what_an_installer_puts_there_is_found(agent: Agent) -> None:
    """A bundle that is installed while the agent runs is tried without a restart."""
    agent.time.utc_ms -= 30 * 86_400_000
    await agent.connect()
    await agent.step()
    box.install(agent.at, granted(asked(agent.at, new_key=True), Given(days=300)), NOW)
    await agent.step()
    assert len(agent.reconnected) == 1
    assert agent.showing.pair()[0] == agent.at.next_certificate


async def test_a_restart_goes_on_where_the_last_one_was(agent: Agent) -> None:
    """A next key without its certificate is asked for; a next certificate is tried."""
    await agent.connect()
    again = Agent(agent.at, agent.time)
    again.time.utc_ms -= 30 * 86_400_000
    await again.connect()
    assert [request.message for request in again.asked] == [agent.asked[0].message]
    await again.answer()
    third = Agent(agent.at, agent.time)
    await third.renewing.step()
    assert third.showing.pair()[0] == agent.at.next_certificate
    assert third.asked == []


async def test_a_disk_that_takes_nothing_is_an_alarm_and_no_end(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway goes on with what it has, and changes once it can."""
    await agent.connect()
    await agent.answer()
    agent.showing.pair()
    agent.showing.taken()

    def full(_: Places) -> None:
        raise PlaceError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.enrolment.places.promote", full)
        await agent.step()
        await agent.step()
    assert agent.alarms == [f"{KIND}: no space left"]
    assert look(agent.at).current is not None
    await agent.step()
    assert agent.state() == "ok"


async def test_it_runs_until_it_is_cancelled(agent: Agent) -> None:
    """What is heard wakes it."""
    running = asyncio.create_task(agent.renewing.run())
    agent.showing.pair()
    agent.showing.taken()
    async with asyncio.timeout(30):
        while not agent.asked:  # noqa: ASYNC110 - a list tells nobody
            await asyncio.sleep(0.01)
        request = agent.asked[-1]
        der = certificate(request, Given(days=300)).public_bytes(Encoding.DER)
        agent.renewing.heard(Issued(request.key, request.key_id, (der,)))
        while not agent.reconnected:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})


def test_a_pair_says_nothing_secret(tmp_path: Path) -> None:
    """It may stand in a log."""
    pair = look(enrolled(tmp_path / "box")).current
    assert isinstance(pair, Pair)
    assert "PRIVATE" not in repr(pair)
