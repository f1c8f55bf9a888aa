"""What `gateway commands` reads from the files where no agent is at work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.errors import ConfigError
from config.load import load
from gateway.cli.exits import CHECK_FAILED, COULD_NOT_CHECK, REFUSED, Ended
from gateway.commands.errors import StorageError
from gateway.commands.look import Look


@contextmanager
def looked(site_file: Path) -> Iterator[Look]:
    """Look at the command database of a site; raise Ended."""
    try:
        site = load(site_file)
    except ConfigError as error:
        raise Ended(CHECK_FAILED, str(error)) from error
    try:
        with Look.open(site.storage.directory / "commands.db") as look:
            yield look
    except StorageError as error:
        code = REFUSED if isinstance(error.__cause__, PermissionError) else COULD_NOT_CHECK
        raise Ended(code, str(error)) from error
