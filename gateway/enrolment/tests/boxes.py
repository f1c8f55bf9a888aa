"""A box in a folder and the authority that enrols it, for the tests of this room."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.centre.ca import issue
from gateway.centre.ca.issue import Issuer, Kind
from gateway.enrolment import box, bundle, request
from gateway.enrolment.places import Places
from gateway.enrolment.request import Request
from gateway.wire.keys import KeySet, TrustedKey
from gateway.wire.tests.building import KEY

GATEWAY = "gw-0001"
NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
ROOT = issue.authority("test", NOW - dt.timedelta(days=400))


def key_set(revision: int = 1) -> str:
    """Give the text of a key set of the centre."""
    key = TrustedKey(b"centre-1", "centre", bytes(8), frozenset({"config", "receipt"}), KEY.public_key())
    return KeySet.of([key], revision=revision).to_toml()


def places(folder: Path, key_id: str = "") -> Places:
    """Give the places of a box whose files are all in one folder, which is made."""
    folder.mkdir(exist_ok=True)
    return Places(
        gateway=GATEWAY,
        certificate=folder / "gateway.pem",
        key=folder / "gateway.key",
        authority=folder / "ca.pem",
        signing=folder / "signing.key",
        trusted=folder / "centre.toml",
        key_id=key_id,
    )


@dataclass(frozen=True)
class Given:
    """What a certificate that is issued in a test says; each test says otherwise where it wants to."""

    name: str = GATEWAY
    kind: Kind = Kind.GATEWAY
    begins: dt.datetime = NOW - dt.timedelta(hours=1)
    days: float = 100
    key: ec.EllipticCurvePublicKey | None = None
    issuer: Issuer = ROOT


def certificate(asked: Request, given: Given = Given()) -> x509.Certificate:
    """Issue a certificate for a request."""
    return issue.issue(
        given.issuer,
        given.kind,
        given.name,
        given.key or asked.tls,
        begins=given.begins,
        ends=NOW + dt.timedelta(days=given.days),
    )


def asked(at: Places, *, new_key: bool = False, new_signing: bool = False) -> Request:
    """Have a box ask."""
    return request.read(box.ask(at, new_key=new_key, new_signing=new_signing).message)


def granted(
    of: Request,
    given: Given = Given(),
    *,
    gateway: str = GATEWAY,
    signing: str | None = None,
    authorities: Iterable[Issuer] = (ROOT,),
    centre: str | None = None,
) -> str:
    """Give the bundle that answers a request."""
    return bundle.write(
        gateway=gateway,
        signing=signing or of.key_id.decode(),
        chain=[certificate(of, given)],
        authorities=[each.certificate for each in authorities],
        centre=centre or key_set(),
    )


def enrolled(folder: Path, key_id: str = "") -> Places:
    """Give a box that is enrolled."""
    at = places(folder, key_id)
    box.install(at, granted(asked(at)), NOW)
    return at


def contents(at: Places) -> dict[str, bytes]:
    """Give every file of a box."""
    return {path.name: path.read_bytes() for path in sorted(at.key.parent.iterdir())}
