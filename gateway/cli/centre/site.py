"""The centre's file as the command line reads it: mistakes end the command at once, all of them told."""

from pathlib import Path

from config.errors import ConfigError
from gateway.centre.site import CentreSite, load_centre
from gateway.cli.exits import CHECK_FAILED, Ended


def site(path: Path) -> CentreSite:
    """Read the centre's file; raise Ended with every mistake."""
    try:
        return load_centre(path)
    except ConfigError as error:
        raise Ended(CHECK_FAILED, str(error)) from error
