"""Keys are made on the box and stay; a bundle is installed whole or not at all, and every reason against it is told."""

import datetime as dt
import errno
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.centre.ca import issue
from gateway.centre.ca.issue import Kind
from gateway.enrolment import box, bundle, renewal
from gateway.enrolment.box import InstallError
from gateway.enrolment.bundle import BundleError
from gateway.enrolment.places import PlaceError, look
from gateway.enrolment.tests.boxes import (
    GATEWAY,
    NOW,
    ROOT,
    Given,
    asked,
    contents,
    enrolled,
    granted,
    key_set,
    places,
)

STRANGER = issue.authority("stranger", NOW)


def test_what_the_box_makes_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    """Both keys are 0600 from the first byte on; asked again, the box makes no others."""
    at = places(tmp_path / "box")
    first = box.ask(at)
    assert set(first.made) == {str(at.key), str(at.signing)}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (at.key, at.signing)} == {0o600}
    assert box.ask(at) == replace(first, made=())


def test_the_site_may_name_the_signing_key(tmp_path: Path) -> None:
    """The key bears that name; without one it bears the gateway's and a random part."""
    assert box.ask(places(tmp_path / "a", "gw-0001-2026")).key_id == "gw-0001-2026"
    made = {box.ask(places(tmp_path / each)).key_id for each in "bc"}
    assert len(made) == 2
    assert all(each.startswith(f"{GATEWAY}-") for each in made)


def test_a_key_on_another_curve_is_named(tmp_path: Path) -> None:
    """Who brought a key of P-384 reads which file it is and what to do."""
    at = places(tmp_path / "box")
    key = ec.generate_private_key(ec.SECP384R1())
    at.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(PlaceError, match=rf"{at.key}: not a key of P-256.*move it away"):
        box.ask(at)


def test_where_nothing_can_be_written_what_is_there_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of systemd's credentials, or a card that went read-only: the agent starts with what is there."""
    at = enrolled(tmp_path / "box")

    def refuse(path: str | Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(os, "unlink", refuse)
    seen = renewal.see(at)
    assert seen.failure is None
    assert seen.identity.current is not None
    at.next_certificate.write_text("of no key of ours")
    failure = renewal.see(at).failure
    assert failure is not None
    assert "cannot be removed (Read-only file system)" in failure


def test_a_bundle_is_installed_and_secrets_stay_secret(tmp_path: Path) -> None:
    """Certificate, authority and the centre's keys are there; technicians may read those, nobody the keys."""
    at = enrolled(tmp_path / "box")
    found = look(at).current
    assert found is not None
    assert found.facts.name == GATEWAY
    assert at.trusted.read_text("utf-8") == key_set()
    assert set(contents(at)) == {"gateway.pem", "gateway.key", "ca.pem", "signing.key", "centre.toml"}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in at.key.parent.iterdir()}
    assert modes == {
        "gateway.pem": 0o640,
        "ca.pem": 0o640,
        "centre.toml": 0o640,
        "gateway.key": 0o600,
        "signing.key": 0o600,
    }


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        (Given(name="gw-0002"), {}, "the certificate is for 'gw-0002', this gateway is 'gw-0001'"),
        (Given(key=ec.generate_private_key(ec.SECP256R1()).public_key()), {}, "is for another key"),
        (Given(days=-0.01), {}, "the certificate ended on 2026-11-26"),
        (Given(kind=Kind.BROKER), {}, "may not be used by a client"),
        (Given(issuer=STRANGER), {}, "has signed it: CN=gw-0001 is of CN=stranger"),
        (Given(), {"gateway": "gw-0002"}, "the bundle is for 'gw-0002'"),
        (Given(), {"signing": "gw-0001-other"}, "the centre takes the signing key 'gw-0001-other', here there is"),
    ],
)
def test_a_bundle_that_could_not_serve_changes_nothing(
    tmp_path: Path, given: Given, more: dict[str, Any], said: str
) -> None:
    """It is refused with the reason, on a fresh box and on one that is enrolled."""
    for at in (places(tmp_path / "fresh"), enrolled(tmp_path / "old")):
        text = granted(asked(at), given, **more)
        before = contents(at)
        with pytest.raises(InstallError, match=said):
            box.install(at, text, NOW)
        assert contents(at) == before


def test_every_reason_is_told_at_once(tmp_path: Path) -> None:
    """Nobody has to try four times to hear of four mistakes."""
    at = places(tmp_path / "box")
    wrong = Given(name="gw-0002", days=-1, kind=Kind.BROKER, issuer=STRANGER, begins=NOW - dt.timedelta(days=9))
    with pytest.raises(InstallError) as caught:
        box.install(at, granted(asked(at), wrong, signing="gw-x"), NOW)
    assert len(str(caught.value).splitlines()) == 5


def test_a_box_whose_clock_is_behind_is_enrolled_with_a_warning(tmp_path: Path) -> None:
    """Without a battery clock it is 1970 on many a box: a certificate of today is not refused for that."""
    at = places(tmp_path / "box")
    done = box.install(at, granted(asked(at)), dt.datetime(1970, 1, 2, tzinfo=dt.UTC))
    assert done.warning is not None
    assert "probably the clock" in done.warning


def test_another_authority_in_place_of_the_one_in_use_is_warned_of(tmp_path: Path) -> None:
    """The broker may still be the old one's; a bundle with both takes a box over the change without a word."""
    at = enrolled(tmp_path / "box")
    given = Given(issuer=STRANGER)
    both = box.install(at, granted(asked(at, new_key=True), given, authorities=(STRANGER, ROOT)), NOW)
    assert both.warning is None
    alone = box.install(at, granted(asked(at, new_key=True), given, authorities=(STRANGER,)), NOW)
    assert alone.warning is not None
    assert "the authority CN=test is believed no more" in alone.warning


def test_an_older_bundle_brings_no_revoked_key_back(tmp_path: Path) -> None:
    """The centre's keys in a bundle are not older than those that are there."""
    at = places(tmp_path / "box")
    request = asked(at)
    box.install(at, granted(request, centre=key_set(5)), NOW)
    with pytest.raises(InstallError, match="it is an old bundle"):
        box.install(at, granted(request, centre=key_set(4)), NOW)


def test_beside_one_in_use_a_certificate_waits(tmp_path: Path) -> None:
    """With a new key or the old one, what is in use stays until the broker has taken what follows it."""
    for name, new_key in (("same", False), ("new", True)):
        at = enrolled(tmp_path / name)
        before = at.certificate.read_bytes()
        done = box.install(at, granted(asked(at, new_key=new_key), Given(days=200)), NOW)
        assert done.follows
        found = look(at)
        assert found.next is not None
        assert found.next.facts == done.facts
        assert at.certificate.read_bytes() == before
        assert at.next_key.exists() is new_key


def test_the_same_bundle_again_changes_nothing(tmp_path: Path) -> None:
    """An installer who is not sure types it twice."""
    at = places(tmp_path / "box")
    text = granted(asked(at))
    box.install(at, text, NOW)
    before = contents(at)
    assert not box.install(at, text, NOW).follows
    assert contents(at) == before


def test_a_new_signing_key_takes_over_when_the_centre_says_so(tmp_path: Path) -> None:
    """Until its bundle is there the old one signs; a site file that names the key forbids another."""
    at = enrolled(tmp_path / "box")
    old = at.signing.read_bytes()
    request = asked(at, new_signing=True)
    assert at.signing.read_bytes() == old
    box.install(at, granted(request), NOW)
    assert at.signing.read_bytes() != old
    assert request.key_id in at.signing.read_bytes()
    assert not at.next_signing.exists()
    named = enrolled(tmp_path / "named", "gw-0001-2026")
    with pytest.raises(PlaceError, match=r"take \[signing\] key_id out first"):
        box.ask(named, new_signing=True)


def test_without_keys_nothing_is_installed(tmp_path: Path) -> None:
    """A bundle for a box whose keys are gone is of no use."""
    at, other = places(tmp_path / "empty"), places(tmp_path / "other")
    with pytest.raises(InstallError, match="make the keys first"):
        box.install(at, granted(asked(other)), NOW)
    with pytest.raises(PlaceError, match="make it, for the agent's user"):
        box.ask(replace(at, key=tmp_path / "none" / "gateway.key"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", "version = 2", "`version = 1` is wanted"),
        ("version = 1", "version = 1\nmore = 1", "unknown key `more`"),
        ('signing = "', 'signing = "é', "letters, digits"),
        ("certificate = ", "certificat = ", "certificate: a text is wanted"),
        ("-----BEGIN", "-----BEGUN", "no PEM certificate"),
        ("[[key]]", "[[kay]]", r"centre: 1 to \d+ tables"),
        ("version = 1", "version =", "not TOML"),
    ],
)
def test_a_text_that_is_no_bundle_says_why(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Every mistake of the form is told."""
    text = granted(asked(places(tmp_path / "box")))
    assert old in text
    with pytest.raises(BundleError, match=said):
        bundle.read(text.replace(old, new))


def test_a_bundle_holds_nothing_secret(tmp_path: Path) -> None:
    """It may be mailed."""
    text = granted(asked(places(tmp_path / "box")))
    assert "PRIVATE" not in text
    assert bundle.read(text).authorities == (ROOT.certificate,)
