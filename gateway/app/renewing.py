"""Renews the certificate: asks the centre in time, takes its answer, and lets the next one follow the one in use.

Everything that is under way stands on the disk (gateway.enrolment.places), so a restart goes on where the last one was:
a next key without its certificate is asked for, a next certificate is tried, and what was tried and taken takes the
place of the old one. Files are touched in another thread. How often things are done follows the certificate's life: one
of 398 days is asked for each hour, and is an alarm after a day; one of some minutes, each few seconds.
"""

import asyncio
import datetime as dt
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.app.showing import Showing
from gateway.clock import Clock
from gateway.enrolment import box, renewal
from gateway.enrolment.certificates import CertificateError
from gateway.enrolment.places import PlaceError, Places
from gateway.enrolment.request import RequestError
from gateway.wire.enrolling import Issued
from gateway.wire.keys import SigningKey

log = logging.getLogger(__name__)

KIND = "certificate"
"""Of the alarms."""

STATES = ("ok", "asked", "due", "changing", "refused", "ended", "missing")

LOOK_S = 2.0
REFUSALS_MOST = 8
"""So often a next certificate may be refused before another one is asked for."""

_SHORTEST_MS, _LONGEST_MS = 5_000, 3_600_000
_LIFE_SHARE, _PATIENCE, _AFTER_A_REFUSAL = 400, 24, 6


@dataclass(frozen=True, slots=True)
class Ways:
    """What renewing does in other rooms; all return at once.

    `ask` publishes a request, `reconnect` makes the connection anew, `alarm` tells people, `sign_with` has everything
    signed with another key from now on. `connected` tells whether there is a connection.
    """

    ask: Callable[[bytes], None]
    reconnect: Callable[[str], None]
    alarm: Callable[[str, str], None]
    sign_with: Callable[[SigningKey], None]
    connected: Callable[[], bool]


class Renewing:
    """Sees to the certificate of `places`; `run` it once. `showing` is the uplink's."""

    def __init__(self, places: Places, clock: Clock, key: SigningKey, ways: Ways) -> None:
        self._places = places
        self._clock = clock
        self._ways = ways
        self._key_id = key.key_id
        self._woken = asyncio.Event()
        self._answers: deque[Issued] = deque(maxlen=8)
        # At once, and not when `run` begins: the first connection is made with what is there.
        self._stamp = renewal.stamp(places)
        self._seen = _logged(renewal.see(places))
        self._wanted = self._wanted_signing = False
        self._ask_at_ms = 0
        self._due_since_ms: int | None = None
        self._alarm_at_ms = 0
        self._told: str | None = None
        self.failure: str | None = None
        """What stands in the way now."""
        self.showing = Showing(places, clock.boot_ms, self._woken.set, lambda: self._pause_ms)
        self.showing.see(self._seen.identity)

    def heard(self, issued: Issued) -> None:
        """Take an answer of the centre, which has been verified."""
        self._answers.append(issued)
        self._woken.set()

    def want(self, *, signing: bool) -> None:
        """Ask for a new certificate soon, whatever the old one's age; with a new signing key where that is wanted."""
        self._wanted = True
        self._wanted_signing = self._wanted_signing or signing
        self._ask_at_ms = 0
        self._woken.set()

    async def run(self) -> None:
        """Look, ask and change until cancelled."""
        while True:
            self._woken.clear()
            await self.step()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def step(self) -> None:
        """Do what is to be done now."""
        try:
            await self._look()
            await self._follow()
            while self._answers:
                await self._take(self._answers.popleft())
            await self._ask()
        except (PlaceError, RequestError) as error:
            self._fail(str(error))
        self._tell_if_late()

    async def _look(self) -> None:
        """See what is on the disk, if it is another than before; have it shown where the broker knows another."""
        if await asyncio.to_thread(renewal.stamp, self._places) != self._stamp:
            self._seen = _logged(await asyncio.to_thread(renewal.see, self._places))
            self._stamp = await asyncio.to_thread(renewal.stamp, self._places)
            self.showing.see(self._seen.identity)
            self._sign_with(self._seen.signing)
        wanted, in_use = self.showing.wanted, self.showing.in_use
        if wanted is not None and in_use not in {None, wanted.facts.fingerprint}:
            self._ways.reconnect(f"connecting anew, with the certificate that lasts until {wanted.facts.ends:%Y-%m-%d}")

    async def _follow(self) -> None:
        """Let the next certificate take the place of the one in use, or go, as the broker has decided."""
        following = self._seen.identity.next
        if following is None:
            return
        if self.showing.proven:
            await asyncio.to_thread(renewal.follow, self._places)
            log.info("the new certificate is in use, until %s", f"{following.facts.ends:%Y-%m-%d}")
            self._wanted = False
            self._due_since_ms = self.failure = self._told = None
            await self._look()
        elif self.showing.refused is not None:
            self._fail(f"the broker refuses the new certificate, the old one serves on: {self.showing.refused}")
            if self.showing.refusals >= REFUSALS_MOST:
                await asyncio.to_thread(renewal.drop, self._places)
                await self._look()

    async def _take(self, issued: Issued) -> None:
        """Do what the centre has answered, if it is the answer to what was asked here."""
        if issued.key != self._seen.next_key:
            log.info("a certificate came that nobody here asks for")
            return
        if issued.refused is not None:
            self._wait(_AFTER_A_REFUSAL)
            self._fail(f"the centre gives no new certificate: {issued.refused}")
            return
        try:
            await asyncio.to_thread(renewal.keep, self._places, issued, self._now() or dt.datetime.now(dt.UTC))
        except CertificateError as error:
            self._wait(_AFTER_A_REFUSAL)
            self._fail(f"the certificate that the centre sent is of no use: {error}")
            return
        self.failure = None
        await self._look()

    async def _ask(self) -> None:
        """Ask the centre, if that is due and there is a way to it."""
        if self._is_due() and self._due_since_ms is None:
            self._due_since_ms = self._clock.boot_ms()
            self._alarm_at_ms = self._due_since_ms + _PATIENCE * self._pause_ms
        if not (self._is_due() or self._wanted or self._wanted_signing or self._seen.next_key):
            return
        is_time = self._clock.boot_ms() >= self._ask_at_ms
        if self._seen.identity.next is not None or not is_time or not self._ways.connected():
            return
        self._wait(1)
        signing = (self._wanted_signing or self._seen.next_signing) and not self._places.key_id
        asked = await asyncio.to_thread(box.ask, self._places, new_key=True, new_signing=signing)
        await self._look()
        self._ways.ask(asked.message)

    def _wait(self, pauses: int) -> None:
        self._ask_at_ms = self._clock.boot_ms() + pauses * self._pause_ms

    def _is_due(self) -> bool:
        now, current = self._now(), self._seen.identity.current
        return now is not None and current is not None and now >= current.facts.due

    def _tell_if_late(self) -> None:
        """Tell people, once a day, that our certificate ends and no other comes."""
        current, now_ms = self._seen.identity.current, self._clock.boot_ms()
        if self._due_since_ms is None or current is None or now_ms < self._alarm_at_ms:
            return
        self._alarm_at_ms = now_ms + _PATIENCE * self._pause_ms
        why = self.failure or "the centre has not answered"
        ends = f"{current.facts.ends:%Y-%m-%d}"
        text = f"ours ends on {ends} and no other came: {why}; by hand: gateway cert csr --new-key"
        self._ways.alarm(KIND, text)

    def _fail(self, text: str) -> None:
        """Note what stands in the way; what is new about it is an alarm."""
        self.failure = text
        if text != self._told:
            self._told = text
            self._ways.alarm(KIND, text)

    def _sign_with(self, key: SigningKey | None) -> None:
        """Sign with the key that is on the disk now, if it is another one than before."""
        if key is not None and key.key_id != self._key_id:
            log.info("from now on %s signs", key.key_id.decode())
            self._key_id = key.key_id
            self._wanted_signing = False
            self._ways.sign_with(key)

    @property
    def _pause_ms(self) -> int:
        """How long the centre may take to answer, and the like: a 400th of the certificate's life, an hour at most."""
        current = self._seen.identity.current
        if current is None:
            return _LONGEST_MS
        life_ms = round((current.facts.ends - current.facts.begins).total_seconds() * 1_000)
        return min(max(life_ms // _LIFE_SHARE, _SHORTEST_MS), _LONGEST_MS)

    def _now(self) -> dt.datetime | None:
        """Give the time, None while nobody knows it well enough to judge a certificate."""
        now_ms = self._clock.boot_ms()
        known = self._clock.correlation()
        if known is None or not known.is_trusted_at(now_ms):
            return None
        return dt.datetime.fromtimestamp(known.utc_ms_at(now_ms) / 1_000, dt.UTC)

    def status(self) -> dict[str, object]:
        """Give the part of the status."""
        current, following, now = self._seen.identity.current, self._seen.identity.next, self._now()
        gone = None if current is None or now is None else round(current.facts.life_gone(now) * 100)
        state = self._state(now)
        return {
            "state": state,
            "begins_utc_ms": None if current is None else _ms(current.facts.begins),
            "ends_utc_ms": None if current is None else _ms(current.facts.ends),
            "fingerprint": None if current is None else current.facts.fingerprint,
            "life_gone_percent": gone,
            "next_ends_utc_ms": None if following is None else _ms(following.facts.ends),
            "signing_key": self._key_id.decode(),
            "failure": self.failure,
            "text": self._text(state, gone),
        }

    def _state(self, now: dt.datetime | None) -> str:
        current = self._seen.identity.current
        if current is None:
            return "missing"
        if now is not None and current.facts.ends <= now:
            return "ended"
        if self._seen.identity.next is not None:
            return "refused" if self.showing.refused else "changing"
        if self._is_due():
            return "due"
        return "asked" if self._wanted or self._seen.next_key else "ok"

    def _text(self, state: str, gone: int | None) -> str:
        current, following = self._seen.identity.current, self._seen.identity.next
        if current is None:
            return self._seen.identity.wrong or "none that can be read"
        text = f"until {current.facts.ends:%Y-%m-%d}" + ("" if gone is None else f", {gone} % of its life gone")
        if state == "ended":
            text = f"ended on {current.facts.ends:%Y-%m-%d}"
        if following is not None:
            text += f"; the next, until {following.facts.ends:%Y-%m-%d}, waits for the broker"
        elif state in {"due", "asked"}:
            text += "; a new one is asked for"
        return text if self.failure is None else f"{text}; {self.failure}"


def _logged(seen: renewal.Seen) -> renewal.Seen:
    for text in filter(None, (seen.done, seen.failure)):
        log.warning("%s", text)
    return seen


def _ms(when: dt.datetime) -> int:
    return round(when.timestamp() * 1_000)
