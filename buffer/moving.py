"""Where a database goes that cannot be used: beside, under a name that says when; and whether a card answers at all."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from buffer.errors import StorageError

MOVED_ASIDE_KEPT = 2
"""Files moved aside that stay; older ones are removed, else a dying card would fill itself with them."""

_UNUSABLE, _NEWER = "unusable", "newer"

_PART_BYTES = 1 << 20

_HELD: dict[Path, int] = {}
_MOST_HELD = 8
"""A process has one database and its WAL; those of others, the longest unused first, are closed."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where an unusable database is now; with `rescued`, all that it held is in use again, but the history.

    And but `lost` segments and journal rows, which could not be read any more.
    """

    path: Path
    rescued: bool
    lost: int = 0


def answers(path: Path) -> bool:
    """Tell whether all of a database and its WAL can be read; SQLite calls bytes damaged that the card did not give."""
    try:
        for each in (path, path.with_name(f"{path.name}-wal")):
            if each.exists():
                number, at = _held(each), 0
                while part := os.pread(number, _PART_BYTES, at):
                    at += len(part)
    except OSError:
        return False
    return True


def probe(target: Path, size: int = 1 << 18) -> None:
    """Try whether the card takes some bytes at all, in a file that is gone afterwards; raise OSError."""
    try:
        with target.open("wb") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
    finally:
        with suppress(OSError):
            target.unlink(missing_ok=True)


def let_go(path: Path) -> None:
    """Close what `answers` left open of a database that is closed: the card may be wanted out."""
    for each in (path, path.with_name(f"{path.name}-wal")):
        number = _HELD.pop(each, None)
        if number is not None:
            os.close(number)


def _held(path: Path) -> int:
    """Open a file to read it, and leave it open for the next time.

    Whoever closes a file gives up every lock that his process has on it, SQLite's too, and this may be the database
    that we have open.
    """
    now = path.stat()
    number = _HELD.pop(path, None)
    if number is not None:
        then = os.fstat(number)
        if (then.st_dev, then.st_ino) != (now.st_dev, now.st_ino):
            os.close(number)
            number = None
    _HELD[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if number is None else number
    while len(_HELD) > _MOST_HELD:
        os.close(_HELD.pop(next(iter(_HELD))))
    return _HELD[path]


def is_of_newer_release(aside: Path) -> bool:
    """Tell whether a file that was moved aside is sound, and of a release whose tables we do not know."""
    return f".{_NEWER}-" in aside.name


def move_aside(path: Path, *, newer: bool = False) -> Path:
    """Rename the database with its WAL, so that SQLite could still put the two together.

    One of a `newer` release is never removed: that release can go on with it.
    """
    when = f"{_NEWER if newer else _UNUSABLE}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    target = path.with_name(f"{path.name}.{when}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.{when}-{number}")
    try:
        # The database first: SQLite discards a WAL that it finds beside an empty database, so a cut in between
        # harms nothing.
        for suffix in ("", "-wal", "-shm"):
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.replace(target.with_name(target.name + suffix))
        _keep_newest_aside(path)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be used, nor moved aside ({error.strerror}): move it away by hand"
        ) from error
    return target


def _keep_newest_aside(path: Path) -> None:
    aside = [
        each for each in path.parent.glob(f"{path.name}.{_UNUSABLE}-*") if not each.name.endswith(("-wal", "-shm"))
    ]
    aside.sort(key=lambda each: each.stat().st_mtime_ns)
    for old in aside[:-MOVED_ASIDE_KEPT]:
        for suffix in ("-wal", "-shm", ""):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
