"""Framing and judging, on streams that the encoder makes."""

from dataclasses import replace
from itertools import pairwise, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linky_tic.decoder import Decoder, Frame
from linky_tic.errors import HorodateError
from linky_tic.group import Group, Reason, checksum, judge
from linky_tic.horodate import parse_horodate, parse_short_date
from linky_tic.label import Mode
from linky_tic.tests.encoder import EOT, Item, MeterState, encode_frame, encode_group, items_of, short_items
from linky_tic.tests.test_captures import decode, groups_of

TRI = MeterState(
    power_va=(1_234, 2_345, 345),
    voltage_v=(231, 232, 229),
    highest_va=(4_000, 5_000, 6_000),
    east_wh=12_345_678,
    indexes_wh=tuple(range(1_000, 1_010)),
    tariff="TEMPO",
    running=6,
    colour_today=3,
    colour_tomorrow=2,
    producer=True,
    mobile_peaks=(Item("DPM1", "01", " 250115060000"), Item("FPM1", "01", " 250116010000")),
)
MONO = replace(TRI, power_va=(2_345,), voltage_v=(231,), highest_va=(4_000,), overrun=True)
STATES = [(mode, state) for mode in Mode for state in (TRI, MONO, replace(MONO, tariff="EJP", running=2))]


def one_frame(data: bytes, mode: Mode | None = None) -> Frame:
    """Decode exactly one frame."""
    (frame,) = (event for event in decode(data, mode) if isinstance(event, Frame))
    return frame


@pytest.mark.parametrize(("mode", "state"), STATES)
def test_what_a_meter_says_is_what_is_read(mode: Mode, state: MeterState) -> None:
    """Decoding what the encoder made gives every label, value and horodate back, in order, all valid."""
    items = items_of(mode, state)
    frame = one_frame(encode_frame(mode, items))
    assert (frame.mode, frame.complete) == (mode, True)
    assert [Item(group.label, group.value or "", group.horodate) for group in frame.groups] == items
    assert all(group.valid and not group.suspect for group in frame.groups)


def test_short_frames_of_a_three_phase_meter() -> None:
    """A short frame of a three-phase historique meter in overrun decodes with the phases in excess first."""
    frame = one_frame(encode_frame(Mode.HISTORIQUE, short_items(replace(TRI, power_va=(9_000, 100, 100)))))
    assert [group.label for group in frame.groups] == ["ADIR1", "ADCO", "IINST1", "IINST2", "IINST3"]
    assert all(group.valid for group in frame.groups)


@pytest.mark.parametrize(
    ("mode", "content", "value", "horodate"),
    [
        (Mode.HISTORIQUE, b"PTEC HP..  ", "HP..", None),
        (Mode.HISTORIQUE, b"OPTARIF BBR( S", "BBR(", None),
        (Mode.STANDARD, b"EASD01\t000000000\t ", "000000000", None),
        (Mode.STANDARD, b"DATE\tE170915101601\t\t>", "", "E170915101601"),
        (Mode.STANDARD, b"NGTF\tH PLEINE/CREUSE \t\\", "H PLEINE/CREUSE ", None),
        (Mode.STANDARD, b"SMAXSN1-1\tE210717094009\t01010\tC", "01010", "E210717094009"),
    ],
)
def test_groups_of_real_meters(mode: Mode, content: bytes, value: str, horodate: str | None) -> None:
    """Groups with a SPACE for checksum, spaces in the value, or an empty value are read exactly."""
    group = judge(content)
    assert (group.valid, group.value, group.horodate, group.mode) == (True, value, horodate, mode)


def test_the_season_of_a_mobile_peak_may_be_a_space() -> None:
    """DPMx carries a SPACE where other horodates carry a season, and keeps it."""
    group = judge(encode_group(Mode.STANDARD, Item("DPM2", "00", " 250115060000"))[1:-1])
    assert (group.valid, group.horodate, group.value) == (True, " 250115060000", "00")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Item("EAST", "12345678"), Reason.GRAMMAR),
        (Item("EAST", "0123456789"), Reason.GRAMMAR),
        (Item("EAST", "01234567A"), Reason.GRAMMAR),
        (Item("EAST", " 12345678"), Reason.GRAMMAR),
        (Item("STGE", "003a0001"), Reason.GRAMMAR),
        (Item("RELAIS", "256"), Reason.GRAMMAR),
        (Item("PJOURF+1", "NONUTILE"), Reason.GRAMMAR),
        (Item("NGTF", "x" * 17), Reason.GRAMMAR),
        (Item("SMAXSN", "00000"), Reason.GRAMMAR),
        (Item("SMAXSN", "00000", "X250101000000"), Reason.GRAMMAR),
        (Item("SMAXSN", "00000", "H251301000000"), Reason.GRAMMAR),
        (Item("EAST", "000000001", "H250101000000"), Reason.GRAMMAR),
        (Item("EAST", "00000\x7f001"), Reason.CONTROL_CHARACTER),
        (Item("EAST", "00000\x00001"), Reason.CONTROL_CHARACTER),
    ],
)
def test_a_right_checksum_is_not_enough(item: Item, reason: Reason) -> None:
    """A standard group whose checksum is right is refused when its label, horodate or value is not the norm's."""
    group = judge(encode_group(Mode.STANDARD, item)[1:-1])
    assert (group.valid, group.reason, group.value, group.horodate) == (False, reason.value, None, None)


@pytest.mark.parametrize("year", [0, 23, 24, 25, 90, 96])
def test_a_day_that_no_calendar_has_is_refused(year: int) -> None:
    """A stamp is valid exactly where it is a date: 30 February read as one had ended the agent's reader."""
    for month, day in product(range(14), range(33)):
        stamp, text = f"H{year:02}{month:02}{day:02}235959", f"{day:02}/{month:02}/{year:02} 23:59:59"
        try:
            parse_horodate(stamp)
            parse_short_date(text)
            is_date = not month == day == 0
        except HorodateError:
            is_date = False
        for mode, item in ((Mode.STANDARD, Item("DATE", "", stamp)), (Mode.PME_PMI, Item("DATE", text))):
            group = judge(encode_group(mode, item)[1:-1], mode)
            assert (group.valid, group.reason) == (is_date, None if is_date else "grammar"), (stamp, text)


@pytest.mark.parametrize("content", [b"EAST", b"EAST\t", b"EAST\tO", b"EAST\t000000000", b"EAST0000\tO", b"\t\t"])
def test_a_group_without_its_pieces_is_cut(content: bytes) -> None:
    """A group that has lost a separator or its end is refused as cut."""
    assert judge(content).reason == Reason.CUT


def test_one_label_never_has_both_checksum_rules() -> None:
    """A group is refused when its checksum is right only by the rule of the other mode."""
    for mode, other, item in (
        (Mode.STANDARD, Mode.HISTORIQUE, Item("EAST", "000000123")),
        (Mode.HISTORIQUE, Mode.STANDARD, Item("BASE", "000000123")),
    ):
        body = encode_group(mode, item)[1:-2]
        swapped = body + bytes([checksum(other, body)])
        assert judge(body + bytes([checksum(mode, body)])).valid
        assert judge(swapped).reason == Reason.CHECKSUM


@pytest.mark.parametrize("damaged", [0x0B, 0x0C, 0x0E, 0x0F])
def test_a_damaged_lf_opens_a_group_only_after_a_cr(damaged: int) -> None:
    """0x0B, 0x0C, 0x0E or 0x0F for a LF opens a group directly after CR, and neither at the start nor elsewhere."""
    first, second = (encode_group(Mode.STANDARD, Item(label, "000000001")) for label in ("EAST", "EASF01"))
    broken = bytes([damaged]) + second[1:]
    assert [group.label for group in groups_of(decode(first + broken)) if group.valid] == ["EAST", "EASF01"]
    assert groups_of(decode(broken)) == []
    assert [group.label for group in groups_of(decode(b"\x02" + broken + first)) if group.valid] == ["EAST"]
    assert [group.label for group in groups_of(decode(first + b"x" + broken)) if group.valid] == ["EAST"]


def test_neighbours_of_a_damaged_group_survive() -> None:
    """Whatever single character of a frame is replaced, every group that does not touch it is read."""
    items = items_of(Mode.HISTORIQUE, MONO)
    data = encode_frame(Mode.HISTORIQUE, items)
    for at in range(len(data)):
        spoilt = data[:at] + b"\x00" + data[at + 1 :]
        good = [group for group in groups_of(decode(spoilt)) if group.valid]
        assert len(good) >= len(items) - (2 if data[at] in b"\r\n" else 1), at


@pytest.mark.parametrize(
    ("data", "complete"),
    [(b"%s\x03", [False]), (b"\x02%s", [False]), (b"\x02%s\x04", [False]), (b"\x02%s\x02%s\x03", [False, True])],
)
def test_only_stx_to_etx_is_complete(data: bytes, complete: list[bool]) -> None:
    """A frame is complete from STX to ETX; one cut by EOT, by the next STX or by the end of the stream is not."""
    group = encode_group(Mode.STANDARD, Item("EAST", "000000001"))
    frames = [event for event in decode(data.replace(b"%s", group)) if isinstance(event, Frame)]
    assert [frame.complete for frame in frames] == complete


def test_a_group_comes_at_its_cr_and_the_frame_at_its_end() -> None:
    """A Group is given as soon as its CR is fed, before the frame ends."""
    decoder = Decoder()
    group = encode_group(Mode.STANDARD, Item("EAST", "000000001"))
    assert decoder.feed(b"\x02" + group[:-1]) == []
    (event,) = decoder.feed(b"\r")
    assert isinstance(event, Group)
    (frame,) = decoder.feed(EOT)
    assert frame == Frame(Mode.STANDARD, complete=False, groups=(event,))


def test_memory_stays_bounded() -> None:
    """Neither a line without any delimiter nor a frame without end makes the decoder keep more than a little."""
    decoder = Decoder()
    for _ in range(200):
        decoder.feed(b"\nEAST" + b"0" * 10_000)
        assert len(decoder._tail) <= 200
        assert len(decoder._groups) <= 300
    decoder.flush()
    group = encode_group(Mode.STANDARD, Item("EAST", "000000001"))
    events = decoder.feed(b"\x02" + group * 5_000)
    assert max(len(event.groups) for event in events if isinstance(event, Frame)) <= 300
    assert len(decoder._groups) <= 300
    assert len(decoder._tail) <= 200


def test_a_group_longer_than_any_of_the_norm_is_cut_however_it_comes() -> None:
    """A group longer than the norm's longest is refused, in one piece as in many."""
    long = b"\nPJOURF+1\t" + b"NONUTILE " * 40 + b"\tX\r"
    for data in (long, b"\r\x0b" + long[1:]):
        decoder = Decoder()
        pieces = [event for at in range(len(data)) for event in decoder.feed(data[at : at + 1])]
        assert [group.reason for group in groups_of(pieces)] == [Reason.CUT]
        assert pieces == Decoder().feed(data)


BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from(
            [
                b"\x02",
                b"\x03",
                b"\x04",
                b"\r",
                b"\n",
                b"\x0b",
                b"\x0e",
                b" ",
                b"\t",
                b"EAST\t000000000\tO",
                b"PTEC HP..  ",
            ]
        ),
        max_size=60,
    ).map(b"".join),
)


@settings(max_examples=300, deadline=None)
@given(data=BYTES, cuts=st.lists(st.integers(0, 300), max_size=8))
def test_any_pieces_give_the_same_events(data: bytes, cuts: list[int]) -> None:
    """No bytes make the decoder raise, and however they are cut the events are the same."""
    decoder = Decoder()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    events = [event for start, end in pairwise(edges) for event in decoder.feed(data[start:end])]
    assert events + decoder.flush() == decode(data)
    assert all(
        group.valid or group.value is None or group.reason == Reason.UNKNOWN_LABEL for group in groups_of(events)
    )


TEXTS = frozenset({"NGTF", "LTARF", "MSG1", "MSG2"})
"""Labels whose value may be any text: bit 6 turns one letter into another, and the checksum is blind to it."""


NEIGHBOURS = {
    Mode.STANDARD: (Item("EAST", "000000001"), Item("EAIT", "000000002")),
    Mode.HISTORIQUE: (Item("BASE", "000000001"), Item("PAPP", "00002")),
    Mode.JAUNE: (Item("FCOU", "01:02:03"), Item("PMAXC", "00001:00002:00003:00004")),
    Mode.EMERAUDE: (Item("EA", "1Wh"), Item("KDC", "2%")),
    Mode.PME_PMI: (Item("EA_s", "1Wh"), Item("PMAX_s", "2kVA")),
}


@pytest.mark.parametrize(("mode", "state"), STATES)
def test_no_flipped_bit_gives_a_wrong_number(mode: Mode, state: MeterState) -> None:
    """Whatever single bit of a group flips, its neighbours stay and it gives its own value or none, free text apart."""
    before, after = NEIGHBOURS[mode]
    for item in items_of(mode, state):
        truth = {before, item, after}
        whole = encode_frame(mode, [before, item, after])
        start = len(encode_frame(mode, [before])) - 1
        for at in range(start, start + len(encode_group(mode, item))):
            for bit in range(7):
                flipped = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
                for group in groups_of(decode(flipped)):
                    read = Item(group.label, group.value or "", group.horodate)
                    assert not group.valid or read in truth or group.label in TEXTS, (flipped, group)


def test_noise_of_a_bad_line_gives_no_wrong_number() -> None:
    """At one flipped bit in a thousand characters, 600 frames give not one wrong number."""
    random = Random(54)
    flips = refused = 0
    for mode, state in STATES * 100:
        items = items_of(mode, state)
        data = bytearray(encode_frame(mode, items))
        for at in range(len(data)):
            if random.random() < 0.001:
                data[at] ^= 1 << random.randrange(7)
                flips += 1
        groups = groups_of(decode(bytes(data)))
        refused += sum(not group.valid for group in groups)
        read = {Item(group.label, group.value or "", group.horodate) for group in groups if group.valid}
        assert {item.label for item in read - set(items)} <= TEXTS
    assert flips > 300
    assert refused > flips // 2
