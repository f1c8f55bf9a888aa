"""A process that writes to the outbox at the path given until it is killed, and tells what was acknowledged."""

import random
import sys
from pathlib import Path

from buffer.tests.building import open_outbox, pack, row


def main() -> None:
    """Commit numbered rows, seal now and then, and print each step once it is synced."""
    outbox = open_outbox(Path(sys.argv[1]))
    rng = random.Random(outbox.stats().segments_pending)
    number = int(outbox.marks().get("last", 0))
    while True:
        rows = [row(number + offset, size=rng.randrange(2000)) for offset in range(1, rng.randrange(2, 5))]
        number += len(rows)
        outbox.commit(rows, {"last": number})
        print("row", number, flush=True)  # noqa: T201 - the test reads what was acknowledged
        if rng.random() < 0.3:
            segment = outbox.seal("fine", pack)
            if segment is not None:
                print("segment", segment.sequence, flush=True)  # noqa: T201 - as above


main()
