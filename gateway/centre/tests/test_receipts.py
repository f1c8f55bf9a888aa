"""Which receipts and requests are due."""

from gateway.centre.contents import StreamKey
from gateway.centre.coverage import Coverage
from gateway.centre.receipts import RANGES_MAX, RESEND_MAX, Gathering, Holes, receipt
from gateway.wire.messages import Receipt, Resend

KEY: StreamKey = ("gw-0001", b"epoch-01", "fine")


def test_receipt_tells_watermark_and_ranges() -> None:
    """A receipt names what was committed, in a form that the wire accepts."""
    made = receipt(KEY, Coverage([(1, 3), (5, 6)]))
    assert made == Receipt(b"epoch-01", "fine", 3, ((5, 6),))
    assert Receipt.decode(made.encode()) == made


def test_receipt_of_a_sieve_is_bounded() -> None:
    """However many holes there are, a receipt stays within the contract's bounds."""
    made = receipt(KEY, Coverage((number, number) for number in range(2, 20_000, 2)))
    assert len(made.ranges) == RANGES_MAX
    assert Receipt.decode(made.encode()) == made


def test_segments_that_come_one_at_a_time_share_a_receipt() -> None:
    """A line that is up carries one receipt for some segments; none of them waits longer than is allowed."""
    gathering = Gathering(200, 35_000)
    sent = []
    for now in range(0, 200_000, 100):
        if now % 10_000 == 0:
            gathering.committed([KEY], now)
        if gathering.take(now):
            sent.append(now)
    assert sent == [35_000, 75_000, 115_000, 155_000, 195_000]


def test_a_backlog_is_receipted_at_once_to_its_last_segment() -> None:
    """Where much comes a receipt follows within a moment, and the last one of it waits for nothing."""
    gathering = Gathering(200, 35_000)
    for now in range(0, 50, 10):
        gathering.committed([KEY], now)
    assert gathering.take(209) == set()
    assert gathering.next_ms() == 210
    assert gathering.take(210) == {KEY}
    gathering.committed([KEY], 300)
    assert gathering.next_ms() == 500
    assert gathering.take(500) == {KEY}
    assert gathering.next_ms() is None


def test_what_is_no_reading_never_waits() -> None:
    """Alarms, answers, schemas and drop records are few: each is receipted at once, of a dwelling too."""
    gathering = Gathering(200, 35_000)
    others = [("gw-0001", b"epoch-01", name) for name in ("alarm", "ack", "schema.apt-1.research", "clock", "dropped")]
    tiers = [("gw-0001", b"epoch-01", name) for name in ("index", "minute.apt-1.research")]
    gathering.committed([*others, *tiers], 0)
    assert gathering.take(200) == set(others)
    assert gathering.take(34_999) == set()
    assert gathering.take(35_000) == set(tiers)


def test_a_receipt_that_could_not_be_sent_is_due_at_once() -> None:
    """Without a connection or a store it is made anew, and not put off once more."""
    gathering = Gathering(200, 35_000)
    gathering.committed([KEY], 0)
    assert gathering.take(35_000) == {KEY}
    gathering.again([KEY], 36_000)
    assert gathering.take(36_200) == {KEY}


def test_who_leaves_receipts_all_that_waits() -> None:
    """What is gathered is not lost with who gathers it."""
    gathering = Gathering(200, 35_000)
    gathering.committed([KEY], 0)
    assert gathering.all() == {KEY}
    assert (gathering.all(), gathering.next_ms()) == (set(), None)


def test_hole_is_asked_for_after_a_while_and_ever_more_rarely() -> None:
    """A hole has time to fill by itself; then it is asked for at growing intervals."""
    holes = Holes(1_000)
    asked = [now for now in range(0, 20_000, 500) if list(holes.due([(KEY, (4, 5))], now))]
    assert asked == [1_000, 3_000, 7_000, 15_000]


def test_hole_that_fills_is_given_time() -> None:
    """While the watermark moves nothing is asked for."""
    holes, coverage = Holes(1_000), Coverage([(50, 60)])
    for sequence in range(1, 49):
        coverage.add(sequence)
        gap = next(coverage.gaps())
        assert list(holes.due([(KEY, gap)], sequence * 900)) == []
    left = next(coverage.gaps())
    assert list(holes.due([(KEY, left)], 48 * 900 + 1_000)) == [(KEY, Resend(b"epoch-01", "fine", 49, 49))]


def test_request_is_bounded() -> None:
    """A large hole is asked for piece by piece."""
    holes = Holes(0)
    list(holes.due([(KEY, (1, 9_999))], 0))
    ((_, wanted),) = holes.due([(KEY, (1, 9_999))], 1)
    assert (wanted.first, wanted.last) == (1, RESEND_MAX)


def test_what_a_gateway_still_has_above_what_it_lost_is_found() -> None:
    """The lower 9,000 of 10,000 are gone there for good: the rest comes, window after window."""
    holes, coverage, now_ms, requests = Holes(1_000), Coverage([(10_001, 10_001)]), 0, 0
    while next(coverage.gaps()) != (1, 9_000):
        now_ms += 1_000
        for _, wanted in holes.due([(KEY, gap) for gap in coverage.gaps()], now_ms):
            requests += 1
            for sequence in range(max(wanted.first, 9_001), wanted.last + 1):
                coverage.add(sequence)
        assert requests < 100
    asked = [
        (wanted.first, wanted.last)
        for now in range(now_ms, now_ms + 40 * 600_000, 600_000)
        for _, wanted in holes.due([(KEY, (1, 9_000))], now)
    ]
    assert asked.count((1, RESEND_MAX)) >= len(asked) // 2  # the lowest part is not forgotten
    assert {first for first, _ in asked} == set(range(1, 9_000, RESEND_MAX))
