"""Certificates made: an authority's own, those that it signs, and the list of those that it takes back. No files."""

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 398
"""A gateway's certificate; it asks for the next one after two thirds of them."""

AUTHORITY_DAYS = 3_650

EARLIER = dt.timedelta(hours=1)
"""So much before it is made a certificate begins: the clock of who looks at it may be behind."""

REASONS = {
    "key-compromise": x509.ReasonFlags.key_compromise,
    "superseded": x509.ReasonFlags.superseded,
    "cessation": x509.ReasonFlags.cessation_of_operation,
    "unspecified": x509.ReasonFlags.unspecified,
}


class Kind(StrEnum):
    """For whom a certificate is: it decides what it may be used for."""

    GATEWAY = "gateway"
    BROKER = "broker"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that is taken back; `reason` is one of REASONS."""

    serial: int
    when: dt.datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority that can sign: its certificate and its key, which never shows in a repr."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Issuer({self.certificate.subject.rfc4514_string()})"


def authority(name: str, now: dt.datetime, days: float = AUTHORITY_DAYS) -> Issuer:
    """Make an authority that signs itself and may sign no other authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        _builder(subject, subject, key.public_key(), key.public_key(), now - EARLIER, now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Issuer(made, key)


def issue(  # noqa: PLR0913 - what a certificate says
    issuer: Issuer,
    kind: Kind,
    name: str,
    public: ec.EllipticCurvePublicKey,
    *,
    begins: dt.datetime,
    ends: dt.datetime,
    hosts: Iterable[str] = (),
) -> x509.Certificate:
    """Sign a certificate: for `hosts` to serve as where it is a broker's, else for a client named `name`.

    It never outlives the authority; what it says is not asked again: the caller has.
    """
    usage = ExtendedKeyUsageOID.SERVER_AUTH if kind is Kind.BROKER else ExtendedKeyUsageOID.CLIENT_AUTH
    above = issuer.certificate
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = min(ends, above.not_valid_after_utc)
    builder = (
        _builder(subject, above.subject, public, issuer.key.public_key(), begins, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    served = [_host(host) for host in hosts]
    if served:
        builder = builder.add_extension(x509.SubjectAlternativeName(served), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def revocations(
    issuer: Issuer, revoked: Iterable[Revoked], *, number: int, now: dt.datetime, days: float
) -> x509.CertificateRevocationList:
    """Sign the list of all certificates that are taken back; it counts for so many days."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - EARLIER)
        .next_update(now + dt.timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key(issuer.key.public_key()), critical=False)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(each.when)
        reason = REASONS[each.reason]
        if reason is not x509.ReasonFlags.unspecified:  # RFC 5280 5.3.1: then the entry says nothing
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


def _builder(  # noqa: PLR0913, PLR0917 - as above
    subject: x509.Name,
    above: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
    begins: dt.datetime,
    ends: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_authority_key(signer), critical=False)
    )


def _authority_key(public: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
