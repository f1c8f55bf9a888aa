"""kylin: a board that gives one frame after the other."""

import kylin

from hil_tests.benchmarks.peers.replay import Port, Told


def values(port: Port, told: Told, _mode: str) -> None:
    """Read a whole stream."""
    kylin.serial_is_available = lambda _name: True
    board = kylin.Kylin()
    board._teleinfo = port
    while True:
        try:
            frame = board.readframe()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            told.crash(error)
            continue
        for group in frame:
            told.value(group["name"], group["value"])
