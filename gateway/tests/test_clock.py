"""Boot time never jumps; wall time is a correlation with a bound, and the better one counts."""

import time

import pytest

from gateway import clock
from gateway.clock import Correlation, SystemClock

BOOT = bytes(16)
UTC_MS = 1_800_000_000_000


def test_a_correlation_places_other_moments_of_its_boot() -> None:
    """UTC goes on with boot time, forth and back."""
    known = Correlation(BOOT, 10_000, UTC_MS, 20, "kernel")
    assert known.utc_ms_at(12_500) == UTC_MS + 2_500
    assert known.utc_ms_at(7_500) == UTC_MS - 2_500


def test_uncertainty_grows_with_distance_in_both_directions() -> None:
    """50 ppm of drift for as long as nothing corrects the crystal: 180 ms an hour."""
    known = Correlation(BOOT, 10_000_000, UTC_MS, 20, "kernel")
    assert known.uncertainty_ms_at(10_000_000) == 20
    assert known.uncertainty_ms_at(13_600_000) == known.uncertainty_ms_at(6_400_000) == 200


def test_boot_time_is_the_kernel_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations come from CLOCK_BOOTTIME, which counts through suspend and which nobody can set."""
    monkeypatch.setattr(time, "clock_gettime_ns", {time.CLOCK_BOOTTIME: 7_654_321_000}.__getitem__)
    assert SystemClock().boot_ms() == 7_654


def test_the_boot_id_names_this_boot() -> None:
    """Two clocks of one boot agree."""
    assert SystemClock().boot_id == SystemClock().boot_id
    assert len(SystemClock().boot_id) == 16


class Hands:
    """The machine's clocks, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.boot_ms = 1_000_000
        self.kernel_error_ms: int | None = None
        self.wall_ms = UTC_MS
        monkeypatch.setattr(time, "clock_gettime_ns", lambda _: self.boot_ms * 1_000_000)
        monkeypatch.setattr(time, "time_ns", lambda: self.wall_ms * 1_000_000)
        monkeypatch.setattr(clock, "_kernel_uncertainty_ms", lambda: self.kernel_error_ms)


@pytest.fixture(name="hands")
def hands_fixture(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """Give clocks moved by hand."""
    return Hands(monkeypatch)


def test_an_unsynchronised_clock_is_not_believed(hands: Hands) -> None:
    """Whatever the wall clock shows at a start, without the kernel's word it counts for nothing."""
    assert hands.wall_ms
    assert SystemClock().correlation() is None


def test_the_kernel_s_word_is_taken_with_its_error(hands: Hands) -> None:
    """A synchronised kernel gives wall time and its own bound."""
    hands.kernel_error_ms = 12
    assert SystemClock().correlation() == Correlation(SystemClock().boot_id, 1_000_000, UTC_MS, 12, "kernel")


def test_the_kernel_s_last_word_holds_over(hands: Hands) -> None:
    """Once synchronised in this boot, the clock is known for hours, ever less exactly, even if someone sets it."""
    clock_ = SystemClock()
    hands.kernel_error_ms = 12
    clock_.correlation()
    hands.kernel_error_ms = None
    hands.boot_ms += 3_600_000
    hands.wall_ms = 0
    known = clock_.correlation()
    assert known is not None
    assert known.utc_ms_at(hands.boot_ms) == UTC_MS + 3_600_000
    assert known.uncertainty_ms_at(hands.boot_ms) == 12 + 180


def test_half_of_the_way_is_unknown(hands: Hands) -> None:
    """A reply that took 80 ms places the centre's time in the middle, give or take half of the trip."""
    clock_ = SystemClock()
    hands.boot_ms += 80
    clock_.replied(1_000_000, UTC_MS)
    known = clock_.correlation()
    assert known is not None
    assert (known.utc_ms_at(1_000_040), known.uncertainty_ms, known.source) == (UTC_MS, 41, "centre")


def test_the_better_source_counts(hands: Hands) -> None:
    """A slow reply does not replace a quick one, nor a kernel that knows better; time makes the old one worse."""
    clock_ = SystemClock()
    hands.boot_ms += 20
    clock_.replied(1_000_000, UTC_MS)
    hands.boot_ms += 4_000
    clock_.replied(hands.boot_ms - 4_000, UTC_MS + 2_000)
    known = clock_.correlation()
    assert known is not None
    assert known.uncertainty_ms == 11
    hands.kernel_error_ms = 2
    known = clock_.correlation()
    assert known is not None
    assert known.source == "kernel"


def test_a_meter_s_clock_counts_only_while_nobody_better_knows(hands: Hands) -> None:
    """It is provisional, gives way to the centre and to the kernel, and commands never rely on it, however exact."""
    clock_ = SystemClock()
    clock_.metered(1_000_000, UTC_MS, 1)
    known = clock_.correlation()
    assert known == Correlation(clock_.boot_id, 1_000_000, UTC_MS, 1, "meter")
    assert known.provisional
    assert not known.is_trusted_at(1_000_000)
    assert clock_.trusted() is None
    clock_.replied(900_000, UTC_MS + 3_600_000)
    known = clock_.correlation()
    assert known is not None
    assert (known.source, known.provisional) == ("centre", False)
    hands.kernel_error_ms = 12
    known = clock_.correlation()
    assert known is not None
    assert known.is_trusted_at(1_000_000)


def test_a_meter_s_jitter_moves_nothing(hands: Hands) -> None:
    """Seconds come late by up to a frame: only a jump of more than two, or an hour, is a new correlation."""
    clock_ = SystemClock()
    for after_ms, jitter_ms, since in ((0, 0, 0), (1_000, 900, 0), (2_000, -1_900, 0), (3_000, 2_100, 3_000)):
        hands.boot_ms = 1_000_000 + after_ms
        clock_.metered(hands.boot_ms, UTC_MS + after_ms + jitter_ms, 7_000)
        known = clock_.correlation()
        assert known is not None
        assert known.boot_ms == 1_000_000 + since
    clock_.metered(1_003_000 + 3_600_001, UTC_MS + 3_000 + 3_600_001 + 2_100, 7_000)
    known = clock_.correlation()
    assert known is not None
    assert known.boot_ms == 1_003_000 + 3_600_001


def test_the_kernel_answers_this_machine() -> None:
    """The kernel is asked for real (adjtimex): an error bound, or the word that there is none."""
    error = clock._kernel_uncertainty_ms()
    assert error is None or error >= 1
