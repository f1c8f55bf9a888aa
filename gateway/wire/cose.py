"""The signature around every message: COSE_Sign1 (RFC 9052) with Ed25519, under a profile stricter than the norm asks.

Everything is protected: the unprotected header must be empty. The protected header holds exactly the labels below, in
deterministic CBOR; an unknown label, `crit` included, is refused, because a receiver that ignores what it does not
know cannot say what it verified. The external data binds contract version, gateway and stream, not the topic: a
broker may map topics.

What the payload means is told by `Header.content` and read elsewhere (`messages`, `schema`, `packing`).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.wire import cbor
from gateway.wire.errors import MalformedMessage, SignatureError

CONTRACT = "gw/v1"
LIMIT = 256 * 1024
"""Bytes of the largest message that is looked at unless told otherwise; a segment of 300 s has some 2,000."""

EPOCH_BYTES = 8
SCHEMA_ID_BYTES = 8
DIGEST_BYTES = 32
FIRST_PREVIOUS = bytes(DIGEST_BYTES)
"""`Header.previous` of the first message of a chain."""
NO_DIGEST = bytes(DIGEST_BYTES)
"""What a drop record has for the digest of its last message where a damaged card has taken that too."""

_SIGN1 = 0xD2  # tag 18 (RFC 9052 section 4.2) in its only deterministic encoding
_SIGNATURE_BYTES = 64
_EDDSA = -8  # RFC 9053 section 2.2

_ALGORITHM = 1  # labels 1, 3 and 4: RFC 9052 section 3.1
_CONTENT_TYPE = 3
_KEY_ID = 4
_PLACE = -65537  # below -65536 is for private use (RFC 9052 section 16.2)
"""[gateway, stream, epoch, sequence, previous or null, schema or null]: one label, where six cost 25 bytes more."""
_KNOWN = (_ALGORITHM, _CONTENT_TYPE, _KEY_ID, _PLACE)
_PLACE_PARTS = 6

_CONTENT = re.compile(r"gw/[a-z][a-z-]{0,31};v=[1-9][0-9]{0,2}")
_GATEWAY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
STREAM_NAME = re.compile(r"(?=.{1,32}$)[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*){0,2}")
"""`fine`, `evt`; a dwelling's: `<tier>.<dwelling>.<purpose>`."""
_KEY_ID_BYTES = 64
_SEQUENCE_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Header:
    """What is said, and signed, about a payload.

    `content` names type and version ("gw/segment;v=1"). `epoch` (8 bytes) and `sequence` (from 1) count the messages
    of `stream`; `previous` is the SHA-256 of the whole message before it, 32 zero bytes for the first, None where a
    stream has no chain. `schema` (8 bytes) is the id of the schema that gives the payload's numbers their meaning.
    """

    key_id: bytes
    content: str
    gateway: str
    stream: str
    epoch: bytes
    sequence: int
    previous: bytes | None = None
    schema: bytes | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A header and a payload that one trusted key has signed together; made by `verify` alone."""

    header: Header
    payload: bytes


def sign(header: Header, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """Give the signed message; raise MalformedMessage for a header that every receiver would refuse."""
    place: list[cbor.Item] = [
        header.gateway,
        header.stream,
        header.epoch,
        header.sequence,
        header.previous,
        header.schema,
    ]
    labels: dict[int | str, cbor.Item] = {
        _ALGORITHM: _EDDSA,
        _CONTENT_TYPE: header.content,
        _KEY_ID: header.key_id,
        _PLACE: place,
    }
    protected = cbor.encode(labels)
    _header(protected)
    signature = key.sign(_to_be_signed(protected, header, payload))
    return bytes((_SIGN1,)) + cbor.encode([protected, {}, payload, signature])


def peek(message: bytes, *, limit: int = LIMIT) -> Header:
    """Read the header WITHOUT any proof, to choose keys or to count; raise MalformedMessage."""
    return _parse(message, limit)[0]


def content(message: bytes, *, limit: int = LIMIT) -> Verified:
    """Read header and payload WITHOUT any proof: of what was verified before, or is our own; raise MalformedMessage."""
    header, _, payload, _ = _parse(message, limit)
    return Verified(header, payload)


def verify(message: bytes, keys: Mapping[bytes, Ed25519PublicKey], *, limit: int = LIMIT) -> Verified:
    """Give header and payload if the key of `keys` that the message names has signed them.

    Raises MalformedMessage for anything outside the profile, SignatureError for an unknown key or a wrong signature.
    Whether that key may speak for that gateway and on that stream is the caller's question, answered by what it puts
    in `keys`.
    """
    header, protected, payload, signature = _parse(message, limit)
    key = keys.get(header.key_id)
    if key is None:
        raise SignatureError(
            f"message {_where(header)}: signed with key {header.key_id!r}, which is not trusted for it"
        )
    try:
        key.verify(signature, _to_be_signed(protected, header, payload))
    except InvalidSignature as error:
        raise SignatureError(f"message {_where(header)}: wrong signature for key {header.key_id!r}") from error
    return Verified(header, payload)


def digest(message: bytes) -> bytes:
    """SHA-256 of a whole message, as the next one of its stream carries it in `Header.previous`."""
    return hashlib.sha256(message).digest()


def _to_be_signed(protected: bytes, header: Header, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 section 4.4."""
    external = cbor.encode([CONTRACT, header.gateway, header.stream])
    return cbor.encode(["Signature1", protected, external, payload])


def _parse(message: bytes, limit: int) -> tuple[Header, bytes, bytes, bytes]:
    """Split a message into header, protected bytes, payload and signature."""
    if len(message) > limit:
        raise MalformedMessage(f"message of {len(message)} bytes, {limit} at most are looked at")
    if not message or message[0] != _SIGN1:
        raise MalformedMessage("message is no COSE_Sign1 (tag 18)")
    parts = cbor.decode(message[1:], depth=2)
    if not isinstance(parts, list) or len(parts) != 4:
        raise MalformedMessage("COSE_Sign1: four parts are wanted")
    protected, unprotected, payload, signature = parts
    if unprotected != {}:
        raise MalformedMessage("COSE_Sign1: the unprotected header must be an empty map")
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise MalformedMessage("COSE_Sign1: protected header, payload and signature must be byte strings")
    if len(signature) != _SIGNATURE_BYTES:
        raise MalformedMessage(f"COSE_Sign1: a signature of {len(signature)} bytes, 64 are wanted")
    return _header(protected), protected, payload, signature


def _header(protected: bytes) -> Header:
    """Read the protected header and hold it to the profile."""
    labels = cbor.decode(protected, depth=2)
    if not isinstance(labels, dict):
        raise MalformedMessage("protected header: a map is wanted")
    unknown = [label for label in labels if label not in _KNOWN]
    if unknown:
        raise MalformedMessage(
            f"protected header: unknown label {unknown[0]!r:.80}; this profile knows no other, nor crit"
        )
    missing = [label for label in _KNOWN if label not in labels]
    if missing:
        raise MalformedMessage(f"protected header: label {missing[0]} is missing")
    if labels[_ALGORITHM] != _EDDSA:
        raise MalformedMessage(
            f"protected header: algorithm {labels[_ALGORITHM]!r:.80}, only EdDSA ({_EDDSA}) is allowed"
        )
    key_id = labels[_KEY_ID]
    if not isinstance(key_id, bytes) or not 1 <= len(key_id) <= _KEY_ID_BYTES:
        raise MalformedMessage(f"protected header: the key id must have 1 to {_KEY_ID_BYTES} bytes")
    place = labels[_PLACE]
    if not isinstance(place, list) or len(place) != _PLACE_PARTS:
        raise MalformedMessage(f"protected header: label {_PLACE} must be a list of {_PLACE_PARTS} parts")
    gateway, stream, epoch, sequence, previous, schema = place
    if type(sequence) is not int or not 1 <= sequence <= _SEQUENCE_MAX:
        raise MalformedMessage(f"protected header: sequence {sequence!r:.80} is not a number from 1")
    return Header(
        key_id=key_id,
        content=_text(labels[_CONTENT_TYPE], _CONTENT, "content type"),
        gateway=_text(gateway, _GATEWAY_ID, "gateway id"),
        stream=_text(stream, STREAM_NAME, "stream"),
        epoch=_octets(epoch, EPOCH_BYTES, "epoch"),
        sequence=sequence,
        previous=None if previous is None else _octets(previous, DIGEST_BYTES, "previous digest"),
        schema=None if schema is None else _octets(schema, SCHEMA_ID_BYTES, "schema id"),
    )


def _text(value: cbor.Value, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise MalformedMessage(f"protected header: {what} {value!r:.80} is not of the form {pattern.pattern}")
    return value


def _octets(value: cbor.Value, count: int, what: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != count:
        raise MalformedMessage(f"protected header: the {what} must have {count} bytes")
    return value


def _where(header: Header) -> str:
    return f"{header.gateway}/{header.stream} number {header.sequence}"
