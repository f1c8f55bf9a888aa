"""Real lines, as their MANIFEST.md counts them; where they are absent, streams of the encoder, which is then told."""

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from hil_tests.benchmarks.figure import Figure
from linky_tic.label import Mode
from linky_tic.tests.captures import folder
from linky_tic.tests.corruption import reader, score
from linky_tic.tests.meters import stream

_ROW = re.compile(r"^\| (\S+\.tic) \| .* \| (\d+) \((\d+)\) \|$", re.MULTILINE)
_FRAMES = 500


class Capture(NamedTuple):
    """One real stream, and how many groups, and valid ones, the manifest counts in it."""

    name: str
    mode: Mode
    data: bytes
    groups: int
    valid: int


def captures() -> Iterator[Capture]:
    """Give each capture that the manifest counts; none where there is no manifest."""
    manifest = folder() / "MANIFEST.md"
    if not manifest.is_file():
        return
    for name, groups, valid in _ROW.findall(manifest.read_text("utf-8")):
        mode = Mode.STANDARD if "standard" in name else Mode.HISTORIQUE
        yield Capture(name, mode, (folder() / name).read_bytes(), int(groups), int(valid))


def whole_frames(mode: Mode) -> tuple[bytes, int, str]:
    """Give the undamaged frames of a mode one after the other, the groups in them, and what they are.

    Of each capture they are what stands from its first STX to its last ETX: for what is lost where one capture is cut
    and the next begins no reader could be blamed.
    """
    real = [
        one.data[start:end]
        for one in captures()
        if one.mode is mode
        and one.groups == one.valid
        and 0 <= (start := one.data.find(b"\x02")) < (end := one.data.rfind(b"\x03") + 1)
    ]
    if not real:
        made = stream(mode, _FRAMES, seed=1)
        return made.data, len(made.sent), "the encoder's own streams (no captures here)"
    together = b"".join(real)
    return together, together.count(b"\r"), f"the whole frames of {len(real)} real captures"


def delivered() -> Iterator[Figure]:
    """Tell, for each mode, what share of the valid groups of its clean streams is delivered."""
    for mode in (Mode.HISTORIQUE, Mode.STANDARD):
        # Each by itself: a group too many in one must not hide a group that another one lost.
        found = [(one.valid, len(list(reader()(one.data)))) for one in captures() if one.mode is mode]
        if found:
            count = sum(valid for valid, _ in found)
            share = round(100 * sum(map(min, found)) / count, 3)
            yield Figure(f"tic_captures_{mode}", share, f"% of {len(found)} real captures", 100, at_least=True)
            yield Figure(
                f"tic_captures_{mode}_too_many", sum(max(0, ours - valid) for valid, ours in found), "groups", 0
            )
        else:
            yield _encoded(mode, "% of the encoder's own streams (no captures here)")
    for mode in (Mode.JAUNE, Mode.EMERAUDE, Mode.PME_PMI):
        # Of the older meters nobody has published a line.
        yield _encoded(mode, "% of the encoder's own streams")


def _encoded(mode: Mode, what: str) -> Figure:
    made = stream(mode, _FRAMES, seed=1)
    kept = score(made, made.data, [], partial(reader, mode)).kept
    return Figure(f"tic_captures_{mode}", round(100 * kept / len(made.sent), 3), what, 100, at_least=True)
