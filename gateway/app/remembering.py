"""The history of the page, joined: what rolls readings up, keeps them, and makes them again where they were lost."""

import asyncio
from collections.abc import Iterable
from typing import Any

from config.channel import Channel
from config.site import Site
from gateway.app import status
from gateway.app.freshness import Freshness
from gateway.app.keeping import Keeping, kept_hours
from gateway.app.opening import OUTBOX
from gateway.app.rebuilding import Rebuilding
from gateway.clock import SystemClock
from gateway.counting import reaches
from gateway.historian import Historian
from gateway.periods import zone_of
from gateway.sealing import Store


class Remembering:
    """The historian of a site and what keeps its work in `store`."""

    def __init__(
        self, site: Site, channels: Iterable[Channel], freshness: Freshness, store: Store, clock: SystemClock
    ) -> None:
        self.zone = zone_of(site.gateway.timezone)
        reach, hours_kept = reaches(channels, freshness.channels), kept_hours(site.storage.retention_days)
        self.historian = Historian(self.zone, reach)
        self.keeping = Keeping(self.historian, store, clock, hours_kept=hours_kept)
        self._rebuilding = Rebuilding(
            site.storage.directory / OUTBOX,
            store,
            clock,
            self.zone,
            reach,
            hours_kept=hours_kept,
            settled_s=2 * site.storage.seal_down_s + site.storage.journal_s,
            given_up=lambda: self.historian.given_up,
        )

    async def run(self) -> None:
        """Keep the history until cancelled, and make again what is missing of it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rebuilding.run(), name="the history made again")
            group.create_task(self.keeping.run(), name="history")

    def status(self) -> dict[str, Any]:
        """Say how it is."""
        return status.history(self.keeping, self.historian, self._rebuilding)
