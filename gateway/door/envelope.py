"""A file signed by this gateway and encrypted for one recipient: CMS (RFC 5652), as `openssl cms` opens it.

The outer layer is EnvelopedData for the recipient's RSA key, AES-256-CBC; in it stands SignedData that holds the file,
ECDSA with SHA-256, and the signer's certificate. Both are DER, binary: not a byte of the file is changed.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7EnvelopeBuilder,
    PKCS7Options,
    PKCS7SignatureBuilder,
)

from gateway.door.errors import DoorError

LEAST_RSA_BITS = 2048

_FILE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Sealer:
    """Signs with our key and encrypts for the recipient; made by `load`. The key never shows in a repr."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    recipient: x509.Certificate

    def __repr__(self) -> str:
        return f"Sealer({self.certificate.subject.rfc4514_string()})"

    @classmethod
    def load(cls, *, key_file: Path, certificate_file: Path, recipient_file: Path, now: dt.datetime) -> "Sealer":
        """Read the three files; raise DoorError with a line for everything that is wrong."""
        wrong: list[str] = []
        key = _key(key_file, wrong)
        certificate = _certificate(certificate_file, "made by `gateway door keys`", wrong)
        recipient = _certificate(recipient_file, "the recipient's certificate (RSA), in PEM", wrong)
        if key is not None and certificate is not None and certificate.public_key() != key.public_key():
            wrong.append(
                f"{certificate_file}: belongs to another key than {key_file}: make both again, tell the recipient"
            )
        if recipient is not None:
            wrong += [f"{recipient_file}: {text}" for text in _against(recipient, now)]
        if wrong or key is None or certificate is None or recipient is None:
            raise DoorError("\n".join(wrong))
        return cls(key, certificate, recipient)

    def seal(self, content: bytes) -> bytes:
        """Give the file as it leaves."""
        signed = (
            PKCS7SignatureBuilder()
            .set_data(content)
            .add_signer(self.certificate, self.key, SHA256())
            .sign(Encoding.DER, [PKCS7Options.Binary])
        )
        return (
            PKCS7EnvelopeBuilder()
            .set_data(signed)
            .add_recipient(self.recipient)
            .set_content_encryption_algorithm(algorithms.AES256)
            .encrypt(Encoding.DER, [PKCS7Options.Binary])
        )


def _key(path: Path, wrong: list[str]) -> ec.EllipticCurvePrivateKey | None:
    content = _read(path, "make it with `gateway door keys`", wrong)
    if content is None:
        return None
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        wrong.append(f"{path}: no unencrypted PEM private key in it: make it with `gateway door keys`")
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        wrong.append(f"{path}: the key is on no elliptic curve: make one with `gateway door keys`")
        return None
    return key


def _certificate(path: Path, what: str, wrong: list[str]) -> x509.Certificate | None:
    content = _read(path, f"wanted is {what}", wrong)
    if content is None:
        return None
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError:
        wrong.append(f"{path}: no PEM certificate in it: wanted is {what}")
        return None


def _against(recipient: x509.Certificate, now: dt.datetime) -> list[str]:
    """Say what is wrong with the recipient's certificate."""
    public = recipient.public_key()
    wrong = []
    if not isinstance(public, rsa.RSAPublicKey):
        wrong.append("its key is not RSA: CMS here encrypts for RSA alone; ask the recipient for one")
    elif public.key_size < LEAST_RSA_BITS:
        wrong.append(f"its key has {public.key_size} bits, {LEAST_RSA_BITS} at least are wanted")
    if recipient.not_valid_after_utc < now:
        wrong.append(f"it ended on {recipient.not_valid_after_utc:%Y-%m-%d}: ask the recipient for a new one")
    return wrong


def _read(path: Path, otherwise: str, wrong: list[str]) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES)
    except OSError as error:
        wrong.append(f"{path}: cannot be read ({error.strerror}): {otherwise}")
        return None
