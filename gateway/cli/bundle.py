"""`gateway support-bundle`: what somebody far away needs to help, in one file, with no secret and no person's number.

What cannot be had (a dead agent's status) is told in its place. No key file is ever opened for its content here.
"""

import io
import json
import os
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.cli.asking import Door
from gateway.cli.config import effective
from gateway.cli.doctor.finding import Case
from gateway.cli.doctor.report import as_object, examine
from gateway.cli.exits import OK, REFUSED, USAGE, Ended
from gateway.cli.mask import masked, masked_in
from gateway.cli.version import facts

LOG_BYTES = 512 * 1024
"""Of the end of the log: some 5,000 lines."""

README = """\
What a gateway says of itself, made by `gateway support-bundle`.

status.json, config.json, doctor.json, version.json: what the commands of these names print with --json.
log.txt: the end of the log, where one was given.

Keys, passwords, meter and delivery point numbers are replaced by <masked>. The building's name, its network's names
and addresses, and its last meter readings are not: give this file only to whom you trust with those.
"""


def support_bundle(door: Door, out: Path, log: Path | None, *, as_json: bool) -> int:
    """Write the bundle, readable by its owner alone; raise Ended where it exists already or cannot be written."""
    members = {"README.txt": README.encode(), **_facts(door)}
    if log is not None:
        members["log.txt"] = masked(_end_of(log)).encode()
    packed = _packed(members)
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(packed)
    except FileExistsError as error:
        raise Ended(REFUSED, f"{out} exists already: name another file") from error
    except OSError as error:
        raise Ended(USAGE, f"{out}: cannot be written ({error.strerror}): name another place") from error
    told = {"schema": "gateway/support-bundle/1", "file": str(out), "bytes": len(packed), "members": sorted(members)}
    if as_json:
        print(json.dumps(told))
    else:
        print(f"{out}: {len(packed)} bytes: {', '.join(sorted(members))}")
        print("secrets and meter numbers are masked; look through it before you send it")
    return OK


def _facts(door: Door) -> Mapping[str, bytes]:
    case = Case.of(door)
    status: Any = case.answer if case.silence is None else {"error": str(case.silence)}
    try:
        config: Any = effective(door.site)
    except Ended as ended:
        config = {"error": str(ended)}
    found = {
        "status.json": {"schema": "gateway/status/1", **(status or {})},
        "config.json": {"schema": "gateway/config/1", "file": str(door.site), "site": config},
        "doctor.json": as_object(examine(case)),
        "version.json": {"schema": "gateway/version/1", **facts()},
    }
    return {
        name: json.dumps(masked_in(content), indent=1, ensure_ascii=False).encode() for name, content in found.items()
    }


def _end_of(log: Path) -> str:
    """Give the last lines of a log, whole ones; raise Ended."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            content = file.read(LOG_BYTES)
    except OSError as error:
        raise Ended(
            USAGE, f"{log}: cannot be read ({error.strerror}): give a file, as of `journalctl -u gateway > log.txt`"
        ) from error
    text = content.decode("utf-8", "replace")
    return text if size <= LOG_BYTES else text.partition("\n")[2]


def _packed(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"gateway-support/{name}")
            member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
