"""An authority in its folder: it grants what gateways ask for; whom the centre believes is kept beside whom it lets in.

The folder is closed to others (0700), the authority's key too (0600), and encrypted where a passphrase was given.
`gateways.toml` is written here alone: what somebody else has written into it stays, its comments do not.
"""

import datetime as dt
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.centre.ca import issue
from gateway.centre.ca.issue import DAYS, EARLIER, Issuer, Kind, Revoked
from gateway.centre.ca.records import Record, Records
from gateway.enrolment import bundle
from gateway.enrolment.certificates import Facts
from gateway.enrolment.request import Request
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet, TrustedKey, public_text

CERTIFICATE, KEY, RECORDS, LIST = "ca.pem", "ca.key", "ca.db", "crl.pem"
GATEWAYS, CENTRE = "gateways.toml", "centre.toml"

CENTRE_NAME = "centre"
"""Of the centre, in its certificate, in the broker's access list and as the issuer of what it signs."""

LIST_DAYS = 398
"""A broker refuses everybody once its list of revocations is out of date: the list lasts as long as a certificate."""

_NO_EPOCH = bytes(8)


class AuthorityError(Exception):
    """The authority cannot or will not do it; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a request led to.

    `again`: the same TLS key had a certificate already, and it counts on. `believed`: its signing key is a new one.
    `known`: ids of signing keys that the centre took from this gateway before, and still takes.
    """

    chain: tuple[x509.Certificate, ...]
    facts: Facts
    again: bool
    believed: bool
    known: tuple[str, ...]


class Authority:
    """An authority that is there; `open` reads it, `make` makes a new one. Close it after use."""

    def __init__(self, folder: Path, issuer: Issuer) -> None:
        self.folder = folder
        self.certificate = issuer.certificate
        self._issuer = issuer
        self._records = Records(folder / RECORDS)

    @classmethod
    def make(cls, folder: Path, name: str, now: dt.datetime, *, passphrase: bytes | None = None) -> Self:
        """Make a new one in a folder that holds none; raise AuthorityError."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (folder / KEY).exists():
                raise AuthorityError(f"{folder / KEY}: there is an authority already; name another folder")
            if stat.S_IMODE(folder.stat().st_mode) & 0o077:
                raise AuthorityError(f"{folder}: others may look into it: chmod 700 {folder}")
        except OSError as error:
            raise AuthorityError(f"{folder}: cannot be made a folder ({error.strerror})") from error
        issuer = issue.authority(name, now)
        encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        write(folder / CERTIFICATE, issuer.certificate.public_bytes(Encoding.PEM), 0o644)
        write(folder / KEY, issuer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)
        made = cls(folder, issuer)
        made.list_revoked(now)
        return made

    @classmethod
    def open(cls, folder: Path, *, passphrase: bytes | None = None) -> Self:
        """Read one; raise AuthorityError."""
        certificate, key = folder / CERTIFICATE, folder / KEY
        try:
            if stat.S_IMODE(key.stat().st_mode) & 0o077:
                raise AuthorityError(f"{key}: others may read this private key: chmod 600 {key}")
            found = load_pem_private_key(key.read_bytes(), passphrase)
            issuer = Issuer(x509.load_pem_x509_certificate(certificate.read_bytes()), _ec(found, key))
        except OSError as error:
            raise AuthorityError(
                f"{error.filename}: cannot be read ({error.strerror}): make an authority with `gateway centre ca init`"
            ) from error
        except TypeError as error:
            what = "is encrypted: name the file with its passphrase" if passphrase is None else "is not encrypted"
            raise AuthorityError(f"{key}: {what}") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise AuthorityError(f"{key}: the passphrase is wrong, or this is no key ({error})") from error
        return cls(folder, issuer)

    def close(self) -> None:
        """Close the records."""
        self._records.close()

    def grant(self, request: Request, now: dt.datetime, *, cause: str, days: float = DAYS) -> Granted:
        """Issue what a request asks for, and have the centre take its signing key; raise AuthorityError.

        Whether the request is genuine has been asked before, of the installer or by a signature.
        """
        with self._records.change():
            self._hold_name(Kind.GATEWAY, request.gateway, now)
            believed, known = self._trust(request)
            for record in self._records.of_name(request.gateway):
                if record.key == request.key and record.revoked is not None:
                    raise AuthorityError("this TLS key is revoked: the gateway must make a new one")
                if record.key == request.key and record.ends > now.timestamp():
                    certificate = x509.load_pem_x509_certificate(record.pem.encode())
                    return Granted((certificate,), Facts.of(certificate), again=True, believed=believed, known=known)
            certificate = self._issue(Kind.GATEWAY, request.gateway, request.tls, now, cause=cause, days=days)
        return Granted((certificate,), Facts.of(certificate), again=False, believed=believed, known=known)

    def issue(  # noqa: PLR0913 - what a certificate says
        self,
        kind: Kind,
        name: str,
        public: ec.EllipticCurvePublicKey,
        now: dt.datetime,
        *,
        days: float = DAYS,
        hosts: Iterable[str] = (),
    ) -> x509.Certificate:
        """Issue a certificate for a broker or a centre; raise AuthorityError."""
        with self._records.change():
            self._hold_name(kind, name, now)
            return self._issue(kind, name, public, now, cause="operator", days=days, hosts=hosts)

    def bundle(self, request: Request, chain: Sequence[x509.Certificate]) -> str:
        """Give what the installer carries back; raise AuthorityError."""
        try:
            return bundle.write(
                gateway=request.gateway,
                signing=request.key_id.decode(),
                chain=chain,
                authorities=(self.certificate,),
                centre=(self.folder / CENTRE).read_text("utf-8"),
            )
        except OSError as error:
            raise AuthorityError(f"{self.folder / CENTRE}: cannot be read ({error.strerror})") from error
        except bundle.BundleError as error:
            raise AuthorityError(f"{self.folder / CENTRE}: {error}") from error

    def issued(self) -> list[Record]:
        """Give every certificate, oldest first."""
        return self._records.every()

    def revoke(self, what: str, now: dt.datetime, reason: str) -> list[Record]:
        """Take back one certificate, by its serial number, or a name with all that it has; raise AuthorityError.

        What the signing keys of a name that is taken back have signed is believed no longer. Gives what was in force.
        """
        with self._records.change():
            one = self._records.of_serial(what.lower().replace(":", "").lstrip("0"))
            found = [one] if one else self._records.of_name(what)
            if not found:
                raise AuthorityError(f"{what}: no certificate of that name or serial number was issued here")
            for record in found:
                self._records.revoke(record.serial, int(now.timestamp()), reason)
            if one is None:
                self._distrust(what)
        self.list_revoked(now)
        return [record for record in found if record.revoked is None]

    def list_revoked(self, now: dt.datetime, *, days: float = LIST_DAYS) -> x509.CertificateRevocationList:
        """Write the list of revocations anew and give it."""
        with self._records.change():
            revoked = [
                Revoked(int(each.serial, 16), dt.datetime.fromtimestamp(each.revoked, dt.UTC), each.reason or "")
                for each in self._records.every()
                if each.revoked is not None
            ]
            number = self._records.next_number("crl")
            made = issue.revocations(self._issuer, revoked, number=number, now=now, days=days)
            write(self.folder / LIST, made.public_bytes(Encoding.PEM), 0o644)
        return made

    def _issue(  # noqa: PLR0913 - as above
        self,
        kind: Kind,
        name: str,
        public: ec.EllipticCurvePublicKey,
        now: dt.datetime,
        *,
        cause: str,
        days: float,
        hosts: Iterable[str] = (),
    ) -> x509.Certificate:
        if self.certificate.not_valid_after_utc <= now:
            raise AuthorityError("the authority itself has ended: make a new one, and enrol everybody anew")
        ends = now + dt.timedelta(days=days)
        made = issue.issue(self._issuer, kind, name, public, begins=now - EARLIER, ends=ends, hosts=hosts)
        facts = Facts.of(made)
        self._records.add(
            Record(
                serial=facts.serial,
                kind=kind.value,
                name=name,
                key=facts.key,
                begins=int(facts.begins.timestamp()),
                ends=int(facts.ends.timestamp()),
                issued=int(now.timestamp()),
                cause=cause,
                pem=made.public_bytes(Encoding.PEM).decode("ascii"),
            )
        )
        return made

    def _hold_name(self, kind: Kind, name: str, now: dt.datetime) -> None:
        """Refuse a name that is somebody else's: by it alone the broker knows who may do what.

        A gateway that is called as the centre is would hear, and order, every other one.
        """
        others = {
            record.kind
            for record in self._records.of_name(name)
            if record.kind != kind and record.revoked is None and record.ends > now.timestamp()
        }
        if name == CENTRE_NAME and kind is not Kind.CENTRE:
            others.add(Kind.CENTRE.value)
        if others:
            raise AuthorityError(
                f"{name}: a {min(others)} has that name, and no {kind.value} may have it: take another"
            )

    def _trust(self, request: Request) -> tuple[bool, tuple[str, ...]]:
        """Have the centre take a signing key; give whether it is a new one, and those of this gateway taken already."""
        keys = self._gateways()
        there = keys.keys.get(request.key_id)
        new = TrustedKey(request.key_id, request.gateway, _NO_EPOCH, frozenset({"gateway"}), request.signing)
        if there is None:
            self._write_gateways(keys, [*keys.keys.values(), new])
        elif (there.issuer, public_text(there.public)) != (new.issuer, public_text(new.public)):
            raise AuthorityError(
                f"the id {request.key_id.decode()!r} is that of another signing key: the gateway must make a new one"
            )
        elif there.is_revoked:
            raise AuthorityError("this signing key is revoked: the gateway must make a new one")
        ours = [each for each in keys.keys.values() if each.issuer == request.gateway and not each.is_revoked]
        return there is None, tuple(each.key_id.decode() for each in ours if each.key_id != request.key_id)

    def _distrust(self, gateway: str) -> None:
        keys = self._gateways()
        marked = [replace(each, is_revoked=True) if each.issuer == gateway else each for each in keys.keys.values()]
        if marked != list(keys.keys.values()):
            self._write_gateways(keys, marked)

    def _gateways(self) -> KeySet:
        """Read whose signatures the centre takes, none where there is no file yet; raise AuthorityError."""
        path = self.folder / GATEWAYS
        if not path.exists():
            return KeySet({})
        try:
            return KeySet.load(path)
        except KeyFileError as error:
            raise AuthorityError(str(error)) from error

    def _write_gateways(self, before: KeySet, keys: Iterable[TrustedKey]) -> None:
        text = KeySet.of(keys, revision=before.revision + 1).to_toml()
        write(self.folder / GATEWAYS, text.encode(), 0o644)


def write(path: Path, content: bytes, mode: int) -> None:
    """Put a whole file in its place, synced; raise AuthorityError."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise AuthorityError(f"{path}: cannot be written ({error.strerror})") from error


def _ec(key: object, path: Path) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityError(f"{path}: not the key of an authority that was made here")
    return key
