"""Renews the certificates of gateways that are enrolled already, from an authority in a folder. A `Handler`.

Who asks has signed with a key that the centre takes from that gateway, and the request inside proves both keys. So no
person is asked; a gateway that is revoked cannot ask, and none gets more than a few a day.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.centre.ca.authority import Authority, AuthorityError
from gateway.centre.ca.issue import DAYS, Kind
from gateway.centre.judge import Genuine
from gateway.enrolment.request import Request, RequestError, read
from gateway.wire.enrolling import Issued, Renewal
from gateway.wire.trust import LOOK_EACH_S

log = logging.getLogger(__name__)

MOST_A_DAY = 5
BELIEVED_AFTER_S = LOOK_EACH_S + 1
_REASON = 256


class Issuing:
    """Issues from the authority in `folder`, for `days` each; `now` is for tests."""

    CONTENT = Renewal.CONTENT
    """Of the question that it answers."""

    def __init__(
        self,
        folder: Path,
        *,
        passphrase: bytes | None = None,
        days: float = DAYS,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """Open the authority once, to see that it can be; raise AuthorityError."""
        self._folder = folder
        self._passphrase = passphrase
        self._days = days
        self._now = now
        self._open().close()

    async def __call__(self, genuine: Genuine) -> tuple[str, bytes] | None:
        """Give content and payload of the answer, None where there is nobody to answer; raise MalformedMessage."""
        gateway = genuine.header.gateway
        try:
            asked = read(Renewal.decode(genuine.payload).request)
        except RequestError as error:
            log.warning("%s asks for a certificate, and its request is none: %s", gateway, error)
            return None
        if asked.gateway != gateway:
            log.warning("%s asks for a certificate of %s", gateway, asked.gateway)
            return None
        answer, believed = await asyncio.to_thread(self._answer, asked)
        if believed:
            # The gateway signs with the new key as soon as it is told: every centre must have read it by then.
            await asyncio.sleep(BELIEVED_AFTER_S)
        if answer.refused:
            log.warning("%s gets no certificate: %s", gateway, answer.refused)
        return Issued.CONTENT, answer.encode()

    def _answer(self, asked: Request) -> tuple[Issued, bool]:
        """Give the answer, and whether a new signing key is believed from now on."""
        try:
            with closing(self._open()) as authority:
                now = self._now()
                self._hold(authority, asked, now)
                granted = authority.grant(asked, now, cause="renewal", days=self._days)
        except AuthorityError as error:
            return Issued(asked.key, asked.key_id, refused=_printable(str(error))), False
        log.info("%s has a certificate until %s", asked.gateway, f"{granted.facts.ends:%Y-%m-%d}")
        certificates = tuple(each.public_bytes(Encoding.DER) for each in granted.chain)
        return Issued(asked.key, asked.key_id, certificates), granted.believed

    def _open(self) -> Authority:
        # Anew each time: renewals are rare, an operator may be at it too, and SQLite wants one thread.
        return Authority.open(self._folder, passphrase=self._passphrase)

    @staticmethod
    def _hold(authority: Authority, asked: Request, now: dt.datetime) -> None:
        """Raise AuthorityError for a gateway that this authority did not enrol, or that asks too often."""
        known = [each for each in authority.issued() if each.name == asked.gateway and each.kind == Kind.GATEWAY]
        if not known:
            raise AuthorityError("this authority has not enrolled the gateway: enrol it by hand first")
        day = now.timestamp() - 86_400
        lately = [each for each in known if each.cause == "renewal" and each.issued > day and each.key != asked.key]
        if len(lately) >= MOST_A_DAY:
            raise AuthorityError(f"{MOST_A_DAY} certificates a day are enough: try again tomorrow")


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:_REASON]
