"""`gateway door keys|show|push|status`: what a technician does by hand; `run` is the service's."""

import asyncio
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from config.door import Door as Settings
from config.errors import ConfigError
from config.load import load
from config.site import Site
from gateway.cli.exits import CHECK_FAILED, COULD_NOT_CHECK, OK, UNKNOWN, Ended
from gateway.cli.owner import as_owner
from gateway.door import keys as making
from gateway.door.errors import AwayError, DoorError
from gateway.door.making import Maker
from gateway.door.spool import Spool, folder
from gateway.periods import zone_of


def keys(site_file: Path, *, as_json: bool) -> int:
    """Make what keys there are not, and print their public halves; raise Ended."""
    site, door = site_of(site_file)
    try:
        made = making.make(
            site.gateway.id,
            ssh_key=door.ssh_key_file,
            signing_key=door.signing_key_file,
            certificate=door.certificate_file,
            now=datetime.now(UTC),
        )
    except DoorError as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    if as_json:
        told = {
            "ssh_public": made.ssh_public,
            "certificate": made.certificate,
            "made": [str(each) for each in made.made],
        }
        print(json.dumps({"schema": "gateway/door-keys/1", **told}))
        return OK
    for path in made.made:
        print(f"made {path}", file=sys.stderr)
    print("The recipient lets this key in (authorized_keys, SFTP alone):\n")
    print(f"{made.ssh_public}\n")
    print("and knows our files by this certificate:\n")
    print(made.certificate, end="")
    return OK


def show(site_file: Path, day: date) -> int:
    """Print a day's CSV; raise Ended where it is not over, or nothing of it is kept."""
    site, door = site_of(site_file)
    zone = zone_of(site.gateway.timezone)
    maker = Maker(site.storage.directory / "outbox.db", zone, door.tier, door.purpose)
    try:
        if day not in maker.days(366):
            raise Ended(UNKNOWN, f"{day} is not over yet, or nothing of it is kept")
        csv = maker.make(day)
        known = Spool.look(folder(site.storage.directory)).get(day)
    except DoorError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error
    revision = 1 if known is None else known.revision + (known.digest != csv.digest)
    sys.stdout.write(csv.file(revision).decode())
    return OK


def push(site_file: Path, *, as_json: bool) -> int:
    """Make and push once; raise Ended where something must be mended, or nobody is there."""
    from gateway.cli.door.run import opened  # noqa: PLC0415 - asyncssh is an extra, and `keys` must work without it

    site, _ = site_of(site_file)
    as_owner(site.storage.directory)  # what root wrote there the service could not read
    door = opened(site)
    try:
        arrived = asyncio.run(door.turn())
    except DoorError as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    except AwayError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error
    if as_json:
        print(json.dumps({"schema": "gateway/door-push/1", "arrived": arrived}))
    else:
        print(f"{arrived} files arrived" if arrived else "nothing waits: every day that is over has arrived")
    return OK


def status(site_file: Path, *, as_json: bool) -> int:
    """Print what is known of each day; raise Ended."""
    site, door = site_of(site_file)
    try:
        days = Spool.look(folder(site.storage.directory))
    except DoorError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error
    if as_json:
        told = [
            {
                "day": day.isoformat(),
                "revision": known.revision,
                "rows": known.rows,
                "gaps": known.gaps,
                "complete": known.complete,
                "delivered": known.delivered,
            }
            for day, known in sorted(days.items())
        ]
        print(json.dumps({"schema": "gateway/door-status/1", "days": told}))
        return OK
    waits = sum(not known.delivered for known in days.values())
    print(f"to {door.user}@{door.host}:{door.port}, {door.directory}: {len(days)} days known, {waits} wait")
    for day, known in sorted(days.items()):
        state = "delivered" if known.delivered else "waits"
        whole = "complete" if known.complete else "may still grow"
        print(f"{day}  revision {known.revision}  {known.rows} rows, {known.gaps} gaps  {whole}  {state}")
    return OK


def site_of(path: Path) -> tuple[Site, Settings]:
    """Load a site with its door; raise Ended."""
    try:
        site = load(path)
    except ConfigError as error:
        raise Ended(COULD_NOT_CHECK, str(error)) from error
    if site.door is None:
        raise Ended(CHECK_FAILED, f"{path}: there is no [door] in it: nothing is to be pushed anywhere")
    return site, site.door
