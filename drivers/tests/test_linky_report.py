"""What is due of a meter's values: every change at once, everything within a minute, no more of what stands still."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from drivers.linky_channels import Pace, Point, points_of
from drivers.linky_report import Report
from drivers.reading import Quality, Reading
from linky_tic.label import Mode

FRAME_MS = 1_400
POINTS = {name: point for (_, name), (point,) in points_of("m", [Mode.STANDARD]).items()}
NOW, INDEX, OTHER, TEXT, GUEST = "SINSTS", "EASF01", "PREF", "LTARF", "MSG2"
Frame = Mapping[str, int | str]


class Meter:
    """Gives frames to a Report, and keeps what was due: (time, value) by label, and the ticks."""

    def __init__(self) -> None:
        self.report = Report()
        self.now_ms = 1_000_000
        self.told: dict[str, list[tuple[int, int | str]]] = {}
        self.ticks: list[Sequence[Reading]] = []

    def frame(
        self, values: Frame, *, whole: bool = True, quality: Quality = Quality.OK, after_ms: int = FRAME_MS
    ) -> None:
        self.now_ms += after_ms
        found = [(POINTS[label], self._reading(POINTS[label], value, quality)) for label, value in values.items()]
        names = {point.channel.name: label for label, point in POINTS.items()}
        for tick in self.report.due(found, whole=whole):
            self.ticks.append(tick)
            assert len({reading.channel.group for reading in tick}) == 1
            for reading in tick:
                self.told.setdefault(names[reading.channel.name], []).append((reading.boot_ms, reading.value))

    def _reading(self, point: Point, value: int | str, quality: Quality) -> Reading:
        return Reading(point.channel, value, self.now_ms, quality)

    def count(self, label: str) -> int:
        return len(self.told.get(label, ()))


def test_what_is_so_now_comes_with_each_frame() -> None:
    """A power that stays the same is given all the same: the frame measured it anew."""
    meter = Meter()
    for _ in range(100):
        meter.frame({NOW: 500, OTHER: 9})
    assert meter.count(NOW) == 100


def test_what_stands_still_comes_once_a_minute() -> None:
    """In ten minutes of frames, a subscribed power and a text come eleven times, never more than a minute apart."""
    meter = Meter()
    for _ in range(10 * 60_000 // FRAME_MS):
        meter.frame({NOW: 500, OTHER: 9, TEXT: "BASE"})
    for label in (OTHER, TEXT):
        times = [at_ms for at_ms, _ in meter.told[label]]
        assert len(times) == 11
        assert max(after - before for before, after in pairwise(times)) <= 60_000


def test_an_index_runs_for_a_minute_after_it_moved() -> None:
    """While it moves now and then it comes with each frame, a minute after the last time only once a minute."""
    meter = Meter()
    for n in range(200):
        meter.frame({INDEX: 1_000 + n // 20})
    assert meter.count(INDEX) == 200
    for _ in range(40):
        meter.frame({INDEX: 1_009})
    before = meter.count(INDEX)
    for _ in range(43):
        meter.frame({INDEX: 1_009})
    assert 1 <= meter.count(INDEX) - before <= 2


def test_of_the_rest_all_comes_together() -> None:
    """When one of the slow group changes, what else of it the frame has comes in the same tick: that is free."""
    meter = Meter()
    meter.frame({OTHER: 9, TEXT: "BASE"})
    meter.frame({OTHER: 9, TEXT: "BASE"})
    assert len(meter.ticks) == 1
    meter.frame({OTHER: 9, TEXT: "HC"})
    assert [reading.value for reading in meter.ticks[-1]] == [9, "HC"]
    assert len(meter.ticks) == 2


def test_a_doubt_is_a_change() -> None:
    """A value that becomes suspect, or is believed again, is given at once."""
    meter = Meter()
    for quality in (Quality.OK, Quality.OK, Quality.SUSPECT, Quality.SUSPECT, Quality.OK):
        meter.frame({OTHER: 9}, quality=quality)
    assert [tick[0].quality for tick in meter.ticks] == [Quality.OK, Quality.SUSPECT, Quality.OK]


def test_what_comes_and_goes_is_a_change_each_time() -> None:
    """A message that is sent once and again is given each time; that it has gone shows in a tick without it."""
    meter = Meter()
    for _ in range(2):
        meter.frame({OTHER: 9, GUEST: "HELLO"})
        meter.frame({OTHER: 9})
    assert [len(tick) for tick in meter.ticks] == [2, 1, 2, 1]


def test_a_short_frame_says_nothing_of_what_it_never_has() -> None:
    """The frames of an overrun hold currents alone: nothing has gone because of them; nor of a damaged one."""
    meter = Meter()
    meter.frame({OTHER: 9, TEXT: "BASE"})
    for _ in range(20):
        meter.frame({"IRMS1": 40})
    meter.frame({TEXT: "BASE"}, whole=False)
    meter.frame({OTHER: 9, TEXT: "BASE"})
    assert meter.count(OTHER) == 1


def test_after_a_pause_everything_comes_again() -> None:
    """Who was told before the line fell silent is told again when it speaks."""
    meter = Meter()
    meter.frame({NOW: 500, INDEX: 7, OTHER: 9, TEXT: "BASE"})
    meter.report.forget()
    meter.frame({NOW: 500, INDEX: 7, OTHER: 9, TEXT: "BASE"})
    assert {label: meter.count(label) for label in (NOW, INDEX, OTHER, TEXT)} == dict.fromkeys(
        (NOW, INDEX, OTHER, TEXT), 2
    )


VALUES = st.dictionaries(st.sampled_from([NOW, INDEX, OTHER, GUEST, "STGE", "EAST"]), st.integers(0, 2), max_size=6)
STEPS = st.lists(
    st.tuples(VALUES, st.booleans(), st.sampled_from([700, 1_400, 3_000]), st.booleans()), min_size=1, max_size=200
)


@given(STEPS)
def test_every_change_is_told_and_nothing_older_than_a_minute_is_left(
    steps: list[tuple[dict[str, int], bool, int, bool]],
) -> None:
    """After each frame, what was told last of a channel is what the frame says, and not a minute old; never twice."""
    meter = Meter()
    for values, whole, after_ms, paused in steps:
        if paused:
            meter.report.forget()
        meter.frame(
            {label: f"{value}" if label == GUEST else value for label, value in values.items()},
            whole=whole,
            after_ms=after_ms,
        )
        for label in values:
            at_ms, value = meter.told[label][-1]
            assert str(value) == str(values[label])
            assert meter.now_ms - at_ms <= 60_000 - 3_000
            assert not paused or at_ms == meter.now_ms
    for times in meter.told.values():
        moments = [at_ms for at_ms, _ in times]
        assert moments == sorted(set(moments))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=50, max_size=150))
def test_what_is_told_is_due(frames: list[tuple[int, int]]) -> None:
    """A slow tick needs a reason: something of the group changed, or a minute has nearly passed since the last."""
    meter = Meter()
    last: tuple[int, int] | None = None
    told_ms = 0
    for frame in frames:
        before = len(meter.ticks)
        meter.frame({OTHER: frame[0], "PCOUP": frame[1]})
        if len(meter.ticks) > before:
            assert frame != last or meter.now_ms - told_ms >= 57_000
            told_ms = meter.now_ms
        last = frame


def test_every_point_has_a_pace() -> None:
    """Of a Linky: what is so now, indexes, and the rest, each in the group that its pace has."""
    for point in POINTS.values():
        assert point.channel.group == ("m.slow" if point.pace is Pace.CHANGE else "m")
