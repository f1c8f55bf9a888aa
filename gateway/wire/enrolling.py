"""The messages by which a gateway gets its certificates: what it asks with, and what the centre answers.

How the whole enrolment message is made and read stands in `gateway.enrolment.request`.
"""

from dataclasses import dataclass
from typing import ClassVar

from gateway.wire import fields
from gateway.wire.errors import MalformedMessage
from gateway.wire.fields import Field
from gateway.wire.messages import Message


@dataclass(frozen=True, slots=True)
class Enrolment(Message):
    """Both keys of a gateway ask for one name: `gateway.enrolment.request` makes and reads the whole message.

    `csr` is a PKCS#10 request (DER) signed by the TLS key; `public` are the 32 raw bytes of the signing key, which
    signs the message itself.
    """

    CONTENT: ClassVar[str] = "gw/enrolment;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "csr", fields.octets(64, 4096)),
        Field(2, "public", fields.octets(32)),
    )

    csr: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Renewal(Message):
    """A gateway asks for its next certificate: `request` is a whole enrolment message, this one's key is known."""

    CONTENT: ClassVar[str] = "gw/renewal;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field(1, "request", fields.octets(64, 8192)),)

    request: bytes


@dataclass(frozen=True, slots=True)
class Issued(Message):
    """The centre's answer to a renewal: certificates (DER, the gateway's own first), or why there are none.

    `key` is the SHA-256 of the SubjectPublicKeyInfo that was asked for, `signing` the id of the signing key that asked
    with it: where certificates come, the centre takes what that key signs from now on.
    """

    CONTENT: ClassVar[str] = "gw/certificate;v=1"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(1, "key", fields.octets(32)),
        Field(2, "signing", fields.octets(1, 64)),
        Field(3, "certificates", fields.sequence(fields.octets(64, 8192), 8)),
        Field(4, "refused", fields.text(256, 1), optional=True),
    )

    key: bytes
    signing: bytes
    certificates: tuple[bytes, ...] = ()
    refused: str | None = None

    def check(self) -> None:
        """Hold it to certificates, or to why there are none."""
        if bool(self.certificates) is (self.refused is not None):
            raise MalformedMessage("Issued: certificates, or why there are none: one of both is wanted")
