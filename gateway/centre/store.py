"""What the centre has committed, in one SQLite file: every signed message as it came, and what follows from it.

A receipt is only sent for what this file holds. Duplicates are dropped by (gateway, epoch, stream, sequence); hash
chains are checked link by link. One thread of each centre writes; whoever reads opens the file again.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Self

from gateway.centre import chain, contents, islands
from gateway.centre.contents import Brought, StreamKey
from gateway.centre.coverage import Coverage
from gateway.centre.judge import Genuine
from gateway.centre.tables import open_store, transaction
from gateway.wire import cose

COUNT_MAX = (1 << 63) - 1
"""What SQLite can count to; gateways may claim more."""


class Outcome(Enum):
    """What became of a genuine message."""

    NEW = "new"
    DUPLICATE = "duplicates_dropped"
    CONFLICT = "conflicts"
    """The same place in the stream with other content: the first one stays."""


@dataclass(slots=True)
class Committed:
    """What became of a batch: an outcome for each message, and the streams whose receipt is due."""

    outcomes: list[Outcome] = field(default_factory=list)
    due: set[StreamKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Single:
    """A birth or an alarm that is no part of a chain, and when it came (UTC, ms)."""

    genuine: Genuine
    utc_ms: int


class Store:
    """The centre's file; open, use and close it in one thread. `taker` names this centre among those that share it."""

    def __init__(self, database: sqlite3.Connection, taker: str = "centre") -> None:
        self.database = database
        self.taker = taker

    @classmethod
    def open(cls, path: Path, taker: str = "centre") -> Self:
        """Open or make the file; raise StoreUnusable, or sqlite3.Error."""
        return cls(open_store(path), taker)

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def commit(
        self, arrived: Sequence[tuple[Genuine, int]], tallies: Mapping[str, int], alarms: Sequence[Single] = ()
    ) -> Committed:
        """Commit chained messages, each with its arrival time (UTC, ms), in one synced transaction.

        `alarms` are those said singly. `tallies` are counts to add in the same transaction; those of what was
        committed are added here. Where it fails nothing of it counts.
        """
        brought, done = Brought(Counter(tallies)), Committed()
        streams: dict[StreamKey, int] = {}
        refused: Counter[tuple[Outcome, int]] = Counter()
        with transaction(self.database):
            for genuine, when in arrived:
                header = genuine.header
                key = (header.gateway, header.epoch, header.stream)
                if key not in streams:
                    streams[key] = contents.stream_number(self.database, key)
                outcome = self._insert(streams[key], genuine, when, brought)
                done.outcomes.append(outcome)
                if outcome is not Outcome.NEW:
                    brought.tallies[outcome.value] += 1
                    refused[outcome, streams[key]] += 1
                if outcome is not Outcome.CONFLICT:
                    brought.due.add(key)
            for alarm in alarms:
                contents.follow(self.database, alarm.genuine, alarm.utc_ms, brought)
            for stream, ranges in brought.settled.items():
                for first, last in islands.joined(ranges):
                    islands.add(self.database, stream, first, last)
            for (outcome, number), count in refused.items():
                update = f"UPDATE stream SET {outcome.value} = {outcome.value} + ? WHERE id = ?"  # noqa: S608 - of ours
                self.database.execute(update, (count, number))
            self.add_tallies(brought.tallies)
        done.due = brought.due
        return done

    def coverage(self, key: StreamKey, limit: int = -1) -> Coverage:
        """Give what is settled of a stream, its lowest `limit` ranges; an empty one where nothing is."""
        number = self._number(key)
        return Coverage() if number is None else islands.coverage(self.database, number, limit)

    def streams(self) -> list[StreamKey]:
        """Name every stream."""
        return self.database.execute("SELECT gateway, epoch, name FROM stream ORDER BY id").fetchall()

    def gaps(self) -> Iterator[tuple[StreamKey, tuple[int, int]]]:
        """Give what is missing below the highest number of each stream, stream by stream, the lowest gap first."""
        last, key = 0, ("", b"", "")
        for stream, low, high in islands.gaps(self.database):
            if stream != last:
                query = "SELECT gateway, epoch, name FROM stream WHERE id = ?"
                last, key = stream, self.database.execute(query, (stream,)).fetchone()
            yield key, (low, high)

    def missing(self) -> int:
        """Count the messages that are missing below the highest number of their streams."""
        return islands.missing(self.database)

    def keep_birth(self, gateway: str, when: int, payload: bytes) -> None:
        """Keep the last birth of a gateway; a repeated one costs nothing."""
        self.database.execute(
            "INSERT INTO birth VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET arrived_utc_ms = ?2, payload = ?3"
            " WHERE payload <> ?3",
            (gateway, when, payload),
        )

    def keep_command(self, command: str, gateway: str, sequence: int, expires_utc_ms: int, blob: bytes) -> None:
        """Keep a command before it is sent; raise sqlite3.IntegrityError where its id was used before."""
        self.database.execute(
            "INSERT INTO command VALUES (?, ?, ?, ?, 0, ?)", (command, gateway, sequence, expires_utc_ms, blob)
        )

    def mark_undelivered(self, command: str) -> None:
        """Note that a command found no gateway."""
        self.database.execute("UPDATE command SET undelivered = 1 WHERE id = ?", (command,))

    def unanswered(self, before_utc_ms: int) -> list[str]:
        """Mark and name the commands that expired before that moment without any answer."""
        where = (
            "WHERE undelivered = 0 AND expires_utc_ms < ?"
            " AND NOT EXISTS (SELECT 1 FROM answer WHERE answer.command = command.id)"
        )
        found = self.database.execute(f"SELECT id FROM command {where}", (before_utc_ms,)).fetchall()  # noqa: S608 - a constant
        if not found:
            return []  # an UPDATE that changes nothing would wait for the others' transactions
        rows = self.database.execute(f"UPDATE command SET undelivered = 1 {where} RETURNING id", (before_utc_ms,))  # noqa: S608 - a constant
        return [row[0] for row in rows.fetchall()]

    def reserve(self, epoch: bytes, gateway: str, stream: str, count: int) -> int:
        """Take the next `count` numbers of one of our own streams for good and give the first."""
        row = self.database.execute(
            "INSERT INTO counter VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET value = value + ?4 RETURNING value",
            (epoch, gateway, stream, count),
        ).fetchall()
        return int(row[0][0]) - count + 1

    def tallies(self) -> dict[str, int]:
        """Give every count that has been kept, over all the life of the file."""
        return dict(self.database.execute("SELECT name, value FROM tally").fetchall())

    def add_tallies(self, tallies: Mapping[str, int]) -> None:
        """Add to counts, within the transaction of what they count; they end at COUNT_MAX."""
        self.database.executemany(
            "INSERT INTO tally VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = min(value + ?2, ?3)",
            [(name, min(count, COUNT_MAX), COUNT_MAX) for name, count in tallies.items() if count],
        )

    def key_set_revision(self) -> int:
        """Give the highest revision of the gateways' keys that this centre has trusted, 0 before the first."""
        row = self.database.execute("SELECT revision FROM key_set WHERE taker = ?", (self.taker,)).fetchone()
        return 0 if row is None else int(row[0])

    def keep_key_set_revision(self, revision: int) -> None:
        """Keep the revision of the gateways' keys that is trusted now, where it is higher."""
        self.database.execute(
            "INSERT INTO key_set VALUES (?1, ?2) ON CONFLICT DO UPDATE SET revision = max(revision, ?2)",
            (self.taker, revision),
        )

    def births(self) -> list[tuple[str, bytes]]:
        """Give the last birth of each gateway."""
        return self.database.execute("SELECT gateway, payload FROM birth").fetchall()

    def lease(self, name: str, now_utc_ms: int, lasts_ms: int) -> bool:
        """Take or renew what one centre alone may hold at a time; give whether it is held now.

        One that its holder has not renewed is free, and so is one that a clock set back would hold for ever.
        """
        row = self.database.execute("SELECT holder, until_utc_ms FROM lease WHERE name = ?", (name,)).fetchone()
        if row is not None and row[0] != self.taker and now_utc_ms <= row[1] <= now_utc_ms + lasts_ms:
            return False
        with transaction(self.database):
            taken = self.database.execute(
                "INSERT INTO lease VALUES (?1, ?2, ?3 + ?4)"
                " ON CONFLICT DO UPDATE SET holder = ?2, until_utc_ms = ?3 + ?4"
                " WHERE holder = ?2 OR until_utc_ms < ?3 OR until_utc_ms > ?3 + ?4",
                (name, self.taker, now_utc_ms, lasts_ms),
            )
            return taken.rowcount == 1

    def release(self) -> None:
        """Give back every lease that is held."""
        self.database.execute("DELETE FROM lease WHERE holder = ?", (self.taker,))

    def _insert(self, stream: int, genuine: Genuine, when: int, brought: Brought) -> Outcome:
        header = genuine.header
        digest = cose.digest(genuine.blob)
        execute = self.database.execute
        there = execute(
            "SELECT digest FROM message WHERE stream = ? AND sequence = ?", (stream, header.sequence)
        ).fetchone()
        if there is not None:
            return Outcome.DUPLICATE if there[0] == digest else Outcome.CONFLICT
        execute(
            "INSERT INTO message (stream, sequence, content, digest, previous, schema, taker, arrived_utc_ms, blob)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stream,
                header.sequence,
                header.content,
                digest,
                header.previous,
                header.schema,
                self.taker,
                when,
                genuine.blob,
            ),
        )
        brought.settled.setdefault(stream, []).append((header.sequence, header.sequence))
        brought.tallies["chain_breaks"] += chain.follow(self.database, stream, header.sequence, header.previous, digest)
        contents.follow(self.database, genuine, when, brought)
        return Outcome.NEW

    def _number(self, key: StreamKey) -> int | None:
        query = "SELECT id FROM stream WHERE gateway = ? AND epoch = ? AND name = ?"
        row = self.database.execute(query, key).fetchone()
        return None if row is None else int(row[0])
