"""The link's figures over a day, in memory that does not grow."""

from gateway.uplink.figures import Figures
from gateway.uplink.tests.clocks import DAY_MS, HOUR_MS
from gateway.uplink.traffic import Traffic


def test_share_of_the_time_with_a_connection() -> None:
    """Half an hour with, half an hour without: 50 %, of one hour; what ended it stands there with its moment."""
    figures = Figures(7_000)
    figures.connected(7_000)
    figures.ended(7_000 + HOUR_MS // 2, "the line fell")
    quality = figures.quality(7_000 + HOUR_MS)
    assert (quality.up_permille, quality.covered_ms, quality.reconnects) == (500, HOUR_MS, 1)
    assert quality.last_failure == ("the line fell", 7_000 + HOUR_MS // 2)


def test_yesterday_is_forgotten() -> None:
    """After a day only what happened within it counts, right to a quarter of an hour."""
    figures = Figures(0)
    figures.cost(0, Traffic(1_000, 10))
    for _ in range(5):
        figures.connected(0)
        figures.ended(0, "no")
    figures.connected(0)
    half = figures.quality(DAY_MS // 2)
    assert (half.sent_bytes, half.reconnects) == (1_000, 5)
    figures.cost(DAY_MS, Traffic(7, 3))
    later = figures.quality(DAY_MS + HOUR_MS)
    assert (later.sent_bytes, later.received_bytes, later.reconnects, later.up_permille) == (7, 3, 0, 1_000)
    assert DAY_MS - HOUR_MS < later.covered_ms <= DAY_MS


def test_a_month_without_a_word_takes_no_more_memory() -> None:
    """A machine that slept for a month is told so in one call, and its ring is as long as before."""
    figures = Figures(0)
    figures.connected(0)
    quality = figures.quality(30 * DAY_MS)
    assert quality.up_permille == 1_000
    assert len(figures._slots) == 96


def test_median_and_95th_percentile_of_the_last_hour() -> None:
    """Of round trips the last 200 within an hour count."""
    figures = Figures(0)
    assert figures.quality(1).puback_ms is None
    for trip in range(1, 1_001):
        figures.trip(trip, trip)
    assert figures.quality(1_000).puback_ms == (901, 991)
    assert figures.quality(2 * HOUR_MS).puback_ms is None


def test_an_end_that_was_wanted_is_no_failure() -> None:
    """A connection that is made anew on purpose is counted, and nothing is blamed."""
    figures = Figures(0)
    figures.connected(0)
    figures.ended(1, None)
    assert figures.quality(2).last_failure is None
    assert figures.quality(2).reconnects == 1
