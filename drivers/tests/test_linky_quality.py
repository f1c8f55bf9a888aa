"""What a line's rates say: of the last minute and the last hour, and nothing of what a wrong speed made."""

from drivers.linky_quality import LineQuality, Rates
from linky_tic.group import Group, Reason

VALID = Group("PAPP", "00500")
REFUSED = Group("PAPP", None, valid=False, reason=Reason.CHECKSUM.value)
UNKNOWN = Group("NEW", "1", valid=False, reason=Reason.UNKNOWN_LABEL.value)


def second(quality: LineQuality, now_ms: int, *, refused: int = 0, damaged: int = 0) -> None:
    """Let a second pass with a frame of ten groups and a hundred characters."""
    for group in (*[REFUSED] * refused, *[VALID] * (9 - refused), UNKNOWN):
        quality.group(group)
    quality.characters(100, damaged)
    quality.frame(complete=True, suspect=0)
    quality.passed(now_ms)


def test_rates_are_of_the_last_minute_and_the_last_hour() -> None:
    """An hour with a bad minute at its end shows both; a minute later only the hour remembers it."""
    quality = LineQuality()
    quality.searching = False
    quality.passed(0)
    for now in range(1, 3_541):
        second(quality, now * 1_000)
    for now in range(3_541, 3_601):
        second(quality, now * 1_000, refused=2, damaged=1)
    found = quality.rates(3_600_000)
    assert found["minute"] == Rates(60.0, 20.0, 10.0)
    assert found["hour"] == Rates(60.0, 0.33, 0.17)
    for now in range(3_601, 3_671):
        second(quality, now * 1_000)
    found = quality.rates(3_670_000)
    assert found["minute"] == Rates(60.0, 0.0, 0.0)
    assert found["hour"] is not None
    assert found["hour"].refused_percent > 0.3


def test_nothing_is_said_too_early_and_nothing_of_a_search() -> None:
    """Ten seconds at least; what came while the speed was looked for is counted, and in no rate."""
    quality = LineQuality()
    quality.passed(0)
    for now in range(1, 9):
        second(quality, now * 1_000, refused=9, damaged=50)
    assert quality.rates(9_000) == {"minute": None, "hour": None}
    quality.searching = False
    for now in range(9, 20):
        second(quality, now * 1_000)
    assert quality.rates(20_000)["minute"] == Rates(33.0, 0.0, 0.0)
    assert quality.counters["groups_checksum"] == 72
    assert quality.counters["groups_unknown_label"] == 19


def test_a_silent_line_has_no_frames_in_its_minute() -> None:
    """Silence shows as frames that do not come, also where nobody let time pass meanwhile."""
    quality = LineQuality()
    quality.searching = False
    quality.passed(0)
    for now in range(1, 61):
        second(quality, now * 1_000)
    for now in range(61, 131):
        quality.passed(now * 1_000)
    assert quality.rates(130_000)["minute"] == Rates(0.0, 0.0, 0.0)


def test_what_is_remembered_is_bounded() -> None:
    """A day holds no more than a minute's steps and an hour's."""
    quality = LineQuality()
    for now in range(86_400):
        quality.passed(now * 1_000)
    assert len(quality._minute._seen) <= 14
    assert len(quality._hour._seen) <= 62
