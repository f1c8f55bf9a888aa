"""As whom a command of root's works on files that are somebody else's: as their owner."""

import os
from pathlib import Path

from gateway.cli.exits import REFUSED, Ended


def as_owner(folder: Path) -> None:
    """As root, go on as the folder's owner; raise Ended where that is not permitted.

    What is made there is then the owner's, and root follows no link that whoever has taken over the owner has left.
    """
    try:
        owner = folder.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise Ended(REFUSED, f"{folder}: {error.strerror}: use sudo") from error
    if os.geteuid() not in {0, owner.st_uid}:
        raise Ended(REFUSED, f"{folder}: belongs to another user: use sudo")
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
        os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
