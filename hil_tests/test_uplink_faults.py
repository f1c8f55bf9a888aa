"""Brokers and lines that fail in every way they know: nothing is lost, little is repeated, and nothing urgent waits.

Each test ends with the same sentence: what the centre can decode is what was accepted, each reading once. A real
outbox, the real uplink, mosquitto and the centre; the line is a relay where it matters. The whole agent is in
`test_broker_fails`.
"""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.centre.service import Centre
from gateway.clock import Correlation, SystemClock
from hil_tests.bench.broker import Broker
from hil_tests.bench.drain import leave
from hil_tests.bench.line import GATEWAY, NOBODY, all_there, centre_of, sender_of, until
from hil_tests.bench.pki import SiteKeys, make_site_keys
from hil_tests.bench.raw_client import RawClient
from hil_tests.bench.relay import Relay
from hil_tests.bench.sender import Sender, uplink_settings

MOST_REPEATS = 100
"""Copies that one event may cost."""


@pytest.fixture(name="keys", scope="module")
def keys_fixture(tmp_path_factory: pytest.TempPathFactory) -> SiteKeys:
    """Give keys for a gateway and a centre."""
    return make_site_keys(tmp_path_factory.mktemp("pki") / "keys", (GATEWAY,))


@pytest.fixture(name="broker")
def broker_fixture(tmp_path: Path, keys: SiteKeys) -> Iterator[Broker]:
    """Give a running broker."""
    with Broker(tmp_path / "broker", keys) as broker:
        yield broker


async def sealed(keys: SiteKeys, folder: Path, segments: int) -> list[int]:
    """Fill an outbox while nobody is reached; give the values in order."""
    async with sender_of(keys, NOBODY, folder) as sender:
        await sender.seal(segments, ticks=1)
        return sender.values


@pytest.mark.parametrize("persistent", [False, True])
async def test_broker_killed_after_its_puback(keys: SiteKeys, tmp_path: Path, *, persistent: bool) -> None:
    """What a broker has acknowledged to a centre that is away dies with it, on disk or not: all of it goes again."""
    with Broker(tmp_path / "broker", keys, persistent=persistent) as broker:
        async with centre_of(keys, broker.port, tmp_path) as centre:
            await until(lambda: centre.connected)
        async with sender_of(keys, broker.port, tmp_path, resend_after_s=1.0) as sender:
            await sender.seal(40, ticks=1)
            await until(lambda: sender.uplink.state.acked >= 43)
            assert (await sender.stats()).segments_pending == 41
            broker.kill()
            broker.start()
            async with centre_of(keys, broker.port, tmp_path) as centre:
                await all_there(centre, sender)


async def test_broker_whose_queue_overflows_while_the_centre_is_away(keys: SiteKeys, tmp_path: Path) -> None:
    """A queue of ten, two hundred segments, all acknowledged with success: every one arrives in the end."""
    with Broker(tmp_path / "broker", keys, queue=10) as broker:
        async with centre_of(keys, broker.port, tmp_path) as centre:
            await until(lambda: centre.connected)
        async with sender_of(keys, broker.port, tmp_path, resend_after_s=1.0, ahead=250) as sender:
            await sender.seal(200, ticks=1)
            await until(lambda: sender.uplink.state.acked >= 203)
            await asyncio.sleep(1.5)
            assert sender.uplink.state.sent == 203  # nothing lies there twice
            assert sender.uplink.state.failed == 0
            async with centre_of(keys, broker.port, tmp_path) as centre:
                await all_there(centre, sender)


async def test_slow_broker(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A broker that stands still again and again is waited for, not left, and nothing goes twice."""
    async with centre_of(keys, broker.port, tmp_path) as centre:
        await until(lambda: centre.connected)
        values = await sealed(keys, tmp_path, 150)
        async with sender_of(keys, broker.port, tmp_path, resend_after_s=30.0) as sender:
            for _ in range(3):
                await asyncio.sleep(0.1)
                broker.freeze()
                await asyncio.sleep(0.7)
                broker.thaw()
            await all_there(centre, sender, values)
            assert sender.uplink.state.reconnects == 0
        assert centre.counts.duplicates_dropped == 0


async def test_half_open_line(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """A line that falls silent without a word is given up after twice the keep-alive, and left without hanging."""
    values = await sealed(keys, tmp_path, 300)
    async with (
        centre_of(keys, broker.port, tmp_path) as centre,
        Relay(broker.port, delay_ms=20, rate=64_000) as relay,
        sender_of(keys, relay.port, tmp_path, keepalive_s=1, resend_after_s=30.0) as sender,
    ):
        await until(lambda: centre.counts.segments > 10)
        relay.hold()
        await until(lambda: sender.uplink.state.reconnects > 0)
        relay.cut()
        relay.release()
        await all_there(centre, sender, values)
        assert centre.counts.duplicates_dropped <= MOST_REPEATS


class Stepping(SystemClock):
    """A machine whose wall clock is set anew, decades to and fro, whenever somebody looks."""

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(5)

    def correlation(self) -> Correlation | None:
        """Give another time each time, or none."""
        utc_ms = self._random.choice((0, 1_000_000_000_000, 4_000_000_000_000))
        return Correlation(self.boot_id, self.boot_ms(), utc_ms, 1, "kernel") if utc_ms else None


async def test_clock_steps_do_not_matter(
    keys: SiteKeys, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock jumps by decades at every look, for the gateway, the centre and all they use: nothing is lost."""
    jumps, true_ns = random.Random(7), time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true_ns() + jumps.choice((-1, 0, 1)) * 10**18)
    monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9)
    gateway = keys.gateways[GATEWAY]
    settings = uplink_settings(keys, gateway, broker.port)
    async with centre_of(keys, broker.port, tmp_path) as centre:
        await until(lambda: centre.connected)
        async with Sender(gateway, settings, tmp_path / "outbox.db", clock=Stepping()) as sender:
            for _ in range(5):
                await sender.seal(20, ticks=1)
            await all_there(centre, sender)
            assert sender.uplink.state.reconnects == 0
        assert centre.counts.duplicates_dropped == 0


async def moved(centre: Centre, before: int, most: int) -> None:
    """Wait until the centre has more segments than before, or all."""
    await until(lambda: centre.counts.segments > before or centre.counts.segments >= most)


async def kill_and_cut(
    keys: SiteKeys, broker: Broker, folder: Path, *, segments: int, events: int, seed: int, rate: float
) -> int:
    """Drain a backlog through so many kills of the sender and cuts of the line; give how many copies went too much."""
    chance = random.Random(seed)
    values = await sealed(keys, folder, segments)
    leave(keys, folder)
    async with centre_of(keys, broker.port, folder) as centre, Relay(broker.port, delay_ms=10, rate=rate) as relay:
        await until(lambda: centre.connected)
        for event in range(events):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hil_tests.bench.drain",
                str(folder),
                str(relay.port),
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdout is not None
            async with asyncio.timeout(60):
                await process.stdout.readline()
            before, repeats = centre.counts.segments, centre.counts.duplicates_dropped
            cuts = chance.randrange(3)
            for _ in range(cuts):
                await asyncio.sleep(chance.uniform(0, 0.3))
                relay.cut()
            if event % 2:  # let it get somewhere first
                await moved(centre, before, segments)
            await asyncio.sleep(chance.uniform(0, 0.3))
            with contextlib.suppress(ProcessLookupError):  # it had come to its end
                process.kill()
            await process.wait()
            assert centre.counts.duplicates_dropped - repeats <= (cuts + 1) * MOST_REPEATS
        async with sender_of(keys, broker.port, folder, resend_after_s=2.0) as sender:
            await all_there(centre, sender, values)
        return centre.counts.duplicates_dropped


async def test_killed_and_cut_while_it_drains(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """SIGKILL of the sender and aborts of the line at random: nothing lost, at most a hundred copies for each."""
    repeats = await kill_and_cut(keys, broker, tmp_path, segments=200, events=3, seed=1, rate=100_000)
    assert repeats <= 9 * MOST_REPEATS


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2))
async def test_killed_and_cut_a_hundred_times(keys: SiteKeys, broker: Broker, tmp_path: Path, seed: int) -> None:
    """The same with thousands of segments, and often."""
    repeats = await kill_and_cut(keys, broker, tmp_path, segments=4_000, events=100, seed=seed, rate=40_000)
    assert repeats <= 100 * MOST_REPEATS
    print(f"seed {seed}: 100 kills, {repeats} copies too many, 4000 segments, none lost")


async def latencies(
    keys: SiteKeys, broker: Broker, folder: Path, *, rate: float | None, size: int, count: int
) -> tuple[list[float], list[float]]:
    """Drain a backlog at 80 ms there and back; give the seconds that answers, and alarms, took to arrive."""
    async with sender_of(keys, NOBODY, folder) as away:
        await away.add("fine", size, count)
    async with (
        RawClient(keys, keys.centre, broker.port, "centre") as centre,
        Relay(broker.port, delay_ms=40, rate=rate) as relay,
        sender_of(keys, relay.port, folder, receipts="puback") as sender,
    ):
        centre.subscribe("gw/v1/+/#")
        await until(lambda: sum("/tele/fine" in topic for topic, _ in centre.messages) > 20)
        taken: tuple[list[float], list[float]] = ([], [])

        async def arrives(began: float, message: bytes, into: list[float]) -> None:
            await until(lambda: any(payload == message for _, payload in centre.messages[-200:]))
            into.append(time.monotonic() - began)

        for number in range(4):
            began, answer = time.monotonic(), sender.sign("ack", "gw/answer;v=1", bytes([number]))
            sender.uplink.publish("ack", answer)
            await arrives(began, answer, taken[0])
            began, (alarm,) = time.monotonic(), await sender.add("alarm", 200)
            sender.uplink.wake(alarm)
            await arrives(began, alarm.blob, taken[1])
        assert (await sender.stats()).segments_pending > 50  # the drain was still on
        return taken


@pytest.mark.parametrize(("rate", "count"), [(64_000, 300), (None, 1_000)])
async def test_answer_and_alarm_pass_a_drain(
    keys: SiteKeys, broker: Broker, tmp_path: Path, rate: float | None, count: int
) -> None:
    """Behind a backlog, on a line of 64 kB/s or without a limit, what is urgent is there in less than a second."""
    answers, alarms = await latencies(keys, broker, tmp_path, rate=rate, size=2_000, count=count)
    print(f"{rate}: answers {[round(each, 3) for each in answers]}, alarms {[round(each, 3) for each in alarms]}")
    assert sorted(answers)[len(answers) // 2] < 1.0
    assert sorted(alarms)[len(alarms) // 2] < 1.0


async def test_alarms_of_a_backlog_go_first(keys: SiteKeys, broker: Broker, tmp_path: Path) -> None:
    """An alarm of while the line was down is the first to go when it is up; then records, indexes, minutes."""
    async with sender_of(keys, NOBODY, tmp_path) as away:
        for stream, count in (("fine", 100), ("minute", 3), ("index", 2), ("alarm", 2), ("dropped", 1)):
            await away.add(stream, 200, count)
    async with RawClient(keys, keys.centre, broker.port, "centre") as centre:
        centre.subscribe("gw/v1/+/tele/#")
        centre.subscribe("gw/v1/+/evt/#")
        async with sender_of(keys, broker.port, tmp_path, receipts="puback") as sender:
            await sender.done()
    topics = [topic.removeprefix(f"gw/v1/{GATEWAY}/") for topic, _ in centre.messages]
    wanted = ["evt/alarm"] * 2 + ["tele/dropped", "tele/schema"] + ["tele/index"] * 2 + ["tele/minute"] * 3
    assert topics[: len(wanted)] == wanted
    assert topics[len(wanted) :] == ["tele/fine"] * 100
