"""The agent's own storing, whole, fed with the trace faster than time goes by: no part of it knows the difference.

Acquisition, historian, sealing, signature, outbox and history are those of the agent, joined as in `gateway.app`; only
the clock is made up, and the rounds that the agent makes on time are made here when their time has come.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from buffer.outbox import Segment
from config.channel import Channel, Quantity
from config.site import Storage
from drivers.reading import Reading
from gateway.acquisition import Acquisition
from gateway.app.keeping import TOGETHER, Keeping
from gateway.clock import Correlation
from gateway.historian import MINUTE_MS, Historian
from gateway.latest import Latest
from gateway.outgoing import Outgoing, Scope
from gateway.periods import zone_of
from gateway.sealing import Sealing, Signer, Store
from gateway.wire import cose
from gateway.wire.keys import SigningKey
from hil_tests.benchmarks.outbox.trace import BEGIN_MS, GROUPS, Tick

GATEWAY = "gw-lyon-017"
JOURNAL_S: float = Storage.model_fields["journal_s"].default
UP_S: float = Storage.model_fields["seal_up_s"].default
DOWN_S: float = Storage.model_fields["seal_down_s"].default
"""What a site has that says nothing else: the time between commits, the length of a segment live and offline."""

QUOTA_PAGES = 512 * 256
BOOTED_MS = 60_000
"""Boot time of the trace's begin: nothing is read at once."""

_Q = Quantity
_LINKY = {
    "ADSC": _Q.MESSAGE,
    "VTIC": _Q.MESSAGE,
    "DATE": _Q.DURATION,
    "NGTF": _Q.TARIFF,
    "LTARF": _Q.TARIFF,
    "EAST": _Q.ACTIVE_ENERGY_IMPORT,
    "IRMS1": _Q.CURRENT,
    "URMS1": _Q.VOLTAGE,
    "PREF": _Q.SUBSCRIBED_POWER,
    "PCOUP": _Q.SUBSCRIBED_POWER,
    "SINSTS": _Q.APPARENT_POWER_IMPORT,
    "SMAXSN": _Q.APPARENT_POWER_IMPORT,
    "SMAXSN-1": _Q.APPARENT_POWER_IMPORT,
    "CCASN": _Q.ACTIVE_POWER_IMPORT,
    "CCASN-1": _Q.ACTIVE_POWER_IMPORT,
    "UMOY1": _Q.VOLTAGE,
    "STGE": _Q.STATUS,
    "MSG1": _Q.MESSAGE,
    "PRM": _Q.MESSAGE,
    "RELAIS": _Q.STATUS,
    "NTARF": _Q.TARIFF,
    "DPM1": _Q.CALENDAR,
    "FPM1": _Q.CALENDAR,
    "NJOURF": _Q.CALENDAR,
    "NJOURF+1": _Q.CALENDAR,
    "PJOURF+1": _Q.CALENDAR,
}
_PLANT = {
    "t": _Q.TEMPERATURE,
    "p": _Q.ACTIVE_POWER_IMPORT,
    "e": _Q.ACTIVE_ENERGY_IMPORT,
    "u": _Q.VOLTAGE,
    "q": _Q.RATIO,
}


def channels() -> list[list[Channel]]:
    """Give the channels of each group of the trace, in its order."""
    return [
        [
            Channel(
                f"{group.name}.{label.name.lower()}",
                group.name,
                group.name,
                _quantity(group.name, label.name),
                exponent=label.exponent,
                is_text=label.is_text,
            )
            for label in group.labels
        ]
        for group in GROUPS
    ]


def _quantity(group: str, label: str) -> Quantity:
    if group == "linky":
        return _LINKY.get(label, _Q.ACTIVE_ENERGY_IMPORT)
    return _PLANT.get(label[0], _Q.WATER_VOLUME)


class TraceClock:
    """Boot time and UTC as the trace has them; the clock is trusted from the start."""

    boot_id = bytes(range(16))

    def __init__(self) -> None:
        self.now_ms = BOOTED_MS

    def boot_ms(self) -> int:
        return self.now_ms

    def correlation(self) -> Correlation:
        return Correlation(self.boot_id, self.now_ms, BEGIN_MS + self.now_ms - BOOTED_MS, 20, "kernel")


@dataclass(slots=True)
class Kept:
    """What was stored: readings, CPU seconds from `accept` to the last commit, and of each stream the messages.

    `sizes`: stream -> size of a message -> how many there are of that size; `contents`: stream -> content type.
    """

    readings: int = 0
    cpu_s: float = 0
    sizes: dict[str, Counter[int]] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)

    def segments(self) -> int:
        """Count the messages of all streams."""
        return sum(sizes.total() for sizes in self.sizes.values())

    def blob_bytes(self, stream: str | None = None) -> int:
        """Add up the messages of one stream, or of all."""
        chosen = self.sizes.values() if stream is None else [self.sizes.get(stream, Counter[int]())]
        return sum(size * count for sizes in chosen for size, count in sizes.items())

    def add(self, segment: Segment) -> None:
        """Count a message."""
        if segment.stream not in self.sizes:
            self.sizes[segment.stream] = Counter()
            self.contents[segment.stream] = cose.peek(segment.blob).content
        self.sizes[segment.stream][len(segment.blob)] += 1


class Ours:
    """`async with Ours(folder) as ours:` opens the outbox; `take` stores ticks until the trace or its time ends.

    `seal_s` is the length of a segment. `receipts`: the centre is there, and has each segment as soon as it is sealed.
    """

    def __init__(self, folder: Path, key: SigningKey, *, seal_s: float, quota_pages: int = QUOTA_PAGES) -> None:
        self.path = folder / "outbox.db"
        self.kept = Kept()
        self.seal_s = seal_s
        self.receipts = False
        self._clock = TraceClock()
        self._channels = channels()
        self.store = Store(self.path, quota_pages=quota_pages)
        self._urgent = False
        self._fresh: list[Segment] = []
        latest, everything = Latest(), tuple(channel for group in self._channels for channel in group)
        outgoing = Outgoing(everything, self._clock, latest=latest.get, stale_after_ms={})
        outgoing.open(Scope(everything))
        self._acquisition = Acquisition(outgoing.accept, latest, self._hurry)
        self._historian = Historian(zone_of("Europe/Paris"))
        self._keeping = Keeping(self._historian, self.store, self._clock)
        self._sealing = Sealing(
            self.store,
            Signer(GATEWAY, key),
            self._clock,
            outgoing,
            marks=lambda: {"pulses.count": self._clock.now_ms},
            journal_s=JOURNAL_S,
            seal_s=lambda: self.seal_s,
            linked=lambda: self.receipts,
            sealed=self._sealed,
            alarm=lambda _kind, _text: None,
        )
        self._journal_due_ms = self._seal_due_ms = self._keep_due_ms = 0

    async def __aenter__(self) -> Self:
        await self._sealing.flush(seal=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.store.close()

    async def take(self, trace: Iterable[Tick]) -> None:
        """Store ticks, each round at its time, as the agent would."""
        batch: list[list[Reading]] = []
        for tick in trace:
            moment = tick.utc_ms - BEGIN_MS + BOOTED_MS
            if moment >= self._journal_due_ms:
                await self._accept(batch)
                batch = []
                await self._rounds(moment)
            # What makes a Reading of a value is the driver's, and not counted here.
            batch.append(
                [
                    Reading(channel, value, moment)
                    for channel, value in zip(self._channels[tick.group], tick.values, strict=True)
                ]
            )
        await self._accept(batch)

    async def _accept(self, batch: Iterable[Sequence[Reading]]) -> None:
        """Hand ticks over; a change that is urgent is committed before the next."""
        accepts = (self._acquisition.accept, self._historian.accept)
        begun = time.process_time()  # once for many ticks: to ask is not cheap
        for readings in batch:
            for accept in accepts:
                accept(readings)
            self._clock.now_ms = readings[0].boot_ms
            self.kept.readings += len(readings)
            if self._urgent:
                await self._flush(seal=False)
        self.kept.cpu_s += time.process_time() - begun

    async def end(self) -> None:
        """Commit and seal what is left."""
        await self._round(seal=True)
        await self._sealing.end()
        await self._keeping.flush(whole=True)

    async def _rounds(self, moment: int) -> None:
        while moment >= self._journal_due_ms:
            if not self._journal_due_ms:
                self._journal_due_ms = self._keep_due_ms = moment
                self._seal_due_ms = moment + int(self.seal_s * 1000)
            self._clock.now_ms = max(self._clock.now_ms, self._journal_due_ms)
            seal = self._journal_due_ms >= self._seal_due_ms
            await self._round(seal=seal)
            if seal:
                self._seal_due_ms = self._journal_due_ms + int(self.seal_s * 1000)
            if self._journal_due_ms >= self._keep_due_ms:
                self._keep_due_ms += TOGETHER * MINUTE_MS
                begun = time.process_time()
                await self._keeping.flush()
                self.kept.cpu_s += time.process_time() - begun
            self._journal_due_ms += int(JOURNAL_S * 1000)

    async def _round(self, *, seal: bool) -> None:
        begun = time.process_time()
        await self._flush(seal=seal)
        self.kept.cpu_s += time.process_time() - begun

    async def _flush(self, *, seal: bool) -> None:
        self._urgent = False
        await self._sealing.flush(seal=seal, coarse=self._sealing.coarse_is_due())
        if self.receipts:
            for stream in dict.fromkeys(segment.stream for segment in self._fresh):
                last = max(segment.sequence for segment in self._fresh if segment.stream == stream)
                await self._sealing.receipts.note(stream, last)
        self._fresh.clear()

    def _sealed(self, segment: Segment) -> None:
        self.kept.add(segment)
        self._fresh.append(segment)

    def _hurry(self) -> None:
        self._urgent = True
