"""The Reading: one value of one Channel at one moment of boot time."""

from dataclasses import dataclass
from enum import IntEnum

from config.channel import Channel


class Quality(IntEnum):
    """How far a value can be trusted. A value that was not read is no Reading at all."""

    OK = 0
    ESTIMATED = 1
    SUSPECT = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One value: an exact integer (`value x 10**channel.exponent` in `channel.unit`), or a text if `channel.is_text`.

    `boot_ms` is CLOCK_BOOTTIME in milliseconds when the value was complete (last byte of the frame, reply of the poll).
    """

    channel: Channel
    value: int | str
    boot_ms: int
    quality: Quality = Quality.OK
