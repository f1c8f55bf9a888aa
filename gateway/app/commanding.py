"""Load control, joined: messages to the reception, orders to the executor, heartbeats to the link."""

import asyncio
import logging
from collections.abc import Callable

from config.site import Site
from drivers.ports import Meter
from gateway.app import status
from gateway.app.devices import Devices
from gateway.clock import Clock
from gateway.commands.admission import Settings
from gateway.commands.command import Decision, LocalOrder
from gateway.commands.confirm import Power
from gateway.commands.executor import Executor
from gateway.commands.intake import Ruling
from gateway.commands.journal import Journal
from gateway.commands.optout import OptOut
from gateway.commands.outside import Outside
from gateway.commands.pace import RealPace
from gateway.commands.reception import Reception
from gateway.latest import Latest
from gateway.shedding.effect import MeterPower
from gateway.shedding.link import Settings as LinkSettings
from gateway.shedding.overrun import Overrun
from gateway.shedding.overrun import Settings as OverrunSettings
from gateway.shedding.supervision import Supervision
from gateway.uplink.settings import Inbound
from gateway.wire.errors import RevokedKey
from gateway.wire.trust import Keyring

log = logging.getLogger(__name__)

MOST_WAITING = 64
"""Messages that wait to be verified; no honest centre sends so many at once, and one that is lost is issued again."""

KEPT_ON = 0
"""Priority of a load that an overrun never sheds."""

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
        keys: Keyring,
        revoked: Callable[[RevokedKey], None],
        clock: Clock,
        latest: Latest,
        published: Callable[[int, bytes], None],
        alarm: Callable[[str, str], None],
    ) -> None:
        self._clock = clock
        self._alarm = alarm
        self._power = [MeterPower(latest.get, f"{site.shedding.meter}.{label}") for label in POWER_LABELS]
        self._meter = next((meter for meter in devices.linky if meter.name == site.shedding.meter), None)
        self._overrun = _overrun(devices) if site.shedding.overrun else None
        self._waiting: asyncio.Queue[Inbound] = asyncio.Queue(MOST_WAITING)
        self._decisions: asyncio.Queue[Decision] = asyncio.Queue()
        pace = RealPace(clock)
        self._link = Supervision(
            clock=clock,
            pace=pace,
            settings=LinkSettings(
                lost_ms=int(site.centre.heartbeat_lost_s * 1000), failsafe_ms=int(site.centre.failsafe_h * 3_600_000)
            ),
            boot_nonce=journal.boot_nonce,
            running=self._running,
            tell=lambda state: log.info("the link to the centre: %s", state.replace("_", " ")),
        )
        self._executor = Executor(
            gateway=site.gateway.id,
            loads=[(resource, devices.switches[resource.name]) for resource in devices.resources],
            journal=journal,
            clock=clock,
            pace=pace,
            settings=Settings(
                enabled=site.shedding.enabled,
                max_duration_s=site.shedding.max_duration_s,
                start_spread_s=site.shedding.start_spread_s,
                release_spread_s=site.shedding.release_spread_s,
                effect_after_s=site.shedding.effect_after_s,
            ),
            outside=Outside(
                power=self._drawn, published=published, alarm=alarm, admits=self._link.admits, link_up=self._link.up
            ),
        )
        self._reception = Reception(
            gateway=site.gateway.id,
            keys=keys,
            journal=journal,
            executor=self._executor,
            clock=clock,
            heard=self._link.command,
            revoked=revoked,
        )

    def take(self, message: Inbound) -> None:
        """Take a message of the topic of commands, as it came."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("more than %d commands at once: one is dropped, unread", MOST_WAITING)

    def heartbeat(self, issuer: str, epoch: bytes, sequence: int, boot_nonce: bytes) -> None:
        """Note a heartbeat whose signature is good."""
        self._link.heartbeat(issuer, epoch, sequence, boot_nonce)

    def metered(self, meter: Meter) -> None:
        """Look whether the Linky that was just read tells an overrun, or the end of one."""
        if self._overrun is None or self._meter is None or meter is not self._meter:
            return
        decision = self._overrun.seen(over=self._meter.overrun, now_ms=self._clock.boot_ms())
        if decision is not None:
            self._decisions.put_nowait(decision)

    @property
    def unproved(self) -> int:
        """How many messages on the topic of commands could not be proved since the start."""
        return self._reception.unproved

    async def run(self) -> None:
        """Take up what was being shed, then carry orders out until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._executor.run(), name="executor")
            group.create_task(self._receive(), name="reception")
            group.create_task(self._decide(), name="overrun")
            group.create_task(self._link.run(), name="link")

    async def order(self, order: LocalOrder) -> Ruling:
        """Have an order of someone on site carried out, say at once whether it is, and tell the centre of it."""
        ruling = await self._executor.submit(order)
        if ruling.accepted:
            lasts = f" for {order.duration_s} s" if order.duration_s else ""
            self._alarm(order.operation.value, f"{order.target}{lasts}, by the {order.role}: {order.reason}")
        return ruling

    def opt_outs(self) -> tuple[OptOut, ...]:
        """Give who has opted out."""
        return self._executor.opt_outs()

    def status(self) -> status.Json:
        """Say what is held back, how the link to the centre stands, and whether a shed of his would be considered."""
        admits = self._link.admits()
        running, now_ms = self._executor.shedding(), self._clock.boot_ms()
        return {**status.shedding(self._link.state.value, running, now_ms, heard=admits), "admits": admits}

    async def _receive(self) -> None:
        while True:
            message = await self._waiting.get()
            await self._reception.receive(message.payload, retained=message.retained)

    async def _decide(self) -> None:
        while True:
            await self._executor.submit(await self._decisions.get())

    def _running(self) -> bool:
        return self._executor.running()

    def _drawn(self) -> Power | None:
        """Give what the Linky last said that the building draws, in VA; None where no meter is to prove anything."""
        return max((p for p in (power() for power in self._power) if p), key=lambda p: p.boot_ms, default=None)


def _overrun(devices: Devices) -> Overrun:
    return Overrun(OverrunSettings(tuple(r.name for r in devices.resources if r.priority != KEPT_ON)))
