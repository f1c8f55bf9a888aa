"""What can go wrong between a profile, registers and values.

ModbusError
  ProfileError      a profile's text is wrong; it carries every mistake that was found
  WrongLengthError       a reply does not carry the registers that were asked for: never decode it
  ValueRefusedError      a value cannot be written to that point
"""

from collections.abc import Sequence


class ModbusError(Exception):
    """The meaning of registers cannot be established; the text says what is wrong and what to do."""


class ProfileError(ModbusError):
    """The profile `name` has `mistakes`, each a line that names the point and the key."""

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        self.name = name
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"profile {name}: {mistake}" for mistake in self.mistakes))


class WrongLengthError(ModbusError):
    """A reply is shorter or longer than its request asked for."""


class ValueRefusedError(ModbusError):
    """A value is outside what the point or its type can take."""
