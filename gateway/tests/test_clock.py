"""Boot time never jumps; wall time is a correlation with a bound, and the better one counts."""

import os
import time
from pathlib import Path

import pytest

from gateway import adjtimex
from gateway.adjtimex import Timex, WallClock
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

    def clock(self, drift_ppm: int = 50) -> SystemClock:
        """Give the agent's clock on such a machine."""
        return SystemClock(drift_ppm=drift_ppm, wall=self._wall)

    def _wall(self) -> WallClock | None:
        return None if self.kernel_error_ms is None else WallClock(self.wall_ms, self.kernel_error_ms)

    def passed(self, ms: int) -> None:
        """Let time pass on both clocks."""
        self.boot_ms += ms
        self.wall_ms += ms


@pytest.fixture(name="hands")
def hands_fixture(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """Give clocks moved by hand."""
    return Hands(monkeypatch)


def test_an_unsynchronised_clock_is_not_believed(hands: Hands) -> None:
    """Whatever the wall clock shows at a start, without the kernel's word it counts for nothing."""
    assert hands.wall_ms
    assert hands.clock().correlation() is None


def test_the_kernel_s_word_is_taken_with_its_error(hands: Hands) -> None:
    """A synchronised kernel gives wall time and its own bound."""
    hands.kernel_error_ms = 12
    assert hands.clock().correlation() == Correlation(SystemClock().boot_id, 1_000_000, UTC_MS, 12, "kernel")


def test_the_kernel_s_last_word_holds_over(hands: Hands) -> None:
    """Once synchronised in this boot, the clock is known for hours, ever less exactly, even if someone sets it."""
    clock_ = hands.clock()
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
    clock_ = hands.clock()
    hands.boot_ms += 80
    clock_.replied(1_000_000, UTC_MS)
    known = clock_.correlation()
    assert known is not None
    assert (known.utc_ms_at(1_000_040), known.uncertainty_ms, known.source) == (UTC_MS, 41, "centre")


def test_the_better_source_counts(hands: Hands) -> None:
    """A slow reply does not replace a quick one, nor a kernel that knows better; time makes the old one worse."""
    clock_ = hands.clock()
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
    clock_ = hands.clock()
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
    clock_ = hands.clock()
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


def test_between_two_syncs_the_word_of_the_last_one_holds_over(hands: Hands) -> None:
    """The kernel's own bound grows ten times faster than a crystal drifts: after 12 hours commands still work."""
    clock_ = hands.clock()
    hands.kernel_error_ms = 500
    clock_.correlation()
    for seconds in range(600, 32_001, 600):
        hands.passed(600_000)
        hands.kernel_error_ms = 500 + seconds // 2
        clock_.correlation()
    hands.kernel_error_ms = None
    hands.passed(43_200_000 - 31_800_000)
    known = clock_.correlation()
    assert known is not None
    assert 500 + 2_140 <= known.uncertainty_ms_at(hands.boot_ms) <= 500 + 2_170
    assert known.is_trusted_at(hands.boot_ms)
    assert not known.is_trusted_at(hands.boot_ms + 50_000_000)


def test_the_drift_is_a_setting(hands: Hands) -> None:
    """A machine with a poor crystal says so, and is trusted for less long."""
    clock_ = hands.clock(drift_ppm=200)
    hands.kernel_error_ms = 500
    known = clock_.correlation()
    assert known is not None
    assert known.uncertainty_ms_at(hands.boot_ms + 3_600_000) == 500 + 720


@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000, -UTC_MS])
def test_a_clock_that_is_set_by_hand_moves_nothing(hands: Hands, step_ms: int) -> None:
    """Whoever sets it makes the kernel call it unsynchronised: what was known before holds over."""
    clock_ = hands.clock()
    hands.kernel_error_ms = 500
    before = clock_.correlation()
    hands.wall_ms += step_ms
    hands.kernel_error_ms = None
    hands.passed(60_000)
    assert clock_.correlation() == before


def test_a_daemon_that_steps_the_clock_is_believed(hands: Hands) -> None:
    """What a new sync says contradicts the old word: the old one was wrong, however exact it said it was."""
    clock_ = hands.clock()
    hands.kernel_error_ms = 12
    clock_.correlation()
    hands.passed(60_000)
    hands.kernel_error_ms = 500
    hands.wall_ms += 3_600_000
    known = clock_.correlation()
    assert known is not None
    assert known.utc_ms_at(hands.boot_ms) == hands.wall_ms


def test_kernel_and_centre_may_disagree(hands: Hands) -> None:
    """By more than both allow for: one of them is wrong, and it is told by how much."""
    clock_ = hands.clock()
    assert clock_.apart_ms() == 0
    hands.kernel_error_ms = 500
    hands.boot_ms += 80
    clock_.replied(1_000_000, UTC_MS - 460)
    assert clock_.apart_ms() == 0
    hands.wall_ms += 60_000
    assert clock_.apart_ms() == 60_000 + 420
    clock_.replied(1_000_000, UTC_MS + 60_000)
    assert clock_.apart_ms() == 0


def timex(*, maxerror: int = 0, esterror: int = 0, offset: int = 0, status: int = 0) -> Timex:
    """Give an answer of the kernel."""
    return Timex(maxerror=maxerror, esterror=esterror, offset=offset, status=status)


def test_a_daemon_that_tells_no_error_is_not_taken_for_exact() -> None:
    """Timesyncd sets both errors to 0 however far its server is, and lets up to 0.4 s creep."""
    assert adjtimex.uncertainty(timex(), 0) == 601
    assert adjtimex.uncertainty(timex(maxerror=1_200_000), 0) == 1_801
    creeping = timex(maxerror=300_000, offset=-390_000_000, status=0x2001)
    assert adjtimex.uncertainty(creeping, 0) == 1_291
    assert adjtimex.uncertainty(timex(maxerror=200_000, offset=390_000, status=0x0001), 0) == 1_191


def test_a_daemon_that_tells_its_error_is_believed() -> None:
    """Chrony and ntpd know how far their servers are."""
    assert adjtimex.uncertainty(timex(maxerror=24_000, esterror=310), 0) == 25


@pytest.mark.parametrize(("state", "status"), [(-1, 0), (5, 0), (0, 0x0040), (5, 0x0040)])
def test_a_kernel_that_is_not_synchronised_says_nothing(state: int, status: int) -> None:
    """TIME_ERROR, STA_UNSYNC, or no answer at all."""
    assert adjtimex.uncertainty(timex(status=status), state) is None


def test_where_the_kernel_may_not_be_asked_the_stamp_tells(tmp_path: Path) -> None:
    """Timesyncd's stamp counts once, by its age; absent, of the future, or seen before, nothing is said."""
    stamp = tmp_path / "synchronized"
    kernel = adjtimex.Kernel(stamp, asked=lambda _: -1)
    assert kernel.ask() is None
    stamp.touch()
    told = kernel.ask()
    assert told is not None
    assert 601 <= told.uncertainty_ms < 700
    assert kernel.ask() is None
    an_hour_ago = time.time() - 3_600
    os.utime(stamp, (an_hour_ago, an_hour_ago))
    told = kernel.ask()
    assert told is not None
    assert 601 + 1_800 <= told.uncertainty_ms < 2_600
    tomorrow = time.time() + 86_400
    os.utime(stamp, (tomorrow, tomorrow))
    assert kernel.ask() is None


def test_the_kernel_answers_this_machine(tmp_path: Path) -> None:
    """The kernel is asked for real (adjtimex): the time with its bound, or the word that it is not known."""
    told = adjtimex.Kernel(tmp_path / "none").ask()
    assert told is None or (told.uncertainty_ms >= 1 and abs(told.utc_ms - time.time() * 1000) < 60_000)
