"""Alarms: kept in a stream of their own, chained, and said singly only where they cannot be kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from buffer.errors import StorageDamaged
from buffer.outbox import Segment
from gateway.app import alarms as room
from gateway.app.alarms import Alarms
from gateway.app.voice import Voice
from gateway.clock import Correlation
from gateway.control.events import Events
from gateway.sealing import Signer, Store
from gateway.tests.metering import GATEWAY, KEY, PUBLIC, HandClock
from gateway.wire import cose
from gateway.wire.messages import Alarm


class Telling:
    """Alarms over a real outbox; `kept` are those on the disk, `said` those that were not."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.store = Store(folder / "outbox.db", quota_pages=4096)
        self.kept: list[Segment] = []
        self.said: list[tuple[str, bytes]] = []
        self.private: set[str] = set()
        self.alarms = Alarms(
            store=self.store,
            signer=Signer(GATEWAY, KEY),
            clock=self.clock,
            voice=Voice(GATEWAY, KEY),
            events=Events(self.clock.boot_ms),
            private=lambda: self.private,
            sealed=self.kept.append,
            publish=lambda kind, message: self.said.append((kind, message)),
        )

    def texts(self) -> list[str]:
        return [Alarm.decode(cose.verify(each.blob, PUBLIC).payload).text for each in self.kept]


@pytest.fixture(name="telling")
def telling_fixture(tmp_path: Path) -> Iterator[Telling]:
    """Give alarms over an empty outbox."""
    telling = Telling(tmp_path)
    yield telling
    telling.store.close()


async def test_alarms_are_kept_in_order_and_chained(telling: Telling) -> None:
    """Each is a message of its own under the next number; nothing is said twice."""
    telling.clock.known = Correlation(telling.clock.boot_id, telling.clock.now_ms, 1_800_000_000_000, 5, "kernel")
    for number in range(3):
        telling.alarms.tell("storage", f"text {number}")
    await telling.alarms.end()
    assert telling.texts() == ["text 0", "text 1", "text 2"]
    headers = [cose.verify(each.blob, PUBLIC).header for each in telling.kept]
    assert [(header.stream, header.sequence) for header in headers] == [("alarm", 1), ("alarm", 2), ("alarm", 3)]
    assert headers[2].previous == cose.digest(telling.kept[1].blob)
    assert telling.store.outbox.pending(limit=9) == telling.kept
    first = Alarm.decode(cose.verify(telling.kept[0].blob, PUBLIC).payload)
    assert (first.kind, first.boot_ms, first.utc_ms) == ("storage", telling.clock.now_ms, 1_800_000_000_000)
    assert telling.said == []


async def test_an_alarm_that_the_disk_refuses_is_said_singly(telling: Telling) -> None:
    """Above all that the disk refuses must reach somebody."""
    telling.store.outbox._db.execute("PRAGMA query_only = 1")
    telling.alarms.tell("storage", "the disk refuses")
    await telling.alarms.end()
    ((kind, message),) = telling.said
    verified = cose.verify(message, PUBLIC)
    assert (kind, verified.header.stream) == ("evt/alarm", "evt")
    assert Alarm.decode(verified.payload).text == "the disk refuses"
    telling.store.outbox._db.execute("PRAGMA query_only = 0")
    telling.alarms.tell("storage", "works again")
    await telling.alarms.end()
    assert telling.texts() == ["works again"]


async def test_what_repeats_itself_does_not_wear_the_card_out(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many are kept in an hour; the rest is said all the same, and an hour later they are kept again."""
    monkeypatch.setattr(room, "MOST_AN_HOUR", 5)
    telling.alarms._kept_ms = type(telling.alarms._kept_ms)(maxlen=5)
    for number in range(8):
        telling.alarms.tell("noise", str(number))
    await telling.alarms.end()
    assert (len(telling.kept), len(telling.said)) == (5, 3)
    telling.clock.now_ms += 3_600_000
    telling.alarms.tell("noise", "later")
    await telling.alarms.end()
    assert telling.texts()[-1] == "later"


async def test_a_household_that_consented_to_nothing_is_not_named(telling: Telling) -> None:
    """Whatever room tells the alarm: the names of its devices stay here, as whole words and within channels."""
    telling.private = {"apt-12", "water"}
    telling.alarms.tell("clock", "water shows 12:00; apt-12 and water.total too, waterfall not")
    await telling.alarms.end()
    assert telling.texts() == ["(a household) shows 12:00; (a household) and (a household).total too, waterfall not"]


async def test_damage_is_said_and_passed_on(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm goes out by itself, and the process ends as damage wants it."""

    def damaged(*_: object, **__: object) -> None:
        raise StorageDamaged("a page is not what it was")

    monkeypatch.setattr(telling.store.outbox, "add", damaged)
    telling.alarms.tell("storage", "x")
    with pytest.raises(StorageDamaged):
        await telling.alarms.end()
    assert len(telling.said) == 1
