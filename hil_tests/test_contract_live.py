"""What really crosses the broker is what docs/contract says, and strangers to our code read it as we do.

A whole building (agent, bench, mosquitto, centre) runs once; somebody hears everything at the broker, and each test
looks at what was heard.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.centre.ca import authority as ca
from gateway.centre.ca.issue import Kind
from gateway.control import client
from gateway.wire import cbor, contents, cose, packing
from gateway.wire.keys import KeySet
from gateway.wire.messages import (
    Alarm,
    Answer,
    Birth,
    ClockRecord,
    Command,
    Dropped,
    Heartbeat,
    Receipt,
    TimeReply,
    TimeRequest,
)
from gateway.wire.packing import SegmentContent
from gateway.wire.schema import Schema
from hil_tests.bench.broker import OBSERVER, Access
from hil_tests.bench.pki import Certificate, write_private
from hil_tests.bench.site import DWELLING
from hil_tests.bench.whole import Whole, boot_ms
from hil_tests.contract.documents import Sending, faults, meant, sendings
from hil_tests.contract.meaning import header, meaning
from hil_tests.contract.observer import Observed, Observer
from hil_tests.contract.strangers import by_oracle, in_javascript
from hil_tests.test_commands import answer, ready

PATIENCE_S = 30
ALWAYS = {
    each.CONTENT
    for each in (Alarm, Answer, Birth, ClockRecord, Command, Dropped, Heartbeat, Receipt, TimeReply, TimeRequest)
} | {packing.CONTENT, Schema.CONTENT}
"""What this morning brings; a resend request takes a loss, a renewal takes a year."""

HOUSEHOLD = {"dwelling": "apt-1", "purpose": "research", "who": "the tenant", "reason": "asked"}
OF_DWELLING = "/tele/fine.apt-1.research"


@dataclass(frozen=True, slots=True)
class Heard:
    """All that was heard, and everybody's keys."""

    observed: tuple[Observed, ...]
    keys: KeySet

    @property
    def signed(self) -> list[Observed]:
        """Everything but the texts on `conn`."""
        return [each for each in self.observed if not each.topic.endswith("/conn")]

    def verified(self) -> list[tuple[Observed, cose.Verified]]:
        """Each signed message with what is in it."""
        return [(each, self.keys.verify(each.payload)) for each in self.signed]

    def schemas(self) -> dict[bytes, Schema]:
        """Every schema that was announced."""
        told = [Schema.decode(v.payload) for _, v in self.verified() if v.header.content == Schema.CONTENT]
        return {schema.id: schema for schema in told}


@pytest.fixture(name="heard", scope="module")
def heard_fixture(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """Run the building until every kind of message that it always sends has been heard."""
    return asyncio.run(_listen(tmp_path_factory.mktemp("live")))


async def _listen(folder: Path) -> Heard:
    whole = Whole(folder)
    whole.broker.access = Access.OBSERVED
    observer = _certificate(whole)
    async with whole, Observer(whole.keys, observer, whole.broker.port) as listening:
        whole.site.write_text(whole.site.read_text("utf-8") + DWELLING, "utf-8")
        await ready(whole)
        await _post(whole, "/v1/consents", {**HOUSEHOLD, "consent": "given"})
        await _until(lambda: any(each.topic.endswith(OF_DWELLING) for each in listening.observed))
        command = await whole.centre.shed(whole.gateway, 40, 600)
        await answer(whole, command, "started")
        await _post(
            whole, "/v1/opt-out", {"target": "building", "reason": "visite", "duration_s": 60, "role": "manager"}
        )
        await answer(whole, command, "opted_out")
        async with whole.centre_away():
            # What nobody has receipted is what a withdrawal finds undelivered.
            before = len(listening.observed)
            await _until(lambda: any(each.topic.endswith(OF_DWELLING) for each in listening.observed[before:]))
            await _post(whole, "/v1/consents", {**HOUSEHOLD, "consent": "withdrawn"})
        await _until(lambda: {each.content for each in listening.observed} >= ALWAYS)
        await whole.drained(boot_ms())
        await whole.agent.stop()
        await _until(lambda: any(each.payload == b"offline" for each in listening.observed))
        keys = {**KeySet.load(whole.keys.gateway_keys).keys}
        keys |= KeySet.load(whole.keys.gateways[whole.gateway].centre_keys).keys
        return Heard(tuple(listening.observed), KeySet(keys))


async def _post(whole: Whole, resource: str, body: dict[str, str | int]) -> None:
    await asyncio.to_thread(client.post, whole.state / "control.sock", resource, body)


async def _until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not so():
            await asyncio.sleep(0.1)


def _certificate(whole: Whole) -> Certificate:
    folder = whole.folder
    made = Certificate(folder / "observer.pem", folder / "observer.key")
    key = ec.generate_private_key(ec.SECP256R1())
    with closing(ca.Authority.open(whole.keys.folder)) as authority:
        issued = authority.issue(Kind.CENTRE, OBSERVER, key.public_key(), dt.datetime.now(dt.UTC))
    made.cert.write_bytes(issued.public_bytes(Encoding.PEM))
    write_private(made.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _sending(observed: Observed, stream: str) -> Sending:
    """Find the one message of the AsyncAPI document that this is."""
    fitting = [
        each
        for each in sendings()
        if each.content == observed.content
        and each.address.fullmatch(observed.topic)
        and ("single" in each.name) == (each.content == Alarm.CONTENT and stream == "evt")
    ]
    assert len(fitting) == 1, (observed.topic, observed.content, fitting)
    return fitting[0]


def test_everything_follows_the_documents(heard: Heard) -> None:
    """Topic, QoS, retain, expiry, content type and meaning as AsyncAPI has them; bytes as the CDDL has them."""
    schemas = heard.schemas()
    for observed, verified in heard.verified():
        where = f"{observed.topic} {verified.header.sequence}"
        sending = _sending(observed, verified.header.stream)
        assert (observed.content, observed.others) == (verified.header.content, ()), where
        assert (observed.qos, observed.is_retained) == (sending.qos, sending.is_retained), where
        if sending.expiry_s is None:
            assert observed.expiry_s is None or sending.name == "command", where
        else:
            assert observed.expiry_s is not None, where
            assert observed.expiry_s <= sending.expiry_s, where
        assert sending.rule is not None
        assert faults(observed.payload, sending.rule) == [], where
        said = contents.read(verified, schemas.get)
        assert meant(sending.payload, meaning(said)) == [], where
        if isinstance(said, SegmentContent):
            assert faults(packing.inflate(verified.payload), "segment-content") == [], where
        if isinstance(said, Answer | Command):
            named = said.command_id if isinstance(said, Answer) else said.id
            assert observed.correlation in (None, named.encode()), where
        else:
            assert observed.correlation is None, where


def test_commands_and_answers_bear_the_commands_id(heard: Heard) -> None:
    """Every command, and every answer to one whose id is known."""
    for kind in ("cmd", "ack"):
        told = [each for each in heard.observed if each.topic.endswith(f"/{kind}")]
        assert told
        assert all(each.correlation for each in told), kind


def test_what_is_not_signed_is_what_the_documents_say(heard: Heard) -> None:
    """The texts on `conn`, and nothing else."""
    [connection] = [each for each in sendings() if each.rule is None]
    told = [each for each in heard.observed if each.topic.endswith("/conn")]
    assert {each.payload.decode() for each in told} == {"online", "offline"}
    for each in told:
        assert connection.address.fullmatch(each.topic)
        assert (each.qos, each.is_retained, each.others) == (1, True, ())


def test_chains_are_whole(heard: Heard) -> None:
    """Of each chained stream every number from 1, each naming the one before, over what was dropped as well."""
    chains: dict[tuple[bytes, str], dict[int, bytes]] = {}
    gone: dict[tuple[bytes, str], list[Dropped]] = {}
    for observed, verified in heard.verified():
        if verified.header.content == Dropped.CONTENT:
            told = Dropped.decode(verified.payload)
            assert told.reason == "consent"
            gone.setdefault((told.epoch, told.stream), []).append(told)
        if verified.header.previous is not None:
            messages = chains.setdefault((verified.header.epoch, verified.header.stream), {})
            before = messages.setdefault(verified.header.sequence, observed.payload)
            assert before == observed.payload
    assert {stream for _, stream in chains} >= {"fine", "schema", "clock", "alarm", "dropped", "ack"}
    assert {stream for _, stream in gone} >= {OF_DWELLING.removeprefix("/tele/")}
    for place, messages in chains.items():
        known = {0: cose.FIRST_PREVIOUS, **{number: cose.digest(message) for number, message in messages.items()}}
        settled = set(messages)
        for told in gone.get(place, []):
            # What was heard of the range all the same is what was dropped.
            assert known.setdefault(told.last, told.last_digest) == told.last_digest
            settled |= set(range(told.first, told.last + 1))
        assert settled == set(range(1, len(settled) + 1)), place
        for number, message in messages.items():
            assert cose.peek(message).previous == known[number - 1], (place, number)


def test_a_reader_in_another_language_reads_everything_as_we_do(heard: Heard, tmp_path: Path) -> None:
    """reader.mjs, whose author had the documents alone, gives the same headers, meanings and rows."""
    told = in_javascript([each.payload for each in heard.signed], heard.keys, tmp_path)
    schemas = heard.schemas()
    rows = 0
    for found, (_, verified) in zip(told, heard.verified(), strict=True):
        said = contents.read(verified, schemas.get)
        assert found.get("refused") is None
        assert found["header"] == header(verified.header)
        assert found["meaning"] == meaning(said)
        if isinstance(said, SegmentContent):
            assert found["rows"] == [list(row) for row in said.readings()]
            rows += said.count()
    assert rows > 200


def test_a_cose_library_of_others_verifies_everything(heard: Heard) -> None:
    """cwt, in its own environment: signature, protected header and payload of every message."""
    publics = {key_id: key.public for key_id, key in heard.keys.keys.items()}
    asked = []
    for observed, verified in heard.verified():
        told = verified.header
        asked.append((observed.payload, cbor.encode(["gw/v1", told.gateway, told.stream]), told.key_id))
    for found, (_, verified) in zip(by_oracle(asked, publics), heard.verified(), strict=True):
        named = header(verified.header)
        assert found.get("refused") is None
        assert found["payload"] == verified.payload.hex()
        assert found["unprotected"] == {}
        assert found["protected"]["1"] == -8
        assert found["protected"]["3"] == named["content"]
        assert bytes.fromhex(found["protected"]["4"]).decode() == named["key_id"]
        place = [named[part] for part in ("gateway", "stream", "epoch", "sequence", "previous", "schema")]
        assert found["protected"]["-65537"] == place
    # It is no rubber stamp: the same messages, bound to another stream, fail.
    wrong = [(message, cbor.encode(["gw/v1", "gw-other", "cmd"]), key_id) for message, _, key_id in asked[:5]]
    assert all("refused" in found for found in by_oracle(wrong, publics))


def test_every_kind_of_message_was_there(heard: Heard) -> None:
    """What the tests above have looked at, by content; none of it in vain."""
    counted = Counter(verified.header.content for _, verified in heard.verified())
    assert counted.keys() >= ALWAYS
    assert counted[packing.CONTENT] >= 5
