"""The agent of one building: every room opened, joined to its neighbours, and run in one task group.

Order matters once: what was being shed is taken up or released before anything else is done. Each bus, the store, the
commands and the link run beside each other and wait for none of the others; a bug in any of them ends the process, and
whoever supervises it starts it again.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping, Sequence

from buffer.errors import StorageDamaged
from config.site import Site
from drivers.ports import Meter
from drivers.reading import Reading
from gateway.app import certifying, status
from gateway.app.alarms import Alarms
from gateway.app.answering import Answering
from gateway.app.birth import Births
from gateway.app.booking import Booking
from gateway.app.certifying import Configured
from gateway.app.commanding import Commanding
from gateway.app.consenting import Consenting
from gateway.app.devices import Devices, devices
from gateway.app.freshness import Freshness
from gateway.app.inbound import Inbound as Centre
from gateway.app.linking import Spooled, books, kept, uplink_settings
from gateway.app.local import READINGS, Local, Sources
from gateway.app.meterclock import MeterClock
from gateway.app.metering import Metering
from gateway.app.opening import damage, open_store
from gateway.app.recording import Recording
from gateway.app.remembering import Remembering
from gateway.app.reporting import Reporting
from gateway.app.retention import Retention
from gateway.app.speaking import Speaking
from gateway.app.timing import Timing
from gateway.app.trusting import REVISION_MARK, Trusting
from gateway.app.voice import Voice
from gateway.clock import SystemClock
from gateway.commands.journal import Journal
from gateway.control.events import Events
from gateway.control.server import ControlServer
from gateway.latest import Latest
from gateway.notify import Notifier
from gateway.sealing import Signer
from gateway.uplink.settings import Inbound
from gateway.uplink.worker import Uplink
from gateway.wire.keys import SigningKey
from gateway.wire.trust import Trust


class Agent:
    """The agent of `site`, with its own key; `run` it once."""

    def __init__(self, site: Site, key: SigningKey, systemd: Notifier) -> None:
        """Open the outbox and read whom to trust; raise StorageError or KeyFileError."""
        self.site = site
        self._id = site.gateway.id
        self._systemd = systemd
        self._clock = SystemClock(drift_ppm=site.gateway.drift_ppm)
        self._signer = Signer(self._id, key)
        self._voice = Voice(self._id, key)
        self._store = open_store(site)
        boot_ms = self._clock.boot_ms
        self._devices: Devices = devices(site, self._store.outbox.marks(), boot_ms)
        self._channels = [channel for meter in self._devices.meters for channel in meter.channels]
        self._freshness = Freshness.of(site, self._channels)
        self._latest = Latest()
        self._recording = Recording(
            site,
            self._channels,
            store=self._store,
            signer=self._signer,
            clock=self._clock,
            latest=self._latest,
            freshness=self._freshness,
            uplink=lambda: self._uplink,
            marks=lambda: {**self._devices.marks(), **self._trusting.marks(), **books(self._uplink)},
            alarm=lambda kind, text: self._alarms.tell(kind, text),  # noqa: PLW0108 - it comes later
        )
        self._sealing = self._recording.sealing
        self._remembering = Remembering(site, self._channels, self._freshness, self._store, self._clock)
        self._events = Events(boot_ms)
        self._renewing = certifying.renewing(
            site,
            self._clock,
            key,
            voice=self._voice,
            signer=self._signer,
            uplink=lambda: self._uplink,
            alarm=lambda kind, text: self._alarms.tell(kind, text),  # noqa: PLW0108 - it comes later
        )
        self._births = Births(
            self._clock,
            self._voice,
            epoch=self._store.outbox.epoch,
            schema=self._recording.schema_id,
            meters=self._devices.meters,
            uplink=lambda: self._uplink,
            boot_nonce=lambda: self._journal.boot_nonce,
            private=lambda: self._consenting.private(),  # noqa: PLW0108 - it comes later
            connected=self._connected,
        )
        self._uplink = Uplink(
            uplink_settings(site),
            Spooled(self._store, self._recording.outgoing.permits),
            self._heard,
            self._births.born,
            self._clock,
            identity=self._renewing.showing,
            taken=self._taken,
            kept=kept(self._store.outbox.marks()),
        )
        self._alarms = Alarms(
            store=self._store,
            signer=self._signer,
            clock=self._clock,
            voice=self._voice,
            events=self._events,
            private=lambda: self._consenting.private(),  # noqa: PLW0108 - it comes later
            sealed=self._recording.sealed,
            publish=self._uplink.publish,
        )
        self._consenting = Consenting(
            site,
            self._channels,
            store=self._store,
            outgoing=self._recording.outgoing,
            sealing=self._sealing,
            clock=self._clock,
            forget=self._uplink.forget,
            changed=self._births.again,
            alarm=self._alarms.tell,
        )
        self._retention = Retention(self._store, self._clock, days=site.storage.retention_days, alarm=self._alarms.tell)
        self._speaking = Speaking(
            voice=self._voice,
            signer=self._signer,
            events=self._events,
            uplink=self._uplink,
            answering=lambda: self._answering,
        )
        trust = Trust(site.centre.keys_file, revision=_whole(self._store.outbox.marks().get(REVISION_MARK)))
        self._trusting = Trusting(trust, self._alarms.tell)
        self._timing = Timing(self._clock, self._speaking.ask_time)
        self._meter_clock = MeterClock(self._clock, self._devices.linky, self._alarms.tell)
        self._metering = Metering(
            self._devices,
            self._clock,
            takes=(self._recording.acquisition.accept, self._remembering.historian.accept, self._tell_readings),
            metered=self._metered,
        )
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Run until cancelled; what was read and is not yet on the disk is committed at the end."""
        directory = self.site.storage.directory
        self._journal = await Journal.open(directory / "commands.db", self._clock.boot_id, self._signer.answer)
        self._answering = Answering(
            self._journal,
            self._speaking.publish,
            up=lambda: self._uplink.connected,
            again_s=self.site.broker.resend_after_s,
        )
        self._commanding = Commanding(
            self.site,
            self._devices,
            self._journal,
            keys=self._trusting,
            revoked=self._trusting.refused,
            clock=self._clock,
            latest=self._latest,
            published=self._speaking.answered,
            alarm=self._alarms.tell,
        )
        self._booking = Booking(
            store=self._store,
            receipts=self._sealing.receipts,
            journal=self._journal,
            uplink=self._uplink,
            answering=self._answering,
            commanding=self._commanding,
            timing=self._timing,
            permits=self._recording.outgoing.permits,
            anew=self._sealing.clock_anew,
            spawn=self._spawn,
        )
        self._centre = Centre(self._id, self._trusting, self._booking, self._trusting.refused)
        self._configured = Configured(self._id, self._trusting, self._renewing, self._trusting.refused)
        moved = {"readings": self._store.outbox.moved_aside, "commands": self._journal.moved_aside}
        for text in damage(
            self.site, **moved, rescued=self._store.outbox.rescued, lost=self._store.outbox.lost_at_start
        ):
            self._alarms.tell("storage", text)
        control = ControlServer(
            self.site.control.socket,
            self._local().routes(),
            version=status.program(),
            act_group=self.site.control.act_group,
        )
        try:
            await control.open()
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._commanding.run(), name="commands")
                group.create_task(control.run(), name="control")
                group.create_task(self._sealing.run(), name="sealing")
                group.create_task(self._store.watch(), name="damage")
                group.create_task(self._store.open_again(), name="opening readings")
                group.create_task(self._journal.open_again(), name="opening commands")
                group.create_task(self._remembering.run(), name="history")
                group.create_task(self._retention.run(), name="retention")
                group.create_task(self._alarms.run(), name="alarms")
                group.create_task(self._uplink.run(), name="uplink")
                group.create_task(self._answering.run(), name="answers")
                group.create_task(self._timing.run(), name="time")
                group.create_task(self._renewing.run(), name="certificate")
                group.create_task(self._meter_clock.run(), name="the meter's clock")
                for name, supervised in self._metering.supervised.items():
                    group.create_task(supervised.run(), name=name)
                self._systemd.ready()
                group.create_task(self._systemd.keep(lambda: self._sealing.rounds, self._in_a_line), name="systemd")
        finally:
            self._systemd.stopping()
            await self._close()

    async def _close(self) -> None:
        with contextlib.suppress(StorageDamaged):  # what is wrong ends the process: all is let go of first
            await self._sealing.end()
            await self._alarms.end()
            await self._remembering.keeping.flush(whole=True)
        await self._devices.close()
        await self._journal.close()
        self._store.close()

    def _in_a_line(self) -> str:
        """Give what `systemctl status` shows of us."""
        disk = "" if self._sealing.failure is None else f"; storage: {self._sealing.failure}"
        return f"{self._metering.in_a_line()}; link {'up' if self._uplink.connected else 'down'}{disk}"

    # Readings

    def _tell_readings(self, readings: Sequence[Reading]) -> None:
        """Tell whoever listens on the control socket what was just read."""
        if self._events.heard(READINGS):
            self._events.tell(READINGS, {"channels": status.channels(readings, self._clock.boot_ms())})

    def _metered(self, meter: Meter) -> None:
        self._commanding.metered(meter)

    # What comes from the broker

    def _heard(self, message: Inbound) -> None:
        if message.kind == "cmd":
            self._commanding.take(message)
        elif message.kind == "receipt":
            self._centre.take(message.payload)
        else:
            self._configured.take(message.payload)

    def _connected(self) -> None:
        self._answering.connected()
        self._timing.connected()

    def _taken(self, ranges: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        self._booking.taken(ranges)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        if self._group is not None:
            self._group.create_task(work)

    def _local(self) -> Local:
        return Local(
            Sources(
                site=self.site,
                status=self._reporting().status,
                channels=self._channels,
                freshness=self._freshness,
                latest=self._latest,
                store=self._store,
                stats=self._sealing.stats,
                journal=self._journal,
                commanding=self._commanding,
                events=self._events,
                clock=self._clock,
                zone=self._remembering.zone,
                fresh=self._remembering.keeping.flush,
                more=(
                    *self._consenting.routes(),
                    self._retention.route(),
                    certifying.route(self._renewing, self.site),
                ),
            )
        )

    def _reporting(self) -> Reporting:
        return Reporting(
            site=self.site,
            clock=self._clock,
            sealing=self._sealing,
            consenting=self._consenting,
            uplink=self._uplink,
            commanding=self._commanding,
            latest=self._latest,
            devices=self._devices,
            metering=self._metering,
            meter_clock=self._meter_clock,
            freshness=self._freshness,
            trusting=self._trusting,
            renewing=self._renewing,
            centre=self._centre,
            remembering=self._remembering.status,
        )


def _whole(mark: int | str | None) -> int:
    return mark if isinstance(mark, int) else 0
