"""Signs what this gateway says in its chained streams."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from buffer.outbox import Place
from gateway.commands.change import AnswerPlace
from gateway.wire import cose
from gateway.wire.keys import SigningKey
from gateway.wire.messages import Answer

ANSWERS = "ack"
"""The stream of answers to commands, which has a database of its own."""


@dataclass(slots=True)
class Signer:
    """Signs for `gateway` with its key; which one that is may change while other threads sign."""

    gateway: str
    key: SigningKey
    public: dict[bytes, Ed25519PublicKey] = field(init=False)
    """What verifies our own signatures, those of this process' earlier keys too."""

    def __post_init__(self) -> None:
        self.public = {self.key.key_id: self.key.private.public_key()}

    def sign_with(self, key: SigningKey) -> None:
        """Sign with another key from now on; a chain goes on under it."""
        self.public = {**self.public, key.key_id: key.private.public_key()}
        self.key = key

    def sign(self, place: Place, content: str, payload: bytes, schema: bytes | None = None) -> bytes:
        """Give the signed message for that place of its stream."""
        key = self.key
        header = cose.Header(
            key_id=key.key_id,
            content=content,
            gateway=self.gateway,
            stream=place.stream,
            epoch=place.epoch,
            sequence=place.sequence,
            previous=place.previous,
            schema=schema,
        )
        return cose.sign(header, payload, key.private)

    def answer(self, place: AnswerPlace, payload: bytes) -> bytes:
        """Give the signed answer to a command for its place in the stream of answers."""
        return self.sign(Place(place.epoch, ANSWERS, place.sequence, place.previous), Answer.CONTENT, payload)
