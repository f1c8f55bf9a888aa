"""serial-teleinfo: a client that reads a line, and gives its value or raises its ParserException."""

import serial_teleinfo

from hil_tests.benchmarks.peers.replay import Port, Told


def values(port: Port, told: Told, _mode: str) -> None:
    """Read a whole stream, going on after each line that it refuses."""
    client = serial_teleinfo.Client()
    client._serial = port
    while True:
        try:
            found = client.read_value()
        except serial_teleinfo.TeleinfoException:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            told.crash(error)
            continue
        told.value(found.key, found.value)
