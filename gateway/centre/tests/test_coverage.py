"""A watermark and ranges above it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.centre.coverage import Coverage


def test_watermark_moves_when_the_hole_is_filled() -> None:
    """The watermark stays at the hole and jumps over everything that touches once it is filled."""
    coverage = Coverage()
    for sequence in (1, 2, 5, 4, 9):
        assert coverage.add(sequence)
    assert (coverage.upto, coverage.ranges(9)) == (2, ((4, 5), (9, 9)))
    assert list(coverage.gaps()) == [(3, 3), (6, 8)]
    coverage.add(3)
    assert (coverage.upto, coverage.ranges(9)) == (5, ((9, 9),))


@given(st.lists(st.integers(1, 40), max_size=80))
def test_it_says_what_a_set_would_say(sequences: list[int]) -> None:
    """For any order of arrival: the same members as a set, ranges that neither touch nor overlap, and exact holes."""
    coverage, members = Coverage(), set[int]()
    for sequence in sequences:
        assert coverage.add(sequence) is (sequence not in members)
        members.add(sequence)
    ranges = [(1, coverage.upto), *coverage.ranges(99)] if coverage.upto else list(coverage.ranges(99))
    assert {number for first, last in ranges for number in range(first, last + 1)} == members
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(ranges))
    missing = {number for first, last in coverage.gaps() for number in range(first, last + 1)}
    assert missing == set(range(1, max(members, default=0))) - members
    again = Coverage(ranges)
    assert (again.upto, again.ranges(99)) == (coverage.upto, coverage.ranges(99))
