"""The door's own keys, made on the box and never leaving it: one to log in with, one to sign files with.

Neither is the key of the link nor the one that signs the contract's messages. What the recipient is given are the
public halves: a line for `authorized_keys`, and a certificate that is its own authority.
"""

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.door.errors import DoorError

YEARS = 10
"""A signer that the recipient knows by its certificate alone: it is replaced by hand, so not often."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the recipient is to be given, and which files were made for it."""

    ssh_public: str
    certificate: str
    made: tuple[Path, ...]


def make(gateway: str, *, ssh_key: Path, signing_key: Path, certificate: Path, now: dt.datetime) -> Made:
    """Make what is not there yet, each file its owner's alone; raise DoorError. Nothing is overwritten."""
    made: list[Path] = []
    path = ssh_key
    try:
        if not ssh_key.exists():
            _write(
                ssh_key, Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            )
            made.append(ssh_key)
        if not signing_key.exists():
            fresh = ec.generate_private_key(ec.SECP256R1())
            _write(signing_key, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            made.append(signing_key)
        if not certificate.exists():
            path = signing_key
            key = load_pem_private_key(signing_key.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise DoorError(f"{signing_key}: the key is on no elliptic curve: move it away, and ask again")
            _write(certificate, _own(gateway, key, now).public_bytes(Encoding.PEM), 0o644)
            made.append(certificate)
        path = ssh_key
        public = load_ssh_private_key(ssh_key.read_bytes(), None).public_key()
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
        path = certificate
        return Made(f"{line} {gateway}", certificate.read_text("ascii"), tuple(made))
    except OSError as error:
        raise DoorError(f"{error.filename}: {error.strerror}: the folder must be there and writable") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DoorError(f"{path}: what is there cannot be read ({error}): move it away, and ask again") from error


def _own(gateway: str, key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    """Give a certificate of the signing key, signed by itself, for signing and nothing else."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # a recipient's clock may be late
        .not_valid_after(now + dt.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a new file; who runs this as root leaves it to the owner of the folder."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
