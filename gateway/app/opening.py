"""Opens the outbox of a site, and tells of a database that had to be moved aside."""

import errno
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from buffer import remains
from buffer.errors import StorageError
from buffer.moving import is_of_newer_release
from buffer.outbox import Outbox
from config.site import Site
from drivers.pulses import COUNTED
from gateway.sealing import Store

PAGES_A_MB = 256
OUTBOX = "outbox.db"

_REFUSED = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""What a card says for itself; anything else is to be mended in the site file or the folders."""


def open_store(site: Site) -> Store:
    """Open the outbox of a site; raise StorageError where its folder cannot be used, but for a card that refuses."""
    directory = site.storage.directory
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise StorageError(
                f"{directory}: cannot be made a folder ({error.strerror}): make it, writable by the agent's user, or "
                "name another [storage] directory"
            ) from error
    store = Store(directory / OUTBOX, quota_pages=site.storage.quota_mb * PAGES_A_MB)
    _carry(site, store.outbox)
    return store


def _carry(site: Site, outbox: Outbox) -> None:
    """Take over what counters had counted from a database that is no longer used: it stands nowhere else."""
    if outbox.moved_aside is None or outbox.rescued:
        return
    wanted = {f"{pulse.name}.{key}" for pulse in site.pulse for key in COUNTED}
    found = {name: value for name, value in remains.marks(outbox.moved_aside).items() if name in wanted}
    with suppress(StorageError):
        outbox.commit([], found)


def damage(
    site: Site, *, readings: Path | None, commands: Path | None, rescued: bool = False, lost: int = 0
) -> Iterator[str]:
    """Say which database was moved where, and what has to be done again.

    `rescued`: of the readings, the history, and but for `lost` segments and rows nothing else.
    """
    if rescued:
        what, rest = (
            ("the history", "readings for the centre are whole")
            if not lost
            else (
                "the database of readings",
                f"{lost} segments, or rows not sealed yet, are lost; the centre is told; all others go on",
            )
        )
        yield f"{what} was damaged; it is kept as {readings}; the history is made again; {rest}"
        readings = None
    if readings is not None and is_of_newer_release(readings):
        yield (
            f"the database of readings is of a newer release; it is kept as {readings}, a new one was begun; "
            "what waited in it is sent once that release has it back"
        )
    for moved, what in ((readings, "readings"), (commands, "commands")):
        if moved is not None and not is_of_newer_release(moved):
            yield f"the database of {what} was damaged; it is kept as {moved}, a new one was begun"
    if readings is not None and site.pulse:
        yield "what the pulse counters had counted was in it: compare each with its dial, and correct dial_index"
    if readings is not None and site.dwelling:
        yield "the consents of the households were in it: none counts until it is given again"
