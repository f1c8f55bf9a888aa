"""Even parity after the fact: the two ways in which a 7E1 line tells which characters it damaged.

Both give 7-bit characters and put NUL in place of a damaged one, so that exactly its group is refused. Bytes only, no
port.
"""

import re

DAMAGED = b"\x00"


class MarkedParity:
    """The kernel's marks (termios PARMRK): 0xFF 0x00 x is a damaged x, 0xFF 0xFF a 0xFF, which 7 bits cannot hold."""

    _MARK = re.compile(rb"\xff(?:\xff|\x00[\x00-\xff])", re.DOTALL)

    def __init__(self) -> None:
        self.damaged = 0
        self._held = b""

    def clean(self, data: bytes) -> bytes:
        """Give the characters of what was read; a mark that is not complete yet is held back."""
        data = self._held + data
        self._held = b""
        if b"\xff" not in data:
            return data
        cleaned, count = self._MARK.subn(DAMAGED, data)
        self.damaged += count
        unfinished = cleaned.find(b"\xff")
        if unfinished >= 0:
            cleaned, self._held = cleaned[:unfinished], cleaned[unfinished:]
        return cleaned


def _is_odd(byte: int) -> bool:
    return byte.bit_count() % 2 == 1


_ODD = bytes(byte for byte in range(256) if _is_odd(byte))
_HIGH = bytes(range(0x80, 256))
_CHECKED = bytes(0 if _is_odd(byte) else byte & 0x7F for byte in range(256))
_REMEMBERED_BYTES = 512


class SoftwareParity:
    """Parity of a port that cannot do 7E1 (a pty, a poor adapter) and is read as 8N1: bit 7 is the parity bit.

    Some programs write plain 7-bit characters to a pty. The two are told apart by what comes: half the characters of
    a line with parity have bit 7, none without, where in turn half would be odd.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._odd = 0
        self._high = 0
        self._seen = 0
        self._carried = True

    def clean(self, data: bytes) -> bytes:
        """Give the characters of what was read."""
        odd = len(data) - len(data.translate(None, _ODD))
        self._odd += odd
        self._high += len(data) - len(data.translate(None, _HIGH))
        self._seen += len(data)
        if self._odd != self._high:
            self._carried = self._odd < self._high
        if self._seen > _REMEMBERED_BYTES:
            self._odd, self._high, self._seen = self._odd // 2, self._high // 2, self._seen // 2
        if not self._carried:
            return data
        self.damaged += odd
        return data.translate(_CHECKED)
