"""`gateway centre verify`: whether messages in files are what gateways signed, and all of it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.centre import archive, losses
from gateway.centre.archive import ArchiveError
from gateway.centre.proof import Proof, StreamProof
from gateway.cli.centre.site import site
from gateway.cli.exits import CHECK_FAILED, COULD_NOT_CHECK, OK, WARNINGS, Ended
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet

SCHEMA = "gateway/centre-verify/1"

_MOST = 50


def verify(files: Sequence[Path], keys: Path | None, config: Path, *, strict: bool, as_json: bool) -> int:
    """Print what holds and what does not; raise Ended for keys that cannot be read.

    Exit code: 5 a signature, a chain or a file is wrong, 6 messages of unknown keys could not be checked; with
    `strict` 1 where something is missing or came twice.
    """
    try:
        proof = Proof(KeySet.load(keys or site(config).centre.gateway_keys))
    except KeyFileError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error
    for path in files:
        try:
            for where, blob in archive.messages(path):
                proof.take(where, blob)
        except ArchiveError as error:
            proof.fault(str(error))
    streams = proof.finish()
    if as_json:
        print(json.dumps({"schema": SCHEMA, **_told(proof, streams)}))
    else:
        print("\n".join(_lines(proof, streams)))
    if proof.fault_count or any(each.broken or each.conflicts for each in streams):
        return CHECK_FAILED
    if proof.unknown_keys:
        return COULD_NOT_CHECK
    return WARNINGS if strict and any(each.gaps or each.duplicates for each in streams) else OK


def _lines(proof: Proof, streams: Sequence[StreamProof]) -> Iterator[str]:
    yield from proof.faults
    if proof.fault_count > len(proof.faults):
        yield f"{proof.fault_count - len(proof.faults)} more faults"
    for each in streams:
        gateway, epoch, name = each.key
        numbers = f", {min(each.links)} to {max(each.links)}" if each.links else ""
        yield f"{gateway} {name} (epoch {epoch.hex()}): {len(each.links)} messages{numbers}"
        yield from (f"  {line}" for line in _facts(each))
    if proof.unknown_keys:
        yield f"{proof.unknown_keys} messages are signed with keys that the key set does not have: not checked"
    if proof.revoked_keys:
        yield f"{proof.revoked_keys} messages are signed with a key that is revoked now"
    yield f"{proof.messages} messages, {proof.good} signatures good"


def _facts(each: StreamProof) -> Iterator[str]:
    if each.broken:
        yield f"CHAIN BROKEN before {', '.join(map(str, each.broken[:_MOST]))}"
    if each.conflicts:
        yield f"CONFLICTS: two different messages numbered {', '.join(map(str, each.conflicts[:_MOST]))}"
    if each.gaps:
        gaps = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in each.gaps[:_MOST])
        yield f"missing {each.missing}: {gaps}"
    for part in each.dropped[:_MOST]:
        held = losses.told(losses.known(part.count, part.reason), part.reason)
        yield f"dropped {part.first} to {part.last}: {held}, reason: {part.reason}"
    if each.duplicates:
        yield f"{each.duplicates} duplicates"


def _told(proof: Proof, streams: Sequence[StreamProof]) -> dict[str, Any]:
    return {
        "messages": proof.messages,
        "faults": proof.faults,
        "fault_count": proof.fault_count,
        "unknown_keys": proof.unknown_keys,
        "revoked_keys": proof.revoked_keys,
        "streams": [
            {
                "gateway": each.key[0],
                "epoch": each.key[1].hex(),
                "stream": each.key[2],
                "messages": len(each.links),
                "first": min(each.links, default=None),
                "last": max(each.links, default=None),
                "missing": each.missing,
                "gaps": each.gaps[:_MOST],
                "duplicates": each.duplicates,
                "conflicts": each.conflicts[:_MOST],
                "chain_breaks": each.broken[:_MOST],
                "dropped": [
                    {
                        "first": part.first,
                        "last": part.last,
                        "readings": losses.known(part.count, part.reason),
                        "reason": part.reason,
                    }
                    for part in each.dropped[:_MOST]
                ],
            }
            for each in streams
        ],
    }
