"""What the agent says of itself: true, and with what to do where something is wrong."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from config.channel import Channel, Quantity
from drivers.errors import PortMissing
from drivers.linky_quality import Rates
from drivers.ports import Accept
from drivers.reading import Quality, Reading
from gateway.app import status
from gateway.clock import Correlation
from gateway.commands.executor import Shedding
from gateway.supervise import Supervised
from gateway.tests.metering import HandClock, Metering
from gateway.uplink.allowance import Day
from gateway.uplink.figures import LinkQuality
from gateway.uplink.settings import LinkState

POWER = Channel("linky.sinsts", "linky", "linky", Quantity.APPARENT_POWER_IMPORT, "VA")
HEAT = Channel("heat.energy", "heat", "heat.slow", Quantity.THERMAL_ENERGY, "Wh", 5)


def test_a_channel_is_told_exactly_and_with_its_age() -> None:
    """The integer and the exponent are given as they are; nothing is rounded on the way."""
    told = status.channels([Reading(HEAT, 12_345, 4_000, Quality.SUSPECT)], 9_500)
    assert told == [
        {
            "name": "heat.energy",
            "value": 12_345,
            "exponent": 5,
            "unit": "Wh",
            "quantity": "thermal_energy",
            "quality": "suspect",
            "boot_ms": 4_000,
            "age_ms": 5_500,
        }
    ]


def test_an_age_is_never_negative() -> None:
    """A reading that came while the status was made is new, not from the future."""
    assert status.channels([Reading(POWER, 1, 5_000)], 4_990)[0]["age_ms"] == 0


class Line:
    """A meter whose port may be missing."""

    name = "linky"
    channels: Sequence[Channel] = (POWER,)
    state = "standard, 9600 Bd"

    async def run(self, _accept: Accept) -> None:
        raise PortMissing("linky: /dev/linky is not there: plug the adapter in")


async def test_a_meter_that_failed_says_what_is_wrong_until_it_reads_again() -> None:
    """The driver's words stand in place of its state, and go when it gives something."""
    meter = Line()
    halt = asyncio.Event()

    async def wait(_seconds: float) -> None:
        halt.set()
        await asyncio.Event().wait()

    supervised = Supervised("linky", lambda: meter.run(lambda _: None), now_s=lambda: 0.0, sleep=wait)
    running = asyncio.create_task(supervised.run())
    await halt.wait()
    told = status.meters(
        [meter], {"linky": supervised}, {}, lambda _: None, {}, stale_after_ms={"linky": 5_000}, rates={}
    )[0]
    assert (told["failed"], told["state"]) == (True, "linky: /dev/linky is not there: plug the adapter in")
    assert (told["first_read_ms"], told["last_read_ms"], told["restarts"]) == (None, None, 1)
    assert told["rates"] is None
    supervised.reads_again()
    counters = {"linky": {"frames": 2}}
    rates = {"linky": {"minute": Rates(60.0, 1.5, 0.25), "hour": None}}
    told = status.meters(
        [meter],
        {"linky": supervised},
        {"linky": 3},
        lambda _: 7,
        counters,
        stale_after_ms={"linky": 5_000},
        rates=rates,
    )[0]
    assert (told["failed"], told["state"]) == (False, "standard, 9600 Bd")
    assert (told["first_read_ms"], told["last_read_ms"], told["counters"]) == (3, 7, {"frames": 2})
    assert told["stale_after_ms"] == 5_000
    minute = {"frames_per_min": 60.0, "refused_percent": 1.5, "parity_per_1000": 0.25}
    assert told["rates"] == {"minute": minute, "hour": None}
    running.cancel()


@pytest.mark.parametrize(
    ("known", "trusted", "said"),
    [
        (None, False, "readings are kept under boot time"),
        (Correlation(bytes(16), 1_000_000, 5, 20, "kernel"), True, "known to 20 ms, from the kernel"),
        (Correlation(bytes(16), 1_000_000, 5, 6_000, "centre"), False, "too vague for commands"),
        (Correlation(bytes(16), 1_000_000, 5, 7, "meter"), False, "from the meter's own clock: it stamps readings"),
    ],
)
def test_the_clock_says_whether_commands_can_rely_on_it(known: Correlation | None, trusted: bool, said: str) -> None:  # noqa: FBT001 - a fact
    """Unknown, known and too vague are told apart."""
    clock = HandClock()
    clock.known = known
    told = status.clock(clock)
    assert told["trusted"] is trusted
    assert said in told["text"]


async def test_the_oldest_reading_without_a_receipt_counts_what_is_not_sealed(tmp_path: Path) -> None:
    """What is on the disk and in no segment yet has no receipt either."""
    metering = Metering(tmp_path / "outbox.db")
    metering.read()
    first_ms = metering.clock.now_ms
    await metering.sealing.flush(seal=False)
    told = status.outbox(await metering.store.stats(), metering.sealing, 0)
    assert told["oldest_without_receipt_ms"] == first_ms
    assert told["readings_pending"] == len(metering.put)
    await metering.sealing.flush(seal=True)
    metering.read()
    await metering.sealing.flush(seal=False)
    outbox = metering.store.outbox
    outbox.received(outbox.epoch, "schema", 1)
    outbox.received(outbox.epoch, "fine", 1)
    told = status.outbox(await metering.store.stats(), metering.sealing, 0)
    assert told["oldest_without_receipt_ms"] == metering.clock.now_ms == told["last_commit_ms"]
    assert told["segments_pending"] == 0
    assert told["text"].startswith(f"{told['readings_pending']} readings without a receipt, 0 segments")
    metering.close()


async def test_the_room_is_estimated_from_what_was_sealed(tmp_path: Path) -> None:
    """Twice the quota lasts about twice as long; before anything was sealed, nothing is guessed."""
    told = {}
    for quota_pages in (1_000, 2_000):
        metering = Metering(tmp_path / f"{quota_pages}.db", quota_pages=quota_pages)
        early = status.outbox(await metering.store.stats(), metering.sealing, 600_000)
        assert early["room_s"] is None
        metering.read()
        await metering.sealing.flush(seal=True)
        told[quota_pages] = status.outbox(await metering.store.stats(), metering.sealing, 600_000)["room_s"]
        sealed = sum(len(segment.blob) for segment in metering.sealed if segment.stream == "fine")
        assert told[quota_pages] == pytest.approx(quota_pages * 4096 / sealed * 600, rel=0.01)
        metering.close()
    assert told[2_000] == pytest.approx(2 * told[1_000], rel=0.01)


def test_a_refusal_stands_before_the_state_of_the_link() -> None:
    """What is wrong and what to do is what people read first."""
    state = LinkState(
        connected=True,
        since_boot_ms=0,
        text="connected to broker:8883",
        refused_reason=None,
        last_puback_boot_ms=None,
        in_flight=0,
        unreceipted=0,
        waiting=0,
        sent=0,
        acked=0,
        failed=0,
        dropped=0,
        reconnects=0,
        broker="broker:8883",
        on_fallback=False,
        puback_receipts=False,
        quality=LinkQuality(
            puback_ms=(38, 90),
            covered_ms=3_600_000,
            up_permille=998,
            reconnects=2,
            sent_bytes=1_200_000,
            received_bytes=300_000,
            last_failure=("connection to broker:8883 ended: Unspecified error", 7),
        ),
        day=Day(budget=None, sent=700_000, received=200_000, held=(), is_known=True),
    )
    assert status.link(state)["text"] == "connected to broker:8883"
    refused = replace(state, refused_reason="not authorized: check it")
    assert status.link(refused)["text"] == "not authorized: check it"
    assert status.link(refused)["connected"] is True
    good = "38 ms there and back (90 ms at worst in 95 %); up 99.8 % of 60 min, 2 reconnects; "
    assert status.link(state)["figures"] == f"{good}0.90 MB today"
    metered = replace(state, day=Day(budget=5_000_000, sent=700_000, received=200_000, held=("fine",), is_known=True))
    assert status.link(metered)["figures"] == f"{good}0.90 of 5 MB today; fine readings wait for more"


def test_what_is_shed_is_told_with_the_time_left() -> None:
    """How much, of what, on how many loads, for how long; and never less than nothing."""
    running = Shedding(
        id="c1",
        issuer="centre",
        state="active",
        target="building",
        percent=40,
        values={"heater": 0, "charger": 6},
        failed={},
        end_boot_ms=61_000,
    )
    told = status.shedding("controlled_shedding", [running], 1_000)
    assert "active 40 % of building, 2 loads, 60 s left" in told["text"]
    assert told["running"][0]["values"] == {"heater": 0, "charger": 6}
    assert "0 s left" in status.shedding("controlled_shedding", [running], 99_000)["text"]
    assert "nothing is shed" in status.shedding("controlled_idle", [], 1_000)["text"]


@pytest.mark.parametrize("state", ["autonomous", "link_lost"])
def test_a_centre_that_is_heard_is_not_said_to_be_away(state: str) -> None:
    """Both states last until an order comes, which may be months: meanwhile the heartbeats tell whether it is there."""
    assert "the centre is not heard" in status.shedding(state, [], 1_000)["text"]
    assert "the centre is heard" in status.shedding(state, [], 1_000, heard=True)["text"]
    assert "in control" in status.shedding("controlled_idle", [], 1_000, heard=True)["text"]
