"""What can be wrong with bytes from outside.

WireError               something came that must not be used
  MalformedMessage      the bytes are not what the contract says; nothing of them may be used
  SignatureError        well formed, and not proved to come from a key that we trust for it
    RevokedKey          proved to come from a key that is no longer trusted, for somebody else may have it
  KeyFileError          a file of keys cannot be used; the text says what to do
"""


class WireError(Exception):
    """Something from outside must not be used; the text says what is wrong and where."""


class MalformedMessage(WireError):
    """The bytes are not what the contract says."""


class SignatureError(WireError):
    """No key that is trusted for this message made its signature."""


class RevokedKey(SignatureError):
    """A revoked key has made this signature; the text names the key."""


class KeyFileError(WireError):
    """A file of keys is missing, unsafe or wrong; the text names it and says what to do."""
