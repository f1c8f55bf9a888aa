"""Load control, joined: messages to the reception, orders to the executor, heartbeats to the link."""

import asyncio
import logging
from collections.abc import Callable

from config.site import Site
from drivers.reading import Quality
from gateway.app import status
from gateway.app.devices import Devices
from gateway.clock import Clock
from gateway.commands.admission import Settings
from gateway.commands.confirm import Power
from gateway.commands.executor import Executor
from gateway.commands.journal import Journal
from gateway.commands.outside import Outside
from gateway.commands.pace import RealPace
from gateway.commands.reception import Heard, Reception
from gateway.latest import Latest
from gateway.uplink.settings import Inbound
from gateway.wire.keys import KeySet

log = logging.getLogger(__name__)

MOST_WAITING = 64
"""Messages that wait to be verified; no honest centre sends so many at once, and one that is lost is issued again."""

POWER_LABELS = ("sinsts", "papp")
"""Apparent power drawn, in standard and in historique mode; which one comes depends on the line."""


class Commanding:
    """Everything between the topic of commands and the switches; `published` sends an answer, `alarm` tells people."""

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        site: Site,
        devices: Devices,
        journal: Journal,
        *,
        keys: KeySet,
        clock: Clock,
        latest: Latest,
        published: Callable[[int, bytes], None],
        alarm: Callable[[str, str], None],
    ) -> None:
        self._clock = clock
        self._latest = latest
        self._meter = site.shedding.meter
        self._waiting: asyncio.Queue[Inbound] = asyncio.Queue(MOST_WAITING)
        self._executor = Executor(
            gateway=site.gateway.id,
            loads=[(resource, devices.switches[resource.name]) for resource in devices.resources],
            journal=journal,
            clock=clock,
            pace=RealPace(clock),
            settings=Settings(
                enabled=site.shedding.enabled,
                max_duration_s=site.shedding.max_duration_s,
                start_spread_s=site.shedding.start_spread_s,
                release_spread_s=site.shedding.release_spread_s,
                effect_after_s=site.shedding.effect_after_s,
            ),
            outside=Outside(power=self._power, published=published, alarm=alarm),
        )
        self._reception = Reception(
            gateway=site.gateway.id, keys=keys, journal=journal, executor=self._executor, clock=clock, heard=self._heard
        )

    def take(self, message: Inbound) -> None:
        """Take a message of the topic of commands, as it came."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("more than %d commands at once: one is dropped, unread", MOST_WAITING)

    def heartbeat(self) -> None:
        """Note a verified heartbeat of the centre."""

    async def run(self) -> None:
        """Take up what was being shed, then carry orders out until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._executor.run(), name="executor")
            group.create_task(self._receive(), name="reception")

    def status(self) -> status.Json:
        """Say what is held back, and how the link to the centre stands."""
        return status.shedding("", self._executor.shedding(), self._clock.boot_ms())

    async def _receive(self) -> None:
        while True:
            message = await self._waiting.get()
            await self._reception.receive(message.payload, retained=message.retained)

    def _heard(self, heard: Heard) -> None:
        raise NotImplementedError

    def _power(self) -> Power | None:
        """Give what the Linky last said that the building draws, in VA; None where no meter is to prove anything."""
        readings = (self._latest.get(f"{self._meter}.{label}") for label in POWER_LABELS)
        newest = max((r for r in readings if r is not None), key=lambda r: r.boot_ms, default=None)
        if newest is None or not isinstance(newest.value, int):
            return None
        return Power(newest.value, newest.boot_ms, trustworthy=newest.quality is Quality.OK)
