"""Consents on the control socket: given, withdrawn, kept; what may leave follows at once, and over a restart."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from buffer.outbox import Segment
from config.channel import Channel, Quantity
from config.load import load
from config.site import Site
from config.tests.sites import GOOD, write
from config.tests.test_dwelling import TWO
from drivers.reading import Reading
from gateway.app import scopes
from gateway.app.consenting import Consenting
from gateway.control.routes import Call, Refusal
from gateway.outgoing import TIERS, Outgoing
from gateway.outgoing.consents import CHANGES_KEPT, MARK, Change, Consents
from gateway.outgoing.scope import tier_of
from gateway.sealing import Sealing, Signer, Store
from gateway.tests.metering import GATEWAY, KEY, PUBLIC, HandClock
from gateway.wire import cose, packing
from gateway.wire.schema import Schema

GAS = Channel("gas.total", "gas", "gas.total", Quantity.GAS_VOLUME, "m3", -3)
MAIN = Channel("main.papp", "main", "main", Quantity.APPARENT_POWER_IMPORT, "VA")
BOILER = Channel("boiler.power", "boiler", "boiler.fast", Quantity.ACTIVE_POWER_IMPORT, "W")
CHANNELS = (MAIN, BOILER, GAS)
SAID = {"dwelling": "a", "purpose": "b", "given": True, "who": "w", "reason": "r", "utc_ms": None}
PUBLISHED = ("minute.apt-1.research", "fine.apt-1.advice")


class Box:
    """The rooms that a consent moves, over a real outbox in `folder`."""

    def __init__(self, folder: Path, site: str = TWO) -> None:
        self.clock = HandClock()
        self.site: Site = load(write(folder, GOOD + site))
        self.store = Store(folder / "outbox.db", quota_pages=4096)
        self.outgoing = Outgoing(CHANNELS, self.clock, latest=lambda _: None, stale_after_ms={})
        self.outgoing.open(scopes.building(self.site, CHANNELS))
        self.sealed: list[Segment] = []
        self.forgotten: list[str] = []
        self.alarms: list[tuple[str, str]] = []
        self.births = 0
        self.sealing = Sealing(
            self.store,
            Signer(GATEWAY, KEY),
            self.clock,
            self.outgoing,
            marks=dict,
            journal_s=10,
            seal_s=lambda: 30,
            linked=lambda: True,
            sealed=self.sealed.append,
            alarm=lambda kind, text: self.alarms.append((kind, text)),
        )
        self.consenting = Consenting(
            self.site,
            CHANNELS,
            store=self.store,
            outgoing=self.outgoing,
            sealing=self.sealing,
            clock=self.clock,
            forget=self._forget,
            changed=self._changed,
            alarm=lambda kind, text: self.alarms.append((kind, text)),
        )
        self._running: asyncio.Task[None] | None = None

    async def begin(self) -> "Box":
        self._running = asyncio.create_task(self.sealing.run())
        await self.sealing.settled()
        return self

    async def end(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self.store.close()

    def read(self) -> None:
        self.clock.now_ms += 70_000
        for channel in CHANNELS:
            self.outgoing.accept([Reading(channel, self.clock.now_ms, self.clock.now_ms)])

    async def ask(self, consent: str, purpose: str = "advice", dwelling: str = "apt-1") -> Any:  # noqa: ANN401 - JSON
        change = self.consenting.routes()[1]
        assert change.answer is not None
        body = {"dwelling": dwelling, "purpose": purpose, "consent": consent, "who": "Mme X", "reason": "form 3"}
        return await change.answer(Call({}, {}, body))

    async def listed(self) -> Any:  # noqa: ANN401 - JSON
        answer = self.consenting.routes()[0].answer
        assert answer is not None
        return await answer(Call({}, {}, {}))

    async def seal(self) -> set[str]:
        """Read, seal all tiers, and name the streams that were sealed."""
        self.sealed.clear()
        for _ in range(2):
            self.read()
        self.clock.now_ms += 3_600_000
        self.sealing.urgent()
        await self.sealing.settled()
        return {segment.stream for segment in self.sealed if tier_of(segment.stream) in TIERS}

    def _forget(self, streams: Sequence[str]) -> None:
        self.forgotten += streams

    def _changed(self) -> None:
        self.births += 1


async def test_nothing_of_a_dwelling_leaves_without_its_consent(tmp_path: Path) -> None:
    """Not its readings, not its channels' names, not in any stream."""
    box = await Box(tmp_path).begin()
    assert await box.seal() == {"fine", "minute"}
    for segment in box.store.outbox.pending(limit=99):
        verified = cose.verify(segment.blob, PUBLIC)
        assert b"gas" not in verified.payload
        assert b"boiler" not in verified.payload
        if segment.stream == "fine":
            assert set(packing.unpack(verified.payload, Schema.of([MAIN])).groups) == {"main"}
    assert box.consenting.private() == {"apt-1", "gas", "apt-2", "boiler"}
    assert box.consenting.status() == {"dwellings": 2, "consented": 0, "uncovered": 0}
    await box.end()


async def test_a_consent_lets_out_its_tiers_for_its_purpose_alone(tmp_path: Path) -> None:
    """One household, one purpose: in streams of their own, under a schema of its own channels."""
    box = await Box(tmp_path).begin()
    assert await box.ask("given") == {"dwelling": "apt-1", "purpose": "advice", "given": True, "stored": True}
    assert await box.seal() == {"fine", "minute", "fine.apt-1.advice"}
    (schema,) = (each for each in box.store.outbox.pending(limit=99) if each.stream == "schema.apt-1.advice")
    assert [each.name for each in Schema.decode(cose.verify(schema.blob, PUBLIC).payload).channels] == ["gas.total"]
    assert box.alarms == [("consent", "apt-1, advice: given")]
    assert (box.births, box.consenting.status()) == (1, {"dwellings": 2, "consented": 1, "uncovered": 0})
    assert box.consenting.private() == {"apt-2", "boiler"}
    await box.ask("given", "research")
    assert await box.seal() == {"fine", "minute", *PUBLISHED}
    await box.end()


async def test_a_withdrawal_counts_at_once(tmp_path: Path) -> None:
    """When the answer comes nothing undelivered of it is left, in memory, on the disk or with the link."""
    box = await Box(tmp_path).begin()
    await box.ask("given")
    await box.seal()
    box.read()
    assert await box.ask("withdrawn") == {"dwelling": "apt-1", "purpose": "advice", "given": False, "stored": True}
    assert not [stream for stream in box.store.outbox.unsent() if "apt-1" in stream]
    assert {"fine.apt-1.advice", "minute.apt-1.advice", "schema.apt-1.advice"} <= set(box.forgotten)
    assert box.alarms[-1] == ("consent", "apt-1, advice: withdrawn")
    assert box.births == 2
    assert await box.seal() == {"fine", "minute"}
    told = await box.listed()
    assert [each["given"] for each in told["changes"]] == [True, False]
    purpose = told["dwellings"][0]["purposes"][1]
    assert (purpose["name"], purpose["given"], purpose["last"]["who"]) == ("advice", False, "Mme X")
    await box.end()


async def test_consents_hold_over_a_restart(tmp_path: Path) -> None:
    """What was given stays given; what was withdrawn stays withdrawn."""
    box = await Box(tmp_path).begin()
    for purpose in ("advice", "research"):
        await box.ask("given", purpose)
    await box.ask("withdrawn", "advice")
    await box.end()
    again = await Box(tmp_path).begin()
    assert await again.seal() == {"fine", "minute", "minute.apt-1.research"}
    await again.end()


async def test_what_a_site_file_no_longer_lets_out_is_taken_out_at_the_start(tmp_path: Path) -> None:
    """A tier or a dwelling that is gone from the file: what was unsent of it never goes."""
    box = await Box(tmp_path).begin()
    await box.ask("given", "research")
    await box.seal()
    assert "minute.apt-1.research" in box.store.outbox.unsent()
    await box.end()
    again = await Box(tmp_path, TWO.replace('["minute", "index"]', '["index"]')).begin()
    assert "minute.apt-1.research" not in again.store.outbox.unsent()
    assert "schema.apt-1.research" in again.store.outbox.unsent()
    await again.end()


async def test_a_consent_covers_no_tier_that_the_site_file_asks_for_later(tmp_path: Path) -> None:
    """More of it leaves once the consent is given anew; what an earlier one let out goes on."""
    box = await Box(tmp_path).begin()
    await box.ask("given", "research")
    await box.end()
    wider = await Box(tmp_path, TWO.replace('["minute", "index"]', '["fine", "minute"]')).begin()
    assert await wider.seal() == {"fine", "minute", "minute.apt-1.research"}
    assert not wider.outgoing.permits("fine.apt-1.research")
    purpose = (await wider.listed())["dwellings"][0]["purposes"][0]
    assert (purpose["given"], purpose["tiers"]) == (True, ["fine", "minute"])
    assert purpose["uncovered"] == {"tiers": ["fine"], "devices": []}
    assert wider.consenting.status() == {"dwellings": 2, "consented": 1, "uncovered": 1}
    await wider.ask("given", "research")
    assert wider.alarms[-1] == ("consent", "apt-1, research: given")
    assert wider.consenting.status()["uncovered"] == 0
    assert await wider.seal() == {"fine", "minute", "minute.apt-1.research", "fine.apt-1.research"}
    assert [each["tiers"] for each in (await wider.listed())["changes"]] == [["minute", "index"], ["fine", "minute"]]
    await wider.end()


async def test_a_consent_covers_no_meter_that_joins_the_household_later(tmp_path: Path) -> None:
    """Neither its readings nor its name leave before the consent is given anew."""
    box = await Box(tmp_path).begin()
    await box.ask("given")
    await box.end()
    site = TWO.replace('["gas"]', '["gas", "boiler"]').partition('[[dwelling]]\nname = "apt-2"')[0]
    wider = await Box(tmp_path, site).begin()
    assert await _groups(wider) == {"gas.total"}
    assert wider.consenting.private() == {"boiler"}
    purpose = (await wider.listed())["dwellings"][0]["purposes"][1]
    assert purpose["uncovered"] == {"tiers": [], "devices": ["boiler"]}
    await wider.ask("given")
    assert await _groups(wider) == {"gas.total", "boiler.fast"}
    assert wider.consenting.private() == set()
    await wider.end()


async def _groups(box: Box) -> set[str]:
    await box.seal()
    sealed = [each for each in box.sealed if each.stream == "fine.apt-1.advice"]
    schema = Schema.of([channel for channel in CHANNELS if channel.device not in {"main", *box.consenting.private()}])
    return {group for each in sealed for group in packing.unpack(cose.verify(each.blob, PUBLIC).payload, schema).groups}


async def test_a_file_that_is_narrowed_and_widened_again_needs_no_new_consent(tmp_path: Path) -> None:
    """All of it was consented to; unless the consent was given anew in between, to the narrower file."""
    narrow = TWO.replace('["minute", "index"]', '["index"]')
    for anew in (False, True):
        folder = tmp_path / str(anew)
        folder.mkdir()
        box = await Box(folder).begin()
        await box.ask("given", "research")
        await box.end()
        narrowed = await Box(folder, narrow).begin()
        assert not narrowed.outgoing.permits("minute.apt-1.research")
        assert narrowed.consenting.status()["uncovered"] == 0
        if anew:
            await narrowed.ask("given", "research")
        await narrowed.end()
        again = await Box(folder).begin()
        assert again.outgoing.permits("minute.apt-1.research") is not anew
        await again.end()


async def test_a_consent_of_an_older_version_covers_nothing(tmp_path: Path) -> None:
    """It does not say what it was given for: it is shown as not covered, what is unsent is deleted."""
    box = await Box(tmp_path).begin()
    await box.ask("given")
    await box.seal()
    document = json.loads(box.consenting._consents.write())
    for change in (*document["last"], *document["changes"]):
        del change["tiers"], change["devices"]
    box.store.outbox.commit([], {MARK: json.dumps(document)})
    await box.end()
    again = await Box(tmp_path).begin()
    assert not [stream for stream in again.store.outbox.unsent() if "apt-1" in stream]
    assert again.consenting.private() == {"gas", "apt-2", "boiler"}
    assert (await again.listed())["dwellings"][0]["purposes"][1]["uncovered"] == {"tiers": ["fine"], "devices": ["gas"]}
    assert await again.seal() == {"fine", "minute"}
    await again.ask("given")
    assert await again.seal() == {"fine", "minute", "fine.apt-1.advice"}
    await again.end()


async def test_a_consent_ends_with_what_it_was_for(tmp_path: Path) -> None:
    """A dwelling that leaves the site file takes its consents along: who gets its name later has not been asked."""
    box = await Box(tmp_path).begin()
    await box.ask("given", "research")
    await box.end()
    renamed = await Box(tmp_path, TWO.replace('"apt-1"', '"apt-7"')).begin()
    await renamed.end()
    again = await Box(tmp_path).begin()
    assert await again.seal() == {"fine", "minute"}
    told = await again.listed()
    assert [(each["given"], each["who"]) for each in told["changes"]] == [(True, "Mme X"), (False, "the site file")]
    await again.end()


async def test_a_disk_that_refuses_takes_no_consent_and_delays_no_withdrawal(tmp_path: Path) -> None:
    """A consent that is not on the disk does not count; a withdrawal counts in memory, and is written when it can."""
    box = await Box(tmp_path).begin()
    await box.ask("given")
    await box.seal()
    box.store.outbox._db.execute("PRAGMA query_only = 1")
    with pytest.raises(Refusal) as refused:
        await box.ask("given", "research")
    assert refused.value.status == 503
    answer = await box.ask("withdrawn")
    assert (answer["given"], answer["stored"]) == (False, False)
    assert not box.outgoing.permits("fine.apt-1.advice")
    with pytest.raises(Refusal):
        await box.ask("given")
    box.store.outbox._db.execute("PRAGMA query_only = 0")
    await box.sealing.settled()
    assert "fine.apt-1.advice" not in box.store.outbox.unsent()
    assert not Consents.read(box.store.outbox.marks()[MARK]).given("apt-1", "advice")
    await box.ask("given")
    await box.end()


async def test_saying_the_same_twice_changes_nothing(tmp_path: Path) -> None:
    """Neither a second word to the centre nor a second entry in the record."""
    box = await Box(tmp_path).begin()
    for consent in ("withdrawn", "given", "given", "withdrawn", "withdrawn"):
        await box.ask(consent)
    assert [text for _, text in box.alarms] == ["apt-1, advice: given", "apt-1, advice: withdrawn"]
    assert len((await box.listed())["changes"]) == 2
    await box.end()


async def test_a_purpose_that_a_dwelling_has_not_is_refused(tmp_path: Path) -> None:
    """Another dwelling's purpose is no purpose of this one; a site without purposes has nothing to consent to."""
    site = TWO + '[[dwelling.purpose]]\nname = "audit"\ntiers = ["index"]\n'
    box = await Box(tmp_path, site).begin()
    with pytest.raises(Refusal) as refused:
        await box.ask("given", "audit")
    assert refused.value.status == 404
    await box.ask("given", "audit", "apt-2")
    await box.end()
    without = await Box(tmp_path, "").begin()
    assert [route.method for route in without.consenting.routes()] == ["GET"]
    assert (await without.listed())["dwellings"] == []
    await without.end()


@pytest.mark.parametrize(
    "mark",
    [
        None,
        7,
        "",
        "{}",
        '{"last": [{"x": 1}], "changes": []}',
        '{"last": 3, "changes": []}',
        json.dumps({"last": [{**SAID, "tiers": "fine"}], "changes": []}),
        json.dumps({"last": [{**SAID, "tiers": ["finest"]}], "changes": []}),
        json.dumps({"last": [{**SAID, "devices": [7]}], "changes": []}),
    ],
)
def test_a_record_that_cannot_be_read_consents_to_nothing(mark: object) -> None:
    """Doubt keeps readings in."""
    assert Consents.read(mark) == Consents()


def test_the_record_is_bounded_and_read_as_it_was_written() -> None:
    """A hundred changes are kept; what holds now is kept whatever came since."""
    consents = Consents().changed(Change(**SAID, tiers=("fine",), devices=("é",)))  # type: ignore[arg-type]
    for number in range(CHANGES_KEPT + 5):
        consents = consents.changed(Change("c", "d", given=number % 2 == 0, who="é", reason="r", utc_ms=number))
    assert len(consents.changes) == CHANGES_KEPT
    assert consents.given("a", "b")
    assert (consents.covers("a", "b", "fine"), consents.covers("a", "b", "minute")) == (True, False)
    assert Consents.read(consents.write()) == consents
