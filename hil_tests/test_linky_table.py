"""docs/linky.md says what the tables of the code say, of every label, and the numbers that it tells are theirs."""

import re
from pathlib import Path

from drivers.linky_channels import channels_of, points_of
from drivers.linky_clock import UNCERTAINTY_MS
from drivers.linky_report import REPEAT_MS
from gateway.app.meterclock import DISAGREE_MS
from hil_tests.linky_table import DEVICE, page
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE

TOLD = (Path(__file__).parents[1] / "docs" / "linky.md").read_text("utf-8")


def test_it_is_up_to_date() -> None:
    """What stands there is what `make docs` makes; if this fails, run it."""
    assert page() == TOLD


def test_every_label_and_every_channel_stands_there() -> None:
    """Each label of each mode has its rows, each channel is named once or as often as it has spellings."""
    rows = [line.split(" | ") for line in TOLD.splitlines() if re.match(r"\| [A-Z][A-Za-z0-9+_-]* \| ", line)]
    labels = [name for mode in Mode for name in BY_MODE[mode]]
    assert {row[0].removeprefix("| ") for row in rows} == set(labels)
    named = {row[2].strip("`") for row in rows if row[2].startswith("`")}
    assert named == {channel.name for mode in Mode for channel in channels_of(points_of(DEVICE, [mode]))}


def test_the_numbers_in_its_words_are_those_of_the_code() -> None:
    """A minute, the bounds of staleness, what is not known of the clock, and from when clocks disagree."""
    assert REPEAT_MS + 3_000 <= 60_000
    bounds = {
        f"{bound // 1_000} s"
        for mode in (Mode.STANDARD, Mode.HISTORIQUE, Mode.PME_PMI, Mode.EMERAUDE)
        for points in points_of(DEVICE, [mode]).values()
        for point in points
        if (bound := point.stale_after_ms) is not None and bound < 100_000
    }
    assert bounds == {"5 s", "6 s", "34 s", "50 s"}
    words = " ".join(TOLD.split("## Linky")[0].split())
    assert all(f" {bound} " in words for bound in bounds)
    assert f"to {UNCERTAINTY_MS // 1_000} s:" in words
    assert f"Where it is {DISAGREE_MS // 1_000} s or more" in words
