"""What the centre says to a gateway that is no command: receipts, resend requests, heartbeats, time, certificates.

Everything but certificates goes on the gateway's `receipt` topic. Nothing is queued without a connection: said late, it
would be wrong.
"""

from collections.abc import Callable, Iterable

from gateway.centre.contents import StreamKey
from gateway.centre.link import ToGateway
from gateway.centre.signer import Signer
from gateway.wire.enrolling import Issued
from gateway.wire.messages import Birth, Heartbeat, Receipt, Resend, TimeReply

_STREAM = "receipt"
_STREAMS = {Issued.CONTENT: "cfg"}
"""What goes on another topic than receipts do."""
_RECEIPT_EXPIRY_S = 600
_TIME_EXPIRY_S = 10


class Voice:
    """Signs and publishes; `publish` gives None where there is no connection."""

    def __init__(self, signer: Signer, publish: Callable[[ToGateway], int | None]) -> None:
        self._signer = signer
        self._publish = publish

    async def receipts(self, due: Iterable[tuple[StreamKey, Receipt]]) -> set[StreamKey]:
        """Send receipts and give the streams whose receipt could not be sent."""
        return {
            key
            for key, receipt in due
            if not await self._say(key[0], Receipt.CONTENT, receipt.encode(), expiry_s=_RECEIPT_EXPIRY_S)
        }

    async def resend(self, gateway: str, wanted: Resend) -> None:
        """Ask for what is missing."""
        await self._say(gateway, Resend.CONTENT, wanted.encode(), expiry_s=_RECEIPT_EXPIRY_S)

    async def heartbeat(self, gateway: str, birth: Birth) -> None:
        """Prove to one boot of a gateway that the centre is there: QoS 0, for a late heartbeat proves nothing."""
        await self._say(gateway, Heartbeat.CONTENT, Heartbeat(birth.boot_nonce).encode(), qos=0)

    async def time(self, gateway: str, nonce: bytes, utc_ms: Callable[[], int]) -> None:
        """Tell the time to whom asked."""
        # The number first: it may have to be fetched, and the time must not be older than the way it takes.
        number = await self._signer.number(gateway, _STREAM)
        blob = self._signer.sign_as(number, gateway, _STREAM, TimeReply.CONTENT, TimeReply(nonce, utc_ms()).encode())
        self._publish(ToGateway(gateway, _STREAM, blob, expiry_s=_TIME_EXPIRY_S, content=TimeReply.CONTENT))

    async def reply(self, gateway: str, content: str, payload: bytes) -> bool:
        """Answer a question of another kind; give whether there was a connection to say it over."""
        stream = _STREAMS.get(content, _STREAM)
        return await self._say(gateway, content, payload, expiry_s=_RECEIPT_EXPIRY_S, stream=stream)

    async def _say(  # noqa: PLR0913 - what a message says, and how it goes
        self,
        gateway: str,
        content: str,
        payload: bytes,
        *,
        qos: int = 1,
        expiry_s: int | None = None,
        stream: str = _STREAM,
    ) -> bool:
        blob = await self._signer.sign(gateway, stream, content, payload)
        return self._publish(ToGateway(gateway, stream, blob, qos, expiry_s, content=content)) is not None
