"""The file: how it is opened and checked, and what becomes of one that is unusable.

A database that is damaged, is no database, is not ours or comes from a newer version is moved aside under a name that
says when, and an empty one takes its place: the gateway goes on reading, and a technician still has the old file.
"""

import contextlib
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from buffer import rescue, tables
from buffer.errors import StorageDamaged, StorageError, StorageFull
from buffer.moving import Moved, answers, move_aside, probe
from buffer.tables import APPLICATION_ID, HISTORY_VERSION, LOSSES_VERSION, PAGE_BYTES, VERSION, pragma

__all__ = ["APPLICATION_ID", "PAGE_BYTES", "VERSION", "Moved", "open_database", "pragma", "storage_error"]

ASKED_AGAIN = 20
"""Times that a card which does not answer is asked again at the start, before the database counts as damaged."""

_ASK_AGAIN_S = 0.5

_NUMBERED_AHEAD = """
    SELECT 1 FROM stream WHERE last_sequence < max(
        coalesce((SELECT max(sequence) FROM segment WHERE segment.stream = stream.id AND received = 0), 0),
        coalesce((SELECT max(sequence) FROM segment WHERE segment.stream = stream.id AND received = 1), 0))
"""
"""integrity_check does not see this damage, and sealing would stumble over it at every start."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT})


class _UnusableError(Exception):
    """The file is there and cannot be our database."""


def open_database(path: Path, *, may_replace: bool = True) -> tuple[sqlite3.Connection, Moved | None]:
    """Open the database at `path`, made or brought up to date as needed; give also what became of an unusable one.

    Raises StorageError where the file cannot be opened at all, and StorageDamaged where it would have to be replaced,
    and may not.
    """
    try:
        rescue.settle(path)
        connection = _patiently_opened(path)
        if connection is not None:
            return connection, None
        if not may_replace:
            raise StorageDamaged(f"{path}: damaged, found while opening")
        probe(rescue.copy_of(path))  # else all would be moved aside for want of room for a copy
        moved = _replace(path)
    except sqlite3.Error as error:
        raise storage_error(error, path, "opening") from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}: check the disk and the folder") from error
    try:
        return _open(path), moved
    except (sqlite3.Error, _UnusableError) as error:
        raise StorageError(f"{path}: a new database cannot be made ({error}): check the disk and the folder") from error


def _patiently_opened(path: Path) -> sqlite3.Connection | None:
    """Open the database; None where it is unusable. A card that does not answer is given time to.

    To SQLite bytes that cannot be read are damaged ones: only a file that can be read as a whole is judged.
    """
    for _ in range(ASKED_AGAIN):
        try:
            return _open(path)
        except _UnusableError:
            pass
        except sqlite3.Error as error:
            if not is_io_error(error):
                raise
        if answers(path):
            break
        time.sleep(_ASK_AGAIN_S)
    try:
        return _open(path)
    except _UnusableError:
        return None
    except sqlite3.Error:
        if answers(path):
            raise
        return None


def is_storage_error(error: sqlite3.Error) -> bool:
    """Tell what the card did to us from what we did wrong ourselves (or, while checking, from damage)."""
    return _primary_code(error) not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE)


def is_io_error(error: sqlite3.Error) -> bool:
    """Tell whether the card refused to write, or to read, what should have been possible."""
    return _primary_code(error) == sqlite3.SQLITE_IOERR


def storage_error(error: sqlite3.Error, path: Path, doing: str) -> StorageError:
    """Turn what SQLite raised while `doing` into our error, with what to do."""
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(f"{path}: no room while {doing}: free space on the disk; readings wait in memory meanwhile")
    if code in _DAMAGED:
        if not answers(path):
            return StorageError(f"{path}: cannot be read while {doing}: check the disk")
        return StorageDamaged(f"{path}: damaged ({error}), found while {doing}: the next start moves it aside")
    return StorageError(f"{path}: {error} while {doing}: check the disk and who may write there")


def _primary_code(error: sqlite3.Error) -> int:
    """Give the low byte of the result code; the rest of it tells details."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def connect(path: Path) -> sqlite3.Connection:
    """Open a database that is known to be sound, and up to date; may raise sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    try:
        _set_up(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def is_sound(connection: sqlite3.Connection) -> bool:
    """Tell whether this is a sound database of ours, of this version or an older one, and not empty."""
    try:
        _check(connection)
    except _UnusableError:
        return False
    return pragma(connection, "user_version") > 0


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    try:
        _check(connection)
        _set_up(connection)
        tables.migrate(connection)
    except (sqlite3.Error, _UnusableError) as error:
        connection.close()
        if isinstance(error, sqlite3.Error) and _primary_code(error) in _DAMAGED:
            raise _UnusableError(str(error)) from error
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Raise _UnusableError unless this is an empty database or a sound one of ours."""
    try:
        _check_soundness(connection)
    except UnicodeDecodeError as error:  # damage in a name that SQLite wants to tell us
        raise _UnusableError(str(error)) from error
    except sqlite3.Error as error:
        if is_storage_error(error):
            raise
        raise _UnusableError(str(error)) from error  # a statement below fails only on a damaged database


def _check_soundness(connection: sqlite3.Connection) -> None:
    # Indexes included (14 ms for 30 days of segments): what it misses would end the process again and again.
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _UnusableError(verdict)
    version = pragma(connection, "user_version")
    if version > VERSION:
        raise _UnusableError(f"version {version}, at most {VERSION} is known")
    if tables.found(connection) != tables.expected(version):
        raise _UnusableError("another program's database, or its list of tables is damaged")
    if not version:
        return
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise _UnusableError("another program's database")
    if connection.execute("SELECT count(*) FROM identity WHERE length(epoch) = 8").fetchone()[0] != 1:
        raise _UnusableError("the epoch is missing")
    if connection.execute(_NUMBERED_AHEAD).fetchone() is not None:
        raise _UnusableError("a segment is numbered above its stream's last number")
    for texts in ("SELECT name, value FROM mark", "SELECT name, id FROM stream"):
        connection.execute(texts).fetchall()  # texts that are no longer UTF-8 fail here, not in the midst of work
    if version >= HISTORY_VERSION:
        connection.execute("SELECT name, id FROM history_channel").fetchall()


def _replace(path: Path) -> Moved:
    """Move an unusable database aside, and put what can be rescued of it in its place: all but a damaged history."""
    rescued = _rescued(path)
    aside = move_aside(path, newer=_is_newer(path))
    if rescued is not None:
        copy, lost = rescued
        with contextlib.suppress(OSError):
            copy.replace(path)
            return Moved(aside, rescued=True, lost=lost)
    return Moved(aside, rescued=False)


def _is_newer(path: Path) -> bool:
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return pragma(connection, "application_id") == APPLICATION_ID and pragma(connection, "user_version") > VERSION
    return False


def _rescued(path: Path) -> tuple[Path, int] | None:
    """Make a sound database of all but the history and rows that are damaged themselves; None where that cannot be.

    Give also how many segments and rows of the journal are lost.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as damaged:
            version = pragma(damaged, "user_version")
            known = HISTORY_VERSION <= version <= VERSION and tables.found(damaged) == tables.expected(version)
            if not known or pragma(damaged, "application_id") != APPLICATION_ID:
                return None
        numbers = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
        made_by = f"{''.join(tables.MIGRATIONS[:version])} {numbers}"
        in_part = ("segment", "journal", "aside") if version >= LOSSES_VERSION else ()
        rescued = rescue.rescue(path, made_by=made_by, without="history_", in_part=in_part)
        if rescued is not None:
            with closing(sqlite3.connect(rescued[0], isolation_level=None)) as connection:
                _check(connection)
    except (sqlite3.Error, UnicodeDecodeError, _UnusableError):
        return None
    return rescued


def _set_up(connection: sqlite3.Connection) -> None:
    """Set what every connection needs; the page size counts only before the first table is made."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL loses the last commits when the power goes
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # it would hide what goes wrong: Database does it
    connection.execute("PRAGMA foreign_keys = ON")
    # Pages are written and read back once, in order: SQLite's own 2 MB would fill within days and be of no more use.
    connection.execute("PRAGMA cache_size = -512")
