"""A gap is where two readings lie too far apart, and nowhere else."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.gaps import BOUND_MS, INDEX_BOUND_MS, Gaps, bound_ms


def test_a_gap_is_told_with_the_reading_before_it() -> None:
    """What comes each 10 s and then not for an hour has a gap, once, from its last reading on."""
    gaps = Gaps()
    assert [gaps.reading("a", at) for at in (0, 10_000, 10_000 + BOUND_MS)] == [None, None, None]
    assert gaps.reading("a", 4_000_000) == 10_000 + BOUND_MS
    assert gaps.reading("a", 4_010_000) is None


def test_a_slow_poll_is_no_gap() -> None:
    """What is read each ten minutes has none until three of them are missing, not even before its second reading."""
    gaps = Gaps()
    step = 600_000
    assert [gaps.reading("a", at * step) for at in (0, 1, 2, 5)] == [None] * 4
    assert gaps.reading("a", 9 * step) == 5 * step


def test_a_channel_that_never_spoke_or_fell_silent_has_an_open_gap() -> None:
    """The end of a file is no reason to keep silent."""
    gaps = Gaps()
    assert gaps.open_at("a", 0)
    gaps.reading("a", 1_000)
    assert not gaps.open_at("a", 1_000 + BOUND_MS)
    assert gaps.open_at("a", 1_001 + BOUND_MS)
    assert gaps.last("a") == 1_000


def test_another_boot_is_another_scale() -> None:
    """Milliseconds of two boots have no distance."""
    gaps = Gaps()
    gaps.reading("a", 10**9)
    gaps.forget()
    assert gaps.reading("a", 5) is None
    assert gaps.last("b") is None


def test_an_index_tier_has_its_own_bound() -> None:
    """Snapshots come each quarter of an hour."""
    assert [bound_ms(each) for each in ("fine", "minute.apt-1.a", "index", "index.apt-1.a")] == [
        BOUND_MS,
        BOUND_MS,
        INDEX_BOUND_MS,
        INDEX_BOUND_MS,
    ]


@given(st.lists(st.integers(0, 10**7)))
def test_what_is_told_always_lies_before(moments: list[int]) -> None:
    """In whatever order readings come, a gap begins at one of them, and is longer than the bound."""
    gaps = Gaps()
    for at in moments:
        before = gaps.reading("a", at)
        assert before is None or (before in moments and at - before > BOUND_MS)
