"""The agent of one building: every room opened, joined to its neighbours, and run in one task group.

Order matters once: what was being shed is taken up or released before anything else is done. Each bus, the store, the
commands and the link run beside each other and wait for none of the others; a bug in any of them ends the process, and
whoever supervises it starts it again.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence

from buffer.errors import StorageError
from buffer.outbox import Segment
from config.site import Site
from drivers.ports import Meter
from drivers.reading import Reading
from gateway.acquisition import Acquisition
from gateway.app import status
from gateway.app.answering import Answering
from gateway.app.booking import Booking
from gateway.app.commanding import Commanding
from gateway.app.devices import Devices, devices
from gateway.app.freshness import Freshness
from gateway.app.inbound import Inbound as Centre
from gateway.app.keeping import Keeping
from gateway.app.local import ALARMS, COMMANDS, READINGS, Local, Sources
from gateway.app.meterclock import MeterClock
from gateway.app.timing import ANSWER_S, Timing
from gateway.app.voice import Voice
from gateway.clock import SystemClock
from gateway.commands.journal import Journal
from gateway.control.events import Events
from gateway.control.server import ControlServer
from gateway.historian import Historian, zone_of
from gateway.latest import Latest
from gateway.notify import Notifier
from gateway.sealing import Sealing, Signer, Store
from gateway.supervise import LONGEST_DELAY_S, PLUGGED_S, Supervised
from gateway.uplink.settings import Inbound, UplinkSettings
from gateway.uplink.worker import Uplink
from gateway.wire import cose
from gateway.wire.keys import KeySet, SigningKey
from gateway.wire.messages import Answer, Birth, TimeRequest
from gateway.wire.record import Recorder
from gateway.wire.schema import Schema

log = logging.getLogger(__name__)

PAGES_A_MB = 256
CAPABILITIES = ("shed", "cancel", "modify", "resend")


class Agent:
    """The agent of `site`, with its keys; `run` it once."""

    def __init__(self, site: Site, key: SigningKey, keys: KeySet, systemd: Notifier) -> None:
        """Open the outbox; raise StorageError."""
        self.site = site
        self._id = site.gateway.id
        self._keys = keys
        self._systemd = systemd
        self._clock = SystemClock()
        self._signer = Signer(self._id, key)
        self._voice = Voice(self._id, key)
        try:
            site.storage.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{site.storage.directory}: cannot be made a folder ({error.strerror}): make it, writable by the "
                "agent's user, or name another [storage] directory"
            ) from error
        self._store = Store(site.storage.directory / "outbox.db", quota_pages=site.storage.quota_mb * PAGES_A_MB)
        boot_ms = self._clock.boot_ms
        self._devices: Devices = devices(site, self._store.outbox.marks(), boot_ms)
        self._channels = [channel for meter in self._devices.meters for channel in meter.channels]
        self._freshness = Freshness.of(site, self._channels)
        self._schema = Schema.of(self._channels)
        self._latest = Latest()
        self._first_read_ms: dict[str, int] = {}
        self._supervised: dict[str, Supervised] = {}
        self._acquisition = Acquisition(Recorder(self._schema, self._clock.boot_id), self._latest, self._urgent)
        self._sealing = Sealing(
            self._store,
            self._signer,
            self._schema,
            self._clock,
            take=lambda restart: self._acquisition.take(restart=restart),
            marks=self._devices.marks,
            journal_s=site.storage.journal_s,
            seal_s=self._seal_s,
            sealed=self._sealed,
        )
        self._zone = zone_of(site.gateway.timezone)
        self._historian = Historian(self._zone)
        self._keeping = Keeping(self._historian, self._store, self._clock)
        self._events = Events(boot_ms)
        self._uplink = Uplink(_uplink_settings(site), self, self._heard, self._born, self._clock)
        self._timing = Timing(self._clock, self._ask_time)
        self._meter_clock = MeterClock(self._clock, self._devices.linky, self.alarm)
        self._started_ms = boot_ms()
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Run until cancelled; what was read and is not yet on the disk is committed at the end."""
        directory = self.site.storage.directory
        self._journal = await Journal.open(directory / "commands.db", self._clock.boot_id, self._signer.answer)
        self._answering = Answering(
            self._journal,
            self._publish,
            up=lambda: self._uplink.state.connected,
            again_s=self.site.broker.resend_after_s,
        )
        self._commanding = Commanding(
            self.site,
            self._devices,
            self._journal,
            keys=self._keys,
            clock=self._clock,
            latest=self._latest,
            published=self._answered,
            alarm=self.alarm,
        )
        booking = Booking(
            store=self._store,
            journal=self._journal,
            uplink=self._uplink,
            answering=self._answering,
            commanding=self._commanding,
            timing=self._timing,
            spawn=self._spawn,
        )
        self._centre = Centre(self._id, self._keys, booking)
        self._tell_of_damage()
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
                group.create_task(self._keeping.run(), name="history")
                group.create_task(self._uplink.run(), name="uplink")
                group.create_task(self._answering.run(), name="answers")
                group.create_task(self._timing.run(), name="time")
                group.create_task(self._meter_clock.run(), name="the meter's clock")
                for meter in self._devices.meters:
                    group.create_task(self._supervise(meter).run(), name=meter.name)
                self._systemd.ready()
                group.create_task(self._systemd.keep(lambda: self._sealing.rounds, self._in_a_line), name="systemd")
        finally:
            self._systemd.stopping()
            await self._close()

    async def _close(self) -> None:
        await self._sealing.flush(seal=False)
        await self._keeping.flush(whole=True)
        await self._devices.close()
        await self._journal.close()
        self._store.close()

    def _in_a_line(self) -> str:
        """Give what `systemctl status` shows of us."""
        failing = sum(each.failure is not None for each in self._supervised.values())
        meters = f"{failing or 'none'} of {len(self._supervised)} meters fail{'s' if failing <= 1 else ''}"
        disk = "" if self._sealing.failure is None else f"; storage: {self._sealing.failure}"
        return f"{meters}; link {'up' if self._uplink.state.connected else 'down'}{disk}"

    # Readings

    def _supervise(self, meter: Meter) -> Supervised:
        def accept(readings: Sequence[Reading]) -> None:
            supervised.reads_again()
            self._first_read_ms.setdefault(meter.name, readings[0].boot_ms)
            self._acquisition.accept(readings)
            self._historian.accept(readings)
            self._tell_readings(readings)
            self._commanding.metered(meter)

        supervised = Supervised(
            meter.name,
            lambda: meter.run(accept),
            now_s=lambda: self._clock.boot_ms() / 1000,
            longest_delay_s=PLUGGED_S if meter in self._devices.linky else LONGEST_DELAY_S,
        )
        self._supervised[meter.name] = supervised
        return supervised

    def _tell_readings(self, readings: Sequence[Reading]) -> None:
        """Tell whoever listens on the control socket what was just read."""
        if self._events.heard(READINGS):
            self._events.tell(READINGS, {"channels": status.channels(readings, self._clock.boot_ms())})

    def _urgent(self) -> None:
        self._sealing.urgent()

    def _seal_s(self) -> float:
        storage = self.site.storage
        return storage.seal_up_s if self._uplink.state.connected else storage.seal_down_s

    def _sealed(self, segment: Segment) -> None:
        self._uplink.wake(segment)

    async def pending(self, *, limit: int, after: Mapping[str, int]) -> Sequence[Segment]:
        """Give the uplink what has no receipt; nothing while the disk cannot be read."""
        try:
            return await self._store.call(self._store.outbox.pending, limit=limit, after=after)
        except StorageError as error:
            log.warning("the backlog cannot be read: %s", error)
            return ()

    # What comes from the broker

    def _heard(self, message: Inbound) -> None:
        if message.kind == "cmd":
            self._commanding.take(message)
        elif message.kind == "receipt":
            self._centre.take(message.payload)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        if self._group is not None:
            self._group.create_task(work)

    # What the gateway says

    def alarm(self, kind: str, text: str) -> None:
        """Tell people, here and at the centre."""
        log.warning("%s: %s", kind, text)
        self._events.tell(ALARMS, {"kind": kind, "text": text})
        now = self._clock.boot_ms()
        known = self._clock.trusted()
        utc_ms = None if known is None else known.utc_ms_at(now)
        self._publish("evt/alarm", self._voice.alarm(kind, text, now, utc_ms))

    def _answered(self, sequence: int, message: bytes) -> None:
        """Send an answer to a command that was just stored, here and to the centre."""
        self._answering.stored(sequence, message)
        if self._events.heard(COMMANDS):
            answer = Answer.decode(cose.verify(message, self._signer.public).payload)
            told = {"id": answer.command_id, "state": answer.state, "reason": answer.reason}
            self._events.tell(COMMANDS, {**told, "utc_ms": answer.utc_ms})

    def _publish(self, kind: str, message: bytes) -> None:
        self._uplink.publish(kind, message)

    def _ask_time(self, request: TimeRequest) -> None:
        self._uplink.publish("evt/time", self._voice.time_request(request), expiry_s=int(ANSWER_S))

    def _born(self) -> bytes:
        """Give the birth for a new connection, on which all that is unreceipted goes out again."""
        self._answering.connected()
        self._timing.connected()
        return self._voice.birth(
            Birth(
                version=status.program(),
                boot_id=self._clock.boot_id,
                boot_nonce=self._journal.boot_nonce,
                epoch=self._store.outbox.epoch,
                schema=self._schema.id,
                clock=status.clock(self._clock)["text"][:64],
                capabilities=CAPABILITIES,
                inventory=tuple(f"{meter.name}: {len(meter.channels)} channels" for meter in self._devices.meters),
            )
        )

    def _tell_of_damage(self) -> None:
        for moved, what in (
            (self._store.outbox.moved_aside, "readings"),
            (self._journal.moved_aside, "commands"),
        ):
            if moved is not None:
                self.alarm("storage", f"the database of {what} was damaged; it is kept as {moved}, a new one was begun")

    def _local(self) -> Local:
        return Local(
            Sources(
                site=self.site,
                status=self.status,
                channels=self._channels,
                freshness=self._freshness,
                latest=self._latest,
                store=self._store,
                journal=self._journal,
                commanding=self._commanding,
                events=self._events,
                clock=self._clock,
                zone=self._zone,
            )
        )

    def _stale_after_ms(self) -> dict[str, int]:
        """Give the age at which each meter's newest value is stale; a Linky's line tells itself how fast it is."""
        return {**self._freshness.meters, **{linky.name: linky.stale_after_ms for linky in self._devices.linky}}

    async def status(self) -> status.Json:
        """Give what the control socket serves as /v1/status."""
        now = self._clock.boot_ms()
        stats = await self._store.stats()
        return {
            "gateway": self._id,
            "name": self.site.gateway.name,
            "version": status.program(),
            "boot_ms": now,
            "up_ms": now - self._started_ms,
            "clock": {**status.clock(self._clock), "meters": self._meter_clock.compared()},
            "link": status.link(self._uplink.state),
            "outbox": status.outbox(stats, self._sealing, now - self._started_ms),
            "shedding": self._commanding.status(),
            "readings_taken": self._latest.taken,
            "meters": status.meters(
                self._devices.meters,
                self._supervised,
                self._first_read_ms,
                self._latest.device_read_at,
                {linky.name: linky.counters for linky in self._devices.linky},
                stale_after_ms=self._stale_after_ms(),
                rates={linky.name: linky.rates for linky in self._devices.linky},
            ),
            "channels": status.channels(self._latest.all(), now),
        }


def _uplink_settings(site: Site) -> UplinkSettings:
    broker = site.broker
    return UplinkSettings(
        host=broker.host,
        port=broker.port,
        ca_file=broker.ca_file,
        cert_file=broker.certificate_file,
        key_file=broker.key_file,
        gateway=site.gateway.id,
        reconnect_min_s=broker.reconnect_min_s,
        reconnect_max_s=broker.reconnect_max_s,
        resend_after_s=broker.resend_after_s,
        keepalive_s=broker.keepalive_s,
    )
