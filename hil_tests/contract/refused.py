"""Messages that every reader must refuse, each well made but for one thing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import cbor2

from gateway.wire import cose
from gateway.wire.messages import Heartbeat
from gateway.wire.schema import Schema
from hil_tests.contract import craft
from hil_tests.contract.craft import (
    ALL64,
    EDGES,
    FOREIGN,
    OTHER_GATEWAY,
    REVOKED,
    UNKNOWN,
    message,
    of_centre,
    packed,
    segment,
    signed,
    single,
    varints,
)
from hil_tests.contract.story import BOOT_ID, BOOT_NONCE, CENTRE, CENTRE_EPOCH, EPOCH, GATEWAY, SIGNING

PAYLOAD = "payload"

_PAYLOAD = Heartbeat(BOOT_NONCE).encode()
_PLACE: list[object] = [GATEWAY, "receipt", CENTRE_EPOCH, 9, None, None]
_LABELS: dict[object, object] = {1: -8, 3: Heartbeat.CONTENT, 4: CENTRE.key_id, -65537: _PLACE}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why, the bytes, which check fails (1 to 5, or PAYLOAD), and whether the CDDL alone refuses it."""

    why: str
    message: bytes
    fails: int | str
    by_cddl: bool = False


def _heartbeat(
    labels: object = _LABELS,
    *,
    protected: bytes | None = None,
    unprotected: object = None,
    payload: bytes = _PAYLOAD,
    bound: object = ("gw/v1", GATEWAY, "receipt"),
    tag: int = 18,
) -> bytes:
    head = cbor2.dumps(labels) if protected is None else protected
    to_be_signed = cbor2.dumps(["Signature1", head, cbor2.dumps(bound), payload])
    signature = CENTRE.private.sign(to_be_signed)
    parts = [head, {} if unprotected is None else unprotected, payload, signature]
    return cbor2.dumps(cbor2.CBORTag(tag, parts))


SOUND = _heartbeat()
"""What the refused heartbeats are made of."""


def refused() -> Iterator[Refused]:
    """Give each of them, in the order of the checks."""
    yield from _forms()
    yield from _signatures()
    yield from _places()
    yield from _encodings()
    yield from _fields()
    yield from _schemas()
    for why, payload in _segments():
        yield Refused(f"segment: {why}", segment(payload), PAYLOAD)


def _forms() -> Iterator[Refused]:
    yield Refused("longer than 16 KiB on receipt", of_centre(Heartbeat.CONTENT, bytes(16 * 1024)), 1)
    yield Refused("longer than 4,096 bytes on cmd", of_centre("gw/command;v=1", bytes(4_096), "cmd"), 1)
    yield Refused("a byte follows", SOUND + b"\0", 2, by_cddl=True)
    yield Refused("the last byte is missing", SOUND[:-1], 2, by_cddl=True)
    yield Refused("tag 17, COSE_Mac0", _heartbeat(tag=17), 2, by_cddl=True)
    yield Refused("tag 18 in two bytes, not the shortest form", b"\xd8\x12" + SOUND[1:], 2)
    yield Refused("the unprotected header is not empty", _heartbeat(unprotected={4: CENTRE.key_id}), 2, by_cddl=True)
    yield Refused("the algorithm is missing", _heartbeat({k: v for k, v in _LABELS.items() if k != 1}), 2, by_cddl=True)
    yield Refused("the algorithm is ES256", _heartbeat(_LABELS | {1: -7}), 2, by_cddl=True)
    yield Refused("a critical label is named", _heartbeat({1: -8, 2: [-65600], **_LABELS, -65600: 1}), 2, by_cddl=True)
    yield Refused("a label that the profile does not know", _heartbeat(_LABELS | {-65600: 1}), 2, by_cddl=True)
    yield Refused("labels out of order", _heartbeat(dict(reversed(_LABELS.items()))), 2)
    head = cbor2.dumps(_LABELS)
    yield Refused("a label twice", _heartbeat(protected=b"\xa5" + head[1:3] + head[1:]), 2, by_cddl=True)
    yield Refused("the sequence is 0", _heartbeat(_LABELS | {-65537: [*_PLACE[:3], 0, None, None]}), 2, by_cddl=True)
    short = [*_PLACE[:2], bytes(7), *_PLACE[3:]]
    yield Refused("the epoch has seven bytes", _heartbeat(_LABELS | {-65537: short}), 2, by_cddl=True)


def _signatures() -> Iterator[Refused]:
    yield Refused("the last byte of the signature is changed", SOUND[:-1] + bytes([SOUND[-1] ^ 1]), 3)
    yield Refused("bound to another contract version", _heartbeat(bound=("gw/v2", GATEWAY, "receipt")), 3)
    yield Refused("bound to another gateway", _heartbeat(bound=("gw/v1", OTHER_GATEWAY, "receipt")), 3)
    yield Refused("bound to another stream", _heartbeat(bound=("gw/v1", GATEWAY, "cmd")), 3)
    yield Refused("a key that is not in the key set", message(*_ALARM, key=UNKNOWN), 3)
    yield Refused("a revoked key, whose signature is right", message(*_ALARM, key=REVOKED), 3)
    header = cose.Header(SIGNING.key_id, Heartbeat.CONTENT, GATEWAY, "receipt", CENTRE_EPOCH, 9)
    yield Refused("a key that may not sign receipts", cose.sign(header, _PAYLOAD, SIGNING.private), 4)
    yield Refused("the key of another gateway", message(*_ALARM, key=FOREIGN), 4)
    yield Refused("a key of the centre, for what a gateway says", message(*_ALARM, key=CENTRE), 4)


_ALARM = ("gw/alarm;v=1", {1: "k", 2: "", 3: 0}, "alarm")
_ONE = packed([[0, 0, 1, [1]]], varints(0))


def _places() -> Iterator[Refused]:
    yield Refused("a content of version 2", _heartbeat(_LABELS | {3: "gw/heartbeat;v=2"}), 5, by_cddl=True)
    yield Refused("a content that nobody knows", message("gw/weather;v=1", {}, "alarm"), 5, by_cddl=True)
    yield Refused("a segment in the stream schema", segment(_ONE, "schema"), 5, by_cddl=True)
    yield Refused("a segment of a dwelling without a purpose", segment(_ONE, "fine.apt-12"), 5, by_cddl=True)
    yield Refused("a dwelling's name of 13 characters", segment(_ONE, "fine.abcdefghijklm.abc"), 5, by_cddl=True)
    yield Refused(
        "a segment without a previous",
        message("gw/segment;v=1", _ONE, "fine", previous=None, schema=EDGES.id),
        5,
        by_cddl=True,
    )
    yield Refused("a segment without a schema", segment(_ONE, schema=None), 5, by_cddl=True)
    yield Refused("an alarm in evt with a previous", message(*_ALARM[:2], "evt"), 5, by_cddl=True)
    yield Refused("an alarm in alarm without a previous", message(*_ALARM, previous=None), 5, by_cddl=True)
    yield Refused("an alarm with a schema", message(*_ALARM, schema=bytes(8)), 5, by_cddl=True)


def _encodings() -> Iterator[Refused]:
    told = {
        "a field twice": b"\xa2" + _PAYLOAD[1:] + _PAYLOAD[1:],
        "a field that is unknown": b"\xa2" + _PAYLOAD[1:] + b"\x02\x00",
        "a nonce that is too short": b"\xa1\x01\x47" + bytes(7),
        "a field that is missing": b"\xa0",
        "a byte behind its end": _PAYLOAD + b"\0",
        "a float": bytes.fromhex("a101fb3ff0000000000000"),
        "undefined": bytes.fromhex("a101f7"),
        "a tag": bytes.fromhex("a101c2") + _PAYLOAD[2:],
        "nine arrays within each other": bytes.fromhex("81" * 9 + "00"),
    }
    for why, payload in told.items():
        yield Refused(f"payload: {why}", _heartbeat(payload=payload), PAYLOAD, by_cddl=True)
    told = {
        "a map of indefinite length": b"\xbf" + _PAYLOAD[1:] + b"\xff",
        "a key in two bytes where one does": b"\xa1\x18\x01" + _PAYLOAD[2:],
        "a length in two bytes where one does": b"\xa1\x01\x58\x10" + _PAYLOAD[3:],
    }
    for why, payload in told.items():
        yield Refused(f"payload: {why}", _heartbeat(payload=payload), PAYLOAD)
    for why, text in (("not UTF-8", "61ff"), ("half a surrogate pair", "63eda080")):
        alarm = bytes.fromhex(f"a301616b02{text}0300")
        yield Refused(f"payload: a text that is {why}", message(_ALARM[0], alarm, "alarm"), PAYLOAD, by_cddl=True)


def _fields() -> Iterator[Refused]:
    def alarm(**changes: object) -> bytes:
        names = {"kind": 1, "text": 2, "boot_ms": 3, "utc_ms": 4}
        return message(_ALARM[0], {**_ALARM[1], **{names[name]: value for name, value in changes.items()}}, "alarm")

    yield Refused("alarm: null for what is absent", alarm(utc_ms=None), PAYLOAD, by_cddl=True)
    yield Refused("alarm: 33 characters of kind", alarm(kind="k" * 33), PAYLOAD)
    for control in ("\n", "\x85", "\u2028", "\u202e", "\u2066"):
        yield Refused(f"alarm: U+{ord(control):04X} in a text", alarm(text=control), PAYLOAD)
    yield Refused("alarm: a time of 64 bits", alarm(boot_ms=1 << 63), PAYLOAD, by_cddl=True)
    ranges: dict[str, tuple[int, object]] = {
        "ranges that touch": (0, [[2, 3], [4, 5]]),
        "a range that falls": (0, [[3, 2]]),
        "ranges out of order": (0, [[5, 6], [2, 3]]),
        "a range within upto": (2, [[2, 3]]),
        "a range that touches upto": (2, [[3, 4]]),
    }
    for why, (upto, told) in ranges.items():
        yield Refused(f"receipt: {why}", of_centre("gw/receipt;v=1", {1: EPOCH, 2: "fine", 3: upto, 4: told}), PAYLOAD)
    yield Refused(
        "receipt: no name of a stream",
        of_centre("gw/receipt;v=1", {1: EPOCH, 2: "Fine", 3: 0, 4: []}),
        PAYLOAD,
        by_cddl=True,
    )
    yield Refused("resend: last before first", of_centre("gw/resend;v=1", {1: EPOCH, 2: "fine", 3: 4, 4: 3}), PAYLOAD)
    gone = {1: EPOCH, 2: "fine", 3: 4, 4: 3, 5: 0, 6: 0, 7: 0, 8: bytes(32), 9: "quota"}
    yield Refused("dropped: last before first", message("gw/dropped;v=1", gone, "dropped"), PAYLOAD)
    for why, detail in (
        ("null", {"a": None}),
        ("an array in an array", {"a": [[1]]}),
        ("a map", {"a": {}}),
        ("a number as a name", {1: 1}),
        ("-2^63", {"a": -(1 << 63)}),
    ):
        answer = {1: "c", 2: "s", 4: 0, 6: detail}
        yield Refused(f"answer: {why} in the detail", message("gw/answer;v=1", answer, "ack"), PAYLOAD, by_cddl=True)
    yield Refused(
        "answer: a line end in the detail",
        message("gw/answer;v=1", {1: "c", 2: "s", 4: 0, 6: {"a": ["\n"]}}, "ack"),
        PAYLOAD,
    )
    neither = {1: bytes(32), 2: b"k", 3: []}
    for why, told in (("neither certificates nor a reason", neither), ("both", {**neither, 3: [bytes(64)], 4: "no"})):
        yield Refused(f"certificate: {why}", of_centre("gw/certificate;v=1", told, "cfg"), PAYLOAD, by_cddl=True)
    yield Refused("renewal: an empty request", single("gw/renewal;v=1", {1: b""}), PAYLOAD, by_cddl=True)


def _schemas() -> Iterator[Refused]:
    def schema(document: object, identity: bytes | None = None) -> bytes:
        payload = cbor2.dumps(document)
        known = hashlib.sha256(payload).digest()[:8] if identity is None else identity
        return message(Schema.CONTENT, payload, "schema", schema=known)

    row: list[object] = ["n", "d", "g", "q", "", 0, False, None, None]
    yield Refused("schema: the header has another id", schema([1, [row]], bytes(8)), PAYLOAD)
    yield Refused("schema: a name twice", schema([1, [row, row]]), PAYLOAD)
    yield Refused("schema: version 2", schema([2, [row]]), PAYLOAD, by_cddl=True)
    yield Refused("schema: eight fields of a channel", schema([1, [row[:-1]]]), PAYLOAD, by_cddl=True)
    yield Refused("schema: an exponent of 19", schema([1, [[*row[:5], 19, *row[6:]]]]), PAYLOAD, by_cddl=True)
    yield Refused("schema: a phase of 0", schema([1, [[*row[:8], 0]]]), PAYLOAD, by_cddl=True)


def _segments() -> Iterator[tuple[str, bytes]]:
    """Give payloads of EDGES: channels 0 a number, 1 a text, 3 a number, of group 0; 2 a number, of group 1."""
    yield "not deflate", b"\xff\xff"
    yield "nothing at all", b""
    yield "compressed bytes cut short", _ONE[:-1]
    yield "a byte behind what is compressed", _ONE + b"\0"
    yield "zlib's header in front", b"\x78\x9c" + _ONE
    yield "more than 1 MiB inflated", craft.deflated(bytes((1 << 20) + 1))
    yield "version 2", packed([[0, 0, 1, [1]]], varints(0), version=2)
    yield "a boot id of 15 bytes", craft.deflated(cbor2.dumps([1, BOOT_ID[:15], 0, [[0, 0, 1, [1]]], b"\0"]))
    yield "a start below 0", packed([[0, 1, 1, [1]]], varints(0), start=-1)
    yield "no groups", packed([], b"")
    yield "a group twice", packed([[0, 0, 1, [1]], [0, 0, 1, [1]]], varints(0, 0))
    yield "a group that the schema has not", packed([[2, 0, 1, [1]]], varints(0))
    yield "a group of no ticks", packed([[0, 0, 0, [1]]], varints(0))
    yield "a tick below 0", packed([[0, 0, 2, [1]]], signed(-1_001) + varints(0))
    yield "a tick beyond 2^63 - 1", packed([[0, (1 << 63) - 1, 1, [1]]], varints(0))
    yield "a channel of another group", packed([[0, 0, 1, [1]]], varints(2))
    yield "a channel that the schema has not", packed([[0, 0, 1, [1]]], varints(4))
    yield "more than a million values", packed([[0, 0, 500_001, [1, "a"]]], varints(0, 0))
    yield "a number too many", packed([[0, 0, 1, [1]]], varints(0, 0))
    yield "a number too few", packed([[0, 0, 1, [1]]], b"")
    yield "a varint longer than it needs to be", packed([[0, 0, 1, [1]]], b"\x80\0")
    yield "a varint of 11 bytes", packed([[0, 0, 1, [1]]], b"\x80" * 10 + b"\1")
    yield "a varint cut short", packed([[0, 0, 1, [1]]], b"\0\x80")
    yield "-2^64", packed([[0, 0, 1, [-ALL64 - 1]]], varints(0))
    yield "a step beyond 64 bits", packed([[0, 0, 2, [[ALL64]]]], signed(5) + varints(0) + signed(1))
    yield "a text where the schema says numbers", packed([[0, 0, 1, ["a"]]], varints(0))
    yield "a number where the schema says texts", packed([[0, 0, 1, [1]]], varints(1))
    yield "a truth for a value", packed([[0, 0, 1, [True]]], varints(0))
    yield "a text of 1,025 bytes", packed([[0, 0, 1, ["é" * 512 + "a"]]], varints(1))
    yield "texts and a number together", packed([[0, 0, 2, [[["a", 1], 1]]]], signed(2) + varints(1, 0, 1))
    yield "an index beyond the texts", packed([[0, 0, 2, [[["a", "b"], 1]]]], signed(2) + varints(1, 0, 2))
    yield "steps of a text", packed([[0, 0, 2, [["a"]]]], signed(2) + varints(1) + signed(0))
    yield "0 changes", packed([[0, 0, 2, [[1, 0]]]], signed(2) + varints(0))
    yield "as many changes as ticks", packed([[0, 0, 2, [[1, 2]]]], signed(2) + varints(0, 0, 0) + signed(1, 1))
    yield "a change behind the last tick", packed([[0, 0, 2, [[1, 1]]]], signed(2) + varints(0, 1) + signed(1))
    yield "a map with a form alone", packed([[0, 0, 1, [{0: 7}]]], varints(0))
    yield "a map with a key 3", packed([[0, 0, 1, [{0: 7, 1: 1, 3: 1}]]], varints(0, 1))
    yield "a column that was never read", packed([[0, 0, 2, [{0: 7, 1: 2}]]], signed(2) + varints(0, 0, 2))
    yield "an empty run in the middle", packed([[0, 0, 2, [{0: 7, 1: 3}]]], signed(2) + varints(0, 1, 0, 1))
    yield "runs of fewer ticks than there are", packed([[0, 0, 2, [{0: 7, 1: 1}]]], signed(2) + varints(0, 1))
    yield "quality 16", packed([[0, 0, 1, [{0: 7, 2: 1}]]], varints(0, 16, 1))
    yield "a quality of no ticks", packed([[0, 0, 1, [{0: 7, 2: 2}]]], varints(0, 1, 0, 2, 1))
