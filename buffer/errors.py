"""What can go wrong with storage; what was committed before stays committed, whatever is raised.

StorageError            a write did not happen; keep the rows in memory and try again
  StorageFull           there is no room: the disk or the quota is full
  StorageDamaged        the file is not sound: end the process; the next start moves it aside and begins anew
Unsealable              raised by whoever packs, about rows of which no segment can ever be made
"""


class StorageError(Exception):
    """A write did not happen; the text says what is wrong, where, and what to do."""


class StorageFull(StorageError):
    """There is no room for a write."""


class StorageDamaged(StorageError):
    """The database is damaged; opening it again moves it aside."""


class Unsealable(Exception):
    """No segment can be made of these rows, now or later; the text says why. Sealing sets them aside and goes on."""
