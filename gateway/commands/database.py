"""The command database itself, for one thread: SQLite in WAL mode, every transaction synced.

A database that cannot be read is moved aside, and the new one says that everything has to be released. Where the card
takes no writes, a copy in memory stands in, `durable` is False and nothing can be committed: what was held is given
back, what runs goes on to its end, no order is taken. Where there is none to be read either, an empty one in memory
stands in, which says that everything has to be released. `open_again` ends both. Answers are signed when they are
stored and chained as stream `ack`. The event loop's side is `journal`, the file's `file`.
"""

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from gateway.commands import rows
from gateway.commands.change import AnswerPlace, Arrival, Change, Entry, Kept, Sign
from gateway.commands.errors import StartAgainError, StorageError
from gateway.commands.file import copied, is_none, left_behind, move_aside, prepared, probe, save
from gateway.commands.verify import BUILD_UTC_MS, Standing
from gateway.wire.messages import Answer

_EPOCH_BYTES = 8
_NONCE_BYTES = 16
_KEPT = 10_000
"""Finished commands, known messages and receipted answers that are kept: years of orders, some megabytes."""

_FORGET = (
    "DELETE FROM command WHERE over AND number < (SELECT max(number) FROM command) - ?",
    "DELETE FROM answer WHERE receipted AND sequence < (SELECT max(sequence) FROM answer) - ?",
)


class Database:
    """One command database; every method may raise StorageError, `__init__` only if another process holds it."""

    def __init__(self, path: Path, boot_id: bytes, sign: Sign) -> None:
        self._path = path
        self._sign = sign
        self.moved_aside: Path | None = None
        self.durable = True
        self._refusal: str | None = None
        """Why nothing can be committed, where a copy stands in."""
        self.boot_id = boot_id
        self._db = self._open(path)
        try:
            self._identify()
        except sqlite3.Error as error:  # a full card
            self._db.close()
            self._db = self._stand_in(error)
            self._identify()

    def _identify(self) -> None:
        self.epoch = self._meta("epoch", os.urandom(_EPOCH_BYTES))
        if self._meta("boot_id", self.boot_id) != self.boot_id:
            self._put("boot_id", self.boot_id)
            self._put("boot_nonce", os.urandom(_NONCE_BYTES))
        self.boot_nonce = self._meta("boot_nonce", os.urandom(_NONCE_BYTES))

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            self.moved_aside = left_behind(path)
            return prepared(str(path), replaced=self.moved_aside is not None)
        except OSError as error:
            return self._stand_in(error)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StorageError(
                    f"{path}: another process holds the command database; only one agent may run"
                ) from error
            return self._stand_in(error)
        except sqlite3.DatabaseError as error:
            try:
                self.moved_aside = move_aside(path)
                return prepared(str(path), replaced=True)
            except (sqlite3.Error, OSError):
                return self._stand_in(error)

    def _stand_in(self, error: sqlite3.Error | OSError) -> sqlite3.Connection:
        self.durable = False
        copy = copied(self._path)
        if copy is None:
            return prepared(":memory:", replaced=True)
        self._refusal = f"command database: {error}; is the disk full, read-only or worn out?"
        return copy

    def open_again(self) -> None:
        """Open what could not be opened; raise StorageError while it cannot, StartAgainError where that is no use."""
        if self.durable:
            return
        try:
            opened = self._opened_again()
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"command database: {error}; is the disk full, read-only or worn out?") from error
        if opened is None:
            raise StartAgainError(f"{self._path}: can be written now, and only a new start can go on with it")
        self._db.close()
        self._db, self.durable, self._refusal = opened, True, None

    def _opened_again(self) -> sqlite3.Connection | None:
        """Open the file, if it is what stands in here; None where only a start knows what to do with it."""
        probe(self._path)
        # An empty one in memory has gone its own way: it becomes the file, but where there is one already.
        is_ours = self._refusal is not None or is_none(self._path)
        if self._refusal is None and is_ours:
            save(self._db, self._path)
        try:
            opened = prepared(str(self._path), replaced=False)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged: a start moves it aside
            return None
        try:
            if is_ours and self._taken_up(opened) == self.epoch:
                return opened
        except sqlite3.Error:
            opened.close()
            raise
        opened.close()
        return None

    def _taken_up(self, opened: sqlite3.Connection) -> bytes:
        """Write down which boot this is, as a start does, and give the epoch."""
        opened.execute("BEGIN IMMEDIATE")
        values = [("boot_id", self.boot_id), ("boot_nonce", self.boot_nonce)]
        opened.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)
        opened.execute("COMMIT")
        found: bytes = opened.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0]
        return found

    def _meta(self, name: str, default: bytes) -> bytes:
        """Give what is stored under a name, storing the default where there is nothing."""
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, default))
        found: bytes = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0]
        return found

    def _put(self, name: str, value: bytes | int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _number(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def commit(self, change: Change) -> list[tuple[int, bytes]]:
        """Store one Change, synced; give its answers, signed, with their sequence numbers; raise StorageError."""
        if self._refusal is not None:
            raise StorageError(self._refusal)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                signed = self._store(change)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StorageError(f"command database: {error}; is the disk full or worn out?") from error
        return signed

    def _store(self, change: Change) -> list[tuple[int, bytes]]:
        db = self._db
        for entry in change.entries:
            db.execute(
                "INSERT INTO command (id, over, body) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET over = excluded.over, body = excluded.body",
                (entry.id, entry.over, entry.body),
            )
        # OR IGNORE: the value to restore is the first one, whatever a later order believes.
        db.executemany("INSERT OR IGNORE INTO load VALUES (?, ?)", change.hold.items())
        db.executemany("DELETE FROM load WHERE name = ?", [(name,) for name in change.free])
        db.executemany(
            "INSERT OR REPLACE INTO switched VALUES (?, ?, ?)",
            [(name, self.boot_id, boot_ms) for name, boot_ms in change.switched.items()],
        )
        for target, body in change.opt_outs.items():
            db.execute("DELETE FROM optout WHERE target = ?", (target,))
            if body is not None:
                db.execute("INSERT INTO optout VALUES (?, ?)", (target, body))
        if change.arrival is not None:
            self._arrived(change.arrival)
        if change.floor_utc_ms is not None and change.floor_utc_ms > self._number("floor"):
            self._put("floor", change.floor_utc_ms)
        if change.all_released:
            self._put("release_all", 0)
        told = [(answer, answer.command_id) for answer in change.answers] + [(aside, "") for aside in change.asides]
        return [self._answer(answer, about) for answer, about in told]

    def _arrived(self, arrival: Arrival) -> None:
        row = (arrival.issuer, arrival.epoch, arrival.sequence)
        self._db.execute("INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?)", (*row, arrival.digest))
        self._db.execute(
            "INSERT INTO issuer VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET high = max(high, excluded.high)", row
        )
        self._db.execute(
            "DELETE FROM message WHERE issuer = ? AND epoch = ? AND sequence < ?", (*row[:2], arrival.sequence - _KEPT)
        )
        for forget in _FORGET:
            self._db.execute(forget, (_KEPT,))

    def _answer(self, answer: Answer, about: str) -> tuple[int, bytes]:
        sequence = self._number("ack_sequence") + 1
        place = AnswerPlace(self.epoch, sequence, self._meta("ack_previous", bytes(32)))
        blob = self._sign(place, answer.encode())
        self._db.execute("INSERT INTO answer (sequence, command_id, blob) VALUES (?, ?, ?)", (sequence, about, blob))
        self._put("ack_sequence", sequence)
        self._put("ack_previous", hashlib.sha256(blob).digest())
        return sequence, blob

    def standing(self, issuer: str, epoch: bytes, sequence: int) -> Standing:
        """Tell what is known of an issuer and of the message under that number."""
        high = self._db.execute("SELECT high FROM issuer WHERE issuer = ? AND epoch = ?", (issuer, epoch)).fetchone()
        known = self._db.execute(
            "SELECT digest FROM message WHERE issuer = ? AND epoch = ? AND sequence = ?", (issuer, epoch, sequence)
        ).fetchone()
        return Standing(
            high[0] if high else None, known[0] if known else None, bool(self._number("replaced")), self._floor()
        )

    def _floor(self) -> int:
        return max(self._number("floor"), BUILD_UTC_MS)

    def kept(self) -> Kept:
        """Give what a start has to take up again."""
        db = self._db
        entries = db.execute("SELECT id, over, body FROM command WHERE NOT over ORDER BY number").fetchall()
        # Of another boot nothing is known but that the load switched at some time before this one began.
        switched = db.execute("SELECT name, iif(boot_id = ?, boot_ms, 0) FROM switched", (self.boot_id,)).fetchall()
        return Kept(
            tuple(Entry(name, bool(over), body) for name, over, body in entries),
            dict(db.execute("SELECT name, original FROM load").fetchall()),
            dict(switched),
            rows.opt_outs(db),
            self._floor(),
            bool(self._number("release_all")),
        )

    def entry(self, command_id: str) -> Entry | None:
        """Give what is stored about a command, finished or not."""
        return rows.entry(self._db, command_id)

    def newest(self, limit: int, before: int) -> list[tuple[int, Entry]]:
        """Give the newest commands whose number is under `before`, the newest first, with their numbers."""
        return rows.newest(self._db, limit, before)

    def last_answer(self, command_id: str) -> tuple[int, bytes] | None:
        """Give the newest answer about a command, as it was sent."""
        row = self._db.execute(
            "SELECT sequence, blob FROM answer WHERE command_id = ? ORDER BY sequence DESC LIMIT 1", (command_id,)
        ).fetchone()
        return (row[0], row[1]) if row else None

    def answers_pending(self, limit: int, after: int) -> list[tuple[int, bytes]]:
        """Give the oldest answers above `after` that the centre has not receipted."""
        return self._db.execute(
            "SELECT sequence, blob FROM answer WHERE NOT receipted AND sequence > ? ORDER BY sequence LIMIT ?",
            (after, limit),
        ).fetchall()

    def answers_received(self, epoch: bytes, upto: int, ranges: Sequence[tuple[int, int]]) -> int:
        """Take a receipt of the centre; give how many answers are newly done, none for another epoch."""
        if epoch != self.epoch:
            return 0
        done = "UPDATE answer SET receipted = 1 WHERE NOT receipted AND sequence BETWEEN ? AND ?"
        return sum(self._write(done, first, last) for first, last in ((0, upto), *ranges))

    def answers_again(self, epoch: bytes, first: int, last: int) -> int:
        """Make answers pending again that the centre asks for; give how many are still here."""
        if epoch != self.epoch:
            return 0
        return self._write("UPDATE answer SET receipted = 0 WHERE receipted AND sequence BETWEEN ? AND ?", first, last)

    def _write(self, statement: str, *values: int) -> int:
        try:
            return self._db.execute(statement, values).rowcount
        except sqlite3.Error as error:
            raise StorageError(f"command database: {error}; is the disk full or worn out?") from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()
