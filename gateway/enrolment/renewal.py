"""What the agent does with the files of its identity while it runs; each call may wait for the disk.

It keeps what the centre sent beside what is in use, and lets it follow once the broker has taken it.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from gateway.enrolment import box
from gateway.enrolment import places as files
from gateway.enrolment.certificates import CertificateError, Facts, mistakes, read_chain, write_chain
from gateway.enrolment.places import PUBLIC, Identity, PlaceError, Places
from gateway.wire.enrolling import Issued
from gateway.wire.keys import SigningKey

Stamp = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is there: the pairs; the signing key where it can be read; which keys are made and not answered yet.

    `done` is what was finished that a power cut, or an installer, had left; `failure` why nothing could be.
    """

    identity: Identity
    signing: SigningKey | None
    next_key: bytes | None
    next_signing: bool
    done: str | None
    failure: str | None


def stamp(places: Places) -> Stamp:
    """Give what is another one as soon as a file of the identity is another one."""
    tls = (places.certificate, places.key, places.next_certificate, places.next_key)
    return tuple(_state(path) for path in (*tls, places.signing, places.next_signing, places.install))


def see(places: Places) -> Seen:
    """Finish what was left, and say what is there; never raises."""
    done = failure = signing = None
    try:
        with files.alone(places):
            done = box.finish(places)
    except PlaceError as error:
        failure = str(error)
    try:
        signing = files.load_signing(places.signing)
    except PlaceError as error:
        failure = str(error)
    else:
        if places.key_id and signing.key_id.decode() != places.key_id:
            failure, signing = f"{places.signing}: holds another key than the site file names", None
    next_key, next_signing = files.digest_of(places.next_key), places.next_signing.exists()
    return Seen(files.look(places), signing, next_key, next_signing, done, failure)


def keep(places: Places, issued: Issued, now: dt.datetime) -> None:
    """Keep what the centre sent beside what is in use; raise CertificateError for what could not serve, PlaceError."""
    try:
        chain = [x509.load_der_x509_certificate(each) for each in issued.certificates]
        authorities = read_chain(places.authority.read_bytes())
    except (ValueError, OSError) as error:
        raise CertificateError(str(error)) from error
    if not chain:
        raise CertificateError("there is none in it")
    wrong = mistakes(chain, authorities, name=places.gateway, key=issued.key, now=now)
    if wrong:
        raise CertificateError("; ".join(wrong))
    with files.alone(places):
        signing = places.next_signing
        if signing.exists() and files.load_signing(signing).key_id == issued.signing and not places.key_id:
            files.take_signing(places)
        if files.digest_of(places.next_key) == Facts.of(chain[0]).key:
            files.write(places.next_certificate, write_chain(chain), PUBLIC)


def follow(places: Places) -> None:
    """Let the next pair take the place of the one in use; raise PlaceError."""
    with files.alone(places):
        files.promote(places)


def drop(places: Places) -> None:
    """Forget the next pair; raise PlaceError."""
    with files.alone(places):
        files.drop_next(places)


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
