"""Run in build/oracle: reads COSE messages with the library cwt, of which none of our code knows anything."""

import json
import sys

from cwt import COSE, COSEKey

EDDSA, ED25519, OKP = -8, 6, 1


def read(asked: dict[str, str]) -> dict[str, object]:
    """Verify one message; give protected header, unprotected header and payload, or why not."""
    key_id = bytes.fromhex(asked["key_id"])
    key = COSEKey.new({1: OKP, 2: key_id, 3: EDDSA, -1: ED25519, -2: bytes.fromhex(asked["public"])})
    try:
        protected, unprotected, payload = COSE.new().decode_with_headers(
            bytes.fromhex(asked["message"]), key, external_aad=bytes.fromhex(asked["external"])
        )
    except Exception as error:  # noqa: BLE001 - whatever it raises is its way to refuse
        return {"refused": f"{type(error).__name__}: {error}"}
    return {"protected": plain(protected), "unprotected": plain(unprotected), "payload": payload.hex()}


def plain(item: object) -> object:
    """Give what JSON holds: bytes in hex, keys as texts."""
    if isinstance(item, bytes):
        return item.hex()
    if isinstance(item, dict):
        return {str(key): plain(value) for key, value in item.items()}
    return [plain(each) for each in item] if isinstance(item, list | tuple) else item


for line in sys.stdin:
    print(json.dumps(read(json.loads(line))))
