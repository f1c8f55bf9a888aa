"""What can be wrong at the centre itself.

CentreError             the text says what to do
  StoreUnusable         the file is not the centre's store, or of another version
  StoreUnavailable      it cannot be read or written just now: full, locked, an I/O error; it may be again
  LinkUnusable          the files for the connection to the broker cannot be used
  DispatchError         a command could not be sent; nothing of it left the centre
  SinkUnavailable       the sink cannot be written just now; it may be again
  SinkUnusable          it never can be as it is
"""


class CentreError(Exception):
    """Something at the centre cannot go on; the text says what to do."""


class StoreUnusable(CentreError):
    """The file is not the centre's store, or one of another version."""


class StoreUnavailable(CentreError):
    """The store cannot be read or written just now; nothing of what was wanted has been done."""


class LinkUnusable(CentreError):
    """The files for the connection to the broker cannot be used; the text names them."""


class DispatchError(CentreError):
    """A command could not be sent; the text says why. Nothing left the centre."""


class SinkUnavailable(CentreError):
    """The sink cannot be written just now; what it lacks is written once it can."""


class SinkUnusable(CentreError):
    """The sink cannot be used as it is."""
