"""How a pilot begins: an authority, and all that its centre needs of its own, in one folder.

Afterwards the folder holds what `docs/platform.md` starts a centre with: `ca.pem`, `centre.pem`, `centre.key`,
`signing.pem`; `gateways.toml` comes with the first gateway. What is there already stays.
"""

import datetime as dt
import secrets
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.centre.ca.authority import CENTRE, CENTRE_NAME, KEY, Authority, AuthorityError, write
from gateway.centre.ca.issue import Kind
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet, SigningKey, TrustedKey, load_signing_key, make_signing_key

NAME = CENTRE_NAME

SIGNING = "signing.pem"
ROLES = frozenset({"receipt", "dispatch", "config"})


def found(folder: Path, name: str, now: dt.datetime, *, passphrase: bytes | None = None) -> tuple[str, ...]:
    """Make what is missing and name what was made; raise AuthorityError, also where there is an authority already."""
    authority = Authority.make(folder, name, now, passphrase=passphrase)
    made = ["ca.pem", "ca.key", "crl.pem"]
    with closing(authority):
        if not (folder / f"{NAME}.pem").exists():
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = authority.issue(Kind.CENTRE, NAME, key.public_key(), now)
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write(folder / f"{NAME}.key", private, 0o600)
            write(folder / f"{NAME}.pem", certificate.public_bytes(Encoding.PEM), 0o644)
            made += [f"{NAME}.pem", f"{NAME}.key"]
        if not (folder / SIGNING).exists():
            _signing_key(folder / SIGNING)
            made.append(SIGNING)
        if not (folder / CENTRE).exists():
            write(folder / CENTRE, _key_set(folder / SIGNING).to_toml().encode(), 0o644)
            made.append(CENTRE)
    return tuple(made)


def is_encrypted(folder: Path) -> bool:
    """Tell whether the authority's key asks for a passphrase."""
    try:
        return b"ENCRYPTED" in (folder / KEY).read_bytes()
    except OSError:
        return False


def _signing_key(path: Path) -> SigningKey:
    try:
        return make_signing_key(path, f"{NAME}-{secrets.token_hex(4)}")
    except KeyFileError as error:
        raise AuthorityError(str(error)) from error


def _key_set(signing: Path) -> KeySet:
    """Give the set by which gateways know the centre: one key, for everything, in an epoch of its own."""
    try:
        key = load_signing_key(signing)
    except KeyFileError as error:
        raise AuthorityError(str(error)) from error
    public = key.private.public_key()
    return KeySet.of([TrustedKey(key.key_id, NAME, secrets.token_bytes(8), ROLES, public)], revision=1)
