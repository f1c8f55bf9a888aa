"""What the centre has committed, in one SQLite file: every signed message as it came, and what follows from it.

A receipt is only sent for what this file holds. Duplicates are dropped by (gateway, epoch, stream, sequence); hash
chains are checked link by link, as soon as both ends of a link are there. One thread writes; whoever reads opens the
file again.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Self

from gateway.centre.coverage import Coverage
from gateway.centre.judge import Genuine
from gateway.wire import cose
from gateway.wire.errors import MalformedMessage
from gateway.wire.messages import Answer
from gateway.wire.packing import CONTENT as SEGMENT
from gateway.wire.schema import Schema

StreamKey = tuple[str, bytes, str]
"""Gateway, epoch, stream."""

_TABLES = """
CREATE TABLE IF NOT EXISTS stream (
    id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch BLOB NOT NULL, name TEXT NOT NULL,
    UNIQUE (gateway, epoch, name)
) STRICT;
CREATE TABLE IF NOT EXISTS message (
    stream INTEGER NOT NULL REFERENCES stream, sequence INTEGER NOT NULL, content TEXT NOT NULL, digest BLOB NOT NULL,
    previous BLOB, schema BLOB, arrived_utc_ms INTEGER NOT NULL, readings INTEGER, blob BLOB NOT NULL,
    UNIQUE (stream, sequence)
) STRICT;
CREATE INDEX IF NOT EXISTS undecoded ON message (content, schema) WHERE readings IS NULL;
CREATE TABLE IF NOT EXISTS schema (
    gateway TEXT NOT NULL, id BLOB NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (gateway, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS birth (
    gateway TEXT PRIMARY KEY, arrived_utc_ms INTEGER NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS alarm (
    gateway TEXT NOT NULL, epoch BLOB NOT NULL, sequence INTEGER NOT NULL, arrived_utc_ms INTEGER NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (gateway, epoch, sequence)
) STRICT;
CREATE TABLE IF NOT EXISTS answer (
    command TEXT NOT NULL, gateway TEXT NOT NULL, arrived_utc_ms INTEGER NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS answer_command ON answer (command);
CREATE TABLE IF NOT EXISTS command (
    id TEXT PRIMARY KEY, gateway TEXT NOT NULL, sequence INTEGER NOT NULL, expires_utc_ms INTEGER NOT NULL,
    undelivered INTEGER NOT NULL DEFAULT 0, blob BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS counter (
    epoch BLOB NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (epoch, gateway, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tally (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_ISLANDS = """
SELECT min(sequence), max(sequence) FROM (
    SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS island FROM message WHERE stream = ?
) GROUP BY island ORDER BY 1
"""


class Outcome(Enum):
    """What became of a genuine message."""

    NEW = "new"
    DUPLICATE = "duplicates_dropped"
    CONFLICT = "conflicts"
    """The same place in the stream with other content: the first one stays."""


@dataclass(slots=True)
class _Stream:
    number: int
    coverage: Coverage


class Store:
    """The centre's file; open, use and close it in one thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._streams: dict[StreamKey, _Stream] = {}
        for number, gateway, epoch, name in database.execute("SELECT id, gateway, epoch, name FROM stream"):
            coverage = Coverage(database.execute(_ISLANDS, (number,)))
            self._streams[gateway, epoch, name] = _Stream(number, coverage)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the file; raise sqlite3.Error."""
        database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=100"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        database.executescript(_TABLES)
        return cls(database)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def commit(self, arrived: Sequence[tuple[Genuine, int]], tallies: dict[str, int]) -> list[Outcome]:
        """Commit messages, each with its arrival time (UTC, ms), in one synced transaction; the outcomes in order.

        `tallies` are counts to add in the same transaction; duplicates, conflicts and chain breaks are added here.
        """
        tallies = dict(tallies)
        touched: list[tuple[Coverage, int]] = []
        outcomes: list[Outcome] = []
        known = set(self._streams)
        try:
            with self._transaction():
                for genuine, when in arrived:
                    outcome = self._insert(genuine, when, touched, tallies)
                    outcomes.append(outcome)
                    if outcome is not Outcome.NEW:
                        _count(tallies, outcome.value)
                self._add_tallies(tallies)
        except BaseException:
            for key in self._streams.keys() - known:  # their rows are gone with the transaction
                del self._streams[key]
            raise
        for coverage, sequence in touched:
            coverage.add(sequence)
        return outcomes

    def coverage(self, key: StreamKey) -> Coverage:
        """Give what has been committed of a stream; an empty one where nothing has."""
        stream = self._streams.get(key)
        return Coverage() if stream is None else stream.coverage

    def streams(self) -> Iterator[tuple[StreamKey, Coverage]]:
        """Give every stream and what has been committed of it."""
        for key, stream in self._streams.items():
            yield key, stream.coverage

    def keep_birth(self, gateway: str, when: int, payload: bytes) -> None:
        """Keep the last birth of a gateway."""
        self._database.execute("INSERT OR REPLACE INTO birth VALUES (?, ?, ?)", (gateway, when, payload))

    def keep_alarm(self, genuine: Genuine, when: int) -> None:
        """Keep an alarm; one that came before is dropped."""
        header = genuine.header
        self._database.execute(
            "INSERT OR IGNORE INTO alarm VALUES (?, ?, ?, ?, ?)",
            (header.gateway, header.epoch, header.sequence, when, genuine.payload),
        )

    def keep_command(self, command: str, gateway: str, sequence: int, expires_utc_ms: int, blob: bytes) -> None:
        """Keep a command before it is sent; raise sqlite3.IntegrityError where its id was used before."""
        self._database.execute(
            "INSERT INTO command VALUES (?, ?, ?, ?, 0, ?)", (command, gateway, sequence, expires_utc_ms, blob)
        )

    def mark_undelivered(self, command: str) -> None:
        """Note that a command found no gateway."""
        self._database.execute("UPDATE command SET undelivered = 1 WHERE id = ?", (command,))

    def unanswered(self, before_utc_ms: int) -> list[str]:
        """Mark and name the commands that expired before that moment without any answer."""
        rows = self._database.execute(
            "UPDATE command SET undelivered = 1 WHERE undelivered = 0 AND expires_utc_ms < ?"
            " AND NOT EXISTS (SELECT 1 FROM answer WHERE answer.command = command.id) RETURNING id",
            (before_utc_ms,),
        )
        return [row[0] for row in rows.fetchall()]

    def reserve(self, epoch: bytes, gateway: str, stream: str, count: int) -> int:
        """Take the next `count` numbers of one of our own streams for good and give the first."""
        row = self._database.execute(
            "INSERT INTO counter VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET value = value + ?4 RETURNING value",
            (epoch, gateway, stream, count),
        ).fetchall()
        return int(row[0][0]) - count + 1

    def undecoded(self, content: str, limit: int) -> list[tuple[int, bytes, bytes]]:
        """Give row number, schema payload and blob of messages that can be decoded and are not counted yet."""
        return self._database.execute(
            "SELECT message.rowid, schema.payload, message.blob FROM message"
            " JOIN stream ON stream.id = message.stream"
            " JOIN schema ON schema.gateway = stream.gateway AND schema.id = message.schema"
            " WHERE message.readings IS NULL AND message.content = ? LIMIT ?",
            (content, limit),
        ).fetchall()

    def undecoded_count(self, content: str) -> int:
        """Say how many messages still wait to be decoded."""
        query = "SELECT count(*) FROM message WHERE readings IS NULL AND content = ?"
        return int(self._database.execute(query, (content,)).fetchone()[0])

    def counted(self, counts: Sequence[tuple[int, int]], tallies: dict[str, int]) -> None:
        """Note how many readings rows hold, as (readings, row number)."""
        with self._transaction():
            self._database.executemany("UPDATE message SET readings = ? WHERE rowid = ?", counts)
            self._add_tallies(tallies)

    def tallies(self) -> dict[str, int]:
        """Give every count that has been kept, over all the life of the file."""
        return dict(self._database.execute("SELECT name, value FROM tally").fetchall())

    def births(self) -> list[tuple[str, bytes]]:
        """Give the last birth of each gateway."""
        return self._database.execute("SELECT gateway, payload FROM birth").fetchall()

    def _insert(
        self, genuine: Genuine, when: int, touched: list[tuple[Coverage, int]], tallies: dict[str, int]
    ) -> Outcome:
        header = genuine.header
        stream = self._stream((header.gateway, header.epoch, header.stream))
        digest = cose.digest(genuine.blob)
        execute = self._database.execute
        there = dict(
            execute(
                "SELECT sequence, digest FROM message WHERE stream = ? AND sequence BETWEEN ? AND ?",
                (stream.number, header.sequence - 1, header.sequence),
            ).fetchall()
        )
        if header.sequence in there:
            return Outcome.DUPLICATE if there[header.sequence] == digest else Outcome.CONFLICT
        execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
            (
                stream.number,
                header.sequence,
                header.content,
                digest,
                header.previous,
                header.schema,
                when,
                genuine.blob,
            ),
        )
        touched.append((stream.coverage, header.sequence))
        self._follow(genuine, when, tallies)
        before = cose.FIRST_PREVIOUS if header.sequence == 1 else there.get(header.sequence - 1)
        if before is not None and before != header.previous:
            _count(tallies, "chain_breaks")
        after = execute(
            "SELECT previous FROM message WHERE stream = ? AND sequence = ?", (stream.number, header.sequence + 1)
        ).fetchall()
        if after and after[0][0] != digest:
            _count(tallies, "chain_breaks")
        return Outcome.NEW

    def _follow(self, genuine: Genuine, when: int, tallies: dict[str, int]) -> None:
        """Keep what a new message brings besides itself, in the same transaction."""
        gateway, payload = genuine.header.gateway, genuine.payload
        execute = self._database.execute
        try:
            if genuine.header.content == SEGMENT:
                _count(tallies, "segments")
            elif genuine.header.content == Schema.CONTENT:
                identity = Schema.decode(payload).id
                execute("INSERT OR IGNORE INTO schema VALUES (?, ?, ?)", (gateway, identity, payload))
            elif genuine.header.content == Answer.CONTENT:
                command = Answer.decode(payload).command_id
                execute("INSERT INTO answer VALUES (?, ?, ?, ?)", (command, gateway, when, payload))
        except MalformedMessage:  # signed by its gateway, and kept as it is; only its content says nothing to us
            _count(tallies, "unreadable")

    def _stream(self, key: StreamKey) -> _Stream:
        stream = self._streams.get(key)
        if stream is None:
            self._database.execute("INSERT OR IGNORE INTO stream (gateway, epoch, name) VALUES (?, ?, ?)", key)
            row = self._database.execute(
                "SELECT id FROM stream WHERE gateway = ? AND epoch = ? AND name = ?", key
            ).fetchall()
            stream = self._streams[key] = _Stream(row[0][0], Coverage())
        return stream

    def _add_tallies(self, tallies: dict[str, int]) -> None:
        self._database.executemany(
            "INSERT INTO tally VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + ?2", tallies.items()
        )

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._database)


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK on any error."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")


def _count(tallies: dict[str, int], name: str) -> None:
    tallies[name] = tallies.get(name, 0) + 1


def read_only(path: Path) -> closing[sqlite3.Connection]:
    """Open the file for questions, from any thread, while the centre writes it or after."""
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))
