"""The connection and the two ways to use it: a transaction that is whole or did not happen, and a plain read."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from buffer import schema
from buffer.errors import StorageError


class Database:
    """A connection of `schema.open_database`; counts the times that the card refused."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.failures = 0
        self.last_failure: str | None = None
        self._is_open = False

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
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # SQLite itself may have undone it, on a full disk
                    self.connection.execute("ROLLBACK")
                raise

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
            raise self._failed(error) from None

    def _failed(self, error: StorageError) -> StorageError:
        self.failures += 1
        self.last_failure = str(error)
        return error
