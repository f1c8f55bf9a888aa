"""A serial port that replays a file, and a list of what a reader tells of it."""

from typing import NamedTuple


class End(BaseException):
    """The stream is over; no reader catches it, as they would an Exception, to go on for ever."""


class Port:
    """What readers use of a serial port; `at` is how much of the stream they have taken."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def read(self, size: int = 1) -> bytes:
        """Give the next bytes."""
        return self._to(self.at + size)

    def readline(self) -> bytes:
        """Give what comes up to the next LF, that one included."""
        return self.read_until(b"\n")

    def read_until(self, token: bytes) -> bytes:
        """Give what comes up to the next `token`, that one included."""
        found = self.data.find(token, self.at)
        return self._to(found + len(token) if found >= 0 else len(self.data))

    def _to(self, end: int) -> bytes:
        piece = self.data[self.at : end]
        if not piece:
            raise End
        self.at += len(piece)
        return piece


class Row(NamedTuple):
    """One value as a reader gave it: how much of the stream it had taken by then, and what it believes."""

    at: int
    label: str
    value: str | int
    horodate: str | None


class Told:
    """Collects what a reader gives, and each exception that its interface does not announce."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.rows: list[Row] = []
        self.crashes: list[str] = []

    def value(self, label: str, value: str | int, horodate: str | None = None) -> None:
        """Take one value."""
        self.rows.append(Row(self._port.at, label, value, horodate))

    def crash(self, error: Exception) -> None:
        """Take what was raised."""
        self.crashes.append(repr(error))
