"""What can be wrong with a piece of customer output, for those who ask for more than a Group.

A damaged group is no exception: it is a Group that is not valid, with its reason. These are for callers who decode a
value themselves.
"""


class TicError(ValueError):
    """A text is not what the norm says it is; the message names the text's kind and what the norm expects."""


class UnknownLabelError(TicError):
    """The norm knows no such label in that mode."""


class HorodateError(TicError):
    """A horodate is not SAAMMJJhhmmss, or an older meter's date not JJ/MM/AA HH:MM:SS."""


class FieldsError(TicError):
    """A value of several fields has not the fields that its label has."""


class StatusError(TicError):
    """A register or a calendar is not of the shape that the norm gives it."""
