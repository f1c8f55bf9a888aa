"""The outbox against a model of lists: whatever is done in whatever order, both hold the same."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from buffer.errors import StorageFull, Unsealable
from buffer.outbox import Dropped, Outbox, Place, Row, Segment
from buffer.tests.building import QUOTA, check_chain, numbers, pack, row

NAMES = ("fine", "fine.a.x", "minute", "index")
STREAMS = st.sampled_from(NAMES)
SEQUENCES = st.integers(0, 12)
UTC = st.none() | st.integers(0, 50)

Key = tuple[str, int]


class Model(RuleBasedStateMachine):
    """Rows and segments in plain lists, beside a real database with room for all."""

    quota = QUOTA
    size = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "outbox.db"
        self.outbox = Outbox.open(self.path, quota_pages=self.quota)
        self.epoch = self.outbox.epoch
        self.committed = 0
        self.journal: list[tuple[int, Row]] = []
        self.segments: dict[Key, Segment] = {}
        self.pending: set[Key] = set()
        self.received: set[Key] = set()
        self.order: list[Key] = []
        self.sealed_utc: dict[Key, int | None] = {}
        self.withdrawn: dict[str, int] = {}
        self.marks: dict[str, int | str] = {}
        self.lost = {"quota": 0, "consent": 0, "aside": 0}
        self.ranges: tuple[Dropped, ...] = ()
        self.told: set[Key] = set()

    def teardown(self) -> None:
        """Remove the database."""
        self.outbox.close()
        self.folder.cleanup()

    @rule(
        stream=STREAMS,
        lots=st.lists(st.sampled_from([b"a", b"b"]), max_size=4),
        marks=st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9) | st.text(max_size=3), max_size=2),
    )
    def commit(self, stream: str, lots: list[bytes], marks: Mapping[str, int | str]) -> None:
        """Store some rows of some lots, and marks."""
        rows = self.rows(stream, lots)
        with suppress(StorageFull):
            self.outbox.commit([each for _, each in rows], marks)
            self.journal += rows
            self.marks.update(marks)
        self.note_losses()

    @rule(stream=STREAMS, lots=st.lists(st.sampled_from([b"a", b"b"]), max_size=4))
    def commit_sealed(self, stream: str, lots: list[bytes]) -> None:
        """Store rows that become segments at once, unless some of their stream wait."""
        rows = self.rows(stream, lots)
        waits = any(each.stream == stream for _, each in self.journal)
        try:
            found = self.outbox.commit([each for _, each in rows], seal={stream: pack})
        except StorageFull:
            return
        if waits:
            assert not found
            self.journal += rows
        else:
            wanted = [[number for number, _ in lot] for _, lot in groupby(rows, lambda each: each[1].lot)]
            assert [numbers([segment]) for segment in found] == wanted
            for segment in found:
                self.keep(segment, None)
        self.note_losses(found)

    @rule(stream=STREAMS, is_sealed=st.booleans())
    def undone(self, stream: str, *, is_sealed: bool) -> None:
        """Do several things, the last of which fails: nothing has happened."""
        with suppress(ZeroDivisionError, StorageFull), self.outbox.together("trying"):
            self.outbox.commit([row(0, b"z", stream)], {"x": "undone"}, seal={stream: pack} if is_sealed else None)
            self.outbox.seal(stream, pack)
            self.outbox.received(self.epoch, stream, 99)
            self.outbox.resend(self.epoch, stream, 1, 3)
            raise ZeroDivisionError

    @rule(stream=STREAMS, utc_ms=UTC)
    def seal(self, stream: str, utc_ms: int | None) -> None:
        """Seal the oldest lot."""
        lot = self.oldest_lot(stream)
        try:
            segment = self.outbox.seal(stream, pack, utc_ms=utc_ms)
        except StorageFull:
            return
        assert (segment is None) is (not lot)
        if segment is not None:
            assert numbers([segment]) == lot
            self.keep(segment, utc_ms)
            self.journal = [(number, each) for number, each in self.journal if number not in lot]
            self.note_losses([segment])

    @rule(stream=STREAMS)
    def seal_what_cannot_be(self, stream: str) -> None:
        """Rows of which no segment can be made are set aside, lot after lot."""

        def refuse(_place: Place, payloads: Sequence[bytes]) -> bytes:
            raise Unsealable(f"{len(payloads)} rows")

        assert self.outbox.seal(stream, refuse) is None
        self.lost["aside"] += sum(each.count for _, each in self.journal if each.stream == stream)
        self.journal = [(number, each) for number, each in self.journal if each.stream != stream]

    @rule(stream=st.sampled_from(["schema", "alarm"]), utc_ms=UTC)
    def add(self, stream: str, utc_ms: int | None) -> None:
        """Store a segment without rows."""
        with suppress(StorageFull):
            segment = self.outbox.add(stream, count=0, first_ms=0, last_ms=0, pack=pack, utc_ms=utc_ms)
            self.keep(segment, utc_ms)
            self.note_losses([segment])

    @rule(stream=STREAMS | st.just("schema"), upto=SEQUENCES, first=SEQUENCES, length=st.integers(0, 3))
    def receive(self, stream: str, upto: int, first: int, length: int) -> None:
        """Take a receipt."""
        named = {*range(1, upto + 1), *range(first, first + length + 1)}
        news = {(stream, number) for number in named} & self.pending
        assert self.outbox.received(self.epoch, stream, upto, [(first, first + length)]) == len(news)
        self.received |= news
        self.pending -= news

    @rule(stream=STREAMS, first=SEQUENCES, length=st.integers(0, 3))
    def lose(self, stream: str, first: int, length: int) -> None:
        """The other end has lost a range and asks for it; what was withdrawn does not leave again."""
        allowed = range(max(first, self.withdrawn.get(stream, 0) + 1), first + length + 1)
        named = {(stream, number) for number in allowed} & self.received
        assert self.outbox.resend(self.epoch, stream, first, first + length) == len(named)
        self.received -= named
        self.pending |= named

    @rule(stream=STREAMS)
    def withdraw(self, stream: str) -> None:
        """End a consent."""
        rows = [(number, each) for number, each in self.journal if each.stream == stream]
        gone = {key for key in self.pending if key[0] == stream}
        removed = self.outbox.withdraw(stream)
        readings = sum(self.segments[key].count for key in gone)
        held = readings + sum(each.count for _, each in rows)
        assert (removed.rows, removed.segments, removed.readings) == (len(rows), len(gone), held)
        self.journal = [each for each in self.journal if each not in rows]
        self.pending -= gone
        self.lost["consent"] += readings
        self.withdrawn[stream] = max((number for name, number in self.segments if name == stream), default=0)

    @rule(before=st.integers(0, 60))
    def expire(self, before: int) -> None:
        """What was received and sealed before a time goes, and nothing else."""
        old = {key for key in self.received if key[0] != "schema"}
        count = self.outbox.expire(before)
        left = self.kept(old)
        assert count == len(old) - len(left)
        for key in old - left:  # a time that is not known, or of a clock that was wrong, goes with its neighbours
            times = [self.sealed_utc[each] for each in self.order[self.order.index(key) :]]
            assert any(each is not None and each < before for each in times)
        self.received -= old - left

    @rule()
    def purge(self) -> None:
        """All that was received goes; schemas stay."""
        gone = {key for key in self.received if key[0] != "schema"}
        assert self.outbox.purge() == len(gone)
        self.received -= gone

    @rule()
    def learn(self) -> None:
        """Ask what was dropped and is not told yet; it may be told much later, and grows no more meanwhile."""
        self.ranges = self.outbox.unreported()
        assert sum(each.count for each in self.ranges) <= self.lost["quota"] + self.lost["consent"]

    @rule()
    def report(self) -> None:
        """Tell what was dropped."""
        ranges, self.ranges = self.ranges, ()
        for each in ranges:
            with suppress(StorageFull):
                segment = self.outbox.report(each, pack)
                self.check_range(each)
                self.keep(segment, None)
                self.note_losses([segment])

    @rule()
    def reopen(self) -> None:
        """Start again from the file."""
        self.outbox.close()
        self.open()

    @rule()
    def kill(self) -> None:
        """Start again from what a kill leaves: the file and its WAL as they are now."""
        for suffix in ("", "-wal"):
            shutil.copy(self.path.with_name(self.path.name + suffix), self.path.with_name(f"left.db{suffix}"))
        self.outbox.close()
        self.path = self.path.with_name("left.db").rename(self.path.with_name(f"{self.path.stem}+.db"))
        self.path.with_name("left.db-wal").rename(self.path.with_name(f"{self.path.name}-wal"))
        self.open()

    @invariant()
    def holds_the_same(self) -> None:
        """Pending segments, totals, marks and chains are those of the model."""
        found = self.outbox.pending(limit=1000)
        assert {(each.stream, each.sequence): each for each in found} == {
            key: self.segments[key] for key in self.pending
        }
        stats = self.outbox.stats()
        assert (stats.journal_rows, stats.journal_readings) == (len(self.journal), 2 * len(self.journal))
        assert stats.segments_pending == len(self.pending)
        assert stats.readings_pending == sum(self.segments[key].count for key in self.pending)
        assert stats.segments_received == len(self.received)
        assert (stats.dropped_readings, stats.withdrawn_readings) == (self.lost["quota"], self.lost["consent"])
        assert stats.aside_readings == self.lost["aside"]
        assert self.outbox.marks() == self.marks
        assert set(self.outbox.waiting()) == {each.stream for _, each in self.journal}
        for stream in {name for name, _ in self.segments}:
            check_chain([each for key, each in sorted(self.segments.items()) if key[0] == stream])

    def open(self) -> None:
        """Open what is at the path."""
        self.outbox = Outbox.open(self.path, quota_pages=self.quota)
        self.ranges = ()
        assert self.outbox.epoch == self.epoch
        assert self.outbox.moved_aside is None

    def rows(self, stream: str, lots: Iterable[bytes]) -> list[tuple[int, Row]]:
        """Make the next rows."""
        rows = []
        for lot in lots:
            self.committed += 1
            rows.append((self.committed, row(self.committed, lot, stream, self.size)))
        return rows

    def oldest_lot(self, stream: str) -> list[int]:
        """Give the numbers of the rows that are sealed next."""
        mine = [(number, each) for number, each in self.journal if each.stream == stream]
        return [number for number, _ in next((list(lot) for _, lot in groupby(mine, lambda each: each[1].lot)), [])]

    def keep(self, segment: Segment, utc_ms: int | None) -> None:
        """Note a segment that was made."""
        key = (segment.stream, segment.sequence)
        assert key not in self.segments
        self.segments[key] = segment
        self.pending.add(key)
        self.order.append(key)
        self.sealed_utc[key] = utc_ms

    def kept(self, of: set[Key]) -> set[Key]:
        """Give which of these are in the database still."""
        query = "SELECT name, sequence FROM segment JOIN stream ON stream.id = segment.stream"
        return of & set(self.outbox._db.execute(query).fetchall())

    def note_losses(self, newest: Sequence[Segment] = ()) -> None:
        """Find what had to make room, and hold it to the rules: with room for all, nothing."""
        made = {(each.stream, each.sequence) for each in newest}
        assert self.kept(self.pending) == self.pending | made

    def check_range(self, dropped: Dropped) -> None:
        """A range names what was lost, nothing of it twice, and the digest that the next segment calls previous."""
        keys = {(dropped.stream, number) for number in range(dropped.first_sequence, dropped.last_sequence + 1)}
        assert not keys & self.told
        assert not keys & self.pending
        self.told |= keys
        last = self.segments[dropped.stream, dropped.last_sequence]
        assert dropped.last_digest == hashlib.sha256(last.blob).digest()
        assert dropped.count <= sum(self.segments[key].count for key in keys)
