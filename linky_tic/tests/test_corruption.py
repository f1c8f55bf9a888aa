"""Noise never becomes a value, and the judge that says so is not blind."""

from collections.abc import Callable, Iterable
from random import Random

import pytest

from linky_tic.label import Mode
from linky_tic.tests.corruption import FREE_TEXT, Read, Score, Wrong, flipped, reader, score, why_believed
from linky_tic.tests.encoder import Item, encode_group
from linky_tic.tests.meters import STREET, Sent, Stream, stream

MODES = (Mode.HISTORIQUE, Mode.STANDARD)
FRAMES = 200


def damaged(mode: Mode, make: Callable[[], Read], *, rate: float = 1e-3, frames: int = FRAMES) -> Score:
    """Judge a reader on one seed of a noisy line."""
    sent = stream(mode, frames, seed=54)
    return score(sent, *flipped(sent.data, Random(2), rate=rate), make)


@pytest.mark.parametrize("mode", MODES)
def test_a_clean_street_is_read_whole(mode: Mode) -> None:
    """Without noise every group of every kind of meter is read, and nothing else."""
    sent = stream(mode, FRAMES, seed=54)
    found = score(sent, sent.data, [], reader)
    assert (found.kept, found.wrong, found.wrong_texts, found.crashes) == (len(sent.sent), [], 0, [])
    assert len(sent.frame_ends) == FRAMES
    assert found.kept > 10 * FRAMES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("told", [False, True])
def test_noise_becomes_no_value_and_costs_no_neighbour(mode: Mode, told: bool) -> None:  # noqa: FBT001 - the case
    """At one flipped bit in a thousand characters nothing wrong is believed, and every undamaged group is kept."""
    found = damaged(mode, lambda: reader(mode if told else None))
    assert found.flips > FRAMES // 10
    assert [wrong for wrong in found.wrong if why_believed(mode, wrong) is None] == []
    assert len(found.wrong) <= 1
    assert found.crashes == []
    assert found.kept == found.undamaged > 0.9 * found.groups


@pytest.mark.parametrize("mode", MODES)
def test_what_forty_times_the_noise_makes_believable_is_pairs_of_flips(mode: Mode) -> None:
    """Each wrong value of a very bad line is explained by flips that make up for one another."""
    found = damaged(mode, reader, rate=0.04, frames=4 * FRAMES)
    assert found.wrong
    assert [wrong for wrong in found.wrong if why_believed(mode, wrong) is None] == []


def checksum_alone() -> Read:
    """Read as the common readers do: any label, any value, so long as the checksum is right."""
    held = b""

    def read(data: bytes) -> Iterable[Item]:
        nonlocal held
        *lines, held = (held + data).split(b"\r")
        for line in lines:
            text = line.rpartition(b"\n")[2].decode("ascii", "replace")
            separator = "\t" if "\t" in text else " "
            counted = text[:-1] if separator == "\t" else text[:-2]
            pieces = text[:-2].split(separator, 2 if separator == "\t" else 1)
            if len(pieces) > 1 and chr((sum(map(ord, counted)) & 63) + 32) == text[-1]:
                yield Item(pieces[0], pieces[-1], pieces[1] if len(pieces) == 3 else None)

    return read


@pytest.mark.parametrize("mode", MODES)
def test_a_decoder_without_the_grammar_is_caught(mode: Mode) -> None:
    """The judge sees that the checksum alone lets many wrong values through, and accepts no excuse for them."""
    sent = stream(mode, FRAMES, seed=54)
    assert score(sent, sent.data, [], checksum_alone).kept == len(sent.sent)
    found = damaged(mode, checksum_alone)
    assert len(found.wrong) > found.flips // 20
    assert any(why_believed(mode, wrong) is None for wrong in found.wrong)


def test_a_decoder_that_raises_or_loses_is_caught() -> None:
    """What raises is counted as a crash, and what is read of the rest is still judged."""

    def fragile() -> Read:
        inner = reader()

        def read(data: bytes) -> Iterable[Item]:
            if b"IMAX" in data:
                raise KeyError("IMAX")
            return inner(data)

        return read

    found = damaged(Mode.HISTORIQUE, fragile)
    assert len(found.crashes) > FRAMES // 2
    assert "IMAX" in found.crashes[0]
    assert 0 < found.kept < found.undamaged


def _placed(*items: Item) -> Stream:
    groups = [encode_group(Mode.HISTORIQUE, item) for item in items]
    data, sent = b"", []
    for item, group in zip(items, groups, strict=True):
        sent.append(Sent(len(data), len(data) + len(group), item))
        data += group
    return Stream(Mode.HISTORIQUE, data, tuple(sent), (len(data),))


@pytest.mark.parametrize(
    "read",
    [
        Item("IMAX", "004"),
        Item("IINST", "005"),
        Item("IINST", "004", "H250101000000"),
    ],
)
def test_a_value_counts_only_where_it_was_sent(read: Item) -> None:
    """A value under another label, of the group before, or with a horodate that was not sent is wrong."""
    sent = _placed(Item("IINST", "004"), Item("IMAX", "005"))
    answers = iter([[read], [Item("IMAX", "005")]])
    found = score(sent, sent.data, [], lambda: lambda _: next(answers))
    assert [wrong.read for wrong in found.wrong] == [read]
    assert (found.kept, found.undamaged) == (1, 2)


def test_only_flips_that_make_up_for_one_another_excuse() -> None:
    """Two flips that the checksum cannot see are an excuse; one is none, nor two that it sees, nor another shape."""
    item = Item("IINST", "004")
    line = encode_group(Mode.HISTORIQUE, item)
    sent = Sent(0, len(line), item)

    def asked(read: Item, line: bytes, flips: tuple[int, ...]) -> str | None:
        return why_believed(Mode.HISTORIQUE, Wrong(sent, read, line, flips))

    excused = line.replace(b"004", b"104")
    excused = excused[:-2] + bytes([excused[-2] + 1]) + excused[-1:]
    assert asked(Item("IINST", "104"), excused, (7, len(line) - 2)) is not None
    assert asked(Item("IINST", "104"), excused, (7,)) is None
    assert asked(Item("IINST", "105"), line.replace(b"004", b"105"), (6, 8)) is None
    assert asked(Item("IINST", "q04"), line.replace(b"004", b"q04"), (7, 8)) is None
    assert asked(Item("IINSX", "104"), excused, (7, len(line) - 2)) is None


def test_noise_is_as_frequent_as_asked_and_the_same_each_time() -> None:
    """Flips hit the asked share of the characters, one bit each, any of the seven, and a seed repeats them."""
    data = bytes(200_000)
    line, hits = flipped(data, Random(1), rate=1e-2)
    assert (line, hits) == flipped(data, Random(1), rate=1e-2)
    assert [at for at, byte in enumerate(line) if byte] == hits
    assert 1_800 < len(hits) < 2_200
    assert {line[at] for at in hits} == {1 << bit for bit in range(7)}
    assert set(flipped(data, Random(1), rate=1e-2, bits=8)[0]) == {0, *(1 << bit for bit in range(8))}


def test_the_street_has_every_contract_and_connection() -> None:
    """Single-phase, three-phase and producers; each tariff; overruns, mobile peaks and doubted clocks occur."""
    assert {(house.phases, house.tariff) for house in STREET} >= {
        (phases, tariff) for phases in (1, 3) for tariff in ("BASE", "HC", "EJP", "TEMPO")
    }
    labels = {mode: {group.item.label for group in stream(mode, 3_000, seed=1).sent} for mode in MODES}
    assert labels[Mode.HISTORIQUE] >= {"ADPS", "ADIR1", "IINST3", "PPOT", "BBRHPJR", "EJPHPM", "HCHC", "BASE"}
    assert labels[Mode.STANDARD] >= {"EAIT", "ERQ4", "SMAXSN3-1", "UMOY3", "DPM1", "PPOINTE"} | FREE_TEXT - {"MSG2"}
