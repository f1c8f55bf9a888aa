"""How many bytes an MQTT 5 packet has (OASIS MQTT 5.0, sections 3.3 and 3.4): what is paid for beside the payload."""

from dataclasses import dataclass

PUBACK = 4
"""Success and no properties: the reason code is left out."""

_CONTENT_TYPE, _EXPIRY = 3, 5
"""A property's identifier with the length of its text; an identifier with four bytes."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What a PUBLISH tells beside its payload, as far as anybody here does."""

    content: str | None = None
    expires: bool = False

    @property
    def size(self) -> int:
        """Bytes, without their own length."""
        content = 0 if self.content is None else _CONTENT_TYPE + len(self.content)
        return content + (_EXPIRY if self.expires else 0)


def publish(topic: str, payload: int, properties: Properties | None = None, *, qos: int = 1) -> int:
    """Give the bytes of a PUBLISH with so many bytes of payload."""
    told = 0 if properties is None else properties.size
    rest = 2 + len(topic.encode()) + (2 if qos else 0) + _length(told) + told + payload
    return 1 + _length(rest) + rest


def _length(number: int) -> int:
    """Bytes of a variable byte integer."""
    size = 1
    while number > 0x7F:
        number >>= 7
        size += 1
    return size
