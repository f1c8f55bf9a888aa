"""The page's certificate: made by the box for itself, as nobody signs names inside a building; renewed in time.

One file holds key and certificate, so that they always belong together. It is made by a process of its own:
what it loads (cryptography, 12 MB) would stay in ours for ever.
"""

import contextlib
import hashlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.web.settings import WILDCARDS, Settings

FILE = "page.pem"

DAYS = 820
"""Browsers of Apple take none that lasts longer than 825."""

RENEWED_BEFORE_S = 60 * 86_400

_DAY_S = 86_400
_PATIENCE_S = 60
"""A worn card and a busy single core; on a fast machine it takes 0.2 s."""


class CertificateError(Exception):
    """The page's certificate cannot be made or read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate in `file`, with its key; `fingerprint` is what a browser shows as SHA-256."""

    file: Path
    fingerprint: str
    until_s: float

    def is_due(self, now_s: float) -> bool:
        """Tell whether it is to be renewed."""
        return now_s > self.until_s - RENEWED_BEFORE_S


def kept(settings: Settings, now_s: float) -> Certificate:
    """Give the certificate of a page, made or renewed if that is due; raise CertificateError."""
    path = settings.state / FILE
    arguments = [str(path), str(now_s), *sorted(names(settings))]
    # The path as ours: an installed program finds its libraries by it, and not by where Python is.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    try:
        made = subprocess.run(  # noqa: S603 - this very interpreter, and no secret
            [sys.executable, "-P", "-m", __name__, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE_S,
        )
        return Certificate(path, fingerprint(path), float(made.stdout))
    except subprocess.CalledProcessError as error:
        told = error.stderr.strip().splitlines()
        raise CertificateError(_CANNOT.format(path, told[-1] if told else f"exit {error.returncode}")) from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise CertificateError(_CANNOT.format(path, error)) from error


def fingerprint(path: Path) -> str:
    """Give the SHA-256 of the certificate in a file, as browsers show it; raise CertificateError."""
    try:
        encoded = path.read_text("utf-8")
        der = ssl.PEM_cert_to_DER_cert(encoded[encoded.index("-----BEGIN CERTIFICATE-----") :])
    except (OSError, ValueError) as error:
        raise CertificateError(_CANNOT.format(path, error)) from error
    return hashlib.sha256(der).digest().hex(":").upper()


_CANNOT = "{}: the page's certificate cannot be made or read ({}): may this user write there? Or move the file away"


def names(settings: Settings) -> set[str]:
    """Give the names and addresses under which the page is opened."""
    if settings.is_local:
        return {"localhost", "127.0.0.1", "::1"}
    listening = own_addresses() if settings.listen in WILDCARDS else [settings.listen]
    return {*settings.hosts, *listening, "127.0.0.1"}


def own_addresses() -> list[str]:
    """Give the addresses by which others reach this machine, as far as its routes tell; nothing is sent."""
    found = []
    for family, somewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Both are for documentation: nobody has them, and a datagram socket only looks its route up.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as looking:
            looking.connect((somewhere, 9))
            found.append(str(looking.getsockname()[0]))
    return found


def context(file: Path) -> ssl.SSLContext:
    """Give what serves TLS 1.2 and 1.3 with a certificate; raise CertificateError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    made.set_alpn_protocols(["http/1.1"])
    load(made, file)
    return made


def load(into: ssl.SSLContext, file: Path) -> None:
    """Have a context serve the certificate of a file from its next connection on; raise CertificateError."""
    try:
        into.load_cert_chain(file)
    except OSError as error:
        raise CertificateError(f"{file}: no certificate with its key ({error}): move the file away") from error


def _keep(path: Path, now_s: float, names_: Iterable[str]) -> float:
    """Make or renew the file if that is due; give until when it is good."""
    from cryptography import x509

    with contextlib.suppress(OSError, ValueError):
        until_s = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
        if now_s <= until_s - RENEWED_BEFORE_S:
            return until_s
    _make(path, now_s, names_)
    return now_s + DAYS * _DAY_S


def _make(path: Path, now_s: float, names_: Iterable[str]) -> None:
    """Make a key (P-256) and its certificate, readable by nobody but this user."""
    # ruff: noqa: PLC0415 - as above
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(text: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(text))
        except ValueError:
            return x509.DNSName(text)

    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.fromtimestamp(now_s, dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day earlier, for a phone whose clock is behind ours.
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([name(each) for each in names_]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private + made.public_bytes(serialization.Encoding.PEM))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


if __name__ == "__main__":
    print(_keep(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))  # noqa: T201 - to the process that started us
