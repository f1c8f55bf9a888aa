"""The site's keys for a bench: the product's own authority in a folder, and every gateway enrolled as a real one is.

A real site keeps these apart; here one folder holds everybody's. Key files are 0600, the folder 0700. How the keys are
used, and what is accepted, is left to the broker, the uplink and the centre.
"""

import datetime as dt
import functools
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.centre.ca import authority as ca
from gateway.centre.ca import founding, issue
from gateway.centre.ca.issue import Kind
from gateway.enrolment import box, request
from gateway.enrolment.places import Places
from gateway.wire.keys import KeySet, SigningKey, TrustedKey, make_signing_key

CENTRE = founding.NAME
"""Certificate name of the centre: the broker's access list knows it by this name."""

CENTRE_KEY_ID = "centre-2026"
CENTRE_EPOCH = bytes.fromhex("0011223344556677")
CENTRE_ROLES = founding.ROLES


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
    """Everybody's keys in one folder; `gateway_keys` is the key set by which the centre knows the gateways.

    `ca` is the certificate of the authority, which is whole in `folder`; `revoked` is its list of revocations.
    """

    folder: Path
    ca: Path
    revoked: Path
    broker: Certificate
    centre: Certificate
    centre_signing_key: Path
    gateway_keys: Path
    gateways: dict[str, GatewayKeys]


class Authority:
    """A certificate authority whose key stays in memory, which signs whatever a test wants signed."""

    def __init__(self, folder: Path, name: str = "bench-ca") -> None:
        """Make the authority and write `<name>.crt` into the folder."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder
        self.cert = folder / f"{name}.crt"
        self._issuer = issue.authority(name, now() - dt.timedelta(days=60), days=90)
        self.cert.write_bytes(self._issuer.certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str, *, hosts: Iterable[str] = (), days: int = 30, stem: str = "") -> Certificate:
        """Write `<stem or name>.crt` and `.key`: for a server where `hosts` names it, else for a client.

        `days` is the time to its end; a negative one gives a certificate that is past already.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = Certificate(self.folder / f"{stem or name}.crt", self.folder / f"{stem or name}.key")
        served = tuple(hosts)
        certificate = issue.issue(
            self._issuer,
            Kind.BROKER if served else Kind.GATEWAY,
            name,
            key.public_key(),
            begins=now() - dt.timedelta(days=60),
            ends=now() + dt.timedelta(days=days),
            hosts=served,
        )
        made.cert.write_bytes(certificate.public_bytes(Encoding.PEM))
        write_private(made.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made


def make_site_keys(folder: Path, gateways: Iterable[str] = ("gw-0001",)) -> SiteKeys:
    """Write everything that a broker, one centre and these gateways need into `folder` (made, 0700).

    What one process wants twice is made once and copied: an authority syncs all that it writes, a test need not wait.
    """
    names = tuple(gateways)
    for name in ("", *names):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / name).chmod(0o700)
    for path, (content, mode) in _made_once(names).items():
        (folder / path).touch(0o600)
        (folder / path).write_bytes(content)
        (folder / path).chmod(mode)
    made = {}
    for name in names:
        places = places_of(folder / name, name)
        made[name] = GatewayKeys(name, Certificate(places.certificate, places.key), places.signing, places.trusted)
    return SiteKeys(
        folder=folder,
        ca=folder / ca.CERTIFICATE,
        revoked=folder / ca.LIST,
        broker=Certificate(folder / "broker.pem", folder / "broker.key"),
        centre=Certificate(folder / "centre.pem", folder / "centre.key"),
        centre_signing_key=folder / founding.SIGNING,
        gateway_keys=folder / ca.GATEWAYS,
        gateways=made,
    )


@functools.cache
def _made_once(gateways: tuple[str, ...]) -> dict[Path, tuple[bytes, int]]:
    """Give every file of such a folder, by its path in it, with its mode."""
    with tempfile.TemporaryDirectory(prefix="bench-keys-") as made:
        folder = Path(made)
        _make(folder, gateways)
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in files}


def _make(folder: Path, gateways: tuple[str, ...]) -> None:
    ours = make_signing_key(folder / founding.SIGNING, CENTRE_KEY_ID)
    keys = KeySet.of([trusted(ours, CENTRE, CENTRE_EPOCH, CENTRE_ROLES)], revision=1)
    (folder / ca.CENTRE).write_text(keys.to_toml(), "utf-8")
    founding.found(folder, "bench-ca", now())
    with closing(ca.Authority.open(folder)) as authority:
        key = ec.generate_private_key(ec.SECP256R1())
        served = authority.issue(Kind.BROKER, "broker", key.public_key(), now(), hosts=("localhost", "127.0.0.1"))
        (folder / "broker.pem").write_bytes(served.public_bytes(Encoding.PEM))
        write_private(folder / "broker.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        for name in gateways:
            enrol(authority, places_of(folder / name, name))


def enrol(authority: ca.Authority, places: Places, *, days: float = issue.DAYS) -> None:
    """Enrol a gateway, whose folder is made, as on a box: its keys, its request, the bundle, and that installed."""
    places.key.parent.mkdir(mode=0o700, exist_ok=True)
    asked = request.read(box.ask(places).message)
    granted = authority.grant(asked, now(), cause="operator", days=days)
    box.install(places, authority.bundle(asked, granted.chain), now())


def places_of(folder: Path, name: str) -> Places:
    """Where the identity of a gateway is in its folder; its signing key has a name that is known beforehand."""
    return Places(
        gateway=name,
        certificate=folder / "gateway.pem",
        key=folder / "gateway.key",
        authority=folder / "ca.pem",
        signing=folder / "signing.key",
        trusted=folder / "centre.toml",
        key_id=f"{name}-2026",
    )


def trusted(key: SigningKey, issuer: str, epoch: bytes, roles: frozenset[str]) -> TrustedKey:
    """Give the public half of a signing key, as the other side's key set holds it."""
    return TrustedKey(key.key_id, issuer, epoch, roles, key.private.public_key())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    path.chmod(0o600)


def now() -> dt.datetime:
    """Give the time, as the authority takes it."""
    return dt.datetime.now(dt.UTC)
