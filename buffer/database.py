"""The connection and the two ways to use it: a transaction that is whole or did not happen, and a plain read.

After a write that the card refused, a file system may keep what is written next for its memory alone: ext4 leaves
blocks marked as never written, says "synced", and shows zeros after the next start. So whatever comes after such an
error first makes the database anew, in a file of fresh blocks (`renewal`).
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from buffer import moving, renewal, schema
from buffer.errors import StorageDamaged, StorageError, StorageFull
from buffer.standin import StandIn
from buffer.walindex import WalIndex

CHECKPOINT_FRAMES = 100
"""Pages in the WAL from which on it is carried over into the database: one that wraps early spares the card."""

MOST_RENEWALS = 3
"""Times in a row that a copy may fail on a card that took the first bytes of it."""


class Database:
    """A connection of `schema.open_database`; counts the times that the card refused."""

    def __init__(self, path: Path, opened: sqlite3.Connection | StandIn) -> None:
        self.path = path
        self._stand_in = opened if isinstance(opened, StandIn) else None
        self.failures = 0
        self.last_failure: str | None = None
        self.renewals = 0
        """How often the database was made anew after a write that failed."""
        self._connection: sqlite3.Connection | None = opened.connection if isinstance(opened, StandIn) else opened
        self._index = WalIndex(path)
        self._is_suspect = False
        self._failed_renewals = 0
        self._is_open = False
        self._counted: StorageError | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of now; may raise StorageError where it was lost while the database was made anew."""
        if self._connection is None:
            self._connection = renewal.reopen(self.path) if self._stand_in is None else self._stand_in.hold()
        return self._connection

    @property
    def refusal(self) -> str | None:
        """Why nothing can be written yet, because the card did not let us open the file."""
        return None if self._stand_in is None else self._stand_in.refusal

    def open_again(self, epoch: bytes) -> None:
        """Open what the card refused at the start; raise StorageError while it does.

        Raises StorageDamaged where it is not the database that this process began with, whose epoch was `epoch`.
        """
        if self._stand_in is None:
            return
        with self.errors("opening"):
            try:
                fresh = self._opened_again(self._stand_in, epoch)
            except StorageError as error:
                self._stand_in.refused(error)
                raise
        self._connection, self._stand_in = fresh, None

    def _opened_again(self, stand_in: StandIn, epoch: bytes) -> sqlite3.Connection:
        stand_in.probe()
        stand_in.let_go()
        self._connection = None  # what is asked meanwhile, or after this has failed, takes the file up again
        try:
            # What a damaged one had to be replaced by, and that it was, only a start tells, and goes on with.
            fresh, _ = schema.open_database(self.path, may_replace=False)
        except StorageDamaged as error:
            raise StorageDamaged(f"{error}: only a new start can go on with it") from error
        except StorageError as error:
            raise StorageError(str(error)) from error  # nothing that is in use is damaged
        try:
            if stand_in.becomes(fresh, epoch):
                return fresh
        except sqlite3.Error:
            fresh.close()
            raise
        fresh.close()
        raise StorageDamaged(f"{self.path}: can be opened now, and only a new start can go on with it")

    def close(self) -> None:
        """Let go of the file; where a write had failed, whole if the card allows it."""
        if self._is_suspect:
            with contextlib.suppress(StorageError), self.errors("closing"):
                self._renew()
        with contextlib.suppress(StorageError):
            self.connection.close()
        self._index.close()
        moving.let_go(self.path)

    @contextlib.contextmanager
    def transaction(self, doing: str) -> Iterator[None]:
        """All or nothing: commit what the block did, or undo it whatever was raised; StorageError says it failed.

        Within a block of another one, what it did counts when that one ends, and is undone alone where it fails.
        """
        if self._is_open:
            with self._part(doing):
                yield
            return
        self._is_open = True
        try:
            with self._whole(doing):
                yield
        finally:
            self._is_open = False

    @contextlib.contextmanager
    def _part(self, doing: str) -> Iterator[None]:
        with self.errors(doing):
            self.connection.execute("SAVEPOINT part")
            try:
                yield
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK TO part")
                    self.connection.execute("RELEASE part")
                raise
            self.connection.execute("RELEASE part")

    @contextlib.contextmanager
    def _whole(self, doing: str) -> Iterator[None]:
        with self.errors(doing):
            if self._stand_in is not None:
                raise StorageError(self._stand_in.refusal)
            if self._is_suspect:
                self._renew()
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self.connection.execute("COMMIT")
                except BaseException:
                    if self.connection.in_transaction:  # SQLite itself may have undone it, on a full disk
                        self.connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                self._is_suspect = self._is_suspect or schema.is_io_error(error)
                raise
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Carry a WAL that has grown over into the database. What was committed is safe without; but errors tell."""
        try:
            frames = self._index.frames()
            if frames is None or frames >= CHECKPOINT_FRAMES:
                self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            self._is_suspect = self._is_suspect or schema.is_io_error(error)
            self._failed(schema.storage_error(error, self.path, "carrying over"))

    def _renew(self) -> None:
        """Make the database anew; where there is no room for a second one, or it fails again and again, use this one.

        A card that takes a little and never a whole copy is better than none.
        """
        with contextlib.suppress(StorageFull):
            renewal.probe(self.path)
            if self._copied():
                old = self.connection
                renewal.displace(self.path)
                self._connection = None
                old.close()
                self.renewals += 1
        self._failed_renewals = 0
        self._is_suspect = False

    def _copied(self) -> bool:
        try:
            renewal.copy(self.connection, self.path)
        except (StorageDamaged, StorageFull):
            raise
        except StorageError:
            self._failed_renewals += 1
            if self._failed_renewals < MOST_RENEWALS:
                raise
            return False
        return True

    @contextlib.contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn what the card did to us into StorageError, and count it."""
        try:
            yield
        except sqlite3.Error as error:
            if not schema.is_storage_error(error):
                raise  # a wrong statement, or a use after close: a bug, not the card
            raise self._failed(schema.storage_error(error, self.path, doing)) from error
        except StorageError as error:
            raise self._failed(error) from error.__cause__

    def _failed(self, error: StorageError) -> StorageError:
        if error is not self._counted:  # else it comes out of a transaction within one
            self.failures += 1
            self.last_failure = str(error)
        self._counted = error
        return error
