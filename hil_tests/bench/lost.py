"""The one failure that is never put down to a busy machine."""


class Lost(AssertionError):
    """Readings are missing, or others are there. `make test` does not try such a test once more, as it does others."""
