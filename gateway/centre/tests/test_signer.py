"""Numbers of the centre's own messages."""

import asyncio

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.centre.signer import Signer
from gateway.wire import cose
from gateway.wire.keys import SigningKey

EPOCH = b"epoch-01"
KEY = SigningKey(b"centre-2026", Ed25519PrivateKey.generate())


class Reserve:
    """Gives numbers in blocks, slowly, as the store's thread does."""

    def __init__(self) -> None:
        self.given = 0

    async def __call__(self, _gateway: str, _stream: str, count: int) -> int:
        """Give the first of the next block."""
        first = self.given + 1
        self.given += count
        await asyncio.sleep(0)
        return first


async def test_numbers_rise_and_are_never_given_twice() -> None:
    """Many who ask at once get as many different numbers."""
    signer = Signer(KEY, EPOCH, Reserve())
    numbers = await asyncio.gather(*(signer.number("gw-0001", "receipt", 3) for _ in range(50)))
    assert len(set(numbers)) == 50


async def test_signed_message_is_for_one_gateway_and_stream() -> None:
    """The header names audience, stream, epoch and number, and the signature holds."""
    signer = Signer(KEY, EPOCH, Reserve())
    blobs = [await signer.sign("gw-0001", "receipt", "gw/receipt;v=1", b"payload") for _ in range(2)]
    verified = [cose.verify(blob, {KEY.key_id: KEY.private.public_key()}) for blob in blobs]
    assert [each.header.sequence for each in verified] == [1, 2]
    assert {(each.header.gateway, each.header.stream, each.header.epoch) for each in verified} == {
        ("gw-0001", "receipt", EPOCH)
    }
