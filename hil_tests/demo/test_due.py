"""The judge of the Linky finds a change that did not arrive, a value that was not repeated, and no more than that."""

from hil_tests.demo.due import Due, unknown
from hil_tests.demo.verdict import Seen, Span, compare

PERIOD_MS = 1_400
NAMES = {"now": "linky.sinsts", "index": "linky.easf01", "rest": "linky.pref"}


def put(values: list[dict[str, int]], uncertain: set[int] = frozenset()) -> Due:  # type: ignore[assignment]
    """Put frames a period apart on a wire; the ones named are heard in part only."""
    due = Due()
    for k, each in enumerate(values):
        told = {NAMES[name]: value for name, value in each.items()}
        due.frame(10_000_000 + k * PERIOD_MS, told, certain=k not in uncertain)
    return due


def at(*frames: int, name: str = "rest", value: int = 9) -> dict[str, list[Seen]]:
    """What arrived of one channel: one value, from these frames."""
    return {NAMES[name]: [(10_000_000 + k * PERIOD_MS + 120, value) for k in frames]}


def lost(due: Due, arrived: dict[str, list[Seen]], *spans: Span) -> tuple[int, int, int]:
    """How much was lost of what had to arrive, invented, and not known when it should have been."""
    verdict = compare(due.certain, arrived, spans, due.perhaps)
    return sum(verdict.lost.values()), sum(verdict.invented.values()), len(list(unknown(due.said, arrived, spans)))


def test_a_value_that_stands_still_may_come_once_a_minute() -> None:
    """Two minutes of it: three times is enough, each time is right, twice leaves some of it unknown."""
    due = put([{"rest": 9}] * 90)
    assert lost(due, at(0, 41, 82)) == (0, 0, 0)
    assert lost(due, at(*range(90))) == (0, 0, 0)
    # From the 43rd frame on it is more than a minute old; a stamp may be four seconds late.
    assert lost(due, at(0, 60)) == (0, 0, 15)
    assert lost(due, {}) == (1, 0, 90)


def test_each_change_must_arrive_at_once() -> None:
    """A change that comes with the next repetition only is lost, and a value that was never sent is invented."""
    due = put([{"rest": 9}] * 10 + [{"rest": 12}] * 10)
    right = {NAMES["rest"]: at(0)[NAMES["rest"]] + at(10, value=12)[NAMES["rest"]]}
    assert lost(due, right) == (0, 0, 0)
    late = {NAMES["rest"]: at(0)[NAMES["rest"]] + at(15, value=12)[NAMES["rest"]]}
    assert lost(due, late)[0] == 1
    wrong = {NAMES["rest"]: [*right[NAMES["rest"]], (10_000_000 + 5 * PERIOD_MS, 13)]}
    assert lost(due, wrong)[1] == 1


def test_a_value_of_now_and_a_running_index_must_come_with_each_frame() -> None:
    """One that is missing is lost, also among equal ones."""
    due = put([{"now": 500, "index": 7 + k // 10} for k in range(40)])
    every = {**at(*range(40), name="now", value=500)}
    every[NAMES["index"]] = [(10_000_000 + k * PERIOD_MS + 120, 7 + k // 10) for k in range(40)]
    assert lost(due, every) == (0, 0, 0)
    for name in ("now", "index"):
        fewer = {**every, NAMES[name]: every[NAMES[name]][:33] + every[NAMES[name]][34:]}
        assert lost(due, fewer)[0] == 1


def test_a_change_in_a_damaged_frame_may_arrive_with_it_or_after_it() -> None:
    """Either is right, neither is not."""
    due = put([{"rest": 9}] * 5 + [{"rest": 12}] * 5, uncertain={5})
    for frame in (5, 6):
        arrived = {NAMES["rest"]: at(0)[NAMES["rest"]] + at(frame, value=12)[NAMES["rest"]]}
        assert lost(due, arrived) == (0, 0, 0)
    assert lost(due, at(0)) == (0, 0, 4)


def test_what_was_heard_of_a_cut_frame_is_stamped_before_its_end() -> None:
    """The adapter was pulled out in the middle of it: its good groups are no invention, a second time they are."""
    due = put([{"now": 500}] * 5 + [{"now": 700}], uncertain={5})
    arrived = at(*range(5), name="now", value=500)
    cut_ms = 10_000_000 + 5 * PERIOD_MS - 900
    assert lost(due, {NAMES["now"]: [*arrived[NAMES["now"]], (cut_ms, 700)]}) == (0, 0, 0)
    assert lost(due, {NAMES["now"]: [*arrived[NAMES["now"]], (cut_ms, 700), (cut_ms + 100, 700)]}) == (0, 1, 0)


def test_a_span_is_left_out_and_nothing_beside_it() -> None:
    """What was lost in it is no loss, what was not known after it is."""
    due = put([{"rest": 9}] * 5 + [{"rest": 12}] * 10)
    span = Span(10_000_000 + 5 * PERIOD_MS - 500, 10_000_000 + 8 * PERIOD_MS - 500)
    again = {NAMES["rest"]: at(0)[NAMES["rest"]] + at(8, value=12)[NAMES["rest"]]}
    assert lost(due, again, span) == (0, 0, 0)
    assert lost(due, at(0), span) == (0, 0, 7)
