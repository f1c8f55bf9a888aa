"""What the centre says that is no command: receipts, resend requests, heartbeats, the time. Verified, then passed on.

Signature, role, audience, epoch and a rising sequence come first; a message that fails is counted, said once, and moves
nothing. Commands go to `gateway.commands.verify` instead, whole and unopened.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.wire import contents, cose
from gateway.wire.errors import RevokedKey, WireError
from gateway.wire.messages import Heartbeat, Receipt, Resend, TimeReply
from gateway.wire.trust import Keyring

log = logging.getLogger(__name__)

LIMIT = 16 * 1024
"""Bytes of the longest message on `receipt`; an honest one has some 300."""

Readers = Mapping[str, Callable[[cose.Verified, str], None]]
"""Content -> what is done with a verified message of a named issuer."""


class Hears(Protocol):
    """What is done with each; all return at once."""

    def receipt(self, receipt: Receipt) -> None:
        """Mark what the centre has committed."""

    def resend(self, resend: Resend) -> None:
        """Send a range again."""

    def heartbeat(self, heartbeat: Heartbeat, issuer: str, header: cose.Header) -> None:
        """Note that the centre, known as `issuer`, is alive."""

    def time(self, reply: TimeReply) -> None:
        """Take the centre's time."""


class Mailbox:
    """Verifies what comes for `gateway` on the topic of a stream with the keys of a role, and passes it on.

    `revoked` is told of what a revoked key has signed.
    """

    def __init__(  # noqa: PLR0913 - what a message is held against
        self,
        gateway: str,
        keyring: Keyring,
        readers: Readers,
        *,
        stream: str,
        role: str,
        revoked: Callable[[RevokedKey], None],
    ) -> None:
        self._gateway = gateway
        self._keyring = keyring
        self._readers = readers
        self._stream = stream
        self._role = role
        self._revoked = revoked
        self._highest: dict[tuple[bytes, bytes, str], int] = {}
        self.refused = 0

    def take(self, message: bytes) -> None:
        """Take one message as it came; whatever it is, this returns."""
        try:
            self._take(message)
        except RevokedKey as error:
            self._revoked(error)
        except WireError as error:
            self.refused += 1
            # Once: a stranger must not be able to fill the log.
            if self.refused == 1:
                log.warning("a message on the topic %s was refused: %s", self._stream, error)

    def _take(self, message: bytes) -> None:
        keys = self._keyring.current()
        verified = keys.verify(message, self._role, limit=LIMIT)
        header = verified.header
        if header.gateway != self._gateway or header.stream != self._stream:
            raise WireError(f"a message for {header.gateway!r}, stream {header.stream!r}, is not for us")
        if header.epoch != keys.keys[header.key_id].epoch:
            raise WireError(f"key {header.key_id!r} counts in another epoch than our key set says")
        reader = self._readers.get(header.content)
        if reader is None:
            raise WireError(contents.unknown(header.content, self._readers))
        contents.hold_place(header)
        # Whatever the broker or a stranger repeats was said before, and an old heartbeat must not count as a new one.
        # A centre that begins anew counts from one again, under an epoch that the key set must name.
        # By content, because a heartbeat (QoS 0) may overtake a receipt (QoS 1) that the broker has queued.
        counter = (header.key_id, header.epoch, header.content)
        if header.sequence <= self._highest.get(counter, 0):
            raise WireError(f"message {header.sequence} of {header.key_id!r} came again, or late")
        self._highest[counter] = header.sequence
        reader(verified, keys.issuer_of(header.key_id))


class Inbound(Mailbox):
    """Verifies what comes on the topic `receipt`, and tells it to who `hears`."""

    def __init__(
        self, gateway: str, keyring: Keyring, hears: Hears, revoked: Callable[[RevokedKey], None] = lambda _: None
    ) -> None:
        readers: Readers = {
            Receipt.CONTENT: lambda said, _: hears.receipt(Receipt.decode(said.payload)),
            Resend.CONTENT: lambda said, _: hears.resend(Resend.decode(said.payload)),
            Heartbeat.CONTENT: lambda said, issuer: hears.heartbeat(
                Heartbeat.decode(said.payload), issuer, said.header
            ),
            TimeReply.CONTENT: lambda said, _: hears.time(TimeReply.decode(said.payload)),
        }
        super().__init__(gateway, keyring, readers, stream="receipt", role="receipt", revoked=revoked)
