"""What an input is made of: atheris' FuzzedDataProvider behind the few choices that the properties ask for."""

from random import Random
from typing import Protocol, TypeVar

_T = TypeVar("_T")


class Choices(Protocol):
    """A source of choices; once it is exhausted every number is its lowest and all bytes are none."""

    def ConsumeIntInRange(self, low: int, high: int) -> int:  # noqa: N802 - atheris' name
        """Give a number from `low` to `high`, both included."""

    def ConsumeBytes(self, size: int) -> bytes:  # noqa: N802 - atheris' name
        """Give at most so many bytes."""

    def remaining_bytes(self) -> int:
        """Tell how many bytes are left."""


class RandomChoices:
    """Choices without guidance, repeatable by their seed: enough to try the properties themselves."""

    def __init__(self, seed: int, data: bytes = b"") -> None:
        self._random = Random(seed)
        self._data = data or self._random.randbytes(self._random.randrange(600))

    def ConsumeIntInRange(self, low: int, high: int) -> int:  # noqa: N802 - atheris' name
        return self._random.randint(low, high)

    def ConsumeBytes(self, size: int) -> bytes:  # noqa: N802 - atheris' name
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def remaining_bytes(self) -> int:
        return len(self._data)


def one_of(choices: Choices, among: "tuple[_T, ...] | list[_T]") -> _T:
    """Choose one."""
    return among[choices.ConsumeIntInRange(0, len(among) - 1)]


def printable(choices: Choices, size: int) -> str:
    """Choose a text of at most so many printable characters."""
    return "".join(chr(0x20 + byte % 0x5F) for byte in choices.ConsumeBytes(choices.ConsumeIntInRange(0, size)))
