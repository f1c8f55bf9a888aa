"""What a connection has cost on the line, asked of the kernel: every byte that a mobile operator counts.

Linux keeps the books for each TCP connection (TCP_INFO, tcp(7), linux/tcp.h): bytes with repeats, and segments, each of
which has an IP and a TCP header as well. TLS, MQTT, acknowledgements and keep-alives are in it; the link layer is not.
"""

import socket
import struct
from dataclasses import dataclass

_LENGTH = 216
_RECEIVED_AT, _SEGMENTS_AT, _SENT_AT = 128, 136, 200
_HEADERS_V4, _HEADERS_V6 = 52, 72
"""IP, TCP, and the time stamps that Linux puts into each segment."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes on the line, both ways."""

    sent: int = 0
    received: int = 0

    def plus(self, other: "Traffic") -> "Traffic":
        """Add."""
        return Traffic(self.sent + other.sent, self.received + other.received)

    def minus(self, other: "Traffic") -> "Traffic":
        """Take away; what a connection had cost a moment ago, say."""
        return Traffic(self.sent - other.sent, self.received - other.received)

    @property
    def total(self) -> int:
        """Both ways together."""
        return self.sent + self.received


def traffic(connection: socket.socket) -> Traffic:
    """Give what an open TCP connection has cost since its first packet; nothing where the kernel does not say."""
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LENGTH)
    except (OSError, ValueError):
        return Traffic()
    if len(told) < _LENGTH:  # before Linux 4.19
        return Traffic()
    (received,) = struct.unpack_from("=Q", told, _RECEIVED_AT)
    out, into = struct.unpack_from("=II", told, _SEGMENTS_AT)
    (sent,) = struct.unpack_from("=Q", told, _SENT_AT)
    headers = _HEADERS_V6 if connection.family == socket.AF_INET6 else _HEADERS_V4
    return Traffic(sent + out * headers, received + into * headers)
