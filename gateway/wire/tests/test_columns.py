"""Columns and the numbers in them: every form gives back exactly what it was given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import cbor
from gateway.wire.columns import Run, read_column, write_column
from gateway.wire.errors import MalformedMessage
from gateway.wire.numbers import Numbers, read_varints, write_varints, zigzag


@given(st.lists(st.integers(0, (1 << 68) - 1)))
def test_varints_come_back(numbers: list[int]) -> None:
    """Any number from 0 within ten bytes."""
    assert read_varints(write_varints(numbers)) == numbers


@given(st.lists(st.integers(-(1 << 66), (1 << 66) - 1)))
def test_signed_varints_come_back(numbers: list[int]) -> None:
    """Any difference of two values of 64 bits."""
    assert Numbers(write_varints(map(zigzag, numbers))).take_signed(len(numbers)) == numbers


def test_small_numbers_take_one_byte() -> None:
    """-64 to 63 fit a byte each: most steps of a meter."""
    assert [zigzag(each) for each in (0, -1, 1, -64, 63)] == [0, 1, 2, 127, 126]
    assert write_varints([127, 128, 300]) == bytes([127, 0x80, 1, 0xAC, 2])


@pytest.mark.parametrize("data", [b"\x80", b"\x00\xff", b"\xff" * 10 + b"\x01", b"\x80\x00", b"\x01\x85\x80\x00"])
def test_a_varint_cut_short_or_too_long_is_refused(data: bytes) -> None:
    """Neither the end of the bytes nor an endless number goes unnoticed, nor a second way to write one."""
    with pytest.raises(MalformedMessage, match="varint"):
        read_varints(data)


def test_numbers_are_taken_once_and_all() -> None:
    """More than there are, and some left over, are both refused."""
    numbers = Numbers(b"\x01\x02\x03")
    assert (numbers.take(2), numbers.take(0)) == ([1, 2], [])
    with pytest.raises(MalformedMessage, match="2 more numbers wanted, 1 left"):
        numbers.take(2)
    with pytest.raises(MalformedMessage, match="1 numbers that nothing asks for"):
        numbers.end()
    assert numbers.take_signed(1) == [-2]
    numbers.end()


def _runs(values: list[tuple[int | str | None, int, int]]) -> list[Run]:
    """Make runs of which neighbours differ, at least one of them read."""
    runs: list[Run] = []
    for value, quality, length in values:
        good = 0 if value is None else quality
        if runs and (runs[-1].value, runs[-1].quality) == (value, good):
            runs[-1] = Run(value, good, runs[-1].length + length)
        else:
            runs.append(Run(value, good, length))
    return runs


@pytest.mark.parametrize(
    "values", [st.integers(-2, 2), st.integers(1 - (1 << 64), (1 << 64) - 1), st.sampled_from(["", "a", "HC", "HP"])]
)
@given(data=st.data())
def test_every_column_comes_back(values: st.SearchStrategy[int | str], data: st.DataObject) -> None:
    """Constant, dense, sparse or text, with gaps and doubts anywhere: the same values at the same ticks."""
    entry = st.tuples(values | st.none(), st.sampled_from([0, 0, 0, 1, 2]), st.integers(1, 40))
    runs = _runs([*data.draw(st.lists(entry, max_size=12)), (data.draw(values), 0, 1), *data.draw(st.lists(entry))])
    wanted = [run.value for run in runs for _ in range(run.length)]
    numbers: list[int] = []
    item = cbor.decode(cbor.encode(write_column(runs, numbers)))
    rest = Numbers(write_varints(numbers))
    column = read_column(item, len(wanted), rest)
    rest.end()
    assert column.values == wanted
    quality = [run.quality for run in runs for _ in range(run.length)]
    assert column.quality == (quality if any(quality) else None)


@pytest.mark.parametrize(
    ("runs", "item", "numbers"),
    [
        ([Run(5, 0, 300)], 5, []),
        ([Run(5, 0, 10), Run(6, 0, 10)], [5, 1], [9, 2]),
        ([Run(5, 0, 1), Run(6, 0, 1), Run(4, 0, 1)], [5], [2, 3]),
        ([Run("HC", 0, 2), Run("HP", 0, 1), Run("HC", 0, 1)], [["HC", "HP"], 2], [1, 0, 1, 0]),
        ([Run(None, 0, 2), Run(5, 1, 3)], {0: 5, 1: 3, 2: 1}, [0, 2, 3, 1, 3]),
    ],
)
def test_the_shortest_form_is_chosen(runs: list[Run], item: object, numbers: list[int]) -> None:
    """A constant is a value, few changes are gaps and steps, many are a step for each tick."""
    written: list[int] = []
    assert write_column(runs, written) == item
    assert written == numbers
