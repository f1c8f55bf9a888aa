"""What a gateway asks with: one message that both of its keys have signed, for one name.

It is a COSE message of content `gw/enrolment;v=1` in stream `enrolment`, number 1, epoch zero, signed by the signing
key; its payload carries that key's public half and a PKCS#10 request, signed by the TLS key, whose subject is the
gateway's id alone and whose only extension names the SHA-256 of the signing key. So each key vouches for the other,
and neither can be moved to another name or another box. No private key is in it.

For people to carry it is armoured like a PEM file. Who issues compares its fingerprint with what the box shows: the
same keys give the same request each time, to the byte.
"""

import base64
import binascii
import hashlib
import re
import textwrap
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from gateway.enrolment.certificates import common_name, key_digest
from gateway.wire import cbor, cose
from gateway.wire.enrolling import Enrolment
from gateway.wire.errors import WireError
from gateway.wire.keys import SigningKey

STREAM = "enrolment"
LIMIT = 8192
"""Bytes; an honest one has some 600."""

_LABEL = "GATEWAY ENROLMENT REQUEST"
_ARMOUR = re.compile(rf"-----BEGIN {_LABEL}-----\s+([A-Za-z0-9+/=\s]{{1,16384}}?)-----END {_LABEL}-----")
_EPOCH = bytes(cose.EPOCH_BYTES)
_BOUND = "gw-signing:"
"""Scheme of the URI by which a PKCS#10 request names the signing key: 64 hex digits follow."""


class RequestError(Exception):
    """What came is no enrolment request that may be granted; the text says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose two keys have proved that they are there; made by `read` alone."""

    gateway: str
    key_id: bytes
    signing: Ed25519PublicKey
    tls: ec.EllipticCurvePublicKey
    message: bytes

    @property
    def fingerprint(self) -> str:
        """For people to compare: the SHA-256 of the whole message, in groups of four."""
        return fingerprint(self.message)

    @property
    def key(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo of the TLS key."""
        return key_digest(self.tls)


def make(gateway: str, tls: ec.EllipticCurvePrivateKey, signing: SigningKey) -> bytes:
    """Make the message; raise RequestError for a gateway or a key that cannot ask."""
    public = signing.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)]))
        .add_extension(_bound(public), critical=False)
        .sign(tls, hashes.SHA256(), ecdsa_deterministic=True)
    )
    header = cose.Header(
        key_id=signing.key_id,
        content=Enrolment.CONTENT,
        gateway=gateway,
        stream=STREAM,
        epoch=_EPOCH,
        sequence=1,
    )
    try:
        payload = Enrolment(csr.public_bytes(Encoding.DER), public).encode()
        message = cose.sign(header, payload, signing.private)
    except WireError as error:
        raise RequestError(str(error)) from error
    read(message)
    return message


def read(message: bytes) -> Request:
    """Read a message and hold both keys to what they claim; raise RequestError."""
    try:
        header = cose.peek(message, limit=LIMIT)
        if (header.content, header.stream, header.epoch, header.sequence) != (Enrolment.CONTENT, STREAM, _EPOCH, 1):
            raise RequestError(f"no enrolment request, but {header.content} number {header.sequence}")
        if header.previous is not None or header.schema is not None:
            raise RequestError("its header says more than a request's may")
        # The key that it brings along verifies the message: here it proves possession, not trust.
        public = Enrolment.decode(_payload(message)).public
        signing = Ed25519PublicKey.from_public_bytes(public)
        enrolment = Enrolment.decode(cose.verify(message, {header.key_id: signing}, limit=LIMIT).payload)
    except WireError as error:
        raise RequestError(str(error)) from error
    return Request(header.gateway, header.key_id, signing, _tls(enrolment, header.gateway), message)


def armour(message: bytes) -> str:
    """Give a message as lines of text."""
    body = textwrap.fill(base64.b64encode(message).decode("ascii"), 64)
    return f"-----BEGIN {_LABEL}-----\n{body}\n-----END {_LABEL}-----\n"


def unarmour(text: str) -> bytes:
    """Find the one request in a text, whatever a mail put around it; raise RequestError."""
    found = _ARMOUR.findall(text)
    if len(found) != 1:
        raise RequestError(f"{len(found) or 'no'} enrolment requests in it: one is wanted, as `gateway cert csr` gives")
    try:
        return base64.b64decode("".join(found[0].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError("the request is damaged: its base64 cannot be read") from error


def fingerprint(message: bytes) -> str:
    """SHA-256 of a message, in groups of four, for people to read out to each other."""
    text = hashlib.sha256(message).hexdigest().upper()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _payload(message: bytes) -> bytes:
    """Give the payload of a message that `cose.peek` has taken, without any proof."""
    parts = cbor.decode(message[1:], depth=2)
    payload = parts[2] if isinstance(parts, list) else None
    if not isinstance(payload, bytes):
        raise RequestError("no payload in it")
    return payload


def _bound(public: bytes) -> x509.SubjectAlternativeName:
    named = x509.UniformResourceIdentifier(f"{_BOUND}{hashlib.sha256(public).hexdigest()}")
    return x509.SubjectAlternativeName([named])


def _tls(enrolment: Enrolment, gateway: str) -> ec.EllipticCurvePublicKey:
    """Give the TLS key of a PKCS#10 request that asks for this gateway and this signing key; raise RequestError."""
    try:
        csr = x509.load_der_x509_csr(enrolment.csr)
        key = csr.public_key()
        if not csr.is_signature_valid:
            raise RequestError("the TLS key did not sign its request")
        if common_name(csr.subject) != gateway or len(list(csr.subject)) != 1:
            raise RequestError(f"the TLS key asks for {csr.subject.rfc4514_string()}, the signing key for {gateway}")
        if [each.value for each in csr.extensions] != [_bound(enrolment.public)]:
            raise RequestError("the TLS key does not vouch for this signing key")
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise RequestError(f"its PKCS#10 request cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestError("its TLS key is not one of P-256")
    return key
