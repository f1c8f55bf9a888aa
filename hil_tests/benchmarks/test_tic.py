"""What `make bench-tic` measures with: a judge that lets anything pass, or a replay that loses some, proves nothing."""

from random import Random

import pytest

from hil_tests.bench.uart import with_parity
from hil_tests.benchmarks.peer import READ_BY, Answer
from hil_tests.benchmarks.peers.__main__ import ADAPTERS
from hil_tests.benchmarks.peers.ours import values, values_as_they_come
from hil_tests.benchmarks.peers.replay import End, Port, Row, Told
from hil_tests.benchmarks.tic_captures import captures, whole_frames
from hil_tests.benchmarks.tic_noise import MODES, with_software_parity
from hil_tests.benchmarks.tic_peers import _judge
from linky_tic.label import Mode
from linky_tic.tests.captures import VALID, capture
from linky_tic.tests.corruption import Read, flipped, score
from linky_tic.tests.encoder import Item
from linky_tic.tests.meters import stream

FRAMES = 150


@pytest.mark.parametrize("mode", MODES)
def test_software_parity_lets_nothing_wrong_through(mode: Mode) -> None:
    """On a 7E1 line whose flips hit any of eight bits no value is wrong, not even a free text; no other is lost."""
    found = with_software_parity(stream(mode, FRAMES, seed=7), Random(7))
    assert found.flips > FRAMES // 10
    assert (found.wrong, found.wrong_texts, found.crashes) == ([], 0, [])
    assert found.kept == found.undamaged


def test_a_line_whose_parity_nobody_checks_is_caught() -> None:
    """Read as seven bits, parity cut off, the same noise makes wrong texts, and they are counted."""
    sent = stream(Mode.STANDARD, 8 * FRAMES, seed=7)
    line, hits = flipped(with_parity(sent.data), Random(7), bits=8)

    def every_text() -> Read:
        def read(data: bytes) -> list[Item]:
            label, _, rest = data.rpartition(b"\n")[2].decode("ascii").partition("\t")
            return [Item(label, rest[:-3])] if label.startswith("MSG") and rest[-3:-2] == "\t" else []

        return read

    assert score(sent, bytes(byte & 0x7F for byte in line), hits, every_text).wrong_texts > 0


@pytest.mark.parametrize("read", [values, values_as_they_come])
@pytest.mark.parametrize("mode", MODES)
def test_ours_is_replayed_whole(mode: Mode, read: object) -> None:
    """Through the adapter as the others are, ours tells every group of a clean stream once, and in order."""
    assert callable(read)
    sent = stream(mode, FRAMES, seed=7)
    told = Told(Port(sent.data))
    with pytest.raises(End):
        read(told._port, told, mode.value)
    assert [Item(row.label, str(row.value), row.horodate) for row in told.rows] == [group.item for group in sent.sent]
    assert _judge(sent, [], Answer(1.0, tuple(told.rows), ())).kept == 100


def test_what_a_reader_makes_of_a_line_is_judged() -> None:
    """A value as a number or without its padding is right; another value, another place, or an absent row is told."""
    sent = stream(Mode.HISTORIQUE, 60, seed=7)
    first, *rest = (Row(group.end, group.item.label, group.item.value.rstrip("."), None) for group in sent.sent)

    def judged(*rows: Row) -> tuple[int, float]:
        found = _judge(sent, [], Answer(1.0, rows, ()))
        return round(found.wrong_in_a_million * len(sent.sent) / 1e6), found.kept

    assert judged(first, *rest) == (0, 100)
    assert judged(*rest)[1] < 100
    index = next(at for at, row in enumerate(rest) if row.label in ("BASE", "HCHC"))
    as_number = rest[index]._replace(value=int(rest[index].value))
    assert judged(first, *rest[:index], as_number, *rest[index + 1 :]) == (0, 100)
    assert judged(first, *rest[:index], as_number._replace(value=7), *rest[index + 1 :])[0] == 1
    stale = as_number._replace(at=sent.frame_ends[-1])
    assert judged(first, *rest, stale._replace(value="000000007"))[0] == 1
    assert judged(first._replace(horodate="250101000000"), *rest)[0] == 1


def test_the_manifest_is_read() -> None:
    """The captures and counts that the benchmark takes from MANIFEST.md are those that the tests hold ours to."""
    capture("MANIFEST.md")
    assert {one.name: (one.groups, one.valid) for one in captures()} == VALID
    for mode in MODES:
        data, groups, what = whole_frames(mode)
        assert "real" in what
        assert data.count(b"\r") == groups
        assert (data[0], data[-1]) == (2, 3)


def test_each_reader_has_an_adapter() -> None:
    """Every reader that is to be compared can be run, and ours beside it."""
    assert ADAPTERS.keys() == {"ours", "ours-as-it-comes", *READ_BY}
