"""TLS 1.3 with our certificate, and what a failure means to the person who must mend it."""

import datetime as dt
import re
import socket
import ssl
from pathlib import Path
from weakref import WeakKeyDictionary

from cryptography import x509

from gateway.uplink.settings import UplinkSettings
from gateway.uplink.traffic import Traffic, traffic

# X509_V_ERR_* of OpenSSL, as ssl.SSLCertVerificationError.verify_code gives them.
_NOT_YET_VALID, _EXPIRED, _HOSTNAME, _ADDRESS = 9, 10, 62, 64

_ALERTS = re.compile(r"_ALERT_(?:UNKNOWN_CA|ACCESS_DENIED|\w*CERTIFICATE)")
"""OpenSSL's names of what a broker says that does not like our certificate."""


_CUT = (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError)
"""What comes where the other side hangs up; after the handshake, and before its first word, it is a refusal."""


class LinkError(Exception):
    """No connection came about, or it ended; the text says why and what to do."""


class RefusedError(LinkError):
    """The broker is there, and did not let us in."""


_LOST: WeakKeyDictionary[ssl.SSLContext, Traffic] = WeakKeyDictionary()


class _Socket(ssl.SSLSocket):
    """Closes itself where the handshake fails: paho lets go of it without closing it."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of ssl.SSLSocket
        """Do the handshake; raise what it raises, with nothing left open; a line that is cut is SSLError here."""
        try:
            super().do_handshake(block)
        except BaseException as error:
            _LOST[self.context] = traffic(self)
            self.close()
            if isinstance(error, _CUT):
                raise ssl.SSLError(0, "the line was cut in the handshake") from error
            raise


def lost(context: ssl.SSLContext) -> Traffic:
    """Give what the last failed handshake with this context has cost."""
    return _LOST.get(context, Traffic())


def client_context(settings: UplinkSettings) -> ssl.SSLContext:
    """Load the files anew, so that a renewed certificate counts from the next connection on; raise LinkError."""
    for path, what in (
        (settings.ca_file, "the broker's authority (ca_file)"),
        (settings.cert_file, "our certificate (cert_file)"),
        (settings.key_file, "our TLS key (key_file)"),
    ):
        try:
            path.open("rb").close()
        except OSError as error:
            raise LinkError(
                f"{what}: cannot read {path}: {error.strerror}; install it, readable by the agent"
            ) from error
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(settings.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.sslsocket_class = _Socket
        # With a passphrase told, if an empty one, OpenSSL does not stop to ask for that of an encrypted key.
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except ssl.SSLError as error:
        raise LinkError(
            f"{settings.ca_file}, {settings.cert_file} and {settings.key_file} make no TLS identity "
            f"({error.strerror or error}): each must be PEM, unencrypted, and the key must be that of the certificate"
        ) from error
    return context


def is_refusal(error: OSError) -> bool:
    """Tell whether a failed attempt is a broker's that will not have our certificate.

    In TLS 1.3 that comes after the handshake: mostly as a hang-up before the CONNACK (`why_closed`), on a busy machine
    while CONNECT is being written.
    """
    if isinstance(error, _CUT):
        return True
    # One that was not made by OpenSSL, as by `_Socket`, has no reason.
    return isinstance(error, ssl.SSLError) and _ALERTS.search(getattr(error, "reason", None) or "") is not None


def why(error: OSError, settings: UplinkSettings) -> str:
    """Say what a failed connection attempt means and what to do."""
    where = f"broker {settings.host}:{settings.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{where}: {_why_not_trusted(error, settings)}"
    if isinstance(error, ssl.SSLError):
        return f"{where}: TLS failed ({error.strerror or error}): the port must speak TLS 1.3"
    if isinstance(error, ConnectionRefusedError):
        return f"{where}: nothing listens there: check host and port, and that the broker runs"
    if isinstance(error, socket.gaierror):
        return f"{where}: the name is unknown ({error.strerror}): check [broker] host and the DNS of this network"
    if isinstance(error, TimeoutError):
        return f"{where}: no answer: check the address, and that the network lets port {settings.port} out"
    return f"{where}: {error.strerror or error}: check the network"


def why_closed(settings: UplinkSettings, now: dt.datetime | None = None) -> str:
    """Say what it means when the broker hangs up before its CONNACK: in TLS 1.3 so looks a refused certificate."""
    where = f"broker {settings.host}:{settings.port}"
    name, start, end = _own(settings.cert_file)
    now = now or dt.datetime.now(dt.UTC)
    text = f"{where} hung up before it answered: it refuses our certificate {settings.cert_file}"
    if end is not None and end < now:
        return f"{text}, which expired on {end:%Y-%m-%d}: renew it"
    if start is not None and start > now:
        return f"{text}, which is valid from {start:%Y-%m-%d} on: this machine's clock says {now:%Y-%m-%d}, check it"
    if name is not None and name != settings.gateway:
        return f"{text}, which names {name!r} while this gateway is {settings.gateway!r}: install its own"
    return (
        f"{text}: check that the broker's authority signed it, that it is not revoked, and that the broker's list of "
        "revocations is in date"
    )


def _why_not_trusted(error: ssl.SSLCertVerificationError, settings: UplinkSettings) -> str:
    today = f"this machine's clock says {dt.datetime.now(dt.UTC):%Y-%m-%d}"
    mend = f"put the name it has into [broker] host, or renew it with {settings.host}"
    reasons = {
        _NOT_YET_VALID: f"its certificate is not valid yet, and {today}: check the clock",
        _EXPIRED: f"its certificate has expired, and {today}: renew it there, or check the clock",
        _HOSTNAME: f"its certificate names another host: {mend}",
        _ADDRESS: f"its certificate names another address: {mend}",
    }
    unknown = (
        f"its certificate is not signed by the authority in {settings.ca_file} ({error.verify_message}): "
        "install the right one"
    )
    return reasons.get(error.verify_code, unknown) + "; nothing was sent"


def _own(path: Path) -> tuple[str | None, dt.datetime | None, dt.datetime | None]:
    """Name, start and end of our certificate; None where the file says nothing."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None, None, None
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = str(names[0].value) if names else None
    return name, certificate.not_valid_before_utc, certificate.not_valid_after_utc
