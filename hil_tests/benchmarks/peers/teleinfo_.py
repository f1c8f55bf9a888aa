"""teleinfo: an endless iterator of frames over what gives it one character after the other."""

import teleinfo
from teleinfo.base_vendor import BASE_vendor

from hil_tests.benchmarks.peers.replay import Port, Told


def values(port: Port, told: Told, _mode: str) -> None:
    """Read a whole stream."""

    class Replayed(BASE_vendor):  # type: ignore[misc]
        def read_char(self) -> str:
            return chr(port.read(1)[0])

    parser = teleinfo.Parser(Replayed())
    while True:
        try:
            frame = parser.get_frame()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            told.crash(error)
            continue
        for label, value in frame.items():
            told.value(label, value)
