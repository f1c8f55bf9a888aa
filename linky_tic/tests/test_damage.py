"""What a bad line does to frames of every family: the good neighbours survive, and nothing wrong is read."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linky_tic.decoder import Decoder, Event
from linky_tic.group import Group
from linky_tic.label import Label, Mode
from linky_tic.labels import BY_MODE
from linky_tic.tests.encoder import EOT, ETX, STX, Item, MeterState, encode_frame, encode_group, items_of
from linky_tic.tests.test_captures import decode, groups_of

STATE = MeterState(
    power_va=(2_345,),
    voltage_v=(231,),
    highest_va=(4_000,),
    east_wh=12_345_678,
    indexes_wh=range(1_000_000, 9_000_000, 800_000),
    tariff="TEMPO",
    running=6,
    producer=True,
    overrun=True,
)
FRAMES = {mode: encode_frame(mode, items_of(mode, STATE)) for mode in Mode}


def items_in(groups: list[Group]) -> list[Item]:
    """Give what the valid groups say."""
    return [Item(group.label, group.value or "", group.horodate) for group in groups if group.valid]


@pytest.mark.parametrize("mode", Mode)
def test_a_byte_at_a_time_is_the_same(mode: Mode) -> None:
    """A stream of any family fed one byte at a time gives the same events as in one piece."""
    data = FRAMES[mode] * 2
    decoder = Decoder()
    events: list[Event] = [event for at in range(len(data)) for event in decoder.feed(data[at : at + 1])]
    assert events + decoder.flush() == decode(data)


@pytest.mark.parametrize("mode", Mode)
def test_a_cut_anywhere_is_the_same(mode: Mode) -> None:
    """A stream of any family cut in two at any index gives the same events as in one piece."""
    data = FRAMES[mode] + FRAMES[mode][:200]
    whole = decode(data)
    for at in range(0, len(data), 1 if len(data) < 2_000 else 7):
        decoder = Decoder()
        assert decoder.feed(data[:at]) + decoder.feed(data[at:]) + decoder.flush() == whole


@pytest.mark.parametrize("mode", Mode)
def test_a_stream_that_ends_anywhere_gives_what_it_had(mode: Mode) -> None:
    """Of a frame that is cut off at any index, exactly the groups that ended before it are read."""
    items, data = items_of(mode, STATE), FRAMES[mode]
    ends = [at for at, byte in enumerate(data) if byte == 0x0D]
    for at in range(0, len(data), 5):
        assert items_in(groups_of(decode(data[:at], mode))) == items[: sum(end < at for end in ends)]


LABELS = [label for table in BY_MODE.values() for label in table.values()]
STAMPS = ("H250101120000", "e251026023000", " 250330023000", "h000000000000")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_whatever_a_meter_may_send_is_read_as_sent(data: st.DataObject) -> None:
    """Of every label of every family, whatever its grammar allows is encoded and decoded without a change."""
    label: Label = data.draw(st.sampled_from(LABELS))
    value = data.draw(st.from_regex(label.grammar.pattern, fullmatch=True)).decode("ascii")
    item = Item(label.name, value, data.draw(st.sampled_from(STAMPS)) if label.stamped else None)
    assert len(value) <= label.size
    assert len(encode_group(label.mode, item)) <= label.longest
    (group,) = groups_of(decode(encode_frame(label.mode, [item]), label.mode))
    assert (items_in([group]), group.mode) == ([item], label.mode)
    assert (group.number is not None) is label.is_number


PIECES = st.sampled_from(
    [STX, ETX, EOT, b"\r", b"\n", b"\x0b", b"\x0f", b" ", b"\t", b"\x00", b"\xff"]
    + [encode_group(mode, item)[1:-1] for mode in Mode for item in items_of(mode, STATE)[:12]]
    + [encode_group(mode, item) for mode in Mode for item in items_of(mode, STATE)[:12]]
)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(PIECES, max_size=40), cuts=st.lists(st.integers(0, 600), max_size=6))
def test_any_chunking_of_several_families_gives_the_same_events(pieces: list[bytes], cuts: list[int]) -> None:
    """Groups of all families, delimiters and noise in any order: no bytes raise, and pieces make no difference."""
    data = b"".join(pieces)
    decoder = Decoder()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    events = [event for start, end in pairwise(edges) for event in decoder.feed(data[start:end])]
    assert events + decoder.flush() == decode(data)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("lost", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("instead", [b"", b"\x00", b"x", b"\x0b", b" ", b"\t"])
def test_two_groups_run_together(mode: Mode, lost: bytes, instead: bytes) -> None:
    """Where CR, LF or both are lost between two groups, the one that keeps both its ends is read, and no other.

    A group is never read beyond its end or from another's beginning: of two that share an end, neither is whole.
    """
    first, second, third, fourth = (encode_group(mode, item) for item in items_of(mode, STATE)[:4])
    joint = second + third
    at = len(second) - 1 if lost[:1] == b"\r" else len(second)
    data = STX + first + joint[:at] + instead + joint[at + len(lost) :] + fourth + ETX
    read = items_in(groups_of(decode(data, mode)))
    items = items_of(mode, STATE)[:4]
    whole = {b"\r": [0, 2, 3], b"\n": [0, 1, 3], b"\r\n": [0, 3]}[lost]
    if lost == b"\n" and instead == b"\x0b":
        whole = [0, 1, 2, 3]
    assert read == [items[n] for n in whole]


@pytest.mark.parametrize("mode", Mode)
def test_a_character_more_or_less_costs_one_group(mode: Mode) -> None:
    """Whatever single character is lost or comes twice, nothing wrong is read and at most the groups it touches go."""
    items, data = items_of(mode, STATE)[:12], encode_frame(mode, items_of(mode, STATE)[:12])
    for at in range(len(data)):
        for spoilt in (data[:at] + data[at + 1 :], data[:at] + data[at : at + 1] * 2 + data[at + 1 :]):
            read = items_in(groups_of(decode(spoilt, mode)))
            assert len(read) >= len(items) - 1, (at, spoilt)
            assert set(read) <= set(items)


@pytest.mark.parametrize("mode", Mode)
def test_a_wrong_speed_reads_nothing(mode: Mode) -> None:
    """Random characters, as a receiver at another speed sees them, never make a valid group."""
    random = Random(mode.value)
    noise = bytes(random.choice(b"\r\n \t0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_+-akhW") for _ in range(200_000))
    assert not any(group.valid for group in groups_of(decode(noise, mode)))


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.STANDARD])
def test_noise_of_a_bad_line_gives_no_wrong_number(mode: Mode) -> None:
    """At one flipped bit in a thousand characters, frames of older meters give what was sent or nothing."""
    random = Random(mode.value)
    decoder = Decoder()
    flips = wrong = 0
    for n in range(300):
        items = items_of(mode, replace(STATE, east_wh=1_000_000 + 37 * n, power_va=(40 * n,)))
        data = bytearray(encode_frame(mode, items))
        for at in range(len(data)):
            if random.random() < 0.001:
                data[at] ^= 1 << random.randrange(7)
                flips += 1
        wrong += len(set(items_in(groups_of(decoder.feed(bytes(data))))) - set(items))
    assert flips > 50
    assert wrong == 0
