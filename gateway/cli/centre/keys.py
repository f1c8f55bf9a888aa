"""`gateway centre keys`: a file of trusted keys, shown and changed; who reads it takes a change within seconds."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.centre.ca.authority import AuthorityError, write
from gateway.cli.exits import CHECK_FAILED, OK, REFUSED, UNKNOWN, Ended
from gateway.wire.errors import KeyFileError
from gateway.wire.keyfile import TrustedKey, parse_public, public_text
from gateway.wire.keys import KeySet

SCHEMA = "gateway/centre-keys/1"

_MODE = 0o644


def show(path: Path, *, as_json: bool) -> int:
    """Print every key of a file; raise Ended."""
    found = _load(path)
    if as_json:
        keys = [
            {
                "id": key.key_id.decode(),
                "issuer": key.issuer,
                "epoch": key.epoch.hex(),
                "roles": sorted(key.roles),
                "revoked": key.is_revoked,
                "public": public_text(key.public),
            }
            for key in found.keys.values()
        ]
        print(json.dumps({"schema": SCHEMA, "revision": found.revision, "keys": keys}))
        return OK
    print(f"revision {found.revision}, {len(found.keys)} keys")
    for key in found.keys.values():
        roles = "REVOKED" if key.is_revoked else ", ".join(sorted(key.roles))
        print(f"  {key.key_id.decode()}: {key.issuer}, {roles}")
    return OK


def add(  # noqa: PLR0913 - what a key file says of a key
    path: Path, key_id: str, issuer: str, public: str, *, roles: Iterable[str], epoch: str
) -> int:
    """Add a key, to a new file where there is none; raise Ended for one that is there, or that is none."""
    before = _load(path) if path.exists() else KeySet({})
    if key_id.encode() in before.keys:
        raise Ended(REFUSED, f"{path}: the id {key_id!r} is there already: give each key its own")
    new = TrustedKey(key_id.encode(), issuer, bytes.fromhex(epoch), frozenset(roles), _public(public))
    for known in before.keys.values():
        if public_text(known.public) == public_text(new.public):
            state = ", and revoked: have a new key made" if known.is_revoked else ": revoking one would leave the other"
            raise Ended(REFUSED, f"{path}: that key is there already, as {known.key_id.decode()!r}{state}")
    _write(path, before, [*before.keys.values(), new])
    return OK


def revoke(path: Path, key_id: str) -> int:
    """Revoke a key: it stays in the file, and what it signs is refused and told apart; raise Ended."""
    before = _load(path)
    if key_id.encode() not in before.keys:
        raise Ended(UNKNOWN, f"{path}: no key {key_id!r}: `gateway centre keys list` names them")
    keys = [replace(key, is_revoked=True) if key.key_id == key_id.encode() else key for key in before.keys.values()]
    _write(path, before, keys)
    return OK


def _load(path: Path) -> KeySet:
    try:
        return KeySet.load(path)
    except KeyFileError as error:
        raise Ended(CHECK_FAILED, str(error)) from error


def _public(told: str) -> Ed25519PublicKey:
    """Read a public key: base64 of its 32 bytes, or the PEM file that holds it."""
    path = Path(told)
    try:
        is_file = path.is_file()
    except OSError:  # longer than a name may be
        is_file = False
    if not is_file:
        try:
            return parse_public(told)
        except KeyFileError as error:
            raise Ended(CHECK_FAILED, f"{error}; or the name of a PEM file") from error
    try:
        found = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise Ended(CHECK_FAILED, f"{path}: no public key in PEM: {error}") from error
    if not isinstance(found, Ed25519PublicKey):
        raise Ended(CHECK_FAILED, f"{path}: not an Ed25519 key")
    return found


def _write(path: Path, before: KeySet, keys: Iterable[TrustedKey]) -> None:
    made = KeySet.of(keys, revision=before.revision + 1)
    try:
        KeySet.parse(made.to_toml().encode(), str(path))  # nothing is written that nobody would read
        write(path, made.to_toml().encode(), _MODE)
    except KeyFileError as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    except AuthorityError as error:
        raise Ended(REFUSED, str(error)) from error
    print(f"{path}: revision {made.revision}, {len(made.keys)} keys")
