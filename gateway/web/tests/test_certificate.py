"""The page's certificate is made once, kept, renewed in time, and taken over while the page serves."""

import contextlib
import datetime as dt
import hashlib
import ssl
import stat
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.web import certificate
from gateway.web.certificate import DAYS, RENEWED_BEFORE_S, CertificateError, kept
from gateway.web.server import renewed
from gateway.web.settings import Settings

DAY_S = 86_400


def settings(state: Path) -> Settings:
    """Give those of a page that only this machine reaches."""
    return Settings(state=state, listen="127.0.0.1")


def test_it_is_made_for_the_names_of_the_page(tmp_path: Path) -> None:
    """P-256, 820 days, no authority, with names and addresses; key and certificate in one file for one user."""
    now_s = time.time()
    made = kept(Settings(state=tmp_path, listen="192.0.2.7", names=("immeuble.example",)), now_s)
    found = x509.load_pem_x509_certificate(made.file.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "immeuble.example"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"192.0.2.7", "127.0.0.1"} == {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert found.not_valid_after_utc - found.not_valid_before_utc <= dt.timedelta(days=825)
    assert found.not_valid_before_utc.timestamp() < now_s
    assert made.until_s == pytest.approx(now_s + DAYS * DAY_S, abs=2)
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600
    assert made.fingerprint.replace(":", "").lower() == found.fingerprint(hashes.SHA256()).hex()


def test_it_is_kept_until_60_days_before_its_end(tmp_path: Path) -> None:
    """A browser that has accepted it is not asked again without need."""
    now_s = time.time()
    first = kept(settings(tmp_path), now_s)
    later_s = first.until_s - RENEWED_BEFORE_S - DAY_S
    assert kept(settings(tmp_path), later_s).fingerprint == first.fingerprint
    assert not first.is_due(later_s)
    due_s = later_s + 2 * DAY_S
    assert first.is_due(due_s)
    second = kept(settings(tmp_path), due_s)
    assert second.fingerprint != first.fingerprint
    assert not second.is_due(due_s)
    assert [each.name for each in tmp_path.iterdir()] == ["page.pem"]


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_one_that_cannot_be_read_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """A power cut at the wrong moment does not keep people out."""
    (tmp_path / "page.pem").write_bytes(content)
    certificate.context(kept(settings(tmp_path), time.time()).file)


async def test_it_is_renewed_while_the_page_serves(tmp_path: Path) -> None:
    """The next handshake is with the new one; while it is not due nothing changes."""
    page, now_s = settings(tmp_path), time.time()
    first = kept(page, now_s)
    context = certificate.context(first.file)
    assert await renewed(page, context, first, now_s) is first
    second = await renewed(page, context, first, first.until_s - DAY_S)
    assert second.fingerprint != first.fingerprint
    assert presented(context) == second.fingerprint


async def test_one_that_cannot_be_renewed_is_served_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so; the next look tries again."""
    page = settings(tmp_path)
    first = kept(page, time.time())
    context = certificate.context(first.file)
    first.file.unlink()
    (tmp_path / "page.pem").mkdir()
    assert await renewed(page, context, first, first.until_s) is first
    assert "is not renewed" in caplog.text
    assert presented(context) == first.fingerprint


def presented(context: ssl.SSLContext) -> str:
    """Give the fingerprint of what a server with this context shows a client."""
    outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outside.check_hostname = False
    outside.verify_mode = ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = outside.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    shown = client.getpeercert(binary_form=True)
    assert shown is not None
    return hashlib.sha256(shown).digest().hex(":").upper()


def test_what_cannot_be_made_says_why(tmp_path: Path) -> None:
    """With the file, the reason and what to do."""
    with pytest.raises(CertificateError, match=r"page.pem: the page's certificate cannot be made.*No such file"):
        kept(settings(tmp_path / "nowhere"), time.time())


def test_a_context_needs_key_and_certificate(tmp_path: Path) -> None:
    """A file of something else is told as that."""
    (tmp_path / "page.pem").write_text("nothing")
    with pytest.raises(CertificateError, match="no certificate with its key"):
        certificate.context(tmp_path / "page.pem")
