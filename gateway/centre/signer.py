"""The centre's voice: each message to a gateway signed and counted, in numbers that a restart never gives twice."""

from collections.abc import Awaitable, Callable

from gateway.wire import cose
from gateway.wire.keys import SigningKey

Reserve = Callable[[str, str, int], Awaitable[int]]
"""Takes gateway, stream and count; gives the first of so many numbers, which are then gone for good."""

_BLOCK = 100
"""Numbers taken at once: a restart skips those that are left, and a gateway accepts a jump."""


class Signer:
    """Signs for one issuer; the numbers of each (gateway, stream) rise strictly, over restarts too."""

    def __init__(self, key: SigningKey, epoch: bytes, reserve: Reserve) -> None:
        self._key = key
        self._epoch = epoch
        self._reserve = reserve
        self._numbers: dict[tuple[str, str], tuple[int, int]] = {}

    @property
    def key_id(self) -> bytes:
        """The id of the key that it signs with."""
        return self._key.key_id

    def renew(self) -> None:
        """Leave what is left of the numbers that were taken: the next ones are above all that others have taken."""
        self._numbers.clear()

    async def sign(self, gateway: str, stream: str, content: str, payload: bytes, *, block: int = _BLOCK) -> bytes:
        """Sign the next message of a stream to a gateway."""
        return self.sign_as(await self.number(gateway, stream, block), gateway, stream, content, payload)

    async def number(self, gateway: str, stream: str, block: int = _BLOCK) -> int:
        """Give the next number of a stream to a gateway; a `block` of 1 leaves no holes after a restart."""
        following, end = self._numbers.get((gateway, stream), (0, 0))
        if following == end:
            first = await self._reserve(gateway, stream, block)
            # Others may have come by while the store answered: what they left counts first.
            following, end = self._numbers.get((gateway, stream), (0, 0))
            if following == end:
                following, end = first, first + block
        self._numbers[gateway, stream] = (following + 1, end)
        return following

    def sign_as(self, number: int, gateway: str, stream: str, content: str, payload: bytes) -> bytes:
        """Sign with a number that `number` gave."""
        header = cose.Header(
            key_id=self._key.key_id,
            content=content,
            gateway=gateway,
            stream=stream,
            epoch=self._epoch,
            sequence=number,
        )
        return cose.sign(header, payload, self._key.private)
