"""Conformance scenarios 1 to 3, 11 to 13, 33, 34 and 36, whole: the agent as a process, a broker, a Modbus server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.wire.keys import KeySet, load_signing_key, make_signing_key
from gateway.wire.messages import Answer
from hil_tests.bench.issuer import Issuer
from hil_tests.bench.pki import CENTRE, CENTRE_EPOCH, CENTRE_ROLES, trusted
from hil_tests.bench.site import LINKY
from hil_tests.bench.whole import Status, Whole, boot_ms
from hil_tests.books import nothing_lost

PATIENCE_S = 20
NOBODY = "-"
BYSTANDER = "bystander-2026"
"""A key of the centre's that may sign receipts and no commands."""


@asynccontextmanager
async def commanded(folder: Path, *, heartbeat_s: float = 5) -> AsyncIterator[tuple[Whole, Issuer, dict[str, int]]]:
    """Run a whole building that takes orders; give with it who issues them and what its loads hold unshed."""
    async with Whole(folder, heartbeat_s=heartbeat_s) as whole:
        key_set = whole.keys.gateways[whole.gateway].centre_keys
        bystander = make_signing_key(folder / "bystander.pem", BYSTANDER)
        centre = load_signing_key(whole.keys.centre_signing_key)
        keys = [
            trusted(centre, CENTRE, CENTRE_EPOCH, CENTRE_ROLES),
            trusted(bystander, CENTRE, CENTRE_EPOCH, frozenset({"receipt"})),
        ]
        key_set.write_text(KeySet.of(keys).to_toml(), "utf-8")
        whole.change_site('keys_file = "', f'heartbeat_lost_s = {3 * heartbeat_s}\nkeys_file = "')
        await ready(whole)
        yield whole, Issuer(whole), await whole.loads()


async def ready(whole: Whole) -> None:
    """Start the agent and wait until it would take an order."""
    await whole.begin()
    await whole.until(lambda s: s["clock"]["trusted"], "a trusted clock")
    await whole.until(lambda s: s["shedding"]["admits"], "a heartbeat")
    # The first frame is one that we came in the middle of: it may lack the power that an effect is measured by.
    await whole.until(lambda s: any(c["name"] == f"{LINKY}.sinsts" for c in s["channels"]), "the power")


async def states(whole: Whole, command: str, last: str) -> list[str]:
    """Wait for an answer and give the states of all answers up to it."""
    await whole.centre.answered(command, last, PATIENCE_S)
    return [received.answer.state for received in whole.centre.answers(command)]


async def answer(whole: Whole, command: str, state: str) -> Answer:
    """Wait for an answer and give it."""
    return (await whole.centre.answered(command, state, PATIENCE_S)).answer


async def repeated(whole: Whole, issuer: Issuer, message: bytes) -> None:
    """Send bytes that were sent before, and wait until their stored answer has come once more."""
    before = whole.centre.counts.duplicates_dropped
    issuer.publish(message)
    await until(lambda: whole.centre.counts.duplicates_dropped > before)


def number(told: Answer, key: str) -> int:
    """Give a number of an answer's detail."""
    value = told.detail[key]
    assert isinstance(value, int)
    return value


def running(status: Status) -> list[tuple[str, str]]:
    """Give id and state of each command under way."""
    return [(each["id"], each["state"]) for each in status["shedding"]["running"]]


async def test_scenario_01(tmp_path: Path) -> None:
    """A valid shed of 40 % is received, accepted, written, read back, started, seen on the meter, ended and undone."""
    async with commanded(tmp_path) as (whole, _, before):
        since_ms = boot_ms()
        command = await whole.centre.shed(whole.gateway, 40, 6)
        started = await answer(whole, command, "started")
        during = await whole.loads()
        shed = {load for load in before if during[load] != before[load]}
        assert shed
        assert started.detail["read_back"] == [during[load] for load in sorted(shed)]
        assert number(started, "relay_boot_ms") >= since_ms
        assert running(await whole.status()) == [(command, "active")]
        told = await states(whole, command, "completed")
        assert told == ["received", "accepted", "started", "effective", "releasing", "completed"]
        effective = await answer(whole, command, "effective")
        assert number(effective, "during_w") < number(effective, "before_w")
        assert await whole.loads() == before
        assert await whole.writes() == {load: 2 * (load in shed) for load in before}
        await nothing_lost(whole, since_ms)


async def test_scenarios_02_and_03(tmp_path: Path) -> None:
    """The same bytes twice, and again after the process was killed: the stored answer comes, and nothing moves."""
    async with commanded(tmp_path) as (whole, issuer, before):
        command = issuer.shed(duration_s=2)
        message = await issuer.signed(command)
        issuer.publish(message)
        issuer.publish(message)
        told = await states(whole, command.id, "completed")
        writes = await whole.writes()
        assert told.count("received") == told.count("accepted") == told.count("started") == 1
        assert set(writes.values()) == {0, 2}
        for restart in (False, True):
            if restart:
                await whole.agent.kill()
                await ready(whole)
            await repeated(whole, issuer, message)
            assert [received.answer.state for received in whole.centre.answers(command.id)] == told
            assert await whole.writes() == writes
        assert await whole.loads() == before


async def test_scenario_11(tmp_path: Path) -> None:
    """A retained old command that is delivered on a new connection is refused, and the next honest one works."""
    async with commanded(tmp_path) as (whole, issuer, before):
        await whole.agent.stop()
        # A broker that has lost our session has nothing queued for us: what comes then is what it retained.
        whole.broker.restart()
        await until(lambda: not whole.centre.connected)
        await until(lambda: whole.centre.connected)
        old = issuer.shed()
        issuer.publish(await issuer.signed(old), retain=True)
        await ready(whole)
        refused = await answer(whole, old.id, "rejected")
        assert refused.reason == "retained"
        assert set((await whole.writes()).values()) == {0}
        assert await whole.loads() == before
        issuer.publish(b"", retain=True)
        await answer(whole, await whole.centre.shed(whole.gateway, 40, 1), "completed")


async def test_scenario_12(tmp_path: Path) -> None:
    """What cannot be proved changes nothing, is answered without detail and seldom, and the honest order runs on."""
    async with commanded(tmp_path) as (whole, issuer, before):
        command = await whole.centre.shed(whole.gateway, 40, 60)
        await answer(whole, command, "started")
        during, writes = await whole.loads(), await whole.writes()
        stranger = make_signing_key(tmp_path / "stranger.pem", issuer.key.key_id.decode())
        unknown = make_signing_key(tmp_path / "unknown.pem", "centre-2024")
        bystander = load_signing_key(tmp_path / "bystander.pem")
        honest = await issuer.signed(issuer.shed(90))
        forged = [
            await issuer.signed(issuer.shed(90), key=stranger),
            await issuer.signed(issuer.shed(90), key=unknown),
            await issuer.signed(issuer.shed(90), key=bystander),
            await issuer.signed(issuer.shed(90), gateway="gw-other"),
            await issuer.signed(issuer.shed(90), stream="receipt"),
            await issuer.signed(issuer.shed(90), epoch=bytes(8)),
            await issuer.signed(issuer.shed(90), content="gw/receipt;v=1"),
            *(honest[:at] + bytes([honest[at] ^ 1]) + honest[at + 1 :] for at in range(0, len(honest), 9)),
        ]
        for message in forged:
            issuer.publish(message)
        cancel = await whole.centre.cancel(whole.gateway, command)
        # Commands are judged in the order in which they came: when this one is answered, all of the others were.
        await answer(whole, cancel, "completed")
        told = whole.centre.answers(NOBODY)
        assert [(r.answer.state, r.answer.reason, r.answer.detail) for r in told][:1] == [("rejected", "auth", {})]
        assert len(told) <= 2
        assert during != before
        assert (await answer(whole, command, "cancelled")).command_id == command
        assert await whole.loads() == before
        assert await whole.writes() == {load: 2 * count for load, count in writes.items()}


async def test_scenario_13(tmp_path: Path) -> None:
    """Bytes outside the profile are refused by a process that lives on: oversize, nested, trailing, not canonical."""
    async with commanded(tmp_path) as (whole, issuer, before):
        honest = await issuer.signed(issuer.shed(90))
        pid = whole.agent.pid
        for message in (
            b"",
            b"\x00",
            bytes(60_000),
            honest + bytes(5_000),
            honest + b"\x00",
            honest[:-1],
            b"\xd2" + b"\x81" * 3_000 + b"\x00",
            b"\xd2\x84\x5f\x41\xa0\xff\xa0\x40\x40",
            b"\xd2\x84\x43\xa2\x01\x27\x01\x27\xa0\x40\x40",
            honest.replace(b"\xd2\x84", b"\xd8\x12\x84", 1),
            honest.replace(b"\xd2\x84", b"\xd2\x98\x04", 1),
        ):
            issuer.publish(message)
        await answer(whole, await whole.centre.shed(whole.gateway, 40, 1), "completed")
        assert {(r.answer.state, r.answer.reason) for r in whole.centre.answers(NOBODY)} == {("rejected", "auth")}
        assert whole.agent.pid == pid
        assert whole.agent.running
        assert await whole.loads() == before
        assert set((await whole.writes()).values()) == {0, 2}


async def test_scenarios_33_and_34(tmp_path: Path) -> None:
    """Without a heartbeat a shed runs to its signed end and no longer; what happened is told later, with true times."""
    async with commanded(tmp_path, heartbeat_s=1) as (whole, _, before):
        command = await whole.centre.shed(whole.gateway, 40, 8)
        started = await answer(whole, command, "started")
        whole.broker.kill()
        await whole.until(lambda s: s["shedding"]["link"] == "link_lost", "the loss of the link")
        status = await whole.status()
        assert running(status) == [(command, "active")]
        end_ms = status["shedding"]["running"][0]["end_ms"]
        assert await whole.loads() != before
        await whole.until(lambda s: not running(s), "the end of the shed")
        assert await whole.loads() == before
        writes = await whole.writes()
        back_ms = boot_ms()
        whole.broker.start()
        completed = await answer(whole, command, "completed")
        answers = [received.answer for received in whole.centre.answers(command)]
        assert started.boot_ms < end_ms <= completed.boot_ms < back_ms
        assert [a.state for a in answers][-2:] == ["releasing", "completed"]
        assert [a.boot_ms for a in answers] == sorted(a.boot_ms for a in answers)
        assert number(completed, "late_ms") < 1_000
        await asyncio.sleep(1)
        assert await whole.writes() == writes
        assert (await whole.status())["shedding"]["running"] == []


@pytest.mark.parametrize("over", [False, True], ids=["within", "past its end"])
async def test_scenario_36(tmp_path: Path, over: bool) -> None:  # noqa: FBT001 - a fact
    """Killed in a shed, the next start resumes it to its signed end, or gives everything back where that is past."""
    async with commanded(tmp_path) as (whole, _, before):
        command = await whole.centre.shed(whole.gateway, 40, 5)
        started = await answer(whole, command, "started")
        await whole.agent.kill()
        killed = await whole.loads()
        assert killed != before
        if over:
            await until(lambda: boot_ms() > started.boot_ms + 6_000)
            assert await whole.loads() == killed
        await whole.agent.start()
        completed = await answer(whole, command, "completed")
        told = [received.answer.state for received in whole.centre.answers(command)]
        assert told.count("started") == told.count("completed") == 1
        assert await whole.loads() == before
        assert completed.boot_ms - started.boot_ms >= 4_900
        if not over:
            assert number(completed, "late_ms") < 1_000
        await whole.agent.serving()
        assert running(await whole.status()) == []


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.05)
