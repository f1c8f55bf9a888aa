"""Who may come in: passwords and one-time codes judged, counted, audited; a session for whoever is right.

The one place where store, throttle and hashing meet; how it is asked and told stands in `access`.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Collection
from typing import NoReturn, TypeVar

from gateway.web import password
from gateway.web.password import Busy, Hashing
from gateway.web.store import Session, Store
from gateway.web.throttle import Throttle

log = logging.getLogger(__name__)

T = TypeVar("T")


class Wrong(Exception):
    """The password or the code is not the right one."""


class TooOften(Exception):
    """Too many were wrong: the next attempt is let through in `wait_s` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__()
        self.wait_s = math.ceil(wait_s)


class Doorkeeper:
    """Lets in whoever knows the password or the one-time code; a method may raise Wrong, TooOften, Busy, StoreError.

    `names` are what the building and the box are called, and no passwords.
    """

    def __init__(self, store: Store, names: Collection[str] = ()) -> None:
        self._store = store
        self._names = names
        self._throttle = Throttle(store)
        self._hashing = Hashing()

    async def is_first_use(self) -> bool:
        """Tell whether no password is set yet."""
        return await asyncio.to_thread(self._store.password) is None

    def fault(self, new: str) -> str | None:
        """Give the key of the words that say why a new password is refused, None if it is taken."""
        return password.fault(new, self._names)

    async def log_in(self, address: str, given: str) -> str:
        """Give the secret of a new session for the password."""
        await self._judge(address, given, "login")
        return await self._come_in(address, "login", "password")

    async def first_use(self, address: str, code: str, new: str) -> str:
        """Set the password with the one-time code, which replaces a forgotten one too; give a session's secret."""
        await self._attempt(address)
        if not await asyncio.to_thread(self._store.fits, code):
            await self._was_wrong(address, "first use", "wrong one-time code")
        hashed = await self._unless_busy(address, self._hashing.hash(new))
        if not await asyncio.to_thread(self._store.use_code, code, hashed):
            await self._was_wrong(address, "first use", "one-time code used by another")
        await self._tell("password set", address, "with a one-time code; all sessions ended")
        return await self._come_in(address, "login", "one-time code")

    async def change(self, address: str, current: str, new: str) -> str:
        """Set another password for whoever knows this one; all sessions end, and the secret of a new one is given."""
        await self._judge(address, current, "change of password")
        hashed = await self._unless_busy(address, self._hashing.hash(new))
        await asyncio.to_thread(self._store.set_password, hashed)
        await self._tell("password set", address, "by its owner; all sessions ended")
        return await self._come_in(address, "login", "new password")

    async def log_out(self, address: str, session: Session) -> None:
        """End a session."""
        await asyncio.to_thread(self._store.end_session, session)
        await self._tell("logout", address, "")

    async def _judge(self, address: str, given: str, what: str) -> None:
        await self._attempt(address)
        stored = await asyncio.to_thread(self._store.password)
        if not await self._unless_busy(address, self._hashing.fits(given, stored)) or stored is None:
            await self._was_wrong(address, what, "wrong password")
        if password.is_weak(stored):
            renewed = await self._unless_busy(address, self._hashing.hash(given))
            await asyncio.to_thread(self._store.renew_hash, stored, renewed)

    async def _attempt(self, address: str) -> None:
        wait_s = await asyncio.to_thread(self._throttle.attempt, address)
        if wait_s:
            raise TooOften(wait_s)

    async def _unless_busy(self, address: str, hashing: Awaitable[T]) -> T:
        try:
            return await hashing
        except Busy:
            await asyncio.to_thread(self._throttle.not_judged, address)
            raise

    async def _was_wrong(self, address: str, what: str, why: str) -> NoReturn:
        log.warning("%s refused from %s: %s", what, address, why)
        await self._tell(f"{what} failed", address, why)
        raise Wrong

    async def _come_in(self, address: str, kind: str, how: str) -> str:
        await asyncio.to_thread(self._throttle.succeeded, address)
        secret = await asyncio.to_thread(self._store.begin_session)
        await self._tell(kind, address, how)
        return secret

    async def _tell(self, kind: str, address: str, text: str) -> None:
        await asyncio.to_thread(self._store.audit, kind, address, text)
