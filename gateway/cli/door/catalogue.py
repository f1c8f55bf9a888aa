"""What `gateway door` can be asked."""

import argparse
from datetime import date
from pathlib import Path

from gateway.cli.command import Command, option
from gateway.cli.door import answers


def day(text: str) -> date:
    """Read a day."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: a day is wanted as 2026-11-25") from error


_SITE = option(
    "--config",
    type=Path,
    default=Path("/etc/gateway/site.toml"),
    metavar="SITE",
    help="the site file (default %(default)s)",
)
_JSON = option("--json", action="store_true", help='one JSON object, whose "schema" tells its version')

FAMILIES = {"door": "the daily file over SFTP"}

DOOR = (
    Command(
        "door keys",
        "make the door's keys if there are none, and print what the recipient is to be given",
        answers.keys,
        "gateway door keys",
        (_SITE, _JSON),
    ),
    Command(
        "door show",
        "a day's file as it is before it is signed and encrypted",
        answers.show,
        "gateway door show 2026-11-25",
        (option("day", type=day, metavar="DAY", help="a day that is over, as 2026-11-25"), _SITE),
    ),
    Command(
        "door push",
        "make the files that are due and push all that wait, now",
        answers.push,
        "gateway door push",
        (_SITE, _JSON),
    ),
    Command(
        "door status",
        "which days were delivered, and what waits",
        answers.status,
        "gateway door status",
        (_SITE, _JSON),
    ),
    Command(
        "door run",
        "do all that day after day, until told to stop",
        answers.run,
        "gateway door run --config site.toml",
        (_SITE,),
    ),
)
