"""A request binds two keys to one name, and nothing else passes for one."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.enrolment import request
from gateway.enrolment.request import RequestError, make, read
from gateway.wire import cose
from gateway.wire.enrolling import Enrolment
from gateway.wire.keys import SigningKey

GATEWAY = "gw-0001"
TLS = ec.generate_private_key(ec.SECP256R1())
SIGNING = SigningKey(b"gw-0001-a", Ed25519PrivateKey.generate())
OTHER = SigningKey(b"gw-0001-a", Ed25519PrivateKey.generate())
MESSAGE = make(GATEWAY, TLS, SIGNING)


def csr_of(message: bytes = MESSAGE) -> bytes:
    """Give the PKCS#10 request inside."""
    return Enrolment.decode(request._payload(message)).csr


def signed(csr: bytes, by: SigningKey = SIGNING, **changes: object) -> bytes:
    """Put a PKCS#10 request under a signing key, with a header that says otherwise."""
    values = {"gateway": GATEWAY, "stream": "enrolment", "epoch": bytes(8), "sequence": 1, **changes}
    header = cose.Header(key_id=by.key_id, content="gw/enrolment;v=1", **values)  # type: ignore[arg-type]
    return cose.sign(header, Enrolment(csr, by.private.public_key().public_bytes_raw()).encode(), by.private)


def csr(name: str, *, bound: str | None, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = TLS) -> bytes:
    """Make a PKCS#10 request of any kind."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    if bound is not None:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(bound)]), critical=False
        )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_request_comes_back_and_is_the_same_each_time() -> None:
    """Both keys and the name are read back; the same keys make the same bytes, to be read out."""
    found = read(request.unarmour(request.armour(MESSAGE)))
    assert (found.gateway, found.key_id, found.message) == (GATEWAY, b"gw-0001-a", MESSAGE)
    assert found.tls == TLS.public_key()
    assert found.signing == SIGNING.private.public_key()
    assert make(GATEWAY, TLS, SIGNING) == MESSAGE
    assert len(found.fingerprint.split()) == 16
    assert len(MESSAGE) < 700


def test_no_private_key_is_in_it() -> None:
    """What leaves the box holds neither key, in whatever form."""
    scalar = TLS.private_numbers().private_value.to_bytes(32, "big")
    assert scalar not in MESSAGE
    assert SIGNING.private.private_bytes_raw() not in MESSAGE


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (signed(csr_of(), OTHER), "does not vouch for this signing key"),
        (signed(csr("gw-0002", bound=None)), "asks for CN=gw-0002, the signing key for gw-0001"),
        (signed(csr(GATEWAY, bound=None)), "does not vouch"),
        (signed(csr(GATEWAY, bound="gw-signing:" + "0" * 64)), "does not vouch"),
        (signed(csr_of(), gateway="gw-0002"), "asks for CN=gw-0001, the signing key for gw-0002"),
        (signed(csr_of(), sequence=2), "number 2"),
        (signed(csr_of(), stream="fine"), "no enrolment request"),
        (signed(csr_of(), previous=bytes(32)), "says more"),
        (signed(bytes(100)), "cannot be read"),
        (MESSAGE[:-1] + bytes([MESSAGE[-1] ^ 1]), "wrong signature"),
        (MESSAGE + b"\0", "follow the message"),
        (b"", "no COSE_Sign1"),
        (bytes(9000), "are looked at"),
    ],
)
def test_what_two_keys_did_not_agree_on_is_no_request(message: bytes, said: str) -> None:
    """Another signing key, another name, another place, a changed byte: each is refused, and says why."""
    with pytest.raises(RequestError, match=said):
        read(message)


def test_a_key_of_another_kind_is_refused() -> None:
    """TLS keys are P-256, as the box makes them."""
    key = rsa.generate_private_key(65537, 2048)
    public = SIGNING.private.public_key().public_bytes_raw()
    bound = request._bound(public)._general_names[0].value
    with pytest.raises(RequestError, match="P-256"):
        read(signed(csr(GATEWAY, bound=bound, key=key)))


@given(st.integers(0, len(MESSAGE) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, by: int) -> None:
    """Whatever byte is another one, the request is none."""
    changed = bytearray(MESSAGE)
    changed[at] ^= by
    with pytest.raises(RequestError):
        read(bytes(changed))


@given(st.binary(max_size=600))
def test_whatever_comes_is_refused_in_order(data: bytes) -> None:
    """Bytes from outside lead to one kind of error."""
    with pytest.raises(RequestError):
        read(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        request.armour(MESSAGE) * 2,
        request.armour(MESSAGE).replace("A", "=", 1),
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
    ],
)
def test_a_text_holds_one_whole_request(text: str) -> None:
    """None, two, or a damaged one: refused."""
    with pytest.raises(RequestError):
        read(request.unarmour(text))


def test_a_mail_around_it_does_no_harm(tmp_path: Path) -> None:
    """Greetings and line ends of another system are passed over."""
    text = "Bonjour,\r\n\r\n" + request.armour(MESSAGE).replace("\n", "\r\n") + "\r\nMerci"
    (tmp_path / "mail").write_text(text, "utf-8", newline="")
    assert request.unarmour((tmp_path / "mail").read_text("utf-8")) == MESSAGE
