"""The easy door, where a site has one: its extra, its keys, and whether the other side takes the files."""

from collections.abc import Mapping
from datetime import date
from importlib.util import find_spec

from config.site import Site
from gateway.cli.doctor.finding import Case, Finding, failed, ok, unchecked, warning
from gateway.door.envelope import Sealer
from gateway.door.errors import DoorError
from gateway.door.spool import Day, Spool, folder

WAITING_DAYS = 2
"""More files than this wait: the other side has not taken any for days."""


def door(case: Case, site: Site) -> Finding:
    """Tell whether the daily file is made and taken; a site without a [door] lacks nothing."""
    settings = site.door
    if settings is None:
        return ok("there is none, and none is wanted")
    if find_spec("asyncssh") is None:
        return failed("asyncssh is not installed", "install building-gateway[sftp]")
    try:
        Sealer.load(
            key_file=settings.signing_key_file,
            certificate_file=settings.certificate_file,
            recipient_file=settings.recipient_file,
            now=case.now,
        )
        days = Spool.look(folder(site.storage.directory))
    except DoorError as error:
        if isinstance(error.__cause__, PermissionError):
            return unchecked(str(error), "ask as root, or as the gateway's user")
        return failed(str(error), "no day's file is made with it")
    for path, what in (
        (settings.known_hosts_file, "the other side's host key"),
        (settings.ssh_key_file, "our SSH key"),
    ):
        if not path.exists():
            return failed(f"{path}: {what} is missing", "docs/door.md tells whence it comes")
    return _taken(days, settings.host)


def _taken(days: Mapping[date, Day], host: str) -> Finding:
    waits = sum(not known.delivered for known in days.values())
    if waits > WAITING_DAYS:
        return warning(f"{waits} days wait for {host}", "`gateway door push` tells why")
    return ok(f"{len(days) - waits} days delivered, {waits} wait" if days else "no day is over yet")
