"""Which broker the next attempt goes to, where there are two; and when the first is to be tried again. No I/O.

The first is left when it could not be reached for a while, and not at its first failure: a broker that is started anew
must not lose its fleet to the other one. It is gone back to when it has answered for a while, found out without MQTT
(see `probe`): a CONNECT there would be a second session under our name. A return that fails doubles the wait before the
next, so a first broker that takes connections and drops them does not shake the link for ever.
"""

from dataclasses import replace

from gateway.uplink.settings import Identity, UplinkSettings

_LEAST_ATTEMPTS = 3
GOOD_PROBES = 3
_MOST_PATIENCE = 16


class Choice:
    """Chooses between the broker of `settings` and its fallback, if any; times are boot time, in milliseconds."""

    def __init__(self, settings: UplinkSettings, now_ms: int) -> None:
        self.on_fallback = False
        """Whether the attempt or connection of now is to the second broker."""
        self._first = settings
        self._fallback = settings.fallback
        self._down_since_ms: int | None = now_ms
        self._attempts = 0
        self._good = 0
        self._patience = 1
        self._returning = False
        self._first_since_ms: int | None = None

    @property
    def settings(self) -> UplinkSettings:
        """The settings with the broker of now."""
        if self._fallback is None or not self.on_fallback:
            return self._first
        return replace(self._first, host=self._fallback.host, port=self._fallback.port)

    def identified(self, identity: Identity | None) -> UplinkSettings:
        """Give the settings with the broker of now and the certificate that is to be shown to it."""
        if identity is None:
            return self.settings
        certificate, key = identity.pair()
        return replace(self.settings, cert_file=certificate, key_file=key)

    @property
    def where(self) -> str:
        """The broker of now, for people."""
        settings = self.settings
        second = ", the second broker" if self.on_fallback else ""
        return f"{settings.host}:{settings.port}{second}"

    def next(self, now_ms: int) -> None:
        """Choose for the attempt that begins now."""
        fallback, down_ms = self._fallback, self._down_since_ms
        is_lost = (
            fallback is not None
            and down_ms is not None
            and now_ms - down_ms >= fallback.after_s * 1_000
            and self._attempts >= _LEAST_ATTEMPTS
        )
        # Both in turn, while neither answers.
        self.on_fallback = is_lost and not self._returning and not self.on_fallback
        if not self.on_fallback:
            self._attempts += 1

    def connected(self, now_ms: int) -> None:
        """Note that the attempt has led to a connection."""
        self._good = 0
        self._returning = False
        if not self.on_fallback:
            self._first_since_ms, self._down_since_ms = now_ms, None
            self._attempts = 0

    def ended(self, now_ms: int) -> None:
        """Note that the connection has ended, or the attempt failed."""
        if self.on_fallback:
            return
        since, self._first_since_ms = self._first_since_ms, None
        if since is not None:
            self._down_since_ms = now_ms
        if self._fallback is None:
            return
        if since is not None and now_ms - since > self._fallback.return_s * 1_000:
            self._patience = 1
        elif since is not None or self._returning:
            self._patience = min(self._patience * 2, _MOST_PATIENCE)
        self._returning = False

    def probe_s(self) -> float:
        """Give the mean time between two probes of the first broker."""
        return 0.0 if self._fallback is None else self._fallback.return_s * self._patience / GOOD_PROBES

    def probed(self, *, answers: bool) -> bool:
        """Note what a probe of the first broker has found; True where it is time to go back."""
        self._good = self._good + 1 if answers else 0
        if self._good >= GOOD_PROBES:
            self._good = 0
            self._returning = True
        return self._returning
