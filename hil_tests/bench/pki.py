"""The site's keys for a bench: an authority, TLS certificates, signing keys, and who may say what.

A real site gets its certificates at enrolment; here one folder holds everybody's. Key files are 0600, the folder 0700.
How the keys are used, and what is accepted, is left to the broker, the uplink and the centre.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.wire.keys import KeySet, SigningKey, TrustedKey, make_signing_key

CENTRE = "centre"
"""Certificate name of the centre: the broker's access list knows it by this name."""

CENTRE_KEY_ID = "centre-2026"
CENTRE_EPOCH = bytes.fromhex("0011223344556677")
CENTRE_ROLES = frozenset({"receipt", "dispatch", "config"})


@dataclass(frozen=True, slots=True)
class Certificate:
    """One TLS identity on disk: certificate (PEM) and its private key (PEM, 0600)."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """What one gateway holds: its TLS identity, its signing key, and the key set by which it knows the centre."""

    name: str
    tls: Certificate
    signing_key: Path
    centre_keys: Path


@dataclass(frozen=True, slots=True)
class SiteKeys:
    """Everybody's keys in one folder; `gateway_keys` is the key set by which the centre knows the gateways."""

    folder: Path
    ca: Path
    broker: Certificate
    centre: Certificate
    centre_signing_key: Path
    gateway_keys: Path
    gateways: dict[str, GatewayKeys]


class Authority:
    """A certificate authority with its own key, which signs whatever a test wants signed."""

    def __init__(self, folder: Path, name: str = "bench-ca") -> None:
        """Make the authority and write `<name>.crt` into the folder; its private key never leaves memory."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder
        self.cert = folder / f"{name}.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = self._builder(self._name, self._key.public_key(), days=30, authority=True).add_extension(
            usage, critical=True
        )
        self.cert.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, hosts: Iterable[str] = (), days: int = 30, stem: str = "") -> Certificate:
        """Write `<stem or name>.crt` and `.key`: for a server where `hosts` names it, else for a client.

        `days` is the time to its end; a negative one gives a certificate that is past already.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(_name(name), key.public_key(), days=days, authority=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
        made = Certificate(self.folder / f"{stem or name}.crt", self.folder / f"{stem or name}.key")
        made.cert.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(made.key, pem)
        return made

    def _builder(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, *, days: int, authority: bool
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=60))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def make_site_keys(folder: Path, gateways: Iterable[str] = ("gw-0001",)) -> SiteKeys:
    """Write everything that a broker, one centre and these gateways need into `folder` (made, 0700)."""
    authority = Authority(folder)
    centre_signing = folder / "centre-signing.pem"
    centre_key = make_signing_key(centre_signing, CENTRE_KEY_ID)
    centre_keys = folder / "centre-keys.toml"
    centre_keys.write_text(KeySet.of([trusted(centre_key, CENTRE, CENTRE_EPOCH, CENTRE_ROLES)]).to_toml(), "utf-8")
    made: dict[str, GatewayKeys] = {}
    entries: list[TrustedKey] = []
    for name in gateways:
        signing = folder / f"{name}-signing.pem"
        key = make_signing_key(signing, f"{name}-2026")
        entries.append(trusted(key, name, bytes(8), frozenset({"gateway"})))
        made[name] = GatewayKeys(name, authority.issue(name), signing, centre_keys)
    gateway_keys = folder / "gateway-keys.toml"
    gateway_keys.write_text(KeySet.of(entries).to_toml(), "utf-8")
    return SiteKeys(
        folder=folder,
        ca=authority.cert,
        broker=authority.issue("broker", hosts=("localhost", "127.0.0.1")),
        centre=authority.issue(CENTRE),
        centre_signing_key=centre_signing,
        gateway_keys=gateway_keys,
        gateways=made,
    )


def trusted(key: SigningKey, issuer: str, epoch: bytes, roles: frozenset[str]) -> TrustedKey:
    """Give the public half of a signing key, as the other side's key set holds it."""
    return TrustedKey(key.key_id, issuer, epoch, roles, key.private.public_key())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    path.chmod(0o600)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
