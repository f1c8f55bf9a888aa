"""What a centre does by itself: receipts for what is committed, requests for what is missing, heartbeats.

Of several centres on one store and one broker, the one that is on duty sends heartbeats and requests; each receipts
what it took. When the one on duty falls silent another takes over, with numbers above all that were used before. A
second broker has a centre on duty of its own: nobody else is heard there.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from gateway.centre import decode
from gateway.centre.contents import StreamKey
from gateway.centre.dispatch import Dispatch, now_utc_ms
from gateway.centre.errors import StoreUnavailable, StoreUnusable
from gateway.centre.keeper import Keeper
from gateway.centre.keyring import Keyring
from gateway.centre.receipts import RANGES_MAX, RESEND_MAX, Gathering, Holes, receipt
from gateway.centre.settings import CentreSettings
from gateway.centre.signer import Signer
from gateway.centre.standing import Standing
from gateway.centre.store import Store
from gateway.centre.voice import Voice
from gateway.wire.messages import Birth, Receipt, Resend

_TICK_S = 1.0
_LEASE_MIN_MS = 2_000
_AGAIN_S = 1.0


class Duties:
    """The loops of one centre; `connected` is set while there is a connection."""

    def __init__(  # noqa: PLR0913 - the ports of what goes by itself, each named
        self,
        *,
        settings: CentreSettings,
        keeper: Keeper,
        keyring: Keyring,
        standing: Standing,
        signer: Signer,
        voice: Voice,
        dispatch: Dispatch,
    ) -> None:
        self._settings = settings
        self._keeper = keeper
        self._keyring = keyring
        self._standing = standing
        self._signer = signer
        self._voice = voice
        self._dispatch = dispatch
        self._holes = Holes(round(settings.gap_after_s * 1_000))
        self._gathering = Gathering(round(settings.receipt_after_s * 1_000), round(settings.receipt_late_s * 1_000))
        self._committed = asyncio.Event()
        self._beat_now = asyncio.Event()
        # Whoever takes over does so before a heartbeat is due.
        self._lease_ms = max(_LEASE_MIN_MS, round(settings.heartbeat_s * 1_000 / 3))
        self._renewed_ms = 0
        self._revision = 0
        self._duty = f"duty at {settings.host}:{settings.port}"
        self.connected = asyncio.Event()

    async def begin(self) -> None:
        """Take the signing key for this centre alone, and the duty if it is free; raise StoreUnusable."""
        await self._lease()

    def receipt(self, due: Iterable[StreamKey]) -> None:
        """Let these streams be receipted soon."""
        self._gathering.committed(due, _now_ms())
        self._committed.set()

    async def born(self, gateway: str, birth: Birth) -> None:
        """Greet a boot of a gateway that has just shown its birth."""
        if self._standing.on_duty:
            await self._voice.heartbeat(gateway, birth)

    async def send_receipts(self) -> None:
        """Send what is due, gathered for a while, for ever."""
        while True:
            due = self._gathering.take(_now_ms())
            if due:
                await self._send_receipts(due)
            due_ms = self._gathering.next_ms()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due_ms is None else max(0, due_ms - _now_ms()) / 1_000):
                    await self._committed.wait()
            self._committed.clear()

    async def last_receipts(self) -> None:
        """Send what waits to be gathered, before this centre leaves: its gateways would send all of it again."""
        if self.connected.is_set():
            with suppress(StoreUnavailable):
                due = self._gathering.all()
                await self._voice.receipts(await self._keeper.do(partial(_receipts, due=due)))

    async def _send_receipts(self, due: set[StreamKey]) -> None:
        try:
            made = await self._keeper.do(partial(_receipts, due=due))
            unsent = await self._voice.receipts(made)
        except StoreUnavailable:
            unsent = due
            await asyncio.sleep(_AGAIN_S)
        if unsent:
            await self.connected.wait()
            self._gathering.again(unsent, _now_ms())

    async def beat(self) -> None:
        """Send heartbeats, for ever."""
        while True:
            self._beat_now.clear()
            for gateway, birth in list(self._standing.births.items()):
                if self.connected.is_set() and self._standing.on_duty:
                    with suppress(StoreUnavailable):
                        await self._voice.heartbeat(gateway, birth)
                    await asyncio.sleep(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._beat_now.wait(), self._settings.heartbeat_s)

    async def tick(self) -> None:
        """Look what is missing, who is on duty and whether keys have changed, for ever."""
        while True:
            with suppress(StoreUnavailable):
                await self._lease()
                await self._remember()
                await self._ask()
            await asyncio.sleep(_TICK_S)

    async def _remember(self) -> None:
        """Keep which revision of the gateways' keys is trusted: after a restart an older file must not be."""
        revision = self._keyring.revision
        if revision > self._revision:
            await self._keeper.do(lambda store: store.keep_key_set_revision(revision))
            self._revision = revision

    async def _lease(self) -> None:
        now_ms = now_utc_ms()
        if abs(now_ms - self._renewed_ms) < self._lease_ms // 3:
            return
        self._renewed_ms = now_ms
        key = self._signer.key_id.decode("utf-8", "replace")
        if not await self._keeper.do(lambda store: store.lease(f"key {key}", now_ms, self._lease_ms)):
            raise StoreUnusable(
                f"signing key {key}: another centre on this store signs with it, and gateways would ignore what "
                "comes from both: give each centre its own"
            )
        on_duty = await self._keeper.do(lambda store: store.lease(self._duty, now_ms, self._lease_ms))
        if on_duty and not self._standing.on_duty:
            self._signer.renew()  # gateways ignore what does not rise, and another centre has counted meanwhile
            self._beat_now.set()
        self._standing.on_duty = on_duty

    async def _ask(self) -> None:
        now_ms = _now_ms()
        self._standing.gaps = await self._keeper.do(Store.missing)
        asked = await self._keeper.do(
            partial(wanted, holes=self._holes, now_ms=now_ms, undecoded=self._standing.undecoded > 0)
        )
        if self._standing.on_duty and self.connected.is_set():
            for (gateway, _, _), resend in asked:
                await self._voice.resend(gateway, resend)
            await self._dispatch.watch()


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _receipts(store: Store, due: Iterable[StreamKey]) -> list[tuple[StreamKey, Receipt]]:
    return [(key, receipt(key, store.coverage(key, RANGES_MAX + 1))) for key in due]


def wanted(store: Store, holes: Holes, now_ms: int, *, undecoded: bool) -> list[tuple[StreamKey, Resend]]:
    """Give what is to be asked for now; with `undecoded` also schemas that are lacking."""
    gaps = list(store.gaps())
    known = {key for key, _ in gaps}
    lacking = decode.lacking(store) if undecoded else ()
    # How far these go nobody knows: they are asked for from their beginning.
    gaps += [(key, (low, low + RESEND_MAX - 1)) for key, (low, _) in lacking if key not in known]
    return list(holes.due(gaps, now_ms))
