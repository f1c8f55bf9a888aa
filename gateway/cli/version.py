"""`gateway version`: which program this is, and on what it runs."""

import json
import os
import sys
from importlib.metadata import version

from gateway.cli.exits import OK


def facts() -> dict[str, str]:
    """Give the versions that a report of a fault should name."""
    return {
        "version": version("building-gateway"),
        "python": sys.version.split()[0],
        "system": os.uname().release,
        "machine": os.uname().machine,
    }


def print_version(*, as_json: bool) -> int:
    """Print the version; with `as_json` also that of Python, of the kernel, and the machine."""
    found = facts()
    print(json.dumps({"schema": "gateway/version/1", **found}) if as_json else found["version"])
    return OK
