"""Real lines, as their MANIFEST.md counts them; where they are absent, streams of the encoder, which is then told."""

import re
from collections.abc import Iterator
from functools import partial

from hil_tests.benchmarks.figure import Figure
from linky_tic.label import Mode
from linky_tic.tests.captures import folder
from linky_tic.tests.corruption import reader, score
from linky_tic.tests.meters import stream

_ROW = re.compile(r"^\| (\S+\.tic) \| .* \| (\d+) \((\d+)\) \|$", re.MULTILINE)
_FRAMES = 500


def captures() -> Iterator[tuple[str, Mode, bytes, int]]:
    """Give each capture that the manifest counts: its name, its mode, its bytes, its valid groups."""
    manifest = folder() / "MANIFEST.md"
    if not manifest.is_file():
        return
    for name, _, valid in _ROW.findall(manifest.read_text("utf-8")):
        mode = Mode.STANDARD if "standard" in name else Mode.HISTORIQUE
        yield name, mode, (folder() / name).read_bytes(), int(valid)


def clean_captures(mode: Mode) -> tuple[bytes, int, str]:
    """Give all streams of a mode one after the other, the valid groups in them, and what they are."""
    real = [(data, valid) for _, its, data, valid in captures() if its is mode]
    if real:
        return b"".join(data for data, _ in real), sum(valid for _, valid in real), f"{len(real)} real captures"
    made = stream(mode, _FRAMES, seed=1)
    return made.data, len(made.sent), "the encoder's own streams (no captures here)"


def delivered() -> Iterator[Figure]:
    """Tell, for each mode, what share of the valid groups of its clean streams is delivered."""
    for mode in (Mode.HISTORIQUE, Mode.STANDARD):
        real = [(data, valid) for _, its, data, valid in captures() if its is mode]
        together, count, what = clean_captures(mode)
        streams = real or [(together, count)]
        # Each by itself: a group too many in one must not hide a group that another one lost.
        found = sum(min(valid, len(list(reader()(data)))) for data, valid in streams)
        too_many = sum(max(0, len(list(reader()(data))) - valid) for data, valid in streams)
        yield Figure(f"tic_captures_{mode}", round(100 * found / count, 3), f"% of {what}", 100, at_least=True)
        yield Figure(f"tic_captures_{mode}_too_many", too_many, "groups", 0)
    for mode in (Mode.JAUNE, Mode.EMERAUDE, Mode.PME_PMI):
        # Of the older meters nobody has published a line.
        made = stream(mode, _FRAMES, seed=1)
        kept = score(made, made.data, [], partial(reader, mode)).kept
        share = round(100 * kept / len(made.sent), 3)
        yield Figure(f"tic_captures_{mode}", share, "% of the encoder's own streams", 100, at_least=True)
