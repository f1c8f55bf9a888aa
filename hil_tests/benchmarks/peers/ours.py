"""Ours, in pieces as large as the driver takes them; or as the line brings them, a tenth of a second at a time."""

from hil_tests.benchmarks.peers.replay import Port, Told
from linky_tic.decoder import Decoder
from linky_tic.group import Group

_PIECE = 4_096


def values(port: Port, told: Told, _mode: str, size: int = _PIECE) -> None:
    """Read a whole stream, the mode to be found."""
    decoder = Decoder()
    while True:
        for event in decoder.feed(port.read(size)):
            if isinstance(event, Group) and event.valid:
                told.value(event.label, event.value or "", event.horodate)


def values_as_they_come(port: Port, told: Told, mode: str) -> None:
    """Read a whole stream in the pieces that a line at its true rate has ready ten times a second."""
    values(port, told, mode, 96 if mode == "standard" else 12)
