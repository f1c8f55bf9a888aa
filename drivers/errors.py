"""What can go wrong with a device.

    DriverError                 something that the supervisor answers by starting the driver again, later
      PortMissing               the port is not there, or we may not open it
      PortLeft                  the port was there and went away (an unplugged adapter)
      DeviceSilent              the port is there and nothing, or nothing that makes sense, comes
      DeviceRefused             the device answers and says no (a Modbus exception)
      WriteUncertain            a write was sent and its outcome is unknown: read before writing again, never toggle

Anything else that a driver raises is a bug and ends the process.
"""


class DriverError(Exception):
    """A device or its line failed; the text names it, says what is wrong and what to do."""


class PortMissing(DriverError):
    """The port is not there, or we may not open it."""


class PortLeft(DriverError):
    """The port went away while it was open."""


class DeviceSilent(DriverError):
    """Nothing that makes sense came within the deadline."""


class DeviceRefused(DriverError):
    """The device answered, and refused."""


class WriteUncertain(DriverError):
    """A write was sent and nothing tells whether it was carried out."""
