"""What a certificate says: whose it is, how long it lasts and how much of that is gone, and whether a chain holds."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

RENEW_AFTER = 2 / 3
"""Of a certificate's life, then the next one is asked for."""

LONGEST_CHAIN = 8


class CertificateError(Exception):
    """What should be a certificate is none; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What people and programs want to know of a certificate; `key` is the SHA-256 of its SubjectPublicKeyInfo."""

    name: str
    issuer: str
    serial: str
    begins: dt.datetime
    ends: dt.datetime
    fingerprint: str
    key: bytes

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """Read a certificate."""
        return cls(
            name=common_name(certificate.subject) or "",
            issuer=certificate.issuer.rfc4514_string(),
            serial=f"{certificate.serial_number:x}",
            begins=certificate.not_valid_before_utc,
            ends=certificate.not_valid_after_utc,
            fingerprint=fingerprint(certificate),
            key=key_digest(certificate.public_key()),
        )

    @property
    def due(self) -> dt.datetime:
        """When the next one is to be asked for."""
        return self.begins + (self.ends - self.begins) * RENEW_AFTER

    def life_gone(self, now: dt.datetime) -> float:
        """Give the share of its life that is gone, 0 before it begins and 1 after its end."""
        life = (self.ends - self.begins).total_seconds()
        return min(1.0, max(0.0, (now - self.begins).total_seconds() / life)) if life > 0 else 1.0


def common_name(name: x509.Name) -> str | None:
    """Give the one common name, None where there is none or more than one."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else None


def fingerprint(certificate: x509.Certificate) -> str:
    """Give the SHA-256 of a certificate, as tools show it."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest().hex(":").upper()


def key_digest(key: PublicKeyTypes) -> bytes:
    """SHA-256 of a public key (SubjectPublicKeyInfo, DER): by it a certificate and its key find each other."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def read_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a PEM text, the first one's owner first; raise CertificateError."""
    try:
        found = tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise CertificateError("no PEM certificate in it") from error
    if len(found) > LONGEST_CHAIN:
        raise CertificateError(f"{len(found)} certificates, {LONGEST_CHAIN} at most are looked at")
    return found


def write_chain(chain: Sequence[x509.Certificate]) -> bytes:
    """Give what `read_chain` reads."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in chain)


def mistakes(
    chain: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    *,
    name: str,
    key: bytes | None,
    now: dt.datetime,
) -> list[str]:
    """Say everything for which a chain could not serve `name`, whose key has that digest, as a client of the broker.

    A certificate that has not begun yet is none of them: a box without a battery clock may be years behind.
    """
    own = Facts.of(chain[0])
    found = []
    if own.name != name:
        found.append(f"the certificate is for {own.name or 'nobody'!r}, this gateway is {name!r}")
    if key is not None and own.key != key:
        found.append("the certificate is for another key than the one that was made here: was it for another request?")
    if own.ends <= now:
        found.append(f"the certificate ended on {own.ends:%Y-%m-%d}, and this machine's clock says {now:%Y-%m-%d}")
    found += _usage(chain[0])
    return found + _chain(chain, authorities, now)


def _usage(certificate: x509.Certificate) -> list[str]:
    found = []
    try:
        extensions = certificate.extensions
        if _is_authority(certificate):
            found.append("the certificate is that of an authority, not of a gateway")
        if ExtendedKeyUsageOID.CLIENT_AUTH not in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value:
            found.append("the certificate may not be used by a client (no clientAuth in its extended key usage)")
    except x509.ExtensionNotFound:
        found.append("the certificate does not say that a client may use it (no extended key usage)")
    except ValueError as error:
        found.append(f"the certificate's extensions cannot be read: {error}")
    return found


def _chain(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], now: dt.datetime) -> list[str]:
    """Follow the signatures up to one of the authorities."""
    below = chain[0]
    for above in (*chain[1:], None):
        for each in authorities:
            if _issued(each, below):
                return [] if each.not_valid_after_utc > now else [f"the authority {_named(each)} has ended"]
        if above is None or not _issued(above, below):
            break
        if above.not_valid_after_utc <= now:
            return [f"the intermediate authority {_named(above)} has ended"]
        below = above
    issuer = below.issuer.rfc4514_string()
    return [f"no authority that came with it, or is known here, has signed it: {_named(below)} is of {issuer}"]


def _issued(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
        return _is_authority(above)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _named(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
