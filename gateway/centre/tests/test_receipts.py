"""Which receipts and requests are due."""

from gateway.centre.contents import StreamKey
from gateway.centre.coverage import Coverage
from gateway.centre.receipts import RANGES_MAX, RESEND_MAX, Holes, receipt
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
