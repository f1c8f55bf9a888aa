"""What a gateway is since it started, for the birth that the broker keeps."""

from collections.abc import Collection, Iterable

from drivers.ports import Meter
from gateway.app import status
from gateway.clock import Clock
from gateway.wire.messages import Birth

CAPABILITIES = ("shed", "cancel", "modify", "resend")


def birth(  # noqa: PLR0913 - each is told
    clock: Clock, *, boot_nonce: bytes, epoch: bytes, schema: bytes, meters: Iterable[Meter], private: Collection[str]
) -> Birth:
    """Give it as it is now; devices whose name is `private` are not in it."""
    return Birth(
        version=status.program(),
        boot_id=clock.boot_id,
        boot_nonce=boot_nonce,
        epoch=epoch,
        schema=schema,
        clock=status.clock(clock)["text"][:64],
        capabilities=CAPABILITIES,
        inventory=tuple(
            f"{meter.name}: {len(meter.channels)} channels" for meter in meters if meter.name not in private
        ),
    )
