"""A recipient with its key, and files of a day, for the tests of the door."""

import datetime as dt
from datetime import date
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.door import keys
from gateway.door.envelope import Sealer
from gateway.door.spool import Csv

GATEWAY = "gw-test"
DAY = date(2026, 11, 25)
NOW = dt.datetime(2026, 11, 26, 3, 0, tzinfo=dt.UTC)


def csv(text: str = "time;channel\n1;a\n", *, rows: int = 1, complete: bool = True) -> Csv:
    """Give a day's CSV."""
    return Csv(text.encode(), rows=rows, gaps=0, complete=complete)


def recipient(folder: Path, *, ends: dt.datetime = NOW + dt.timedelta(days=365), bits: int = 2048) -> tuple[Path, Path]:
    """Make a recipient's certificate and key."""
    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recipient")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - dt.timedelta(days=3650))
        .not_valid_after(ends)
        .sign(key, SHA256())
    )
    cert_file, key_file = folder / "recipient.pem", folder / "recipient.key"
    cert_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert_file, key_file


def made(folder: Path) -> keys.Made:
    """Make the door's own keys."""
    return keys.make(
        GATEWAY,
        ssh_key=folder / "door_ssh.key",
        signing_key=folder / "door_sign.key",
        certificate=folder / "door_sign.pem",
        now=NOW,
    )


def sealer(folder: Path) -> Sealer:
    """Make all that sealing takes, where it is not there yet."""
    made(folder)
    if not (folder / "recipient.pem").exists():
        recipient(folder)
    return Sealer.load(
        key_file=folder / "door_sign.key",
        certificate_file=folder / "door_sign.pem",
        recipient_file=folder / "recipient.pem",
        now=NOW,
    )
