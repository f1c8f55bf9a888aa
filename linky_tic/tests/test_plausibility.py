"""Values that cannot be true are flagged, each alone, and honest meters never."""

from dataclasses import replace

import pytest

from linky_tic.decoder import Decoder, Frame
from linky_tic.group import Group
from linky_tic.label import Mode
from linky_tic.plausibility import IndexWatch
from linky_tic.stuck import StuckWatch
from linky_tic.tests.encoder import Item, MeterState, encode_frame, items_of


def frame_of(mode: Mode, items: list[Item]) -> Frame:
    """Give the one frame that these items make."""
    *_, frame = Decoder(mode).feed(encode_frame(mode, items))
    assert isinstance(frame, Frame)
    return frame


def suspects(groups: tuple[Group, ...]) -> list[str]:
    """Give the labels that are flagged, all of them valid and with their values."""
    assert all(group.valid and group.value is not None and group.reason for group in groups if group.suspect)
    return [group.label for group in groups if group.suspect]


@pytest.mark.parametrize(("power", "suspect"), [(831, False), (832, True), (48_370, True)])
def test_a_power_that_its_current_cannot_carry_is_flagged(power: int, *, suspect: bool) -> None:
    """SINSTSx is suspect above 1.2 x (IRMSx + 1) x URMSx, 831 VA at 2 A and 231 V, and stays valid."""
    items = [Item("IRMS2", "002"), Item("URMS2", "231"), Item("SINSTS2", f"{power:05}"), Item("SINSTS3", "99999")]
    assert suspects(frame_of(Mode.STANDARD, items).groups) == (["SINSTS2"] if suspect else [])


@pytest.mark.parametrize(("power", "suspect"), [(831, False), (832, True)])
def test_the_power_of_a_single_phase_is_its_current_too(power: int, *, suspect: bool) -> None:
    """SINSTS of a single-phase meter is measured by IRMS1 and URMS1; beside another phase it is not."""
    items = [Item("IRMS1", "002"), Item("URMS1", "231"), Item("SINSTS", f"{power:05}")]
    assert suspects(frame_of(Mode.STANDARD, items).groups) == (["SINSTS"] if suspect else [])
    assert suspects(frame_of(Mode.STANDARD, [*items, Item("IRMS2", "002")]).groups) == []


@pytest.mark.parametrize(("total", "suspect"), [(0, False), (3_000, False), (4_290, False), (4_291, True)])
def test_a_total_above_its_phases_is_flagged(total: int, *, suspect: bool) -> None:
    """SINSTS is suspect above 1.2 x the sum of its phases and an ampere each, and may be less: a phase may inject."""
    items = [Item("SINSTS", f"{total:05}"), *(Item(f"SINSTS{n}", "01000") for n in (1, 2, 3))]
    assert suspects(frame_of(Mode.STANDARD, items).groups) == (["SINSTS"] if suspect else [])


class Meter:
    """One meter's EAST under an IndexWatch, with what its contract says."""

    def __init__(self, *contract: Item, label: str = "EAST", mode: Mode = Mode.STANDARD) -> None:
        self._watch = IndexWatch()
        self._contract = list(contract)
        self._label, self._mode = label, mode

    def doubt(self, index: int, now_s: int) -> str | None:
        """Give why an index is suspect, None where it is not."""
        frame = frame_of(self._mode, [*self._contract, Item(self._label, f"{index:09}")])
        *_, group = self._watch.judge(frame.groups, now_s * 1_000)
        assert (group.valid, group.suspect) == (True, group.reason is not None)
        return group.reason


def test_one_wrong_index_leaves_the_right_ones_alone() -> None:
    """An index that jumps up or down is suspect; the right one after it is compared with the one before, and is not."""
    meter = Meter()
    told = [
        meter.doubt(index, now_s)
        for now_s, index in enumerate([1_000_000, 1_000_030, 1_400_030, 1_000_031, 200_000, 1_000_032])
    ]
    assert [why is not None for why in told] == [False, False, True, False, True, False]
    assert "too fast" in (told[2] or "")
    assert "backwards" in (told[4] or "")
    assert meter.doubt(1_200_000, 3_600) is None


@pytest.mark.parametrize("start", [5_000, 90_000_000])
def test_an_index_that_really_jumped_is_believed_at_its_second_value(start: int) -> None:
    """After a change of meter the first index of the new one is suspect, the ones after it are not."""
    meter = Meter()
    assert meter.doubt(50_000_000, 0) is None
    assert [meter.doubt(start + n, 10 + n) is not None for n in range(4)] == [True, False, False, False]
    assert meter.doubt(50_000_000, 20) is not None


def test_two_wrong_indexes_do_not_confirm_each_other() -> None:
    """Wrong readings that do not follow one another are all suspect, and the right one between them is not."""
    meter = Meter()
    wrong = [meter.doubt(index, n) is not None for n, index in enumerate([100_000, 900_000, 500_000, 100_001])]
    assert wrong == [False, True, True, False]


@pytest.mark.parametrize(
    ("mode", "label", "contract", "drawn_kva"),
    [
        (Mode.STANDARD, "EAST", (Item("PREF", "06"),), 12),
        (Mode.STANDARD, "EASF01", (Item("PREF", "06"), Item("PCOUP", "09")), 18),
        (Mode.STANDARD, "EAST", (), 250),
        (Mode.STANDARD, "EAIT", (Item("PREF", "06"),), 250),
        (Mode.HISTORIQUE, "HCHC", (Item("ISOUSC", "30"),), 13.8),
        (Mode.HISTORIQUE, "HCHC", (Item("ISOUSC", "30"), Item("IINST1", "001")), 41.4),
        (Mode.HISTORIQUE, "BASE", (Item("IINST", "001"),), 250),
    ],
)
def test_an_index_is_measured_by_the_contract(
    mode: Mode, label: str, contract: tuple[Item, ...], drawn_kva: float
) -> None:
    """An index may rise as fast as twice what the frame's contract lets it, else 250 kVA; what is injected as 250."""
    fastest = 50 + int(drawn_kva * 1_000 / 60)
    for rise, suspect in ((fastest, False), (fastest + 1, True)):
        meter = Meter(*contract, label=label, mode=mode)
        assert meter.doubt(1_000, 0) is None
        assert (meter.doubt(1_000 + rise, 60) is not None) is suspect


def test_the_old_concentrators_index_is_watched_too() -> None:
    """An index of 8 digits, as a téléreport concentrator sends it, is one."""
    watch = IndexWatch()
    frames = [frame_of(Mode.HISTORIQUE, [Item("HCHP", value)]) for value in ("12345678", "12345670")]
    assert [suspects(watch.judge(frame.groups, 0)) for frame in frames] == [[], ["HCHP"]]


STATE = MeterState(power_va=(2_345,), highest_va=(4_000,), east_wh=12_345_678, indexes_wh=range(9_000, 9_010))


@pytest.mark.parametrize(
    ("mode", "seconds"), [(Mode.STANDARD, 10), (Mode.EMERAUDE, 60), (Mode.PME_PMI, 60), (Mode.JAUNE, 180)]
)
def test_a_frame_whose_clock_stands_still_is_stuck(mode: Mode, seconds: int) -> None:
    """The same frame over and over is suspect as a whole once its clock should have moved, and trusted when it does."""
    watch = StuckWatch()
    frame = frame_of(mode, items_of(mode, STATE))
    for now_s in (0, seconds // 2, seconds):
        assert suspects(watch.judge(frame, now_s * 1_000)) == []
    stuck = watch.judge(frame, seconds * 1_000 + 1)
    assert suspects(stuck) == [group.label for group in frame.groups]
    moved = frame_of(mode, items_of(mode, replace(STATE, stamp="H250101120101")))
    assert suspects(watch.judge(moved, seconds * 1_000 + 2)) == []
    assert suspects(watch.judge(frame, seconds * 1_000 + 3)) == []


def test_a_meter_that_has_no_time_to_give_is_not_stuck() -> None:
    """A clock of zeros need not move."""
    watch = StuckWatch()
    frame = frame_of(Mode.STANDARD, [Item("DATE", "", "H000000000000"), Item("EAST", "000000001")])
    assert all(suspects(watch.judge(frame, hour * 3_600_000)) == [] for hour in range(24))


def test_frames_that_are_cut_or_read_twice_prove_nothing() -> None:
    """The same frame before and after a pause, or the same piece of one, is not stuck."""
    watch = StuckWatch()
    frame = frame_of(Mode.STANDARD, items_of(Mode.STANDARD, STATE))
    assert suspects(watch.judge(frame, 0)) == suspects(watch.judge(frame, 60_000)) == []
    cut = replace(frame, complete=False)
    assert all(suspects(watch.judge(cut, 60_000 + n)) == [] for n in range(5))


@pytest.mark.parametrize(("papp", "stuck_s"), [(0, None), (90, 8_000), (200, 3_600), (2_300, 600), (9_000, 600)])
def test_a_historique_meter_is_stuck_when_its_power_must_have_been_counted(papp: int, stuck_s: int | None) -> None:
    """Without a clock, the same frame is suspect after 10 minutes and 200 VAh; an idle house never is."""
    watch = StuckWatch()
    frame = frame_of(Mode.HISTORIQUE, [Item("BASE", "000012345"), Item("IINST", "001"), Item("PAPP", f"{papp:05}")])
    flagged = [now_s for now_s in range(0, 86_400, 2) if suspects(watch.judge(frame, now_s * 1_000))]
    assert (flagged[0] if flagged else None) == stuck_s


def test_a_historique_meter_without_papp_is_never_stuck() -> None:
    """An old meter that does not tell its power may be the same for days, as when it injects a steady current."""
    watch = StuckWatch()
    frame = frame_of(Mode.HISTORIQUE, [Item("BASE", "000012345"), Item("IINST", "012")])
    assert all(suspects(watch.judge(frame, hour * 3_600_000)) == [] for hour in range(100))
