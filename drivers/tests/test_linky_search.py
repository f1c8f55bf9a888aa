"""Which speed is tried when, with a clock moved by hand: in order, early out of nonsense, never out of silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.linky_search import ModeSearch, foreign
from linky_tic.label import Mode

STEP_MS = 100
SPEEDS = (9_600, 1_200, 19_200, 4_800, 2_400)
NOTHING = dict.fromkeys(Mode, 0)
SETTINGS: list[tuple[Mode, int]] = [(mode, speed) for mode in Mode for speed in mode.speeds]


class Hand:
    """Feeds a search every 100 ms with what a line at some speed gives a receiver at its own."""

    def __init__(self, search: ModeSearch) -> None:
        self.search = search
        self.now_ms = 60_000
        self.tried = [search.speed]

    def step(self, *, characters: int = 0, damaged: int = 0, **valid: int) -> bool:
        """Let 100 ms pass; `valid` by the mode's name."""
        self.now_ms += STEP_MS
        found = NOTHING | {Mode[name.upper()]: count for name, count in valid.items()}
        changed = self.search.heard(self.now_ms, characters, damaged, found)
        if changed:
            self.tried.append(self.search.speed)
        return changed

    def line(self, mode: Mode, speed: int, *, until_ms: int, share: float = 0.5) -> int | None:
        """Let a meter speak until it is found, or for so long; give what that took, in ms, None if it was not found."""
        began = self.now_ms
        while self.now_ms - began < until_ms:
            characters = max(12, min(speed, self.search.speed) // 100)
            if speed == self.search.speed:
                self.step(characters=characters, **{mode.name: 1 if self.now_ms % 300 == 0 else 0})
            else:
                self.step(characters=characters, damaged=int(characters * share))
            if self.search.found is mode and self.search.speed == speed:
                return self.now_ms - began
        return None


def test_what_no_frame_holds_is_foreign() -> None:
    """Framing, HT and printable characters are none; a damaged character (NUL), other controls and bit 7 are."""
    assert foreign(b"\x02\nPAPP 00500 &\r\nEAST\t1\t\r\x03\x04") == 0
    assert foreign(b"\x00\x01\x0b\x1f\x7f\x80\xff") == 7


def test_silence_changes_nothing() -> None:
    """Without a character no speed is left, however long it lasts."""
    hand = Hand(ModeSearch())
    assert not any(hand.step() for _ in range(600))
    assert hand.search.speed == 9_600


def test_speeds_are_tried_in_order_and_each_again() -> None:
    """A Linky's two come first; characters that may be right are listened to for two groups of the longest kind."""
    hand = Hand(ModeSearch())
    changes = [hand.now_ms for _ in range(140) if hand.step(characters=12)]
    assert hand.tried[:7] == [9_600, 1_200, 19_200, 4_800, 2_400, 9_600, 1_200]
    assert changes[4] - 60_000 <= 7_000


def test_nonsense_is_left_early() -> None:
    """Where half of the characters are none of any frame's, a speed is left within 0.6 s."""
    hand = Hand(ModeSearch())
    changes = [hand.now_ms for _ in range(30) if hand.step(characters=14, damaged=7)]
    gaps = [after - before for before, after in zip([60_100, *changes], changes, strict=False)]
    assert max(gaps) <= 600
    assert len(hand.tried) >= 5


def test_some_errors_are_no_nonsense() -> None:
    """A noisy line at the right speed, one character in ten damaged, keeps its speed while groups come."""
    hand = Hand(ModeSearch(remembered=Mode.HISTORIQUE))
    for _ in range(20):
        hand.step(characters=12, damaged=1, historique=0)
        hand.step(characters=12, damaged=1, historique=1)
    assert (hand.search.found, hand.tried) == (Mode.HISTORIQUE, [1_200])


@pytest.mark.parametrize(
    ("remembered", "speed", "first"),
    [
        (None, None, 9_600),
        (Mode.STANDARD, 9_600, 9_600),
        (Mode.HISTORIQUE, None, 1_200),
        (Mode.PME_PMI, 19_200, 19_200),
        (Mode.PME_PMI, None, 1_200),
        (Mode.HISTORIQUE, 300, 1_200),
    ],
)
def test_what_is_remembered_comes_first(remembered: Mode | None, speed: int | None, first: int) -> None:
    """The speed that the line had, else the usual one of its mode; one that no meter has is none."""
    assert ModeSearch(remembered=remembered, remembered_speed=speed).speed == first


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("before", [None, *SETTINGS])
def test_every_mode_is_found_within_ten_seconds(setting: tuple[Mode, int], before: tuple[Mode, int] | None) -> None:
    """From the start and from every other mode and speed; early out of nonsense it takes under 5 s."""
    for share, most_ms in ((0.5, 5_000), (0.0, 10_000)):
        hand = Hand(ModeSearch())
        if before is not None:
            assert hand.line(*before, until_ms=10_000) is not None
            if before == setting:
                continue
        took_ms = hand.line(*setting, until_ms=20_000, share=share)
        assert took_ms is not None
        assert took_ms <= most_ms


def test_a_line_that_lost_its_sense_is_counted() -> None:
    """Characters without a valid group for 3 s, or nonsense for 1.5 s, start the search again, counted once."""
    for damaged, most_ms in ((0, 3_200), (6, 1_700)):
        hand = Hand(ModeSearch(remembered=Mode.HISTORIQUE))
        assert not hand.step(characters=12, historique=2)
        assert hand.search.found is Mode.HISTORIQUE
        began = hand.now_ms
        while not hand.step(characters=12, damaged=damaged):
            pass
        assert hand.now_ms - began <= most_ms
        assert hand.search.resynchronisations == 1


def test_one_stray_group_of_another_mode_is_not_believed() -> None:
    """What noise may make once changes nothing while groups of the mode that was found come."""
    hand = Hand(ModeSearch(remembered=Mode.STANDARD))
    hand.step(characters=96, standard=4)
    for _ in range(5):
        hand.step(characters=96, standard=3, historique=1)
        hand.step(characters=96, standard=4)
    assert hand.search.found is Mode.STANDARD


def test_a_fixed_mode_has_its_own_speeds_alone() -> None:
    """Named in the site file, only its speeds are tried, or the one that is named too; other groups settle nothing."""
    for search, speeds in (
        (ModeSearch(Mode.STANDARD), {9_600}),
        (ModeSearch(Mode.JAUNE), {1_200}),
        (ModeSearch(Mode.PME_PMI), set(SPEEDS)),
        (ModeSearch(Mode.PME_PMI, fixed_speed=4_800), {4_800}),
    ):
        hand = Hand(search)
        for _ in range(200):
            hand.step(characters=12, damaged=6, historique=1)
        assert search.found is None
        assert set(hand.tried) == speeds


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.floats(0, 1), st.sampled_from([None, *Mode]), st.integers(0, 9)), max_size=200
    )
)
def test_whatever_is_heard_the_speed_is_one_that_a_meter_has(heard: list[tuple[int, float, Mode | None, int]]) -> None:
    """No history leads to a speed outside the table, and what is found has the speed that is set."""
    search = ModeSearch()
    now_ms = 0
    for characters, share, mode, count in heard:
        now_ms += STEP_MS * (1 + count)
        valid = NOTHING if mode is None else NOTHING | {mode: count}
        search.heard(now_ms, characters, int(characters * share), valid)
        assert search.speed in SPEEDS
        assert search.found is None or search.speed in search.found.speeds
