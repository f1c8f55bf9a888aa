"""Writes docs/contract/examples, as `make docs` does; a test holds them to it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.wire import cbor, contents, cose, packing
from gateway.wire.keys import KeySet, SigningKey, TrustedKey
from gateway.wire.numbers import read_varints
from gateway.wire.schema import Schema
from hil_tests.contract.craft import EDGES, FOREIGN, OTHER_GATEWAY, REVOKED
from hil_tests.contract.edges import edges
from hil_tests.contract.meaning import Json, header, meaning
from hil_tests.contract.refused import SOUND, refused
from hil_tests.contract.story import CENTRE, CENTRE_EPOCH, DWELLING, GATEWAY, SCHEMA, SIGNING, Example, examples

FOLDER = Path(__file__).parents[2] / "docs" / "contract" / "examples"

SCHEMAS: Mapping[bytes, Schema] = {schema.id: schema for schema in (SCHEMA, DWELLING, EDGES)}


def _of_gateway(key: SigningKey, gateway: str) -> TrustedKey:
    return TrustedKey(key.key_id, gateway, bytes(8), frozenset({"gateway"}), key.private.public_key())


KEYS = KeySet.of(
    [
        _of_gateway(SIGNING, GATEWAY),
        _of_gateway(FOREIGN, OTHER_GATEWAY),
        replace(_of_gateway(REVOKED, GATEWAY), is_revoked=True),
        TrustedKey(
            CENTRE.key_id,
            "centre",
            CENTRE_EPOCH,
            frozenset({"receipt", "dispatch", "config"}),
            CENTRE.private.public_key(),
        ),
    ]
)


def files() -> Iterator[tuple[str, bytes]]:
    """Give name and content of every file of the folder."""
    warning = "TEST KEYS, made of texts that anyone can read: trust them nowhere else"
    keys = {key.key_id.decode(): _key(key) for key in (SIGNING, FOREIGN, REVOKED, CENTRE)}
    yield "keys.json", _json({"warning": warning, "keys": keys})
    yield "keys.toml", f"# {warning}.\n{KEYS.to_toml()}".encode()
    for example in examples():
        yield f"{example.name}.cbor", example.message
        yield f"{example.name}.json", _json(_described(example))
    yield (
        "sound.json",
        _json([_sound("what the first of refused.json are made of", SOUND), *(_sound(*e) for e in edges())]),
    )
    yield "refused.json", _json([{"why": e.why, "fails": e.fails, "message": e.message.hex()} for e in refused()])


def _key(key: SigningKey) -> Json:
    known, public, private = KEYS.keys[key.key_id], key.private.public_key(), key.private
    return {
        "issuer": known.issuer,
        "epoch": known.epoch.hex(),
        "roles": sorted(known.roles),
        "public": public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
        "revoked": known.is_revoked,
        "seed": private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex(),
    }


def _sound(about: str, message: bytes) -> Json:
    verified = KEYS.verify(message)
    said = contents.read(verified, SCHEMAS.get)
    told: Json = {"about": about, "message": message.hex(), "header": header(verified.header), "meaning": meaning(said)}
    if isinstance(said, packing.SegmentContent):
        told["rows"] = [list(row) for row in said.readings()]
    return told


def _described(example: Example) -> Json:
    verified = KEYS.verify(example.message)
    parts = cbor.decode(example.message[1:], depth=2)
    assert isinstance(parts, list)
    protected, _, payload, signature = parts
    assert isinstance(protected, bytes)
    assert isinstance(payload, bytes)
    assert isinstance(signature, bytes)
    external = cbor.encode([cose.CONTRACT, verified.header.gateway, verified.header.stream])
    told: Json = {
        "about": example.about,
        "topic": example.topic or None,
        "cddl": f"{example.rule}-message",
        "correlation_data": example.correlation,
        "message_expiry_s": example.expiry_s,
        "message": example.message.hex(),
        "sha256": cose.digest(example.message).hex(),
        "protected": protected.hex(),
        "external_aad": external.hex(),
        "to_be_signed": cbor.encode(["Signature1", protected, external, payload]).hex(),
        "signature": signature.hex(),
        "header": header(verified.header),
        "payload": payload.hex(),
    }
    said = contents.read(verified, SCHEMAS.get)
    if isinstance(said, packing.SegmentContent):
        told |= _taken_apart(payload)
        told["rows"] = [list(row) for row in said.readings()]
    return {**told, "meaning": meaning(said)}


def _taken_apart(payload: bytes) -> Json:
    """A segment's content between compression and meaning."""
    inflated = packing.inflate(payload)
    document = cbor.decode(inflated, depth=9)
    assert isinstance(document, list)
    version, boot_id, start, groups, numbers = document
    assert isinstance(boot_id, bytes)
    assert isinstance(numbers, bytes)
    return {
        "inflated": inflated.hex(),
        "version": version,
        "boot_id": boot_id.hex(),
        "start": start,
        "groups": _named(groups),
        "numbers": read_varints(numbers),
    }


def _named(item: cbor.Value) -> object:
    """JSON has no numbers as keys: the map of a column gets them as texts."""
    if isinstance(item, dict):
        return {str(key): _named(value) for key, value in item.items()}
    return [_named(each) for each in item] if isinstance(item, list) else item


def _json(document: Any) -> bytes:  # noqa: ANN401 - whatever JSON holds
    return (_laid_out(document) + "\n").encode()


def _laid_out(document: Any, indent: str = "") -> str:  # noqa: ANN401 - whatever JSON holds
    """One line for what fits in one, so that a person can follow it."""
    short = json.dumps(document, ensure_ascii=False)
    if len(indent) + len(short) <= 110 or not isinstance(document, dict | list):
        return short
    deeper = indent + "  "
    if isinstance(document, dict):
        inner = [f"{deeper}{json.dumps(name)}: {_laid_out(each, deeper)}" for name, each in document.items()]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    if not any(isinstance(each, dict | list) for each in document):
        return "\n".join(
            ["[", *_filled([json.dumps(each, ensure_ascii=False) for each in document], deeper), f"{indent}]"]
        )
    inner = [deeper + _laid_out(each, deeper) for each in document]
    return "[\n" + ",\n".join(inner) + f"\n{indent}]"


def _filled(entries: Sequence[str], indent: str) -> Iterator[str]:
    """Give lines of entries, each entry whole: a line end in a text would be no JSON."""
    line = ""
    for number, entry in enumerate(entries):
        more = entry if number == len(entries) - 1 else entry + ","
        if line and len(indent) + len(line) + 1 + len(more) > 110:
            yield indent + line
            line = ""
        line = f"{line} {more}" if line else more
    yield indent + line


def write(folder: Path) -> None:
    """Write every file, and take away what is no longer one."""
    folder.mkdir(parents=True, exist_ok=True)
    made = dict(files())
    for stale in set(folder.iterdir()) - {folder / name for name in made}:
        stale.unlink()
    for name, content in made.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write(FOLDER)
