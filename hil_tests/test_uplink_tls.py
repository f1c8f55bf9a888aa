"""What a failed connection means, in words."""

import datetime as dt
import socket
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.uplink.settings import UplinkSettings
from gateway.uplink.tls import LinkError, client_context, is_refusal, why, why_closed
from hil_tests.bench.pki import Authority, Certificate


def settings_of(authority: Authority, own: Certificate, gateway: str = "gw-0001") -> UplinkSettings:
    """Make settings with these files."""
    return UplinkSettings("broker.example", 8883, authority.cert, own.cert, own.key, gateway)


@pytest.fixture(name="authority")
def authority_fixture(tmp_path: Path) -> Authority:
    """Give an authority."""
    return Authority(tmp_path)


def test_context_wants_tls13_and_the_brokers_name(authority: Authority) -> None:
    """Nothing older than TLS 1.3 is spoken, and the broker's name is checked."""
    context = client_context(settings_of(authority, authority.issue("gw-0001")))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_missing_file_is_named(authority: Authority) -> None:
    """A file that is not there is named, with what it is for."""
    own = authority.issue("gw-0001")
    own.key.unlink()
    with pytest.raises(LinkError, match=rf"our TLS key \(key_file\): cannot read {own.key}"):
        client_context(settings_of(authority, own))


def test_key_of_another_certificate_is_told(authority: Authority) -> None:
    """A key that is not the certificate's is refused before anything is sent."""
    own, other = authority.issue("gw-0001"), authority.issue("gw-0002")
    with pytest.raises(LinkError, match="the key must be that of the certificate"):
        client_context(settings_of(authority, Certificate(own.cert, other.key)))


def test_an_encrypted_key_is_told_and_nobody_is_asked(authority: Authority) -> None:
    """OpenSSL would stop and ask whoever sits at the terminal for its passphrase."""
    own = authority.issue("gw-0001")
    key = load_pem_private_key(own.key.read_bytes(), None)
    own.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(LinkError, match="each must be PEM, unencrypted"):
        client_context(settings_of(authority, own))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "nothing listens there"),
        (socket.gaierror(-2, "Name or service not known"), "the name is unknown"),
        (TimeoutError(), "no answer"),
        (ssl.SSLError(1, "wrong version number"), "must speak TLS 1.3"),
        (OSError(113, "No route to host"), "No route to host: check the network"),
    ],
)
def test_each_failure_says_what_to_do(authority: Authority, error: OSError, words: str) -> None:
    """Every failure names the broker and gives something to check."""
    text = why(error, settings_of(authority, authority.issue("gw-0001")))
    assert "broker.example:8883" in text
    assert words in text


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", True),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
        ("TLSV1_ALERT_PROTOCOL_VERSION", False),
        ("CERTIFICATE_VERIFY_FAILED", False),
    ],
)
def test_a_broker_that_refuses_our_certificate_is_told_from_one_that_we_refuse(reason: str, *, refused: bool) -> None:
    """Only what it says of our certificate counts against that; so does a connection that it cuts."""
    error = ssl.SSLError(1, "said")
    error.reason = reason
    assert is_refusal(error) is refused
    assert is_refusal(ConnectionResetError())
    assert is_refusal(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    assert not is_refusal(ConnectionRefusedError())


def test_a_line_that_is_cut_in_the_handshake_says_nothing_of_our_certificate(authority: Authority) -> None:
    """So hangs up what speaks no TLS at all: the words then are of the port."""
    settings = settings_of(authority, authority.issue("gw-0001"))
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(ssl.SSLError) as caught:
        client_context(settings).wrap_socket(ours, server_hostname="broker.example")
    assert not is_refusal(caught.value)
    assert "must speak TLS 1.3" in why(caught.value, settings)


def test_hang_up_is_explained_by_our_own_certificate(authority: Authority) -> None:
    """A hang-up before CONNACK is a refused certificate; what is wrong with ours is said where it can be seen."""
    own = authority.issue("gw-0001")
    settings = settings_of(authority, own)
    assert "that it is not revoked" in why_closed(settings)
    assert "which expired on" in why_closed(settings_of(authority, authority.issue("gw-0001", days=-1, stem="late")))
    assert "check it" in why_closed(settings, dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    assert "names 'gw-0001' while this gateway is 'gw-0002'" in why_closed(settings_of(authority, own, "gw-0002"))


@pytest.mark.parametrize("figures", [{"window": 0}, {"window": 101}, {"ahead": 10}, {"reconnect_min_s": 99.0}])
def test_figures_that_cannot_work_are_refused(authority: Authority, figures: dict[str, int]) -> None:
    """Settings that would lose order or never connect are refused with what would do."""
    own = authority.issue("gw-0001")
    with pytest.raises(ValueError, match="uplink"):
        UplinkSettings("h", 1, authority.cert, own.cert, own.key, "g", **figures)  # type: ignore[arg-type]  # numbers
