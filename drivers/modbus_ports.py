"""What a Modbus bus runs over: a TCP connection, or a serial port; how each is opened, and why it may not be."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from modbus.plan import SerialLine

_NO_RECONNECT = 0
"""The bus opens its port itself, with a back-off of its own; pymodbus would wait up to 300 s, unseen."""


@dataclass(frozen=True, slots=True)
class TcpPort:
    """Modbus TCP at `host`:`port`; `rtu_frames` where a serial line was merely put through (RTU over TCP)."""

    host: str
    port: int = 502
    rtu_frames: bool = False

    @property
    def is_numbered(self) -> bool:
        """Whether a reply names its request by a number."""
        return not self.rtu_frames

    @property
    def line(self) -> SerialLine | None:
        """Give the cost of reads, None: a request costs more than what it carries."""
        return None

    def client(self, timeout_s: float) -> AsyncModbusTcpClient:
        """Make a client, not yet connected."""
        client = AsyncModbusTcpClient(
            self.host,
            port=self.port,
            framer=FramerType.RTU if self.rtu_frames else FramerType.SOCKET,
            timeout=timeout_s,
            retries=0,
            reconnect_delay=_NO_RECONNECT,
            reconnect_delay_max=_NO_RECONNECT,
        )
        _guard(client)
        return client

    def why_closed(self) -> str:
        """Say what to do when it cannot be opened."""
        return f"nobody answers at {self}; check the cable, the address, and that the device has Modbus TCP switched on"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SerialPort:
    """Modbus RTU on the serial port `device`; the defaults are those of the Modbus specification over serial line."""

    device: str
    baud: int = 19200
    parity: str = "E"
    stop_bits: int = 1

    @property
    def is_numbered(self) -> bool:
        """Whether a reply names its request by a number."""
        return False

    @property
    def line(self) -> SerialLine | None:
        """Give the cost of reads at this speed."""
        return SerialLine(self.baud, 9 + self.stop_bits + (self.parity != "N"))

    def client(self, timeout_s: float) -> AsyncModbusSerialClient:
        """Make a client, not yet open."""
        client = AsyncModbusSerialClient(
            self.device,
            baudrate=self.baud,
            parity=self.parity,
            stopbits=self.stop_bits,
            timeout=timeout_s,
            retries=0,
            reconnect_delay=_NO_RECONNECT,
            reconnect_delay_max=_NO_RECONNECT,
        )
        _guard(client)
        return client

    def why_closed(self) -> str:
        """Say what to do when it cannot be opened."""
        if not Path(self.device).exists():
            return f"there is no {self.device}; plug the adapter in, and name it as in /dev/serial/by-id"
        if not os.access(self.device, os.R_OK | os.W_OK):
            return f"{self.device} may not be opened; add the user of the gateway to the group of that port (dialout)"
        return f"{self.device} is in use by another program, or takes no {self.baud} Bd with parity {self.parity}"

    def __str__(self) -> str:
        return self.device


def _guard(client: AsyncModbusTcpClient | AsyncModbusSerialClient) -> None:
    """Keep a reply that pymodbus cannot decode from reaching the event loop as an unhandled exception: drop it."""
    accept = client.ctx.callback_data

    def callback_data(data: bytes, addr: tuple[Any, ...] | None = None) -> int:
        try:
            return accept(data, addr)
        except (ModbusException, ValueError, IndexError, struct.error):
            return len(data)

    setattr(client.ctx, "callback_data", callback_data)  # noqa: B010 - mypy forbids assigning to a method
