"""The authority grants what it is asked, takes back what it gave, and keeps whom the centre believes in step."""

import datetime as dt
import json
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.centre.ca import founding
from gateway.centre.ca.authority import Authority, AuthorityError
from gateway.centre.ca.issue import DAYS, Kind
from gateway.centre.issuing import BELIEVED_AFTER_S, MOST_A_DAY, Issuing
from gateway.centre.judge import Genuine
from gateway.enrolment import bundle, request
from gateway.enrolment.request import Request
from gateway.wire import cose
from gateway.wire.enrolling import Issued, Renewal
from gateway.wire.keys import KeySet, SigningKey, load_signing_key
from gateway.wire.tests.building import KEY, OTHER_KEY

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
OPENSSL = shutil.which("openssl")


def asking(gateway: str = "gw-0001", key_id: str = "gw-0001-a", *, other: bool = False) -> Request:
    """Make a request with a TLS key of its own."""
    signing = SigningKey(key_id.encode(), OTHER_KEY if other else KEY)
    return request.read(request.make(gateway, ec.generate_private_key(ec.SECP256R1()), signing))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A founded authority's."""
    founding.found(tmp_path / "ca", "Pilot", NOW)
    return tmp_path / "ca"


@pytest.fixture
def authority(folder: Path) -> Iterator[Authority]:
    """The authority in it."""
    with closing(Authority.open(folder)) as found:
        yield found


def keys(folder: Path) -> KeySet:
    """Give whom the centre believes."""
    return KeySet.load(folder / "gateways.toml")


def verified(folder: Path, path: Path, purpose: str, *more: str) -> str:
    """Ask OpenSSL what it thinks of a certificate."""
    assert OPENSSL is not None
    command = [OPENSSL, "verify", "-x509_strict", "-CAfile", str(folder / "ca.pem"), "-purpose", purpose]
    command += ["-attime", str(int(NOW.timestamp())), *more, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours


def test_a_founded_folder_has_all_that_a_centre_needs(folder: Path) -> None:
    """Closed to others; the key that signs has every role, and an epoch of its own."""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("ca.key", "centre.key", "signing.pem"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    (key,) = KeySet.load(folder / "centre.toml").keys.values()
    assert key.key_id == load_signing_key(folder / "signing.pem").key_id
    assert (key.issuer, key.roles) == ("centre", frozenset({"receipt", "dispatch", "config"}))
    with pytest.raises(AuthorityError, match="there is an authority already"):
        founding.found(folder, "Pilot", NOW)


@pytest.mark.skipif(OPENSSL is None, reason="without openssl nobody else is asked")
def test_openssl_takes_what_it_issues_for_its_purpose_alone(folder: Path, authority: Authority, tmp_path: Path) -> None:
    """Strictly: a broker serves, gateways and centres are clients, and nobody is an authority."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    broker = authority.issue(Kind.BROKER, "broker", key, NOW, hosts=("broker.example.org", "192.0.2.7"))
    gateway = authority.grant(asking(), NOW, cause="operator").chain[0]
    for made, name, purpose, not_for in (
        (broker, "broker", "sslserver", "sslclient"),
        (gateway, "gateway", "sslclient", "sslserver"),
    ):
        path = tmp_path / f"{name}.pem"
        path.write_bytes(made.public_bytes(Encoding.PEM))
        assert verified(folder, path, purpose).endswith("OK\n")
        assert not verified(folder, path, not_for).endswith("OK\n")
    assert verified(folder, folder / "centre.pem", "sslclient").endswith("OK\n")


def test_a_granted_gateway_is_let_in_and_believed(folder: Path, authority: Authority) -> None:
    """Its certificate bears its name, its dates are as said, its signing key stands in the centre's set."""
    asked = asking()
    granted = authority.grant(asked, NOW, cause="operator")
    assert (granted.facts.name, granted.facts.key) == ("gw-0001", asked.key)
    assert granted.facts.ends - NOW == dt.timedelta(days=DAYS)
    usage = granted.chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    (key,) = keys(folder).keys.values()
    assert (key.key_id, key.issuer, key.public) == (b"gw-0001-a", "gw-0001", KEY.public_key())
    back = bundle.read(authority.bundle(asked, granted.chain))
    assert (back.gateway, back.signing) == ("gw-0001", "gw-0001-a")
    assert back.centre == (folder / "centre.toml").read_text("utf-8")


def test_the_same_request_again_is_answered_with_the_same(folder: Path, authority: Authority) -> None:
    """A gateway that asks twice, because an answer was lost, does not get two certificates."""
    asked = asking()
    first = authority.grant(asked, NOW, cause="operator")
    again = authority.grant(asked, NOW, cause="renewal")
    assert (again.chain, again.again, again.believed) == (first.chain, True, False)
    assert len(authority.issued()) == 2
    assert keys(folder).revision == 1


def test_a_second_signing_key_stands_beside_the_first(folder: Path, authority: Authority) -> None:
    """What the old one has signed is believed until it is revoked."""
    authority.grant(asking(), NOW, cause="operator")
    granted = authority.grant(asking(key_id="gw-0001-b", other=True), NOW, cause="renewal")
    assert (granted.believed, granted.known) == (True, ("gw-0001-a",))
    assert set(keys(folder).with_role("gateway")) == {b"gw-0001-a", b"gw-0001-b"}
    assert keys(folder).revision == 2


def test_an_id_that_is_another_s_is_refused(authority: Authority) -> None:
    """One id, one key: neither another gateway nor another key of the same may take it."""
    authority.grant(asking(), NOW, cause="operator")
    for other in (asking("gw-0002"), asking(other=True)):
        with pytest.raises(AuthorityError, match="is that of another signing key"):
            authority.grant(other, NOW, cause="operator")
    assert len(authority.issued()) == 2


def test_a_name_is_of_one_kind(authority: Authority) -> None:
    """A box that is called as a centre is would be one to the broker, and a centre's name may not be a gateway's."""
    authority.issue(Kind.CENTRE, "centre-2", ec.generate_private_key(ec.SECP256R1()).public_key(), NOW)
    for name in ("centre", "centre-2"):
        with pytest.raises(AuthorityError, match=f"{name}: a centre has that name"):
            authority.grant(asking(name), NOW, cause="operator")
    authority.grant(asking(), NOW, cause="operator")
    assert set(keys(authority.folder).keys) == {b"gw-0001-a"}
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(AuthorityError, match="a gateway has that name"):
        authority.issue(Kind.CENTRE, "gw-0001", public, NOW)
    authority.revoke("gw-0001", NOW, "unspecified")
    authority.issue(Kind.CENTRE, "gw-0001", public, NOW)


def test_a_revoked_name_is_neither_let_in_nor_believed(folder: Path, authority: Authority, tmp_path: Path) -> None:
    """All its certificates are on the list, its signing keys are marked; its TLS key gets no certificate any more."""
    asked = asking()
    granted = authority.grant(asked, NOW, cause="operator")
    other = authority.grant(asking("gw-0002", "gw-0002-a", other=True), NOW, cause="operator")
    taken = authority.revoke("gw-0001", NOW, "key-compromise")
    assert [record.serial for record in taken] == [granted.facts.serial]
    found = x509.load_pem_x509_crl((folder / "crl.pem").read_bytes())
    assert [f"{each.serial_number:x}" for each in found] == [granted.facts.serial]
    assert set(keys(folder).with_role("gateway")) == {b"gw-0002-a"}
    with pytest.raises(AuthorityError, match="revoked"):
        authority.grant(asked, NOW, cause="operator")
    if OPENSSL is not None:
        for made, is_good in ((granted, False), (other, True)):
            path = tmp_path / "one.pem"
            path.write_bytes(made.chain[0].public_bytes(Encoding.PEM))
            said = verified(folder, path, "sslclient", "-crl_check", "-CRLfile", str(folder / "crl.pem"))
            assert said.endswith("OK\n") is is_good


def test_one_serial_number_takes_back_one_certificate(folder: Path, authority: Authority) -> None:
    """A lost copy of a certificate is no reason to disbelieve what the gateway signs."""
    granted = authority.grant(asking(), NOW, cause="operator")
    serial = granted.facts.serial.upper()
    assert len(authority.revoke(serial, NOW, "superseded")) == 1
    assert authority.revoke(serial, NOW, "superseded") == []
    assert set(keys(folder).with_role("gateway")) == {b"gw-0001-a"}
    with pytest.raises(AuthorityError, match="no certificate of that name"):
        authority.revoke("gw-0009", NOW, "superseded")


def test_the_list_is_numbered_and_has_an_end(folder: Path, authority: Authority) -> None:
    """Brokers refuse everybody after it; so it lasts as long as a certificate unless it is told otherwise."""
    made = authority.list_revoked(NOW, days=3)
    assert made.next_update_utc == NOW + dt.timedelta(days=3)
    number = made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number == 2
    assert x509.load_pem_x509_crl((folder / "crl.pem").read_bytes()) == made


def test_a_passphrase_closes_the_key(tmp_path: Path) -> None:
    """Without it, or with another, nothing is signed; and nobody else may read what is not encrypted."""
    founding.found(tmp_path / "ca", "Pilot", NOW, passphrase=b"trois vaches rousses")
    assert founding.is_encrypted(tmp_path / "ca")
    Authority.open(tmp_path / "ca", passphrase=b"trois vaches rousses").close()
    for wrong, said in ((None, "is encrypted: name the file"), (b"deux", "the passphrase is wrong")):
        with pytest.raises(AuthorityError, match=said):
            Authority.open(tmp_path / "ca", passphrase=wrong)
    founding.found(tmp_path / "open", "Pilot", NOW)
    (tmp_path / "open" / "ca.key").chmod(0o640)
    with pytest.raises(AuthorityError, match="chmod 600"):
        Authority.open(tmp_path / "open")


def test_an_authority_that_has_ended_issues_nothing(authority: Authority) -> None:
    """And what it issued never outlived it."""
    late = NOW + dt.timedelta(days=3_600)
    assert authority.grant(asking(), late, cause="operator").facts.ends == authority.certificate.not_valid_after_utc
    with pytest.raises(AuthorityError, match="has ended"):
        authority.grant(asking("gw-2", "gw-2-a", other=True), late + dt.timedelta(days=100), cause="operator")


# Over the wire


async def answered(issuing: Issuing, asked: Request, by: str = "gw-0001") -> Issued | None:
    """Have a centre answer a renewal that `by` has signed."""
    header = cose.Header(b"gw-0001-a", Renewal.CONTENT, by, "evt", bytes(8), 1)
    said = await issuing(Genuine(header, Renewal(asked.message).encode(), b""))
    if said is None:
        return None
    assert said[0] == Issued.CONTENT
    return Issued.decode(said[1])


@pytest.fixture(name="at_once")
def at_once_fixture(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Take the waiting out, and give how long it was."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("gateway.centre.issuing.asyncio.sleep", wait)
    return waited


async def test_a_known_gateway_is_answered(folder: Path, authority: Authority, at_once: list[float]) -> None:
    """With its next certificate; a new signing key is believed by every centre before the gateway hears of it."""
    authority.grant(asking(), NOW, cause="operator")
    issuing = Issuing(folder, days=30, now=lambda: NOW)
    asked = asking()
    answer = await answered(issuing, asked)
    assert answer is not None
    (der,) = answer.certificates
    assert x509.load_der_x509_certificate(der).not_valid_after_utc == NOW + dt.timedelta(days=30)
    assert (answer.key, answer.signing, at_once) == (asked.key, b"gw-0001-a", [])
    assert authority.issued()[-1].cause == "renewal"
    await answered(issuing, asking(key_id="gw-0001-b", other=True))
    assert at_once == [BELIEVED_AFTER_S]


async def test_who_was_not_enrolled_asks_too_often_or_for_another_gets_nothing(
    folder: Path, authority: Authority, at_once: list[float]
) -> None:
    """The answer says why, where there is somebody to answer."""
    issuing = Issuing(folder, now=lambda: NOW)
    answer = await answered(issuing, asking())
    assert answer is not None
    assert answer.refused is not None
    assert "has not enrolled" in answer.refused
    authority.grant(asking(), NOW, cause="operator")
    for _ in range(MOST_A_DAY):
        answer = await answered(issuing, asking())
        assert answer is not None
        assert answer.refused is None
    answer = await answered(issuing, asking())
    assert answer is not None
    assert answer.refused == f"{MOST_A_DAY} certificates a day are enough: try again tomorrow"
    assert await answered(issuing, asking("gw-0002", "gw-0001-a")) is None
    assert at_once == []


def test_records_can_be_printed(authority: Authority) -> None:
    """Nothing of them is secret."""
    authority.grant(asking(), NOW, cause="operator")
    assert "PRIVATE" not in json.dumps([each.pem for each in authority.issued()])
