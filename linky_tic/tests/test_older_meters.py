"""Groups of real meters before the Linky, as others published them, and what sources say of their shapes."""

import pytest

from linky_tic.decoder import Decoder, Frame
from linky_tic.group import judge
from linky_tic.label import Mode
from linky_tic.overrun import OverrunWatch
from linky_tic.tests.encoder import Item, encode_frame, encode_group
from linky_tic.tests.test_captures import decode, groups_of

PUBLISHED = [
    # A PME-PMI meter of 2010, in the comments of an Arduino sketch for its customer output.
    ("MESURES1 BT 4 SUP36 @", "BT 4 SUP36", None),
    ("EA_s 72Wh @", "72Wh", 72),
    # One of 2013, from the documentation of Watteco's bintotic.
    ("DATE 25/05/16 16:19:37 >", "25/05/16 16:19:37", None),
    ("TARIFDYN INACTIF _", "INACTIF", None),
    ("ETATDYN1 000 Z", "000", None),
    ("TDYN1FD 25/05/16 16:20:00-XXX =", "25/05/16 16:20:00-XXX", None),
    ("TDYN1FF 25/05/16 16:30:00-XXX @", "25/05/16 16:30:00-XXX", None),
    ("ETATDYN2 000 [", "000", None),
    ("TDYN2FF 25/05/16 16:35:00-XXX F", "25/05/16 16:35:00-XXX", None),
]


@pytest.mark.parametrize(("content", "value", "number"), PUBLISHED)
def test_published_groups_of_pme_pmi_meters(content: str, value: str, number: int | None) -> None:
    """PME-PMI meters have the SPACE and the checksum of mode 1, and values with spaces and units."""
    group = judge(content.encode(), Mode.PME_PMI)
    assert (group.valid, group.value, group.number) == (True, value, number)


def test_published_groups_show_their_family() -> None:
    """In the order in which a PME-PMI meter sends them, its groups need no mode to be told."""
    data = "".join(f"\n{content}\r" for content, _, _ in PUBLISHED).encode()
    groups = groups_of(decode(b"\x02" + data + b"\x03"))
    assert [(group.valid, group.mode) for group in groups] == [(True, Mode.PME_PMI)] * len(PUBLISHED)


@pytest.mark.parametrize(
    ("label", "value", "valid"),
    [
        ("BASE", "123456789", True),
        ("BASE", "12345678", True),
        ("BASE", "1234567", False),
        ("BASE", "1234567890", False),
        ("GAZ", "0123456", True),
        ("AUTRE", "0123456", True),
        ("GAZ", "123456", False),
        ("MOTDETAT", "000000", True),
        ("MOTDETAT", "0123ABCDEF", True),
        ("MOTDETAT", "00000000", False),
        ("PMAX", "15020", True),
        ("PPOT", "0F", True),
        ("PPOT", "10", False),
        ("HHPHC", "Y", True),
        ("HHPHC", "B", False),
        ("OPTARIF", "BBR(", True),
        ("OPTARIF", "BBRh", False),
    ],
)
def test_shapes_of_the_historique_family(label: str, value: str, *, valid: bool) -> None:
    """Blue meters and the téléreport concentrator have labels and sizes that a Linky has not, and no others."""
    group = judge(encode_group(Mode.HISTORIQUE, Item(label, value))[1:-1])
    assert (group.valid, group.reason) == (valid, None if valid else "grammar")


@pytest.mark.parametrize(
    ("mode", "label", "value"),
    [
        (Mode.PME_PMI, "EA_s", "Wh"),
        (Mode.PME_PMI, "EA_s", "12kWh"),
        (Mode.PME_PMI, "EAP_s", "12Wh"),
        (Mode.PME_PMI, "EAP_s", "12"),
        (Mode.PME_PMI, "EAP_s", "-12kWh"),
        (Mode.PME_PMI, "EAP_s", "1234567890kWh"),
        (Mode.PME_PMI, "PS", "36VA"),
        (Mode.PME_PMI, "PS", "36  kVA"),
        (Mode.PME_PMI, "TGPHI_s", "2"),
        (Mode.PME_PMI, "CONFIG", "AUTRE"),
        (Mode.PME_PMI, "PREAVIS", "DEPP"),
        (Mode.PME_PMI, "DATE", "32/01/25 12:00:00"),
        (Mode.PME_PMI, "DATE", "01/13/25 12:00:00"),
        (Mode.PME_PMI, "DATE", "01/01/25 12:00/00"),
        (Mode.EMERAUDE, "EApHPH", "12kvarh"),
        (Mode.EMERAUDE, "PA1", "12**kW"),
        (Mode.EMERAUDE, "KDC", "1000%"),
        (Mode.JAUNE, "JAUNE", "24:00:01:01:HPH:D:00001:01"),
        (Mode.JAUNE, "ENERG", "000001:000002:000003:000004:000005"),
        (Mode.JAUNE, "PMAXC", "00001:00002:00003:0000x"),
        (Mode.JAUNE, "FCOU", "12:60:01"),
    ],
)
def test_what_no_source_has_is_refused(mode: Mode, label: str, value: str) -> None:
    """A value of an older meter with another unit, size, range or number of fields than the sources have is refused."""
    group = judge(encode_group(mode, Item(label, value))[1:-1], mode)
    assert (group.valid, group.reason, group.value) == (False, "grammar", None)


def test_a_meter_on_standby_sends_its_address_alone() -> None:
    """A frame of ADCO alone is whole."""
    (frame,) = (
        each
        for each in decode(encode_frame(Mode.HISTORIQUE, [Item("ADCO", "021330274552")]))
        if isinstance(each, Frame)
    )
    assert (frame.mode, frame.complete, [group.valid for group in frame.groups]) == (Mode.HISTORIQUE, True, [True])


def test_the_long_frame_of_a_meter_without_papp_ends_no_overrun_either() -> None:
    """A three-phase meter that does not tell its power is in overrun until two frames in a row do not say so."""
    short = [Item("ADCO", "021330274552"), *(Item(f"IINST{n}", "030") for n in (1, 2, 3))]
    long = [*short, Item("ISOUSC", "20"), Item("IMAX1", "060")]
    watch = OverrunWatch()
    decoder = Decoder()
    told = []
    for items in ([Item("ADIR2", "031"), *short], long, [Item("ADIR2", "031"), *short], short, long):
        for event in decoder.feed(encode_frame(Mode.HISTORIQUE, items)):
            if isinstance(event, Frame):
                watch.frame(event)
                told.append(watch.overrun)
            else:
                watch.group(event)
    assert told == [True, True, True, False, False]
