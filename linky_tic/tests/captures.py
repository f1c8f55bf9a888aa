"""Real streams, kept outside the project: `../shared/captures/tic`, or the folder that GATEWAY_CAPTURES names."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
VALID = {
    # Groups and valid groups, from the folder's MANIFEST.md.
    "linky-historique-mono-tempo.tic": (160, 160),
    "linky-historique-mono-hc.tic": (912, 912),
    "linky-historique-mono-base.tic": (9, 9),
    "cbetm-historique-tri-hc.tic": (17, 17),
    "cbetm-historique-tri-ejp.tic": (16, 16),
    "linky-standard-mono-hc.tic": (38, 38),
    "linky-standard-mono-hc-one-bad-checksum.tic": (38, 37),
    "linky-standard-mono-hc-weekend.tic": (38, 38),
    "linky-standard-tri-base-implausible-sinsts.tic": (51, 51),
    "linky-standard-tri-tempo-cut.tic": (50, 50),
}
NOISE = "noise-corrupted-groups.tic"


def folder() -> Path:
    """Give the folder of the captures, present or not."""
    named = os.environ.get("GATEWAY_CAPTURES")
    base = Path(named) if named else _ROOT.parent / "shared" / "captures"
    return base / "tic" if (base / "tic").is_dir() else base


def path_of(name: str) -> Path:
    """Give one capture; skip the test, saying so, where it is absent."""
    path = folder() / name
    if not path.is_file():
        pytest.skip(f"no capture {path}: set GATEWAY_CAPTURES to the folder that holds it")
    return path


def capture(name: str) -> bytes:
    """Give the bytes of one capture; skip the test where it is absent."""
    return path_of(name).read_bytes()
