"""What can go wrong in the room of commands.

    CommandsError               anything below
      StorageError              the command database cannot be read or written: new sheds are refused, releases go on
      StartAgainError           what could not be opened can be now, and only a new start can go on with it
      NotAuthorisedError        an order was made by someone who may not make it: a bug or a wrong role; nothing moves

A message that is refused is no error: `verify` gives a Refused, with its reason.
"""


class CommandsError(Exception):
    """Something in the room of commands failed; the text says what, where, and what to do."""


class StorageError(CommandsError):
    """The command database cannot be read or written."""


class StartAgainError(CommandsError):
    """Only a new start can go on."""


class NotAuthorisedError(CommandsError):
    """An order was made by someone who may not make it."""
