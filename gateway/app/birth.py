"""The birth, which the broker keeps for whoever comes later: what this gateway is since it started."""

from collections.abc import Callable, Collection, Sequence

from drivers.ports import Meter
from gateway.app import status
from gateway.app.voice import Voice
from gateway.clock import Clock
from gateway.uplink.worker import Uplink
from gateway.wire.messages import Birth

CAPABILITIES = ("shed", "cancel", "modify", "resend")


class Births:
    """Makes the birth as it is at the moment; devices whose name is `private` are not in it.

    `connected` is called at each connection, on which all that is unreceipted goes out again.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each
        self,
        clock: Clock,
        voice: Voice,
        *,
        epoch: bytes,
        schema: bytes,
        meters: Sequence[Meter],
        uplink: Callable[[], Uplink],
        boot_nonce: Callable[[], bytes],
        private: Callable[[], Collection[str]],
        connected: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._voice = voice
        self._epoch = epoch
        self._schema = schema
        self._meters = meters
        self._uplink = uplink
        self._boot_nonce = boot_nonce
        self._private = private
        self._connected = connected

    def born(self) -> bytes:
        """Give the signed birth for a new connection."""
        self._connected()
        return self._signed()

    def again(self) -> None:
        """Let the birth that the broker keeps say what may be said now."""
        if self._uplink().connected:
            self._uplink().publish("state", self._signed())

    def _signed(self) -> bytes:
        private = self._private()
        return self._voice.birth(
            Birth(
                version=status.program(),
                boot_id=self._clock.boot_id,
                boot_nonce=self._boot_nonce(),
                epoch=self._epoch,
                schema=self._schema,
                clock=status.clock(self._clock)["text"][:64],
                capabilities=CAPABILITIES,
                inventory=tuple(
                    f"{meter.name}: {len(meter.channels)} channels"
                    for meter in self._meters
                    if meter.name not in private
                ),
            )
        )
