"""The composition root: builds the agent that a site file describes, and runs it until it is told to stop."""

import logging
import sys
from pathlib import Path

from gateway.app import slim

OK, CHECK_FAILED = 0, 5


def run(path: Path, *, await_keys: bool = False) -> int:
    """Run the agent of a site file; give the exit code: 0 told to stop, 5 something is to be mended first.

    Whatever is wrong with the site, its keys or its disk is told on stderr, all at once where it can be. With
    `await_keys`, keys that are missing or wrong are no end: the control socket tells of them until they are right.
    """
    # systemd and its journal stamp each line themselves.
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # pymodbus logs each silence and each retry; the drivers say it once.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    slim.begin()
    # ruff: noqa: PLC0415 - the site is loaded before the rest is imported, which then takes the room that loading took
    from config.errors import ConfigError
    from config.load import load

    try:
        site = load(path)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - to whoever started it, as it is
        return CHECK_FAILED
    slim.loaded()
    from gateway.app.serving import serve

    return serve(site, await_keys=await_keys)
