"""The agent's status, asked of every room at the moment that somebody wants to know."""

from collections.abc import Callable
from dataclasses import dataclass, field

from config.site import Site
from gateway.app import status
from gateway.app.commanding import Commanding
from gateway.app.consenting import Consenting
from gateway.app.devices import Devices
from gateway.app.freshness import Freshness
from gateway.app.inbound import Inbound
from gateway.app.meterclock import MeterClock
from gateway.app.metering import Metering
from gateway.app.renewing import Renewing
from gateway.app.trusting import Trusting
from gateway.clock import Clock
from gateway.latest import Latest
from gateway.sealing import Sealing
from gateway.uplink.worker import Uplink


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """Where the status comes from; made when the agent starts."""

    site: Site
    clock: Clock
    sealing: Sealing
    consenting: Consenting
    uplink: Uplink
    commanding: Commanding
    latest: Latest
    devices: Devices
    metering: Metering
    meter_clock: MeterClock
    freshness: Freshness
    trusting: Trusting
    centre: Inbound
    renewing: Renewing
    remembering: Callable[[], status.Json]
    started_ms: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "started_ms", self.clock.boot_ms())

    async def status(self) -> status.Json:
        """Give what the control socket serves as /v1/status."""
        now = self.clock.boot_ms()
        stats = await self.sealing.stats()
        return {
            "gateway": self.site.gateway.id,
            "name": self.site.gateway.name,
            "version": status.program(),
            "boot_ms": now,
            "up_ms": now - self.started_ms,
            "clock": {**status.clock(self.clock), "meters": self.meter_clock.compared()},
            "link": status.link(self.uplink.state),
            "outbox": status.outbox(stats, self.sealing, now - self.started_ms),
            "history": self.remembering(),
            "consents": self.consenting.status(),
            "shedding": self.commanding.status(),
            "certificate": self.renewing.status(),
            "trust": self.trusting.status(self.commanding.unproved + self.centre.refused),
            "readings_taken": self.latest.taken,
            "meters": status.meters(
                self.devices.meters,
                self.metering.supervised,
                self.metering.first_read_ms,
                self.latest.device_read_at,
                {linky.name: linky.counters for linky in self.devices.linky},
                stale_after_ms=self._stale_after_ms(),
                rates={linky.name: linky.rates for linky in self.devices.linky},
            ),
            "channels": status.channels(self.latest.all(), now),
        }

    def _stale_after_ms(self) -> dict[str, int]:
        """Give the age at which each meter's newest value is stale; a Linky's line tells itself how fast it is."""
        return {**self.freshness.meters, **{linky.name: linky.stale_after_ms for linky in self.devices.linky}}
