"""The history of the page, joined: what rolls readings up, keeps them, and makes them again where they were lost."""

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

from buffer.errors import StorageDamaged, StorageError
from buffer.outbox import Outbox
from config.channel import Channel
from config.site import Site
from gateway.app import status
from gateway.app.freshness import Freshness
from gateway.app.keeping import Keeping, kept_hours
from gateway.app.opening import OUTBOX
from gateway.app.rebuilding import Rebuilding, Unit, unit_of
from gateway.clock import SystemClock
from gateway.counting import reaches
from gateway.historian import Historian
from gateway.periods import zone_of
from gateway.sealing import Store

log = logging.getLogger(__name__)

UNITS = "history_units"
"""The mark that keeps what the history's numbers mean: channel -> unit, exponent."""


class Remembering:
    """The historian of a site and what keeps its work in `store`."""

    def __init__(
        self, site: Site, channels: Iterable[Channel], freshness: Freshness, store: Store, clock: SystemClock
    ) -> None:
        channels = tuple(channels)
        self.zone = zone_of(site.gateway.timezone)
        reach, hours_kept = reaches(channels, freshness.channels), kept_hours(site.storage.retention_days)
        self._store = store
        self._units = {each.name: unit_of(each) for each in channels if not each.is_text}
        self.historian = Historian(self.zone, reach)
        self.keeping = Keeping(self.historian, store, clock, hours_kept=hours_kept)
        self._rebuilding = Rebuilding(
            site.storage.directory / OUTBOX,
            store,
            clock,
            self.zone,
            reach,
            units=self._units,
            hours_kept=hours_kept,
            settled_s=2 * site.storage.seal_down_s + site.storage.journal_s,
            given_up=lambda: self.historian.given_up,
        )

    async def run(self) -> None:
        """Keep the history until cancelled, and make again what is missing of it."""
        try:
            await self._store.call(keep_units, self._store.outbox, self._units)
        except StorageDamaged:
            raise
        except StorageError as error:
            log.warning("history: %s", error)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rebuilding.run(), name="the history made again")
            group.create_task(self.keeping.run(), name="history")

    def status(self) -> dict[str, Any]:
        """Say how it is."""
        return status.history(self.keeping, self.historian, self._rebuilding)


def keep_units(outbox: Outbox, units: dict[str, Unit]) -> None:
    """Note what the numbers of channels mean, on the outbox's thread; where that has changed, begin their history anew.

    The history knows numbers alone: those of before would be shown in the units of now, ten or a thousand times off.
    """
    said = outbox.marks().get(UNITS)
    known: dict[str, Unit] = {
        name: (unit, exponent) for name, (unit, exponent) in json.loads(str(said or "{}")).items()
    }
    changed = {name for name, unit in units.items() if known.get(name, unit) != unit}
    with outbox.together("noting units"):
        if changed:
            log.warning("history: begun anew, for another unit: %s", ", ".join(sorted(changed)))
            outbox.history.retire(changed)
        outbox.commit([], {UNITS: json.dumps({**known, **units}, separators=(",", ":"))})
