"""How long to wait before each attempt to connect."""

import secrets

from gateway.uplink.settings import UplinkSettings

_MOST_METERED = 16


class Waits:
    """Full jitter: evenly spread over the settings' span, so that a broker that returns does not meet all at once.

    The first attempt comes soon, and so does one that we wanted ourselves.
    """

    def __init__(self, settings: UplinkSettings) -> None:
        self._settings = settings
        self._is_soon = True
        self._in_vain = 0
        self._random = secrets.SystemRandom()

    def next_s(self) -> float:
        """Give the seconds before the attempt that follows."""
        settings = self._settings
        if self._is_soon:
            self._is_soon = False
            return self._random.uniform(0.0, settings.reconnect_min_s)
        return self._random.uniform(settings.reconnect_min_s, settings.reconnect_max_s * max(self._in_vain, 1))

    def connected(self) -> None:
        """Note that an attempt led to a connection."""
        self._in_vain = 0

    def wanted(self) -> None:
        """Note that the connection was ended by ourselves, to make another."""
        self._is_soon = True

    def failed(self, cost: int) -> None:
        """Note an attempt that led to none and has cost so many bytes: what is paid for is not tried so often."""
        if self._settings.metered_bytes is not None and cost:
            self._in_vain = min(self._in_vain + 1, _MOST_METERED)
