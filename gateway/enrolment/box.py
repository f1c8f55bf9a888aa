"""What is done on the box: its keys are made, a request is given out, and the bundle that comes back is installed.

Nothing is put in the place of anything before all of a bundle was checked. Then the bundle itself is kept beside the
certificate until every part of it is in its place, so that a power cut in between costs nothing: `settle` begins again.
A certificate that follows one in use becomes the next one: who is connected decides when it takes over.
"""

import datetime as dt
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.enrolment import bundle as bundles
from gateway.enrolment import places as files
from gateway.enrolment import request as requests
from gateway.enrolment.bundle import Bundle, BundleError
from gateway.enrolment.certificates import CertificateError, Facts, mistakes, read_chain, write_chain
from gateway.enrolment.places import PUBLIC, PlaceError, Places
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet


class InstallError(Exception):
    """A bundle is not installed; a line for each reason. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request (`message`), and which keys were made for it."""

    message: bytes
    key_id: str
    made: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed: `follows` where a certificate in use is replaced only once the broker has taken this one.

    `warning` is what people should know, where there is something.
    """

    facts: Facts
    follows: bool
    warning: str | None


def ask(places: Places, *, new_key: bool = False, new_signing: bool = False) -> Asked:
    """Make what keys there are not, and the request of those that are; raise PlaceError, RequestError.

    `new_key` and `new_signing` make one beside that in use, which stays in use until the bundle is there; one that was
    made before, and not answered yet, is asked with again.
    """
    made: list[str] = []
    with files.alone(places):
        finish(places)
        key = places.next_key if new_key and places.key.exists() else places.key
        if not key.exists():
            files.make_key(key)
            made.append(str(key))
        signing = places.next_signing if new_signing and places.signing.exists() else places.signing
        if new_signing and places.key_id:
            raise PlaceError(
                f"the site file says that the signing key bears the name {places.key_id!r}, and a new one bears a new "
                "name: take [signing] key_id out first"
            )
        if not signing.exists():
            files.make_signing(signing, places.key_id or f"{places.gateway}-{secrets.token_hex(4)}")
            made.append(str(signing))
        loaded = files.load_signing(signing)
        message = requests.make(places.gateway, files.load_key(key), loaded)
    return Asked(message, loaded.key_id.decode(), tuple(made))


def install(places: Places, text: str, now: dt.datetime) -> Installed:
    """Install a bundle; raise InstallError with every reason against it, PlaceError where the files cannot be written.

    The agent finds by itself what was installed.
    """
    try:
        bundle = bundles.read(text)
    except BundleError as error:
        raise InstallError(str(error)) from error
    with files.alone(places):
        finish(places)
        wrong = _against(places, bundle, now)
        if wrong:
            raise InstallError("\n".join(wrong))
        facts = Facts.of(bundle.chain[0])
        warnings = [*_early(facts, now), *_other_authority(places, bundle)]
        files.write(places.install, text.encode(), PUBLIC)
        _apply(places, bundle)
        files.settle(places)
        following = files.look(places).next
    return Installed(facts, following is not None and following.facts == facts, "; ".join(warnings) or None)


def finish(places: Places) -> str | None:
    """Go on from wherever a power cut left an installation or a change of certificates; give what was done.

    Raises PlaceError. Call it `places.alone`.
    """
    done = None
    if places.install.exists():
        try:
            _apply(places, bundles.read(places.install.read_text("utf-8")))
            done = "a bundle was installed to its end: a power cut had come in between"
        except (OSError, UnicodeDecodeError, BundleError) as error:
            raise PlaceError(f"{places.install}: cannot be used ({error}): remove it, install the bundle again") from (
                error
            )
    return files.settle(places) or done


def _early(facts: Facts, now: dt.datetime) -> Iterator[str]:
    if facts.begins > now:
        yield (
            f"the certificate begins on {facts.begins:%Y-%m-%d %H:%M} UTC, and this machine's clock says "
            f"{now:%Y-%m-%d %H:%M}: it is probably the clock that is wrong"
        )


def _other_authority(places: Places, bundle: Bundle) -> Iterator[str]:
    """Tell of authorities that are believed no more: the broker in use may have its certificate from one of them."""
    try:
        before = read_chain(places.authority.read_bytes())
    except (OSError, CertificateError):
        return
    gone = [each for each in before if each not in bundle.authorities]
    if gone:
        names = ", ".join(each.subject.rfc4514_string() for each in gone)
        yield (
            f"the authority {names} is believed no more: where the broker's certificate is still of it, there is no "
            "connection; a bundle for the time of a change has both"
        )


def _against(places: Places, bundle: Bundle, now: dt.datetime) -> list[str]:
    """Say everything that is wrong with a bundle for this box."""
    facts = Facts.of(bundle.chain[0])
    known = {digest for digest in (files.digest_of(each) for each in (places.key, places.next_key)) if digest}
    wrong = []
    if bundle.gateway != places.gateway:
        wrong.append(f"the bundle is for {bundle.gateway!r}, this gateway is {places.gateway!r}")
    if not known:
        wrong.append(f"{places.key}: no TLS key can be read there: make the keys first, with `gateway cert csr`")
    key = facts.key if facts.key in known else next(iter(known), None)
    wrong += mistakes(bundle.chain, bundle.authorities, name=places.gateway, key=key, now=now)
    return wrong + _against_signing(places, bundle) + _against_centre(places, bundle)


def _against_signing(places: Places, bundle: Bundle) -> list[str]:
    if places.key_id and bundle.signing != places.key_id:
        said = f"the centre takes the signing key {bundle.signing!r}, the site file names {places.key_id!r}"
        return [f"{said}: correct [signing] key_id, or take it out"]
    try:
        held = [files.load_signing(each).key_id.decode() for each in _signing_keys(places)]
    except PlaceError as error:
        return [str(error)]
    if bundle.signing not in held:
        return [f"the centre takes the signing key {bundle.signing!r}, here there is {', '.join(held) or 'none'}"]
    return []


def _against_centre(places: Places, bundle: Bundle) -> list[str]:
    """Take no older key set than the one there: a key that was revoked would come back by it."""
    try:
        before = KeySet.load(places.trusted).revision
    except KeyFileError:
        return []
    now = KeySet.parse(bundle.centre.encode(), "centre").revision
    older = f"the centre's keys in it are of revision {now}, those in {places.trusted} of {before}: it is an old bundle"
    return [older] if now < before else []


def _apply(places: Places, bundle: Bundle) -> None:
    """Put every part in its place, in an order in which a box that stops in between still finds its broker."""
    files.write(places.trusted, bundle.centre.encode(), PUBLIC)
    files.write(places.authority, write_chain(bundle.authorities), PUBLIC)
    signing = places.next_signing
    if signing.exists() and files.load_signing(signing).key_id.decode() == bundle.signing:
        files.take_signing(places)
    facts = Facts.of(bundle.chain[0])
    current = files.look(places).current
    if current is None or current.facts.fingerprint != facts.fingerprint:
        files.write(_certificate_place(places, facts), write_chain(bundle.chain), PUBLIC)
    places.install.unlink()


def _certificate_place(places: Places, facts: Facts) -> Path:
    """Where a certificate goes: beside one that is in use, else in its place."""
    in_use = files.look(places).current is not None
    return places.next_certificate if in_use or files.digest_of(places.key) != facts.key else places.certificate


def _signing_keys(places: Places) -> list[Path]:
    return [each for each in (places.signing, places.next_signing) if each.exists()]
