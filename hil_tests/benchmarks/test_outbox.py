"""What the outbox is measured with: a trace, rivals or a proof that could not fail would prove nothing."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.wire.keys import make_signing_key
from hil_tests.benchmarks.figure import Figure
from hil_tests.benchmarks.outbox import packets
from hil_tests.benchmarks.outbox.honest import honesty
from hil_tests.benchmarks.outbox.ours import Ours
from hil_tests.benchmarks.outbox.proof import Judged, fine_segments, judged
from hil_tests.benchmarks.outbox.rivals import (
    TB_PAYLOAD,
    TbStore,
    changed_rows,
    naive_rows,
    shown,
    tb_moments,
    tb_packs,
    tb_row,
)
from hil_tests.benchmarks.outbox.trace import GROUPS, LINKY, PLANT, Tick, date_text, readings, ticks

SHORT_DAYS = 0.02


def test_the_trace_is_one_building_in_order_and_the_same_each_time() -> None:
    """Forty labels, forty channels and four counters, 33 readings a second, by the seed and by nothing else."""
    trace = list(ticks(days=SHORT_DAYS))
    assert [len(group.labels) for group in GROUPS] == [40, 40, 4]
    assert {len(tick.values) for tick in trace} == {40, 4}
    assert 32.5 < sum(map(readings, trace)) / (SHORT_DAYS * 86_400) < 33.5
    assert [tick.utc_ms for tick in trace] == sorted(tick.utc_ms for tick in trace)
    assert trace == list(ticks(days=SHORT_DAYS))
    assert trace != list(ticks(seed=6, days=SHORT_DAYS))
    assert trace == list(islice(ticks(days=1), len(trace)))
    first = next(tick for tick in trace if tick.group == LINKY)
    assert date_text(first) == "H261119000000"


def test_the_trace_of_a_day_may_be_measured_on() -> None:
    """It changes as often, and is as random, as a real building's."""
    found = honesty(ticks(days=1))
    assert found.holds, found


def _still(trace: Iterator[Tick]) -> Iterator[Tick]:
    first: dict[int, Tick] = {}
    for tick in trace:
        yield first.setdefault(tick.group, tick)._replace(utc_ms=tick.utc_ms)


def _wild(trace: Iterator[Tick]) -> Iterator[Tick]:
    random = Random(1)
    for tick in trace:
        if tick.group == PLANT:
            yield tick._replace(values=tuple(random.getrandbits(16) for _ in tick.values))
        else:
            yield tick


@pytest.mark.parametrize("spoil", [_still, _wild])
def test_a_trace_that_is_too_easy_or_too_hard_is_refused(spoil: Callable[[Iterator[Tick]], Iterator[Tick]]) -> None:
    """Figures on it would flatter us, or mean nothing: those of its honesty say so."""
    found = honesty(spoil(ticks(days=SHORT_DAYS)))
    assert not found.holds
    assert any(figure.holds is False for figure in found.figures())


def test_the_rivals_keep_and_send_every_reading(tmp_path: Path) -> None:
    """They are measured on the whole trace: all comes back from their storage, and packs keep their bound."""
    trace = list(islice(ticks(), 3_000))
    store = TbStore.open(tmp_path / "tb.db")
    for rows in tb_moments(trace):
        store.put(0, rows)
    sent: list[Tick | str] = []
    told: dict[str, list[dict[str, object]]] = {}
    while (batch := store.batch())[1]:
        sent += batch[1]
        for pack in tb_packs(batch[1]):
            assert len(pack) < TB_PAYLOAD + 100
            for device, polls in json.loads(pack).items():
                told.setdefault(device, []).extend(polls)
        store.done(batch[0])
    store.close()
    assert sent == [tb_row(tick) for tick in trace]
    for number, group in enumerate(GROUPS):
        mine = [{"ts": tick.utc_ms, "values": shown(tick)} for tick in trace if tick.group == number]
        assert told[f"bldg1-{group.name}"] == mine


def test_change_only_rows_tell_every_change() -> None:
    """Whoever reads them knows each value at each moment."""
    trace = list(islice(ticks(), 500))
    known: dict[str, object] = {}
    for tick, rows in zip(trace, changed_rows(trace), strict=True):
        for row in map(json.loads, rows):
            known[row["id"]] = row["v"]
        for row in map(json.loads, naive_rows(tick)):
            assert known[row["id"]] == row["v"]


@pytest.mark.parametrize("size", [0, 60, 100, 127, 128, 2_000, 16_300, 16_400])
@pytest.mark.parametrize("content", [None, "gw/segment;v=1"])
@pytest.mark.parametrize("expires", [False, True])
def test_a_packet_has_the_size_that_paho_gives_it(
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    content: str | None,
    expires: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The bytes of MQTT are counted, not sent: they are those that a real client makes."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="x", protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it without annotations
    if content is not None:
        properties.ContentType = content
    if expires:
        properties.MessageExpiryInterval = 600
    made: list[bytes] = []
    monkeypatch.setattr(client, "_sock", object())
    monkeypatch.setattr(client, "_packet_queue", lambda _, packet, *__: made.append(packet))
    client._send_publish(7, b"gw/v1/gw-lyon-017/tele/fine", bytes(size), 1, False, False, None, properties)  # noqa: FBT003
    told = packets.Properties(content, expires=expires)
    assert packets.publish("gw/v1/gw-lyon-017/tele/fine", size, told) == len(made[0])


async def test_a_planted_loss_is_found(tmp_path: Path) -> None:
    """What our own storing gives is the trace, exactly; without one segment, or with a value changed, it is not."""
    key = make_signing_key(tmp_path / "signing.pem", "gw-lyon-017-2026")
    ours = Ours(tmp_path, key, seal_s=60)
    async with ours:
        await ours.take(ticks(days=SHORT_DAYS))
        await ours.end()
    blobs = fine_segments(ours.path)
    public = key.private.public_key()
    assert judged(ticks(days=SHORT_DAYS), blobs, key.key_id, public) == Judged(0, 0, 0)
    assert ours.kept.readings == sum(map(readings, ticks(days=SHORT_DAYS)))
    found = judged(ticks(days=SHORT_DAYS), [*blobs[:3], *blobs[4:]], key.key_id, public)
    assert 1_900 < found.lost < 2_100
    assert Figure("decoded_lost", found.lost, "readings", 0).holds is False
    other = (tick if at else tick._replace(values=(7, *tick.values[1:])) for at, tick in enumerate(ticks(days=0.02)))
    assert judged(other, blobs, key.key_id, public).wrong == 1
