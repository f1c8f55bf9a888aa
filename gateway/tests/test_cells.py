"""What a spreadsheet makes of our cells."""

import csv
import io

import pytest

from gateway.cells import cell


@pytest.mark.parametrize("text", ["", "main.east", "été", "a;b", 'say "x"', "two\nlines", "cr\rhere", ';"', "m3;h"])
def test_a_cell_is_read_back_as_it_was(text: str) -> None:
    """Whatever stands in it, it stays one cell."""
    (row,) = csv.reader(io.StringIO(f"1;{cell(text)};2", newline=""), delimiter=";")
    assert row == ["1", text, "2"]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", '=cmd|"x";y'])
def test_a_formula_is_a_text(formula: str) -> None:
    """It is not computed."""
    (row,) = csv.reader(io.StringIO(cell(formula), newline=""), delimiter=";")
    assert row == [f"'{formula}"]
