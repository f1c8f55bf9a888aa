"""The gateways' keys, read anew when their file changes: a key that is added or revoked counts without a restart."""

import logging
import os
from pathlib import Path

from gateway.centre.judge import Judge
from gateway.wire.errors import KeyFileError
from gateway.wire.keys import KeySet

log = logging.getLogger(__name__)


class Keyring:
    """Holds the judge over the keys in `path`; raises KeyFileError where they cannot be read at the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _state(path)
        self.judge = Judge(KeySet.load(path))
        self.trouble: str | None = None

    def refresh(self) -> None:
        """Read the file again if it is another one; one with mistakes changes nothing, and is said to have them."""
        seen = _state(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.judge = Judge(KeySet.load(self._path))
        except KeyFileError as error:
            self.trouble = str(error)
            log.error("the gateways' keys stay as they were: %s", error)  # noqa: TRY400 - the text says it all
        else:
            self.trouble = None
            log.info("the gateways' keys were read anew: %d gateways", len(self.judge.gateways()))


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a fact of the file, no part of a path
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
