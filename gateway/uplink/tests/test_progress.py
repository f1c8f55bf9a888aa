"""What may go next, and what must go again."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.uplink.progress import MOST_PATIENCE, Progress

S = "fine"


def progress(*, ahead: int = 500, resend_after_ms: int = 1_000) -> Progress:
    """Make one with figures of a test."""
    return Progress(ahead=ahead, resend_after_ms=resend_after_ms)


def sent(*sequences: int, now_ms: int = 0) -> Progress:
    """Make one that has sent these."""
    made = progress()
    for sequence in sequences:
        made.sent(S, sequence, now_ms)
    return made


def test_sent_segment_is_not_wanted_again() -> None:
    """What was sent waits for its receipt and is not sent twice meanwhile."""
    made = sent(1)
    assert not made.wants(S, 1)
    assert made.wants(S, 2)
    assert made.unreceipted == 1


def test_receipt_ends_what_it_names() -> None:
    """A receipt ends everything up to its mark and in its ranges, and nothing else."""
    made = sent(1, 2, 3, 4, 5)
    made.received(S, 2, [(4, 4)])
    assert made.unreceipted == 2
    assert [made.wants(S, sequence) for sequence in (1, 4)] == [False, False]
    made.failed(S, 3)
    assert made.wants(S, 3)


def test_older_receipt_says_nothing_new() -> None:
    """A receipt that was overtaken by a newer one changes nothing."""
    made = sent(1, 2, 3)
    made.received(S, 3, [])
    made.received(S, 1, [])
    assert made.cursors() == {S: 3}
    assert not made.wants(S, 3)


def test_failed_segment_moves_the_cursor_back() -> None:
    """After a refusal reading goes on from the lowest one that is left, past those that were taken."""
    made = sent(1, 2, 3, 4)
    made.failed(S, 3)
    made.failed(S, 2)
    assert made.cursors() == {S: 1}
    assert [made.wants(S, sequence) for sequence in (2, 3, 4)] == [True, True, False]


def test_fresh_segment_leaves_the_cursor_where_the_backlog_is() -> None:
    """A fresh segment that passes a backlog does not hide the backlog."""
    made = sent(1, 90)
    assert made.cursors() == {S: 1}
    assert not made.follows(S, 90)
    assert made.follows(S, 2)


def test_no_more_than_ahead_is_on_its_way() -> None:
    """While no receipt comes, the number of segments on their way is bounded, over all streams."""
    made = progress(ahead=2)
    made.sent(S, 1, 0)
    rooms = [made.has_room()]
    made.sent("schema", 1, 0)
    rooms.append(made.has_room())
    made.received(S, 1, [])
    rooms.append(made.has_room())
    assert rooms == [True, False, True]


def test_silence_takes_back_what_is_late() -> None:
    """What waited too long for its receipt goes again; what is in flight, or not late, does not."""
    made = sent(1, 2)
    made.sent(S, 3, 900)
    assert not made.overdue(999, ())
    assert made.overdue(1_000, {(S, 2)})
    assert [made.wants(S, sequence) for sequence in (1, 2, 3)] == [True, False, False]
    assert made.cursors() == {S: 0}


def test_patience_grows_until_a_receipt_comes() -> None:
    """A centre that stays silent is asked ever more rarely; its first receipt makes the gateway quick again."""
    made, now, waits = progress(), 0, []
    for _ in range(6):
        made.sent(S, 1, now)
        due = made.next_overdue_ms()
        assert due is not None
        waits.append(due - now)
        now = due
        assert made.overdue(now, ())
    assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, MOST_PATIENCE * 1_000]
    made.sent(S, 1, now)
    made.sent(S, 2, now)
    made.received(S, 1, [])
    assert made.next_overdue_ms() == now + 1_000


def test_what_nobody_heard_goes_again_when_the_centre_is_heard() -> None:
    """A heartbeat takes back what the broker had nobody for, and only that."""
    made = sent(1, 2, 3)
    made.unheard(S, 2)
    assert made.heard()
    assert [made.wants(S, sequence) for sequence in (1, 2, 3)] == [False, True, False]
    assert made.cursors() == {S: 1}
    assert not made.heard()


def test_range_asked_for_is_wanted_although_it_was_receipted() -> None:
    """The centre may ask again for what it has receipted: it has lost it, and says so."""
    made = sent(1, 2, 3, 4, 5)
    made.received(S, 5, [])
    made.again(S, 2, 3)
    assert [made.wants(S, sequence) for sequence in (1, 2, 3)] == [False, True, True]
    assert made.cursors() == {S: 1}


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("failed"), st.integers(1, 30)),
        st.tuples(st.just("received"), st.integers(0, 30)),
        st.tuples(st.just("again"), st.integers(1, 30)),
        st.tuples(st.just("overdue"), st.integers(0, 5_000)),
        st.tuples(st.just("unheard"), st.integers(1, 30)),
        st.tuples(st.just("send"), st.integers(1, 30)),
    ),
    max_size=60,
)


@given(OPERATIONS)
def test_nothing_is_ever_forgotten(operations: list[tuple[str, int]]) -> None:
    """Whatever happens, each segment is receipted, on its way, or above the cursor where it will be read again."""
    made = progress()
    receipted: set[int] = set()
    for name, number in operations:
        if name == "failed":
            made.failed(S, number)
        elif name == "received":
            made.received(S, number, [])
            receipted |= set(range(1, number + 1))
        elif name == "again":
            made.again(S, number, number)
            receipted.discard(number)
        elif name == "overdue":
            made.overdue(number, ())
        elif name == "unheard":
            made.unheard(S, number)
            made.heard()
        elif made.wants(S, number):
            made.sent(S, number, 0)
            if made.follows(S, number):
                made.passed(S, number)
        lane = made._lane(S)
        for sequence in range(1, 31):
            assert sequence in receipted or sequence in lane.sent or sequence > lane.cursor


def test_word_of_the_broker_counts_as_a_receipt_where_it_is_booked() -> None:
    """Ranges that are settled one by one grow together, whatever their order, and none is sent again."""
    made = progress()
    for sequence in range(1, 8):
        made.sent(S, sequence, 0)
    made.settled(S, [(2, 3)])
    made.settled(S, [(5, 5), (7, 7)])
    assert made.unreceipted == 3
    made.settled(S, [(1, 1)])
    made.settled(S, [(4, 4)])
    assert made.unreceipted == 1
    assert [made.wants(S, sequence) for sequence in range(1, 9)] == [False] * 7 + [True]
    made.settled(S, [(6, 6)])
    assert made.cursors()[S] == 7
    assert made.unreceipted == 0


def test_nothing_goes_again_while_the_centre_is_away() -> None:
    """What waits in the broker is not sent a second time to a centre that nobody has heard since."""
    made = Progress(ahead=10, resend_after_ms=1_000, needs_word=True)
    made.sent(S, 1, 0)
    assert made.next_overdue_ms() is None
    assert not made.overdue(10**9, ())
    made.word(10**9)  # back: what waits there comes first
    assert made.next_overdue_ms() == 10**9 + 1_000
    assert not made.overdue(10**9 + 999, ())
    assert made.overdue(10**9 + 1_000, ())
    made.sent(S, 1, 10**9 + 1_000)
    made.word(10**9 + 1_001)
    assert made.overdue(10**9 + 3_000, ())  # there, and still no receipt
    made.sent(S, 1, 10**9 + 3_000)
    assert made.next_overdue_ms() is None
    assert not made.overdue(2 * 10**9, ())
