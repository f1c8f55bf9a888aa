"""What can go wrong on the way out of the easy door; the text says what to do."""


class DoorError(Exception):
    """Something has to be mended by people first: a key, a setting, the other side's permission."""


class AwayError(Exception):
    """The other side is not to be had now; whatever waits is held and tried again."""
