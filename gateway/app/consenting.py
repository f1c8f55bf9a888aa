"""Consents, given and withdrawn on the control socket: each opens or closes a scope of what may leave.

A consent counts once it is on the disk. A withdrawal counts at once: nothing more is gathered, what is in memory is
forgotten, and what is on the disk undelivered is deleted with the next commit, again and again until the disk has done
it. The centre is told which dwelling and which purpose; who said so and why stays here.

What leaves is what the site file says now, as far as the consent was given for it: a file that is widened later lets
out no more until the consent is given anew.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from buffer.errors import StorageError
from config.channel import Channel
from config.dwelling import Dwelling
from config.site import Site
from gateway.app import scopes
from gateway.app.gives import CONSENTED, CONSENTS
from gateway.clock import Clock, utc_ms_at
from gateway.control.routes import Call, Choice, Field, Refusal, Right, Route, Text, get
from gateway.outgoing import Consents, Outgoing, Scope
from gateway.outgoing.consents import MARK, Change
from gateway.outgoing.scope import SCHEMA, streams_of, tier_of
from gateway.sealing import Sealing, Store

log = logging.getLogger(__name__)

KIND = "consent"
_SITE_FILE = "the site file"

_LIST = "Every household, what it may consent to, what it has consented to, and the newest changes."
_CHANGE = "Give or withdraw a household's consent to a purpose: what may leave changes at once."
_SAID = (
    Field("consent", Choice(("given", "withdrawn")), "what is so from now on", is_needed=True),
    Field("who", Text(1, 80), "who says so, for the record: it stays here", is_needed=True),
    Field("reason", Text(1, 200), "on what ground, for the record: it stays here", is_needed=True),
)


class Consenting:
    """Keeps the consents of a site's dwellings, and what may leave in step with them.

    `forget` lets the link forget segments of streams that may no longer leave, `changed` is told after each change,
    `alarm` tells the centre and people.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        site: Site,
        channels: Iterable[Channel],
        *,
        store: Store,
        outgoing: Outgoing,
        sealing: Sealing,
        clock: Clock,
        forget: Callable[[Sequence[str]], None],
        changed: Callable[[], None],
        alarm: Callable[[str, str], None],
    ) -> None:
        self._dwellings = site.dwelling
        self._devices = {dwelling.name: dwelling.devices for dwelling in site.dwelling}
        self._scopes = scopes.dwellings(site, channels)
        self._store = store
        self._outgoing = outgoing
        self._sealing = sealing
        self._clock = clock
        self._forget = forget
        self._changed = changed
        self._alarm = alarm
        self._changing = asyncio.Lock()
        self._consents = Consents.read(store.outbox.marks().get(MARK))
        self._lapse()
        for key in self._scopes:
            covered = self._covered(key)
            if covered is not None:
                outgoing.open(covered)
            if any(self._uncovered(key).values()):
                log.warning("%s, %s: the site file asks for more than was consented to: it stays in", *key)
        # What an earlier site file, or a withdrawal that a power cut came into, has left.
        self._take_out(stream for stream in store.outbox.unsent() if not outgoing.permits(stream))

    def _lapse(self) -> None:
        """End the consents to what the site file no longer has: whoever gets that name later has not been asked."""
        for last in self._consents.last:
            if last.given and _key(last) not in self._scopes:
                now = utc_ms_at(self._clock, self._clock.boot_ms())
                change = Change(*_key(last), given=False, who=_SITE_FILE, reason="no longer in it", utc_ms=now)
                self._consents = self._consents.changed(change)
                log.warning("%s, %s: the consent ends, for the site file no longer has it", *_key(last))
                self._sealing.withdraw((), {MARK: self._consents.write()})

    def routes(self) -> tuple[Route, ...]:
        """Give what can be asked, and changed where there is something to consent to."""
        list_ = get("/v1/consents", _LIST, self._list, gives=CONSENTS)
        if not self._scopes:
            return (list_,)
        dwellings, purposes = (tuple(sorted(set(names))) for names in zip(*self._scopes, strict=True))
        body = (
            Field("dwelling", Choice(dwellings), "its name in the site file", is_needed=True),
            Field("purpose", Choice(purposes), "its name in the site file", is_needed=True),
            *_SAID,
        )
        return list_, Route("POST", "/v1/consents", Right.ACT, _CHANGE, self._change, body=body, gives=CONSENTED)

    def private(self) -> frozenset[str]:
        """Give the names of the dwellings without any consent, and of the devices that none covers: they stay here."""
        covered = {
            channel.device
            for key in self._scopes
            if (scope := self._covered(key)) is not None
            for channel in scope.channels
        }
        unnamed = {dwelling.name for dwelling in self._dwellings if not self._has_any(dwelling)}
        return frozenset(
            unnamed | {device for devices in self._devices.values() for device in devices if device not in covered}
        )

    def status(self) -> dict[str, int]:
        """Say how many households there are, have consented to something, and to less than the site file asks for."""
        return {
            "dwellings": len(self._dwellings),
            "consented": sum(self._has_any(dwelling) for dwelling in self._dwellings),
            "uncovered": len({key[0] for key in self._scopes if any(self._uncovered(key).values())}),
        }

    async def _list(self, _: Call) -> object:
        return {
            "dwellings": [
                {
                    "name": dwelling.name,
                    "devices": list(dwelling.devices),
                    "purposes": [
                        {
                            "name": purpose.name,
                            "tiers": list(self._scopes[dwelling.name, purpose.name].tiers),
                            "given": self._consents.given(dwelling.name, purpose.name),
                            "uncovered": self._uncovered((dwelling.name, purpose.name)),
                            "last": _told(self._consents.of(dwelling.name, purpose.name)),
                        }
                        for purpose in dwelling.purpose
                    ],
                }
                for dwelling in self._dwellings
            ],
            "changes": [_told(change) for change in self._consents.changes],
        }

    async def _change(self, call: Call) -> object:
        body = {name: str(value) for name, value in call.body.items()}
        key = (body["dwelling"], body["purpose"])
        if key not in self._scopes:
            raise Refusal(404, "that dwelling has no such purpose in the site file; /v1/consents lists those there are")
        given = body["consent"] == "given"
        async with self._changing:
            change = Change(
                *key,
                given=given,
                who=body["who"],
                reason=body["reason"],
                utc_ms=utc_ms_at(self._clock, self._clock.boot_ms()),
                tiers=self._scopes[key].tiers if given else (),
                devices=self._devices[key[0]] if given else (),
            )
            stored = await (self._give(change) if given else self._withdraw(change))
        return {"dwelling": change.dwelling, "purpose": change.purpose, "given": given, "stored": stored}

    async def _give(self, change: Change) -> bool:
        last, before = self._consents.of(*_key(change)), self._covered(_key(change))
        if last is not None and last.covers_as(change):
            return True
        consents = self._consents.changed(change)
        if self._sealing.withdrawing:
            raise Refusal(503, "not given: an earlier withdrawal is not on the disk yet")
        try:
            await self._store.call(self._store.outbox.commit, [], {MARK: consents.write()})
        except StorageError as error:
            raise Refusal(503, f"not given: {error}") from error
        self._consents = consents
        covered = self._covered(_key(change))
        if covered is not None and covered != before:
            self._outgoing.open(covered)
        self._sealing.urgent()
        self._tell(change)
        return True

    async def _withdraw(self, change: Change) -> bool:
        was_given = self._consents.given(change.dwelling, change.purpose)
        if was_given:
            # Said first: once nothing is consented to, the centre is told of this dwelling no more.
            self._tell(change)
            self._consents = self._consents.changed(change)
        self._outgoing.close(self._scopes[change.dwelling, change.purpose])
        self._take_out(streams_of(change.dwelling, change.purpose))
        if was_given:
            self._changed()
        await self._sealing.settled()
        return not self._sealing.withdrawing

    def _take_out(self, streams: Iterable[str]) -> None:
        gone = tuple(streams)
        if not gone:
            return
        self._forget(gone)
        # A schema that was withdrawn unsent is announced anew with the next consent.
        schemas = {stream: "" for stream in gone if tier_of(stream) == SCHEMA}
        self._sealing.withdraw(gone, {**schemas, MARK: self._consents.write()})

    def _tell(self, change: Change) -> None:
        text = f"{change.dwelling}, {change.purpose}: {'given' if change.given else 'withdrawn'}"
        self._alarm(KIND, text)
        if change.given:
            self._changed()

    def _covered(self, key: scopes.Key) -> Scope | None:
        """Give what may leave: what the site file says now, as far as it was consented to; None if nothing."""
        last, scope = self._consents.of(*key), self._scopes[key]
        if last is None or not last.given:
            return None
        channels = tuple(channel for channel in scope.channels if channel.device in last.devices)
        tiers = tuple(tier for tier in scope.tiers if tier in last.tiers)
        return replace(scope, channels=channels, tiers=tiers) if channels and tiers else None

    def _uncovered(self, key: scopes.Key) -> dict[str, list[str]]:
        """Give what the site file asks for now and a consent that was given does not cover."""
        last = self._consents.of(*key)
        if last is None or not last.given:
            return {"tiers": [], "devices": []}
        return {
            "tiers": [tier for tier in self._scopes[key].tiers if tier not in last.tiers],
            "devices": [device for device in self._devices[key[0]] if device not in last.devices],
        }

    def _has_any(self, dwelling: Dwelling) -> bool:
        return any(self._consents.given(dwelling.name, purpose.name) for purpose in dwelling.purpose)


def _key(change: Change) -> tuple[str, str]:
    return change.dwelling, change.purpose


def _told(change: Change | None) -> Mapping[str, Any] | None:
    return (
        None
        if change is None
        else {
            "dwelling": change.dwelling,
            "purpose": change.purpose,
            "given": change.given,
            "who": change.who,
            "reason": change.reason,
            "utc_ms": change.utc_ms,
            "tiers": list(change.tiers),
            "devices": list(change.devices),
        }
    )
