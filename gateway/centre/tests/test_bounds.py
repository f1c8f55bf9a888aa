"""What a gateway may claim at the utmost: one that is mad, or in strange hands, does not end everybody's centre."""

from pathlib import Path

import pytest

from gateway.centre import decode, report
from gateway.centre.follow import Follower, View
from gateway.centre.ingest import Arrival, take
from gateway.centre.judge import Judge
from gateway.centre.lines import Json
from gateway.centre.receipts import RANGES_MAX, receipt
from gateway.centre.source import Progress, Source
from gateway.centre.store import Store
from gateway.centre.tests.speaker import EPOCH, Speaker, key_set
from gateway.wire.messages import Alarm, ClockRecord, Dropped

MOST = (1 << 63) - 1
"""The contract's bound of everything that counts."""

LONG_AGO, LATER = 1, 1 << 60


def dropped(number: int, first: int, last: int) -> tuple[int, str, bytes]:
    """A drop record of as many readings as can be said."""
    return number, Dropped.CONTENT, Dropped(EPOCH, "fine", first, last, MOST, MOST, MOST, bytes(32), "quota").encode()


def clock(number: int, boot_ms: int, uncertainty_ms: int) -> tuple[int, str, bytes]:
    """A clock record from the end of all days."""
    told = ClockRecord(bytes(16), boot_ms=boot_ms, utc_ms=MOST, uncertainty_ms=uncertainty_ms, source="centre")
    return number, ClockRecord.CONTENT, told.encode()


SAID: dict[str, list[tuple[int, str, bytes]]] = {
    "fine": [],
    "dropped": [dropped(1, 1, MOST), dropped(2, 2, MOST - 1), dropped(3, MOST, MOST), dropped(MOST, 5, 9)],
    "clock": [clock(1, MOST, MOST), clock(MOST - 1, 0, 0), clock(MOST, 0, 0)],
    "alarm": [(number, Alarm.CONTENT, Alarm("clock", "late", MOST, MOST).encode()) for number in (MOST, MOST - 1)],
}


@pytest.mark.parametrize("stream", list(SAID))
@pytest.mark.parametrize("at_once", [True, False])
def test_the_highest_numbers_are_kept_counted_and_receipted(tmp_path: Path, stream: str, *, at_once: bool) -> None:
    """Stored, told, shown and handed on, whether they come in one batch or one by one."""
    speaker = Speaker()
    kind = "evt" if stream == "alarm" else "tele"
    blobs = [speaker.say(stream, number, content, payload) for number, content, payload in SAID[stream]]
    blobs += [speaker.segment(number, [1]) for number in (1, MOST, MOST - 1, 3)] if stream == "fine" else []
    blobs += [speaker.schema()] if stream == "fine" else []
    said = [speaker.genuine(blob) for blob in blobs]
    arrived = [
        Arrival(f"gw/v1/gw-0001/{kind}/{each.header.stream}", blob, LONG_AGO)
        for each, blob in zip(said, blobs, strict=True)
    ]
    path = tmp_path / "centre.db"
    store, judge = Store.open(path), Judge(key_set(speaker))
    for batch in [arrived] if at_once else [[each] for each in arrived]:
        take(store, judge, batch)
    while decode.count(store, others_before_utc_ms=LATER):
        pass
    (kept,) = store.database.execute("SELECT count(*) FROM message").fetchone()
    assert kept == len(blobs)
    for key in store.streams():
        receipt(key, store.coverage(key, RANGES_MAX)).encode()
    assert store.missing() >= 0
    assert len(list(report.report(path, LATER))) >= 1
    follower, source, progress = Follower(path, View(everything=True, patience_s=0)), Source(path), Progress()
    for _ in range(2):
        for event in follower.look():
            list(Json().lines(event))
    while page := source.page(progress):
        progress = page.progress
    follower.close()
    source.close()
    store.close()


def test_a_tally_ends_at_what_sqlite_can_count_to(tmp_path: Path) -> None:
    """Two claims that together are more are no error."""
    store = Store.open(tmp_path / "centre.db")
    store.add_tallies({"dropped_readings": 2 * MOST})
    store.add_tallies({"dropped_readings": MOST, "segments": 1})
    assert store.tallies() == {"dropped_readings": MOST, "segments": 1}
    store.close()
