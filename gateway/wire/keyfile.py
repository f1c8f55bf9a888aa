"""A file of the keys that are trusted is TOML.

    version = 1
    revision = 7
    [[key]]
    id = "centre-2026"
    issuer = "centre"
    epoch = "0011223344556677"
    roles = ["receipt", "dispatch"]
    public = "<base64 of the 32 raw bytes>"
    [[key]]
    id = "centre-2025"
    revoked = true
    ...

`version` is that of this form. `revision` counts the issues of one file: whoever has seen one takes no lower; absent it
is 0. A revoked key stays in the file, so that what it signs is known for what it is.
"""

import base64
import binascii
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.wire.errors import KeyFileError

ROLES = frozenset({"receipt", "dispatch", "config", "gateway"})
"""`receipt`: receipts, resend requests, heartbeats, time. `dispatch`: commands. `config`: configuration.

`gateway`: what the gateway named as issuer sends; in the centre's set only.
"""

FILE_BYTES = 1 << 23
KEYS_MAX = 1 << 15
"""A fleet of 10,000 gateways, each with an old and a new key, and some revoked."""

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EPOCH = re.compile(r"[0-9a-f]{16}")
_FIELDS = frozenset({"id", "issuer", "epoch", "roles", "public", "revoked"})
_REVISION_MAX = (1 << 63) - 1
_RAW_BYTES = 32


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key of someone else: whose it is, in which epoch its issuer counts now, and what it may sign."""

    key_id: bytes
    issuer: str
    epoch: bytes
    roles: frozenset[str]
    public: Ed25519PublicKey
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """What a file of keys says."""

    keys: Mapping[bytes, TrustedKey]
    revision: int


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


def read(raw: bytes, where: str) -> Listed:
    """Read the text of a file of trusted keys, which is told as `where`; raise KeyFileError with every mistake."""
    try:
        document = tomllib.loads(raw.decode("utf-8-sig"))  # some editors put a mark of byte order in front
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError and no more
        raise KeyFileError(f"{where}: not TOML: {error}") from error
    mistakes: list[str] = []
    found = _entries(document, mistakes)
    if mistakes:
        raise KeyFileError("\n".join(f"{where}: {mistake}" for mistake in mistakes))
    return Listed({key.key_id: key for key in found}, int(str(document.get("revision", 0))))


def write(keys: Iterable[TrustedKey], revision: int) -> str:
    """Give the text that `read` reads."""
    entries = [
        f'[[key]]\nid = "{key.key_id.decode()}"\nissuer = "{key.issuer}"\nepoch = "{key.epoch.hex()}"\n'
        f"roles = {json.dumps(sorted(key.roles))}\n"
        f'public = "{public_text(key.public)}"\n' + ("revoked = true\n" if key.is_revoked else "")
        for key in keys
    ]
    return "\n".join(["version = 1\n" + (f"revision = {revision}\n" if revision else ""), *entries])


def _entries(document: dict[str, object], mistakes: list[str]) -> list[TrustedKey]:
    """Read the entries of a document and tell every mistake; the result is of use only if there was none."""
    if document.get("version") != 1:
        mistakes.append(f"version = {_shown(document.get('version'))}: `version = 1` is wanted")
    revision = document.get("revision", 0)
    if type(revision) is not int or not 0 <= revision <= _REVISION_MAX:
        mistakes.append(
            f"revision = {_shown(revision)}: a number from 0 is wanted, higher with each issue of this file"
        )
    unknown = sorted(document.keys() - {"version", "revision", "key"})
    mistakes.extend(f"unknown key `{name}`: only `version`, `revision`, `[[key]]` stand here" for name in unknown)
    tables = document.get("key")
    if not isinstance(tables, list) or not 1 <= len(tables) <= KEYS_MAX:
        mistakes.append(f"1 to {KEYS_MAX} tables `[[key]]` are wanted")
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
    for name, pattern in (("id", ID), ("issuer", ID), ("epoch", _EPOCH)):
        value = table.get(name)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            mistakes.append(f"{where}: {name} = {_shown(value)}: a text of the form {pattern.pattern} is wanted")
    roles = table.get("roles")
    if not isinstance(roles, list) or not roles or not all(isinstance(role, str) and role in ROLES for role in roles):
        mistakes.append(f"{where}: roles = {_shown(roles)}: a list of some of {', '.join(sorted(ROLES))} is wanted")
    if not isinstance(table.get("revoked", False), bool):
        mistakes.append(f"{where}: revoked = {_shown(table['revoked'])}: true is wanted, or nothing")
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
        is_revoked=table.get("revoked", False),
    )


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number beyond all bounds"
