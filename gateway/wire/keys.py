"""Keys in files: the gateway's own signing key, and the set of keys of others that it trusts, each with its roles.

A signing key is a PEM file (PKCS8) that its owner alone may read, with its id in a line above the PEM block. Trusted
keys stand in one TOML file:

    version = 1
    [[key]]
    id = "centre-2026"
    issuer = "centre"
    epoch = "0011223344556677"
    roles = ["receipt", "dispatch"]
    public = "<base64 of the 32 raw bytes>"

Which role a message needs is decided where the message is used.
"""

import base64
import binascii
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.wire.errors import KeyFileError

ROLES = frozenset({"receipt", "dispatch", "config", "gateway"})
"""`receipt`: receipts, resend requests, heartbeats, time. `dispatch`: commands. `config`: configuration.

`gateway`: what the gateway named as issuer sends; in the centre's set only.
"""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EPOCH = re.compile(r"[0-9a-f]{16}")
_FIELDS = frozenset({"id", "issuer", "epoch", "roles", "public"})
_ID_LINE = re.compile(rb"^key-id: ([^\r\n]+)\r?$", re.MULTILINE)
_FILE_BYTES = 1 << 20
_KEYS_MAX = 4096
_RAW_BYTES = 32
_CREDENTIAL_MODE = 0o440


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
            text = file.read(_FILE_BYTES)
    except OSError as error:
        raise KeyFileError(
            f"{path}: the signing key cannot be read ({error.strerror}): make one, or correct the path"
        ) from error
    named = _ID_LINE.search(text)
    if named is None or _ID.fullmatch(named[1].decode("utf-8", "replace")) is None:
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
    """Tell whether systemd put the file there for this service alone (LoadCredential=).

    It is then root's, of mode 0440: the group's bits are the mask of the access list that lets our user in, and the
    folder is closed to everyone else.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return (
        bool(folder)
        and path.parent == Path(str(folder))
        and found.st_uid == 0
        and found.st_gid == 0
        and stat.S_IMODE(found.st_mode) == _CREDENTIAL_MODE
    )


def make_signing_key(path: Path, key_id: str) -> SigningKey:
    """Make a key and write it to `path`, readable by its owner alone; never overwrites, raise KeyFileError."""
    if _ID.fullmatch(key_id) is None:
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


def public_text(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """Base64 of the 32 raw bytes of the public half."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode("ascii")


def parse_public(text: str) -> Ed25519PublicKey:
    """Read what `public_text` wrote; raise KeyFileError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyFileError("public key: base64 is wanted, as `public_text` writes it") from error
    if len(raw) != _RAW_BYTES:
        raise KeyFileError(f"public key: {len(raw)} bytes, the 32 raw bytes of an Ed25519 key are wanted")
    return Ed25519PublicKey.from_public_bytes(raw)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key of someone else: whose it is, in which epoch its issuer counts now, and what it may sign."""

    key_id: bytes
    issuer: str
    epoch: bytes
    roles: frozenset[str]
    public: Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that are trusted, by key id."""

    keys: Mapping[bytes, TrustedKey]

    @classmethod
    def of(cls, keys: Iterable[TrustedKey]) -> Self:
        """Gather keys; their ids must differ."""
        gathered = list(keys)
        by_id = {key.key_id: key for key in gathered}
        if len(by_id) != len(gathered):
            raise KeyFileError("key set: two keys have the same id; give each its own")
        return cls(by_id)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of trusted keys; raise KeyFileError that names every mistake in it."""
        try:
            with path.open("rb") as file:
                raw = file.read(_FILE_BYTES + 1)
        except OSError as error:
            raise KeyFileError(
                f"{path}: the trusted keys cannot be read ({error.strerror}): correct the path"
            ) from error
        if len(raw) > _FILE_BYTES:
            raise KeyFileError(f"{path}: larger than {_FILE_BYTES} bytes; that is no file of keys")
        return cls.parse(raw, str(path))

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """Read the text of a file of trusted keys, which is told as `where`; raise KeyFileError as `load` does."""
        try:
            document = tomllib.loads(raw.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise KeyFileError(f"{where}: not TOML: {error}") from error
        mistakes: list[str] = []
        found = _entries(document, mistakes)
        if mistakes:
            raise KeyFileError("\n".join(f"{where}: {mistake}" for mistake in mistakes))
        return cls({key.key_id: key for key in found})

    def to_toml(self) -> str:
        """Give the text that `load` reads."""
        entries = [
            f'[[key]]\nid = "{key.key_id.decode()}"\nissuer = "{key.issuer}"\nepoch = "{key.epoch.hex()}"\n'
            f"roles = {json.dumps(sorted(key.roles))}\n"
            f'public = "{public_text(key.public)}"\n'
            for key in self.keys.values()
        ]
        return "\n".join(["version = 1\n", *entries])

    def with_role(self, role: str) -> dict[bytes, Ed25519PublicKey]:
        """Give the keys that may sign in `role`, as `cose.verify` takes them."""
        return {key_id: key.public for key_id, key in self.keys.items() if role in key.roles}

    def issuer_of(self, key_id: bytes) -> str:
        """Name the owner of a key of this set; raise KeyError for any other."""
        return self.keys[key_id].issuer


def _entries(document: dict[str, object], mistakes: list[str]) -> list[TrustedKey]:
    """Read the entries of a document and tell every mistake; the result is of use only if there was none."""
    if document.get("version") != 1:
        mistakes.append(f"version = {document.get('version')!r}: `version = 1` is wanted")
    unknown = sorted(document.keys() - {"version", "key"})
    mistakes.extend(f"unknown key `{name}`: only `version` and `[[key]]` stand here" for name in unknown)
    tables = document.get("key")
    if not isinstance(tables, list) or not 1 <= len(tables) <= _KEYS_MAX:
        mistakes.append(f"1 to {_KEYS_MAX} tables `[[key]]` are wanted")
        return []
    found: dict[bytes, TrustedKey] = {}
    for number, table in enumerate(tables, 1):
        key = _entry(table, f"[[key]] number {number}", mistakes)
        if key is None:
            continue
        if key.key_id in found:
            mistakes.append(f"[[key]] number {number}: the id {key.key_id.decode()!r} stands there twice")
        found[key.key_id] = key
    return list(found.values())


def _entry(table: object, where: str, mistakes: list[str]) -> TrustedKey | None:
    if not isinstance(table, dict):
        mistakes.append(f"{where}: a table is wanted")
        return None
    before = len(mistakes)
    mistakes.extend(f"{where}: unknown key `{name}`" for name in sorted(table.keys() - _FIELDS))
    for name, pattern in (("id", _ID), ("issuer", _ID), ("epoch", _EPOCH)):
        value = table.get(name)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            mistakes.append(f"{where}: {name} = {value!r:.80}: a text of the form {pattern.pattern} is wanted")
    roles = table.get("roles")
    if not isinstance(roles, list) or not roles or not all(isinstance(role, str) and role in ROLES for role in roles):
        mistakes.append(f"{where}: roles = {roles!r:.80}: a list of some of {', '.join(sorted(ROLES))} is wanted")
    public: Ed25519PublicKey | None = None
    text = table.get("public")
    if not isinstance(text, str):
        mistakes.append(f"{where}: public: a text is wanted, base64 of the 32 raw bytes")
    else:
        try:
            public = parse_public(text)
        except KeyFileError as error:
            mistakes.append(f"{where}: {error}")
    if len(mistakes) > before or public is None or not isinstance(roles, list):
        return None
    return TrustedKey(
        key_id=table["id"].encode(),
        issuer=table["issuer"],
        epoch=bytes.fromhex(table["epoch"]),
        roles=frozenset(roles),
        public=public,
    )
