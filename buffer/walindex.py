"""How far the WAL has grown, as its index (PATH-shm) tells, https://sqlite.org/walformat.html#walidxfmt.

The file stays open: whoever closes one gives up every lock that his process has on it, SQLite's too. Then the next
process that looks into the database takes itself for the only one, and empties the index under our feet (SIGBUS).
"""

import os
import struct
from pathlib import Path

_FRAMES = struct.Struct("=16xI")


class WalIndex:
    """The index of the database at `path`, for one connection at a time; `close` after that is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-shm")
        self._file: int | None = None

    def frames(self) -> int | None:
        """Give the number of frames in the WAL, None where it cannot be told."""
        try:
            if self._file is None or os.fstat(self._file).st_ino != self._path.stat().st_ino:
                self.close()  # of a database that was displaced, where there is one
                self._file = os.open(self._path, os.O_RDONLY)
            return int(_FRAMES.unpack(os.pread(self._file, _FRAMES.size, 0))[0])
        except (OSError, struct.error):
            return None

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
