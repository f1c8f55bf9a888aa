"""Readers that share no code with ours: one in another language, and a COSE library of others."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.wire.keys import KeySet

HERE = Path(__file__).parent
ORACLE = HERE.parents[1] / "build" / "oracle" / "bin" / "python"

Json = dict[str, Any]


def in_javascript(messages: Sequence[bytes], keys: KeySet, folder: Path) -> list[Json]:
    """Give what reader.mjs makes of each message: header, meaning and rows, or why it is refused."""
    named = {
        key_id.decode(): {
            "issuer": key.issuer,
            "roles": sorted(key.roles),
            "revoked": key.is_revoked,
            "public": _raw(key.public),
        }
        for key_id, key in keys.keys.items()
    }
    (folder / "keys.json").write_text(json.dumps({"keys": named}), "utf-8")
    lines = "".join(f"{message.hex()}\n" for message in messages)
    return _told(["node", str(HERE / "reader.mjs"), str(folder / "keys.json")], lines)


def by_oracle(messages: Sequence[tuple[bytes, bytes, bytes]], keys: Mapping[bytes, Ed25519PublicKey]) -> list[Json]:
    """Give what the library makes of each (message, external data, key id): payload and headers, or why it refuses."""
    if not ORACLE.exists():
        raise RuntimeError("the COSE library of others is not installed: .ci/setup test does it")
    asked = [
        {"message": message.hex(), "external": external.hex(), "key_id": key_id.hex(), "public": _raw(keys[key_id])}
        for message, external, key_id in messages
    ]
    lines = "".join(f"{json.dumps(each)}\n" for each in asked)
    return _told([str(ORACLE), str(HERE / "oracle.py")], lines)


def _raw(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _told(command: list[str], lines: str) -> list[Json]:
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-1000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]
