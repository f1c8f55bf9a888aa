"""Messages that every reader must refuse, each well made but for one thing."""

from collections.abc import Iterator

import cbor2

from gateway.wire import cose
from gateway.wire.messages import Heartbeat
from hil_tests.contract.story import BOOT_NONCE, CENTRE, CENTRE_EPOCH, GATEWAY, SIGNING

_PAYLOAD = Heartbeat(BOOT_NONCE).encode()
_PLACE: list[object] = [GATEWAY, "receipt", CENTRE_EPOCH, 9, None, None]
_LABELS: dict[object, object] = {1: -8, 3: Heartbeat.CONTENT, 4: CENTRE.key_id, -65537: _PLACE}


def _signed(
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


def refused() -> Iterator[tuple[str, str]]:
    """Give why each is to be refused, and its bytes in hex; the first is sound, so that the rest mean something."""
    sound = _signed()
    yield "nothing is wrong with this one", sound.hex()
    yield "the last byte of the signature is changed", (sound[:-1] + bytes([sound[-1] ^ 1])).hex()
    yield "a byte follows", (sound + b"\0").hex()
    yield "the last byte is missing", sound[:-1].hex()
    yield "tag 17, COSE_Mac0", _signed(tag=17).hex()
    yield "tag 18 in two bytes, not the shortest form", (b"\xd8\x12" + sound[1:]).hex()
    yield "bound to another contract version", _signed(bound=("gw/v2", GATEWAY, "receipt")).hex()
    yield "bound to another gateway", _signed(bound=("gw/v1", "gw-other", "receipt")).hex()
    yield "bound to another stream", _signed(bound=("gw/v1", GATEWAY, "cmd")).hex()
    yield "the unprotected header is not empty", _signed(unprotected={4: CENTRE.key_id}).hex()
    yield "the algorithm is missing", _signed({k: v for k, v in _LABELS.items() if k != 1}).hex()
    yield "the algorithm is ES256", _signed(_LABELS | {1: -7}).hex()
    yield "a critical label is named", _signed({1: -8, 2: [-65600], **_LABELS, -65600: 1}).hex()
    yield "a label that the profile does not know", _signed(_LABELS | {-65600: 1}).hex()
    yield "labels out of order", _signed(dict(reversed(_LABELS.items()))).hex()
    head = cbor2.dumps(_LABELS)
    yield "a label twice", _signed(protected=b"\xa5" + head[1:3] + head[1:]).hex()
    yield "the sequence is 0", _signed(_LABELS | {-65537: [*_PLACE[:3], 0, None, None]}).hex()
    yield "the epoch has seven bytes", _signed(_LABELS | {-65537: [*_PLACE[:2], bytes(7), *_PLACE[3:]]}).hex()
    yield "a payload with a field twice", _signed(payload=b"\xa2" + _PAYLOAD[1:] + _PAYLOAD[1:]).hex()
    yield "a payload with a field that is unknown", _signed(payload=b"\xa2" + _PAYLOAD[1:] + b"\x02\x00").hex()
    yield "a payload whose nonce is too short", _signed(payload=b"\xa1\x01\x47" + bytes(7)).hex()
    yield "a content of version 2", _signed(_LABELS | {3: "gw/heartbeat;v=2"}).hex()
    header = cose.Header(SIGNING.key_id, Heartbeat.CONTENT, GATEWAY, "receipt", CENTRE_EPOCH, 9)
    yield "signed with a key that may not sign receipts", cose.sign(header, _PAYLOAD, SIGNING.private).hex()
