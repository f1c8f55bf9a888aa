"""A process that does all that an outbox does, at the path given, until it is killed, and tells each step once synced.

    writer.py PATH SEED [--normal] [--quota PAGES]

Lines: `row STREAM NUMBER`, `sealed STREAM SEQUENCE DIGEST`, `sent STREAM SEQUENCE DIGEST FIRST LAST` (before the
receipt is asked for: from now on the other end has it), `received STREAM SEQUENCE`, `resend STREAM FIRST LAST` (before
it is done), `withdrawn STREAM`, `told STREAM FIRST LAST`, `deleted` and `open`. `Watch` understands them.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

from buffer.outbox import Outbox, Segment
from buffer.tests.building import open_outbox, pack, row

STREAMS = ("fine", "fine.apt-1.research", "minute", "index")
"""The second is withdrawn now and then."""

QUOTA = 300
"""Pages, enough for a few hundred segments: they give way while the other end is away."""


class Writer:
    """One life of an outbox."""

    def __init__(self, outbox: Outbox, seed: int, say: Callable[..., None]) -> None:
        self._outbox = outbox
        self._say = say
        self._rng = random.Random(seed)
        self._flight: list[Segment] = []
        self._spell, self._is_away = 0, False
        self._steps = [
            (self._commit, 40),
            (self._seal, 25),
            (self._add, 4),
            (self._send, 12),
            (self._receive, 12),
            (self._resend, 3),
            (self._report, 6),
            (self._withdraw, 1),
            (self._delete, 2),
        ]

    def run(self) -> None:
        """Do one thing after another."""
        while True:
            self.step()

    def step(self) -> None:
        """Do something; there are spells in which the other end is away."""
        if not self._spell:
            self._spell, self._is_away = self._rng.randrange(50, 200), self._rng.random() < 0.5
        self._spell -= 1
        step = self._rng.choices([each for each, _ in self._steps], [weight for _, weight in self._steps])[0]
        if not (self._is_away and step in (self._send, self._receive)):
            step()

    def _commit(self) -> None:
        stream = self._rng.choice(STREAMS)
        number = int(self._outbox.marks().get(stream, 0))
        lot = bytes([self._rng.random() < 0.1])
        many = self._rng.randrange(1, 4)
        rows = [row(number + each, lot, stream, self._rng.randrange(2000)) for each in range(1, many + 1)]
        self._outbox.commit(rows, {stream: number + many})
        self._say("row", stream, number + many)

    def _seal(self) -> None:
        waiting = self._outbox.waiting()
        if waiting:
            segment = self._outbox.seal(self._rng.choice(waiting), pack, utc_ms=self._rng.randrange(10**9))
            if segment is not None:
                self._say("sealed", segment.stream, segment.sequence, digest(segment))

    def _add(self) -> None:
        name = self._rng.choice(("schema", "clock", "alarm"))
        segment = self._outbox.add(name, count=0, first_ms=0, last_ms=0, pack=pack)
        self._say("sealed", segment.stream, segment.sequence, digest(segment))

    def _send(self) -> None:
        self._flight = self._outbox.pending(limit=self._rng.randrange(1, 30))
        for each in self._flight:
            numbers = [number for number, _ in json.loads(each.blob)[4]]
            first, last = (numbers[0], numbers[-1]) if numbers else (0, 0)
            self._say("sent", each.stream, each.sequence, digest(each), first, last)

    def _receive(self) -> None:
        for each in self._flight:
            if self._rng.random() < 0.9:
                self._outbox.received(self._outbox.epoch, each.stream, 0, [(each.sequence, each.sequence)])
                self._say("received", each.stream, each.sequence)
        self._flight = []

    def _resend(self) -> None:
        stream, first = self._rng.choice(STREAMS), self._rng.randrange(1, 200)
        self._say("resend", stream, first, first + 2)
        self._outbox.resend(self._outbox.epoch, stream, first, first + 2)

    def _report(self) -> None:
        for each in self._outbox.unreported():
            self._outbox.report(each, pack)
            self._say("told", each.stream, each.first_sequence, each.last_sequence)

    def _withdraw(self) -> None:
        self._outbox.withdraw(STREAMS[1])
        self._say("withdrawn", STREAMS[1])

    def _delete(self) -> None:
        if self._rng.random() < 0.5:
            self._outbox.expire(self._rng.randrange(10**9))
        else:
            self._outbox.purge()
        self._say("deleted")


def say(*words: object) -> None:
    """Tell what is done."""
    print(*words, flush=True)  # noqa: T201 - the test reads what was acknowledged


def digest(segment: Segment) -> str:
    """Give enough of the SHA-256 of a segment to know it by."""
    return hashlib.sha256(segment.blob).hexdigest()[:16]


def main() -> None:
    """Open and go on until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("--normal", action="store_true")
    parser.add_argument("--quota", type=int, default=QUOTA)
    given = parser.parse_args()
    outbox = open_outbox(given.path, given.quota)
    if given.normal:
        outbox._db.execute("PRAGMA synchronous = NORMAL")
    say("open")
    Writer(outbox, given.seed, say).run()


if __name__ == "__main__":
    main()
