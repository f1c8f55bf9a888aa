"""Opens the outbox of a site, and tells of a database that had to be moved aside."""

import errno
from collections.abc import Iterator
from pathlib import Path

from buffer.errors import StorageError
from config.site import Site
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
    return Store(directory / OUTBOX, quota_pages=site.storage.quota_mb * PAGES_A_MB)


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
    for moved, what in ((readings, "readings"), (commands, "commands")):
        if moved is not None:
            yield f"the database of {what} was damaged; it is kept as {moved}, a new one was begun"
    if readings is not None and site.dwelling:
        yield "the consents of the households were in it: none counts until it is given again"
