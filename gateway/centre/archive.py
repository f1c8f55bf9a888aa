"""Messages out of a file: one, several one after another, a gateway's outbox, or a centre's store."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from buffer.errors import StorageError
from buffer.reader import Reader
from buffer.schema import APPLICATION_ID as OUTBOX
from gateway.centre.errors import CentreError
from gateway.centre.tables import APPLICATION_ID as STORE
from gateway.centre.tables import read_only
from gateway.wire.cose import LIMIT

_SQLITE = b"SQLite format 3\0"
_SIGN1 = b"\xd2\x84"
_READ = 1 << 20
_LONGEST = LIMIT + 16
_LENGTHS = {24: 1, 25: 2, 26: 4}


class ArchiveError(CentreError):
    """The file cannot be read, or holds something else; the text says from where on."""


def messages(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give each message with its place for people; raise ArchiveError, after those before what is no message."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
        if head == _SQLITE:
            yield from _database(path)
        else:
            yield from _concatenated(path)
    except OSError as error:
        raise ArchiveError(f"{path}: {error.strerror}") from error


def _database(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (found,) = database.execute("PRAGMA application_id").fetchone()
        if found == OUTBOX:
            yield from _outbox(path)
        elif found == STORE:
            yield from _store(path)
        else:
            raise ArchiveError(f"{path}: a database, but neither an outbox nor a centre's store")
    except (sqlite3.Error, StorageError) as error:
        raise ArchiveError(f"{path}: {error}") from error


def _outbox(path: Path) -> Iterator[tuple[str, bytes]]:
    with Reader.open(path) as reader:
        for stream in reader.streams():
            for kept in reader.kept(stream.name):
                yield f"{path}: {stream.name} {kept.segment.sequence}", kept.segment.blob


def _store(path: Path) -> Iterator[tuple[str, bytes]]:
    with read_only(path) as database:
        for (number,) in database.execute("SELECT id FROM stream ORDER BY id").fetchall():
            last = 0
            while True:
                rows = database.execute(
                    "SELECT sequence, blob FROM message WHERE stream = ? AND sequence > ? ORDER BY sequence LIMIT 500",
                    (number, last),
                ).fetchall()
                if not rows:
                    break
                for sequence, blob in rows:
                    yield f"{path}: stream {number}, {sequence}", blob
                last = rows[-1][0]


def _concatenated(path: Path) -> Iterator[tuple[str, bytes]]:
    """Split messages that follow each other: each tells by its heads where it ends."""
    offset, rest, number = 0, b"", 0
    with path.open("rb") as file:
        while True:
            more = file.read(_READ)
            rest += more
            at = 0
            while at < len(rest):
                end = _end(rest, at)
                if end is None and more and len(rest) - at < _LONGEST:
                    break  # cut by our own reading
                if end is None:
                    raise ArchiveError(f"{path}: no whole message at byte {offset + at}, after {number} of them")
                number += 1
                yield f"{path}: message {number}", rest[at:end]
                at = end
            offset, rest = offset + at, rest[at:]
            if not more:
                break
    if not number:
        raise ArchiveError(f"{path}: empty")


def _end(data: bytes, at: int) -> int | None:
    """Find the end of the message that begins at `at`: tag 18, four parts, three byte strings and an empty map."""
    if data[at : at + 2] != _SIGN1:
        return None
    at += 2
    for part in range(4):
        if part == 1:
            if data[at : at + 1] != b"\xa0":
                return None
            at += 1
            continue
        length = _string(data, at)
        if length is None:
            return None
        at = length
    return at


def _string(data: bytes, at: int) -> int | None:
    """Find the end of a byte string."""
    if at >= len(data) or data[at] >> 5 != 2:
        return None
    info = data[at] & 0x1F
    at += 1
    size = _LENGTHS.get(info, 0)
    if info > 26 or at + size > len(data):
        return None
    length = int.from_bytes(data[at : at + size], "big") if size else info
    end = at + size + length
    return end if end <= len(data) else None
