"""The outbox against a model of lists: whatever is done in whatever order, both hold the same."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from buffer.outbox import Row, Segment
from buffer.tests.building import check_chain, numbers, open_outbox, pack, row

STREAMS = st.sampled_from(["fine", "minute"])
SEQUENCES = st.integers(0, 12)


class Model(RuleBasedStateMachine):
    """Rows and segments in plain lists, beside a real database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "outbox.db"
        self.outbox = open_outbox(self.path)
        self.epoch = self.outbox.epoch
        self.committed = 0
        self.journal: list[tuple[int, Row]] = []
        self.segments: dict[tuple[str, int], Segment] = {}
        self.received: set[tuple[str, int]] = set()
        self.marks: dict[str, int | str] = {}

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
        rows = []
        for lot in lots:
            self.committed += 1
            rows.append(row(self.committed, lot, stream))
            self.journal.append((self.committed, rows[-1]))
        self.outbox.commit(rows, marks)
        self.marks.update(marks)

    @rule(stream=STREAMS, lots=st.lists(st.sampled_from([b"a", b"b"]), max_size=4))
    def commit_sealed(self, stream: str, lots: list[bytes]) -> None:
        """Store rows that become segments at once, unless some of their stream wait."""
        rows = []
        for lot in lots:
            self.committed += 1
            rows.append((self.committed, row(self.committed, lot, stream)))
        waits = any(each.stream == stream for _, each in self.journal)
        found = self.outbox.commit([each for _, each in rows], seal={stream: pack})
        if waits:
            assert not found
            self.journal += rows
            return
        wanted = [[number for number, _ in lot] for _, lot in groupby(rows, lambda each: each[1].lot)]
        assert [numbers([segment]) for segment in found] == wanted
        self.segments |= {(stream, segment.sequence): segment for segment in found}

    @rule(stream=STREAMS, is_sealed=st.booleans())
    def undone(self, stream: str, *, is_sealed: bool) -> None:
        """Do several things, the last of which fails: nothing has happened."""
        with suppress(ZeroDivisionError), self.outbox.together("trying"):
            self.outbox.commit([row(0, b"z", stream)], {"x": "undone"}, seal={stream: pack} if is_sealed else None)
            self.outbox.seal(stream, pack)
            self.outbox.received(self.epoch, stream, 99)
            self.outbox.resend(self.epoch, stream, 1, 3)
            raise ZeroDivisionError

    @rule(stream=STREAMS)
    def seal(self, stream: str) -> None:
        """Seal the oldest lot."""
        mine = [(number, each) for number, each in self.journal if each.stream == stream]
        lot = []
        for number, each in mine:
            if each.lot != mine[0][1].lot:
                break
            lot.append(number)
        segment = self.outbox.seal(stream, pack)
        assert (segment is None) is (not lot)
        if segment is not None:
            assert numbers([segment]) == lot
            self.segments[stream, segment.sequence] = segment
            self.journal = [(number, each) for number, each in self.journal if number not in lot]

    @rule(stream=STREAMS, upto=SEQUENCES, first=SEQUENCES, length=st.integers(0, 3))
    def receive(self, stream: str, upto: int, first: int, length: int) -> None:
        """Take a receipt."""
        named = {*range(1, upto + 1), *range(first, first + length + 1)}
        news = {(stream, number) for number in named} & self.segments.keys() - self.received
        assert self.outbox.received(self.epoch, stream, upto, [(first, first + length)]) == len(news)
        self.received |= news

    @rule(stream=STREAMS, first=SEQUENCES, length=st.integers(0, 3))
    def resend(self, stream: str, first: int, length: int) -> None:
        """Take a request for a range."""
        named = {(stream, number) for number in range(first, first + length + 1)}
        assert self.outbox.resend(self.epoch, stream, first, first + length) == len(named & self.received)
        self.received -= named

    @rule()
    def reopen(self) -> None:
        """Start again from the file."""
        self.outbox.close()
        self.outbox = open_outbox(self.path)
        assert self.outbox.epoch == self.epoch
        assert self.outbox.moved_aside is None

    @invariant()
    def holds_the_same(self) -> None:
        """Pending segments, totals, marks and chains are those of the model."""
        pending = {key: each for key, each in self.segments.items() if key not in self.received}
        found = self.outbox.pending(limit=1000)
        assert {(each.stream, each.sequence): each for each in found} == pending
        stats = self.outbox.stats()
        assert (stats.journal_rows, stats.journal_readings) == (len(self.journal), 2 * len(self.journal))
        assert stats.segments_pending == len(pending)
        assert stats.readings_pending == sum(each.count for each in pending.values())
        assert stats.segments_received == len(self.received)
        assert self.outbox.marks() == self.marks
        for stream in ("fine", "minute"):
            check_chain([each for key, each in sorted(self.segments.items()) if key[0] == stream])


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
