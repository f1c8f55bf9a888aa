"""As many bytes under way as pass in a moment; longer pauses after each refusal."""

from collections import deque

from gateway.uplink.pacing import LEAST_BYTES, MOST_BYTES, Flow, Pause

SIZE = 2_000


def drained(rate: float, round_trip_ms: float, seconds: int = 30) -> tuple[Flow, float, list[float]]:
    """Send for so long over a line of `rate` bytes/s; give the flow, bytes a second, and each round trip (ms)."""
    flow, now, free_at = Flow(), 0.0, 0.0
    under_way: deque[tuple[float, float]] = deque()
    trips, arrived = [], 0
    while now < seconds * 1_000:
        while flow.takes(SIZE):
            free_at = max(now, free_at) + SIZE / rate * 1_000
            under_way.append((now, free_at + round_trip_ms))
            flow.sent(SIZE)
        since, now = under_way.popleft()
        flow.acknowledged(SIZE, int(now - since), int(now))
        trips.append(now - since)
        arrived += SIZE
    return flow, arrived / seconds, trips


def test_slow_line_is_kept_busy_and_its_queue_short() -> None:
    """At 64 kB/s and 80 ms what is handed over waits less than a third of a second, and the line is never idle."""
    _, speed, trips = drained(64_000, 80)
    assert speed > 0.95 * 64_000
    assert max(trips) < 80 + 500
    assert sorted(trips)[len(trips) // 2] < 80 + 330


def test_fast_line_is_used() -> None:
    """At 10 MB/s and 80 ms the limit grows to all that is allowed, which is a month of readings in 11 seconds."""
    flow, speed, _ = drained(10_000_000, 80)
    assert flow.limit == MOST_BYTES
    assert speed > 1_500_000


def test_very_slow_line_gets_one_at_a_time() -> None:
    """At 2 kB/s the least is under way, and that is one segment at least."""
    flow, speed, _ = drained(2_000, 300, seconds=120)
    assert flow.limit == LEAST_BYTES
    assert speed > 0.8 * 2_000


def test_one_segment_may_go_however_large() -> None:
    """A segment above every limit does not wait for ever."""
    flow = Flow()
    assert flow.takes(10 * MOST_BYTES)
    flow.sent(10 * MOST_BYTES)
    assert not flow.takes(1)


def test_slow_broker_is_no_slow_line() -> None:
    """A broker that takes 2 s for every acknowledgement is not starved: the least round trip is the measure."""
    flow, _, _ = drained(10_000_000, 2_000, seconds=120)
    assert flow.limit == MOST_BYTES


def test_pauses_double_and_a_burst_counts_once() -> None:
    """Ten refusals of one moment are one; what is taken after the pause ends it."""
    pause = Pause()
    delays = []
    now = 0
    for _ in range(10):
        for _ in range(10):
            pause.refused(now)
        delays.append(pause.until_ms - now)
        now = pause.until_ms
    assert delays[:3] == [500, 1_000, 2_000]
    assert delays[-1] == 60_000
    assert [pause.refuses, pause.taken(now), pause.refuses, pause.taken(now)] == [True, True, False, False]
