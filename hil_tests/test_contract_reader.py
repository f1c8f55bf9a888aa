"""The reader in JavaScript, written from docs/contract alone, and ours say the same of any segment, sound or spoilt."""

import json
import random
from pathlib import Path

from drivers.reading import Quality, Reading
from gateway.wire import contents, cose, packing
from gateway.wire.errors import WireError
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.messages import Message
from gateway.wire.packing import SegmentContent
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema
from gateway.wire.tests.building import CHANNELS, HEADER, KEY, KEY_ID, channel, header, ticks
from hil_tests.contract.edges import edges
from hil_tests.contract.examples import FOLDER, KEYS
from hil_tests.contract.meaning import meaning
from hil_tests.contract.refused import refused
from hil_tests.contract.story import examples
from hil_tests.contract.strangers import in_javascript

SMALL = [
    *(channel(name, "a") for name in "xyz"),
    channel("mode", "a", is_text=True),
    *(channel(name, "b") for name in "pq"),
]
SCHEMAS = {schema.id: schema for schema in (Schema.of(CHANNELS), Schema.of(SMALL))}
TRUSTED = KeySet.of([TrustedKey(KEY_ID, HEADER.gateway, bytes(8), frozenset({"gateway"}), KEY.public_key())])
LARGE = (1 << 64) - 1


def _schema_messages() -> list[bytes]:
    return [
        cose.sign(header(content=Schema.CONTENT, stream="schema", schema=schema.id), schema.encode(), KEY)
        for schema in SCHEMAS.values()
    ]


def _signed(payload: bytes, schema: Schema) -> bytes:
    return cose.sign(header(schema=schema.id), payload, KEY)


def _wild(rng: random.Random) -> bytes:
    """A segment of small groups in which anything may be missing, doubted, constant or enormous."""
    recorder = Recorder(Schema.of(SMALL), bytes(range(16)))
    values: dict[str, int | str] = {}
    now = 1_000
    for _ in range(rng.randrange(1, 60)):
        group = rng.choice("ab")
        chosen = [each for each in SMALL if each.group == group and rng.random() < 0.9]
        for each in chosen:
            if each.name not in values or rng.random() < 0.2:
                spread = rng.choice((3, 1_000, LARGE))
                values[each.name] = rng.choice(("HC", "HP", "", "é")) if each.is_text else rng.randint(-spread, spread)
        doubt = rng.choice((Quality.OK, Quality.OK, Quality.SUSPECT, Quality.ESTIMATED))
        if chosen:
            recorder.add([Reading(each, values[each.name], now, doubt) for each in chosen])
        now += rng.choice((1_000, 1_001, 60_000))
    record = recorder.take()
    return b"" if record is None else packing.pack([record.payload])


def _usual(seconds: int) -> bytes:
    recorder = Recorder(Schema.of(CHANNELS), bytes(range(16)))
    for readings in ticks(seconds):
        recorder.add(readings)
    record = recorder.take()
    assert record is not None
    return packing.pack([record.payload])


def _spoilt(payload: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, taken out or put in, before compression."""
    inner = bytearray(packing.inflate(payload))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(inner) + 1)
        inner[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return packing.deflate(bytes(inner))


def _said(message: bytes) -> Message | Schema | SegmentContent | None:
    """Give what we read in it; None where we refuse it."""
    try:
        return contents.read(TRUSTED.verify(message), SCHEMAS.get)
    except WireError:
        return None


def test_sound_segments_are_read_alike(tmp_path: Path) -> None:
    """A hundred wild ones and a quarter of an hour of a building: same meaning, same rows."""
    rng = random.Random(5)
    payloads = [payload for _ in range(120) if (payload := _wild(rng))]
    messages = [_signed(payload, Schema.of(SMALL)) for payload in payloads]
    messages.append(_signed(_usual(900), Schema.of(CHANNELS)))
    told = in_javascript([*messages, *_schema_messages()], TRUSTED, tmp_path)
    for message, found in zip(messages, told, strict=False):
        said = contents.read(TRUSTED.verify(message), SCHEMAS.get)
        assert isinstance(said, SegmentContent)
        assert found.get("refused") is None
        assert found["meaning"] == meaning(said)
        assert found["rows"] == [list(row) for row in said.readings()]


def test_spoilt_segments_are_refused_alike(tmp_path: Path) -> None:
    """Of some hundreds of spoilt ones both refuse the same, and read the rest alike."""
    rng = random.Random(11)
    payloads = [_spoilt(payload, rng) for _ in range(400) if (payload := _wild(rng))]
    messages = [_signed(payload, Schema.of(SMALL)) for payload in payloads]
    told = in_javascript([*messages, *_schema_messages()], TRUSTED, tmp_path)
    readable = 0
    for message, found in zip(messages, told, strict=False):
        said = _said(message)
        assert ("refused" in found) is (said is None), message.hex()
        if said is not None:
            assert found["meaning"] == meaning(said)
            readable += 1
    assert 0 < readable < len(messages) / 2


def test_every_example_is_read_in_javascript(tmp_path: Path) -> None:
    """Header, meaning and rows are those that stand beside it; segments that come before their schema among them."""
    told = [json.loads((FOLDER / f"{example.name}.json").read_text("utf-8")) for example in examples()]
    told += json.loads((FOLDER / "sound.json").read_text("utf-8"))
    messages = [bytes.fromhex(each["message"]) for each in told]
    for order in (messages, messages[::-1]):
        by_message = dict(zip(order, in_javascript(order, KEYS, tmp_path), strict=True))
        for each, message in zip(told, messages, strict=True):
            wanted = {name: each[name] for name in ("header", "meaning", "rows") if name in each}
            assert by_message[message] == wanted, each["about"]


def test_what_is_to_be_refused_is_refused_in_javascript_too(tmp_path: Path) -> None:
    """Each of docs/contract/examples/refused.json, at the check that stands there."""
    listed = list(refused())
    schemas = [message for _, message in edges() if cose.peek(message).content == Schema.CONTENT]
    told = in_javascript([*(each.message for each in listed), *schemas], KEYS, tmp_path)
    for each, found in zip(listed, told, strict=False):
        assert found.get("fails") == each.fails, (each.why, found)


def test_a_segment_whose_schema_is_not_there_waits(tmp_path: Path) -> None:
    """It is neither read nor refused."""
    message = next(message for _, message in edges() if cose.peek(message).content == packing.CONTENT)
    [found] = in_javascript([message], KEYS, tmp_path)
    identity = cose.peek(message).schema
    assert identity is not None
    assert found["waiting"] == identity.hex()
