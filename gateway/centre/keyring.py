"""The gateways' keys, read anew when their file changes: a key that is added or revoked counts without a restart.

The highest revision of the file that was trusted stands in the store: after a restart an older copy of it, in which a
key is not revoked yet, is not trusted.
"""

from pathlib import Path

from gateway.centre.judge import Judge
from gateway.wire.trust import Trust


class Keyring:
    """Holds the judge over the keys in `path`; raises KeyFileError where they cannot be read at the start."""

    def __init__(self, path: Path) -> None:
        # Each time: a gateway that was enrolled a moment ago says its birth once, and would not be heard.
        self._trust = Trust(path, look_each_s=0.0)
        self._keys = self._trust.current()
        self._judge = Judge(self._keys)

    @property
    def judge(self) -> Judge:
        """The judge over the keys that are trusted now."""
        keys = self._trust.current()
        if keys is not self._keys:
            self._keys, self._judge = keys, Judge(keys)
        return self._judge

    @property
    def revision(self) -> int:
        """The highest revision that was trusted; looks whether the file has changed."""
        self._trust.current()
        return self._trust.revision

    def not_below(self, revision: int) -> None:
        """Trust no lower revision than one of an earlier life."""
        self._trust.not_below(revision)

    @property
    def failure(self) -> str | None:
        """Why the file is not used as it is; None where it is."""
        return self._trust.failure
