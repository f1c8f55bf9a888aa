"""The filter before the outgoing journal: each tick to the recorders of the scopes that are open to its device.

It never waits and never touches a disk. A scope that is closed has no recorder: nothing of it is held, and what it had
gathered is gone.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.channel import Channel
from drivers.reading import Reading
from gateway.clock import Clock
from gateway.outgoing.index import Indexes
from gateway.outgoing.minute import Minutes
from gateway.outgoing.quarters import QUARTER_MS, Quarters
from gateway.outgoing.scope import COARSE, FINE, INDEX, MINUTE, SCHEMA, TIERS, Scope
from gateway.wire.record import Record, Recorder
from gateway.wire.schema import Schema

COARSE_LOT_MS = 65 * 60_000
"""The coarse tiers are sealed each hour at the rarest: see `gateway.sealing.cadence`."""

_NOBODY: tuple["_Takes", ...] = ()

_Takes = Callable[[Sequence[Reading]], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """A record for the journal, and the stream whose segment it becomes part of."""

    stream: str
    record: Record


class _Open:
    """A scope with its schema and its recorders."""

    def __init__(self, scope: Scope, outgoing: "Outgoing") -> None:
        self.scope = scope
        self.schema = Schema.of(scope.channels)
        boot_id = outgoing.clock.boot_id
        fine = Recorder(self.schema, boot_id) if FINE in scope.tiers else None
        coarse = {tier: Recorder(self.schema, boot_id, lot_ms=COARSE_LOT_MS) for tier in COARSE if tier in scope.tiers}
        self.fine = fine
        self.minutes = (
            Minutes(scope.channels, coarse[MINUTE], outgoing.quarters, held=outgoing.held) if MINUTE in coarse else None
        )
        self.indexes = (
            Indexes(
                scope.channels,
                coarse[INDEX],
                latest=outgoing.latest,
                stale_after_ms=outgoing.stale_after_ms,
            )
            if INDEX in coarse
            else None
        )

    def sinks(self) -> Iterator[_Takes]:
        if self.fine is not None:
            yield self.fine.add
        if self.minutes is not None:
            yield self.minutes.accept

    def take(self, *, seal: bool, coarse: bool) -> Iterator[Taken]:
        if self.fine is not None:
            record = self.fine.take()
            if seal:
                self.fine.restart()
            if record is not None:
                yield Taken(self.scope.stream(FINE), record)
        for tier, gathered in ((MINUTE, self.minutes), (INDEX, self.indexes)):
            record = None if gathered is None else gathered.take(restart=coarse)
            if record is not None:
                yield Taken(self.scope.stream(tier), record)


class Outgoing:
    """Takes every tick of `channels`; what may leave is said by opening and closing scopes.

    `latest` gives a channel's newest Reading; `stale_after_ms` says from which age it tells nothing of now; `held` are
    channels whose value is a register's, of which a minute has no mean.
    """

    def __init__(
        self,
        channels: Iterable[Channel],
        clock: Clock,
        *,
        latest: Callable[[str], Reading | None],
        stale_after_ms: Mapping[str, int | None],
        held: Container[str] = (),
    ) -> None:
        self.clock = clock
        self.latest = latest
        self.stale_after_ms = stale_after_ms
        self.held = held
        self.quarters = Quarters(clock)
        self._groups = frozenset(channel.group for channel in channels)
        self._open: dict[tuple[str | None, str | None], _Open] = {}
        self._sinks: dict[str, tuple[_Takes, ...]] = dict.fromkeys(self._groups, _NOBODY)
        self._indexed_ms = clock.boot_ms()
        self._left: list[Taken] = []

    @property
    def index_due_ms(self) -> int:
        """Boot time of the next snapshot of the counters."""
        return self.quarters.end(self._indexed_ms, QUARTER_MS)

    def open(self, scope: Scope) -> None:
        """Let the readings of a scope's channels leave, from now on; what it has gathered until now leaves as well."""
        before = self._open.get(scope.key)
        if before is not None:
            if before.minutes is not None:
                before.minutes.end(self.clock.boot_ms())
            self._left += before.take(seal=True, coarse=True)
        self._open[scope.key] = _Open(scope, self)
        self._route()

    def close(self, scope: Scope) -> None:
        """Let nothing of a scope leave from now on; what it had gathered and nobody took is forgotten."""
        self._open.pop(scope.key, None)
        gone = {scope.stream(tier) for tier in TIERS}
        self._left = [each for each in self._left if each.stream not in gone]
        self._route()

    def schema_id(self, scope: Scope) -> bytes:
        """Give the id of an open scope's schema."""
        return self._open[scope.key].schema.id

    def schemas(self) -> Iterator[tuple[Scope, Schema]]:
        """Give each open scope with its schema."""
        return ((each.scope, each.schema) for each in self._open.values())

    def permits(self, stream: str) -> bool:
        """Say whether what is in a stream may leave; what is the building's always may."""
        kind, is_dwelling, _ = stream.partition(".")
        return not is_dwelling or any(
            stream == each.scope.stream(kind) and kind in (SCHEMA, *each.scope.tiers) for each in self._open.values()
        )

    def accept(self, readings: Sequence[Reading]) -> None:
        """Take the Readings of one tick."""
        for sink in self._sinks[readings[0].channel.group]:
            sink(readings)

    def take(self, *, seal: bool = False, coarse: bool = False) -> list[Taken]:
        """Give what was gathered since the last call.

        `seal` and `coarse` say that a seal follows, of the fine tier, of the others: what comes next stands alone.
        """
        now_ms = self.clock.boot_ms()
        self.quarters.refresh()
        is_due = now_ms >= self.index_due_ms
        if is_due:
            self._indexed_ms = now_ms
        taken, self._left = self._left, []
        for each in self._open.values():
            if each.minutes is not None:
                each.minutes.elapse(now_ms)
            if is_due and each.indexes is not None:
                each.indexes.snapshot(now_ms)
            taken += each.take(seal=seal, coarse=coarse)
        return taken

    def end(self) -> None:
        """End the minutes that run, so that the next `take` gives all there is: the process ends."""
        now_ms = self.clock.boot_ms()
        for each in self._open.values():
            if each.minutes is not None:
                each.minutes.end(now_ms)

    def _route(self) -> None:
        sinks: dict[str, list[_Takes]] = {group: [] for group in self._groups}
        for each in self._open.values():
            for group in {channel.group for channel in each.scope.channels}:
                sinks[group] += each.sinks()
        self._sinks = {group: tuple(takes) for group, takes in sinks.items()}
