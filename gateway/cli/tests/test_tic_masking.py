"""What leaves a building names nobody: no digit of a number is left in a masked stream, however it was damaged."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.cli.tic.masking import Masking, masked
from linky_tic.decoder import Decoder, Event, Frame
from linky_tic.group import Group, judge
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE
from linky_tic.tests.captures import NOISE, VALID, capture
from linky_tic.tests.encoder import Item, MeterState, encode_frame, encode_group, items_of

ADDRESS, POINT = "987654321987", "13579864213579"
STATE = MeterState(adsc=ADDRESS, prm=POINT, tariff="HC", east_wh=12_345_678, stamp="E250713101112")
FRAMES = {mode: encode_frame(mode, items_of(mode, STATE)) for mode in Mode}
STREAMS = {mode: frame * 2 for mode, frame in FRAMES.items()}
LABEL = re.compile(
    b"(?:%b)[\t ]" % b"|".join({re.escape(name).encode() for table in BY_MODE.values() for name in table})
)


def hidden(data: bytes, pieces: Sequence[int] = ()) -> bytes:
    """Mask a whole stream, fed in pieces that end at these places."""
    masking = Masking()
    ends = [0, *sorted(pieces), len(data)]
    return b"".join(masking.feed(data[start:end]) for start, end in pairwise(ends)) + masking.flush()


def decoded(data: bytes) -> list[Event]:
    """Decode a whole stream."""
    decoder = Decoder()
    return decoder.feed(data) + decoder.flush()


def as_masked(event: Event) -> Event:
    """Give an event with its numbers masked."""
    if isinstance(event, Group):
        return masked(event)
    return Frame(event.mode, event.complete, tuple(masked(group) for group in event.groups))


def digits_of(group: Group) -> list[str]:
    """Give the digits of a value."""
    return re.findall(r"[0-9]", group.value or "")


def outside_of_whole_groups(data: bytes) -> bytes:
    """Give what is no value: the numbers themselves, everything damaged, and what stands between groups.

    A whole group of an unknown label with fewer than 6 digits is shown to people, and is a value here.
    """
    rest = bytearray()
    for piece in re.split(rb"(?=[\x02\x03\x04\n\r])", data):
        text = re.sub(rb"^[\x02\x03\x04\n\r]?[\x0b\x0c\x0e\x0f]?", b"", piece)
        groups = [judge(text, mode) for mode in Mode]
        valid = next((group for group in groups if group.valid), None)
        if any(group.reason == "unknown_label" and len(digits_of(group)) < 6 for group in groups):
            continue
        if valid is None or valid.mode is None or BY_MODE[valid.mode][valid.label].personal:
            rest += re.sub(rb"[\t ][ -_]$", b"", LABEL.sub(b"", text, 1) if LABEL.match(text) else text)
            rest += b"|"
    return bytes(rest)


@pytest.mark.parametrize("name", [*VALID, NOISE])
def test_a_masked_capture_decodes_to_the_same_groups(name: str) -> None:
    """Every group of a real capture is there after masking, refused ones too, and only numbers differ."""
    data = capture(name)
    assert decoded(hidden(data)) == [as_masked(event) for event in decoded(data)]
    assert len(hidden(data)) == len(data)


@pytest.mark.parametrize("mode", Mode)
def test_numbers_become_zeros_with_a_right_checksum(mode: Mode) -> None:
    """A clean stream has as many valid groups as before; personal ones say 0, all others what they said."""
    before = [event for event in decoded(STREAMS[mode]) if isinstance(event, Group)]
    after = [event for event in decoded(hidden(STREAMS[mode])) if isinstance(event, Group)]
    for old, new in zip(before, after, strict=True):
        assert (new.label, new.valid, new.horodate) == (old.label, old.valid, old.horodate)
        personal = old.mode is not None and old.valid and BY_MODE[old.mode][old.label].personal
        assert new.value == ("0" * len(old.value or "") if personal else old.value)
    assert ADDRESS[:4].encode() not in hidden(STREAMS[mode])


@pytest.mark.parametrize("mode", Mode)
def test_a_number_cut_anywhere_leaves_nothing(mode: Mode) -> None:
    """Wherever a stream begins or ends, within a number too, no three digits of one are left."""
    data = FRAMES[mode]
    runs = {number[at : at + 3].encode() for number in (ADDRESS, POINT) for at in range(len(number) - 2)}
    for at in range(len(data)):
        for part in (data[max(0, at - 100) : at], data[at : at + 100]):
            left = outside_of_whole_groups(hidden(part))
            assert not any(run in left for run in runs), part[-40:]


_HITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "delete", "insert", "lose", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
    ),
    max_size=12,
)


def damaged(data: bytes, hits: Sequence[tuple[str, float, int]]) -> bytes:
    """Damage a stream as lines and ports do."""
    found = bytearray(data)
    for how, where, what in hits:
        at = int(where * max(1, len(found) - 1))
        if not found:
            break
        if how == "flip":
            found[at] ^= 1 << what % 8
        elif how == "delete":
            del found[at]
        elif how == "insert":
            found.insert(at, what)
        elif how == "lose":
            del found[at : at + what % 40]
        else:
            found[at:at] = found[at : at + what % 40]
    return bytes(found)


def digits(data: bytes) -> set[str]:
    """Give the digits 1 to 9 that are left, with or without bit 7."""
    return set(re.findall(r"[1-9]", bytes(byte & 0x7F for byte in data).decode()))


@settings(max_examples=200, deadline=None)
@given(mode=st.sampled_from(Mode), hits=_HITS)
@example(mode=Mode.HISTORIQUE, hits=[("flip", 0.0, 1)])
def test_no_damage_leaves_a_digit_of_a_number(mode: Mode, hits: list[tuple[str, float, int]]) -> None:
    """Outside whole groups of labels that are known and name nobody, no digit at all is left."""
    data = hidden(damaged(STREAMS[mode], hits))
    assert digits(outside_of_whole_groups(data)) == set()


@settings(max_examples=200, deadline=None)
@given(mode=st.sampled_from(Mode), hits=_HITS)
@example(
    mode=Mode.STANDARD,
    hits=[("lose", 0.0, 83), ("flip", 0.794921875, 0), ("repeat", 0.0, 15), ("flip", 0.794921875, 0)],
)
def test_a_damaged_stream_decodes_to_the_same_groups(mode: Mode, hits: list[tuple[str, float, int]]) -> None:
    """What was refused is refused for the same reason, what was valid is valid, whatever the damage."""
    data = damaged(STREAMS[mode], hits)
    before, after = (
        [(group.label, group.valid, group.reason, group.mode) for group in decoded(each) if isinstance(group, Group)]
        for each in (data, hidden(data))
    )
    assert after == before


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=600) | st.just(b"\n" + b"ADCO 9" * 60), cuts=st.lists(st.integers(0, 600), max_size=8))
def test_pieces_make_no_difference(data: bytes, cuts: list[int]) -> None:
    """However the bytes come, the same are given; and masked once more they stay as they are."""
    whole = hidden(data)
    assert hidden(data, [min(cut, len(data)) for cut in cuts]) == whole
    assert hidden(whole) == whole


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (Item("ADSX", ADDRESS), "0" * 12),
        (Item("NEW", "12345"), "12345"),
        (Item("MSG1", f"CLIENT {POINT}           "), f"CLIENT {'0' * 14}           "),
        (Item("MSG1", "PRM 1234 5678 9012 34           "), "PRM 0000 0000 0000 00           "),
        (Item("MSG2", "041876-123456   "), "000000-000000   "),
        (Item("MSG1", "APPELEZ LE 0123456789           "), "APPELEZ LE 0123456789           "),
    ],
)
def test_what_looks_like_a_number_is_one(item: Item, value: str) -> None:
    """Six digits under an unknown label are masked, in a text twelve or more in a row, in a message in all."""
    group, _ = decoded(hidden(encode_group(Mode.STANDARD, item)))
    assert isinstance(group, Group)
    assert (group.label, group.value) == (item.label, value)


def test_a_group_without_its_start_is_no_value_and_no_number() -> None:
    """The end of a number that a capture begins with, and the beginning that it ends with, are crossed out."""
    whole = encode_group(Mode.HISTORIQUE, Item("ADCO", ADDRESS))
    assert hidden(whole[9:]) == b"xxxxxxxxx " + whole[-2:]
    assert hidden(whole[:9]) == b"\nADCO xxx"
    assert hidden(whole[:-2] + b"9\x04") == b"\nADCO xxxxxxxxxxxx x\x04"


def test_a_letter_of_an_ads_is_a_digit() -> None:
    """The address of a PME-PMI meter may have letters; none is left, in whole groups or in damaged ones."""
    whole = encode_group(Mode.PME_PMI, Item("ADS", "0A1B2C3D4E5F"))
    assert b"ADS 000000000000 " in hidden(whole)
    left = hidden(whole.replace(b"ADS", b"AXS") + whole[:11] + b"\r")
    assert re.fullmatch(rb"\nAXS x{12} .\r\nADS x{6}\r", left)
