"""Whom the agent believes: the key set in use, what is wrong with its file, who signs with a key that was revoked."""

import logging
from collections.abc import Callable, Mapping

from gateway.wire.errors import RevokedKey
from gateway.wire.keys import KeySet
from gateway.wire.trust import Trust

log = logging.getLogger(__name__)

REVISION_MARK = "key_set_revision"
KIND = "keys"


class Trusting:
    """The keyring of the agent; `alarm` tells people when a key set is refused, or a revoked key is at work."""

    def __init__(self, trust: Trust, alarm: Callable[[str, str], None]) -> None:
        self._trust = trust
        self._alarm = alarm
        self._told: str | None = None
        self._at_work: set[str] = set()
        self.revoked = 0
        """Messages, truly signed with a revoked key, that were refused since the start."""

    def current(self) -> KeySet:
        """Give the keys that are trusted now; a file that cannot be used is told once."""
        keys = self._trust.current()
        failure = self._trust.failure
        if failure != self._told:
            self._told = failure
            if failure is not None:
                self._alarm(KIND, failure[:500])
        return keys

    def refused(self, error: RevokedKey) -> None:
        """Count what a revoked key has signed; the first of each key is an alarm."""
        self.revoked += 1
        text = str(error)
        if text not in self._at_work:
            self._at_work.add(text)
            self._alarm(KIND, text)

    def marks(self) -> Mapping[str, int]:
        """Give what the next start needs, so that an older file is not trusted then."""
        return {REVISION_MARK: self._trust.revision}

    def status(self, unproved: int) -> dict[str, object]:
        """Give the part of the status; `unproved` messages were refused for any other reason."""
        keys = self.current()
        trusted = sum(not key.is_revoked for key in keys.keys.values())
        failure = self._trust.failure
        text = f"{trusted} keys, revision {keys.revision}" if failure is None else failure
        if self.revoked:
            text += f"; {self.revoked} messages refused from revoked keys"
        return {
            "revision": keys.revision,
            "keys": trusted,
            "revoked": len(keys.keys) - trusted,
            "refused": unproved,
            "refused_revoked": self.revoked,
            "failure": failure,
            "text": text,
        }
