"""The demo's judge finds what is lost and what is invented, and leaves out only the span it was told."""

from hil_tests.demo.verdict import Span, compare

PERIOD_MS = 1_400


def frames(count: int, value: int | None = None) -> list[tuple[int, int]]:
    """Readings a frame apart: a rising index, or always the same value."""
    return [(k * PERIOD_MS, k if value is None else value) for k in range(count)]


def test_all_that_arrived_a_little_later_is_found() -> None:
    """Nothing is lost where each entry has its reading."""
    late = [(t + 130, v) for t, v in frames(50)]
    verdict = compare({"linky.east": frames(50)}, {"linky.east": late}, [])
    assert (verdict.put, verdict.found, verdict.lost, verdict.invented) == (50, 50, {}, {})


def test_one_missing_reading_is_one_lost_also_among_equal_values() -> None:
    """A neighbour with the same value does not hide a loss."""
    for value in (None, 230):
        wires = frames(50, value)
        verdict = compare({"c": wires}, {"c": wires[:20] + wires[21:]}, [])
        assert verdict.lost == {"c": 1}
        assert verdict.invented == {}


def test_a_changed_value_is_lost_and_invented() -> None:
    """A wrong value is worse than none: it is told on both sides."""
    arrived = frames(50)
    arrived[7] = (arrived[7][0], 999)
    verdict = compare({"c": frames(50)}, {"c": arrived}, [])
    assert verdict.lost == {"c": 1}
    assert verdict.invented == {"c": 1}


def test_a_duplicate_is_invented() -> None:
    """Each entry of the ledger proves one reading."""
    arrived = sorted([*frames(50), frames(50)[3]])
    verdict = compare({"c": frames(50)}, {"c": arrived}, [])
    assert verdict.lost == {}
    assert verdict.invented == {"c": 1}


def test_only_the_span_is_left_out() -> None:
    """What is missing inside the span does not count, what is missing beside it does."""
    wires = frames(50)
    arrived = [seen for seen in wires if not 10 <= seen[1] <= 20]
    span = Span(10 * PERIOD_MS - 1, 19 * PERIOD_MS + 1)
    assert compare({"c": wires}, {"c": arrived}, [span]).lost == {"c": 1}


def test_a_span_among_equal_values_hides_nothing_beside_it() -> None:
    """Entries lost in the span do not take the readings of those after it, which then would seem lost."""
    wires = frames(50, 230)
    span = Span(10 * PERIOD_MS - 1, 19 * PERIOD_MS + 1)
    arrived = [(t + 100, v) for t, v in wires if not span.holds(t)]
    assert compare({"c": wires}, {"c": arrived}, [span]).lost == {}
    assert compare({"c": wires}, {"c": arrived[:30] + arrived[31:]}, [span]).lost == {"c": 1}


def test_a_reading_stamped_after_the_edge_of_a_span_belongs_to_its_entry() -> None:
    """The frame that ended just before the first whole frame was noted is neither lost nor invented."""
    wires = frames(20)
    arrived = [(t + 80, v) for t, v in wires]
    edge = Span(-1, arrived[5][0])
    assert compare({"c": wires}, {"c": arrived[5:]}, [edge]).lost == {}
    assert compare({"c": wires}, {"c": arrived[5:]}, [edge]).invented == {}


def test_a_channel_that_never_arrived_is_all_lost() -> None:
    """A channel unknown to the centre is not forgotten."""
    assert compare({"c": frames(5)}, {}, []).lost == {"c": 5}
