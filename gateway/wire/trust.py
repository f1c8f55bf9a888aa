"""The keys that are trusted now: read again when their file changes, so that a rotation needs no restart.

A file with mistakes, or of a lower revision than one seen before, changes nothing and is said to be wrong: a key that
was revoked does not come back by an old copy of the file.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet

log = logging.getLogger(__name__)

LOOK_EACH_S = 2.0


class Keyring(Protocol):
    """Where the trusted keys come from; a KeySet is one that never changes."""

    def current(self) -> KeySet:
        """Give the keys that are trusted now."""


class Trust:
    """The keys in `path`; `revision` is the highest seen in earlier lives, below which nothing is taken."""

    def __init__(
        self,
        path: Path,
        *,
        revision: int = 0,
        look_each_s: float = LOOK_EACH_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file; raise KeyFileError where it cannot be used, but for a revision that is too low.

        That one leaves no key trusted until the file is right: who restarts with an old copy must still be able to do
        everything that needs no trust.
        """
        self._path = path
        self._look_each_s = look_each_s
        self._now_s = now_s
        self._seen = _state(path)
        self._looked_s = now_s()
        self._keys = KeySet({}, revision)
        self.failure: str | None = None
        """Why the file is not used as it is; None where it is."""
        self._take(KeySet.load(path))

    @property
    def revision(self) -> int:
        """The highest revision that was trusted."""
        return self._keys.revision

    def not_below(self, revision: int) -> None:
        """Take no lower revision than one that was trusted in an earlier life, and forget a file that is lower."""
        if self._keys.revision < revision:
            lower, self._keys = self._keys, KeySet({}, revision)
            self._take(lower)

    def current(self) -> KeySet:
        """Give the keys that are trusted now; looks at the file every `look_each_s` seconds at most."""
        now_s = self._now_s()
        if now_s - self._looked_s >= self._look_each_s:
            self._looked_s = now_s
            self.look()
        return self._keys

    def look(self) -> None:
        """Read the file again if it is another one."""
        seen = _state(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            keys = KeySet.load(self._path)
        except KeyFileError as error:
            self._fail(str(error))
        else:
            self._take(keys)

    def _take(self, keys: KeySet) -> None:
        if keys.revision < self._keys.revision:
            self._fail(
                f"{self._path}: revision {keys.revision}, where {self._keys.revision} was trusted before: install the "
                "newest file; to go back on purpose, give it a higher revision"
            )
            return
        self.failure = None
        self._keys = keys
        revoked = sum(key.is_revoked for key in keys.keys.values())
        log.info("%s: revision %d, %d keys, %d revoked", self._path, keys.revision, len(keys.keys), revoked)

    def _fail(self, why: str) -> None:
        self.failure = why
        log.warning("%s: %s", "the trusted keys stay as they are" if self._keys.keys else "no key is trusted", why)


def _state(path: Path) -> tuple[int, ...] | None:
    """Give what changes when a file is replaced or written; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a fact of the file
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
