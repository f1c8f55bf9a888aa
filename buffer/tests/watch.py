"""What a writer was promised, held against what its database holds after a kill or a cut."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from buffer.outbox import DROPPED, Outbox
from buffer.reader import Reader
from buffer.tests.building import open_outbox
from buffer.tests.writer import STREAMS

WITHDRAWN = STREAMS[1]

Key = tuple[str, int]


@dataclass(slots=True)
class Watch:
    """The writer's words (see `writer`): what was acknowledged, and what the other end was sent."""

    rows: dict[str, int] = field(default_factory=dict)
    sealed: dict[Key, str] = field(default_factory=dict)
    sent: dict[Key, tuple[str, int, int]] = field(default_factory=dict)
    received: set[Key] = field(default_factory=set)
    told: list[tuple[str, int, int]] = field(default_factory=list)
    withdrawn_row: int = 0
    lives: int = 0
    steps: int = 0

    def hear(self, line: str) -> None:
        """Take one line."""
        kind, *rest = line.split()
        self.steps += 1
        if kind == "row":
            self.rows[rest[0]] = int(rest[1])
        elif kind == "sealed":
            self.sealed[rest[0], int(rest[1])] = rest[2]
        elif kind == "sent":
            self.hear_sent(line)
        elif kind == "received":
            self.received.add((rest[0], int(rest[1])))
        elif kind == "resend":
            self.received -= {(rest[0], number) for number in range(int(rest[1]), int(rest[2]) + 1)}
        elif kind == "told":
            self.told.append((rest[0], int(rest[1]), int(rest[2])))
        elif kind == "withdrawn":
            self.withdrawn_row = self.rows.get(WITHDRAWN, 0)
        elif kind == "open":
            self.lives += 1

    def hear_sent(self, line: str) -> None:
        """Take a line for what it says of the other end alone: what it has, it has, whatever the writer lost."""
        kind, *rest = line.split()
        if kind == "sent":
            self.sent[rest[0], int(rest[1])] = (rest[2], int(rest[3]), int(rest[4]))

    def faults(self, path: Path, quota_pages: int) -> list[str]:
        """Open the database as the next start would and say what of the promises does not hold."""
        outbox = open_outbox(path, quota_pages)
        marks, moved = outbox.marks(), outbox.moved_aside
        totals = _totals(outbox)
        outbox.close()
        if moved is not None:
            return [f"the database could not be used: moved aside to {moved}"]
        with Reader.open(path) as reader:
            found = list(self._faults_of(reader, marks))
            counted = tuple(reader.sealed(received=each).entries for each in (False, True))
        if totals != counted:
            found.append(f"segments are counted as {totals}, and are {counted}")
        return found

    def _faults_of(self, reader: Reader, marks: dict[str, int | str]) -> Iterator[str]:
        last = {stream.name: stream.last_sequence for stream in reader.streams()}
        settled = {(name, number) for name, first, end in self.told for number in range(first, end + 1)}
        for each in reader.dropped():
            settled |= {(each.stream, number) for number in range(each.first_sequence, each.last_sequence + 1)}
        yield from (
            f"{name} {number} was sealed, and its number would be used again"
            for name, number in (*self.sealed, *self.sent)
            if number > last.get(name, 0)
        )
        journal: dict[str, list[int]] = {}
        for stream, payload in reader._db.execute("SELECT stream, payload FROM journal ORDER BY id"):
            journal.setdefault(stream, []).append(json.loads(payload)[0])
        for name, end in last.items():
            yield from self._faults_of_stream(reader, name, end, settled, journal.get(name, []))
        yield from (
            f"row {number} of {name} was acknowledged, and is not there"
            for name, number in self.rows.items()
            if int(marks.get(name, 0)) < number
        )
        yield from (
            f"{name}: the mark is {marks[name]}, the last row {rows[-1]}"
            for name, rows in journal.items()
            if rows[-1] != marks[name]
        )
        if not len(self.told) <= last.get(DROPPED, 0) <= len(self.told) + self.lives:
            yield f"{len(self.told)} losses were told, and {last.get(DROPPED, 0)} reports were made"

    def _faults_of_stream(
        self, reader: Reader, name: str, end: int, settled: set[Key], journal: list[int]
    ) -> Iterator[str]:
        spans: dict[int, tuple[int, int]] = {
            number: (first, last) for (stream, number), (_, first, last) in self.sent.items() if stream == name
        }
        digests = {number: said for (stream, number), (said, _, _) in self.sent.items() if stream == name}
        digests |= {number: said for (stream, number), said in self.sealed.items() if stream == name}
        kept = set()
        for each in reader.kept(name):
            segment = each.segment
            number, digest = segment.sequence, hashlib.sha256(segment.blob).hexdigest()[:16]
            kept.add(number)
            _, _, _, previous, rows = json.loads(segment.blob)
            if digests.setdefault(number, digest) != digest:
                yield f"{name} {number} is another than was sealed"
            if number - 1 in digests and digests[number - 1] != previous[:16]:
                yield f"{name} {number} does not follow the one before"
            if (name, number) in self.received and not each.received:
                yield f"{name} {number} had its receipt, and is pending"
            numbers = [row for row, _ in rows]
            spans[number] = (numbers[0], numbers[-1]) if numbers else (0, 0)
            if numbers and numbers != list(range(numbers[0], numbers[-1] + 1)):
                yield f"{name} {number} has not all its rows"
            if name == WITHDRAWN and not each.received and numbers[-1] <= self.withdrawn_row:
                yield f"{name} {number} was withdrawn, and is there"
        for number in range(1, end + 1):
            if not (number in kept or (name, number) in settled or (name, number) in self.sent):
                yield f"{name} {number} is neither there, nor delivered, nor told as dropped"
        if name in STREAMS and name != WITHDRAWN:
            yield from _gaps(name, [spans.get(number) for number in range(1, end + 1)], journal)


def _gaps(name: str, spans: Iterable[tuple[int, int] | None], journal: list[int]) -> Iterator[str]:
    """Tell where rows are missing, or there twice, between segments whose rows are known."""
    upto: int | None = 0
    for span in [*spans, (journal[0], journal[-1]) if journal else None]:
        if span is not None and upto is not None and span[0] != upto + 1:
            yield f"{name}: row {span[0]} comes after row {upto}"
        upto = span[1] if span is not None else None
    if journal and journal != list(range(journal[0], journal[-1] + 1)):
        yield f"{name}: the journal's rows are {journal}"


def _totals(outbox: Outbox) -> tuple[int, int]:
    stats = outbox.stats()
    return stats.segments_pending, stats.segments_received
