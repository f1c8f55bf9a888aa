"""The centre's pen in a test's hand: commands signed as the centre does, or as it never would, and put on the topic."""

from dataclasses import replace

from gateway.centre.dispatch import new_id, now_utc_ms
from gateway.wire import cose
from gateway.wire.keys import SigningKey, load_signing_key
from gateway.wire.messages import Command
from hil_tests.bench.pki import CENTRE_EPOCH
from hil_tests.bench.whole import Whole


class Issuer:
    """Signs with the centre's key and numbers, and publishes over the centre's own connection."""

    def __init__(self, whole: Whole) -> None:
        self._whole = whole
        self.key = load_signing_key(whole.keys.centre_signing_key)

    def shed(self, percent: int = 40, duration_s: int = 30, **changes: object) -> Command:
        """Give a shed of the building that starts now; `changes` replace any of its fields."""
        now = now_utc_ms()
        command = Command(
            id=new_id(),
            operation="shed",
            target="building",
            magnitude_percent=percent,
            start_utc_ms=None,
            duration_s=duration_s,
            priority=8,
            issued_utc_ms=now,
            expires_utc_ms=now + 60_000,
        )
        return replace(command, **changes)  # type: ignore[arg-type]  # a test may put anything anywhere

    async def number(self) -> int:
        """Take the centre's next number for a command."""
        return await self._whole.centre._signer.number(self._whole.gateway, "cmd", 1)

    async def signed(self, command: Command, *, key: SigningKey | None = None, **header: object) -> bytes:
        """Sign a command under the next number, with `key` where it is not the centre's, and fields of the header."""
        signer = key or self.key
        usual = cose.Header(
            key_id=signer.key_id,
            content=Command.CONTENT,
            gateway=self._whole.gateway,
            stream="cmd",
            epoch=CENTRE_EPOCH,
            sequence=await self.number(),
        )
        return cose.sign(replace(usual, **header), command.encode(), signer.private)  # type: ignore[arg-type]

    def publish(self, message: bytes, *, retain: bool = False) -> None:
        """Put bytes on the gateway's topic of commands, behind what was put there before."""
        link = self._whole.centre._link
        assert link is not None
        link._client.publish(f"gw/v1/{self._whole.gateway}/cmd", message, 1, retain)
