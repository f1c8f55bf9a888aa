"""Messages made by hand, for what our own writers never make: unusual and sound, or to be refused."""

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.wire import cose, packing
from gateway.wire.keys import SigningKey
from gateway.wire.numbers import write_varints, zigzag
from gateway.wire.schema import ChannelInfo, Schema
from hil_tests.contract.story import BOOT_ID, CENTRE, CENTRE_EPOCH, EPOCH, GATEWAY, PROCESS_EPOCH, SIGNING, derived

FOREIGN = SigningKey(b"TEST-other", Ed25519PrivateKey.from_private_bytes(derived("another gateway")))
REVOKED = SigningKey(b"TEST-revoked", Ed25519PrivateKey.from_private_bytes(derived("revoked")))
UNKNOWN = SigningKey(b"TEST-unknown", Ed25519PrivateKey.from_private_bytes(derived("unknown")))
OTHER_GATEWAY = "gw-other"

EDGES = Schema(
    [
        ChannelInfo("n", "d", "g", "pulses"),
        ChannelInfo("t", "d", "g", "tariff", is_text=True),
        ChannelInfo("m", "e", "h", "volume", "m3", -18, obis="8-0:1.0.0", phase=3),
        ChannelInfo("p", "d", "g", "pulses"),
    ]
)
"""Channel 2 is of another group than its neighbours."""

START = 1_000
ALL64 = (1 << 64) - 1
MOST = (1 << 63) - 1


def message(
    content: str,
    payload: object,
    stream: str,
    *,
    key: SigningKey = SIGNING,
    epoch: object = EPOCH,
    sequence: object = 1,
    previous: object = cose.FIRST_PREVIOUS,
    schema: object = None,
    gateway: str = GATEWAY,
) -> bytes:
    """Sign anything; a payload that is no bytes is encoded as it stands."""
    octets = payload if isinstance(payload, bytes) else cbor2.dumps(payload)
    place = [gateway, stream, epoch, sequence, previous, schema]
    protected = cbor2.dumps({1: -8, 3: content, 4: key.key_id, -65537: place})
    bound = cbor2.dumps([cose.CONTRACT, gateway, stream])
    signature = key.private.sign(cbor2.dumps(["Signature1", protected, bound, octets]))
    return b"\xd2" + cbor2.dumps([protected, {}, octets, signature])


def single(content: str, payload: object, stream: str = "evt", sequence: int = 1) -> bytes:
    """Sign what a gateway says once."""
    return message(content, payload, stream, epoch=PROCESS_EPOCH, sequence=sequence, previous=None)


def of_centre(content: str, payload: object, stream: str = "receipt", sequence: int = 100) -> bytes:
    """Sign what the centre says."""
    return message(content, payload, stream, key=CENTRE, epoch=CENTRE_EPOCH, sequence=sequence, previous=None)


def packed(groups: object, numbers: bytes, *, version: int = 1, start: int = START) -> bytes:
    """Give a segment's payload."""
    return deflated(cbor2.dumps([version, BOOT_ID, start, groups, numbers]))


deflated = packing.deflate


def segment(payload: bytes, stream: str = "fine", sequence: int = 1, schema: object = EDGES.id) -> bytes:
    """Sign a segment of EDGES."""
    return message(packing.CONTENT, payload, stream, sequence=sequence, schema=schema)


def varints(*numbers: int) -> bytes:
    """Give numbers from 0 as a segment has them."""
    return write_varints(numbers)


def signed(*numbers: int) -> bytes:
    """Give numbers of either sign as a segment has them."""
    return write_varints(zigzag(each) for each in numbers)
