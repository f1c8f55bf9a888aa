"""`gateway queue`: what waits for the centre's receipt, and whether all that is kept is whole and ours.

How much there is, the agent tells; segments are read from the outbox's file, beside the agent or after it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from buffer.errors import StorageError
from buffer.reader import Reader
from buffer.segments import Segment
from config.errors import ConfigError
from config.load import load
from config.site import Site
from gateway.cli.asking import Door
from gateway.cli.exits import AGENT_NOT_RUNNING, CHECK_FAILED, COULD_NOT_CHECK, OK, REFUSED, Ended
from gateway.cli.verdict import Verdict, verdict
from gateway.wire import cose
from gateway.wire.errors import KeyFileError, MalformedMessage
from gateway.wire.keys import load_signing_key

PAGES_A_MB = 256

_FACTS = (
    "readings_pending",
    "segments_pending",
    "segments_received",
    "journal_rows",
    "dropped_readings",
    "dropped_segments",
    "pages_used",
    "quota_pages",
)


def stats(door: Door, *, as_json: bool) -> int:
    """Print how much is kept and waits, asked of the agent, or read from the file where none runs; raise Ended."""
    try:
        outbox = door.status()["outbox"]
        found = {"source": "agent", **{name: outbox[name] for name in _FACTS}}
    except Ended as ended:
        if ended.code not in (AGENT_NOT_RUNNING, COULD_NOT_CHECK):
            raise
        found = {"source": "file", **_counted(door.site)}
    if as_json:
        print(json.dumps({"schema": "gateway/queue-stats/1", **found}))
        return OK
    print(f"{found['readings_pending']} readings without a receipt, {found['segments_pending']} segments")
    print(f"{found['journal_rows']} rows wait to be sealed; {found['segments_received']} segments kept with a receipt")
    print(
        f"{found['dropped_readings']} readings dropped over the quota, or damaged on the card "
        f"({found['dropped_segments']} segments)"
    )
    print(f"{100 * found['pages_used'] // found['quota_pages']} % of the room used")
    if found["source"] == "file":
        print("read from the file: no agent is at work")
    return OK


def peek(site_file: Path, *, as_json: bool, limit: int, stream: str | None) -> int:
    """Print the next segments to go out, or the newest kept of one stream, without their content; raise Ended."""
    with _opened(_site(site_file)) as reader:
        if stream is None:
            found = [_told(segment, received=False) for segment in reader.pending(limit)]
        else:
            # Counted first, so that the blobs of a long backlog are not all held at once.
            many = sum(1 for _ in reader.kept(stream))
            newest = islice(reader.kept(stream), max(0, many - limit), None)
            found = [_told(kept.segment, received=kept.received) for kept in newest]
    if as_json:
        print(json.dumps({"schema": "gateway/queue-peek/1", "segments": found}))
        return OK
    for each in found:
        state = "received" if each["received"] else "pending"
        print(
            f"{each['stream']} {each['sequence']}: {each['count']} readings, {each['bytes']} bytes, {state}; "
            f"{each['content']}, key {each['key_id']}"
        )
    if not found:
        print("nothing waits" if stream is None else f"nothing is kept of {stream}")
    return OK


def purge(door: Door, *, reason: str, sure: bool, as_json: bool) -> int:
    """Delete what the centre has signed for; raise Ended, also where nobody said `--yes`."""
    if not sure:
        raise Ended(
            REFUSED,
            "this would delete all that the centre has, which exports are made from; what it has not, and the history, "
            "stay: add --yes",
        )
    found = door.post("/v1/queue/purge", {"reason": reason})
    if as_json:
        print(json.dumps({"schema": "gateway/queue-purge/1", **found}))
    else:
        print(f"{found['segments']} segments deleted")
    return OK


def verify(site_file: Path, *, as_json: bool) -> int:
    """Check chain and signature of all that is kept; raise Ended.

    Exit code: 5 something is not what was signed, 6 some was signed by a key that is not the gateway's now.
    """
    site = _site(site_file)
    try:
        key = load_signing_key(site.signing.key_file)
    except KeyFileError as error:
        raise Ended(_unless_permitted(error, COULD_NOT_CHECK), f"{error}: its public half is needed") from error
    keys = {key.key_id: key.private.public_key()}
    with _opened(site) as reader:
        dropped = reader.dropped()
        found = [
            verdict(stream, reader.kept(stream.name), dropped, gateway=site.gateway.id, keys=keys)
            for stream in reader.streams()
        ]
    if as_json:
        print(json.dumps({"schema": "gateway/queue-verify/1", "streams": [asdict(each) for each in found]}))
    else:
        print("\n".join(line for each in found for line in _lines(each)) or "nothing was sealed yet")
    if any(each.fault_count for each in found):
        return CHECK_FAILED
    return COULD_NOT_CHECK if any(each.other_keys for each in found) else OK


def _lines(found: Verdict) -> Iterator[str]:
    yield from found.faults
    if found.fault_count > len(found.faults):
        yield f"{found.stream}: {found.fault_count - len(found.faults)} more faults"
    verdict_ = f"{found.fault_count} faults" if found.fault_count else "signatures and chain are whole"
    if found.other_keys:
        verdict_ += f"; the signatures of {found.other_keys} are another key's and could not be checked"
    yield (
        f"{found.stream}: {found.kept} segments kept, {verdict_} ({found.gone} gone after their receipt, "
        f"{found.dropped} dropped)"
    )


def _told(segment: Segment, *, received: bool) -> dict[str, Any]:
    try:
        header = cose.peek(segment.blob)
        key_id, content = header.key_id.decode("utf-8", "replace"), header.content
    except MalformedMessage as error:
        key_id, content = "unknown", f"unreadable ({error})"
    return {
        "stream": segment.stream,
        "sequence": segment.sequence,
        "epoch": segment.epoch.hex(),
        "count": segment.count,
        "first_ms": segment.first_ms,
        "last_ms": segment.last_ms,
        "bytes": len(segment.blob),
        "received": received,
        "content": content,
        "key_id": key_id,
        "sha256": cose.digest(segment.blob).hex(),
    }


def _counted(site_file: Path) -> dict[str, Any]:
    """Give the same facts as the agent, counted in the file."""
    site = _site(site_file)
    with _opened(site) as reader:
        pending, journal, lost = reader.sealed(received=False), reader.waiting(), reader.lost()
        return {
            "readings_pending": pending.readings + journal.readings,
            "segments_pending": pending.entries,
            "segments_received": reader.sealed(received=True).entries,
            "journal_rows": journal.entries,
            "dropped_readings": sum(lost[reason][1] for reason in ("quota", "damage") if reason in lost),
            "dropped_segments": sum(lost[reason][0] for reason in ("quota", "damage") if reason in lost),
            "pages_used": reader.pages_used(),
            "quota_pages": site.storage.quota_mb * PAGES_A_MB,
        }


def _site(site_file: Path) -> Site:
    try:
        return load(site_file)
    except ConfigError as error:
        raise Ended(CHECK_FAILED, str(error)) from error


@contextmanager
def _opened(site: Site) -> Iterator[Reader]:
    try:
        with Reader.open(site.storage.directory / "outbox.db") as reader:
            yield reader
    except StorageError as error:
        raise Ended(_unless_permitted(error, COULD_NOT_CHECK), str(error)) from error


def _unless_permitted(error: Exception, otherwise: int) -> int:
    return REFUSED if isinstance(error.__cause__, PermissionError) else otherwise
