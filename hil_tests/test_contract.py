"""docs/contract says what the code does: CDDL, AsyncAPI, examples and words, each held to the others."""

import json
import re
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cddl_verifier import schema_diagnostics
from hypothesis import given
from hypothesis import strategies as st

from gateway import clock
from gateway.commands.lifecycle import State
from gateway.wire import cbor, contents, cose, packing, placing
from gateway.wire.columns import QUALITY_MAX
from gateway.wire.errors import WireError
from gateway.wire.messages import Message
from gateway.wire.record import TEXT_BYTES, VALUE_BOUND
from gateway.wire.schema import CHANNELS_MAX
from gateway.wire.tests.test_messages import EXAMPLES as MESSAGES
from hil_tests.contract import documents
from hil_tests.contract.documents import CONTRACT, faults, meant, sendings
from hil_tests.contract.door import COMMAND_LIMIT, RECEIPT_LIMIT, read
from hil_tests.contract.edges import edges
from hil_tests.contract.examples import FOLDER, KEYS, SCHEMAS, files
from hil_tests.contract.meaning import meaning
from hil_tests.contract.refused import SOUND, refused
from hil_tests.contract.story import GATEWAY, Example, examples

STORY = list(examples())
README = (CONTRACT / "README.md").read_text("utf-8")
RULES = {kind.CONTENT: kind.CONTENT.removeprefix("gw/").partition(";")[0] for kind in contents.MESSAGES.values()}
"""The rule of the CDDL for each message's payload: its name."""


def test_the_examples_are_up_to_date() -> None:
    """What stands in the folder is what `make docs` makes; if this fails, run it."""
    made = dict(files())
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, content in made.items():
        assert (FOLDER / name).read_bytes() == content, name


def test_there_is_an_example_of_every_content() -> None:
    """Each that the code knows, each that the documents name, no other."""
    told = {cose.peek(example.message).content for example in STORY}
    assert told == contents.KNOWN
    assert {sending.content for sending in sendings()} - {None} == contents.KNOWN - {"gw/enrolment;v=1"}
    assert set(re.findall(r"`(gw/[a-z-]+;v=1)`", README)) == contents.KNOWN


@pytest.mark.parametrize("example", STORY, ids=lambda example: example.name)
def test_an_example_is_what_every_document_says(example: Example) -> None:
    """Its bytes follow the CDDL, its topic and travel the AsyncAPI document, its meaning the JSON schema there."""
    assert faults(example.message, f"{example.rule}-message") == []
    assert faults(example.message, "message") == []
    verified = KEYS.verify(example.message)
    said = contents.read(verified, SCHEMAS.get)
    if example.rule == "enrolment":
        assert meant(documents.document()["components"]["schemas"]["enrolment"], meaning(said)) == []
        return
    [sending] = [each for each in sendings() if each.rule == f"{example.rule}-message"]
    assert sending.address.fullmatch(example.topic)
    assert sending.content == verified.header.content
    if sending.expiry_s is not None:
        assert example.expiry_s == sending.expiry_s
    assert meant(sending.payload, meaning(said)) == []
    if isinstance(said, packing.SegmentContent):
        assert faults(packing.inflate(verified.payload), "segment-content") == []


def test_what_is_to_be_refused_is_refused() -> None:
    """By the code, each at the check that the list names; those whose form is wrong, by the CDDL as well."""
    for each in refused():
        assert read(each.message) == each.fails, each.why
        if each.by_cddl:
            assert faults(each.message, "message"), each.why
        elif isinstance(each.fails, int) and each.fails > 2:
            assert faults(each.message, "message") == [], each.why


def test_what_is_unusual_and_sound_is_read() -> None:
    """By code and CDDL, and its meaning is what AsyncAPI says."""
    for about, message in (("", SOUND), *edges()):
        said = read(message)
        assert not isinstance(said, int | str), (about, said)
        assert faults(message, "message") == [], about
        [sending] = [each for each in sendings() if each.rule and faults(message, each.rule) == []]
        assert meant(sending.payload, meaning(said)) == [], about
        if isinstance(said, packing.SegmentContent):
            assert faults(packing.inflate(cose.content(message).payload), "segment-content") == [], about


def test_every_json_is_json() -> None:
    """For whatever reads it, and without two members of one name."""
    for path in FOLDER.glob("*.json"):
        json.loads(path.read_text("utf-8"), object_pairs_hook=_once)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in members}) == len(members)
    return dict(members)


# ---- CDDL ----


def test_the_cddl_is_sound() -> None:
    """Its own tool finds nothing to say, and every rule is used."""
    assert schema_diagnostics((CONTRACT / "contract.cddl").read_text("utf-8")) == ()
    text = re.sub(r"(?m)(^|\s);.*", "", (CONTRACT / "contract.cddl").read_text("utf-8"))
    for rule in re.findall(r"^([a-z0-9-]+)(?:<.*>)? =", text, re.MULTILINE):
        apart = rule in {"message", "segment-content"}
        assert apart or len(re.findall(rf"(?<![\w-]){rule}(?![\w-])", text)) > 1, rule


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_the_cddl_takes_what_the_code_takes(message: Message) -> None:
    """Every message that the code's own tests know."""
    assert faults(message.encode(), RULES[message.CONTENT]) == []


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_the_cddl_refuses_what_the_code_refuses(message: Message) -> None:
    """A field more, a required one less, a field of another kind."""
    rule = RULES[message.CONTENT]
    found: dict[Any, Any] = cbor2.loads(message.encode())
    assert faults(cbor2.dumps(found | {99: 0}), rule)
    for field in message.FIELDS:
        rest = {number: value for number, value in found.items() if number != field.number}
        assert bool(faults(cbor2.dumps(rest), rule)) is not _takes(type(message), cbor2.dumps(rest))
        others: list[object] = [None, True, 1.5, [[[]]], {"a": {"b": 1}}]
        for wrong in others:
            assert faults(cbor2.dumps(found | {field.number: wrong}), rule), (field.name, wrong)


def _takes(kind: type[Message], payload: bytes) -> bool:
    try:
        kind.decode(payload)
    except WireError:
        return False
    return True


@given(st.sampled_from(MESSAGES), st.data())
def test_what_the_code_takes_of_spoilt_messages_the_cddl_takes_too(message: Message, data: st.DataObject) -> None:
    """The CDDL is never stricter than the code; where it is laxer, its comments say so."""
    payload = bytearray(message.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    if _takes(type(message), bytes(payload)):
        assert faults(bytes(payload), RULES[message.CONTENT]) == []


def test_the_fields_of_the_documents_are_those_of_the_code() -> None:
    """Each field by name, key and whether it may be absent."""
    schemas = documents.document()["components"]["schemas"]
    for content, kind in contents.MESSAGES.items():
        told = schemas[RULES[content]]
        fields = {field.name: field.number for field in kind.FIELDS}
        assert {name: each["x-key"] for name, each in told["properties"].items()} == fields
        assert set(told["required"]) == {field.name for field in kind.FIELDS if not field.optional}
        assert told["additionalProperties"] is False


# ---- AsyncAPI ----


def test_asyncapi_is_sound() -> None:
    """Its own parser reads it; it may say that there is a newer version than 3.0, and nothing else."""
    assert {each["code"] for each in documents.parsed()["diagnostics"]} <= {"asyncapi-latest-version"}
    assert documents.document()["asyncapi"] == "3.0.0"


def test_every_message_travels_somewhere() -> None:
    """No message that no operation sends, none without its rule in the CDDL."""
    assert {sending.name for sending in sendings()} == set(documents.document()["components"]["messages"])
    for sending in sendings():
        if sending.rule is not None:
            assert "heartbeat" in sending.rule or faults(b"\xa0", sending.rule)
    assert {sending.name for sending in sendings() if sending.rule is None} == {"connection"}


# ---- The words ----


def test_the_numbers_in_the_words_are_those_of_the_code() -> None:
    """Bounds that a reader is told."""
    for told in (
        f"{cose.LIMIT // 1024} KiB a message",
        f"{cbor.DEPTH} arrays or maps within each other",
        f"{cbor.ITEMS:,} entries",
        f"{packing.INFLATED_LIMIT >> 20} MiB inflated",
        f"{packing.CELLS_LIMIT:,} values",
        f"{CHANNELS_MAX:,} channels in a schema",
        f"on `receipt` and `cfg` {RECEIPT_LIMIT // 1024} KiB, on `cmd` {COMMAND_LIMIT:,} bytes",
        f"texts have at most {TEXT_BYTES:,} bytes",
        f"up to {QUALITY_MAX} are kept",
        f"x {placing.DRIFT_PPM} / 1 000 000",
        "-(2^64 - 1) to 2^64 - 1",
    ):
        assert told in README, told
    assert VALUE_BOUND == 1 << 64


def test_the_words_name_every_state_of_a_command() -> None:
    """Whatever an answer can say."""
    told = set(re.findall(r"[a-z_]+", (CONTRACT / "commands.md").read_text("utf-8")))
    assert {state.value for state in State} - {State.ACTIVE.value} <= told


def test_the_words_place_every_content() -> None:
    """The table of streams has each content beside its stream, as the code holds it."""
    rows = [row.split("|")[1:] for row in re.findall(r"^\|.*\|$", README, re.MULTILINE)]
    placed = {name for row in rows if len(row) == 5 for name in re.findall(r"[a-z-]+", row[1])}
    assert {content.removeprefix("gw/").partition(";")[0] for content in contents.KNOWN} <= placed


def test_gateway_and_reader_mean_the_same_by_a_clock() -> None:
    """What the gateway's clock assumes of its crystal, and calls provisional, is what a reader is told."""
    assert (placing.DRIFT_PPM, placing.METER) == (clock.DRIFT_PPM, clock.METER)


def test_the_segment_taken_apart_is_the_example() -> None:
    """The bytes in the words, one after the other, are those of the file."""
    block = README.partition("### One taken apart")[2].partition("`05-segment.json`")[0]
    told = "".join(
        "".join(found[1].split()) for found in re.finditer(r"^ {4,}((?:[0-9A-F]{2,} ?)+)(?: |$)", block, re.MULTILINE)
    )
    example: dict[str, Any] = json.loads((FOLDER / "04-segment-small.json").read_text("utf-8"))
    assert told.lower() == example["inflated"]


def test_the_external_aad_in_the_words_is_the_examples() -> None:
    """The bytes that are signed beside the message."""
    told = re.search(r"stream `fine`: `([0-9A-F ]+)`", README)
    example: dict[str, Any] = json.loads((FOLDER / "05-segment.json").read_text("utf-8"))
    assert told is not None
    assert "".join(told[1].split()).lower() == example["external_aad"]
    assert example["header"]["gateway"] == GATEWAY


def test_the_examples_follow_each_other() -> None:
    """The second segment names the first, and the schema is the one that is named."""
    small, every = (
        next(each.message for each in STORY if each.name == name) for name in ("04-segment-small", "05-segment")
    )
    assert cose.peek(every).previous == cose.digest(small)
    assert cose.peek(every).schema == cose.peek(next(e.message for e in STORY if e.name == "02-schema")).schema


def test_a_key_set_like_the_examples_is_read() -> None:
    """The file that stands beside the examples is one that both ends read."""
    told = (FOLDER / "keys.toml").read_text("utf-8")
    assert type(KEYS).parse(told.encode(), "keys.toml") == KEYS
    revoked = replace(KEYS.keys[b"TEST-centre"], is_revoked=True)
    assert type(KEYS).of([revoked], revision=7).to_toml().startswith("version = 1\nrevision = 7\n")


def test_schema_and_segment_of_the_story_use_every_form() -> None:
    """Constant, steps, changes, texts, a run not read, a doubt: a reader that passes has met them all."""
    told: dict[str, Any] = json.loads((FOLDER / "05-segment.json").read_text("utf-8"))
    columns = [column for group in told["groups"] for column in group[3]]
    small: dict[str, Any] = json.loads((FOLDER / "04-segment-small.json").read_text("utf-8"))
    columns += [column for group in small["groups"] for column in group[3]]
    shapes = {
        "constant": any(isinstance(each, int) for each in columns),
        "steps": any(isinstance(each, list) and len(each) == 1 for each in columns),
        "changes": any(isinstance(each, list) and len(each) == 2 and isinstance(each[0], int) for each in columns),
        "texts": any(isinstance(each, list) and isinstance(each[0], list) for each in columns),
        "not read": any(isinstance(each, dict) and "1" in each for each in columns),
        "doubt": any(isinstance(each, dict) and "2" in each for each in columns),
    }
    assert all(shapes.values()), shapes
