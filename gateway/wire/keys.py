"""Keys in files: the gateway's own signing key, and the set of keys of others that it trusts, each with its roles.

A signing key is a PEM file (PKCS8) that its owner alone may read, with its id in a line above the PEM block. Trusted
keys stand in one TOML file (`keyfile`). Two keys of one issuer may be trusted at a time: the new one is added before it
is used, the old one goes when nothing of it is under way any more, or is marked as revoked.

Which role a message needs is decided where the message is used.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.wire import cose, keyfile
from gateway.wire.errors import KeyFileError, RevokedKey, SignatureError
from gateway.wire.keyfile import ID, ROLES, TrustedKey, parse_public, public_text

__all__ = [
    "ROLES",
    "KeySet",
    "SigningKey",
    "TrustedKey",
    "load_signing_key",
    "make_signing_key",
    "parse_public",
    "public_text",
]

_ID_LINE = re.compile(rb"^key-id: ([^\r\n]+)\r?$", re.MULTILINE)
_PEM_BYTES = 1 << 16
_CREDENTIAL_MODE = 0o440
_CREDENTIALS = Path("/run/credentials")
"""Where systemd has a folder for each service."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the id under which the other side knows its public half; the key never shows in a repr."""

    key_id: bytes
    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id!r})"


def load_signing_key(path: Path) -> SigningKey:
    """Read the signing key at `path`; raise KeyFileError, also where anyone but the owner may read it."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            mode = stat.S_IMODE(found.st_mode)
            if mode & 0o077 and not _is_credential(path, found):
                raise KeyFileError(f"{path}: others may read this private key (mode {mode:04o}): chmod 600 {path}")
            text = file.read(_PEM_BYTES)
    except OSError as error:
        raise KeyFileError(
            f"{path}: the signing key cannot be read ({error.strerror}): make one, or correct the path"
        ) from error
    named = _ID_LINE.search(text)
    if named is None or ID.fullmatch(named[1].decode("utf-8", "replace")) is None:
        raise KeyFileError(
            f"{path}: no line `key-id: <name>` above the PEM block: add the id the centre knows this key by"
        )
    try:
        private = load_pem_private_key(text, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: no unencrypted PEM private key in it: make a new one and enrol it") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: the key is not Ed25519: make a new one and enrol it")
    return SigningKey(named[1], private)


def _is_credential(path: Path, found: os.stat_result) -> bool:
    """Tell whether systemd put the file there for one service alone (LoadCredential=).

    It is then root's, of mode 0440: the group's bits are the mask of the access list that lets our user in, and the
    folder is closed to everyone else. Who looks from outside the service (`gateway doctor`) has no variable that names
    the folder, but finds it in its place.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return (
        ((bool(folder) and path.parent == Path(str(folder))) or path.parent.parent == _CREDENTIALS)
        and found.st_uid == 0
        and found.st_gid == 0
        and stat.S_IMODE(found.st_mode) == _CREDENTIAL_MODE
    )


def make_signing_key(path: Path, key_id: str) -> SigningKey:
    """Make a key and write it to `path`, readable by its owner alone; never overwrites, raise KeyFileError."""
    if ID.fullmatch(key_id) is None:
        raise KeyFileError(f"key id {key_id!r}: 1 to 64 letters, digits, '.', '_' or '-' are wanted")
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"key-id: " + key_id.encode() + b"\n" + pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyFileError(f"{path}: the new signing key cannot be written ({error.strerror})") from error
    return SigningKey(key_id.encode(), private)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that are trusted or were, by key id; `revision` counts the issues of their file."""

    keys: Mapping[bytes, TrustedKey]
    revision: int = 0
    _publics: Mapping[bytes, Ed25519PublicKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_publics", {key_id: key.public for key_id, key in self.keys.items()})

    @classmethod
    def of(cls, keys: Iterable[TrustedKey], *, revision: int = 0) -> Self:
        """Gather keys; their ids must differ."""
        gathered = list(keys)
        by_id = {key.key_id: key for key in gathered}
        if len(by_id) != len(gathered):
            raise KeyFileError("key set: two keys have the same id; give each its own")
        return cls(by_id, revision)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of trusted keys; raise KeyFileError that names every mistake in it."""
        try:
            with path.open("rb") as file:
                raw = file.read(keyfile.FILE_BYTES + 1)
        except OSError as error:
            raise KeyFileError(
                f"{path}: the trusted keys cannot be read ({error.strerror}): correct the path"
            ) from error
        if len(raw) > keyfile.FILE_BYTES:
            raise KeyFileError(f"{path}: larger than {keyfile.FILE_BYTES} bytes; that is no file of keys")
        return cls.parse(raw, str(path))

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """Read the text of a file of trusted keys, which is told as `where`; raise KeyFileError as `load` does."""
        listed = keyfile.read(raw, where)
        return cls(listed.keys, listed.revision)

    def to_toml(self) -> str:
        """Give the text that `load` reads."""
        return keyfile.write(self.keys.values(), self.revision)

    def current(self) -> Self:
        """Give this set: it is a keyring that never changes (`trust`)."""
        return self

    def verify(self, message: bytes, role: str | None = None, *, limit: int = cose.LIMIT) -> cose.Verified:
        """Give header and payload of a message that a trusted key, one of `role` if told, has signed.

        Raises as `cose.verify` does, and RevokedKey for what a revoked key has signed in truth: somebody has it.
        """
        verified = cose.verify(message, self._publics, limit=limit)
        key = self.keys[verified.header.key_id]
        if key.is_revoked:
            raise RevokedKey(f"key {key.key_id!r} of {key.issuer} is revoked, and somebody signs with it")
        if role is not None and role not in key.roles:
            raise SignatureError(f"key {key.key_id!r} of {key.issuer} may not sign as {role!r}")
        return verified

    def with_role(self, role: str) -> dict[bytes, Ed25519PublicKey]:
        """Give the keys that may sign in `role`, as `cose.verify` takes them."""
        return {key_id: key.public for key_id, key in self.keys.items() if role in key.roles and not key.is_revoked}

    def issuer_of(self, key_id: bytes) -> str:
        """Name the owner of a key of this set; raise KeyError for any other."""
        return self.keys[key_id].issuer
