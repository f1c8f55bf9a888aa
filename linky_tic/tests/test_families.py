"""Which older meter a line comes from, where nobody told: settled by one label, changed only on evidence."""

from collections import Counter

import pytest

from linky_tic.decoder import Decoder, Frame
from linky_tic.group import Group, judge
from linky_tic.label import Mode
from linky_tic.labels import BY_MODE, EMERAUDE, JAUNE, LONGEST_GROUP, LONGEST_LABEL, MOST_LABELS, PME_PMI
from linky_tic.tests.encoder import Item, MeterState, encode_frame, encode_group, items_of
from linky_tic.tests.test_captures import decode, groups_of

STATE = MeterState(power_va=(42_000,), highest_va=(50_000,), east_wh=12_345_678, indexes_wh=range(9_000, 10_000, 100))
FAMILIES = [mode for mode in Mode if mode is not Mode.STANDARD]
OWN = {
    # Three labels of each family that no other has.
    Mode.HISTORIQUE: (Item("BASE", "000000001"), Item("IINST", "002"), Item("PAPP", "00003")),
    Mode.JAUNE: (Item("FCOU", "01:02:03"), Item("PERCC", "01:02:03:04"), Item("PERCP", "01:02:03:05")),
    Mode.EMERAUDE: (Item("EA", "1Wh"), Item("KDC", "2%"), Item("PTCOUR", "HPH")),
    Mode.PME_PMI: (Item("EA_s", "1Wh"), Item("PTCOUR1", "HPH"), Item("PS", "36kVA")),
}
SHARED = (Item("DATE", "01/01/25 12:00:00"), Item("PA1MN", "5kW"))


def told(decoder: Decoder, mode: Mode, *items: Item) -> list[tuple[str, str | None]]:
    """Feed groups; give each one's label, with the mode it was believed in or None where it was refused."""
    groups = groups_of(decoder.feed(b"".join(encode_group(mode, item) for item in items)))
    return [(group.label, group.mode if group.valid else None) for group in groups]


def test_only_two_families_share_labels() -> None:
    """ICE and PME-PMI have DATE, MODE, PREAVIS and the like in common; every other label tells its family."""
    counted = Counter(name for mode in FAMILIES for name in BY_MODE[mode])
    shared = {name for name, count in counted.items() if count > 1}
    assert shared == {"DATE", "MODE", "PREAVIS", "PA1MN", *(f"DATEPA{n}" for n in range(1, 7))}
    assert shared == {label.name for label in EMERAUDE} & {label.name for label in PME_PMI}


def test_the_tables_are_whole() -> None:
    """The tables have the labels that the sources list, each once, and the bounds of a group are theirs."""
    for table, count in ((JAUNE, 10), (EMERAUDE, 139), (PME_PMI, 79)):
        assert (len(table), len({label.name for label in table})) == (count, count)
    assert (LONGEST_LABEL, LONGEST_GROUP, MOST_LABELS) == (9, 111, 139)
    personal = {label.name for table in BY_MODE.values() for label in table.values() if label.personal}
    assert personal == {"ADSC", "PRM", "ADCO", "ADS"}


@pytest.mark.parametrize("mode", Mode)
def test_a_mode_has_speeds_of_which_one_is_usual(mode: Mode) -> None:
    """Each mode has its usual speed, and PME-PMI meters four more that Enedis may set."""
    assert mode.speeds[0] == mode.baud
    assert len(mode.speeds) == (5 if mode is Mode.PME_PMI else 1)


@pytest.mark.parametrize("mode", FAMILIES)
def test_a_stream_shows_its_family_at_once(mode: Mode) -> None:
    """From its first frame on, a stream of any family is read whole, and its frames are of that family."""
    events = decode(encode_frame(mode, items_of(mode, STATE)) * 2)
    assert all(group.valid and group.mode is mode for group in groups_of(events))
    assert [event.mode for event in events if isinstance(event, Frame)] == [mode, mode]


@pytest.mark.parametrize("mode", [Mode.EMERAUDE, Mode.PME_PMI])
def test_a_shared_label_is_not_guessed(mode: Mode) -> None:
    """Before anything has told the family, a label of two is refused as unknown, with its text; then it is read."""
    decoder = Decoder()
    (group,) = groups_of(decoder.feed(encode_group(mode, SHARED[0])))
    assert group == Group("DATE", "01/01/25 12:00:00", valid=False, reason="unknown_label")
    assert told(decoder, mode, OWN[mode][0], SHARED[0]) == [(OWN[mode][0].label, mode), ("DATE", mode)]


@pytest.mark.parametrize("other", FAMILIES)
@pytest.mark.parametrize("mode", FAMILIES)
def test_three_groups_in_a_row_change_the_family(mode: Mode, other: Mode) -> None:
    """Two groups of another family are refused with their text, the third is believed, and so is what follows."""
    if mode is other:
        return
    decoder = Decoder()
    first, second, third = OWN[other]
    assert told(decoder, mode, OWN[mode][0]) == [(OWN[mode][0].label, mode)]
    refused = groups_of(decoder.feed(encode_group(other, first)))
    assert [(group.valid, group.value, group.reason) for group in refused] == [(False, first.value, "unknown_label")]
    assert told(decoder, other, second, third, first) == [
        (second.label, None),
        (third.label, other),
        (first.label, other),
    ]


@pytest.mark.parametrize("other", FAMILIES)
@pytest.mark.parametrize("mode", FAMILIES)
def test_noise_does_not_change_the_family(mode: Mode, other: Mode) -> None:
    """Groups of another family that come between those of the known one are refused, however many they are."""
    if mode is other:
        return
    decoder = Decoder()
    told(decoder, mode, OWN[mode][0])
    for _ in range(20):
        assert all(believed is None for _, believed in told(decoder, other, *OWN[other][:2]))
        assert told(decoder, mode, OWN[mode][1]) == [(OWN[mode][1].label, mode)]


def test_groups_of_several_families_in_turn_show_none() -> None:
    """Only one family's groups in a row count: two of one, then one of another, change nothing."""
    decoder = Decoder()
    told(decoder, Mode.HISTORIQUE, OWN[Mode.HISTORIQUE][0])
    for _ in range(10):
        found = told(decoder, Mode.PME_PMI, *OWN[Mode.PME_PMI][:2], OWN[Mode.JAUNE][0])
        assert [believed for _, believed in found] == [None] * 3


def test_shared_and_damaged_groups_neither_show_a_family_nor_hide_it() -> None:
    """A PME-PMI line that was taken for ICE is found out, although labels of both and damaged groups come between."""
    decoder = Decoder()
    told(decoder, Mode.EMERAUDE, OWN[Mode.EMERAUDE][0])
    first, second, third = OWN[Mode.PME_PMI]
    assert told(decoder, Mode.PME_PMI, first, SHARED[0], second, SHARED[1]) == [
        (first.label, None),
        ("DATE", Mode.EMERAUDE),
        (second.label, None),
        ("PA1MN", Mode.EMERAUDE),
    ]
    decoder.feed(b"\nPS 36kVA \x00\r\nPS 37kVA !\r")
    assert told(decoder, Mode.PME_PMI, third, SHARED[0]) == [(third.label, Mode.PME_PMI), ("DATE", Mode.PME_PMI)]


def test_a_linky_that_changes_to_standard_and_back_keeps_its_family() -> None:
    """The HT tells the standard mode group by group, and the family of the SPACE stays known, also over a pause."""
    decoder = Decoder()
    told(decoder, Mode.HISTORIQUE, OWN[Mode.HISTORIQUE][0])
    assert told(decoder, Mode.STANDARD, Item("SINSTS", "00500")) == [("SINSTS", Mode.STANDARD)]
    decoder.flush()
    assert told(decoder, Mode.HISTORIQUE, OWN[Mode.HISTORIQUE][1]) == [("IINST", Mode.HISTORIQUE)]
    assert told(decoder, Mode.JAUNE, *OWN[Mode.JAUNE][:2]) == [("FCOU", None), ("PERCC", None)]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("other", Mode)
def test_a_told_mode_believes_nothing_else(mode: Mode, other: Mode) -> None:
    """A decoder that was told its mode reads it whole, and of another no label that this one has not."""
    frame = encode_frame(other, items_of(other, STATE))
    valid = {group.label for group in groups_of(decode(frame, mode)) if group.valid}
    if mode is other:
        assert valid == {item.label for item in items_of(mode, STATE)}
    else:
        assert valid == set() if Mode.STANDARD in (mode, other) else valid <= set(BY_MODE[mode]) & set(BY_MODE[other])


@pytest.mark.parametrize(
    ("mode", "item", "label", "value", "horodate"),
    [
        (Mode.STANDARD, Item("EASZ", "000000001"), "EASZ", "000000001", None),
        (Mode.STANDARD, Item("BASE", "000000001"), "BASE", "000000001", None),
        (Mode.STANDARD, Item("NEW", "0001", "H250101000000"), "NEW", "0001", "H250101000000"),
        (Mode.STANDARD, Item("NEW", "one\ttwo"), "NEW", None, None),
        (Mode.HISTORIQUE, Item("PRODUIT", "some text"), "PRODUIT", "some text", None),
        (Mode.HISTORIQUE, Item("a_B+c-9", ""), "a_B+c-9", "", None),
        (Mode.HISTORIQUE, Item("X", "x" * 100), "X", "x" * 100, None),
    ],
)
def test_an_unknown_label_has_its_text(
    mode: Mode, item: Item, label: str, value: str | None, horodate: str | None
) -> None:
    """A label that nobody knows, with a right checksum, is shown as it was sent, refused, and is no number."""
    for told_mode in (None, mode):
        group = judge(encode_group(mode, item)[1:-1], told_mode)
        assert (group.label, group.value, group.horodate) == (label, value, horodate)
        assert (group.valid, group.reason, group.number, group.unit) == (False, "unknown_label", None, "")


@pytest.mark.parametrize("label", ["", "TEN_LETTER", "A B", "A.B", "É", "A\x00"])
def test_what_is_no_label_is_not_shown(label: str) -> None:
    """An unknown label longer than any, or with other characters than labels have, gives neither label nor text."""
    content = encode_group(Mode.STANDARD, Item("AAAA", "1"))[1:-1].replace(b"AAAA", label.encode("latin-1"))
    group = judge(content)
    assert (group.label, group.value, group.valid) == ("", None, False)


def test_a_damaged_unknown_label_is_not_shown() -> None:
    """Without a right checksum, a label that nobody knows is no label."""
    good = encode_group(Mode.HISTORIQUE, Item("PRODUIT", "some text"))[1:-1]
    group = judge(good.replace(b"some", b"come"))
    assert (group.label, group.value, group.reason) == ("", None, "checksum")


def test_labels_of_one_maker_are_read() -> None:
    """SMAXSN_1 and the like, as one maker writes them, are the standard labels of yesterday under that name."""
    group = judge(encode_group(Mode.STANDARD, Item("SMAXSN1_1", "04000", "H250101000000"))[1:-1])
    assert (group.valid, group.number, group.unit) == (True, 4_000, "VA")
