"""The files of a box's identity, and every state that a power cut may leave them in.

Beside certificate and key in use there may be the next ones, under the same names with `.next` behind them. They take
the place of the old ones only when the broker has taken them, key first: a cut in between leaves a key that belongs to
`certificate.next`, and `settle` goes on from there. A bundle that is being installed lies beside the certificate as
`.install` until all of it is in its place; `settle` (gateway.enrolment.box) begins it again. A file is never written
where it lies: a `.part` is written, synced and renamed.

Only the owner of the files, or root, can do any of this; one process at a time, by `alone`.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from config.site import Site
from gateway.enrolment.certificates import CertificateError, Facts, key_digest, read_chain
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import SigningKey, load_signing_key, make_signing_key

PRIVATE, PUBLIC = 0o600, 0o640
"""Modes: what is no secret may be read by the agent's group, that is by technicians."""


class PlaceError(Exception):
    """A file of the identity cannot be read or written; the text names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a site file says that everything of the identity is; `key_id` where it names the signing key."""

    gateway: str
    certificate: Path
    key: Path
    authority: Path
    signing: Path
    trusted: Path
    key_id: str | None

    @classmethod
    def of(cls, site: Site) -> Self:
        """Take them from a site file."""
        return cls(
            gateway=site.gateway.id,
            certificate=site.broker.certificate_file,
            key=site.broker.key_file,
            authority=site.broker.ca_file,
            signing=site.signing.key_file,
            trusted=site.centre.keys_file,
            key_id=site.signing.key_id,
        )

    @property
    def next_certificate(self) -> Path:
        """The certificate that the broker has not taken yet."""
        return _beside(self.certificate, "next")

    @property
    def next_key(self) -> Path:
        """The key of a certificate that is asked for, or not proven yet."""
        return _beside(self.key, "next")

    @property
    def next_signing(self) -> Path:
        """A signing key that the centre has not taken yet."""
        return _beside(self.signing, "next")

    @property
    def install(self) -> Path:
        """A bundle that is being installed."""
        return _beside(self.certificate, "install")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and the key that belongs to it."""

    certificate: Path
    key: Path
    facts: Facts


@dataclass(frozen=True, slots=True)
class Identity:
    """What is there: the pair in use, the one that is to follow it, and what is wrong where the first is missing."""

    current: Pair | None
    next: Pair | None
    wrong: str | None


def look(places: Places) -> Identity:
    """See what is there; nothing is changed."""
    wrong: str | None = None
    current = following = None
    try:
        current = _pair(places.certificate, places.key)
        if current is None:
            wrong = f"{places.key}: is not the key of {places.certificate}"
    except PlaceError as error:
        wrong = str(error)
    with contextlib.suppress(PlaceError):
        following = _pair(places.next_certificate, _key_of_next(places))
    return Identity(current, following, wrong)


def settle(places: Places) -> str | None:
    """Go on from where a power cut left a change, and give what was done; raise PlaceError.

    Afterwards the pair in use is whole, if any pair is. Call it `alone`.
    """
    for each in (places.certificate, places.next_certificate, places.key, places.next_key, places.next_signing):
        # What lies where nothing can be written (a credential of systemd, a card that went read-only) harms nobody.
        with contextlib.suppress(OSError):
            _beside(each, "part").unlink(missing_ok=True)
    found = look(places)
    if found.current is None and found.next is not None:
        # Also where the cut came between the two renames of `promote`: the next certificate is that of our key then.
        promote(places)
        return f"{places.certificate} is the next one now: the one in its place was of no use with our key"
    if found.next is None and places.next_certificate.exists():
        _remove(places.next_certificate)
        return f"{places.next_certificate} was removed: it belonged to no key of ours"
    return None


def promote(places: Places) -> None:
    """Put the next pair in the place of the one in use; raise PlaceError. Call it `alone`."""
    if places.next_key.exists() and _is_key_of(places.next_key, places.next_certificate):
        _rename(places.next_key, places.key)
    _rename(places.next_certificate, places.certificate)


def drop_next(places: Places) -> None:
    """Forget the next pair: another one will be asked for. Call it `alone`."""
    _remove(places.next_certificate)
    _remove(places.next_key)


@contextlib.contextmanager
def alone(places: Places) -> Iterator[None]:
    """Let no other process change the identity for the length of a block; raise PlaceError."""
    folder = places.key.parent
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise PlaceError(f"{folder}: cannot be opened ({error.strerror}): make it, for the agent's user") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a TLS key; raise PlaceError."""
    try:
        found = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PlaceError(f"{path}: no unencrypted PEM private key in it: move it away, and ask anew") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise PlaceError(f"{path}: not a key of P-256, as the box makes them: move it away, and ask anew")
    return found


def digest_of(path: Path) -> bytes | None:
    """Give the digest of the public half of a TLS key, by which its certificate is known; None where there is none."""
    try:
        return _digest(path)
    except PlaceError:
        return None


def make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make a TLS key (P-256), readable by its owner alone; raise PlaceError."""
    key = ec.generate_private_key(ec.SECP256R1())
    write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), PRIVATE)
    return key


def make_signing(path: Path, key_id: str) -> SigningKey:
    """Make a signing key; raise PlaceError."""
    part = _beside(path, "part")
    try:
        part.unlink(missing_ok=True)
        made = make_signing_key(part, key_id)
    except (OSError, KeyFileError) as error:
        raise PlaceError(str(error)) from error
    _rename(part, path)
    return made


def load_signing(path: Path) -> SigningKey:
    """Read a signing key; raise PlaceError."""
    try:
        return load_signing_key(path)
    except KeyFileError as error:
        raise PlaceError(str(error)) from error


def take_signing(places: Places) -> None:
    """Put the next signing key in the place of the one in use; raise PlaceError. Call it `alone`."""
    _rename(places.next_signing, places.signing)


def write(path: Path, content: bytes, mode: int) -> None:
    """Put a whole file in its place, synced; raise PlaceError. What was there stays until then."""
    part = _beside(path, "part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _cannot_write(path, error) from error
    _rename(part, path)


def _pair(certificate: Path, key: Path) -> Pair | None:
    """Give a pair whose parts belong together, None where they do not; raise PlaceError for one that is missing."""
    facts = Facts.of(_chain(certificate)[0])
    return Pair(certificate, key, facts) if _digest(key) == facts.key else None


def _digest(key: Path) -> bytes:
    try:
        return key_digest(load_pem_private_key(_read(key), None).public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PlaceError(f"{key}: no unencrypted PEM private key in it") from error


def _key_of_next(places: Places) -> Path:
    """Where the key of the next certificate lies: a certificate renewed for the same key has none of its own."""
    return places.next_key if _is_key_of(places.next_key, places.next_certificate) else places.key


def _is_key_of(key: Path, certificate: Path) -> bool:
    try:
        return _pair(certificate, key) is not None
    except PlaceError:
        return False


def _chain(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return read_chain(_read(path))
    except CertificateError as error:
        raise PlaceError(f"{path}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PlaceError(f"{path}: cannot be read ({error.strerror})") from error


def _rename(here: Path, there: Path) -> None:
    try:
        here.replace(there)
        descriptor = os.open(there.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot_write(there, error) from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise PlaceError(f"{path}: cannot be removed ({error.strerror})") from error


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")


def _cannot_write(path: Path, error: OSError) -> PlaceError:
    return PlaceError(
        f"{path}: cannot be written ({error.strerror}): its folder must belong to the agent's user, and have room"
    )
